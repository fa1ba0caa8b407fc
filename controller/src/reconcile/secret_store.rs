//! SecretStore and ClusterSecretStore: do the credentials work, and who must know when that changes.
//!
//! Enters: a store and the backend's answer to its credentials. Leaves: condition Ready with upstream's reasons, the
//! capabilities, an event when that is news, and a wake-up of the ExternalSecrets that use the store. RBAC:
//! secretstores, clustersecretstores `list`, `watch`, `patch` (upstream's finalizer); their `/status` `patch`;
//! events.k8s.io/events `create`, `patch`.

use std::{
    fmt::Debug,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use api::{
    condition::{self, Condition},
    names::{STORE_FINALIZER, condition_reason, condition_type::READY},
    reference::StoreKind,
    store::{Capabilities, ClusterSecretStore, SecretStore, SecretStoreSpec, StoreStatus},
};
use async_trait::async_trait;
use jiff::Timestamp;
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
    core::{ClusterResourceScope, NamespaceResourceScope},
    runtime::events::{Event, EventType},
};
use serde_json::json;

use crate::{
    ctx::Ctx,
    engine::{
        Lane, ObjectKey, Queue, Work,
        cache::{Before, Cache, Versioned as _},
        object::Watched,
        run::{Next, Reconcile},
        watch::Sink,
    },
    error::{Code, Error},
    metrics::{Kind, Metrics},
    provider::{Readiness, identity::StoreHandle},
    reconcile::guard::wiring as guard,
};

/// What differs between the two kinds.
pub trait StoreResource: Resource<DynamicType = ()> + Send + Sync + Sized + 'static {
    const KIND: StoreKind;
    const METRICS: Kind;
    fn cache(ctx: &Ctx) -> &Cache<Watched<Self>>;
    fn api(ctx: &Ctx, key: &ObjectKey) -> Api<Watched<Self>>;
}

impl StoreResource for SecretStore {
    const KIND: StoreKind = StoreKind::SecretStore;
    const METRICS: Kind = Kind::SecretStore;

    fn cache(ctx: &Ctx) -> &Cache<Watched<Self>> {
        &ctx.secret_stores
    }

    fn api(ctx: &Ctx, key: &ObjectKey) -> Api<Watched<Self>>
    where
        Watched<Self>: Resource<Scope = NamespaceResourceScope>,
    {
        Api::namespaced(ctx.client.clone(), key.namespace())
    }
}

impl StoreResource for ClusterSecretStore {
    const KIND: StoreKind = StoreKind::ClusterSecretStore;
    const METRICS: Kind = Kind::ClusterSecretStore;

    fn cache(ctx: &Ctx) -> &Cache<Watched<Self>> {
        &ctx.cluster_secret_stores
    }

    fn api(ctx: &Ctx, _: &ObjectKey) -> Api<Watched<Self>>
    where
        Watched<Self>: Resource<Scope = ClusterResourceScope>,
    {
        Api::all(ctx.client.clone())
    }
}

/// Reconciles stores of one kind.
pub struct Stores<K> {
    ctx: Arc<Ctx>,
    kind: PhantomData<fn() -> K>,
}

impl<K: StoreResource> Stores<K> {
    pub fn new(ctx: Arc<Ctx>) -> Self {
        Self { ctx, kind: PhantomData }
    }

    async fn validate(&self, object: &Watched<K>, spec: SecretStoreSpec, since: Instant) -> Result<Readiness, Error> {
        let namespace = object.meta.namespace.clone();
        let name = object.meta.name.clone().unwrap_or_default();
        let handle = StoreHandle {
            kind: K::KIND,
            name,
            namespace: namespace.clone(),
            uid: object.uid().to_owned(),
            generation: object.generation(),
            spec: Arc::new(spec),
        };
        // A ClusterSecretStore is checked for no namespace in particular.
        let store = self.ctx.pool.open(&handle, namespace.as_deref().unwrap_or_default(), since).await?;
        store.check().await
    }

    /// Returns the status as it is now meant to be.
    async fn tell(&self, key: &ObjectKey, object: &Watched<K>, outcome: Result<Readiness, &Error>) -> StoreStatus {
        let before: StoreStatus = object.status();
        let waits = outcome.as_ref().is_err_and(|error| error.code() == Code::BreakerOpen);
        if waits && condition::find(&before.conditions, READY).is_some_and(|ready| !ready.is_true()) {
            return before;
        }
        let mut after = status_after(&before, outcome, Timestamp::now());
        let held = guard::tell(&self.ctx, K::KIND, key, object, &mut after);
        if before == after {
            return after;
        }
        if let Some(held) = held {
            // True is the bad news here.
            self.publish(object, &held, !held.is_true());
        }
        let ready = condition::find(&after.conditions, READY);
        if ready.map(|ready| (&ready.status, &ready.message))
            != condition::find(&before.conditions, READY).map(|ready| (&ready.status, &ready.message))
            && let Some(ready) = ready
        {
            self.publish(object, ready, ready.is_true());
        }
        let patch = json!({"metadata": {"uid": object.meta.uid}, "status": after});
        match K::api(&self.ctx, key).patch_status(key.name(), &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(error) => {
                tracing::warn!("{}", Error::kube(&format!("writing the status of {} {key}", K::KIND), &error));
            }
        }
        after
    }

    fn publish(&self, object: &Watched<K>, condition: &Condition, is_good: bool) {
        let event = Event {
            type_: if is_good { EventType::Normal } else { EventType::Warning },
            reason: condition.reason.clone(),
            note: Some(condition.message.chars().take(250).collect()),
            action: "Validate".to_owned(),
            secondary: None,
        };
        self.ctx.store_events.publish(event, object.object_ref(&()));
    }

    /// Upstream's finalizer waits for PushSecrets, which this build does not reconcile: it must not keep a store.
    async fn release(&self, key: &ObjectKey, object: &Watched<K>) -> Result<Next, Error> {
        let finalizers = object.meta.finalizers.as_deref().unwrap_or_default();
        if finalizers.iter().any(|name| name == STORE_FINALIZER) {
            let rest: Vec<_> = finalizers.iter().filter(|name| *name != STORE_FINALIZER).collect();
            let patch = json!({"metadata": {"resourceVersion": object.meta.resource_version, "finalizers": rest}});
            let done = K::api(&self.ctx, key).patch(key.name(), &PatchParams::default(), &Patch::Merge(patch)).await;
            done.map_err(|error| Error::kube(&format!("removing the finalizer of {} {key}", K::KIND), &error))?;
        }
        Ok(Next::Rest)
    }
}

#[async_trait]
impl<K: StoreResource> Reconcile for Stores<K> {
    async fn reconcile(&self, work: &Work) -> Result<Next, Error> {
        let started = Instant::now();
        let Some(object) = K::cache(&self.ctx).find(&work.key) else { return Ok(Next::Rest) };
        if object.is_being_deleted() {
            return self.release(&work.key, &object).await;
        }
        let spec = object
            .spec::<SecretStoreSpec>()
            .map_err(|error| Error::fix(Code::StoreInvalid, format!("spec: {error}; correct the field")));
        if let Ok(spec) = &spec
            && !is_ours(spec, &self.ctx.settings.class)
        {
            return Ok(Next::Rest);
        }
        let interval = spec.as_ref().ok().map(SecretStoreSpec::refresh_interval).transpose();
        let interval = interval.map_err(|problem| Error::fix(Code::StoreInvalid, problem.to_string()));
        let outcome = match (spec, &interval) {
            (Err(error), _) => Err(error),
            (Ok(_), Err(error)) => Err(error.clone()),
            (Ok(spec), Ok(_)) => self.validate(&object, spec, work.since).await,
        };
        let status = self.tell(&work.key, &object, outcome.as_ref().copied()).await;
        self.ctx.metrics.object(K::METRICS, &work.key, &status.conditions, started.elapsed());
        outcome?;
        let interval = interval.ok().flatten().flatten().unwrap_or(self.ctx.settings.store_requeue);
        Ok(if interval.is_zero() { Next::Rest } else { Next::After(interval) })
    }

    async fn report(&self, work: &Work, error: &Error) {
        if let Some(object) = K::cache(&self.ctx).find(&work.key) {
            self.tell(&work.key, &object, Err(error)).await;
        }
    }
}

fn is_ours(spec: &SecretStoreSpec, class: &str) -> bool {
    spec.controller.as_deref().is_none_or(|theirs| theirs.is_empty() || theirs == class)
}

/// The status after a check. Pure.
fn status_after(before: &StoreStatus, outcome: Result<Readiness, &Error>, now: Timestamp) -> StoreStatus {
    let mut status = before.clone();
    let ready = match outcome {
        Ok(Readiness::Ready) => Condition::new(READY, true, condition_reason::VALID, "store validated"),
        Ok(Readiness::Unknown) => Condition::new(
            READY,
            true,
            condition_reason::VALID,
            "store validated; its credentials are looked up in the namespace of each ExternalSecret",
        ),
        Err(error) => Condition::new(READY, false, condition_reason::INVALID_PROVIDER_CONFIG, error.to_string()),
    };
    if outcome.is_ok() {
        status.capabilities = Some(Capabilities::ReadWrite.as_str().to_owned());
    }
    condition::set(&mut status.conditions, ready, now);
    status
}

type Changed = Box<dyn Fn(StoreKind, &ObjectKey) + Send + Sync>;

/// Feeds a cache of stores and its queue, and wakes the users of a store that changed.
pub struct Source<K> {
    cache: Arc<Cache<Watched<K>>>,
    queue: Arc<Queue>,
    metrics: Metrics,
    /// Called with the store's key when it changed in a way that its users notice.
    changed: Changed,
    /// Called with the UID of a store that is gone.
    gone: Box<dyn Fn(&str) + Send + Sync>,
    /// Until the first list is complete a store is no news: every ExternalSecret is looked at anyway.
    listed_once: AtomicBool,
}

impl<K: StoreResource> Source<K> {
    pub fn new(
        cache: Arc<Cache<Watched<K>>>,
        queue: Arc<Queue>,
        metrics: Metrics,
        changed: impl Fn(StoreKind, &ObjectKey) + Send + Sync + 'static,
        gone: impl Fn(&str) + Send + Sync + 'static,
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
        (self.gone)(uid);
    }
}

impl<K: StoreResource + Debug> Sink<Watched<K>> for Source<K> {
    fn listing(&self) {
        self.cache.begin_list();
    }

    fn applied(&self, object: Watched<K>) {
        let key = ObjectKey::of(&object);
        let object = Arc::new(object);
        match self.cache.put(key.clone(), object.clone()) {
            Before::Newer => {}
            Before::Nothing => {
                self.queue.add(&key, Lane::Interactive);
                if self.listed_once.load(Ordering::Relaxed) {
                    (self.changed)(K::KIND, &key);
                }
            }
            Before::Older(before) => {
                if object.differs_for_users(&before) {
                    self.queue.add(&key, Lane::Interactive);
                }
                if object.meta.generation != before.meta.generation || is_ready(&object) != is_ready(&before) {
                    (self.changed)(K::KIND, &key);
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

/// None before the first check.
fn is_ready<K>(object: &Watched<K>) -> Option<bool> {
    let status: StoreStatus = object.status();
    condition::find(&status.conditions, READY).map(Condition::is_true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_upstreams_and_capabilities_follow_success_only() {
        let now = Timestamp::UNIX_EPOCH;
        let refused = Error::fix(Code::VaultLoginDenied, "no");
        let failed = status_after(&StoreStatus::default(), Err(&refused), now);
        assert_eq!(failed.conditions[0].reason, "InvalidProviderConfig");
        assert_eq!(failed.capabilities, None);
        let valid = status_after(&failed, Ok(Readiness::Ready), now);
        assert_eq!((valid.conditions[0].reason.as_str(), valid.conditions[0].status.as_str()), ("Valid", "True"));
        assert_eq!(valid.capabilities.as_deref(), Some("ReadWrite"));
    }

    #[test]
    fn class_is_empty_or_ours() {
        let spec = |class: &str| SecretStoreSpec { controller: Some(class.to_owned()), ..SecretStoreSpec::default() };
        assert!(is_ours(&spec(""), "default") && is_ours(&spec("default"), "default"));
        assert!(!is_ours(&spec("blue"), "default"));
    }
}
