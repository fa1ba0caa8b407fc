//! How a token is come by: one file per method.

use std::sync::Arc;

use api::{provider::VaultAuth, reference::SecretKeySelector};
use reqwest::header::HeaderValue;

use crate::{
    error::{Code, Error},
    resolve::{Access, Freshness},
};

mod kubernetes;

pub use kubernetes::Exchange;

/// Where the authentication block stands in a store.
const FIELD: &str = "spec.provider.vault.auth";

/// The method that a store configures.
pub enum Method {
    /// None: something in between adds a token, or none is needed.
    Nothing,
    /// A token kept in a Secret.
    Token { selector: SecretKeySelector, access: Arc<Access> },
    /// A token of a ServiceAccount, exchanged for one of Vault.
    Kubernetes(kubernetes::Kubernetes),
}

/// What a method leads to.
pub enum Login {
    /// This token is used as it is.
    Token(HeaderValue),
    /// This request brings a token.
    Exchange(Exchange),
}

impl Method {
    /// The first method that is set, in the order in which the Go operator tries them.
    pub fn new(auth: Option<&VaultAuth>, access: &Arc<Access>) -> Result<Self, Error> {
        let Some(auth) = auth else { return Ok(Self::Nothing) };
        if let Some(selector) = &auth.token_secret_ref {
            return Ok(Self::Token { selector: selector.clone(), access: access.clone() });
        }
        if auth.app_role.is_some() {
            return Err(unsupported("appRole"));
        }
        if let Some(spec) = &auth.kubernetes {
            return Ok(Self::Kubernetes(kubernetes::Kubernetes::new(spec.clone(), access.clone())));
        }
        let others = [
            ("ldap", auth.ldap.is_some()),
            ("userPass", auth.user_pass.is_some()),
            ("jwt", auth.jwt.is_some()),
            ("cert", auth.cert.is_some()),
            ("iam", auth.iam.is_some()),
            ("gcp", auth.gcp.is_some()),
        ];
        match others.into_iter().find(|(_, is_set)| *is_set) {
            Some((name, _)) => Err(unsupported(name)),
            None => Err(Error::fix(
                Code::StoreInvalid,
                format!("{FIELD}: names no method; set tokenSecretRef or kubernetes, or remove auth"),
            )),
        }
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
            Self::Kubernetes(method) => method.prepare(freshness).await.map(Login::Exchange),
        }
    }
}

/// A token as a header. Files end in a newline, and so do Secrets that are made of them.
pub fn header(token: &[u8]) -> Result<HeaderValue, ()> {
    let token = token.trim_ascii();
    let mut value = HeaderValue::from_bytes(token).map_err(|_| ())?;
    value.set_sensitive(true);
    if token.is_empty() { Err(()) } else { Ok(value) }
}

fn unsupported(method: &str) -> Error {
    let advice = "use tokenSecretRef or kubernetes";
    Error::fix(Code::NotSupported, format!("{FIELD}.{method}: this method is not part of this build yet; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_trimmed_and_never_printed() {
        let value = header(b"hvs.canary\n").unwrap();
        assert_eq!(value.as_bytes(), b"hvs.canary");
        assert!(!format!("{value:?}").contains("canary"));
        for token in [&b""[..], b"\n", b"two\nlines", b"nul\0"] {
            assert!(header(token).is_err(), "{token:?}");
        }
    }
}
