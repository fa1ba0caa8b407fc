//! A token in use: where it came from, how long it lives and how often it serves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::header::HeaderValue;

use super::{fault::Server, http::Reply};
use crate::{
    error::{Code, Error},
    provider::json::Json,
};

/// See the module documentation.
#[derive(Debug)]
pub struct Token {
    pub value: HeaderValue,
    pub obtained_at: Instant,
    /// Of a token that a login created; none if the store brought it.
    pub life: Option<Life>,
    /// Requests that it is still good for; none if nobody counts.
    uses: Option<Arc<AtomicU64>>,
}

/// Of a token that a login created.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// `None`: for ever.
    pub ends_at: Option<Instant>,
    pub renew_at: Option<Instant>,
    /// What the login granted.
    pub granted: Duration,
    pub is_renewable: bool,
    /// A batch token is written down nowhere: it can neither be renewed nor revoked.
    pub is_batch: bool,
}

impl Token {
    /// One that the store brought.
    pub const fn given(value: HeaderValue, obtained_at: Instant) -> Self {
        Self { value, obtained_at, life: None, uses: None }
    }

    /// The one in the answer to a login.
    pub fn granted(server: &Server, reply: Reply, obtained_at: Instant) -> Result<Self, Error> {
        let auth = reply.body.take("auth").unwrap_or(Json::Null);
        if auth.get("mfa_requirement").is_some_and(|demand| *demand != Json::Null) {
            let advice = "log in with a method or role for which no MFA is enforced";
            let problem = format!("{server} wants a second factor, which a controller does not have; {advice}");
            return Err(Error::fix(Code::VaultLoginDenied, problem));
        }
        let Some(value) = auth.get("client_token").and_then(Json::as_str) else {
            let problem = format!("{server} answered a login without a token");
            return Err(Error::retry(Code::VaultUnexpectedAnswer, problem));
        };
        let value = super::login::header(value.as_bytes()).map_err(|()| {
            let problem = format!("{server} answered a login with a token that no header can carry");
            Error::fix(Code::VaultUnexpectedAnswer, problem)
        })?;
        let is_batch = auth.get("token_type").and_then(Json::as_str) == Some("batch");
        let is_renewable = auth.get("renewable") == Some(&Json::Bool(true)) && !is_batch;
        let life = Life { is_batch, ..Life::new(lease(&auth).unwrap_or_default(), is_renewable, obtained_at) };
        let uses = auth.get("num_uses").and_then(Json::as_u64).filter(|uses| *uses > 0);
        Ok(Self { value, obtained_at, life: Some(life), uses: uses.map(|uses| Arc::new(AtomicU64::new(uses))) })
    }

    /// The same token with another life.
    pub fn living(&self, life: Life, obtained_at: Instant) -> Self {
        Self { value: self.value.clone(), obtained_at, life: Some(life), uses: self.uses.clone() }
    }

    /// Counts a request. False: there were as many as Vault allows, and this is one too many.
    pub fn count_use(&self) -> bool {
        let left = |uses: &Arc<AtomicU64>| {
            uses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |uses| uses.checked_sub(1)).is_ok()
        };
        self.uses.as_ref().is_none_or(left)
    }

    /// Whether it is to be given back: it was created here, and Vault knows it.
    pub fn is_revocable(&self) -> bool {
        self.life.is_some_and(|life| !life.is_batch) && self.count_use()
    }
}

impl Life {
    pub fn new(granted: Duration, is_renewable: bool, now: Instant) -> Self {
        let at = |after| Some(granted).filter(|granted| !granted.is_zero()).and_then(|_| now.checked_add(after));
        let renew_at = at(granted / 3 * 2);
        Self { ends_at: at(granted), renew_at, granted, is_renewable, is_batch: false }
    }
}

/// The life that an `auth` block grants.
pub fn lease(auth: &Json) -> Option<Duration> {
    auth.get("lease_duration").and_then(Json::as_u64).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(auth: &str) -> Result<Token, Error> {
        let server = Server::new(&reqwest::Url::parse("https://v").unwrap());
        let body = Json::parse(format!(r#"{{"auth":{auth}}}"#).as_bytes()).unwrap();
        Token::granted(&server, Reply { status: 200, body }, Instant::now())
    }

    #[test]
    fn batch_tokens_are_neither_renewed_nor_given_back() {
        let auth = |kind: &str, renewable: bool| {
            format!(
                r#"{{"client_token":"t","lease_duration":90,"renewable":{renewable},"token_type":"{kind}","policies":null}}"#
            )
        };
        for (kind, renewable, is_renewable, is_revocable) in [
            ("service", true, true, true),
            ("service", false, false, true),
            ("batch", false, false, false),
            ("batch", true, false, false),
        ] {
            let token = granted(&auth(kind, renewable)).unwrap();
            let life = token.life.unwrap();
            assert_eq!((life.is_renewable, token.is_revocable()), (is_renewable, is_revocable), "{kind}");
            let until = life.renew_at.unwrap() - token.obtained_at;
            assert_eq!((life.granted, until), (Duration::from_secs(90), Duration::from_mins(1)));
        }
        let forever = granted(r#"{"client_token":"t","lease_duration":0}"#).unwrap().life.unwrap();
        assert_eq!((forever.ends_at, forever.renew_at), (None, None));
        let longest = granted(&format!(r#"{{"client_token":"t","lease_duration":{}}}"#, u64::MAX)).unwrap();
        assert_eq!(longest.life.unwrap().ends_at, None);
    }

    #[test]
    fn token_with_limited_uses_serves_that_often_and_is_not_given_back_after() {
        let token = granted(r#"{"client_token":"t","lease_duration":90,"num_uses":2}"#).unwrap();
        assert!(token.count_use() && token.count_use() && !token.count_use());
        assert!(!token.is_revocable());
    }

    #[test]
    fn answers_without_a_token_are_told_apart() {
        for (auth, code) in [
            ("null", Code::VaultUnexpectedAnswer),
            ("[]", Code::VaultUnexpectedAnswer),
            (r#"{"client_token":null}"#, Code::VaultUnexpectedAnswer),
            (r#"{"client_token":""}"#, Code::VaultUnexpectedAnswer),
            (r#"{"client_token":"a\nb"}"#, Code::VaultUnexpectedAnswer),
            (r#"{"client_token":"","mfa_requirement":{"mfa_request_id":"x"}}"#, Code::VaultLoginDenied),
        ] {
            assert_eq!(granted(auth).unwrap_err().code(), code, "{auth}");
        }
    }
}
