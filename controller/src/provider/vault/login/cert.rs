//! The cert method: the certificate that the client presents in every request.
//!
//! Which one that is, the store's client knows; the login only says as which role.

use api::provider::CertAuth;
use async_trait::async_trait;
use serde::Serialize;

use super::{Exchange, Prepare, Shown, as_said, endpoint::Login};
use crate::{error::Error, provider::vault::request::Request, resolve::Freshness};

pub struct Cert {
    pub spec: CertAuth,
}

/// What Vault's cert method takes.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[async_trait]
impl Prepare for Cert {
    async fn prepare(&self, _: Freshness) -> Result<Exchange, Error> {
        let mount = super::mount(&self.spec.path, "cert");
        let role = self.spec.vault_role.as_deref();
        let request = Request::new(&Login { path: format!("{mount}/login"), body: Body { name: role } })?;
        Ok(Exchange {
            request,
            has_fresher: false,
            shown: Shown {
                field: "spec.provider.vault.auth.cert",
                mount_field: "path",
                mount,
                whom: role.map_or_else(String::new, |role| format!("role {role:?}")),
                with: "the client certificate".to_owned(),
                advice: "check that the role trusts this certificate or its authority, and that nothing in between \
                         ends TLS",
                quote: as_said,
            },
        })
    }
}
