//! One live client per identity.
//!
//! What enters is a store as the caller saw it, the namespace it acts for and the moment it was triggered; what leaves
//! is an open [`Store`] behind its circuit breaker. Promised: concurrent openers share one opening, its failure
//! included; credentials are looked at again after a watch told that they changed, and always after the backend refused
//! them; where they are not watched, when the last look is older than [`LOOK_EVERY`] and older than the trigger; a store that changed or went is closed after its last user is done;
//! clients nobody used for [`IDLE`] are closed. Closing revokes tokens that were created here.
//!
//! RBAC: what `resolve` needs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::broadcast;

use super::{
    Store,
    breaker::{Breaker, Guarded, Signal},
    identity::{Identity, StoreHandle},
    metrics::BreakerGauge,
    referent::Referent,
};
use crate::{
    engine::ObjectKey,
    error::{Code, Error},
    resolve::{Access, Resolver, Scope, User},
};

/// How old a look at credentials that nobody watches may be: a burst of reconciles costs one look, a replaced token is
/// noticed soon.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When an unused client is closed: a store that is still in use is asked at least hourly by default, but what uses it
/// most does so far more often.
const IDLE: Duration = Duration::from_mins(30);

/// How often idle and retired clients are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// Longest wait for revoking tokens while the process ends; Kubernetes gives it 30 s in all.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Signals that a slow listener can be behind.
const SIGNALS: usize = 64;

/// Opens a store for the pool, which is the only caller.
#[async_trait]
pub trait Opener: Send + Sync {
    async fn open(&self, store: &StoreHandle, access: Arc<Access>) -> Result<Arc<dyn Store>, Error>;

    /// Where the state of the store's breaker is shown.
    fn breaker_gauge(&self, _: &StoreHandle) -> Option<BreakerGauge> {
        None
    }
}

/// See the module documentation.
pub struct Pool {
    resolver: Arc<Resolver>,
    opener: Arc<dyn Opener>,
    limit: usize,
    signals: broadcast::Sender<Signal>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    slots: HashMap<Identity, Arc<Slot>>,
    /// By store UID, with the generation they belong to.
    breakers: HashMap<String, (i64, Arc<Breaker>)>,
    /// Out of the pool, waiting for their last user.
    retired: Vec<Arc<Slot>>,
}

/// One identity. Whoever opens it holds `state` meanwhile, which is what makes openers share.
struct Slot {
    state: tokio::sync::Mutex<State>,
    last_used: Mutex<Instant>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    /// The last opening, if it failed, and when it started.
    failure: Option<(Instant, Error)>,
    /// Replaced by newer credentials, waiting for their last user.
    replaced: Vec<Arc<Guarded>>,
}

struct Live {
    store: Arc<Guarded>,
    access: Arc<Access>,
    /// When the last look at the credentials began.
    looked_at: Instant,
}

impl Pool {
    /// `limit`: clients kept at once; past it the one unused for longest goes. Those in use always stay.
    ///
    /// Must be called inside a Tokio runtime: closing idle clients is a task that ends with the pool.
    pub fn new(resolver: Arc<Resolver>, opener: Arc<dyn Opener>, limit: usize) -> Arc<Self> {
        let signals = broadcast::channel(SIGNALS).0;
        let pool = Arc::new(Self { resolver, opener, limit: limit.max(1), signals, inner: Mutex::default() });
        tokio::spawn(sweep_forever(Arc::downgrade(&pool)));
        pool
    }

    /// The live client of `store` for `namespace`, that of the ExternalSecret; empty to validate a ClusterSecretStore.
    pub async fn open(&self, store: &StoreHandle, namespace: &str, since: Instant) -> Result<Arc<dyn Store>, Error> {
        let Some(identity) = Identity::of(store, namespace)? else { return Ok(Arc::new(Referent)) };
        let (slot, breaker) = self.slot(store, &identity);
        let mut state = slot.state.lock().await;
        if let Some(live) = &mut state.live {
            if !live.is_outdated(since).await? {
                return Ok(live.store.clone());
            }
            let outdated = state.live.take();
            state.replaced.extend(outdated.map(|live| live.store));
        }
        match &state.failure {
            Some((started, error)) if *started >= since => Err(error.clone()),
            _ => self.open_slot(&mut state, store, &identity, breaker).await,
        }
    }

    async fn open_slot(
        &self,
        state: &mut State,
        store: &StoreHandle,
        identity: &Identity,
        breaker: Arc<Breaker>,
    ) -> Result<Arc<dyn Store>, Error> {
        let started = now();
        // Opening may log in, so an outage counts; that it worked may have taken no call, so it closes nothing.
        let _pass = breaker.admit()?;
        let access = Arc::new(self.resolver.within(user(store, identity), identity.scope().clone()));
        match self.opener.open(store, access.clone()).await {
            Ok(opened) => {
                let store = Arc::new(Guarded::new(opened, breaker.clone()));
                state.live = Some(Live { store: store.clone(), access, looked_at: started });
                state.failure = None;
                Ok(store)
            }
            Err(error) => {
                breaker.note::<()>(&Err(error.clone()));
                state.failure = Some((started, error.clone()));
                Err(error)
            }
        }
    }

    /// Has the store and those who use it looked at again, as after a recovery.
    pub fn announce(&self, uid: &str) {
        // Nobody listens: nobody needs to be woken.
        let _ = self.signals.send(Signal::Recovered { uid: uid.to_owned(), at: now() });
    }

    /// Tells of stores whose backends are to be probed, or answer again after an outage.
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    /// Closes the clients of a store that is gone, each after its last user is done.
    pub fn forget(&self, uid: &str) {
        let mut inner = self.lock();
        inner.retire(|identity| identity.uid == uid);
        inner.breakers.remove(uid);
    }

    /// Closes everything, at most [`SHUTDOWN_TIMEOUT`] long. For the end of the process, after the last reconcile.
    pub async fn shutdown(&self) {
        let slots = {
            let mut inner = self.lock();
            inner.retire(|_| true);
            std::mem::take(&mut inner.retired)
        };
        let closing = join_all(slots.iter().map(|slot| async move {
            let mut state = slot.state.lock().await;
            join_all(state.take_all().iter().map(|store| store.close())).await;
        }));
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, closing).await.is_err() {
            tracing::warn!("some backends did not confirm in time that tokens were revoked; they expire by themselves");
        }
    }

    fn slot(&self, store: &StoreHandle, identity: &Identity) -> (Arc<Slot>, Arc<Breaker>) {
        let now = now();
        let mut inner = self.lock();
        let breaker = inner.breaker(identity, &self.signals, || self.opener.breaker_gauge(store));
        if let Some(slot) = inner.slots.get(identity) {
            *lock(&slot.last_used) = now;
            return (slot.clone(), breaker);
        }
        inner.retire(|other| other.uid == identity.uid && other.generation < identity.generation);
        inner.make_room(self.limit);
        let slot = Arc::new(Slot { state: tokio::sync::Mutex::default(), last_used: Mutex::new(now) });
        inner.slots.insert(identity.clone(), slot.clone());
        (slot, breaker)
    }

    /// Closes what nobody uses any more.
    async fn sweep(&self) {
        let unused = {
            let mut inner = self.lock();
            let now = now();
            inner.retire_unused(|slot| now.saturating_duration_since(*lock(&slot.last_used)) >= IDLE);
            inner.unused()
        };
        join_all(unused.iter().map(|store| store.close())).await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

async fn sweep_forever(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        match pool.upgrade() {
            Some(pool) => pool.sweep().await,
            None => return,
        }
    }
}

impl Inner {
    fn breaker(
        &mut self,
        identity: &Identity,
        signals: &broadcast::Sender<Signal>,
        gauge: impl FnOnce() -> Option<BreakerGauge>,
    ) -> Arc<Breaker> {
        let new = |gauge| (identity.generation, Breaker::new(identity.uid.clone(), signals.clone(), gauge));
        let entry = self.breakers.entry(identity.uid.clone()).or_insert_with(|| new(gauge()));
        if entry.0 < identity.generation {
            // The series goes on.
            *entry = new(entry.1.gauge().cloned());
        }
        entry.1.clone()
    }

    fn retire(&mut self, which: impl Fn(&Identity) -> bool) {
        let retired = self.slots.extract_if(|identity, _| which(identity)).map(|(_, slot)| slot);
        self.retired.extend(retired);
    }

    fn retire_unused(&mut self, which: impl Fn(&Slot) -> bool) {
        let retired = self.slots.extract_if(|_, slot| which(slot) && slot.is_unused()).map(|(_, slot)| slot);
        self.retired.extend(retired);
    }

    /// Retires the slot unused for longest until one more fits, as far as there are unused ones.
    fn make_room(&mut self, limit: usize) {
        while self.slots.len() >= limit {
            let unused = self.slots.iter().filter(|(_, slot)| slot.is_unused());
            let oldest = unused.min_by_key(|(_, slot)| *lock(&slot.last_used)).map(|(identity, _)| identity.clone());
            let Some(oldest) = oldest else { return };
            self.retire(|identity| *identity == oldest);
        }
    }

    /// Takes out every client that can be closed now, and forgets breakers of stores without a slot.
    fn unused(&mut self) -> Vec<Arc<Guarded>> {
        let mut unused = Vec::new();
        self.retired.retain(|slot| match slot.state.try_lock() {
            Ok(mut state) if Arc::strong_count(slot) == 1 && state.is_unused() => {
                unused.extend(state.take_all());
                false
            }
            _ => true,
        });
        for slot in self.slots.values() {
            if let Ok(mut state) = slot.state.try_lock() {
                unused.extend(state.replaced.extract_if(.., |store| Arc::strong_count(store) == 1));
            }
        }
        let slots = &self.slots;
        self.breakers.retain(|uid, _| slots.keys().any(|identity| identity.uid == *uid));
        unused
    }
}

impl Slot {
    /// Nobody is opening it and nobody holds its client. The pool's own reference is not counted.
    fn is_unused(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && self.state.try_lock().is_ok_and(|state| state.is_unused())
    }
}

impl State {
    fn is_unused(&self) -> bool {
        let live = self.live.iter().map(|live| &live.store);
        live.chain(&self.replaced).all(|store| Arc::strong_count(store) == 1)
    }

    fn take_all(&mut self) -> Vec<Arc<Guarded>> {
        let live = self.live.take().map(|live| live.store);
        self.replaced.drain(..).chain(live).collect()
    }
}

impl Live {
    /// Whether the credentials that this client was opened with were replaced.
    async fn is_outdated(&mut self, since: Instant) -> Result<bool, Error> {
        let now = now();
        let is_due = if self.access.is_watched() {
            self.access.is_outdated()
        } else {
            now.saturating_duration_since(self.looked_at) > LOOK_EVERY && since > self.looked_at
        };
        if !self.store.take_refused() && !is_due {
            return Ok(false);
        }
        let shown = self.access.shown();
        match self.access.changed().await {
            Ok(changed) => {
                self.looked_at = now;
                if !changed {
                    self.access.settle(shown);
                }
                Ok(changed)
            }
            // The API server is away for a moment; the backend need not be.
            Err(error) if error.code() == Code::KubernetesUnavailable => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// In whose name the credentials of an identity are read.
fn user(store: &StoreHandle, identity: &Identity) -> User {
    let referent = match identity.scope() {
        Scope::Cluster { referent } => referent.as_deref().map(Into::into),
        Scope::Namespaced { .. } => None,
    };
    let store_key = ObjectKey::new(store.namespace.as_deref().unwrap_or_default(), &store.name);
    User { kind: store.kind, store: store_key, referent }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
