//! How a token is come by: one file per method.
//!
//! What enters is a store's `auth` block and the references it may follow; what leaves is a token to use as it is, or a
//! request that brings one. Credentials are read when a login is due, so that a replaced one counts. Nothing here talks
//! to Vault.

use std::sync::Arc;

use api::{
    provider::{Vault as Spec, VaultAuth},
    reference::SecretKeySelector,
    store::RetrySettings,
};
use async_trait::async_trait;
use reqwest::header::HeaderValue;

use super::{Shared, fault::Server, http::Reply, request::Request};
use crate::{
    error::{Code, Error},
    resolve::{Access, Freshness},
};

mod app_role;
mod cert;
mod credential;
mod endpoint;
mod gcp;
mod iam;
mod jwt;
mod kubernetes;
mod password;

pub use gcp::Google;

/// Where the authentication block stands in a store.
const FIELD: &str = "spec.provider.vault.auth";

/// The method that a store configures.
pub enum Method {
    /// None: something in between adds a token, or none is needed.
    Nothing,
    /// A token kept in a Secret.
    Token { selector: SecretKeySelector, access: Arc<Access> },
    /// Something that Vault exchanges for a token.
    Exchanged(Box<dyn Prepare>),
}

/// A method that exchanges a credential for a token.
#[async_trait]
pub trait Prepare: Send + Sync {
    /// Everything up to the request to Vault. `Freshness::Fresh`: Vault refused what was kept from an earlier time.
    async fn prepare(&self, freshness: Freshness) -> Result<Exchange, Error>;
}

/// What a method leads to.
pub enum Login {
    /// This token is used as it is.
    Token(HeaderValue),
    /// This request brings a token.
    Exchange(Exchange),
}

/// A login that is ready to be sent.
pub struct Exchange {
    pub request: Request,
    /// Whether a newer credential could be had than the one in the request.
    pub has_fresher: bool,
    pub shown: Shown,
}

/// How messages speak of a login.
pub struct Shown {
    /// Field of the method.
    pub field: &'static str,
    /// Field of the mount, below it.
    pub mount_field: &'static str,
    pub mount: String,
    /// What is logged in as, such as `role "app"`; empty if Vault decides.
    pub whom: String,
    /// The credential, such as `ServiceAccount team-a/app`.
    pub with: String,
    /// What to check when Vault refuses.
    pub advice: &'static str,
    /// What may be repeated of Vault's words.
    pub quote: fn(String) -> String,
}

impl Method {
    /// The first method that is set, in the order in which the Go operator tries them.
    pub fn new(
        spec: &Spec,
        retry: Option<&RetrySettings>,
        access: &Arc<Access>,
        shared: &Shared<'_>,
    ) -> Result<Self, Error> {
        let Some(auth) = &spec.auth else { return Ok(Self::Nothing) };
        if let Some(selector) = &auth.token_secret_ref {
            return Ok(Self::Token { selector: selector.clone(), access: access.clone() });
        }
        let access = access.clone();
        let method: Box<dyn Prepare> = match auth {
            VaultAuth { app_role: Some(spec), .. } => Box::new(app_role::AppRole { spec: spec.clone(), access }),
            VaultAuth { kubernetes: Some(spec), .. } => Box::new(kubernetes::Kubernetes { spec: spec.clone(), access }),
            VaultAuth { ldap: Some(spec), .. } => Box::new(password::Password::ldap(spec, access)),
            VaultAuth { user_pass: Some(spec), .. } => Box::new(password::Password::user_pass(spec, access)),
            VaultAuth { jwt: Some(spec), .. } => Box::new(jwt::Jwt { spec: spec.clone(), access }),
            VaultAuth { cert: Some(spec), .. } => Box::new(cert::Cert { spec: spec.clone() }),
            VaultAuth { iam: Some(spec), .. } => Box::new(iam::Iam::new(spec.clone(), retry, access, shared)?),
            VaultAuth { gcp: Some(spec), .. } => Box::new(gcp::Gcp::new(spec.clone(), access, shared)?),
            _ => {
                let problem = format!("{FIELD}: names no method; set one, such as kubernetes, or remove auth");
                return Err(Error::fix(Code::StoreInvalid, problem));
            }
        };
        Ok(Self::Exchanged(method))
    }

    /// Everything up to the request to Vault.
    pub async fn prepare(&self, freshness: Freshness) -> Result<Login, Error> {
        match self {
            Self::Nothing => Err(Error::bug(Code::StoreInvalid, format!("{FIELD}: there is nothing to log in with"))),
            Self::Token { selector, access } => {
                let field = format!("{FIELD}.tokenSecretRef");
                let token = access.secret_key(&field, selector, None).await?;
                header(token.expose()).map(Login::Token).map_err(|()| {
                    let problem =
                        "the token is empty or holds characters that no header can carry; write the token alone";
                    Error::fix(Code::StoreInvalid, format!("{field}: {problem}"))
                })
            }
            Self::Exchanged(method) => method.prepare(freshness).await.map(Login::Exchange),
        }
    }
}

impl Exchange {
    /// The error that a refused login means.
    pub fn denied(&self, server: &Server, reply: &Reply) -> Error {
        let Shown { field, mount_field, mount, whom, with, advice, quote } = &self.shown;
        let (status, said) = (reply.status, quote(reply.errors()));
        let whom = if whom.is_empty() { String::new() } else { format!(" as {whom}") };
        let advice = match status {
            404 => &format!("enable the method at that path or correct {mount_field}"),
            _ => *advice,
        };
        let problem = format!("{field}: login{whom} at auth/{mount} of {server} with {with}: {status}: {said}");
        Error::fix(Code::VaultLoginDenied, format!("{problem}; {advice}"))
    }
}

/// Whether any credential is looked up beside the ExternalSecret when the store is a ClusterSecretStore.
pub fn is_referent(auth: &VaultAuth) -> bool {
    let beside = |selector: Option<&SecretKeySelector>| selector.is_some_and(|selector| selector.namespace.is_none());
    match auth {
        VaultAuth { token_secret_ref: Some(token), .. } => beside(Some(token)),
        VaultAuth { app_role: Some(spec), .. } => app_role::is_referent(spec),
        VaultAuth { kubernetes: Some(spec), .. } => kubernetes::is_referent(spec),
        VaultAuth { ldap: Some(spec), .. } => beside(spec.secret_ref.as_ref()),
        VaultAuth { user_pass: Some(spec), .. } => beside(spec.secret_ref.as_ref()),
        VaultAuth { jwt: Some(spec), .. } => jwt::is_referent(spec),
        VaultAuth { cert: Some(spec), .. } => beside(spec.client_cert.as_ref()) || beside(spec.secret_ref.as_ref()),
        VaultAuth { iam: Some(spec), .. } => iam::is_referent(spec),
        VaultAuth { gcp: Some(spec), .. } => gcp::is_referent(spec),
        _ => false,
    }
}

/// A token as a header. Files end in a newline, and so do Secrets that are made of them.
pub fn header(token: &[u8]) -> Result<HeaderValue, ()> {
    let token = token.trim_ascii();
    let mut value = HeaderValue::from_bytes(token).map_err(|_| ())?;
    value.set_sensitive(true);
    if token.is_empty() { Err(()) } else { Ok(value) }
}

/// The mount of a method without the slashes around it.
fn mount(path: &str, default: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() { default.to_owned() } else { path.to_owned() }
}

/// Words of Vault as they are: for methods whose refusals hold nothing of the credential.
const fn as_said(said: String) -> String {
    said
}

#[cfg(test)]
mod tests;
