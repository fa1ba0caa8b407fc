//! The kubernetes method: a token of a ServiceAccount for one of Vault.
//!
//! RBAC: `create` on serviceaccounts/token for `serviceAccountRef` (or `get` on serviceaccounts and secrets, where the
//! ServiceAccount has a token in a Secret of its own), `get` on secrets for `secretRef`; without either the token of this
//! process's own Pod is sent.

use std::sync::Arc;

use api::provider::KubernetesAuth;
use async_trait::async_trait;
use vaultrs::api::auth::kubernetes::requests::LoginWithKubernetesRequest;

use super::{
    Exchange, Prepare, Shown, as_said,
    credential::{self, Credential, Edges},
};
use crate::{
    error::{Code, Error},
    provider::vault::request::Request,
    resolve::{Access, Freshness},
    secret_bytes::SecretBytes,
};

const FIELD: &str = "spec.provider.vault.auth.kubernetes";

/// Where Kubernetes puts the token of a Pod.
const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Key of a `secretRef` that names none.
const DEFAULT_KEY: &str = "token";

pub struct Kubernetes {
    pub spec: KubernetesAuth,
    pub access: Arc<Access>,
}

#[async_trait]
impl Prepare for Kubernetes {
    async fn prepare(&self, freshness: Freshness) -> Result<Exchange, Error> {
        let token = self.token(freshness).await?;
        let mount = super::mount(&self.spec.mount_path, "kubernetes");
        let role = self.spec.role.clone();
        let whom = format!("role {role:?}");
        let login = LoginWithKubernetesRequest { mount: mount.clone(), role, jwt: token.text };
        Ok(Exchange {
            request: Request::new(&login)?,
            has_fresher: self.spec.service_account_ref.is_some(),
            shown: Shown {
                field: FIELD,
                mount_field: "mountPath",
                mount,
                whom,
                with: token.shown,
                advice: "check that the role exists and binds this ServiceAccount, its namespace and the token's \
                         audience",
                quote: as_said,
            },
        })
    }
}

impl Kubernetes {
    async fn token(&self, freshness: Freshness) -> Result<Credential, Error> {
        let Self { spec, access } = self;
        if let (None, Some(selector)) = (&spec.service_account_ref, &spec.secret_ref) {
            let field = format!("{FIELD}.secretRef");
            return credential::read(access, &field, "token", selector, Some(DEFAULT_KEY), Edges::Cut).await;
        }
        let (value, shown) = match &spec.service_account_ref {
            Some(account) => {
                let field = format!("{FIELD}.serviceAccountRef");
                let namespace = access.scope().namespace(&field, account.namespace.as_deref())?;
                let shown = format!("ServiceAccount {namespace}/{}", account.name);
                let token = match access.service_account_token(&field, account, &account.audiences, freshness).await {
                    Ok(token) => token,
                    Err(error) => access.legacy_token(&field, account).await.ok_or(error)?,
                };
                (token, shown)
            }
            None => (own_token().await?, "the controller's own ServiceAccount".to_owned()),
        };
        let text = credential::text(FIELD, &format!("the token of {shown}"), &value, Edges::Cut)?;
        Ok(Credential { text, shown })
    }
}

async fn own_token() -> Result<SecretBytes, Error> {
    tokio::fs::read(OWN_TOKEN).await.map(SecretBytes::new).map_err(|error| {
        let problem = format!("{FIELD}: the controller's own token cannot be read ({error}); set serviceAccountRef");
        Error::fix(Code::StoreInvalid, problem)
    })
}

pub fn is_referent(spec: &KubernetesAuth) -> bool {
    match (&spec.service_account_ref, &spec.secret_ref) {
        (Some(account), _) => account.namespace.is_none(),
        (None, Some(secret)) => secret.namespace.is_none(),
        (None, None) => false,
    }
}
