//! A circuit breaker per store: a backend that is down is asked by one caller at a time, not by every ExternalSecret.
//!
//! It wraps the store. After a failure of class Outage every call fails at once with `BreakerOpen`, which carries the
//! original cause, except one probe at a time: the first a second after the outage, and then each after a pause that
//! doubles up to [`LONGEST_PAUSE`]; none sooner than the backend asked for, up to [`LONGEST_RETRY_AFTER`]. The first call that the backend answers closes it, whoever made that call. When a
//! probe is due, that is [told](Signal::ProbeDue), so that there is somebody to make it however few use the store; so is
//! recovery. A store's identities (namespaces of a ClusterSecretStore) share one breaker.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use api::external_secret::{Find, RemoteRef};
use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Readiness, Store, Values, metrics::BreakerGauge};
use crate::{
    error::{Class, Code, Error},
    secret_bytes::SecretBytes,
};

/// Time from an outage to the first probe.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest time from the end of a probe to the next: what waits runs within half a minute of the backend's return,
/// the length of a probe and the work of thousands of ExternalSecrets included.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The longest that a backend is left alone because it asked for it: so that whoever waits runs within half a minute of its
/// return all the same. One call in that time is no burden.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(20);

/// The state, shared by all identities of one store.
pub struct Breaker {
    state: Mutex<State>,
    store_uid: String,
    signals: broadcast::Sender<Signal>,
    gauge: Option<BreakerGauge>,
}

/// What is told of a store, by its UID, to those who wait for its backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Signal {
    /// The backend is down, and somebody should ask whether it still is.
    ProbeDue { uid: String },
    /// The backend answers again. `at`: before anybody was let through.
    Recovered { uid: String, at: Instant },
}

enum State {
    Closed,
    Open(Open),
}

struct Open {
    cause: Error,
    /// Whether a probe is under way.
    probing: bool,
    next_probe: Instant,
    /// What the backend asked for.
    not_before: Instant,
    /// From the end of the probe before to the next.
    pause: Duration,
}

/// Leave for one call.
pub struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Drop for Pass<'_> {
    /// However the probe ended: given up, too, it was one.
    fn drop(&mut self) {
        if self.is_probe
            && let State::Open(open) = &mut *self.breaker.lock()
        {
            open.probing = false;
            open.pause = (open.pause * 2).min(LONGEST_PAUSE);
            open.next_probe = open.not_before.max(now() + open.pause);
        }
    }
}

impl Breaker {
    /// `signals` is told when a probe of the store is due and when its backend answers again; `gauge` shows whether it is
    /// open.
    pub fn new(store_uid: String, signals: broadcast::Sender<Signal>, gauge: Option<BreakerGauge>) -> Arc<Self> {
        let breaker = Self { state: Mutex::new(State::Closed), store_uid, signals, gauge };
        breaker.show(false);
        Arc::new(breaker)
    }

    pub const fn gauge(&self) -> Option<&BreakerGauge> {
        self.gauge.as_ref()
    }

    /// Whether a call may be made now, and leave to make it; the error to return if not.
    pub fn admit(&self) -> Result<Pass<'_>, Error> {
        match &mut *self.lock() {
            State::Open(open) if !open.probing && now() >= open.next_probe => {
                open.probing = true;
                Ok(Pass { breaker: self, is_probe: true })
            }
            State::Open(open) => Err(waiting(&open.cause)),
            State::Closed => Ok(Pass { breaker: self, is_probe: false }),
        }
    }

    /// Takes note of how a call ended. Must be called inside a Tokio runtime.
    pub fn note<T>(self: &Arc<Self>, result: &Result<T, Error>) {
        let mut state = self.lock();
        match (result, &mut *state) {
            (Err(error), State::Open(open)) if error.class() == Class::Outage => {
                open.cause = error.clone();
                open.not_before = open.not_before.max(not_before(error));
                open.next_probe = open.next_probe.max(open.not_before);
            }
            (Err(error), State::Closed) if error.class() == Class::Outage => {
                let not_before = not_before(error);
                *state = State::Open(Open {
                    cause: error.clone(),
                    probing: false,
                    next_probe: not_before.max(now() + FIRST_PAUSE),
                    not_before,
                    pause: FIRST_PAUSE,
                });
                self.show(true);
                tokio::spawn(tell_when_due(Arc::downgrade(self)));
            }
            (Err(error), _) if !is_answer(error.code()) => {}
            (_, State::Open(_)) => {
                *state = State::Closed;
                self.show(false);
                self.tell(Signal::Recovered { uid: self.store_uid.clone(), at: now() });
            }
            (_, State::Closed) => {}
        }
    }

    /// Runs `call` unless the breaker is open.
    pub async fn guard<T>(self: &Arc<Self>, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let pass = self.admit()?;
        let result = call.await;
        self.note(&result);
        drop(pass);
        result
    }

    /// When to tell next that a probe is due; none once the breaker is closed.
    fn due(&self) -> Option<Instant> {
        match &*self.lock() {
            State::Open(open) if open.probing => Some(now() + FIRST_PAUSE),
            State::Open(open) => Some(open.next_probe),
            State::Closed => None,
        }
    }

    fn show(&self, is_open: bool) {
        if let Some(gauge) = &self.gauge {
            gauge.set(is_open);
        }
    }

    fn tell(&self, signal: Signal) {
        // Nobody listens: nobody needs to be woken.
        let _ = self.signals.send(signal);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells of each probe that is due, until the breaker closes or its store is gone.
async fn tell_when_due(breaker: Weak<Breaker>) {
    while let Some(due) = breaker.upgrade().and_then(|breaker| breaker.due()) {
        let told = now() >= due;
        if told && let Some(breaker) = breaker.upgrade() {
            breaker.tell(Signal::ProbeDue { uid: breaker.store_uid.clone() });
        }
        // Whoever was told needs a moment to begin; if nobody did, somebody may have come to wait meanwhile.
        let next = if told { now() + FIRST_PAUSE } else { due };
        tokio::time::sleep_until(next.into()).await;
    }
}

/// Whether such an error can only come from a backend that works: not from a spec, a deadline or Kubernetes.
const fn is_answer(code: Code) -> bool {
    matches!(
        code,
        Code::AwsAccessDenied
            | Code::AwsCredentialsInvalid
            | Code::AwsRequestInvalid
            | Code::RemotePropertyMissing
            | Code::RemoteValueInvalid
            | Code::VaultLoginDenied
            | Code::VaultPermissionDenied
            | Code::VaultRequestInvalid
    )
}

/// Whether such an error means that the credentials may have been replaced.
const fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::AwsAccessDenied | Code::AwsCredentialsInvalid | Code::VaultLoginDenied | Code::VaultPermissionDenied
    )
}

/// The earliest that the backend wants to be asked again.
fn not_before(error: &Error) -> Instant {
    now() + error.retry_after().unwrap_or_default().min(LONGEST_RETRY_AFTER)
}

fn waiting(cause: &Error) -> Error {
    Error::outage(
        Code::BreakerOpen,
        format!("waiting for the backend, which is asked again every few seconds; it said: {cause}"),
    )
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A store behind its breaker. Remembers whether the backend refused its credentials, and since when it has not.
pub struct Guarded {
    store: Arc<dyn Store>,
    breaker: Arc<Breaker>,
    refused: AtomicBool,
    /// Start of the last call that the backend answered, if none has failed since for want of a backend or credentials.
    accepted_at: Mutex<Option<Instant>>,
}

impl Guarded {
    pub const fn new(store: Arc<dyn Store>, breaker: Arc<Breaker>) -> Self {
        Self { store, breaker, refused: AtomicBool::new(false), accepted_at: Mutex::new(None) }
    }

    /// Whether a call was refused since this was last asked.
    pub fn take_refused(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    async fn guard<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let started = now();
        let result = self.breaker.guard(call).await;
        self.note(&result, started);
        result
    }

    fn note<T>(&self, result: &Result<T, Error>, started: Instant) {
        match result {
            Ok(_) => *self.accepted() = Some(started),
            Err(error) if is_refusal(error.code()) => {
                self.refused.store(true, Ordering::Relaxed);
                *self.accepted() = None;
            }
            Err(error) if error.class() == Class::Outage => *self.accepted() = None,
            Err(_) => {}
        }
    }

    fn accepted(&self) -> MutexGuard<'_, Option<Instant>> {
        self.accepted_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Guarded {
    async fn get(&self, remote: &RemoteRef, since: Instant) -> Result<Option<SecretBytes>, Error> {
        self.guard(self.store.get(remote, since)).await
    }

    async fn get_map(&self, remote: &RemoteRef, since: Instant) -> Result<Option<Values>, Error> {
        self.guard(self.store.get_map(remote, since)).await
    }

    async fn find(&self, query: &Find, since: Instant) -> Result<Option<Values>, Error> {
        self.guard(self.store.find(query, since)).await
    }

    async fn check(&self) -> Result<Readiness, Error> {
        if self.store.check_asks_backend() {
            return self.guard(self.store.check()).await;
        }
        let result = self.store.check().await;
        if result.is_err() {
            self.note(&result, now());
        }
        result
    }

    fn was_accepted_since(&self, since: Instant) -> bool {
        self.store.is_remote() && self.accepted().is_some_and(|at| at >= since)
    }

    fn is_remote(&self) -> bool {
        self.store.is_remote()
    }

    fn check_asks_backend(&self) -> bool {
        self.store.check_asks_backend()
    }

    fn reconsider(&self, remote: Option<&RemoteRef>) {
        self.store.reconsider(remote);
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage() -> Result<(), Error> {
        Err(Error::outage(Code::VaultUnreachable, "connection refused"))
    }

    /// One call that ends like that, if it is let through.
    fn call(breaker: &Arc<Breaker>, result: &Result<(), Error>) -> bool {
        let Ok(pass) = breaker.admit() else { return false };
        breaker.note(result);
        drop(pass);
        true
    }

    async fn pass(seconds: f32) {
        tokio::time::sleep(Duration::from_secs_f32(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn open_breaker_admits_a_probe_after_each_pause_and_closes_on_success() {
        let (signals, mut told) = broadcast::channel(64);
        let breaker = Breaker::new("uid-1".into(), signals, None);
        assert!(call(&breaker, &outage()));
        pass(0.5).await;
        let refused = breaker.admit().err().expect("it is open");
        assert_eq!((refused.code(), refused.class()), (Code::BreakerOpen, Class::Outage));
        assert!(refused.to_string().contains("VaultUnreachable: connection refused"), "{refused}");
        for pause in [1.0, 2.0, 4.0, 8.0, 8.0] {
            pass(if pause > 1.0 { pause - 0.1 } else { 0.4 }).await;
            assert!(!call(&breaker, &outage()), "{pause} s are not over");
            pass(0.2).await;
            assert!(call(&breaker, &outage()), "{pause} s are over");
            assert!(!call(&breaker, &outage()), "one probe, after {pause} s");
        }
        pass(8.0).await;
        while told.try_recv().is_ok() {}
        assert!(call(&breaker, &Ok(())));
        assert!(matches!(told.try_recv(), Ok(Signal::Recovered { uid, .. }) if uid == "uid-1"));
        assert!(call(&breaker, &Ok(())) && call(&breaker, &Ok(())));
        assert!(told.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn probe_that_hangs_keeps_others_waiting_and_one_that_is_given_up_does_not() {
        let breaker = Breaker::new("uid".into(), broadcast::channel(1).0, None);
        call(&breaker, &outage());
        pass(1.0).await;
        let hanging = breaker.admit();
        assert!(hanging.is_ok(), "a probe");
        pass(60.0).await;
        assert!(breaker.admit().is_err());
        drop(hanging);
        pass(2.0).await;
        assert!(breaker.admit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_is_told_of_each_probe_until_the_backend_answers() {
        let (signals, mut told) = broadcast::channel(64);
        let breaker = Breaker::new("uid-1".into(), signals, None);
        let started = tokio::time::Instant::now();
        call(&breaker, &outage());
        for at in [1, 3, 7, 15, 23, 31] {
            assert_eq!(told.recv().await, Ok(Signal::ProbeDue { uid: "uid-1".into() }));
            assert_eq!(started.elapsed().as_secs(), at);
            assert!(call(&breaker, &outage()));
        }
        // Who was told may be gone: the next is told soon.
        told.recv().await.expect("a probe is due");
        let before = tokio::time::Instant::now();
        told.recv().await.expect("a probe is still due");
        assert!(before.elapsed() <= FIRST_PAUSE);
        call(&breaker, &Ok(()));
        assert!(matches!(told.recv().await, Ok(Signal::Recovered { .. })));
        drop(breaker);
        assert!(told.recv().await.is_err(), "the teller is gone with the breaker");
    }

    #[tokio::test(start_paused = true)]
    async fn backend_that_asks_for_a_pause_gets_it_up_to_a_bound() {
        let throttled = |seconds| {
            let error = Error::outage(Code::VaultThrottled, "x");
            Err(error.with_retry_after(Some(Duration::from_secs(seconds))))
        };
        for (asked, granted) in [(0, 1.0), (5, 5.0), (3600, 20.0)] {
            let breaker = Breaker::new("uid".into(), broadcast::channel(1).0, None);
            assert!(call(&breaker, &throttled(asked)));
            pass(granted - 0.1).await;
            assert!(!call(&breaker, &outage()), "{asked}");
            pass(0.2).await;
            // Then as the probe's answer says, which may ask for more.
            assert!(call(&breaker, &throttled(10)), "{asked}");
            pass(9.9).await;
            assert!(!call(&breaker, &outage()), "{asked}");
            pass(0.2).await;
            assert!(call(&breaker, &Ok(())), "{asked}");
            assert!(call(&breaker, &Ok(())), "{asked}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_outages_open_it_and_an_answer_of_any_kind_closes_it() {
        let breaker = Breaker::new("uid".into(), broadcast::channel(1).0, None);
        let fix = || Err(Error::fix(Code::VaultPermissionDenied, "x"));
        let retry = || Err(Error::retry(Code::VaultBehind, "x"));
        for error in [fix(), retry()] {
            breaker.note::<()>(&error);
            assert!(breaker.admit().is_ok());
        }
        breaker.note(&outage());
        breaker.note::<()>(&retry());
        assert!(breaker.admit().is_err());
        breaker.note::<()>(&fix());
        assert!(breaker.admit().is_ok());
    }
}
