//! A ClusterSecretStore whose credentials lie beside each ExternalSecret, seen without an ExternalSecret.

use std::time::Instant;

use api::external_secret::{Find, RemoteRef};
use async_trait::async_trait;

use super::{Readiness, Store, Values};
use crate::{
    error::{Code, Error},
    secret_bytes::SecretBytes,
};

/// Can say that nothing is known, and nothing else.
pub struct Referent;

#[async_trait]
impl Store for Referent {
    async fn get(&self, _: &RemoteRef, _: Instant) -> Result<Option<SecretBytes>, Error> {
        Err(nowhere())
    }

    async fn get_map(&self, _: &RemoteRef, _: Instant) -> Result<Option<Values>, Error> {
        Err(nowhere())
    }

    async fn find(&self, _: &Find, _: Instant) -> Result<Option<Values>, Error> {
        Err(nowhere())
    }

    async fn check(&self) -> Result<Readiness, Error> {
        Ok(Readiness::Unknown)
    }
}

fn nowhere() -> Error {
    let problem = "the credentials of this store are looked up beside each ExternalSecret, but none was given";
    Error::bug(Code::StoreInvalid, problem)
}
