//! What the ExternalSecrets of a store refer to, read off the cache.

use std::hash::{DefaultHasher, Hash, Hasher};

use api::{
    condition::{self, Condition},
    external_secret::ExternalSecret,
    names::{
        condition_reason::{RESOURCE_DELETED, SECRET_DELETED},
        condition_type::READY,
    },
    plan::Fetch,
    reference::{StoreKind, StoreRef},
};
use serde::{Deserialize, de::IgnoredAny};

use super::Served;
use crate::{
    engine::{ObjectKey, cache::Cache, object::Watched},
    error::Code,
};

/// The hash under which an entry is known; `None` for a search.
pub fn entry_of(fetch: &Fetch) -> Option<u64> {
    match fetch {
        Fetch::Value { remote, .. } | Fetch::Extract(remote) => Some(named(&remote.key)),
        Fetch::Find(_) => None,
    }
}

fn named(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (0_u8, key).hash(&mut hasher);
    hasher.finish()
}

/// The hash under which an ExternalSecret that searches is known.
pub fn searcher(key: &ObjectKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    (1_u8, key.namespace(), key.name()).hash(&mut hasher);
    hasher.finish()
}

/// The hash under which a key is known that its search brought.
pub fn brought(searcher: u64, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (2_u8, searcher, key).hash(&mut hasher);
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
        let (keys, finds) = spec.entries(kind, store.name());
        let by = finds.then(|| searcher(key));
        if let Some(ready) = status.ready() {
            let all = || keys.iter().copied().chain(by);
            if says(ready, Code::DeletionsHeld) {
                served.held.extend(all());
            } else if let (true, Some(since)) = (says(ready, Code::RemoteSecretMissing), &ready.last_transition_time) {
                served.missing.extend(all().map(|key| (key, since.0)));
            } else if matches!(ready.reason.as_str(), SECRET_DELETED | RESOURCE_DELETED) {
                served.deleted.extend(all());
                return;
            }
        }
        served.keys.extend(keys);
        served.searchers.extend(by);
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

impl Status {
    fn ready(&self) -> Option<&Condition> {
        condition::find(&self.conditions, READY)
    }
}

/// Whether the message of a condition opens with the code.
pub fn says(condition: &Condition, code: Code) -> bool {
    condition.message.split_once(": ").is_some_and(|(said, _)| said == code.to_string())
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
    find: Option<IgnoredAny>,
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
    /// The entries that are fetched from the store, and whether it is searched.
    fn entries(&self, kind: StoreKind, name: &str) -> (Vec<u64>, bool) {
        let is_from = |entry: &&Entry| {
            let own = entry.source_ref.as_ref().and_then(|source| source.store_ref.as_ref());
            let store = own.or(self.secret_store_ref.as_ref());
            store.is_some_and(|store| store.kind.unwrap_or_default() == kind && store.name == name)
        };
        let (mut keys, mut searches) = (Vec::new(), false);
        for entry in self.data.iter().chain(&self.data_from).filter(is_from) {
            keys.extend(entry.remote_ref.as_ref().or(entry.extract.as_ref()).map(|remote| named(&remote.key)));
            searches |= entry.find.is_some();
        }
        (keys, searches)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

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
        let ready = |status: &str, reason: &str, message: &str| {
            let at = "2026-01-01T12:00:00Z";
            json!([{"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": at}])
        };
        let error = "SecretSyncedError";
        for (name, synced, conditions) in [
            ("held", "1-x", ready("False", error, "DeletionsHeld: wait")),
            ("missing", "1-x", ready("False", error, "RemoteSecretMissing: spec.data[0]: no")),
            ("deleted", "1-x", ready("True", "SecretDeleted", "gone")),
            ("never", "", ready("False", error, "DeletionsHeld: wait")),
        ] {
            let object: Watched<ExternalSecret> = serde_json::from_value(json!({
                "metadata": {"name": name, "namespace": "team", "uid": name, "resourceVersion": "1"},
                "spec": spec,
                "status": {"syncedResourceVersion": synced, "conditions": conditions},
            }))
            .expect("object");
            cache.put(ObjectKey::new("team", name), Arc::new(object));
        }
        let of = |namespace: &str, name: &str| served(&cache, StoreKind::SecretStore, &ObjectKey::new(namespace, name));
        let spec: ExternalSecretSpec = serde_json::from_value(spec).expect("spec");
        let plan = Plan::new("es", &spec).expect("plan");
        let planned = plan.entries.iter().filter(|entry| entry.store.name == "shared");
        let planned: HashSet<u64> = planned.filter_map(|entry| entry_of(&entry.fetch)).collect();
        let by = |name: &str| searcher(&ObjectKey::new("team", name));
        let with = |name: &str| planned.iter().copied().chain([by(name)]).collect::<HashSet<_>>();
        let shared = of("team", "shared");
        assert_eq!(shared.keys, planned);
        assert_eq!(shared.keys.len(), 2);
        assert_eq!(shared.searchers, [by("held"), by("missing")].into());
        assert_eq!(shared.held, with("held"));
        assert_eq!(shared.missing.into_keys().collect::<HashSet<_>>(), with("missing"));
        assert_eq!(shared.deleted, with("deleted"));
        assert_eq!(of("team", "other").keys, [named("two")].into());
        assert!(of("team", "other").searchers.is_empty());
        assert!(of("elsewhere", "shared").keys.is_empty(), "a SecretStore serves its own namespace");
    }
}
