//! A running installation of the Go operator is taken over: what it left in step is neither rewritten nor fetched again, and what
//! it left to be done is done.

mod alone;

use std::collections::BTreeMap;

use alone::{Alone, STORE};
use api::external_secret::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tests::{
    Failure, Result,
    resources::{SOON, settled},
    wait,
};

const FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";

/// SHA3-224 of `{annotations:map[] labels:map[]}`, as the Go operator computes it.
const NO_METADATA: &str = "f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2";

/// SHA3-224 of `map[bar:[118 …] foo:[118 …]]` for `{foo: value1, bar: value2}`, as the Go operator computes it.
const DATA_HASH: &str = "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64";

#[tokio::test]
async fn synced_objects_are_neither_rewritten_nor_fetched_again() -> Result {
    let left = Left::behind("taken", &Setting::default()).await?;
    let (secret, object) = left.versions().await?;
    let before = left.alone.moment().await?;
    let controller = left.alone.controller().await?;
    settled(&controller, &[("externalsecret", 1.0), ("secretstore", 1.0)]).await?;

    let happened = left.alone.since(before).await?;
    assert!(happened.reads.is_empty(), "{}", happened.reads);
    let writes = happened.api.writes().filter(|request| !request.resource.starts_with("secretstores"));
    let writes = writes.filter(|request| request.resource != "events");
    assert!(writes.is_empty(), "only the store, which the Go operator did not leave here, is told of: {writes}");
    assert_eq!(left.versions().await?, (secret, object));
    Ok(())
}

#[tokio::test]
async fn objects_applied_by_kubectl_are_recognised_too() -> Result {
    // Their annotation is part of the hash, and a copy of it is on the Secret.
    let applied = r#"{"apiVersion":"external-secrets.io/v1","kind":"ExternalSecret"}"#;
    let annotation = ("kubectl.kubernetes.io/last-applied-configuration", applied);
    let setting = Setting { annotation: Some(annotation), label: Some(("team", "blue")), ..Setting::default() };
    let left = Left::behind("applied", &setting).await?;
    let before_versions = left.versions().await?;
    let before = left.alone.moment().await?;
    let controller = left.alone.controller().await?;
    settled(&controller, &[("externalsecret", 1.0), ("secretstore", 1.0)]).await?;
    let happened = left.alone.since(before).await?;
    assert!(happened.reads.is_empty(), "{}", happened.reads);
    assert_eq!(left.versions().await?, before_versions);
    Ok(())
}

#[tokio::test]
async fn finalizer_of_the_go_operator_is_honoured_when_the_object_is_deleted() -> Result {
    let left = Left::behind("finalizer", &Setting::default()).await?;
    let _controller = left.alone.controller().await?;
    left.objects()?.delete("db", &DeleteParams::default()).await?;
    wait::gone(&left.objects()?, "db", SOON).await?;
    wait::gone(&left.alone.secrets()?, "db", SOON).await
}

#[tokio::test]
async fn object_deleted_while_no_operator_ran_is_cleaned_up_at_start() -> Result {
    let setting = Setting { deletion_policy: "Delete", ..Setting::default() };
    let left = Left::behind("late", &setting).await?;
    left.objects()?.delete("db", &DeleteParams::default()).await?;
    let waiting = left.objects()?.get("db").await?;
    assert!(waiting.metadata.deletion_timestamp.is_some(), "the finalizer keeps it until an operator runs");
    let _controller = left.alone.controller().await?;
    wait::gone(&left.objects()?, "db", SOON).await?;
    wait::gone(&left.alone.secrets()?, "db", SOON).await
}

#[tokio::test]
async fn secret_edited_while_no_operator_ran_is_repaired_at_start() -> Result {
    let left = Left::behind("edited", &Setting::default()).await?;
    let edit = json!({"stringData": {"foo": "edited", "foreign": "x"}});
    let secrets = left.alone.secrets()?;
    secrets.patch("db", &PatchParams::default(), &Patch::Merge(edit)).await?;
    let _controller = left.alone.controller().await?;
    wait::object(&secrets, "db", "the data of the store", SOON, |secret| data(secret) == store_data()).await?;
    let secret = secrets.get("db").await?;
    let hash = secret.annotations().get("reconcile.external-secrets.io/data-hash").map(String::as_str);
    assert_eq!(hash, Some(DATA_HASH));
    Ok(())
}

#[tokio::test]
async fn value_rotated_while_no_operator_ran_arrives_when_the_interval_is_over() -> Result {
    let setting = Setting { refreshed: "2020-01-01T00:00:00Z".to_owned(), ..Setting::default() };
    let left = Left::behind("rotated", &setting).await?;
    left.alone.put(&json!({"foo": "rotated", "bar": "value2"})).await?;
    let _controller = left.alone.controller().await?;
    let rotated = |secret: &Secret| data(secret).get("foo").is_some_and(|value| value == "rotated");
    let secret = wait::object(&left.alone.secrets()?, "db", "the rotated value", SOON, rotated).await?;
    // Only data and its hash were patched: the rest is as the Go operator wrote it.
    assert_eq!(secret.owner_references().len(), 1);
    assert_eq!(secret.labels().len(), 2);
    Ok(())
}

/// What differs between the objects of these tests.
struct Setting {
    deletion_policy: &'static str,
    annotation: Option<(&'static str, &'static str)>,
    label: Option<(&'static str, &'static str)>,
    refreshed: String,
}

impl Default for Setting {
    fn default() -> Self {
        let a_minute_ago = jiff::Timestamp::now().as_second() - 60;
        let refreshed = jiff::Timestamp::from_second(a_minute_ago).map(|time| time.to_string()).unwrap_or_default();
        Self { deletion_policy: "Retain", annotation: None, label: None, refreshed }
    }
}

/// An ExternalSecret and its Secret exactly as the Go operator leaves them, with no operator running.
struct Left {
    alone: Alone,
}

impl Left {
    async fn behind(prefix: &str, setting: &Setting) -> Result<Self> {
        let alone = Alone::with_token(prefix).await?;
        alone.put(&json!({"foo": "value1", "bar": "value2"})).await?;
        let left = Self { alone };
        let object = left.objects()?.create(&PostParams::default(), &left.external_secret(setting)?).await?;
        left.secret(&object, setting).await?;
        left.status(&object, setting).await?;
        Ok(left)
    }

    fn external_secret(&self, setting: &Setting) -> Result<ExternalSecret> {
        let remote = json!({"key": format!("{}/db", self.alone.namespace)});
        Ok(serde_json::from_value(json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {
                "name": "db",
                "finalizers": [FINALIZER],
                "annotations": pairs(setting.annotation),
                "labels": pairs(setting.label),
            },
            "spec": {
                "refreshInterval": "1h",
                "secretStoreRef": {"name": STORE, "kind": "SecretStore"},
                "target": {"name": "db", "creationPolicy": "Owner", "deletionPolicy": setting.deletion_policy},
                "dataFrom": [{"extract": remote}],
            },
        }))?)
    }

    /// Written under the manager name that the Go operator uses, so that its managed fields are there as well.
    async fn secret(&self, author: &ExternalSecret, setting: &Setting) -> Result {
        let mut labels = pairs(setting.label);
        labels["reconcile.external-secrets.io/managed"] = json!("true");
        let created_by = api::hash::owner_label(&self.alone.namespace, "db");
        labels["reconcile.external-secrets.io/created-by"] = json!(created_by);
        let mut annotations = pairs(setting.annotation);
        annotations["reconcile.external-secrets.io/data-hash"] = json!(DATA_HASH);
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {
                "name": "db",
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [{
                    "apiVersion": "external-secrets.io/v1",
                    "kind": "ExternalSecret",
                    "name": "db",
                    "uid": author.uid(),
                    "controller": true,
                    "blockOwnerDeletion": true,
                }],
            },
            "type": "Opaque",
            "data": {"foo": "dmFsdWUx", "bar": "dmFsdWUy"},
        }))?;
        let manager = Some("externalsecrets.external-secrets.io/db".to_owned());
        let params = PostParams { field_manager: manager, ..PostParams::default() };
        self.alone.secrets()?.create(&params, &secret).await?;
        Ok(())
    }

    async fn status(&self, object: &ExternalSecret, setting: &Setting) -> Result {
        let generation = object.metadata.generation.ok_or_else(|| Failure::new("an object without generation"))?;
        let hash = if setting.annotation.is_none() && setting.label.is_none() {
            NO_METADATA.to_owned()
        } else {
            api::hash::metadata_hash(object.labels(), object.annotations())
        };
        let status = json!({"status": {
            "refreshTime": setting.refreshed,
            "syncedResourceVersion": format!("{generation}-{hash}"),
            "binding": {"name": "db"},
            "conditions": [{
                "type": "Ready",
                "status": "True",
                "reason": "SecretSynced",
                "message": "secret synced",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        }});
        self.objects()?.patch_status("db", &PatchParams::default(), &Patch::Merge(status)).await?;
        Ok(())
    }

    /// Of Secret and ExternalSecret.
    async fn versions(&self) -> Result<(Option<String>, Option<String>)> {
        let secret = self.alone.secrets()?.get("db").await?;
        Ok((secret.resource_version(), self.objects()?.get("db").await?.resource_version()))
    }

    fn objects(&self) -> Result<Api<ExternalSecret>> {
        Ok(Api::namespaced(self.alone.bed.admin()?, &self.alone.namespace))
    }
}

fn pairs(pair: Option<(&str, &str)>) -> Value {
    Value::Object(pair.map(|(key, value)| (key.to_owned(), json!(value))).into_iter().collect())
}

fn store_data() -> BTreeMap<String, String> {
    [("foo", "value1"), ("bar", "value2")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn data(secret: &Secret) -> BTreeMap<String, String> {
    let data = secret.data.iter().flatten();
    data.map(|(key, value)| (key.clone(), String::from_utf8_lossy(&value.0).into_owned())).collect()
}
