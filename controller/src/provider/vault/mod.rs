//! HashiCorp Vault and OpenBao.

use std::{sync::Arc, time::Instant};

use api::{
    external_secret::{Find, RemoteRef},
    provider::{Vault as Spec, VaultAuth},
    store::RetrySettings,
};
use async_trait::async_trait;

use super::{Readiness, Store, Values, metrics::ProviderMetrics};
use crate::{
    error::{Code, Error},
    http::Clients,
    resolve::Access,
    secret_bytes::SecretBytes,
};

pub struct Vault;

pub async fn open(
    _: &Spec,
    _: Option<&RetrySettings>,
    _: Arc<Access>,
    _: &Clients,
    _: &ProviderMetrics,
) -> Result<Vault, Error> {
    Err(Error::fix(Code::NotSupported, "spec.provider.vault: not part of this build yet"))
}

/// Whether any credential is looked up beside the ExternalSecret when the store is a ClusterSecretStore.
pub fn is_referent(spec: &Spec) -> bool {
    spec.auth.as_ref().is_some_and(auth_is_referent)
}

fn auth_is_referent(auth: &VaultAuth) -> bool {
    if let Some(token) = &auth.token_secret_ref {
        return token.namespace.is_none();
    }
    auth.kubernetes.as_ref().is_some_and(|kubernetes| match (&kubernetes.service_account_ref, &kubernetes.secret_ref) {
        (Some(account), _) => account.namespace.is_none(),
        (None, Some(secret)) => secret.namespace.is_none(),
        (None, None) => false,
    })
}

#[async_trait]
impl Store for Vault {
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
