//! The jwt method: a JSON Web Token, from a Secret or requested for a ServiceAccount.
//!
//! RBAC: `get` on secrets, or `create` on serviceaccounts/token.

use std::sync::Arc;

use api::provider::{JwtAuth, ServiceAccountToken};
use async_trait::async_trait;
use vaultrs::api::auth::oidc::requests::JWTLoginRequest;

use super::{
    Exchange, Prepare, Shown, as_said,
    credential::{self, Credential, Edges},
};
use crate::{
    error::{Code, Error},
    provider::vault::request::Request,
    resolve::{Access, Freshness},
};

const FIELD: &str = "spec.provider.vault.auth.jwt";

/// Audience of a token whose spec names none.
const DEFAULT_AUDIENCE: &str = "vault";

pub struct Jwt {
    pub spec: JwtAuth,
    pub access: Arc<Access>,
}

#[async_trait]
impl Prepare for Jwt {
    async fn prepare(&self, freshness: Freshness) -> Result<Exchange, Error> {
        let spec = &self.spec;
        let (token, has_fresher) = match (&spec.secret_ref, &spec.kubernetes_service_account_token) {
            (Some(selector), _) => {
                let field = format!("{FIELD}.secretRef");
                (credential::read(&self.access, &field, "token", selector, None, Edges::Cut).await?, false)
            }
            (None, Some(token)) => (self.requested(token, freshness).await?, true),
            (None, None) => {
                let problem = format!("{FIELD}: names no token; set secretRef or kubernetesServiceAccountToken");
                return Err(Error::fix(Code::StoreInvalid, problem));
            }
        };
        let mount = super::mount(&spec.path, "jwt");
        let login = JWTLoginRequest { mount: mount.clone(), jwt: token.text, role: spec.role.clone() };
        let whom = spec.role.as_ref().map_or_else(|| "the default role".to_owned(), |role| format!("role {role:?}"));
        Ok(Exchange {
            request: Request::new(&login)?,
            has_fresher,
            shown: Shown {
                field: FIELD,
                mount_field: "path",
                mount,
                whom,
                with: token.shown,
                advice: "check the role's bound audiences, subject and claims, and that the token has not expired",
                quote: as_said,
            },
        })
    }
}

impl Jwt {
    async fn requested(&self, token: &ServiceAccountToken, freshness: Freshness) -> Result<Credential, Error> {
        let field = format!("{FIELD}.kubernetesServiceAccountToken.serviceAccountRef");
        let account = &token.service_account_ref;
        let namespace = self.access.scope().namespace(&field, account.namespace.as_deref())?;
        let shown = format!("a token of ServiceAccount {namespace}/{}", account.name);
        let audiences = token.audiences.clone().unwrap_or_else(|| vec![DEFAULT_AUDIENCE.to_owned()]);
        let audiences: Vec<String> = audiences.into_iter().chain(account.audiences.iter().cloned()).collect();
        let life = token.expiration_seconds;
        let value = self.access.service_account_token_for(&field, account, &audiences, life, freshness).await?;
        let text = credential::text(&field, &shown, &value, Edges::Cut)?;
        Ok(Credential { text, shown })
    }
}

pub fn is_referent(spec: &JwtAuth) -> bool {
    match (&spec.secret_ref, &spec.kubernetes_service_account_token) {
        (Some(selector), _) => selector.namespace.is_none(),
        (None, Some(token)) => token.service_account_ref.namespace.is_none(),
        (None, None) => false,
    }
}
