//! The real API server asks the real webhook: what is admitted, what is refused, and in which words.
//!
//! Each row of the tables is a spec as a user writes it. Nothing is stored (dry run), every row is judged in both versions of the
//! API, and "refused" means refused by the webhook: what the schema refuses before is told apart.

mod support;

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use support::{SOON, manifest::with, says};
use tests::{Admission, Bed, Failure, Result, wait};
use tokio::sync::OnceCell;

static SCENE: OnceCell<std::result::Result<Scene, String>> = OnceCell::const_new();

/// A namespace, the running webhook, and objects that were stored before there was one.
struct Scene {
    namespace: String,
    admission: Admission,
}

async fn scene() -> Result<(&'static Bed, &'static Scene)> {
    let bed = Bed::shared().await?;
    let start = || async { Scene::start(bed).await.map_err(|failure| failure.to_string()) };
    let scene = SCENE.get_or_init(start).await.as_ref().map_err(|reason| Failure::new(reason.clone()))?;
    Ok((bed, scene))
}

/// Stored before the webhook ran: it would refuse both.
const OLD: [&str; 2] = ["old-to-change", "old-to-delete"];

impl Scene {
    async fn start(bed: &'static Bed) -> Result<Self> {
        bed.install().await?;
        let namespace = bed.namespace("admission").await?;
        let external_secrets = api(bed.admin()?, "v1", "ExternalSecret", &namespace);
        for name in OLD {
            let finalizers = json!({"metadata": {"finalizers": ["example.com/kept"]}});
            let object = with(object("v1", "ExternalSecret", name, &yaml(INVALID)?), &finalizers);
            external_secrets.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        }
        let admission = bed.admission(Duration::ZERO).await?;
        let scene = Self { namespace, admission };
        wait::until("the webhook to be asked", SOON, || async {
            let verdict = scene.judge(bed, "v1", "ExternalSecret", INVALID).await.map_err(|error| error.to_string())?;
            if by_webhook(verdict.as_deref()).is_some() { Ok(()) } else { Err(format!("{verdict:?}")) }
        })
        .await?;
        Ok(scene)
    }

    /// What becomes of an object with this spec: nothing, or what the API server says against it.
    async fn judge(&self, bed: &Bed, version: &str, kind: &str, spec: &str) -> Result<Option<String>> {
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let object = serde_json::from_value(object(version, kind, "judged", &yaml(spec)?))?;
        match api(bed.admin()?, version, kind, &self.namespace).create(&dry_run, &object).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) => Ok(Some(status.message.clone())),
            Err(error) => Err(Failure::from(error)),
        }
    }
}

/// Three problems of three kinds.
const INVALID: &str = r#"
    secretStoreRef: {name: store}
    refreshInterval: 5x
    target: {creationPolicy: Merge, deletionPolicy: Delete, template: {data: {url: "{{ .password "}}}
    data: [{secretKey: password, remoteRef: {key: db}}]
"#;

fn yaml(text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).map_err(|error| Failure::from(error).during(text))
}

fn object(version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("external-secrets.io/{version}"), "kind": kind, "metadata": {"name": name}, "spec": spec,
    })
}

fn api(client: Client, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", version, kind));
    match kind {
        "ClusterSecretStore" => Api::all_with(client, &resource),
        _ => Api::namespaced_with(client, namespace, &resource),
    }
}

/// The webhook's words, if it was the webhook that refused.
fn by_webhook(verdict: Option<&str>) -> Option<&str> {
    let (webhook, words) = verdict?.split_once("denied the request: ")?;
    webhook.contains(".external-secrets.io\"").then_some(words)
}

/// What is expected of a spec.
enum Verdict {
    Admitted,
    /// The webhook says all of this.
    Refused(&'static [&'static str]),
    /// The schema says all of this.
    Schema(&'static [&'static str]),
}

use Verdict::{Admitted, Refused, Schema};

type Row = (&'static str, Verdict);

/// Judges every row in both versions.
async fn table(kind: &str, rows: &[Row]) -> Result {
    table_in(&["v1", "v1beta1"], kind, rows).await
}

/// Judges every row at once and tells all that came out otherwise.
async fn table_in(versions: &[&str], kind: &str, rows: &[Row]) -> Result {
    let (bed, scene) = scene().await?;
    let judged = rows.iter().flat_map(|row| versions.iter().map(move |version| (row, *version)));
    let judged = judged.map(|((spec, wanted), version)| async move {
        let verdict = scene.judge(bed, version, kind, spec).await?;
        Ok::<_, Failure>(
            surprise(wanted, verdict.as_deref()).map(|surprise| format!("{version} {kind} {spec}\n    {surprise}")),
        )
    });
    let mut surprises = Vec::new();
    for outcome in join_all(judged).await {
        surprises.extend(outcome?);
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    Ok(())
}

fn surprise(wanted: &Verdict, verdict: Option<&str>) -> Option<String> {
    let lacks = |said: &str, words: &[&str]| words.iter().any(|word| !said.contains(word));
    match (wanted, verdict, by_webhook(verdict)) {
        (Admitted, None, _) => None,
        (Refused(words), _, Some(said)) if !lacks(said, words) => None,
        (Schema(words), Some(said), None) if !lacks(said, words) => None,
        (Admitted, ..) => Some(format!("should be admitted: {verdict:?}")),
        (Refused(words), ..) => Some(format!("should be refused by the webhook with {words:?}: {verdict:?}")),
        (Schema(words), ..) => Some(format!("should be refused by the schema with {words:?}: {verdict:?}")),
    }
}

#[tokio::test]
async fn external_secrets_policies_are_judged() -> Result {
    table(
        "ExternalSecret",
        &[
            ("{secretStoreRef: {name: s}, data: [{secretKey: a, remoteRef: {key: k}}]}", Admitted),
            (
                "{secretStoreRef: {name: s}, target: {deletionPolicy: Delete}, dataFrom: [{extract: {key: k}}]}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: Orphan, deletionPolicy: Delete}, \
                 dataFrom: [{extract: {key: k}}]}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: Merge, deletionPolicy: Delete}, \
                 dataFrom: [{extract: {key: k}}]}",
                Refused(&["spec.target.deletionPolicy: ", "creationPolicy Merge", "creationPolicy: Owner"]),
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: None, deletionPolicy: Delete}, \
                 dataFrom: [{extract: {key: k}}]}",
                Refused(&["spec.target.deletionPolicy: ", "creationPolicy None"]),
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: None, deletionPolicy: Merge}, \
                 dataFrom: [{extract: {key: k}}]}",
                Refused(&["spec.target.deletionPolicy: ", "creationPolicy None", "Retain"]),
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: Merge, deletionPolicy: Merge}, \
                 dataFrom: [{extract: {key: k}}]}",
                Admitted,
            ),
            ("{secretStoreRef: {name: s}}", Refused(&["spec: names nothing to fetch", "spec.data or spec.dataFrom"])),
            ("{secretStoreRef: {name: s}, data: []}", Refused(&["spec: names nothing to fetch"])),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: Sometimes}, dataFrom: [{extract: {key: k}}]}",
                Schema(&["spec.target.creationPolicy", "Owner"]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn external_secrets_entries_are_judged() -> Result {
    table(
        "ExternalSecret",
        &[
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, find: {name: {regexp: a}}}]}",
                Refused(&["spec.dataFrom[0]: ", "extract and find"]),
            ),
            ("{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}, {}]}", Refused(&["spec.dataFrom[1]: "])),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{find: {name: {regexp: \"a(\"}}}]}",
                Refused(&["spec.dataFrom[0].find.name.regexp: ", "RE2"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{find: {name: {regexp: \"(?=a)\"}}}]}",
                Refused(&["spec.dataFrom[0].find.name.regexp: "]),
            ),
            ("{secretStoreRef: {name: s}, dataFrom: [{find: {name: {regexp: \"^a\\\\d+$\"}}}]}", Admitted),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, \
                 rewrite: [{regexp: {source: \"a\", target: b}}, {regexp: {source: \"[\", target: b}}]}]}",
                Refused(&["spec.dataFrom[0].rewrite[1].regexp.source: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, \
                 rewrite: [{transform: {template: \"{{ .value | uper }}\"}}]}]}",
                Refused(&["spec.dataFrom[0].rewrite[0].transform.template: ", "uper"]),
            ),
            (
                "{secretStoreRef: {name: s}, data: [{secretKey: a, remoteRef: {key: k}}, {secretKey: a, remoteRef: {key: l}}]}",
                Refused(&["spec.data[1].secretKey: ", "\"a\""]),
            ),
            (
                "{secretStoreRef: {name: s}, target: {deletionPolicy: Delete}, \
                 data: [{secretKey: a, remoteRef: {key: k}}, {secretKey: a, remoteRef: {key: l}}]}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, data: [{secretKey: a, remoteRef: {key: \"\"}}]}",
                Refused(&["spec.data[0].remoteRef.key: "]),
            ),
            (
                "{secretStoreRef: {name: s}, data: [{secretKey: \"a/b\", remoteRef: {key: k}}]}",
                Schema(&["spec.data[0].secretKey"]),
            ),
            (
                "{data: [{secretKey: a, remoteRef: {key: k}}]}",
                Refused(&["spec.data[0]: ", "spec.secretStoreRef", "sourceRef.storeRef"]),
            ),
            (
                "{data: [{secretKey: a, remoteRef: {key: k}, sourceRef: {storeRef: {name: s, kind: ClusterSecretStore}}}]}",
                Admitted,
            ),
            ("{secretStoreRef: {name: s}, refreshInterval: 1h30m, dataFrom: [{extract: {key: k}}]}", Admitted),
            ("{secretStoreRef: {name: s}, refreshInterval: \"0\", dataFrom: [{extract: {key: k}}]}", Admitted),
            (
                "{secretStoreRef: {name: s}, refreshInterval: 1d, dataFrom: [{extract: {key: k}}]}",
                Refused(&["spec.refreshInterval: ", "\"1d\"", "1h30m"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{sourceRef: {generatorRef: {kind: Password, name: g}}}]}",
                Refused(&["spec.dataFrom[0].sourceRef.generatorRef: ", "not supported by this build yet"]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn external_secrets_templates_are_judged() -> Result {
    table(
        "ExternalSecret",
        &[
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {data: {a: \"{{ .a | upper | b64enc }}\", b: \"{{ if .x }}y{{ else }}z{{ end }}\"}}}}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], target: {template: {data: {a: \"{{ .a \"}}}}",
                Refused(&["spec.target.template.data[a]: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {data: {a: \"{{ .a | base46 }}\"}}}}",
                Refused(&["spec.target.template.data[a]: ", "base46"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {metadata: {labels: {l: \"{{ end }}\"}, annotations: {n: \"{{ if }}\"}}}}}",
                Refused(&["spec.target.template.metadata.labels[l]: ", "spec.target.template.metadata.annotations[n]: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {templateFrom: [{literal: \"a: b\"}, {literal: \"{{ range }}\"}]}}}",
                Refused(&["spec.target.template.templateFrom[1].literal: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: kubernetes.io/service-account-token, \
                 metadata: {annotations: {kubernetes.io/service-account.name: admin}}}}}",
                Refused(&["spec.target.template.type: ", "kubernetes.io/service-account.name"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: kubernetes.io/service-account-token, \
                 templateFrom: [{target: Annotations, literal: \"a: b\"}]}}}",
                Refused(&["spec.target.template.type: ", "templateFrom[0]"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: kubernetes.io/service-account-token}}}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: bootstrap.kubernetes.io/token}}}",
                Refused(&["spec.target.template.type: ", "bootstrap.kubernetes.io/token"]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn stores_themselves_are_judged() -> Result {
    let both: &[Row] = &[
        ("{provider: {fake: {data: [{key: a, value: b}]}}}", Admitted),
        ("{provider: {}}", Schema(&["spec.provider"])),
        ("{provider: {fake: {data: []}, vault: {server: \"https://v\"}}}", Schema(&["spec.provider"])),
        (
            "{provider: {vualt: {server: \"https://vault.example.com\"}}}",
            Refused(&["spec.provider.vualt: ", "did you mean vault?"]),
        ),
        (
            "{provider: {gcpsm: {projectID: p}}}",
            Refused(&["spec.provider.gcpsm: ", "not part of this build", "vault, aws, fake"]),
        ),
        ("{refreshInterval: 60, provider: {fake: {data: [{key: a, value: b}]}}}", Admitted),
        (
            "{retrySettings: {maxRetries: -1, retryInterval: soon}, provider: {fake: {data: [{key: a, value: b}]}}}",
            Refused(&["spec.retrySettings.maxRetries: ", "spec.retrySettings.retryInterval: "]),
        ),
        (
            "{provider: {fake: {data: [{key: \"\", value: \"\"}]}}}",
            Refused(&["spec.provider.fake.data[0].key: ", "spec.provider.fake.data[0].value: "]),
        ),
    ];
    table("SecretStore", both).await?;
    table("ClusterSecretStore", both).await?;
    table(
        "ClusterSecretStore",
        &[
            (
                "{conditions: [{namespaces: [a]}, {namespaceRegexes: [\"^a\", \"b(\"]}], \
                 provider: {fake: {data: [{key: a, value: b}]}}}",
                Refused(&["spec.conditions[1].namespaceRegexes[1]: "]),
            ),
            (
                "{conditions: [{namespaceSelector: {matchExpressions: [{key: a, operator: Like, values: [b]}]}}], \
                 provider: {fake: {data: [{key: a, value: b}]}}}",
                Refused(&["spec.conditions[0].namespaceSelector: "]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn vault_blocks_are_judged() -> Result {
    table(
        "SecretStore",
        &[
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k}}}}}",
                Admitted,
            ),
            ("{provider: {vault: {server: \"https://v:8200/prefix\"}}}", Admitted),
            ("{provider: {vault: {server: \"\"}}}", Refused(&["spec.provider.vault.server: is empty"])),
            (
                "{provider: {vault: {server: \"vault.example.com:8200\"}}}",
                Refused(&["spec.provider.vault.server: ", "https://"]),
            ),
            (
                "{provider: {vault: {server: \"https://me:hunter2@v\"}}}",
                Refused(&["spec.provider.vault.server: holds a user name or password"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t}}}}}",
                Refused(&["spec.provider.vault.auth.tokenSecretRef.key: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k, namespace: elsewhere}}}}}",
                Refused(&["spec.provider.vault.auth.tokenSecretRef.namespace: ", "\"elsewhere\"", "ClusterSecretStore"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {kubernetes: {mountPath: k, role: r, \
                 serviceAccountRef: {name: a, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.kubernetes.serviceAccountRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {kubernetes: {mountPath: k, role: r, \
                 secretRef: {name: a, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.kubernetes.secretRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", caProvider: {type: Secret, name: a, namespace: elsewhere}}}}",
                Refused(&["spec.provider.vault.caProvider.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", caBundle: bm9uc2Vuc2U=}}}",
                Refused(&["spec.provider.vault.caBundle: ", "PEM"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k}, \
                 kubernetes: {mountPath: k, role: r}}}}}",
                Refused(&["spec.provider.vault.auth: ", "tokenSecretRef, kubernetes", "keep one"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {appRole: {path: approle, secretRef: {name: s, key: k}}}}}}",
                Refused(&["spec.provider.vault.auth.appRole: names no role ID"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {jwt: {path: jwt}}}}}",
                Refused(&["spec.provider.vault.auth.jwt: names no token"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {userPass: {path: u, username: me, \
                 secretRef: {name: s, key: k, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.userPass.secretRef.namespace: ", "not supported by this build yet"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", tls: {certSecretRef: {name: c}}}}}",
                Refused(&["spec.provider.vault.tls.keySecretRef: "]),
            ),
            ("{provider: {vault: {server: \"https://v\", version: v3}}}", Schema(&["spec.provider.vault.version"])),
        ],
    )
    .await?;
    table(
        "ClusterSecretStore",
        &[
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k, namespace: anywhere}}}}}",
                Admitted,
            ),
            ("{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k}}}}}", Admitted),
            (
                "{provider: {vault: {server: \"https://v\", caProvider: {type: ConfigMap, name: a, key: b}}}}",
                Refused(&["spec.provider.vault.caProvider.namespace: "]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn aws_blocks_are_judged() -> Result {
    table(
        "SecretStore",
        &[
            ("{provider: {aws: {service: SecretsManager, region: eu-central-1}}}", Admitted),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {secretRef: {\
                 accessKeyIDSecretRef: {name: a, key: b}, secretAccessKeySecretRef: {name: a, key: c}}}}}}",
                Admitted,
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {jwt: {serviceAccountRef: {name: a}}}}}}",
                Admitted,
            ),
            ("{provider: {aws: {service: SecretsManager, region: eu-nowhere-1}}}", Admitted),
            ("{provider: {aws: {service: SecretsManager, region: \"\"}}}", Refused(&["spec.provider.aws.region: is empty"])),
            (
                "{provider: {aws: {service: SecretsManager, region: \"EU (Frankfurt)\"}}}",
                Refused(&["spec.provider.aws.region: ", "eu-central-1"]),
            ),
            (
                "{provider: {aws: {service: ParameterStore, region: eu-central-1}}}",
                Refused(&["spec.provider.aws.service: ", "not supported by this build yet"]),
            ),
            ("{provider: {aws: {service: S3, region: eu-central-1}}}", Schema(&["spec.provider.aws.service"])),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, \
                 secretsManager: {recoveryWindowInDays: 3}}}}",
                Refused(&["spec.provider.aws.secretsManager.recoveryWindowInDays: ", "7 to 30"]),
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, \
                 secretsManager: {recoveryWindowInDays: 7, forceDeleteWithoutRecovery: true}}}}",
                Refused(&["spec.provider.aws.secretsManager.recoveryWindowInDays: ", "forceDeleteWithoutRecovery"]),
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {secretRef: {\
                 accessKeyIDSecretRef: {name: a}, secretAccessKeySecretRef: {name: a, key: c, namespace: elsewhere}}}}}}",
                Refused(&[
                    "spec.provider.aws.auth.secretRef.accessKeyIDSecretRef.key: ",
                    "spec.provider.aws.auth.secretRef.secretAccessKeySecretRef.namespace: ",
                ]),
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {jwt: {\
                 serviceAccountRef: {name: a, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.aws.auth.jwt.serviceAccountRef.namespace: "]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn what_only_v1_can_say_is_judged() -> Result {
    table_in(
        &["v1"],
        "ExternalSecret",
        &[
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {templateFrom: [{target: spec.rules, literal: \"a: b\"}]}}}",
                Refused(&["spec.target.template.templateFrom[0].target: ", "Data, Annotations or Labels"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {templateFrom: [{target: labels, literal: \"a: b\"}]}}}",
                Admitted,
            ),
        ],
    )
    .await?;
    table_in(
        &["v1"],
        "SecretStore",
        &[
            ("{refreshInterval: 5m, provider: {fake: {data: [{key: a, value: b}]}}}", Admitted),
            (
                "{refreshInterval: 5x, provider: {fake: {data: [{key: a, value: b}]}}}",
                Refused(&["spec.refreshInterval: ", "5x"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", version: v1, checkAndSet: {required: true}}}}",
                Refused(&["spec.provider.vault.checkAndSet.required: ", "v1"]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn every_problem_is_told_at_once_each_on_its_line() -> Result {
    let (bed, scene) = scene().await?;
    let spec = r#"
        refreshInterval: often
        target:
          creationPolicy: None
          deletionPolicy: Delete
          template: {type: bootstrap.kubernetes.io/token, data: {url: "{{ nosuch }}"}}
        data:
          - {secretKey: a, remoteRef: {key: ""}}
        dataFrom:
          - {extract: {key: k}, find: {name: {regexp: "["}}}
    "#;
    let verdict = scene.judge(bed, "v1", "ExternalSecret", spec).await?;
    let said = by_webhook(verdict.as_deref()).unwrap_or_default();
    let fields = [
        "spec.target.deletionPolicy: ",
        "spec.target.template.type: ",
        "spec.dataFrom[0]: ",
        "spec.data[0].remoteRef.key: ",
        "spec.refreshInterval: ",
        "spec.data[0]: ",
        "spec.dataFrom[0].find.name.regexp: ",
        "spec.target.template.data[url]: ",
    ];
    let lines: Vec<&str> = said.lines().collect();
    for field in fields {
        let told = lines.iter().filter(|line| line.starts_with(field)).count();
        assert_eq!(told, 1, "{field} in\n{said}");
    }
    assert_eq!(lines.len(), fields.len(), "{said}");
    Ok(())
}

/// What `kubectl apply` prints for a manifest that is not stored.
async fn kubectl(bed: &Bed, manifest: &Value) -> Result<(bool, String)> {
    let output = bed.kubectl(&["apply", "--dry-run=server", "-f", "-"], &manifest.to_string()).await?;
    Ok((output.success, format!("{}{}", output.stdout, output.stderr)))
}

#[tokio::test]
async fn kubectl_shows_refusals_and_warnings() -> Result {
    let (bed, scene) = scene().await?;
    let placed = |kind: &str, spec: &str| -> Result<Value> {
        let namespace = json!({"metadata": {"namespace": scene.namespace}});
        Ok(with(object("v1", kind, "shown", &yaml(spec)?), &namespace))
    };
    let (admitted, shown) = kubectl(bed, &placed("ExternalSecret", INVALID)?).await?;
    assert!(!admitted, "{shown}");
    says(
        &shown,
        &["validate.externalsecret.external-secrets.io", "spec.refreshInterval: ", "spec.target.deletionPolicy: "],
    );

    let warned = [
        ("SecretStore", "{provider: {fake: {data: [{key: a, value: b}]}}}", "Warning: spec.provider.fake: "),
        (
            "SecretStore",
            "{provider: {aws: {service: SecretsManager, region: eu-central-11}}}",
            "Warning: spec.provider.aws.region: \"eu-central-11\" is not a region known here; did you mean eu-central-1?",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, target: {deletionPolicy: Delete}, dataFrom: [{find: {}}]}",
            "Warning: spec.dataFrom[0].find: matches everything",
        ),
    ];
    for (kind, spec, warning) in warned {
        let (admitted, shown) = kubectl(bed, &placed(kind, spec)?).await?;
        assert!(admitted, "{shown}");
        says(&shown, &[warning]);
    }
    let silenced = json!({"metadata": {"annotations": {"external-secrets.io/ignore-maintenance-checks": "true"}}});
    let store = with(placed("SecretStore", "{provider: {fake: {data: [{key: a, value: b}]}}}")?, &silenced);
    let (admitted, shown) = kubectl(bed, &store).await?;
    assert!(admitted && !shown.contains("Warning"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn object_from_before_the_webhook_stays_manageable() -> Result {
    let (bed, scene) = scene().await?;
    let external_secrets = api(bed.admin()?, "v1", "ExternalSecret", &scene.namespace);
    let [changed, deleted] = OLD;
    let patch = |patch: Value| {
        let external_secrets = external_secrets.clone();
        async move { external_secrets.patch(changed, &PatchParams::default(), &Patch::Merge(patch)).await }
    };
    patch(json!({"metadata": {"labels": {"team": "a"}, "annotations": {"force-sync": "1"}}})).await?;
    patch(json!({"metadata": {"finalizers": null}})).await?;
    patch(json!({"metadata": {"finalizers": ["example.com/kept"]}})).await?;
    let refused = patch(json!({"spec": {"refreshInterval": "6x"}})).await;
    let said = refused.err().map(|error| error.to_string()).unwrap_or_default();
    says(&said, &["denied the request", "spec.refreshInterval", "spec.target.deletionPolicy"]);
    // What repairs it is admitted.
    let repair = json!({"spec": {"refreshInterval": "6h", "target": {"creationPolicy": "Owner", "template": null}}});
    patch(repair).await?;

    external_secrets.delete(deleted, &DeleteParams::default()).await?;
    let going = external_secrets.get(deleted).await?;
    assert!(going.metadata.deletion_timestamp.is_some(), "its finalizer keeps it");
    let release = json!({"metadata": {"finalizers": null}});
    external_secrets.patch(deleted, &PatchParams::default(), &Patch::Merge(release)).await?;
    wait::gone(&external_secrets, deleted, SOON).await
}

#[tokio::test]
async fn update_is_judged_like_creation() -> Result {
    let (bed, scene) = scene().await?;
    let stores = api(bed.admin()?, "v1", "SecretStore", &scene.namespace);
    let good = object("v1", "SecretStore", "updated", &yaml("{provider: {vault: {server: \"https://v\"}}}")?);
    stores.create(&PostParams::default(), &serde_json::from_value(good)?).await?;
    let bad = json!({"spec": {"provider": {"vault": {"server": "nonsense"}}}});
    let refused = stores.patch("updated", &PatchParams::default(), &Patch::Merge(bad)).await;
    says(&refused.err().map(|error| error.to_string()).unwrap_or_default(), &["spec.provider.vault.server: "]);
    let kept = stores.get("updated").await?;
    assert_eq!(kept.data["spec"]["provider"]["vault"]["server"], "https://v");
    stores.delete("updated", &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test]
async fn judgements_are_counted_by_path() -> Result {
    let (bed, scene) = scene().await?;
    let paths = ["externalsecret", "secretstore", "clustersecretstore"];
    let kinds = ["ExternalSecret", "SecretStore", "ClusterSecretStore"];
    let counted = || async {
        let mut counts = BTreeMap::new();
        for path in paths {
            let label = format!("webhook=\"/validate-external-secrets-io-v1-{path}\"");
            let webhook = &scene.admission.webhook;
            let count = webhook.metric("controller_runtime_webhook_requests_total", &[&label]).await?;
            counts.insert(path, count.unwrap_or_default());
        }
        Ok::<_, Failure>(counts)
    };
    let before = counted().await?;
    for kind in kinds {
        let spec = if kind == "ExternalSecret" { INVALID } else { "{provider: {fake: {data: [{key: a, value: b}]}}}" };
        scene.judge(bed, "v1", kind, spec).await?;
    }
    let after = counted().await?;
    for path in paths {
        assert!(after[path] > before[path], "{path}: {before:?} {after:?}");
    }
    Ok(())
}
