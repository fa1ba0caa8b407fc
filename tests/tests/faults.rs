//! The faults of `docs/troubleshooting.md`, each brought about on real servers: the condition alone names the cause.
//!
//! Page and test are held together: every row of the page is a row here, with the same codes.

mod support;

use std::{fs, path::Path, time::Duration};

use futures::future::join_all;
use serde_json::{Value, json};
use support::{
    Scene,
    manifest::{cluster_secret_store, external_secret, fake, reads, reads_cluster, secret, secret_store, vault, with},
};
use tests::Result;

/// Longer than the test.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// One row: as the page names it, the codes in the condition, what else it names, and the spec that brings it about.
struct Fault {
    title: &'static str,
    codes: &'static [&'static str],
    words: Vec<String>,
    spec: Value,
}

fn fault(title: &'static str, codes: &'static [&'static str], words: &[&str], spec: Value) -> Fault {
    Fault { title, codes, words: words.iter().map(|&word| word.to_owned()).collect(), spec }
}

#[tokio::test]
async fn condition_alone_names_the_cause_of_each_fault() -> Result {
    let scene = Scene::new("faults").await?;
    let mut faults = of_stores(&scene).await?;
    faults.extend(of_entries(&scene).await?);
    faults.extend(of_targets(&scene).await?);
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/troubleshooting.md"))?;
    let told: Vec<_> = faults.iter().map(|fault| (fault.title.to_owned(), fault.codes.join(" … "))).collect();
    let mut rows = rows(&page);
    rows.sort();
    let mut sorted = told.clone();
    sorted.sort();
    assert_eq!(rows, sorted, "the faults of docs/troubleshooting.md are those that are tested");

    for (number, fault) in faults.iter().enumerate() {
        scene.apply(&external_secret(&format!("fault-{number}"), &fault.spec)).await?;
    }
    let scene = &scene;
    let outcomes = faults.iter().enumerate().map(|(number, fault)| async move {
        let (first, others) = fault.codes.split_first()?;
        let said = match scene.fails(&format!("fault-{number}"), first).await {
            Ok(ready) => ready.message,
            Err(failure) => return Some(format!("{}: {failure}", fault.title)),
        };
        let words = others.iter().map(|&code| code.to_owned()).chain(fault.words.iter().cloned());
        let missing: Vec<_> = words.filter(|word| !said.contains(word)).collect();
        (!missing.is_empty()).then(|| format!("{}: {missing:?} not in {said:?}", fault.title))
    });
    let failed: Vec<_> = join_all(outcomes).await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// Fault and codes of each row below "Twenty faults".
fn rows(page: &str) -> Vec<(String, String)> {
    let table = page.lines().skip_while(|line| *line != "## Twenty faults").filter(|line| line.contains('`'));
    let cells = table.filter_map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        Some((cells.next()?.to_owned(), cells.next()?.replace('`', "")))
    });
    cells.collect()
}

/// The stores that do not work, and those that may not be used.
async fn of_stores(scene: &Scene) -> Result<Vec<Fault>> {
    let bao = scene.bed.bao().await?;
    let unused = format!("http://127.0.0.1:{}", scene.bed.unused_port()?);
    let token = |name: &str| json!({"vault": {"auth": {"tokenSecretRef": {"name": name}}}});
    let role = json!({"vault": {"auth": {
        "tokenSecretRef": null, "kubernetes": {"mountPath": "kubernetes", "role": "no-such-role", "serviceAccountRef": {"name": "reader"}},
    }}});
    let elsewhere = json!({"vault": {"auth": {"tokenSecretRef": {"namespace": "elsewhere"}}}});
    scene.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}})).await?;
    scene.apply(&secret("wrong", &[("token", "s.wrong")])).await?;
    scene.apply(&secret("keyless", &[("other", "x")])).await?;
    scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
    let stores = [
        ("wrong-token", with(vault(&bao.address), &token("wrong"))),
        ("wrong-role", with(vault(&bao.address), &role)),
        ("no-secret", with(vault(&bao.address), &token("absent"))),
        ("no-key", with(vault(&bao.address), &token("keyless"))),
        ("wall", with(vault(&bao.address), &elsewhere)),
        ("unreachable", vault(&unused)),
        ("untrusted", vault(&bao.tls_address)),
        ("no-engine", with(vault(&bao.address), &json!({"vault": {"path": "no-such-engine"}}))),
    ];
    for (name, provider) in &stores {
        scene.apply(&secret_store(name, provider)).await?;
    }
    let private = scene.unique("private");
    let limited = json!({"spec": {"conditions": [{"namespaces": ["somewhere-else"]}]}});
    scene.apply(&with(cluster_secret_store(&private, &fake(&[("password", "x")])), &limited)).await?;
    let of = |store: &str| reads(store, &[("password", "any")]);
    Ok(vec![
        fault(
            "The token in the Secret is wrong",
            &["StoreNotReady", "VaultLoginDenied"],
            &["\"wrong-token\"", "token"],
            of("wrong-token"),
        ),
        fault(
            "The role for Kubernetes auth does not exist",
            &["StoreNotReady", "VaultLoginDenied"],
            &["\"wrong-role\"", "no-such-role"],
            of("wrong-role"),
        ),
        fault(
            "The engine is not mounted",
            &["VaultRequestInvalid"],
            &["no-such-engine", "spec.provider.vault.path"],
            of("no-engine"),
        ),
        fault("The server cannot be reached", &["StoreNotReady", "VaultUnreachable"], &[&unused], of("unreachable")),
        fault(
            "The server's authority is not trusted",
            &["StoreNotReady", "VaultUntrusted"],
            &["caBundle"],
            of("untrusted"),
        ),
        fault("The store does not exist", &["StoreNotFound"], &["\"nosuch\"", "secretStoreRef"], of("nosuch")),
        fault(
            "The Secret with the credentials does not exist",
            &["StoreNotReady", "ReferenceNotFound"],
            &["absent", "auth.tokenSecretRef"],
            of("no-secret"),
        ),
        fault(
            "The Secret with the credentials lacks the key",
            &["StoreNotReady", "ReferenceKeyMissing"],
            &["keyless", "\"token\""],
            of("no-key"),
        ),
        fault(
            "A SecretStore reaches into another namespace",
            &["StoreNotReady", "NamespaceForbidden"],
            &["auth.tokenSecretRef.namespace", "elsewhere", "ClusterSecretStore"],
            of("wall"),
        ),
        fault(
            "The ClusterSecretStore does not serve the namespace",
            &["StoreNotAllowed"],
            &[&private, &scene.namespace, "spec.conditions"],
            reads_cluster(&private, &[("password", "password")]),
        ),
    ])
}

/// What is wrong with entries and values of stores that work.
async fn of_entries(scene: &Scene) -> Result<Vec<Fault>> {
    let bao = scene.bed.bao().await?;
    let namespace = &scene.namespace;
    let rules = format!(r#"path "secret/data/{namespace}/*" {{ capabilities = ["read"] }}"#);
    bao.policy(namespace, &rules).await?;
    bao.put(&format!("secret/{namespace}/db"), &json!({"password": "from vault"})).await?;
    let token = bao.token(&[namespace], TOKEN_LIFE).await?;
    scene.apply(&secret("limited", &[("token", &token)])).await?;
    let limited = json!({"vault": {"auth": {"tokenSecretRef": {"name": "limited"}}}});
    scene.apply(&secret_store("vault", &with(vault(&bao.address), &limited))).await?;
    let entries = [("password", "x"), ("text", "!!"), ("object", r#"{"a/b":"1","a b":"2"}"#)];
    scene.apply(&secret_store("store", &fake(&entries))).await?;
    scene.store_is_valid("SecretStore", "vault").await?;
    let vault_entry = |remote: &Value| json!({"secretStoreRef": {"name": "vault"}, "data": [{"secretKey": "password", "remoteRef": remote}]});
    let (absent, db) = (format!("{namespace}/absent"), format!("{namespace}/db"));
    let one = |remote: &Value| json!({"secretStoreRef": {"name": "store"}, "data": [{"secretKey": "password", "remoteRef": remote}]});
    let all = |entry: Value| json!({"secretStoreRef": {"name": "store"}, "dataFrom": [entry]});
    let rewrite = json!([{"regexp": {"source": "b", "target": "/"}}]);
    Ok(vec![
        fault(
            "The policy does not allow the path",
            &["VaultPermissionDenied"],
            &["spec.data[0]", "secret/data/another-team/db", "policy"],
            vault_entry(&json!({"key": "another-team/db"})),
        ),
        fault(
            "The entry does not exist",
            &["RemoteSecretMissing"],
            &["spec.data[0]", &absent, "remoteRef.key"],
            vault_entry(&json!({"key": absent})),
        ),
        fault(
            "The property does not exist",
            &["RemotePropertyMissing"],
            &["spec.data[0]", "\"passwort\"", &db],
            vault_entry(&json!({"key": db, "property": "passwort"})),
        ),
        fault(
            "The value is no JSON object",
            &["RemoteValueInvalid"],
            &["spec.dataFrom[0].extract", "\"text\""],
            all(json!({"extract": {"key": "text"}})),
        ),
        fault(
            "The value is not base64",
            &["DecodingFailed"],
            &["spec.data[0]", "\"password\"", "decodingStrategy"],
            one(&json!({"key": "text", "decodingStrategy": "Base64"})),
        ),
        fault(
            "Two names become one key",
            &["KeyConflict"],
            &["\"a_b\"", "rewrite"],
            all(json!({"extract": {"key": "object"}})),
        ),
        fault(
            "A name cannot be a key",
            &["KeyInvalid"],
            &["spec.dataFrom[0].extract", "the key \"a /\"", "rewrite"],
            all(json!({"extract": {"key": "object"}, "rewrite": rewrite})),
        ),
    ])
}

/// What is wrong with templates and targets.
async fn of_targets(scene: &Scene) -> Result<Vec<Fault>> {
    scene.apply(&external_secret("owner", &reads("store", &[("password", "password")]))).await?;
    scene.is_synced("owner").await?;
    let typed = json!({"type": "kubernetes.io/basic-auth"});
    let foreign = with(secret("typed", &[("username", "u"), ("password", "p")]), &typed);
    scene.apply(&foreign).await?;
    let targeting = |target: Value| with(reads("store", &[("password", "password")]), &json!({"target": target}));
    let templated = |template: Value| targeting(json!({"template": template}));
    let source = json!({"templateFrom": [{"configMap": {"name": "absent", "items": [{"key": "config"}]}}]});
    Ok(vec![
        fault(
            "A template has a syntax error",
            &["TemplateInvalid"],
            &["spec.target.template.data[url]", "line 1"],
            templated(json!({"data": {"url": "{{ .password "}})),
        ),
        fault(
            "A template uses a key that was not fetched",
            &["TemplateMissingKey"],
            &["spec.target.template.data[url]", "user"],
            templated(json!({"data": {"url": "{{ .user }}"}})),
        ),
        fault(
            "The ConfigMap with the template does not exist",
            &["ReferenceNotFound"],
            &["spec.target.template.templateFrom[0]", "absent"],
            templated(source),
        ),
        fault(
            "Another ExternalSecret owns the target",
            &["TargetOwnedByAnother"],
            &["externalsecret \"owner\"", "spec.target.name"],
            targeting(json!({"name": "owner"})),
        ),
        fault(
            "The target has another type",
            &["TargetImmutable"],
            &["typed", "kubernetes.io/basic-auth", "delete the secret"],
            targeting(json!({"name": "typed", "template": {"type": "Opaque", "data": {"a": "b"}}})),
        ),
    ])
}
