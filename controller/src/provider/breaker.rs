//! A circuit breaker per store: a backend that is down is asked once per second, not once per ExternalSecret.
//!
//! It wraps the store. After a failure of class Outage every call fails at once with `BreakerOpen`, which carries the
//! original cause, except one probe per second; the first call that the backend answers closes it, whoever made that
//! call. A store's identities (namespaces of a ClusterSecretStore) share one breaker.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use api::external_secret::{Find, RemoteRef};
use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Readiness, Store, Values};
use crate::{
    error::{Class, Code, Error},
    secret_bytes::SecretBytes,
};

/// Time between probes of a backend that is down.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The state, shared by all identities of one store.
pub struct Breaker {
    state: Mutex<State>,
    store_uid: String,
    recovered: broadcast::Sender<Recovery>,
}

/// A store whose backend answers again after an outage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovery {
    /// Of the store.
    pub uid: String,
    /// Before anybody was let through.
    pub at: Instant,
}

enum State {
    Closed,
    Open { cause: Error, next_probe: Instant },
}

impl Breaker {
    /// `recovered` is told `store_uid` each time the breaker closes again.
    pub fn new(store_uid: String, recovered: broadcast::Sender<Recovery>) -> Self {
        Self { state: Mutex::new(State::Closed), store_uid, recovered }
    }

    /// Whether a call may be made now; the error to return if not.
    pub fn admit(&self, now: Instant) -> Result<(), Error> {
        match &mut *self.lock() {
            State::Open { next_probe, .. } if now >= *next_probe => {
                *next_probe = now + PROBE_EVERY;
                Ok(())
            }
            State::Open { cause, .. } => Err(waiting(cause)),
            State::Closed => Ok(()),
        }
    }

    /// Takes note of how a call ended.
    pub fn note<T>(&self, result: &Result<T, Error>, now: Instant) {
        let mut state = self.lock();
        match result {
            Err(error) if error.class() == Class::Outage => {
                let next_probe = match &*state {
                    State::Open { next_probe, .. } => *next_probe,
                    State::Closed => now + PROBE_EVERY,
                };
                *state = State::Open { cause: error.clone(), next_probe };
            }
            Err(error) if !is_answer(error.code()) => {}
            _ if matches!(*state, State::Open { .. }) => {
                *state = State::Closed;
                // Nobody listens: nobody needs to be woken.
                let _ = self.recovered.send(Recovery { uid: self.store_uid.clone(), at: now });
            }
            _ => {}
        }
    }

    /// Runs `call` unless the breaker is open.
    pub async fn guard<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.admit(now())?;
        let result = call.await;
        self.note(&result, now());
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

fn waiting(cause: &Error) -> Error {
    Error::outage(
        Code::BreakerOpen,
        format!("waiting for the backend, which is asked once per second; it said: {cause}"),
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

    #[test]
    fn open_breaker_admits_one_probe_per_second_and_closes_on_success() {
        let (recovered, mut told) = broadcast::channel(4);
        let breaker = Breaker::new("uid-1".into(), recovered);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);

        assert!(breaker.admit(at(0)).is_ok());
        breaker.note(&outage(), at(0));
        let refused = breaker.admit(at(500)).unwrap_err();
        assert_eq!((refused.code(), refused.class()), (Code::BreakerOpen, Class::Outage));
        assert!(refused.to_string().contains("VaultUnreachable: connection refused"), "{refused}");

        assert!(breaker.admit(at(1000)).is_ok());
        assert!(breaker.admit(at(1001)).is_err());
        breaker.note(&outage(), at(1200));
        assert!(breaker.admit(at(1900)).is_err());

        assert!(breaker.admit(at(2000)).is_ok());
        breaker.note(&Ok(()), at(2100));
        assert!(breaker.admit(at(2100)).is_ok());
        assert!(breaker.admit(at(2100)).is_ok());
        assert_eq!(told.try_recv().unwrap(), Recovery { uid: "uid-1".into(), at: at(2100) });
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn only_outages_open_it_and_an_answer_of_any_kind_closes_it() {
        let breaker = Breaker::new("uid".into(), broadcast::channel(1).0);
        let start = Instant::now();
        for error in [Error::fix(Code::VaultPermissionDenied, "x"), Error::retry(Code::VaultThrottled, "x")] {
            breaker.note::<()>(&Err(error), start);
            assert!(breaker.admit(start).is_ok());
        }
        breaker.note(&outage(), start);
        breaker.note::<()>(&Err(Error::retry(Code::VaultThrottled, "x")), start);
        assert!(breaker.admit(start).is_err());
        breaker.note::<()>(&Err(Error::fix(Code::VaultPermissionDenied, "x")), start);
        assert!(breaker.admit(start).is_ok());
    }
}
