//! Watches of targets that are no Secrets: one per kind, as long as some ExternalSecret writes that kind.
//!
//! Only objects with the managed label are followed, and kept is what [`managed`] says of them. An object that is not
//! what was written, or gone, wakes the ExternalSecrets that name it as their target. RBAC: `list`, `watch` of the
//! kind; without it, changes by others are noticed at the next refresh.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::{Api, Client, api::ApiResource};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    engine::{
        ObjectKey,
        watch::{Scope, Sink, Synced, follow},
    },
    reconcile::managed::{
        self, Change, ManagedObjects,
        hashed::{HashedObject, Named},
    },
};

/// How long a reconcile waits for the first list of a kind: longer than a list takes, shorter than anybody's patience.
const FIRST_LIST: Duration = Duration::from_secs(5);

type Changed = dyn Fn(&ObjectKey, &ObjectKey, Change<'_>) + Send + Sync;

/// See the module documentation.
pub struct Watches {
    client: Client,
    /// Empty for all.
    namespace: String,
    changed: Arc<Changed>,
    index: Arc<Mutex<Index>>,
}

#[derive(Default)]
struct Index {
    kinds: HashMap<ApiResource, Arc<Watch>>,
    /// ExternalSecret → what it writes.
    targets: HashMap<ObjectKey, (ApiResource, ObjectKey)>,
    /// What is written → by whom.
    authors: HashMap<(ApiResource, ObjectKey), HashSet<ObjectKey>>,
    /// ExternalSecret → kinds that it wrote before, of which something may be left.
    former: HashMap<ObjectKey, HashSet<ApiResource>>,
    /// ExternalSecrets of which this process knows what they wrote before.
    known: HashSet<ObjectKey>,
}

/// One kind.
pub struct Watch {
    pub objects: ManagedObjects,
    synced: Mutex<Option<Synced>>,
    /// The first list was waited for in vain once, as when it is not permitted.
    overdue: AtomicBool,
    stop: CancellationToken,
    /// Ends the watch with the last that uses it.
    _guard: DropGuard,
}

impl Watches {
    /// `changed` is called with an ExternalSecret, its target, and what became of it.
    pub fn new(
        client: Client,
        namespace: &str,
        changed: impl Fn(&ObjectKey, &ObjectKey, Change<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self { client, namespace: namespace.to_owned(), changed: Arc::new(changed), index: Arc::default() }
    }

    /// `user` writes this object, and no other. Returns the watch of its kind, begun if need be.
    pub fn set(&self, user: &ObjectKey, kind: &ApiResource, target: &ObjectKey) -> Arc<Watch> {
        let mut index = lock(&self.index);
        let new = (kind.clone(), target.clone());
        let watch = index.kinds.get(kind).cloned().unwrap_or_else(|| self.begin(kind));
        index.kinds.insert(kind.clone(), watch.clone());
        if index.targets.get(user) != Some(&new) {
            index.unlink(user, Some(kind));
            index.authors.entry(new.clone()).or_default().insert(user.clone());
            index.targets.insert(user.clone(), new);
            index.end_unused();
        }
        watch
    }

    /// `user` writes no such object now; what it wrote may still be there.
    pub fn leave(&self, user: &ObjectKey) {
        lock(&self.index).unlink(user, None);
    }

    /// `user` may have written objects of this kind before this process began; false if it is known what it wrote.
    pub fn suspect(&self, user: &ObjectKey, kind: &ApiResource) -> bool {
        let mut index = lock(&self.index);
        if index.known.contains(user) {
            return false;
        }
        if !index.kinds.contains_key(kind) {
            let watch = self.begin(kind);
            index.kinds.insert(kind.clone(), watch);
        }
        index.former.entry(user.clone()).or_default().insert(kind.clone());
        true
    }

    /// Nothing is left of what `user` wrote of other kinds, or shall stay.
    pub fn settle(&self, user: &ObjectKey) {
        let mut index = lock(&self.index);
        index.known.insert(user.clone());
        if index.former.remove(user).is_some() {
            index.end_unused();
        }
    }

    /// `user` is gone.
    pub fn forget(&self, user: &ObjectKey) {
        self.leave(user);
        self.settle(user);
        lock(&self.index).known.remove(user);
    }

    /// Every kind that somebody writes or has written lately, but for one.
    pub fn others(&self, but: Option<&ApiResource>) -> Vec<(ApiResource, Arc<Watch>)> {
        let index = lock(&self.index);
        let others = index.kinds.iter().filter(|(kind, _)| Some(*kind) != but);
        others.map(|(kind, watch)| (kind.clone(), watch.clone())).collect()
    }

    fn begin(&self, kind: &ApiResource) -> Arc<Watch> {
        let (index, changed, of) = (Arc::downgrade(&self.index), self.changed.clone(), kind.clone());
        let drifted = move |object: &ObjectKey, change: Change<'_>| {
            let Some(index) = index.upgrade() else { return };
            let authors = lock(&index).authors.get(&(of.clone(), object.clone())).cloned();
            authors.iter().flatten().for_each(|author| changed(author, object, change));
        };
        let stop = CancellationToken::new();
        let watch = Arc::new(Watch {
            objects: ManagedObjects::new(drifted),
            synced: Mutex::default(),
            overdue: AtomicBool::new(false),
            _guard: stop.clone().drop_guard(),
            stop,
        });
        let api: Api<HashedObject> = if self.namespace.is_empty() {
            Api::all_with(self.client.clone(), &Named(kind.clone()))
        } else {
            Api::namespaced_with(self.client.clone(), &self.namespace, &Named(kind.clone()))
        };
        let selector = managed::selector();
        let optional = "allow list and watch to notice changes by others at once; until then they are noticed at the next \
                        refresh";
        let scope = Scope { selector: &selector, optional: Some(optional), kind: &kind.kind };
        // The watch holds what it feeds weakly, or it would keep itself alive.
        let sink = Arc::new(Weakly(Arc::downgrade(&watch)));
        *lock(&watch.synced) = Some(follow(api, scope, sink, watch.stop.clone()));
        watch
    }
}

impl Index {
    /// `next`: the kind that it writes from now on.
    fn unlink(&mut self, user: &ObjectKey, next: Option<&ApiResource>) {
        let Some(target) = self.targets.remove(user) else { return };
        if let Some(authors) = self.authors.get_mut(&target) {
            authors.remove(user);
            if authors.is_empty() {
                self.authors.remove(&target);
            }
        }
        if next != Some(&target.0) {
            self.former.entry(user.clone()).or_default().insert(target.0);
        }
    }

    /// Watches of kinds that nobody writes any more end.
    fn end_unused(&mut self) {
        let written = self.authors.keys().map(|(kind, _)| kind);
        let used: HashSet<ApiResource> = written.chain(self.former.values().flatten()).cloned().collect();
        self.kinds.retain(|kind, _| used.contains(kind));
    }
}

impl Watch {
    /// Whether the first list is there, after a moment of patience. Without it nothing is known of any object.
    pub async fn is_listed(&self) -> bool {
        let synced = lock(&self.synced).clone();
        let Some(mut synced) = synced else { return false };
        if !synced.is_done() && !self.overdue.load(Ordering::Relaxed) {
            let _ = tokio::time::timeout(FIRST_LIST, synced.wait()).await;
            self.overdue.store(!synced.is_done(), Ordering::Relaxed);
        }
        synced.is_done()
    }
}

struct Weakly(std::sync::Weak<Watch>);

impl Weakly {
    fn with(&self, act: impl FnOnce(&ManagedObjects)) {
        if let Some(watch) = self.0.upgrade() {
            act(&watch.objects);
        }
    }
}

impl Sink<HashedObject> for Weakly {
    fn listing(&self) {
        self.with(ManagedObjects::begin_list);
    }

    fn applied(&self, object: HashedObject) {
        let key = ObjectKey::of(&object);
        self.with(|objects| objects.arrived(&key, object.managed));
    }

    fn deleted(&self, object: HashedObject) {
        let key = ObjectKey::of(&object);
        self.with(|objects| objects.left(&key, &object.managed));
    }

    fn listed(&self) {
        self.with(ManagedObjects::end_list);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use kube::api::GroupVersionKind;

    use super::*;
    use crate::provider::fixture;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("n", name)
    }

    fn kind(name: &str) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", name))
    }

    fn object(version: u64, content: &str) -> HashedObject {
        let hash = managed::hashed::hash_of(Some(&serde_json::json!({"a": "b"})), None);
        serde_json::from_value(serde_json::json!({
            "metadata": {
                "name": "t", "namespace": "n", "uid": "u", "resourceVersion": version.to_string(),
                "annotations": {"reconcile.external-secrets.io/data-hash": hash},
            },
            "spec": {"a": content},
        }))
        .expect("an object")
    }

    fn watches() -> (Watches, Arc<Mutex<Vec<ObjectKey>>>) {
        let woken: Arc<Mutex<Vec<ObjectKey>>> = Arc::default();
        let sink = woken.clone();
        let client = fixture::kube_client(|_| (404, serde_json::json!({})));
        (Watches::new(client, "", move |user, _, _| lock(&sink).push(user.clone())), woken)
    }

    #[tokio::test]
    async fn kind_is_watched_as_long_as_somebody_writes_it() {
        let (watches, _) = watches();
        let first = watches.set(&key("a"), &kind("App"), &key("t"));
        let second = watches.set(&key("b"), &kind("App"), &key("s"));
        assert!(Arc::ptr_eq(&first, &second), "one watch for a kind");
        let stop = first.stop.clone();
        drop((first, second));
        watches.forget(&key("a"));
        assert!(!stop.is_cancelled(), "b still writes it");
        drop(watches.set(&key("b"), &kind("Other"), &key("s")));
        assert!(!stop.is_cancelled(), "what b wrote may still be there");
        let others = watches.others(Some(&kind("Other")));
        assert_eq!(others.iter().map(|(kind, _)| kind.kind.as_str()).collect::<Vec<_>>(), ["App"]);
        drop(others);
        watches.settle(&key("b"));
        assert!(stop.is_cancelled());
    }

    #[tokio::test]
    async fn edited_object_wakes_those_who_write_it_and_an_intact_one_nobody() {
        let (watches, woken) = watches();
        let watch = watches.set(&key("a"), &kind("App"), &key("t"));
        watches.set(&key("b"), &kind("App"), &key("other"));
        let sink = Weakly(Arc::downgrade(&watch));
        sink.applied(object(1, "b"));
        assert!(lock(&woken).is_empty());
        sink.applied(object(2, "edited"));
        assert_eq!(*lock(&woken), [key("a")]);
        sink.deleted(object(3, "edited"));
        assert_eq!(lock(&woken).len(), 2);
        watches.set(&key("a"), &kind("App"), &key("renamed"));
        sink.applied(object(4, "edited"));
        assert_eq!(lock(&woken).len(), 2, "nobody writes it any more");
    }
}
