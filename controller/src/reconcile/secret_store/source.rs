//! Where stores come from: the watch that keeps them, and whom a change of one wakes.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{
    StoreResource,
    change::{Change, Former},
};
use crate::{
    engine::{
        Lane, ObjectKey, Queue,
        cache::{Before, Cache, Versioned as _},
        object::Watched,
        watch::Sink,
    },
    metrics::Metrics,
};

type Changed = Box<dyn Fn(&ObjectKey, &Change, Instant) + Send + Sync>;
type Gone = Box<dyn Fn(&ObjectKey, &str) + Send + Sync>;

/// Feeds a cache of stores and its queue, and wakes the users of a store that changed.
pub struct Source<K> {
    cache: Arc<Cache<Watched<K>>>,
    queue: Arc<Queue>,
    metrics: Metrics,
    /// Called with the store's key when it changed in a way that its users notice, and when that was told: before any of
    /// them could see it.
    changed: Changed,
    /// Called with key and UID of a store that is gone.
    gone: Gone,
    /// What stores that are gone were, should they return as something else.
    former: Mutex<HashMap<ObjectKey, Former>>,
    /// Until the first list is complete a store is no news: every ExternalSecret is looked at anyway.
    listed_once: AtomicBool,
}

/// Stores that are gone and remembered: more than anybody replaces by deleting them. Each costs its spec.
const FORMER: usize = 100;

impl<K: StoreResource> Source<K> {
    pub fn new(
        cache: Arc<Cache<Watched<K>>>,
        queue: Arc<Queue>,
        metrics: Metrics,
        changed: impl Fn(&ObjectKey, &Change, Instant) + Send + Sync + 'static,
        gone: impl Fn(&ObjectKey, &str) + Send + Sync + 'static,
    ) -> Self {
        Self {
            cache,
            queue,
            metrics,
            changed: Box::new(changed),
            gone: Box::new(gone),
            former: Mutex::default(),
            listed_once: AtomicBool::new(false),
        }
    }

    fn forget(&self, key: &ObjectKey, last: &Watched<K>) {
        let mut former = self.former();
        if former.len() >= FORMER {
            former.clear();
        }
        former.insert(key.clone(), Former::of(last));
        drop(former);
        self.queue.forget(key);
        self.metrics.forget(K::METRICS, key);
        (self.gone)(key, last.uid());
    }

    fn former(&self) -> MutexGuard<'_, HashMap<ObjectKey, Former>> {
        // Map operations only.
        self.former.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: StoreResource + Debug> Sink<Watched<K>> for Source<K> {
    fn listing(&self) {
        self.cache.begin_list();
    }

    fn applied(&self, object: Watched<K>) {
        let (told_at, key) = (Instant::now(), ObjectKey::of(&object));
        let object = Arc::new(object);
        match self.cache.put(key.clone(), object.clone()) {
            Before::Newer => {}
            Before::Nothing => {
                self.queue.add(&key, Lane::Interactive);
                let former = self.former().remove(&key);
                if self.listed_once.load(Ordering::Relaxed) {
                    (self.changed)(&key, &Change::new(former, &object), told_at);
                }
            }
            Before::Older(before) => {
                if object.differs_for_users(&before) {
                    self.queue.add(&key, Lane::Interactive);
                }
                let change = Change::between(&before, &object);
                if !change.is_none() {
                    (self.changed)(&key, &change, told_at);
                }
            }
        }
    }

    fn deleted(&self, object: Watched<K>) {
        let key = ObjectKey::of(&object);
        let last = self.cache.remove(&key);
        self.forget(&key, last.as_deref().unwrap_or(&object));
    }

    fn listed(&self) {
        self.listed_once.store(true, Ordering::Relaxed);
        for (key, object) in self.cache.end_list() {
            self.forget(&key, &object);
        }
    }
}
