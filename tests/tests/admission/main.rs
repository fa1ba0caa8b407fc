//! The real API server asks the real webhook: what is admitted, what is refused, and in which words.
//!
//! Each row of the tables is a spec as a user writes it. Nothing is stored (dry run), every row is judged in both versions of the
//! API, and "refused" means refused by the webhook: what the schema refuses before, by its types or by the rules that it shares with
//! the webhook, is told apart.

#[path = "../support/mod.rs"]
mod support;

mod external_secrets;
mod handling;
mod stores;

use std::time::Duration;

use futures::future::join_all;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::{Value, json};
use support::{SOON, manifest::with};
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

/// Stored before there were rules and a webhook: they would refuse both.
const OLD: [&str; 2] = ["old-to-change", "old-to-delete"];

impl Scene {
    async fn start(bed: &'static Bed) -> Result<Self> {
        bed.install_without_rules().await?;
        let namespace = bed.namespace("admission").await?;
        let external_secrets = api(bed.admin()?, "v1", "ExternalSecret", &namespace);
        for name in OLD {
            let finalizers = json!({"metadata": {"finalizers": ["example.com/kept"]}});
            let object = with(object("v1", "ExternalSecret", name, &yaml(INVALID)?), &finalizers);
            external_secrets.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        }
        bed.restore_rules().await?;
        let admission = bed.admission(Duration::ZERO).await?;
        let scene = Self { namespace, admission };
        wait::until("the webhook to be asked", SOON, || async {
            let verdict =
                scene.judge(bed, "v1", "ExternalSecret", UNPARSED).await.map_err(|error| error.to_string())?;
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

/// Left to the webhook.
const UNPARSED: &str = r#"
    secretStoreRef: {name: store}
    target: {template: {data: {url: "{{ .password "}}}
    data: [{secretKey: password, remoteRef: {key: db}}]
"#;

/// Three problems of three kinds; the schema finds two.
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
                Schema(&["spec.refreshInterval: ", "is not a duration"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", version: v1, checkAndSet: {required: true}}}}",
                Schema(&[
                    "spec.provider.vault.checkAndSet.required: ",
                    "version v1 of the engine has no version check",
                ]),
            ),
        ],
    )
    .await
}
