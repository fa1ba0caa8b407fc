//! SecretStore and ClusterSecretStore: do the credentials work, and who must know when that changes.
//!
//! Enters: a store and the backend's answer to its credentials. Leaves: condition Ready with upstream's reasons, the
//! capabilities, an event when that is news, and a wake-up of the ExternalSecrets that use the store. RBAC:
//! secretstores, clustersecretstores `list`, `watch`, `patch` (upstream's finalizer); their `/status` `patch`;
//! events.k8s.io/events `create`, `patch`.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use api::{
    condition::{self, Condition},
    names::{IGNORE_MAINTENANCE_ANNOTATION, STORE_FINALIZER, condition_reason, condition_type::READY, event_reason},
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
        Lane, ObjectKey, Work,
        cache::{Cache, Versioned as _},
        object::Watched,
        run::{Next, Reconcile},
    },
    error::{Code, Error},
    metrics::Kind,
    provider::{Readiness, identity::StoreHandle},
    reconcile::{external_secret::stores::Class, guard::wiring as guard, outage},
};

mod change;
mod source;

pub use change::Change;
pub use source::Source;

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
    answers: Mutex<HashMap<ObjectKey, Answer>>,
}

/// What the API server answered to the last write of a status, which the watch may have yet to bring.
struct Answer {
    uid: String,
    version: u64,
    status: StoreStatus,
}

impl<K: StoreResource> Stores<K> {
    pub fn new(ctx: Arc<Ctx>) -> Self {
        Self { ctx, kind: PhantomData, answers: Mutex::default() }
    }

    async fn validate(&self, object: &Watched<K>, spec: SecretStoreSpec, asked: Asked) -> Result<Readiness, Error> {
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
        let store = self.ctx.pool.open(&handle, namespace.as_deref().unwrap_or_default(), asked.at).await?;
        if store.was_accepted_since(asked.fresh) {
            return Ok(Readiness::Ready);
        }
        store.check().await
    }

    /// Returns the status as it is now meant to be.
    async fn tell(&self, key: &ObjectKey, object: &Watched<K>, outcome: Result<Readiness, &Error>) -> StoreStatus {
        let before = self.latest_status(key, object);
        let ready = condition::find(&before.conditions, READY);
        if outcome.as_ref().is_err_and(|error| outage::is_told(ready, error)) {
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
            self.warn_of_maintenance(object);
        }
        let patch = json!({"metadata": {"uid": object.meta.uid}, "status": after});
        match K::api(&self.ctx, key).patch_status(key.name(), &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(written) => self.remember(key, &written, after.clone()),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(error) => {
                tracing::warn!("{}", Error::kube(&format!("writing the status of {} {key}", K::KIND), &error));
            }
        }
        after
    }

    /// The status as the watch has it, or as this process wrote it since: two turns in quick succession write once.
    fn latest_status(&self, key: &ObjectKey, object: &Watched<K>) -> StoreStatus {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.get(key) {
            Some(answer) if answer.uid == object.uid() && answer.version > object.version() => answer.status.clone(),
            _ => {
                answers.remove(key);
                object.status()
            }
        }
    }

    fn remember(&self, key: &ObjectKey, written: &Watched<K>, status: StoreStatus) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a store that is gone nobody asks again.
        answers.retain(|key, _| K::cache(&self.ctx).find(key).is_some());
        let answer = Answer { uid: written.uid().to_owned(), version: written.version(), status };
        answers.insert(key.clone(), answer);
    }

    fn publish(&self, object: &Watched<K>, condition: &Condition, is_good: bool) {
        let type_ = if is_good { EventType::Normal } else { EventType::Warning };
        self.note(object, type_, &condition.reason, &condition.message);
    }

    /// Told with each turn of the store, unless its user knows.
    fn warn_of_maintenance(&self, object: &Watched<K>) {
        let annotations = object.meta.annotations.as_ref();
        let ignored = annotations.and_then(|all| all.get(IGNORE_MAINTENANCE_ANNOTATION)).is_some_and(|v| v == "true");
        let Ok(spec) = object.spec::<SecretStoreSpec>() else { return };
        if !ignored && spec.provider.choice().is_ok_and(|choice| choice.as_check().is_unmaintained()) {
            let note = format!(
                "nobody maintains this provider; keep it out of production, or set the annotation \
                 {IGNORE_MAINTENANCE_ANNOTATION}: \"true\""
            );
            self.note(object, EventType::Warning, event_reason::STORE_UNMAINTAINED, &note);
        }
    }

    fn note(&self, object: &Watched<K>, type_: EventType, reason: &str, note: &str) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note.chars().take(250).collect()),
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
        if !Class::of(&object).is_ours(&self.ctx.settings.class) {
            return Ok(Next::Rest);
        }
        if object.is_being_deleted() {
            return self.release(&work.key, &object).await;
        }
        let spec = object
            .spec::<SecretStoreSpec>()
            .map_err(|error| Error::fix(Code::StoreInvalid, format!("spec: {error}; correct the field")));
        let interval = spec.as_ref().ok().map(SecretStoreSpec::refresh_interval).transpose();
        let interval = interval.map_err(|problem| Error::fix(Code::StoreInvalid, problem.to_string()));
        let outcome = match (spec, &interval) {
            (Err(error), _) => Err(error),
            (Ok(_), Err(error)) => Err(error.clone()),
            (Ok(spec), Ok(own)) => {
                let asked = Asked::new(work, own.flatten().unwrap_or(self.ctx.settings.store_requeue));
                self.validate(&object, spec, asked).await
            }
        };
        let status = self.tell(&work.key, &object, outcome.as_ref().copied()).await;
        self.ctx.metrics.object(K::METRICS, &work.key, &status.conditions, started.elapsed());
        outcome?;
        let interval = interval.ok().flatten().flatten().unwrap_or(self.ctx.settings.store_requeue);
        Ok(if interval.is_zero() { Next::Rest } else { Next::After(interval) })
    }

    /// A store that fails is asked as often as one that works: what ends its failure may be done at the backend, where
    /// nothing tells.
    fn interval(&self, work: &Work) -> Option<Duration> {
        let spec = K::cache(&self.ctx).find(&work.key)?.spec::<SecretStoreSpec>().ok();
        let own = spec.and_then(|spec| spec.refresh_interval().ok()?);
        retried_every(own, self.ctx.settings.store_requeue)
    }

    async fn report(&self, work: &Work, error: &Error) {
        if let Some(object) = K::cache(&self.ctx).find(&work.key) {
            self.tell(&work.key, &object, Err(error)).await;
        }
    }
}

/// What a check was asked for.
#[derive(Clone, Copy)]
struct Asked {
    at: Instant,
    /// An answer of the backend since then is as good as one to a check.
    fresh: Instant,
}

impl Asked {
    /// At its interval a store is not asked when reads have been answered during the last one; after a change it is.
    fn new(work: &Work, interval: Duration) -> Self {
        let last = work.since.checked_sub(interval).filter(|_| work.lane == Lane::Periodic);
        Self { at: work.since, fresh: last.unwrap_or(work.since) }
    }
}

/// The longest time between two tries of a store that fails: its own interval, or the general one. None: checks are not
/// repeated by themselves.
fn retried_every(own: Option<Duration>, general: Duration) -> Option<Duration> {
    own.or(Some(general)).filter(|interval| !interval.is_zero())
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
    fn store_that_fails_is_tried_at_its_interval_and_never_in_a_loop() {
        let (minute, general) = (Duration::from_mins(1), Duration::from_mins(5));
        let key = ObjectKey::new("team", "vault");
        for (own, all, expected) in
            [(None, general, Some(general)), (Some(minute), general, Some(minute)), (None, Duration::ZERO, None)]
        {
            let interval = retried_every(own, all);
            assert_eq!(interval, expected, "{own:?} {all:?}");
            let after =
                crate::engine::retry::after(crate::error::Class::Fix, Code::VaultLoginDenied, 9, interval, &key);
            assert_eq!(after, expected.unwrap_or(after), "{own:?} {all:?}");
        }
    }
}
