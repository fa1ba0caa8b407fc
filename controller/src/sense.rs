//! Whom a change of something else wakes: just the ExternalSecrets that it concerns.
//!
//! A store that turns ready, changes or recovers, and credentials that change, concern the users of the store that are
//! not synced: what was synced is still right. A store that is about another backend or another place in it concerns all
//! users, who fetch anew. One that turns from one operator's class to another's concerns all users, too, who look whether
//! something is to be done. Permission, by a namespace's labels or a store's conditions, concerns every user whom it is given
//! or taken.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use api::{
    condition,
    external_secret::{ExternalSecret, ExternalSecretStatus},
    names::condition_type::READY,
    reference::StoreKind,
    store::{ClusterSecretStore, SecretStore, SecretStoreSpec, StoreStatus, may_use},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Resource};
use tokio::sync::{
    broadcast::{Receiver, error::RecvError},
    watch,
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{
        Lane, ObjectKey, Queue,
        cache::Cache,
        object::Watched,
        stamp::Stamp,
        watch::{Fan, Scope, Sink, Synced, follow},
    },
    provider::breaker::Signal,
    reconcile::{external_secret::users::StoreUsers, namespaces::Namespaces, secret_store::Change},
    resolve::User,
};

/// Which users of a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whom {
    All,
    /// Those whose last reconcile failed or waits for a store, or who have had none.
    Unsynced,
}

/// Everything that can be woken. Cheap to clone.
#[derive(Clone)]
pub struct Wake {
    pub external_secrets: Arc<Cache<Watched<ExternalSecret>>>,
    pub secret_stores: Arc<Cache<Watched<SecretStore>>>,
    pub cluster_secret_stores: Arc<Cache<Watched<ClusterSecretStore>>>,
    pub users: Arc<StoreUsers>,
    pub queue: Arc<Queue>,
    pub secret_store_queue: Arc<Queue>,
    pub cluster_secret_store_queue: Arc<Queue>,
    /// Probes that were asked for: each asks another user, since one may wait for something else.
    pub probes: Arc<AtomicUsize>,
}

impl Wake {
    /// A store changed, as was known at `since`: before anybody could act on it. `namespaces`: whose users they are.
    pub fn changed(
        &self,
        kind: StoreKind,
        store: &ObjectKey,
        change: &Change,
        namespaces: &Namespaces,
        since: Instant,
    ) {
        if change.values {
            // Nobody waits for them as for a repair, and one read of each path will do for all.
            for user in self.users.outdate(kind, store, Timestamp::now()) {
                self.queue.add_since(&user, Lane::Periodic, since);
            }
        }
        if change.owner {
            // As above: those who may wait for it are woken by the hope.
            self.users.of(kind, store).iter().for_each(|user| self.queue.add_since(user, Lane::Periodic, since));
        }
        if change.hope {
            self.users_in(None, kind, store, Whom::Unsynced, since);
        }
        let Some((before, now)) = &change.conditions else { return };
        let mut turned: HashMap<String, bool> = HashMap::new();
        for user in self.users.of(kind, store) {
            let namespace = user.namespace();
            let has_turned = turned.entry(namespace.to_owned()).or_insert_with(|| {
                let labels = namespaces.labels(namespace);
                may_use(before, namespace, &labels) != may_use(now, namespace, &labels)
            });
            if *has_turned {
                self.queue.add_since(&user, Lane::Interactive, since);
            }
        }
    }

    /// A store's credentials changed: it is checked anew, and its users try again.
    pub fn credentials(&self, user: &User) {
        // Whose credentials lie beside each ExternalSecret is not checked at all.
        if user.referent.is_none() {
            self.store(user.kind, &user.store);
        }
        self.users_in(user.referent.as_deref(), user.kind, &user.store, Whom::Unsynced, Instant::now());
    }

    /// The labels of a namespace changed.
    pub fn namespace(&self, name: &str, before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) {
        let since = Instant::now();
        let turned = |store: &Watched<ClusterSecretStore>| {
            let conditions = store.spec::<SecretStoreSpec>().map(|spec| spec.conditions).unwrap_or_default();
            !conditions.is_empty() && may_use(&conditions, name, before) != may_use(&conditions, name, now)
        };
        for store in self.cluster_secret_stores.keys_where(|_, store| turned(store)) {
            self.users_in(Some(name), StoreKind::ClusterSecretStore, &store, Whom::All, since);
        }
    }

    /// A store that answers again after an outage, by its UID; none: any may be among them.
    fn recovered(&self, uid: Option<&String>, since: Instant) {
        for (kind, key) in self.stores_where(|meta| uid.is_none() || meta.uid.as_ref() == uid) {
            self.store(kind, &key);
            self.users_in(None, kind, &key, Whom::Unsynced, since);
        }
    }

    /// A store whose backend is to be asked whether it is back: by one of the users who wait for it, which costs a read that
    /// is wanted anyway; by the store itself where it keeps its users waiting, or where nobody waits.
    fn probe(&self, uid: &String) {
        for (kind, key) in self.stores_where(|meta| meta.uid.as_ref() == Some(uid)) {
            match self.waiting(kind, &key).filter(|_| self.is_ready(kind, &key)) {
                Some(user) => self.queue.remind(&user, Lane::Periodic),
                None => self.store_queue(kind).remind(&key, Lane::Periodic),
            }
        }
    }

    /// One of the users of a store who are not synced, another one each time.
    fn waiting(&self, kind: StoreKind, store: &ObjectKey) -> Option<ObjectKey> {
        let mut users = self.users.of(kind, store);
        users.sort_unstable();
        let first = self.probes.fetch_add(1, Ordering::Relaxed) % users.len().max(1);
        users.rotate_left(first);
        users.into_iter().find(|user| !self.is_synced(user))
    }

    fn stores_where(&self, matches: impl Fn(&ObjectMeta) -> bool) -> Vec<(StoreKind, ObjectKey)> {
        let stores = self.secret_stores.keys_where(|_, store| matches(&store.meta)).into_iter();
        let cluster = self.cluster_secret_stores.keys_where(|_, store| matches(&store.meta)).into_iter();
        let stores = stores.map(|key| (StoreKind::SecretStore, key));
        stores.chain(cluster.map(|key| (StoreKind::ClusterSecretStore, key))).collect()
    }

    fn is_ready(&self, kind: StoreKind, key: &ObjectKey) -> bool {
        let status = match kind {
            StoreKind::SecretStore => self.secret_stores.find(key).map(|store| store.status::<StoreStatus>()),
            StoreKind::ClusterSecretStore => self.cluster_secret_stores.find(key).map(|store| store.status()),
        };
        status
            .is_some_and(|status| condition::find(&status.conditions, READY).is_some_and(condition::Condition::is_true))
    }

    fn store(&self, kind: StoreKind, key: &ObjectKey) {
        self.store_queue(kind).add(key, Lane::Interactive);
    }

    fn store_queue(&self, kind: StoreKind) -> &Queue {
        match kind {
            StoreKind::SecretStore => &self.secret_store_queue,
            StoreKind::ClusterSecretStore => &self.cluster_secret_store_queue,
        }
    }

    fn users_in(&self, namespace: Option<&str>, kind: StoreKind, store: &ObjectKey, whom: Whom, since: Instant) {
        for user in self.users.of(kind, store) {
            let concerns = namespace.is_none_or(|namespace| user.namespace() == namespace);
            if concerns && (whom == Whom::All || !self.is_synced(&user) || self.users.awaits_check(&user)) {
                self.queue.add_since(&user, Lane::Interactive, since);
            }
        }
    }

    fn is_synced(&self, user: &ObjectKey) -> bool {
        let Some(object) = self.external_secrets.find(user) else { return true };
        let status: ExternalSecretStatus = object.status();
        condition::find(&status.conditions, READY).is_some_and(condition::Condition::is_true)
    }
}

/// Wakes somebody who waits for a backend when it is to be asked again, and all of them when it answers.
pub fn follow_backends(wake: Wake, mut signals: Receiver<Signal>, stop: CancellationToken) {
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                signal = signals.recv() => signal,
                () = stop.cancelled() => return,
            };
            match signal {
                Ok(Signal::ProbeDue { uid }) => wake.probe(&uid),
                Ok(Signal::Recovered { uid, at }) => wake.recovered(Some(&uid), at),
                // There were more than are remembered.
                Err(RecvError::Lagged(_)) => wake.recovered(None, Instant::now()),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// Somebody who must know some objects of a kind, and whether there are any yet.
pub type Reader<K> = (Arc<dyn Sink<Stamp<K>>>, watch::Receiver<bool>);

/// Follows a kind of which somebody must know some objects, from when the first of them is named. Nothing waits for it:
/// without it, changes are noticed later.
pub fn follow_once_used<K>(api: Api<Stamp<K>>, readers: Vec<Reader<K>>, users_listed: &Synced, stop: &CancellationToken)
where
    K: Resource<DynamicType = ()> + 'static,
{
    let (mut users_listed, stop) = (users_listed.clone(), stop.clone());
    let optional = "allow list and watch to notice edits at once, or switch the watch off; until then they are noticed at \
                    the next refresh";
    let (sinks, used): (Vec<_>, Vec<_>) = readers.into_iter().unzip();
    if used.is_empty() {
        return;
    }
    tokio::spawn(async move {
        let used = async {
            // Who is named must be known before the first list, or what it shows is dropped.
            users_listed.wait().await;
            let each =
                used.into_iter().map(|mut used| Box::pin(async move { used.wait_for(|used| *used).await.is_ok() }));
            futures::future::select_all(each).await
        };
        tokio::select! {
            _ = used => {
                let scope = Scope { optional: Some(optional), ..Scope::default() };
                drop(follow(api, scope, Arc::new(Fan(sinks)), stop));
            }
            () = stop.cancelled() => {}
        }
    });
}
