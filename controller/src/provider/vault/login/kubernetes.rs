//! The kubernetes method: a token of a ServiceAccount for one of Vault.
//!
//! RBAC: `create` on serviceaccounts/token for `serviceAccountRef` (or `get` on serviceaccounts and secrets, where the
//! ServiceAccount has a token in a Secret of its own), `get` on secrets for `secretRef`; without either the token of this
//! process's own Pod is sent.

use std::sync::Arc;

use api::provider::KubernetesAuth;
use vaultrs::api::auth::kubernetes::requests::LoginWithKubernetesRequest;

use crate::{
    error::{Code, Error},
    provider::vault::{fault::Server, http::Reply},
    resolve::{Access, Freshness},
    secret_bytes::SecretBytes,
};

const FIELD: &str = "spec.provider.vault.auth.kubernetes";

/// Where Kubernetes puts the token of a Pod.
const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Key of a `secretRef` that names none.
const DEFAULT_KEY: &str = "token";

pub struct Kubernetes {
    spec: KubernetesAuth,
    access: Arc<Access>,
}

/// A login that is ready to be sent.
pub struct Exchange {
    pub endpoint: LoginWithKubernetesRequest,
    /// Whether a newer token of the ServiceAccount could be had.
    pub from_cache: bool,
    who: String,
}

impl Kubernetes {
    pub const fn new(spec: KubernetesAuth, access: Arc<Access>) -> Self {
        Self { spec, access }
    }

    pub async fn prepare(&self, freshness: Freshness) -> Result<Exchange, Error> {
        let spec = &self.spec;
        let (token, who) = match (&spec.service_account_ref, &spec.secret_ref) {
            (Some(account), _) => {
                let field = format!("{FIELD}.serviceAccountRef");
                let namespace = self.access.scope().namespace(&field, account.namespace.as_deref())?;
                let who = format!("ServiceAccount {namespace}/{}", account.name);
                let token = self.access.service_account_token(&field, account, &account.audiences, freshness).await;
                let token = match token {
                    Ok(token) => token,
                    Err(error) => self.access.legacy_token(&field, account).await.ok_or(error)?,
                };
                (token, who)
            }
            (None, Some(secret)) => {
                let field = format!("{FIELD}.secretRef");
                let namespace = self.access.scope().namespace(&field, secret.namespace.as_deref())?;
                let who = format!("the token in Secret {namespace}/{}", secret.name);
                (self.access.secret_key(&field, secret, Some(DEFAULT_KEY)).await?, who)
            }
            (None, None) => (own_token().await?, "the controller's own ServiceAccount".to_owned()),
        };
        let jwt = std::str::from_utf8(token.expose().trim_ascii()).map_err(|_| {
            Error::fix(Code::StoreInvalid, format!("{FIELD}: {who} is not a token; write a JSON Web Token"))
        })?;
        let endpoint =
            LoginWithKubernetesRequest { mount: spec.mount_path.clone(), role: spec.role.clone(), jwt: jwt.to_owned() };
        Ok(Exchange { endpoint, from_cache: spec.service_account_ref.is_some(), who })
    }
}

impl Exchange {
    /// The error that a refused login means.
    pub fn denied(&self, server: &Server, reply: &Reply) -> Error {
        let LoginWithKubernetesRequest { mount, role, .. } = &self.endpoint;
        let (status, said) = (reply.status, reply.errors());
        let problem =
            format!("{FIELD}: login as role {role:?} at auth/{mount} of {server} with {}: {status}: {said}", self.who);
        let advice = match status {
            404 => "enable the method at that path or correct mountPath",
            _ => "check that the role exists and binds this ServiceAccount, its namespace and the token's audience",
        };
        Error::fix(Code::VaultLoginDenied, format!("{problem}; {advice}"))
    }
}

async fn own_token() -> Result<SecretBytes, Error> {
    tokio::fs::read(OWN_TOKEN).await.map(SecretBytes::new).map_err(|error| {
        let problem = format!("{FIELD}: the controller's own token cannot be read ({error}); set serviceAccountRef");
        Error::fix(Code::StoreInvalid, problem)
    })
}
