//! Where stores come from: the watch that keeps them, and whom a change of one wakes.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use api::{
    condition::{self, Condition},
    names::condition_type::READY,
    store::{SecretStoreSpec, StoreCondition, StoreStatus},
};

use super::StoreResource;
use crate::{
    engine::{
        Lane, ObjectKey, Queue,
        cache::{Before, Cache, Versioned as _},
        object::Watched,
        watch::Sink,
    },
    metrics::Metrics,
    sense::Whom,
};

type Changed = Box<dyn Fn(&ObjectKey, Whom, Instant) + Send + Sync>;
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
    /// Until the first list is complete a store is no news: every ExternalSecret is looked at anyway.
    listed_once: AtomicBool,
}

impl<K: StoreResource> Source<K> {
    pub fn new(
        cache: Arc<Cache<Watched<K>>>,
        queue: Arc<Queue>,
        metrics: Metrics,
        changed: impl Fn(&ObjectKey, Whom, Instant) + Send + Sync + 'static,
        gone: impl Fn(&ObjectKey, &str) + Send + Sync + 'static,
    ) -> Self {
        Self {
            cache,
            queue,
            metrics,
            changed: Box::new(changed),
            gone: Box::new(gone),
            listed_once: AtomicBool::new(false),
        }
    }

    fn forget(&self, key: &ObjectKey, uid: &str) {
        self.queue.forget(key);
        self.metrics.forget(K::METRICS, key);
        (self.gone)(key, uid);
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
                if self.listed_once.load(Ordering::Relaxed) {
                    (self.changed)(&key, Whom::Unsynced, told_at);
                }
            }
            Before::Older(before) => {
                if object.differs_for_users(&before) {
                    self.queue.add(&key, Lane::Interactive);
                }
                if conditions(&object) != conditions(&before) {
                    (self.changed)(&key, Whom::All, told_at);
                } else if object.meta.generation != before.meta.generation || is_ready(&object) != is_ready(&before) {
                    (self.changed)(&key, Whom::Unsynced, told_at);
                }
            }
        }
    }

    fn deleted(&self, object: Watched<K>) {
        let key = ObjectKey::of(&object);
        self.cache.remove(&key);
        self.forget(&key, object.uid());
    }

    fn listed(&self) {
        self.listed_once.store(true, Ordering::Relaxed);
        for (key, object) in self.cache.end_list() {
            self.forget(&key, object.uid());
        }
    }
}

/// Who may use the store.
fn conditions<K>(object: &Watched<K>) -> Vec<StoreCondition> {
    object.spec::<SecretStoreSpec>().map(|spec| spec.conditions).unwrap_or_default()
}

/// None before the first check.
fn is_ready<K>(object: &Watched<K>) -> Option<bool> {
    let status: StoreStatus = object.status();
    condition::find(&status.conditions, READY).map(Condition::is_true)
}
