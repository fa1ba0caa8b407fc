//! The policies of `manifests/policies`, as they are shipped, asked by the real API server.
//!
//! A file, and so a bed, of its own: policies hold for the whole cluster. Nothing is stored (dry run) unless a test says so.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::{admissionregistration::v1::ValidatingAdmissionPolicy, core::v1::Namespace};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::{Bed, Failure, Result, tools, wait};
use tokio::sync::OnceCell;

/// The API server reads policies, bindings and parameters through watches of its own.
const SOON: Duration = Duration::from_mins(1);

/// What this cluster allows, beside what is shipped: narrower, so that each rule has something to refuse.
const PARAMETERS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: external-secrets-policies, namespace: external-secrets}
data:
  providers: vault
  providers.free: "*"
  vaultHosts: vault.example.com, *.corp.example.com
  keyPrefixes: "{{namespace}}/, shared/"
  keyPrefixes.free: "*"
  clusterSecretStores: platform, archive
  minimumRefreshInterval: 5m
  creationPolicies: Owner, Orphan
  deletionPolicies: Retain
  secretTypes: Opaque, kubernetes.io/tls
"#;

/// Namespaces by what the policies are to them.
const ENFORCED: &str = "enforced";
const FREE: &str = "free";
const WARNED: &str = "warned";
const UNLABELLED: &str = "unlabelled";

static CLUSTER: OnceCell<std::result::Result<(), String>> = OnceCell::const_new();

async fn cluster() -> Result<&'static Bed> {
    let bed = Bed::shared().await?;
    let prepare = || async { prepare(bed).await.map_err(|failure| failure.to_string()) };
    CLUSTER.get_or_init(prepare).await.clone().map_err(Failure::new)?;
    Ok(bed)
}

async fn prepare(bed: &Bed) -> Result {
    // The policies refuse also what the definitions have rules for, and older definitions have none.
    bed.install_without_rules().await?;
    for (name, mode) in [(ENFORCED, "enforce"), (FREE, "enforce"), (WARNED, "warn"), (UNLABELLED, "")] {
        let labels = if mode.is_empty() { json!({}) } else { json!({"external-secrets.io/policies": mode}) };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        bed.apply(&namespace.to_string()).await?;
    }
    let folder = tools::repository().join("manifests/policies");
    let output = bed.kubectl(&["apply", "-k", &folder.to_string_lossy()], "").await?;
    assert!(output.success, "{}", output.stderr);
    bed.apply(PARAMETERS).await?;
    in_force(bed).await
}

/// Each policy refuses what only it refuses, with the parameters above.
async fn in_force(bed: &Bed) -> Result {
    let canaries = [
        (ENFORCED, "SecretStore", vault("https://other.example.com")),
        (ENFORCED, "ExternalSecret", entry("elsewhere/db")),
        (ENFORCED, "ExternalSecret", with(entry("enforced/db"), &json!({"secretStoreRef": {"name": "other"}}))),
        (ENFORCED, "ExternalSecret", with(entry("enforced/db"), &json!({"refreshInterval": "4m"}))),
        // Allowed every key there, or two policies refuse and the API server tells of one.
        (FREE, "ExternalSecret", find(&json!({"name": {"regexp": ".*"}}))),
        (ENFORCED, "ExternalSecret", with(entry("enforced/db"), &json!({"target": {"creationPolicy": "None"}}))),
    ];
    for (namespace, kind, spec) in canaries {
        wait::until("a policy to be in force", SOON, || async {
            let verdict = judge(bed, namespace, kind, &spec).await.map_err(|failure| failure.to_string())?;
            if verdict.refused { Ok(()) } else { Err(format!("{kind} {spec} is admitted")) }
        })
        .await?;
    }
    Ok(())
}

/// What the API server said of an object that was not stored.
struct Verdict {
    refused: bool,
    words: String,
}

async fn judge(bed: &Bed, namespace: &str, kind: &str, spec: &Value) -> Result<Verdict> {
    let object = object(kind, namespace, spec);
    let output = bed.kubectl(&["create", "--dry-run=server", "-f", "-"], &object.to_string()).await?;
    Ok(Verdict { refused: !output.success, words: output.stderr })
}

fn object(kind: &str, namespace: &str, spec: &Value) -> Value {
    let metadata = match kind {
        "ClusterSecretStore" => json!({"name": "judged"}),
        _ => json!({"name": "judged", "namespace": namespace}),
    };
    json!({"apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// The spec with some fields replaced.
fn with(mut spec: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    spec
}

fn vault(server: &str) -> Value {
    json!({"provider": {"vault": {"server": server, "auth": {"tokenSecretRef": {"name": "t", "key": "k"}}}}})
}

fn entry(key: &str) -> Value {
    json!({
        "secretStoreRef": {"name": "platform", "kind": "ClusterSecretStore"},
        "data": [{"secretKey": "a", "remoteRef": {"key": key}}],
    })
}

fn extract(key: &str) -> Value {
    json!({
        "secretStoreRef": {"name": "platform", "kind": "ClusterSecretStore"},
        "dataFrom": [{"extract": {"key": key}}],
    })
}

fn find(find: &Value) -> Value {
    json!({"secretStoreRef": {"name": "platform", "kind": "ClusterSecretStore"}, "dataFrom": [{"find": find}]})
}

/// A row: where, what, and the words of the refusal, none if it is admitted.
type Row = (&'static str, &'static str, Value, &'static [&'static str]);

async fn table(rows: Vec<Row>) -> Result {
    let bed = cluster().await?;
    let judged = rows.iter().map(|(namespace, kind, spec, words)| async move {
        let verdict = judge(bed, namespace, kind, spec).await?;
        let as_said = words.iter().all(|word| verdict.words.contains(word));
        let is_right = verdict.refused != words.is_empty() && as_said;
        Ok::<_, Failure>(
            (!is_right).then(|| format!("{namespace} {kind} {spec}\n  wanted {words:?}: {}", verdict.words)),
        )
    });
    let mut surprises = Vec::new();
    for outcome in join_all(judged).await {
        surprises.extend(outcome?);
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    Ok(())
}

#[tokio::test]
async fn stores_use_allowed_providers_and_hosts() -> Result {
    let fake = json!({"provider": {"fake": {"data": [{"key": "a", "value": "b"}]}}});
    table(vec![
        (ENFORCED, "SecretStore", vault("https://vault.example.com:8200"), &[]),
        (ENFORCED, "SecretStore", vault("https://VAULT.example.com"), &[]),
        (ENFORCED, "SecretStore", vault("https://eu.corp.example.com/prefix"), &[]),
        (ENFORCED, "SecretStore", vault("https://vault.example.com.evil.org"), &["vault.server", "evil.org", "*.corp"]),
        (ENFORCED, "SecretStore", vault("https://corp.example.com"), &["host \"corp.example.com\" is not allowed"]),
        (ENFORCED, "SecretStore", vault("https://vault.example.com@evil.org"), &["host \"evil.org\""]),
        (ENFORCED, "SecretStore", vault("nonsense"), &["spec.provider.vault.server"]),
        (ENFORCED, "SecretStore", fake.clone(), &["spec.provider.fake: ", "not allowed here; allowed: vault"]),
        // What a namespace has of its own replaces what holds for all.
        (FREE, "SecretStore", fake.clone(), &[]),
        (FREE, "SecretStore", vault("https://other.example.com"), &["vault.server"]),
        (UNLABELLED, "SecretStore", fake, &[]),
    ])
    .await
}

#[tokio::test]
async fn keys_begin_with_the_prefix_of_their_namespace() -> Result {
    table(vec![
        (ENFORCED, "ExternalSecret", entry("enforced/db"), &[]),
        (ENFORCED, "ExternalSecret", extract("shared/ca"), &[]),
        (ENFORCED, "ExternalSecret", find(&json!({"path": "enforced/apps", "name": {"regexp": ".*"}})), &[]),
        (
            ENFORCED,
            "ExternalSecret",
            entry("free/db"),
            &["the key \"free/db\" is not one of namespace enforced", "shared/"],
        ),
        (ENFORCED, "ExternalSecret", entry("enforcedly/db"), &["the key \"enforcedly/db\""]),
        (ENFORCED, "ExternalSecret", entry("enforced/../free/db"), &["no part . or .."]),
        (ENFORCED, "ExternalSecret", extract("free/db"), &["the key \"free/db\""]),
        (ENFORCED, "ExternalSecret", find(&json!({"path": "free"})), &["the key \"free\""]),
        (ENFORCED, "ExternalSecret", find(&json!({"tags": {"a": "b"}})), &["spec.dataFrom[].find.path: is required"]),
        (UNLABELLED, "ExternalSecret", entry("free/db"), &[]),
    ])
    .await
}

#[tokio::test]
async fn external_secrets_read_from_stores_of_the_platform() -> Result {
    let tenant = json!({"name": "mine", "kind": "SecretStore"});
    let foreign = json!({"name": "foreign", "kind": "ClusterSecretStore"});
    let of_entry = |store: &Value| {
        json!({"data": [
            {"secretKey": "a", "remoteRef": {"key": "enforced/a"}, "sourceRef": {"storeRef": store}},
        ]})
    };
    let of_source =
        |store: &Value| json!({"dataFrom": [{"extract": {"key": "enforced/a"}, "sourceRef": {"storeRef": store}}]});
    let archive = json!({"name": "archive", "kind": "ClusterSecretStore"});
    table(vec![
        (ENFORCED, "ExternalSecret", of_entry(&archive), &[]),
        (ENFORCED, "ExternalSecret", of_source(&archive), &[]),
        (
            ENFORCED,
            "ExternalSecret",
            with(entry("enforced/a"), &json!({"secretStoreRef": tenant})),
            &["SecretStore mine"],
        ),
        // A reference without a kind is one to a SecretStore.
        (
            ENFORCED,
            "ExternalSecret",
            with(entry("enforced/a"), &json!({"secretStoreRef": {"name": "platform"}})),
            &["the store SecretStore platform is not allowed here", "kind: ClusterSecretStore", "platform, archive"],
        ),
        (ENFORCED, "ExternalSecret", of_entry(&foreign), &["the store ClusterSecretStore foreign"]),
        (ENFORCED, "ExternalSecret", of_source(&tenant), &["the store SecretStore mine"]),
    ])
    .await
}

#[tokio::test]
async fn refreshes_are_not_more_frequent_than_allowed() -> Result {
    let every = |interval: &str| with(entry("enforced/a"), &json!({"refreshInterval": interval}));
    table(vec![
        (ENFORCED, "ExternalSecret", every("5m"), &[]),
        (ENFORCED, "ExternalSecret", every("1h0m0s"), &[]),
        (ENFORCED, "ExternalSecret", every("0"), &[]),
        (ENFORCED, "ExternalSecret", every("0s"), &[]),
        (ENFORCED, "ExternalSecret", entry("enforced/a"), &[]),
        (ENFORCED, "ExternalSecret", every("4m59s"), &["spec.refreshInterval: 4m59s is shorter than 5m"]),
        (ENFORCED, "ExternalSecret", every("soon"), &["spec.refreshInterval"]),
        (ENFORCED, "ExternalSecret", with(every("1s"), &json!({"refreshPolicy": "OnChange"})), &[]),
        (ENFORCED, "ExternalSecret", with(every("1s"), &json!({"refreshPolicy": "CreatedOnce"})), &[]),
        (ENFORCED, "ExternalSecret", with(every("1s"), &json!({"refreshPolicy": "Periodic"})), &["shorter than 5m"]),
    ])
    .await
}

#[tokio::test]
async fn search_says_what_it_looks_for() -> Result {
    let all = |regexp: &str| find(&json!({"name": {"regexp": regexp}}));
    table(vec![
        (FREE, "ExternalSecret", find(&json!({"path": "shared/apps"})), &[]),
        (FREE, "ExternalSecret", all(".*"), &["spec.dataFrom[].find: matches every entry"]),
        (FREE, "ExternalSecret", all("^.+$"), &["spec.dataFrom[].find: matches every entry"]),
        (FREE, "ExternalSecret", find(&json!({"tags": {}})), &["spec.dataFrom[].find: matches every entry"]),
        (UNLABELLED, "ExternalSecret", all(".*"), &[]),
    ])
    .await
}

#[tokio::test]
async fn targets_have_allowed_policies_and_types() -> Result {
    let into = |target: Value| with(entry("enforced/a"), &json!({"target": target}));
    table(vec![
        (ENFORCED, "ExternalSecret", into(json!({"creationPolicy": "Orphan"})), &[]),
        (ENFORCED, "ExternalSecret", into(json!({"template": {"type": "kubernetes.io/tls"}})), &[]),
        (
            ENFORCED,
            "ExternalSecret",
            into(json!({"creationPolicy": "Merge"})),
            &["spec.target.creationPolicy: Merge is not allowed here; allowed: Owner, Orphan"],
        ),
        (
            ENFORCED,
            "ExternalSecret",
            into(json!({"deletionPolicy": "Delete"})),
            &["spec.target.deletionPolicy: Delete"],
        ),
        (
            ENFORCED,
            "ExternalSecret",
            into(json!({"template": {"type": "kubernetes.io/service-account-token"}})),
            &["spec.target.template.type: kubernetes.io/service-account-token is not allowed"],
        ),
    ])
    .await
}

#[tokio::test]
async fn warned_namespace_is_told_and_not_refused() -> Result {
    let bed = cluster().await?;
    let short = with(entry("elsewhere/a"), &json!({"refreshInterval": "1s"}));
    let verdict = judge(bed, WARNED, "ExternalSecret", &short).await?;
    assert!(!verdict.refused, "{}", verdict.words);
    for words in ["Warning: ", "the key \"elsewhere/a\"", "spec.refreshInterval: 1s"] {
        assert!(verdict.words.contains(words), "{words}: {}", verdict.words);
    }
    let log = bed.folder().join("logs/audit.log");
    wait::until("the audit log to tell", SOON, || async {
        let log = tokio::fs::read_to_string(&log).await.map_err(|error| error.to_string())?;
        let noted = |line: &str| {
            line.contains("validation.policy.admission.k8s.io/validation_failure")
                && line.contains("spec.refreshInterval: 1s")
        };
        if log.lines().any(noted) { Ok(()) } else { Err("it does not".to_owned()) }
    })
    .await?;
    // Whose binding says Warn, since no namespace's label can say otherwise.
    let fake = json!({"provider": {"fake": {"data": [{"key": "a", "value": "b"}]}}});
    let verdict = judge(bed, "", "ClusterSecretStore", &fake).await?;
    assert!(!verdict.refused && verdict.words.contains("spec.provider.fake"), "{}", verdict.words);
    Ok(())
}

#[tokio::test]
async fn what_was_there_before_its_namespace_was_labelled_keeps_metadata_and_deletion() -> Result {
    let bed = cluster().await?;
    let name = bed.namespace("labelled-late").await?;
    bed.apply(&object("ExternalSecret", &name, &entry("elsewhere/a")).to_string()).await?;
    let label = json!({"metadata": {"labels": {"external-secrets.io/policies": "enforce"}}});
    let namespaces: Api<Namespace> = Api::all(bed.admin()?);
    namespaces.patch(&name, &PatchParams::default(), &Patch::Merge(label)).await?;
    let edit = |patch: Value| {
        let name = &name;
        async move {
            let patch = patch.to_string();
            bed.kubectl(&["patch", "externalsecret", "judged", "-n", name, "--type=merge", "-p", &patch], "").await
        }
    };
    wait::until("the label to be seen", SOON, || async {
        let output = edit(json!({"spec": {"refreshInterval": "2h"}})).await.map_err(|failure| failure.to_string())?;
        if output.success { Err("an edit of the spec is admitted".to_owned()) } else { Ok(()) }
    })
    .await?;
    let metadata = json!({"metadata": {"annotations": {"a": "b"}, "finalizers": ["example.com/kept"]}});
    let output = edit(metadata).await?;
    assert!(output.success, "{}", output.stderr);
    let output = bed.kubectl(&["delete", "externalsecret", "judged", "-n", &name, "--wait=false"], "").await?;
    assert!(output.success, "{}", output.stderr);
    let output = edit(json!({"metadata": {"finalizers": null}})).await?;
    assert!(output.success, "{}", output.stderr);
    Ok(())
}

#[tokio::test]
async fn expressions_fit_the_schemas() -> Result {
    let bed = cluster().await?;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(bed.admin()?);
    let warnings = wait::until("every policy to be checked", SOON, || async {
        let all = policies.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let checked: Vec<_> =
            all.iter().filter_map(|policy| Some((policy, policy.status.as_ref()?.type_checking.as_ref()?))).collect();
        if checked.len() < all.len() || all.is_empty() {
            return Err(format!("{} of {} are", checked.len(), all.len()));
        }
        let warnings = checked.into_iter().flat_map(|(policy, checking)| {
            let told = checking.expression_warnings.iter().flatten();
            told.map(move |told| format!("{} {}: {}", policy.name_any(), told.field_ref, told.warning))
        });
        Ok(warnings.collect::<Vec<_>>())
    })
    .await?;
    assert!(warnings.is_empty(), "{}", warnings.join("\n"));
    Ok(())
}
