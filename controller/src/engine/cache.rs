//! The objects of one kind by key, and what changed when one arrives.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::ObjectKey;

/// What has an identity and a version, so that an old event cannot undo a newer write of ours.
pub trait Versioned {
    fn uid(&self) -> &str;
    /// The resource version as a number.
    fn version(&self) -> u64;
}

/// What putting an object in place found there.
#[derive(Debug, Eq, PartialEq)]
pub enum Before<T> {
    Nothing,
    Older(Arc<T>),
    /// The same version or a newer one: nothing was changed.
    Newer,
}

/// See the module documentation. Reads share a lock that is held for a lookup only.
pub struct Cache<T> {
    state: RwLock<State<T>>,
}

struct State<T> {
    objects: HashMap<ObjectKey, Arc<T>>,
    /// While a list is being received: the keys it has shown so far.
    seen: Option<HashSet<ObjectKey>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { state: RwLock::new(State { objects: HashMap::new(), seen: None }) }
    }
}

impl<T> Cache<T> {
    pub fn find(&self, key: &ObjectKey) -> Option<Arc<T>> {
        self.read().objects.get(key).cloned()
    }

    /// Looks at every object, under the lock.
    pub fn each(&self, mut look: impl FnMut(&ObjectKey, &T)) {
        self.read().objects.iter().for_each(|(key, object)| look(key, object));
    }

    /// Every key for whose object `matches` holds.
    pub fn keys_where(&self, matches: impl Fn(&ObjectKey, &T) -> bool) -> Vec<ObjectKey> {
        let state = self.read();
        state.objects.iter().filter(|(key, object)| matches(key, object)).map(|(key, _)| key.clone()).collect()
    }

    /// Puts what the watch brought in place unless a newer version is there: an event may be older than a write of
    /// ours. While a list is being received it counts as it is, since a restored cluster starts from older versions.
    pub fn put(&self, key: ObjectKey, object: Arc<T>) -> Before<T>
    where
        T: Versioned,
    {
        let mut state = self.write();
        let listing = state.seen.as_mut().map(|seen| seen.insert(key.clone())).is_some();
        match state.objects.get(&key) {
            Some(there) if there.uid() == object.uid() && there.version() == object.version() => Before::Newer,
            Some(there) if !listing && there.uid() == object.uid() && there.version() > object.version() => {
                Before::Newer
            }
            _ => state.objects.insert(key, object).map_or(Before::Nothing, Before::Older),
        }
    }

    /// Puts the answer to a write of ours in place of a version that is no newer and for which `replaces` holds, in one
    /// step. The answer to a write that lets an object go has the version from before it.
    pub fn put_answer(&self, key: &ObjectKey, object: Arc<T>, replaces: impl FnOnce(&T) -> bool)
    where
        T: Versioned,
    {
        let mut state = self.write();
        if let Some(there) = state.objects.get_mut(key)
            && there.uid() == object.uid()
            && there.version() <= object.version()
            && replaces(there)
        {
            *there = object;
        }
    }

    pub fn remove(&self, key: &ObjectKey) -> Option<Arc<T>> {
        self.write().objects.remove(key)
    }

    /// A full list begins: what it does not show by its end is gone.
    pub fn begin_list(&self) {
        self.write().seen = Some(HashSet::new());
    }

    /// The list is complete; returns what it did not show, removed.
    pub fn end_list(&self) -> Vec<(ObjectKey, Arc<T>)> {
        let mut state = self.write();
        let Some(seen) = state.seen.take() else { return Vec::new() };
        let gone: Vec<_> = state.objects.keys().filter(|key| !seen.contains(*key)).cloned().collect();
        gone.into_iter().filter_map(|key| state.objects.remove(&key).map(|object| (key, object))).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, State<T>> {
        // No code that can panic runs under the lock except a pure predicate, which changes nothing.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<T>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Eq, PartialEq)]
    struct Thing(&'static str, u64);

    impl Versioned for Thing {
        fn uid(&self) -> &str {
            self.0
        }

        fn version(&self) -> u64 {
            self.1
        }
    }

    #[test]
    fn list_removes_what_it_does_not_show() {
        let cache = Cache::default();
        let (a, b) = (ObjectKey::new("n", "a"), ObjectKey::new("n", "b"));
        cache.put(a.clone(), Arc::new(Thing("u", 1)));
        cache.put(b.clone(), Arc::new(Thing("v", 2)));
        cache.begin_list();
        cache.put(a.clone(), Arc::new(Thing("u", 1)));
        let gone = cache.end_list();
        assert_eq!(gone, vec![(b, Arc::new(Thing("v", 2)))]);
        assert!(cache.find(&a).is_some(), "shown unchanged");
        assert!(cache.end_list().is_empty(), "no list, nothing gone");
    }

    #[test]
    fn answer_replaces_what_is_no_newer_and_nothing_else() {
        let cache = Cache::default();
        let key = ObjectKey::new("n", "a");
        cache.put_answer(&key, Arc::new(Thing("u", 5)), |_| true);
        assert!(cache.find(&key).is_none(), "what is gone does not come back");
        let there = Arc::new(Thing("u", 5));
        cache.put(key.clone(), there.clone());
        for (answer, replaces) in [(Thing("u", 4), true), (Thing("v", 6), true), (Thing("u", 6), false)] {
            cache.put_answer(&key, Arc::new(answer), |_| replaces);
            assert!(Arc::ptr_eq(&cache.find(&key).unwrap(), &there));
        }
        let let_go = Arc::new(Thing("u", 5));
        cache.put_answer(&key, let_go.clone(), |_| true);
        assert!(Arc::ptr_eq(&cache.find(&key).unwrap(), &let_go));
    }

    #[test]
    fn late_event_does_not_undo_a_newer_write_but_a_new_object_replaces_the_old() {
        let cache = Cache::default();
        let key = ObjectKey::new("n", "a");
        assert_eq!(cache.put(key.clone(), Arc::new(Thing("u", 5))), Before::Nothing);
        assert_eq!(cache.put(key.clone(), Arc::new(Thing("u", 4))), Before::Newer);
        assert_eq!(cache.put(key.clone(), Arc::new(Thing("w", 3))), Before::Older(Arc::new(Thing("u", 5))));
        cache.begin_list();
        let restored = cache.put(key.clone(), Arc::new(Thing("w", 2)));
        assert_eq!(restored, Before::Older(Arc::new(Thing("w", 3))), "a list counts as it is");
    }
}
