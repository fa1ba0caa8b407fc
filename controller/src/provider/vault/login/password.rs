//! The ldap and userPass methods: a user name and a password.
//!
//! RBAC: `get` on secrets.

use std::sync::Arc;

use api::{
    provider::{LdapAuth, UserPassAuth},
    reference::SecretKeySelector,
};
use async_trait::async_trait;
use serde::Serialize;
use vaultrs::api::auth::userpass::requests::LoginRequest;

use super::{
    Exchange, Prepare, Shown, as_said,
    credential::{self, Edges},
    endpoint::Login,
};
use crate::{
    error::{Code, Error},
    provider::vault::request::Request,
    resolve::{Access, Freshness},
};

pub struct Password {
    keeper: Keeper,
    mount: String,
    username: String,
    secret_ref: Option<SecretKeySelector>,
    access: Arc<Access>,
}

/// Who knows the users.
#[derive(Clone, Copy)]
enum Keeper {
    Directory,
    Vault,
}

/// What Vault's ldap method takes.
#[derive(Serialize)]
struct Body<'a> {
    password: &'a str,
}

impl Password {
    pub fn ldap(spec: &LdapAuth, access: Arc<Access>) -> Self {
        Self {
            keeper: Keeper::Directory,
            mount: super::mount(&spec.path, "ldap"),
            username: spec.username.clone(),
            secret_ref: spec.secret_ref.clone(),
            access,
        }
    }

    pub fn user_pass(spec: &UserPassAuth, access: Arc<Access>) -> Self {
        Self {
            keeper: Keeper::Vault,
            mount: super::mount(&spec.path, "userpass"),
            username: spec.username.clone(),
            secret_ref: spec.secret_ref.clone(),
            access,
        }
    }
}

#[async_trait]
impl Prepare for Password {
    async fn prepare(&self, _: Freshness) -> Result<Exchange, Error> {
        let field = self.keeper.field();
        let Some(selector) = &self.secret_ref else {
            return Err(Error::fix(Code::StoreInvalid, format!("{field}: names no password; set secretRef")));
        };
        let secret_field = format!("{field}.secretRef");
        let password = credential::read(&self.access, &secret_field, "password", selector, None, Edges::Kept).await?;
        let Self { mount, username, .. } = self;
        let request = match self.keeper {
            Keeper::Directory => {
                let path = format!("{mount}/login/{username}");
                Request::new(&Login { path, body: Body { password: &password.text } })?
            }
            Keeper::Vault => {
                let (mount, username) = (mount.clone(), username.clone());
                Request::new(&LoginRequest { mount, username, password: password.text })?
            }
        };
        Ok(Exchange {
            request,
            has_fresher: false,
            shown: Shown {
                field,
                mount_field: "path",
                mount: mount.clone(),
                whom: format!("user {username:?}"),
                with: password.shown,
                advice: self.keeper.advice(),
                quote: as_said,
            },
        })
    }
}

impl Keeper {
    const fn field(self) -> &'static str {
        match self {
            Self::Directory => "spec.provider.vault.auth.ldap",
            Self::Vault => "spec.provider.vault.auth.userPass",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Directory => "check user name and password, and that Vault can ask the directory",
            Self::Vault => "check user name and password",
        }
    }
}
