//! Objects of others that stand where an ExternalSecret would write, until they are deleted or given up.
//!
//! Enters: what a refused write found, and a metadata-only watch of the kind. Leaves: one wake-up when the object is gone,
//! is another one, or has other labels or owners. What it holds may change all the time and ends no refusal, so that wakes
//! nobody. Memory is bounded by the ExternalSecrets that are refused. RBAC: `list`, `watch` of the kind; without it, they
//! look again slowly.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use tokio::sync::watch;

use crate::engine::{
    ObjectKey,
    stamp::{Stamp, claims},
    watch::Sink,
};

/// Those of one kind.
pub struct Obstacles {
    index: Mutex<Index>,
    in_use: watch::Sender<bool>,
    /// Called with an ExternalSecret whose obstacle is not what it was.
    wake: Box<dyn Fn(&ObjectKey) + Send + Sync>,
}

#[derive(Default)]
struct Index {
    objects: HashMap<ObjectKey, Obstacle>,
    /// ExternalSecret → object.
    users: HashMap<ObjectKey, ObjectKey>,
    /// While a list is being received: the obstacles that it has shown.
    seen: Option<HashSet<ObjectKey>>,
}

struct Obstacle {
    identity: Identity,
    users: HashSet<ObjectKey>,
}

/// Who an object is, and whose.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Identity {
    uid: Option<String>,
    claims: u64,
}

impl Identity {
    fn of(meta: &ObjectMeta) -> Self {
        Self {
            uid: meta.uid.clone(),
            claims: claims(meta.labels.iter().flatten(), meta.owner_references.iter().flatten()),
        }
    }
}

impl Obstacles {
    pub fn new(wake: impl Fn(&ObjectKey) + Send + Sync + 'static) -> Self {
        Self { index: Mutex::default(), in_use: watch::Sender::new(false), wake: Box::new(wake) }
    }

    /// Turns true, for good, when the first one is met: there is something to watch.
    pub fn in_use(&self) -> watch::Receiver<bool> {
        self.in_use.subscribe()
    }

    /// `user` was refused because of the object, as it was found. Returns whether that is news: the caller is then to look
    /// at the object once more, for [`Obstacles::found`].
    pub fn met(&self, user: &ObjectKey, object: &ObjectKey, found: &ObjectMeta) -> bool {
        let identity = Identity::of(found);
        let mut index = self.index();
        let known = index.objects.get(object);
        let is_news = known.is_none_or(|known| known.identity != identity || !known.users.contains(user));
        index.unlink(user);
        let obstacle = index.objects.entry(object.clone());
        let obstacle = obstacle.or_insert_with(|| Obstacle { identity: identity.clone(), users: HashSet::new() });
        obstacle.identity = identity;
        obstacle.users.insert(user.clone());
        index.users.insert(user.clone(), object.clone());
        drop(index);
        self.in_use.send_if_modified(|in_use| !std::mem::replace(in_use, true));
        is_news
    }

    /// What is there by the name of the object.
    pub fn found(&self, object: &ObjectKey, now: Option<&ObjectMeta>) {
        let now = now.map(Identity::of);
        let is_same = self.index().objects.get(object).is_none_or(|known| Some(&known.identity) == now.as_ref());
        if !is_same {
            self.give_way(object);
        }
    }

    /// `user` is refused no more, or gone.
    pub fn forget(&self, user: &ObjectKey) {
        self.index().unlink(user);
    }

    /// Whoever waited for a change of the object is told of it, once.
    fn give_way(&self, object: &ObjectKey) {
        let gone = {
            let mut index = self.index();
            let gone = index.objects.remove(object);
            for user in gone.iter().flat_map(|gone| &gone.users) {
                index.users.remove(user);
            }
            gone
        };
        for user in gone.iter().flat_map(|gone| &gone.users) {
            (self.wake)(user);
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Map operations only.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn unlink(&mut self, user: &ObjectKey) {
        let Some(object) = self.users.remove(user) else { return };
        if let Some(obstacle) = self.objects.get_mut(&object) {
            obstacle.users.remove(user);
            if obstacle.users.is_empty() {
                self.objects.remove(&object);
            }
        }
    }
}

impl<K: Resource<DynamicType = ()> + 'static> Sink<Stamp<K>> for Obstacles {
    fn listing(&self) {
        self.index().seen = Some(HashSet::new());
    }

    fn applied(&self, stamp: Stamp<K>) {
        let key = ObjectKey::of(&stamp);
        let mut index = self.index();
        let Some(obstacle) = index.objects.get(&key) else { return };
        let changed = obstacle.identity != Identity { uid: stamp.meta().uid.clone(), claims: stamp.claims };
        if let Some(seen) = &mut index.seen {
            seen.insert(key.clone());
        }
        drop(index);
        if changed {
            self.give_way(&key);
        }
    }

    fn deleted(&self, stamp: Stamp<K>) {
        self.give_way(&ObjectKey::of(&stamp));
    }

    fn listed(&self) {
        let gone: Vec<ObjectKey> = {
            let mut index = self.index();
            let Some(seen) = index.seen.take() else { return };
            index.objects.keys().filter(|key| !seen.contains(*key)).cloned().collect()
        };
        for key in &gone {
            self.give_way(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Secret;
    use serde_json::{Value, json};

    use super::*;

    fn stamp(uid: &str, metadata: &Value) -> Stamp<Secret> {
        let mut object = json!({"metadata": {"name": "app", "namespace": "n", "uid": uid, "resourceVersion": "2"}});
        for (name, value) in metadata.as_object().into_iter().flatten() {
            object["metadata"][name] = value.clone();
        }
        serde_json::from_value(object).expect("metadata")
    }

    type Event<'a> = &'a dyn Fn(&Obstacles);

    #[test]
    fn refused_user_is_woken_once_by_what_may_end_the_refusal_and_by_nothing_else() {
        let labelled = json!({"labels": {"a": "b"}});
        let owned = json!({"labels": {"a": "b"}, "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x", "controller": true},
        ]});
        let listing = |it: &Obstacles| Sink::<Stamp<Secret>>::listing(it);
        let listed = |it: &Obstacles| Sink::<Stamp<Secret>>::listed(it);
        let app = ObjectKey::new("n", "app");
        let found: ObjectMeta = serde_json::from_value(json!({"uid": "u", "labels": {"a": "b"}})).expect("metadata");
        let events: [(&str, Event<'_>, u32); 11] = [
            ("a look that finds the same", &|it| it.found(&app, Some(&found)), 0),
            ("a look that finds none", &|it| it.found(&app, None), 1),
            (
                "a look that finds another label",
                &|it| it.found(&app, Some(&ObjectMeta { labels: None, ..found.clone() })),
                1,
            ),
            ("a new version of the same", &|it| it.applied(stamp("u", &labelled)), 0),
            ("another label", &|it| it.applied(stamp("u", &json!({}))), 1),
            ("another owner", &|it| it.applied(stamp("u", &owned)), 1),
            ("another object", &|it| it.applied(stamp("v", &labelled)), 1),
            ("none", &|it| it.deleted(stamp("u", &labelled)), 1),
            (
                "a list without it",
                &|it| {
                    listing(it);
                    listed(it);
                },
                1,
            ),
            (
                "a list with it",
                &|it| {
                    listing(it);
                    it.applied(stamp("u", &labelled));
                    listed(it);
                },
                0,
            ),
            (
                "a user that is refused no more",
                &|it| {
                    it.forget(&ObjectKey::new("n", "es"));
                    it.deleted(stamp("u", &labelled));
                },
                0,
            ),
        ];
        for (what, event, wakes) in events {
            let woken = Arc::new(Mutex::new(0));
            let count = woken.clone();
            let obstacles = Obstacles::new(move |_| *count.lock().expect("lock") += 1);
            let user = ObjectKey::new("n", "es");
            assert!(obstacles.met(&user, &app, &found) && !obstacles.met(&user, &app, &found), "news once");
            assert!(*obstacles.in_use().borrow());
            event(&obstacles);
            assert_eq!(*woken.lock().expect("lock"), wakes, "{what}");
            event(&obstacles);
            assert_eq!(*woken.lock().expect("lock"), wakes, "{what}, again");
        }
    }
}
