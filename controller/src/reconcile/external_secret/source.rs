//! Where ExternalSecrets come from: the watch that keeps them, and whom an event of another object wakes.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use api::{
    condition,
    external_secret::{ExternalSecret, ExternalSecretStatus, Manifest},
    names::condition_type::READY,
};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    sources::{self, Shape, Sources},
    users::{self, StoreKey, StoreUsers},
};
use crate::{
    engine::{
        Lane, ObjectKey, Queue,
        cache::{Before, Cache},
        object::Watched,
        watch::Sink,
    },
    metrics::{Kind, Metrics},
    templates::Templates,
};

/// Feeds the cache of ExternalSecrets and their queue.
pub struct Source {
    cache: Arc<Cache<Watched<ExternalSecret>>>,
    targets: Arc<Targets>,
    users: Arc<StoreUsers>,
    sources: Arc<Sources>,
    templates: Arc<Templates>,
    queue: Arc<Queue>,
    metrics: Metrics,
}

impl Source {
    pub fn new(
        cache: Arc<Cache<Watched<ExternalSecret>>>,
        targets: Arc<Targets>,
        users: Arc<StoreUsers>,
        sources: Arc<Sources>,
        templates: Arc<Templates>,
        queue: Arc<Queue>,
        metrics: Metrics,
    ) -> Self {
        Self { cache, targets, users, sources, templates, queue, metrics }
    }

    fn gone(&self, key: &ObjectKey, last: &Watched<ExternalSecret>) {
        self.users.replace(key, &stores(key, last), &BTreeSet::new());
        self.targets.forget(key);
        self.sources.forget(key);
        self.templates.forget(key);
        self.queue.forget(key);
        // One more turn, which finds nothing, lets go of what the reconcile remembers.
        self.queue.add(key, Lane::Periodic);
        self.metrics.forget(Kind::ExternalSecret, key);
    }
}

impl Sink<Watched<ExternalSecret>> for Source {
    fn listing(&self) {
        self.cache.begin_list();
    }

    fn applied(&self, object: Watched<ExternalSecret>) {
        let (told_at, key) = (Instant::now(), ObjectKey::of(&object));
        let object = Arc::new(object);
        let (lane, before) = match self.cache.put(key.clone(), object.clone()) {
            Before::Newer => return,
            Before::Older(before) if !object.differs_for_users(&before) => return,
            // Synced before we saw it: a start-up check that can wait.
            Before::Nothing if object.has_status() => {
                if has_failed(&object) {
                    // Perhaps with a store that changed before this process began: only a refresh tells that it is over.
                    self.users.outdate_one(&key, Timestamp::now());
                }
                (Lane::Periodic, BTreeSet::new())
            }
            Before::Nothing => (Lane::Interactive, BTreeSet::new()),
            Before::Older(before) => (Lane::Interactive, stores(&key, &before)),
        };
        let mut spec: users::Shape<Target> = object.spec().unwrap_or_default();
        let Target { name, template, manifest } = std::mem::take(&mut spec.target);
        self.users.replace(&key, &before, &spec.stores(key.namespace()));
        let target = target_of(&key, name);
        let written = match manifest {
            Some(Manifest { api_version, kind }) if api_version == "v1" && kind == "ConfigMap" => {
                sources::Target::ConfigMap(&target)
            }
            Some(manifest) if !manifest.is_secret() => sources::Target::Other,
            _ => sources::Target::Secret(&target),
        };
        match written {
            sources::Target::Secret(secret) => self.targets.set(&key, secret),
            // The watch of its kind tells of it.
            _ => self.targets.forget(&key),
        }
        self.sources.set(&key, written, template.named());
        self.queue.add_since(&key, lane, told_at);
    }

    fn deleted(&self, object: Watched<ExternalSecret>) {
        let key = ObjectKey::of(&object);
        let last = self.cache.remove(&key);
        self.gone(&key, last.as_deref().unwrap_or(&object));
    }

    fn listed(&self) {
        for (key, last) in self.cache.end_list() {
            self.gone(&key, &last);
        }
    }
}

fn has_failed(object: &Watched<ExternalSecret>) -> bool {
    let status: ExternalSecretStatus = object.status();
    condition::find(&status.conditions, READY).is_some_and(|ready| !ready.is_true())
}

fn stores(key: &ObjectKey, object: &Watched<ExternalSecret>) -> BTreeSet<StoreKey> {
    object.spec::<users::Shape<IgnoredAny>>().unwrap_or_default().stores(key.namespace())
}

/// `name`: the target's, where it is not the ExternalSecret's own.
fn target_of(key: &ObjectKey, name: Option<String>) -> ObjectKey {
    let name = name.filter(|name| !name.is_empty());
    name.map_or_else(|| key.clone(), |name| ObjectKey::new(key.namespace(), &name))
}

/// Which ExternalSecrets write to which Secret.
#[derive(Default)]
pub struct Targets(Mutex<Index>);

#[derive(Default)]
struct Index {
    /// Target → ExternalSecrets.
    authors: HashMap<ObjectKey, HashSet<ObjectKey>>,
    /// ExternalSecret → target, where it is not its own name.
    targets: HashMap<ObjectKey, ObjectKey>,
}

impl Targets {
    /// The ExternalSecrets that name this Secret as their target.
    pub fn authors(&self, secret: &ObjectKey) -> Vec<ObjectKey> {
        self.index().authors.get(secret).into_iter().flatten().cloned().collect()
    }

    fn set(&self, key: &ObjectKey, target: &ObjectKey) {
        let mut index = self.index();
        index.unlink(key);
        index.authors.entry(target.clone()).or_default().insert(key.clone());
        index.targets.insert(key.clone(), target.clone());
    }

    fn forget(&self, key: &ObjectKey) {
        self.index().unlink(key);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn unlink(&mut self, key: &ObjectKey) {
        let Some(target) = self.targets.remove(key) else { return };
        if let Some(authors) = self.authors.get_mut(&target) {
            authors.remove(key);
            if authors.is_empty() {
                self.authors.remove(&target);
            }
        }
    }
}

/// Of the target only what names other objects.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Target {
    name: Option<String>,
    template: Shape,
    manifest: Option<Manifest>,
}
