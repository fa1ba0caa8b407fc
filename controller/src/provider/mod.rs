//! Backends: what a reconcile can ask of a store, and the list of those that exist.
//!
//! A store maps its backend's errors to [`Error`] once, at its own border. "Does not exist" is not an error but `None`:
//! the deletion policy of the ExternalSecret decides what it means. Nothing here reaches back into `reconcile`.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use api::{
    external_secret::{Find, RemoteRef},
    provider::ProviderRef,
};
use async_trait::async_trait;

use crate::{
    error::Error,
    http::{Clients, Timeouts},
    resolve::Access,
    secret_bytes::SecretBytes,
};

pub mod ahead;
pub mod aws;
pub mod breaker;
pub mod fake;
pub mod identity;
pub mod json;
pub mod keys;
pub mod metrics;
pub mod pool;
pub mod reads;
pub mod vault;

#[cfg(test)]
pub mod fixture;
mod referent;

use ahead::{Ahead, Waiting};
use aws::pace::Rates;
use identity::StoreHandle;
use metrics::{BreakerGauge, ProviderMetrics};
use reads::{Demand, Reads};

/// Secret values by the name the backend gives them.
pub type Values = BTreeMap<String, SecretBytes>;

/// What a store says of itself when asked whether its credentials work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Readiness {
    /// The credentials were accepted.
    Ready,
    /// Nothing can be said without a namespace: the credentials are looked up beside each ExternalSecret.
    Unknown,
}

/// An open store: one identity at one backend, shared by everyone who uses it.
///
/// `since` is the moment the caller was triggered: an answer from a read that *started* at or after it may be shared,
/// an older one may not.
#[async_trait]
pub trait Store: Send + Sync {
    /// One value: the whole entry, or its `property`. `None`: there is no such entry.
    ///
    /// A missing *property* of an existing entry is an error, `RemotePropertyMissing`, except in the fake store.
    async fn get(&self, remote: &RemoteRef, since: Instant) -> Result<Option<SecretBytes>, Error>;

    /// All values of an entry that is a JSON object. `None`: there is no such entry.
    async fn get_map(&self, remote: &RemoteRef, since: Instant) -> Result<Option<Values>, Error>;

    /// Every entry that matches, whole, by its name. `None`: there is nothing to look in (an absent folder).
    async fn find(&self, query: &Find, since: Instant) -> Result<Option<Values>, Error>;

    /// Whether the credentials work, asked of the backend now.
    async fn check(&self) -> Result<Readiness, Error>;

    /// Whether the backend has answered this identity's calls since then: reason enough not to ask it with `check`.
    fn was_accepted_since(&self, _: Instant) -> bool {
        false
    }

    /// Whether values come from a backend that judges credentials: then a value that was read says that they work.
    fn is_remote(&self) -> bool {
        true
    }

    /// Whether `check` asks the backend that values come from, so that its end tells whether that is there.
    fn check_asks_backend(&self) -> bool {
        true
    }

    /// A user acted: what was refused may be permitted now, and is worth more than one call. None: whatever it was.
    fn reconsider(&self, _: Option<&RemoteRef>) {}

    /// Gives back what was created for this identity, such as a token. The pool calls it once, after the last use.
    async fn close(&self) {}
}

/// What every open store shares: connections, endpoints, counters. One per process.
pub struct Backends {
    http: Clients,
    aws: aws::Shared,
    google: vault::Google,
    metrics: ProviderMetrics,
    demand: Demand,
    waiting: Arc<dyn Waiting>,
}

impl Backends {
    /// With the endpoints and the identity that the environment names. `demand`: who waits for a worker, so that reads are
    /// kept for them. `waiting`: what they will ask.
    pub fn from_env(
        metrics: ProviderMetrics,
        timeouts: Timeouts,
        demand: Demand,
        waiting: Arc<dyn Waiting>,
        rates: Rates,
    ) -> Self {
        let aws = aws::Shared::new(aws::Endpoints::from_env(), aws::Pod::from_env()).with_call_timeout(timeouts.call);
        let aws = aws.reaching(aws::Reach::from_env()).with_rates(rates);
        Self { http: Clients::new(timeouts), aws, google: vault::Google::from_env(), metrics, demand, waiting }
    }
}

#[async_trait]
impl pool::Opener for Backends {
    fn breaker_gauge(&self, store: &StoreHandle) -> Option<BreakerGauge> {
        Some(self.metrics.breaker(store))
    }

    async fn open(&self, store: &StoreHandle, access: Arc<Access>) -> Result<Arc<dyn Store>, Error> {
        Ok(match store.provider()? {
            ProviderRef::Vault(spec) => {
                let retry = store.spec.retry_settings.as_ref();
                let shared =
                    vault::Shared { clients: &self.http, aws: &self.aws, google: &self.google, metrics: &self.metrics };
                let reads = Reads::new(self.demand.clone());
                Arc::new(vault::open(spec, retry, access, &shared, reads).await?)
            }
            ProviderRef::Aws(spec) => {
                let reads = Reads::new(self.demand.clone());
                let ahead = Ahead::new(self.waiting.clone(), store, access.scope());
                aws::open(spec, store, access, &self.aws, &self.metrics, reads, ahead).await?
            }
            ProviderRef::Fake(spec) => Arc::new(fake::Fake::new(spec.clone())),
        })
    }
}
