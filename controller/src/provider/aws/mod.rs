//! AWS Secrets Manager.

use std::{sync::Arc, time::Instant};

use api::{
    external_secret::{Find, RemoteRef},
    provider::Aws as Spec,
};
use async_trait::async_trait;

use super::{Readiness, Store, Values, identity::StoreHandle, metrics::ProviderMetrics};
use crate::{
    error::{Code, Error},
    resolve::Access,
    secret_bytes::SecretBytes,
};

/// Addresses that replace those of AWS.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Endpoints {
    pub secrets_manager: Option<String>,
    pub sts: Option<String>,
}

impl Endpoints {
    /// From `AWS_SECRETSMANAGER_ENDPOINT` and `AWS_STS_ENDPOINT`, the names that the Go operator reads.
    pub fn from_env() -> Self {
        let read = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
        Self { secrets_manager: read("AWS_SECRETSMANAGER_ENDPOINT"), sts: read("AWS_STS_ENDPOINT") }
    }
}

pub struct Shared;

impl Shared {
    pub fn new(_: Endpoints) -> Self {
        Self
    }
}

pub struct Aws;

pub async fn open(_: &Spec, _: &StoreHandle, _: Arc<Access>, _: &Shared, _: &ProviderMetrics) -> Result<Aws, Error> {
    Err(Error::fix(Code::NotSupported, "spec.provider.aws: not part of this build yet"))
}

/// Whether any credential is looked up beside the ExternalSecret when the store is a ClusterSecretStore.
pub fn is_referent(_: &Spec) -> bool {
    false
}

#[async_trait]
impl Store for Aws {
    async fn get(&self, _: &RemoteRef, _: Instant) -> Result<Option<SecretBytes>, Error> {
        Ok(None)
    }

    async fn get_map(&self, _: &RemoteRef, _: Instant) -> Result<Option<Values>, Error> {
        Ok(None)
    }

    async fn find(&self, _: &Find, _: Instant) -> Result<Option<Values>, Error> {
        Ok(None)
    }

    async fn check(&self) -> Result<Readiness, Error> {
        Ok(Readiness::Unknown)
    }
}
