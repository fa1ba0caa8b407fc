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

use crate::{error::Error, http::Clients, resolve::Access, secret_bytes::SecretBytes};

pub mod aws;
pub mod breaker;
pub mod fake;
pub mod identity;
pub mod json;
pub mod metrics;
pub mod pool;
pub mod reads;
pub mod vault;

#[cfg(test)]
pub mod fixture;
mod referent;

use identity::StoreHandle;
use metrics::ProviderMetrics;

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

    /// Whether names that `find` gives are converted before they are rewritten, not only where nothing rewrites them.
    fn converts_found_names(&self) -> bool {
        false
    }

    /// Whether the credentials work, asked of the backend now.
    async fn check(&self) -> Result<Readiness, Error>;

    /// Gives back what was created for this identity, such as a token. The pool calls it once, after the last use.
    async fn close(&self) {}
}

/// What every open store shares: connections, endpoints, counters. One per process.
pub struct Backends {
    http: Arc<Clients>,
    aws: aws::Shared,
    metrics: ProviderMetrics,
}

impl Backends {
    /// With the endpoints that the environment names.
    pub fn from_env(metrics: ProviderMetrics) -> Self {
        Self::new(aws::Endpoints::from_env(), metrics)
    }

    pub fn new(endpoints: aws::Endpoints, metrics: ProviderMetrics) -> Self {
        Self { http: Arc::default(), aws: aws::Shared::new(endpoints), metrics }
    }
}

#[async_trait]
impl pool::Opener for Backends {
    async fn open(&self, store: &StoreHandle, access: Arc<Access>) -> Result<Arc<dyn Store>, Error> {
        Ok(match store.provider()? {
            ProviderRef::Vault(spec) => {
                let retry = store.spec.retry_settings.as_ref();
                Arc::new(vault::open(spec, retry, access, &self.http, &self.metrics).await?)
            }
            ProviderRef::Aws(spec) => Arc::new(aws::open(spec, store, access, &self.aws, &self.metrics).await?),
            ProviderRef::Fake(spec) => Arc::new(fake::Fake::new(spec.clone())),
        })
    }
}
