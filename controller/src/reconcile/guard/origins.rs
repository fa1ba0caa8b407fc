//! Which of several searched stores brought which key of a target: a store answers for its own losses only.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use api::plan::ResolvedStoreRef;

use super::served;
use crate::engine::ObjectKey;

/// The keys that the searches of one ExternalSecret have brought, by store.
#[derive(Debug, Default)]
pub struct Brought(BTreeMap<ResolvedStoreRef, BTreeSet<String>>);

impl Brought {
    pub fn add<'a>(&mut self, store: &ResolvedStoreRef, keys: impl Iterator<Item = &'a String>) {
        self.0.entry(store.clone()).or_default().extend(keys.cloned());
    }

    pub fn count(&self, store: &ResolvedStoreRef) -> usize {
        self.0.get(store).map_or(0, BTreeSet::len)
    }
}

/// What was brought last, of ExternalSecrets that search several stores: about 10 bytes for each key.
#[derive(Default)]
pub struct Origins(Mutex<HashMap<ObjectKey, Keys>>);

/// By store, the keys as hashes.
type Keys = BTreeMap<ResolvedStoreRef, HashSet<u64>>;

impl Origins {
    /// The target of `user` is in step with what was brought.
    pub fn set(&self, user: &ObjectKey, brought: &Brought) {
        if brought.0.len() < 2 {
            self.forget(user);
            return;
        }
        let by = served::searcher(user);
        let hashes = |keys: &BTreeSet<String>| keys.iter().map(|key| served::brought(by, key)).collect();
        let keys = brought.0.iter().map(|(store, keys)| (store.clone(), hashes(keys))).collect();
        self.index().insert(user.clone(), keys);
    }

    /// Whether the store may have brought the key: it did, or nobody knows who did, as after a restart or behind a template.
    pub fn may_be(&self, user: &ObjectKey, store: &ResolvedStoreRef, key: &str) -> bool {
        let index = self.index();
        let Some(keys) = index.get(user) else { return true };
        let hash = served::brought(served::searcher(user), key);
        let did = |store: &ResolvedStoreRef| keys.get(store).is_some_and(|keys| keys.contains(&hash));
        did(store) || !keys.keys().any(did)
    }

    pub fn forget(&self, user: &ObjectKey) {
        self.index().remove(user);
    }

    fn index(&self) -> MutexGuard<'_, HashMap<ObjectKey, Keys>> {
        // Map operations only.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use api::reference::StoreKind;

    use super::*;

    #[test]
    fn key_is_of_whom_it_was_brought_by_and_of_anybody_where_that_is_not_known() {
        let store = |name: &str| ResolvedStoreRef { kind: StoreKind::SecretStore, name: name.to_owned() };
        let keys = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (a, b, user) = (store("a"), store("b"), ObjectKey::new("n", "es"));
        let of = |origins: &Origins, key: &str| [&a, &b].map(|store| origins.may_be(&user, store, key));
        let (origins, mut brought) = (Origins::default(), Brought::default());
        assert_eq!(of(&origins, "x"), [true, true], "nothing is known yet");
        brought.add(&a, keys(&["x", "both"]).iter());
        brought.add(&b, keys(&["y", "both", "z"]).iter());
        assert_eq!((brought.count(&a), brought.count(&b)), (2, 3));
        origins.set(&user, &brought);
        for (key, expected) in
            [("x", [true, false]), ("y", [false, true]), ("both", [true, true]), ("unknown", [true, true])]
        {
            assert_eq!(of(&origins, key), expected, "{key}");
        }
        let mut one = Brought::default();
        one.add(&a, keys(&["x"]).iter());
        origins.set(&user, &one);
        assert!(origins.index().is_empty(), "one store needs no memory");
    }
}
