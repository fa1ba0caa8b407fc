//! What the ExternalSecrets of a store refer to, read off the cache.

use std::hash::{DefaultHasher, Hash, Hasher};

use api::{
    external_secret::{ExternalSecret, Find},
    names::condition_type::READY,
    plan::Fetch,
    reference::{StoreKind, StoreRef},
};
use serde::Deserialize;

use super::Served;
use crate::{
    engine::{ObjectKey, cache::Cache, object::Watched},
    error::Code,
};

/// The hash under which an entry is known.
pub fn entry_of(fetch: &Fetch) -> u64 {
    match fetch {
        Fetch::Value { remote, .. } | Fetch::Extract(remote) => named(&remote.key),
        Fetch::Find(find) => searched(find),
    }
}

fn named(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (0_u8, key).hash(&mut hasher);
    hasher.finish()
}

fn searched(find: &Find) -> u64 {
    let mut hasher = DefaultHasher::new();
    let name = find.name.as_ref().and_then(|name| name.regexp.as_deref());
    (1_u8, find.path.as_deref(), name, &find.tags).hash(&mut hasher);
    hasher.finish()
}

/// Scans the cache: an index would cost memory for every object, and this is asked only when something would be deleted.
pub fn served(cache: &Cache<Watched<ExternalSecret>>, kind: StoreKind, store: &ObjectKey) -> Served {
    let mut served = Served::default();
    cache.each(|key, object| {
        let reachable = kind == StoreKind::ClusterSecretStore || key.namespace() == store.namespace();
        if !reachable {
            return;
        }
        let status: Status = object.status();
        if status.synced_resource_version.is_empty() {
            return;
        }
        let spec: Spec = object.spec().unwrap_or_default();
        let keys = spec.entries(kind, store.name());
        if status.is_held() {
            served.held.extend(keys.iter().copied());
        }
        served.keys.extend(keys);
    });
    served
}

/// The part of a status that matters here.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    synced_resource_version: String,
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    message: String,
}

impl Status {
    fn is_held(&self) -> bool {
        let code = Code::DeletionsHeld.to_string();
        let mut conditions = self.conditions.iter().filter(|condition| condition.type_ == READY);
        conditions.any(|condition| condition.message.starts_with(&code))
    }
}

/// The part of a spec that matters here.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    secret_store_ref: Option<StoreRef>,
    data: Vec<Entry>,
    data_from: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    source_ref: Option<SourceRef>,
    remote_ref: Option<Remote>,
    extract: Option<Remote>,
    find: Option<Find>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SourceRef {
    store_ref: Option<StoreRef>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Remote {
    key: String,
}

impl Spec {
    /// What is fetched from the store.
    fn entries(&self, kind: StoreKind, name: &str) -> Vec<u64> {
        let is_from = |entry: &&Entry| {
            let own = entry.source_ref.as_ref().and_then(|source| source.store_ref.as_ref());
            let store = own.or(self.secret_store_ref.as_ref());
            store.is_some_and(|store| store.kind.unwrap_or_default() == kind && store.name == name)
        };
        let entries = self.data.iter().chain(&self.data_from).filter(is_from);
        entries
            .filter_map(|entry| match (&entry.remote_ref, &entry.extract, &entry.find) {
                (Some(remote), ..) | (_, Some(remote), _) => Some(named(&remote.key)),
                (.., Some(find)) => Some(searched(find)),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::{external_secret::ExternalSecretSpec, plan::Plan};
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_of_a_store_are_those_that_a_plan_asks_it_for() {
        let spec = json!({
            "secretStoreRef": {"name": "shared"},
            "data": [
                {"secretKey": "a", "remoteRef": {"key": "one", "property": "x"}},
                {"secretKey": "b", "remoteRef": {"key": "two"}, "sourceRef": {"storeRef": {"name": "other"}}},
            ],
            "dataFrom": [{"extract": {"key": "three"}}, {"find": {"path": "p", "name": {"regexp": "^a"}}}],
        });
        let cache = Cache::default();
        for (name, synced) in [("synced", "1-x"), ("never", "")] {
            let object: Watched<ExternalSecret> = serde_json::from_value(json!({
                "metadata": {"name": name, "namespace": "team", "uid": name, "resourceVersion": "1"},
                "spec": spec,
                "status": {"syncedResourceVersion": synced, "conditions": [
                    {"type": "Ready", "status": "False", "message": "DeletionsHeld: wait"},
                ]},
            }))
            .expect("object");
            cache.put(ObjectKey::new("team", name), Arc::new(object));
        }
        let of = |namespace: &str, name: &str| served(&cache, StoreKind::SecretStore, &ObjectKey::new(namespace, name));
        let spec: ExternalSecretSpec = serde_json::from_value(spec).expect("spec");
        let plan = Plan::new("es", &spec).expect("plan");
        let planned = plan.entries.iter().filter(|entry| entry.store.name == "shared");
        assert_eq!(of("team", "shared").keys, planned.map(|entry| entry_of(&entry.fetch)).collect());
        assert_eq!(of("team", "shared").keys.len(), 3, "one of two objects has synced");
        assert_eq!(of("team", "shared").held, of("team", "shared").keys);
        assert_eq!(of("team", "other").keys, [named("two")].into());
        assert!(of("elsewhere", "shared").keys.is_empty(), "a SecretStore serves its own namespace");
    }
}
