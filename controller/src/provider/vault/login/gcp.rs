//! The gcp method: a Google identity, shown by a JSON Web Token that Google vouches for.
//!
//! The token is, the first that is configured: one signed here with a service account's key; one that Google signs for
//! the service account that a Kubernetes ServiceAccount stands for (Workload Identity); one that the metadata server
//! gives out for the controller's own service account.
//!
//! RBAC: `get` on secrets and serviceaccounts, `create` on serviceaccounts/token.

use std::{sync::Arc, time::SystemTime};

use api::{provider::GcpAuth, reference::SecretKeySelector};
use async_trait::async_trait;
use reqwest::Client;
use serde::Serialize;

use super::{Exchange, Prepare, Shown, as_said, endpoint::Login};
use crate::{
    error::{Code, Error},
    http,
    provider::vault::{Shared, request::Request},
    resolve::{Access, Freshness},
};

mod key;
mod metadata;
mod services;
mod workload;

pub use services::Google;

use self::{key::Key, metadata::Metadata};

const FIELD: &str = "spec.provider.vault.auth.gcp";

pub struct Gcp {
    spec: GcpAuth,
    access: Arc<Access>,
    google: Google,
    public: Client,
    metadata: Metadata,
}

/// What Vault's gcp method takes.
#[derive(Serialize)]
struct Body<'a> {
    role: &'a str,
    jwt: &'a str,
}

/// A token, and how messages name it.
struct Token {
    jwt: String,
    shown: String,
}

impl Gcp {
    pub fn new(spec: GcpAuth, access: Arc<Access>, shared: &Shared<'_>) -> Result<Self, Error> {
        let public = shared.clients.client(FIELD, None, None)?;
        let metadata = Metadata::new(shared.google, http::direct()?);
        Ok(Self { spec, access, google: shared.google.clone(), public, metadata })
    }

    async fn token(&self) -> Result<Token, Error> {
        let role = &self.spec.role;
        if let Some(selector) = self.key_selector() {
            let field = format!("{FIELD}.secretRef.secretAccessKeySecretRef");
            let namespace = self.access.scope().namespace(&field, selector.namespace.as_deref())?;
            let value = self.access.secret_key(&field, selector, None).await?;
            let shown = format!("the key in Secret {namespace}/{}", selector.name);
            let key = Key::parse(&field, &shown, value.expose())?;
            let jwt = key.sign(&field, &claims(&key.email, role, SystemTime::now()))?;
            return Ok(Token { jwt, shown: format!("{shown} (of {})", key.email) });
        }
        if let Some(identity) = &self.spec.workload_identity {
            return workload::token(self, identity).await;
        }
        let jwt = self.metadata.identity(&format!("http://{}", audience(role))).await?;
        Ok(Token { jwt, shown: "the controller's own Google identity".to_owned() })
    }

    fn key_selector(&self) -> Option<&SecretKeySelector> {
        self.spec.secret_ref.as_ref()?.secret_access_key_secret_ref.as_ref()
    }
}

#[async_trait]
impl Prepare for Gcp {
    async fn prepare(&self, _: Freshness) -> Result<Exchange, Error> {
        let token = self.token().await?;
        let mount = super::mount(&self.spec.path, "gcp");
        let role = &self.spec.role;
        let request = Request::new(&Login { path: format!("{mount}/login"), body: Body { role, jwt: &token.jwt } })?;
        Ok(Exchange {
            request,
            has_fresher: false,
            shown: Shown {
                field: FIELD,
                mount_field: "path",
                mount,
                whom: format!("role {role:?}"),
                with: token.shown,
                advice: "check the role's type (iam, or gce for the controller's own identity), its bound service \
                         accounts and max_jwt_exp",
                quote: as_said,
            },
        })
    }
}

/// What the token must say, for Vault to take it for this role.
fn audience(role: &str) -> String {
    format!("vault/{role}")
}

/// What a token of a service account says. Vault takes no token that lives longer than its `max_jwt_exp`, 15 minutes
/// unless set.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: String,
    iat: u64,
    exp: u64,
}

/// Life of a token in seconds: long enough for clocks that differ, within what Vault takes.
const LIFE: u64 = 600;

fn claims<'a>(email: &'a str, role: &str, now: SystemTime) -> Claims<'a> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    Claims { iss: email, sub: email, aud: audience(role), iat: now, exp: now + LIFE }
}

fn invalid(problem: String) -> Error {
    Error::fix(Code::GoogleCredentialsInvalid, problem)
}

pub fn is_referent(spec: &GcpAuth) -> bool {
    if let Some(selector) = spec.secret_ref.as_ref().and_then(|key| key.secret_access_key_secret_ref.as_ref()) {
        return selector.namespace.is_none();
    }
    spec.workload_identity.as_ref().is_some_and(|identity| identity.service_account_ref.namespace.is_none())
}

#[cfg(test)]
mod tests;
