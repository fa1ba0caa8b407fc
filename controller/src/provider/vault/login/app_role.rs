//! The appRole method: a role ID and a secret ID.
//!
//! RBAC: `get` on secrets.

use std::sync::Arc;

use api::provider::AppRoleAuth;
use async_trait::async_trait;
use vaultrs::api::auth::approle::requests::LoginWithApproleRequest;

use super::{
    Exchange, Prepare, Shown, as_said,
    credential::{self, Edges},
};
use crate::{
    error::{Code, Error},
    provider::vault::request::Request,
    resolve::{Access, Freshness},
};

const FIELD: &str = "spec.provider.vault.auth.appRole";

pub struct AppRole {
    pub spec: AppRoleAuth,
    pub access: Arc<Access>,
}

#[async_trait]
impl Prepare for AppRole {
    async fn prepare(&self, _: Freshness) -> Result<Exchange, Error> {
        let spec = &self.spec;
        let role_id = self.role_id().await?;
        let field = format!("{FIELD}.secretRef");
        let secret_id = credential::read(&self.access, &field, "secret ID", &spec.secret_ref, None, Edges::Cut).await?;
        let mount = super::mount(&spec.path, "approle");
        let login = LoginWithApproleRequest { mount: mount.clone(), role_id, secret_id: secret_id.text };
        Ok(Exchange {
            request: Request::new(&login)?,
            has_fresher: false,
            shown: Shown {
                field: FIELD,
                mount_field: "path",
                mount,
                whom: String::new(),
                with: secret_id.shown,
                advice: "check that the role has this role ID and that the secret ID is neither expired nor used up",
                quote: as_said,
            },
        })
    }
}

impl AppRole {
    /// The role ID that is written out goes before the one in a Secret.
    async fn role_id(&self) -> Result<String, Error> {
        let written = self.spec.role_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        match (written, &self.spec.role_ref) {
            (Some(id), _) => Ok(id.to_owned()),
            (None, Some(selector)) => {
                let field = format!("{FIELD}.roleRef");
                let id = credential::read(&self.access, &field, "role ID", selector, None, Edges::Cut).await?;
                Ok(id.text)
            }
            (None, None) => {
                let problem = format!("{FIELD}: names no role ID; set roleId or roleRef");
                Err(Error::fix(Code::StoreInvalid, problem))
            }
        }
    }
}

pub fn is_referent(spec: &AppRoleAuth) -> bool {
    let has_role_id = spec.role_id.is_some();
    let role_ref = spec.role_ref.as_ref().filter(|_| !has_role_id);
    spec.secret_ref.namespace.is_none() || role_ref.is_some_and(|selector| selector.namespace.is_none())
}
