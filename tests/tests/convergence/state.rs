//! What a namespace has come to, without what differs between runs that did the same: names of the run, versions, times.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};
use tests::Result;

use crate::world::World;

/// Who was who before the controller was put to the test.
pub struct Identities {
    secrets: BTreeMap<String, Option<String>>,
    external_secrets: Vec<String>,
}

impl Identities {
    pub async fn of(world: &World) -> Result<Self> {
        let secrets = list(&world.scene.secrets()).await?;
        let external_secrets = list(&world.scene.ours("ExternalSecret")).await?;
        Ok(Self {
            secrets: secrets.iter().map(|secret| (secret.name_any(), secret.uid())).collect(),
            external_secrets: external_secrets.iter().filter_map(ResourceExt::uid).collect(),
        })
    }

    /// Every Secret, ExternalSecret and SecretStore of the namespace.
    pub async fn state(&self, world: &World) -> Result<Value> {
        let secrets = list(&world.scene.secrets()).await?;
        let external_secrets = list(&world.scene.ours("ExternalSecret")).await?;
        let stores = list(&world.scene.ours("SecretStore")).await?;
        let by_name = |objects: &[DynamicObject]| -> BTreeMap<String, Value> {
            objects.iter().map(|object| (object.name_any(), told(object))).collect()
        };
        let state = json!({
            "secrets": secrets.iter().map(|secret| (secret.name_any(), self.secret(secret))).collect::<BTreeMap<_, _>>(),
            "externalSecrets": by_name(&external_secrets),
            "stores": by_name(&stores),
        });
        let mut text = state.to_string();
        let authors = external_secrets.iter().filter_map(ResourceExt::uid);
        for uid in self.external_secrets.iter().cloned().chain(authors) {
            text = text.replace(&uid, "UID");
        }
        let owner = api::hash::owner_label(&world.scene.namespace, "app");
        let text = text.replace(&owner, "OWNER").replace(world.proxy.store(), "PROXY");
        Ok(serde_json::from_str(&text.replace(&world.scene.namespace, "NAMESPACE"))?)
    }

    fn secret(&self, secret: &Secret) -> Value {
        let meta = &secret.metadata;
        let written = meta.managed_fields.iter().flatten();
        let mut written: Vec<_> = written
            .map(|entry| json!({"manager": entry.manager, "operation": entry.operation, "fields": entry.fields_v1}))
            .collect();
        written.sort_by_key(ToString::to_string);
        json!({
            "was there before": self.secrets.get(&secret.name_any()) == Some(&meta.uid),
            "labels": meta.labels, "annotations": meta.annotations, "ownerReferences": meta.owner_references,
            "finalizers": meta.finalizers, "is going": meta.deletion_timestamp.is_some(), "written": written,
            "data": secret.data, "type": secret.type_, "immutable": secret.immutable,
        })
    }
}

fn told(object: &DynamicObject) -> Value {
    let mut status = object.data.get("status").cloned().unwrap_or_default();
    if let Some(status) = status.as_object_mut() {
        status.remove("refreshTime");
        for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
            condition.as_object_mut().map(|condition| condition.remove("lastTransitionTime"));
        }
    }
    json!({"status": status, "finalizers": object.metadata.finalizers, "generation": object.metadata.generation})
}

async fn list<K>(api: &Api<K>) -> Result<Vec<K>>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    Ok(api.list(&ListParams::default()).await?.items)
}
