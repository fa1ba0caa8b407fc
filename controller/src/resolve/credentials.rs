//! Which objects each store takes its credentials from, and who must know when one of them changes.
//!
//! Whoever follows a reference of a store says so here before reading the object, and says afterwards in which version
//! it was read. Metadata-only watches, one per kind and begun when the first object of the kind is named, bring changes:
//! an object that is new, or newer than what was read, wakes the store that uses it. RBAC: secrets, configmaps,
//! serviceaccounts `list`, `watch`; without them the pool looks at the objects from time to time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use api::reference::StoreKind;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kube::{Resource, ResourceExt};
use tokio::sync::watch;

use super::{Object, ObjectKind};
use crate::engine::{
    ObjectKey,
    object::version_number,
    references::{References, Versions},
    stamp::Stamp,
    watch::Sink,
};

/// Who uses credentials: a store, or one namespace's part of it where each namespace brings its own.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct User {
    pub kind: StoreKind,
    pub store: ObjectKey,
    /// The namespace of the ExternalSecrets, where credentials are looked up beside them.
    pub referent: Option<Box<str>>,
}

/// See the module documentation.
pub struct Credentials {
    config_maps: Arc<Watched>,
    secrets: Arc<Watched>,
    service_accounts: Arc<Watched>,
    /// The only namespace that is watched; empty for all.
    namespace: String,
}

/// What the watches have shown of a user's objects.
#[derive(Debug, Default)]
pub struct Shown([Versions; 3]);

/// The objects of one kind.
pub struct Watched {
    references: References<User>,
    /// Whether the watch has shown all there is and goes on.
    is_live: AtomicBool,
}

/// A kind of object that credentials are in.
pub trait Kind: Resource<DynamicType = ()> + 'static {
    fn of(credentials: &Credentials) -> &Arc<Watched>;
}

impl Kind for ConfigMap {
    fn of(credentials: &Credentials) -> &Arc<Watched> {
        &credentials.config_maps
    }
}

impl Kind for Secret {
    fn of(credentials: &Credentials) -> &Arc<Watched> {
        &credentials.secrets
    }
}

impl Kind for ServiceAccount {
    fn of(credentials: &Credentials) -> &Arc<Watched> {
        &credentials.service_accounts
    }
}

impl Credentials {
    /// `wake` is called with a user whose credentials changed. `namespace`: the only one that is watched; empty for all.
    pub fn new(namespace: &str, wake: impl Fn(&User) + Clone + Send + Sync + 'static) -> Self {
        let watched = || {
            // What an earlier process was served with does not matter: this one reads before it uses.
            let references = References::new(wake.clone(), |_| None);
            Arc::new(Watched { references, is_live: AtomicBool::new(false) })
        };
        Self {
            config_maps: watched(),
            secrets: watched(),
            service_accounts: watched(),
            namespace: namespace.to_owned(),
        }
    }

    /// The store is gone.
    pub fn forget_store(&self, kind: StoreKind, store: &ObjectKey) {
        self.forget_all(|user| user.kind == kind && user.store == *store);
    }

    /// The namespace is gone, and the credentials in it with it.
    pub fn forget_namespace(&self, namespace: &str) {
        self.forget_all(|user| user.referent.as_deref() == Some(namespace));
    }

    fn forget_all(&self, are_gone: impl Fn(&User) -> bool) {
        self.each().into_iter().for_each(|watched| watched.references.forget_all(&are_gone));
    }

    /// `user` is about to name its objects, all of them again.
    pub(super) fn begin(&self, user: &User) {
        self.each().into_iter().for_each(|watched| watched.references.forget(user));
    }

    /// `user` is about to read the object.
    pub(super) fn named(&self, user: &User, object: &Object) {
        self.watched(object.kind).references.add(user, &object.key());
    }

    /// `user` has read the object in this version; none if it was used without being read.
    pub(super) fn used(&self, user: &User, object: &Object, resource_version: Option<&str>) {
        let references = &self.watched(object.kind).references;
        match resource_version {
            Some(version) => references.settle(user, vec![(object.key(), version_number(Some(version)))]),
            None => references.accept(user, &object.key()),
        }
    }

    /// Whether a change of the object will be told.
    pub(super) fn is_watched(&self, object: &Object) -> bool {
        let in_sight = self.namespace.is_empty() || self.namespace == object.namespace;
        in_sight && self.watched(object.kind).is_live.load(Ordering::Acquire)
    }

    /// Whether an object that `user` names is newer than what it used.
    pub(super) fn is_outdated(&self, user: &User) -> bool {
        self.each().into_iter().any(|watched| watched.references.is_outdated(user))
    }

    pub(super) fn shown(&self, user: &User) -> Shown {
        Shown(self.each().map(|watched| watched.references.current(user)))
    }

    /// What was shown turned out to be what `user` has.
    pub(super) fn settle(&self, user: &User, shown: Shown) {
        for (watched, versions) in self.each().into_iter().zip(shown.0) {
            watched.references.settle(user, versions);
        }
    }

    fn each(&self) -> [&Watched; 3] {
        [&self.config_maps, &self.secrets, &self.service_accounts]
    }

    fn watched(&self, kind: ObjectKind) -> &Watched {
        match kind {
            ObjectKind::ConfigMap => &self.config_maps,
            ObjectKind::Secret => &self.secrets,
            ObjectKind::ServiceAccount => &self.service_accounts,
        }
    }
}

impl Watched {
    /// Turns true, for good, when there is something to watch.
    pub fn in_use(&self) -> watch::Receiver<bool> {
        self.references.in_use()
    }
}

impl<K: Resource<DynamicType = ()> + 'static> Sink<Stamp<K>> for Watched {
    fn listing(&self) {
        Sink::<Stamp<K>>::listing(&self.references);
    }

    fn applied(&self, object: Stamp<K>) {
        self.references.applied(object);
    }

    fn deleted(&self, object: Stamp<K>) {
        let version = version_number(object.resource_version().as_deref());
        self.references.outdate(&ObjectKey::of(&object), version);
    }

    fn listed(&self) {
        Sink::<Stamp<K>>::listed(&self.references);
        self.is_live.store(true, Ordering::Release);
    }

    fn lost(&self) {
        self.is_live.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    fn object(namespace: &str) -> Object {
        Object { kind: ObjectKind::Secret, namespace: namespace.into(), name: "token".into() }
    }

    fn stamp(version: &str) -> Stamp<Secret> {
        serde_json::from_value(json!({"metadata": {"name": "token", "namespace": "team", "resourceVersion": version}}))
            .expect("metadata")
    }

    fn user() -> User {
        User { kind: StoreKind::SecretStore, store: ObjectKey::new("team", "vault"), referent: None }
    }

    fn watched(namespace: &str) -> (Credentials, Arc<Mutex<usize>>) {
        let woken = Arc::new(Mutex::new(0));
        let count = woken.clone();
        (Credentials::new(namespace, move |_| *count.lock().expect("lock") += 1), woken)
    }

    #[test]
    fn objects_are_watched_once_they_were_listed_and_as_long_as_that_is_permitted() {
        let (credentials, _) = watched("team");
        let secrets = Secret::of(&credentials);
        assert!(!credentials.is_watched(&object("team")));
        Sink::<Stamp<Secret>>::listed(secrets.as_ref());
        assert!(credentials.is_watched(&object("team")));
        assert!(!credentials.is_watched(&object("elsewhere")), "only one namespace is watched");
        Sink::<Stamp<Secret>>::lost(secrets.as_ref());
        assert!(!credentials.is_watched(&object("team")));
    }

    #[test]
    fn change_wakes_its_user_and_stays_news_until_it_was_looked_at() {
        let (credentials, woken) = watched("");
        let secrets = Secret::of(&credentials);
        credentials.named(&user(), &object("team"));
        credentials.used(&user(), &object("team"), Some("5"));
        secrets.applied(stamp("5"));
        assert_eq!(*woken.lock().expect("lock"), 0);
        secrets.applied(stamp("6"));
        assert_eq!(*woken.lock().expect("lock"), 1);
        assert!(credentials.is_outdated(&user()));
        credentials.settle(&user(), credentials.shown(&user()));
        assert!(!credentials.is_outdated(&user()));
        secrets.deleted(stamp("7"));
        assert!(credentials.is_outdated(&user()), "the next use finds out");
        assert_eq!(*woken.lock().expect("lock"), 1);
        credentials.forget_store(StoreKind::SecretStore, &ObjectKey::new("team", "vault"));
        secrets.applied(stamp("8"));
        assert_eq!(*woken.lock().expect("lock"), 1);
    }
}
