//! Which ExternalSecrets use which store, so that a change of a store costs its users and nobody else; and which of them
//! have values of a store that has changed since.
//!
//! Kept in one direction only, store to users: about 20 bytes for each pair. What an ExternalSecret named before is read
//! from its former spec. Who is outdated is known to this process alone, so a restart makes nobody fetch who is synced; nor
//! does a change of leader, since whoever was refreshed after the change has seen it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use api::reference::{StoreKind, StoreRef};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

use crate::engine::ObjectKey;

/// A store by kind and name. The key of a ClusterSecretStore has no namespace.
pub type StoreKey = (StoreKind, ObjectKey);

/// See the module documentation.
#[derive(Default)]
pub struct StoreUsers(Mutex<Index>);

#[derive(Default)]
struct Index {
    users: HashMap<StoreKey, HashSet<ObjectKey>>,
    /// ExternalSecrets whose values may be others now, and the change that made them so.
    outdated: HashMap<ObjectKey, Change>,
    /// ExternalSecrets that wait for the first check of a store: see [`StoreUsers::awaits_check`].
    awaiting: HashSet<ObjectKey>,
    changes: u64,
}

#[derive(Clone, Copy)]
struct Change {
    number: u64,
    at: Timestamp,
}

/// What was known of an ExternalSecret's stores before it fetched: see [`StoreUsers::settle`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen(Option<u64>);

impl StoreUsers {
    /// The ExternalSecrets that name the store.
    pub fn of(&self, kind: StoreKind, store: &ObjectKey) -> Vec<ObjectKey> {
        self.index().users.get(&(kind, store.clone())).into_iter().flatten().cloned().collect()
    }

    /// The store may serve other values: its users are outdated, and returned. To be called when whoever looks the store up
    /// finds it as it is now.
    pub fn outdate(&self, kind: StoreKind, store: &ObjectKey, now: Timestamp) -> Vec<ObjectKey> {
        let users = self.of(kind, store);
        for user in &users {
            self.outdate_one(user, now);
        }
        users
    }

    /// What the ExternalSecret has may not be what its stores have.
    pub fn outdate_one(&self, user: &ObjectKey, now: Timestamp) {
        let mut index = self.index();
        index.changes += 1;
        let change = Change { number: index.changes, at: now };
        index.outdated.insert(user.clone(), change);
    }

    /// Whether a store of the ExternalSecret has changed since it was refreshed, by this or another process: in whole seconds,
    /// as its status says.
    pub fn is_outdated(&self, user: &ObjectKey, refreshed_at: Option<Timestamp>) -> bool {
        let change = self.index().outdated.get(user).copied();
        change.is_some_and(|change| refreshed_at.is_none_or(|refreshed_at| refreshed_at <= change.at))
    }

    /// The ExternalSecret is due and waits for the first check of a store, about which its status says nothing.
    pub fn await_check(&self, user: &ObjectKey) {
        self.index().awaiting.insert(user.clone());
    }

    /// Whether it waited so since it last fetched.
    pub fn awaits_check(&self, user: &ObjectKey) -> bool {
        self.index().awaiting.contains(user)
    }

    /// To be taken before the stores are looked up.
    pub fn seen(&self, user: &ObjectKey) -> Seen {
        Seen(self.index().outdated.get(user).map(|change| change.number))
    }

    /// The ExternalSecret has fetched; a change since it has `seen` still counts.
    pub fn settle(&self, user: &ObjectKey, seen: Seen) {
        let mut index = self.index();
        index.awaiting.remove(user);
        if index.outdated.get(user).map(|change| change.number) == seen.0 {
            index.outdated.remove(user);
        }
    }

    /// `user` named `before` and names `now`.
    pub fn replace(&self, user: &ObjectKey, before: &BTreeSet<StoreKey>, now: &BTreeSet<StoreKey>) {
        let mut locked = self.index();
        if now.is_empty() {
            locked.outdated.remove(user);
            locked.awaiting.remove(user);
        }
        let index = &mut locked.users;
        for gone in before.difference(now) {
            if let Some(users) = index.get_mut(gone) {
                users.remove(user);
                if users.is_empty() {
                    index.remove(gone);
                }
            }
        }
        for named in now {
            match index.get_mut(named) {
                Some(users) => users.insert(user.clone()),
                None => index.entry(named.clone()).or_default().insert(user.clone()),
            };
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a spec that names stores, and whatever is wanted of the target; the rest is not decoded.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "T: Default + Deserialize<'de>"))]
pub struct Shape<T = IgnoredAny> {
    secret_store_ref: Option<StoreRef>,
    data: Vec<Entry>,
    data_from: Vec<Entry>,
    pub target: T,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    source_ref: Option<SourceRef>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SourceRef {
    store_ref: Option<StoreRef>,
}

impl<T> Shape<T> {
    /// Whether the store that serves where no other is named is a ClusterSecretStore.
    pub fn is_from_cluster_store(&self) -> bool {
        self.secret_store_ref.as_ref().is_some_and(|store| store.kind == Some(StoreKind::ClusterSecretStore))
    }

    /// The stores that an ExternalSecret in `namespace` names.
    pub fn stores(self, namespace: &str) -> BTreeSet<StoreKey> {
        let entries = self.data.into_iter().chain(self.data_from);
        let own = entries.filter_map(|entry| entry.source_ref?.store_ref);
        let named = own.chain(self.secret_store_ref).filter(|store| !store.name.is_empty());
        let key = |store: StoreRef| match store.kind.unwrap_or_default() {
            kind @ StoreKind::SecretStore => (kind, ObjectKey::new(namespace, &store.name)),
            kind @ StoreKind::ClusterSecretStore => (kind, ObjectKey::new("", &store.name)),
        };
        named.map(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stores(spec: serde_json::Value) -> BTreeSet<StoreKey> {
        serde_json::from_value::<Shape<IgnoredAny>>(spec).expect("a shape").stores("n")
    }

    #[test]
    fn users_are_those_who_name_the_store_anywhere_in_their_spec() {
        let users = StoreUsers::default();
        let key = |name: &str| ObjectKey::new("n", name);
        let (none, own, cluster) = (BTreeSet::new(), key("own"), ObjectKey::new("", "shared"));
        let first = stores(json!({
            "secretStoreRef": {"name": "own"},
            "data": [{"remoteRef": {"key": "k"}, "sourceRef": {"storeRef": {"name": "shared", "kind": "ClusterSecretStore"}}}],
            "dataFrom": [{"sourceRef": {"generatorRef": {"name": "x"}}}, {"sourceRef": {"storeRef": {"name": "own"}}}],
        }));
        assert_eq!(first.len(), 2);
        users.replace(&key("a"), &none, &first);
        users.replace(&key("b"), &none, &stores(json!({"secretStoreRef": {"name": "own", "kind": "SecretStore"}})));
        assert_eq!(users.of(StoreKind::SecretStore, &own).len(), 2);
        assert_eq!(users.of(StoreKind::ClusterSecretStore, &cluster), [key("a")]);
        assert!(users.of(StoreKind::SecretStore, &ObjectKey::new("other", "own")).is_empty());

        let second = stores(json!({"secretStoreRef": {"name": "own"}}));
        users.replace(&key("a"), &first, &second);
        assert!(users.of(StoreKind::ClusterSecretStore, &cluster).is_empty());
        users.replace(&key("a"), &second, &none);
        assert_eq!(users.of(StoreKind::SecretStore, &own), [key("b")]);
    }

    #[test]
    fn user_is_outdated_until_it_has_fetched_from_the_store_as_it_is() {
        let (users, user) = (StoreUsers::default(), ObjectKey::new("n", "a"));
        let (store, named) = (ObjectKey::new("n", "own"), stores(json!({"secretStoreRef": {"name": "own"}})));
        users.replace(&user, &BTreeSet::new(), &named);
        let at = |second| Timestamp::from_second(second).expect("time");
        let is_outdated = || users.is_outdated(&user, Some(at(5)));
        assert!(!is_outdated(), "nothing has changed");
        // Changed while it fetched from what the store was.
        let early = users.seen(&user);
        let outdated = users.outdate(StoreKind::SecretStore, &store, at(5));
        assert_eq!(outdated, std::slice::from_ref(&user));
        users.settle(&user, early);
        assert!(is_outdated() && users.is_outdated(&user, None));
        assert!(!users.is_outdated(&user, Some(at(6))), "another process has refreshed it since");
        let seen = users.seen(&user);
        users.outdate(StoreKind::SecretStore, &store, at(5));
        users.settle(&user, seen);
        assert!(is_outdated(), "and changed again");
        users.settle(&user, users.seen(&user));
        assert!(!is_outdated());
        users.await_check(&user);
        assert!(users.awaits_check(&user));
        users.settle(&user, users.seen(&user));
        assert!(!users.awaits_check(&user), "it has fetched");
        users.outdate_one(&user, at(5));
        users.await_check(&user);
        users.replace(&user, &named, &BTreeSet::new());
        let index = users.index();
        assert!(index.outdated.is_empty() && index.awaiting.is_empty(), "who is gone takes no memory");
    }
}
