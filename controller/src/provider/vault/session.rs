//! The token that requests carry: obtained once, shared, renewed at two thirds of its life, given back at the end.
//!
//! A 403 may mean that the token was revoked or replaced, so one refused request obtains a token once more before the
//! refusal counts; where that did not help lately, the refusal counts at once, unless Vault says that the token is to blame.
//! Whoever obtains a token holds the lock meanwhile: concurrent requests share one login.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use reqwest::header::HeaderValue;
use rustify::endpoint::Endpoint;
use tokio::sync::Mutex;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RenewTokenSelfRequest, RevokeTokenSelfRequest};

use super::{
    fault::Server,
    http::{Caller, Reply, Transport},
    login::{Login, Method},
    refusals::Refusals,
};
use crate::{
    error::{Code, Error},
    provider::{
        Readiness,
        json::Json,
        metrics::{ProviderMetrics, names},
    },
    resolve::Freshness,
};

/// A token younger than this was not revoked by the time it was refused: the refusal counts. Spares Vault a login for
/// each of a hundred requests that a policy forbids.
const YOUNG: Duration = Duration::from_secs(5);

/// Time until the next attempt when a token could not be renewed but still lives.
const RENEW_AGAIN: Duration = Duration::from_secs(10);

/// See the module documentation.
pub struct Session {
    transport: Transport,
    method: Method,
    namespace: Option<HeaderValue>,
    login_namespace: Option<HeaderValue>,
    metrics: ProviderMetrics,
    token: Mutex<Option<Arc<Token>>>,
    refusals: std::sync::Mutex<Refusals>,
}

/// A token in use.
#[derive(Debug)]
struct Token {
    value: HeaderValue,
    obtained_at: Instant,
    life: Option<Life>,
}

/// Of a token that a login created.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// `None`: for ever.
    ends_at: Option<Instant>,
    renew_at: Option<Instant>,
    /// What the login granted.
    granted: Duration,
    renewable: bool,
}

impl Life {
    fn new(granted: Duration, renewable: bool, now: Instant) -> Self {
        let at = |after| Some(granted).filter(|granted| !granted.is_zero()).and_then(|_| now.checked_add(after));
        Self { ends_at: at(granted), renew_at: at(granted * 2 / 3), granted, renewable }
    }
}

impl Session {
    /// `namespace`: of the engine; `login_namespace`: of the method, when it is another one.
    pub fn new(
        transport: Transport,
        method: Method,
        namespace: Option<HeaderValue>,
        login_namespace: Option<HeaderValue>,
        metrics: ProviderMetrics,
    ) -> Self {
        let login_namespace = login_namespace.or_else(|| namespace.clone());
        Self {
            transport,
            method,
            namespace,
            login_namespace,
            metrics,
            token: Mutex::default(),
            refusals: std::sync::Mutex::default(),
        }
    }

    pub const fn server(&self) -> &Server {
        self.transport.server()
    }

    /// Executes an endpoint in the engine's namespace; counted as `call`.
    pub async fn call<E: Endpoint>(&self, endpoint: &E, call: &str) -> Result<Reply, Error> {
        self.call_in(self.namespace.clone(), endpoint, call).await
    }

    /// Some paths that were refused may be permitted to another token now.
    pub fn reconsider(&self, which: impl Fn(&str) -> bool) {
        self.refusals().forget(which);
    }

    fn refusals(&self) -> std::sync::MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call_in<E: Endpoint>(
        &self,
        namespace: Option<HeaderValue>,
        endpoint: &E,
        call: &str,
    ) -> Result<Reply, Error> {
        let token = self.obtain().await?;
        let mut caller = Caller { token: token.as_ref().map(|token| token.value.clone()), namespace };
        let mut reply = self.counted(endpoint, &caller, call).await?;
        let path = endpoint.path();
        if reply.status != 403 {
            self.refusals().forget(|refused| refused == path);
            return Ok(reply);
        }
        let Some(token) = token else { return Ok(reply) };
        if !reply.blames_token() && !self.refusals().is_another_worth_it(&path, now()) {
            return Ok(reply);
        }
        let mut used = token.clone();
        if let Some(next) = self.obtain_other(&token).await? {
            caller.token = Some(next.value.clone());
            reply = self.counted(endpoint, &caller, call).await?;
            used = next;
        }
        // A token that was given, and not obtained by a login, costs Vault nothing to look at again.
        if reply.status == 403 && !reply.blames_token() && used.life.is_some() {
            self.refusals().remember(&path, now());
        }
        Ok(reply)
    }

    async fn counted<E: Endpoint>(&self, endpoint: &E, caller: &Caller, call: &str) -> Result<Reply, Error> {
        let result = self.transport.call(endpoint, caller).await;
        let success = result.as_ref().is_ok_and(|reply| reply.is_success() || reply.status == 404);
        self.metrics.count(names::VAULT, call, success);
        result
    }

    /// Obtains a token now unless there is one. What a store is opened with.
    pub async fn open(&self) -> Result<(), Error> {
        self.obtain().await.map(|_| ())
    }

    /// Asks Vault whether the token is good.
    pub async fn check(&self) -> Result<Readiness, Error> {
        let namespace = self.login_namespace.clone();
        let reply = self.call_in(namespace, &LookupTokenSelfRequest {}, names::VAULT_LOOKUP_SELF).await?;
        match reply.status {
            200..=299 => Ok(Readiness::Ready),
            400 | 403 => Err(self.server().token_refused(&format!("auth/token/lookup-self: {}", reply.errors()))),
            _ => Err(self.server().refused(&reply, "auth/token/lookup-self", "read")),
        }
    }

    /// Gives back a token that a login created. Nothing depends on it: the token ends by itself.
    pub async fn close(&self) {
        let Some(token) = self.token.lock().await.take() else { return };
        if token.life.is_some() {
            let caller = self.login_caller(Some(token.value.clone()));
            if let Err(error) = self.counted(&RevokeTokenSelfRequest {}, &caller, names::VAULT_REVOKE_SELF).await {
                tracing::debug!(%error, "a token was not revoked and is left to expire");
            }
        }
    }

    const fn is_anonymous(&self) -> bool {
        matches!(self.method, Method::Nothing)
    }

    fn login_caller(&self, token: Option<HeaderValue>) -> Caller {
        Caller { token, namespace: self.login_namespace.clone() }
    }

    /// The token in use, renewed if it is time. `None`: requests carry none.
    async fn obtain(&self) -> Result<Option<Arc<Token>>, Error> {
        if self.is_anonymous() {
            return Ok(None);
        }
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref() {
            let now = now();
            let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
            match token.life {
                Some(life) if is_due(life.renew_at) => match self.renewed(token, life).await {
                    Ok(next) => *held = Some(Arc::new(next)),
                    Err(error) if is_due(life.ends_at) => return Err(error),
                    // The old one still does; the backend may be back before it ends.
                    Err(_) => {
                        let life = Life { renew_at: now.checked_add(RENEW_AGAIN), ..life };
                        let token =
                            Token { value: token.value.clone(), obtained_at: token.obtained_at, life: Some(life) };
                        *held = Some(Arc::new(token));
                    }
                },
                _ => {}
            }
        } else {
            *held = Some(Arc::new(self.login(Freshness::Cached).await?));
        }
        Ok(held.clone())
    }

    /// Another token than the one that was refused. `None`: there is no other to be had.
    async fn obtain_other(&self, refused: &Arc<Token>) -> Result<Option<Arc<Token>>, Error> {
        let mut held = self.token.lock().await;
        match held.as_ref() {
            Some(current) if !Arc::ptr_eq(current, refused) => return Ok(Some(current.clone())),
            _ if now().saturating_duration_since(refused.obtained_at) < YOUNG => return Ok(None),
            _ => {}
        }
        let next = Arc::new(self.login(Freshness::Cached).await?);
        // The Secret still holds the same token. Remembered as looked at, so that the next refusal does not look again.
        let is_other = next.value != refused.value;
        *held = Some(next.clone());
        Ok(is_other.then_some(next))
    }

    /// Renews a token, or logs in again where that gains little: near the longest life that Vault allows it.
    async fn renewed(&self, token: &Token, life: Life) -> Result<Token, Error> {
        if life.renewable && life.ends_at.is_some_and(|ends_at| now() < ends_at) {
            let started = now();
            let caller = self.login_caller(Some(token.value.clone()));
            let reply = self.transport.call(&RenewTokenSelfRequest { increment: None }, &caller).await;
            if let Ok(reply) = reply
                && let Some(granted) = reply.body.get("auth").and_then(lease)
                && reply.is_success()
                && granted * 2 >= life.granted
            {
                let life = Life { granted: life.granted, ..Life::new(granted, true, started) };
                return Ok(Token { value: token.value.clone(), obtained_at: started, life: Some(life) });
            }
        }
        self.login(Freshness::Cached).await
    }

    async fn login(&self, freshness: Freshness) -> Result<Token, Error> {
        let obtained_at = now();
        match self.method.prepare(freshness).await? {
            Login::Token(value) => Ok(Token { value, obtained_at, life: None }),
            Login::Exchange(exchange) => {
                let reply = self.counted(&exchange.endpoint, &self.login_caller(None), names::VAULT_LOGIN).await?;
                let is_denied = matches!(reply.status, 400 | 401 | 403);
                if is_denied && exchange.from_cache && freshness == Freshness::Cached {
                    return Box::pin(self.login(Freshness::Fresh)).await;
                }
                if !reply.is_success() {
                    return Err(exchange.denied(self.server(), &reply));
                }
                let auth = reply.body.take("auth").unwrap_or(Json::Null);
                let Some(value) = auth.get("client_token").and_then(Json::as_str) else {
                    let problem = format!("{} answered a login without a token", self.server());
                    return Err(Error::retry(Code::VaultUnexpectedAnswer, problem));
                };
                let value = super::login::header(value.as_bytes()).map_err(|()| {
                    let problem = format!("{} answered a login with a token that no header can carry", self.server());
                    Error::fix(Code::VaultUnexpectedAnswer, problem)
                })?;
                let renewable = auth.get("renewable") == Some(&Json::Bool(true));
                let life = Life::new(lease(&auth).unwrap_or_default(), renewable, obtained_at);
                Ok(Token { value, obtained_at, life: Some(life) })
            }
        }
    }
}

fn lease(auth: &Json) -> Option<Duration> {
    auth.get("lease_duration").and_then(Json::as_u64).map(Duration::from_secs)
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
