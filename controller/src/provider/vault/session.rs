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
    request::Request,
    token::{Life, Token, lease},
};
use crate::{
    error::Error,
    provider::{
        Readiness,
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

/// What a token is obtained for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// To have one.
    None,
    /// To make a request with it.
    Request,
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
        let request = Request::new(endpoint)?;
        let token = self.obtain(Purpose::Request).await?;
        let mut caller = Caller { token: token.as_ref().map(|token| token.value.clone()), namespace };
        let mut reply = self.counted(&request, &caller, call).await?;
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
            next.count_use();
            caller.token = Some(next.value.clone());
            reply = self.counted(&request, &caller, call).await?;
            used = next;
        }
        // A token that was given, and not obtained by a login, costs Vault nothing to look at again.
        if reply.status == 403 && !reply.blames_token() && used.life.is_some() {
            self.refusals().remember(&path, now());
        }
        Ok(reply)
    }

    async fn counted(&self, request: &Request, caller: &Caller, call: &str) -> Result<Reply, Error> {
        let started = now();
        let result = self.transport.call(request, caller).await;
        let success = result.as_ref().is_ok_and(|reply| reply.is_success() || reply.status == 404);
        self.metrics.record(names::VAULT, call, success, now().saturating_duration_since(started));
        result
    }

    /// Obtains a token now unless there is one. What a store is opened with.
    pub async fn open(&self) -> Result<(), Error> {
        self.obtain(Purpose::None).await.map(|_| ())
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
        if token.is_revocable() {
            let caller = self.login_caller(Some(token.value.clone()));
            let revoked = match Request::new(&RevokeTokenSelfRequest {}) {
                Ok(request) => self.counted(&request, &caller, names::VAULT_REVOKE_SELF).await,
                Err(error) => Err(error),
            };
            if let Err(error) = revoked {
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
    async fn obtain(&self, purpose: Purpose) -> Result<Option<Arc<Token>>, Error> {
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
                        *held = Some(Arc::new(token.living(life, token.obtained_at)));
                    }
                },
                _ => {}
            }
        } else {
            *held = Some(Arc::new(self.login(Freshness::Cached).await?));
        }
        if purpose == Purpose::Request && held.as_ref().is_some_and(|token| !token.count_use()) {
            let next = self.login(Freshness::Cached).await?;
            next.count_use();
            *held = Some(Arc::new(next));
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
        if life.is_renewable && life.ends_at.is_some_and(|ends_at| now() < ends_at) {
            let started = now();
            let caller = self.login_caller(Some(token.value.clone()));
            let request = Request::new(&RenewTokenSelfRequest { increment: None })?;
            let reply = self.transport.call(&request, &caller).await;
            if let Ok(reply) = reply
                && let Some(granted) = reply.body.get("auth").and_then(lease)
                && reply.is_success()
                && granted >= life.granted / 2
            {
                let life = Life { granted: life.granted, ..Life::new(granted, true, started) };
                return Ok(token.living(life, started));
            }
        }
        self.login(Freshness::Cached).await
    }

    async fn login(&self, freshness: Freshness) -> Result<Token, Error> {
        let obtained_at = now();
        match self.method.prepare(freshness).await? {
            Login::Token(value) => Ok(Token::given(value, obtained_at)),
            Login::Exchange(exchange) => {
                let reply = self.counted(&exchange.request, &self.login_caller(None), names::VAULT_LOGIN).await?;
                let is_denied = matches!(reply.status, 400 | 401 | 403);
                if is_denied && exchange.has_fresher && freshness == Freshness::Cached {
                    return Box::pin(self.login(Freshness::Fresh)).await;
                }
                if !reply.is_success() {
                    return Err(exchange.denied(self.server(), &reply));
                }
                Token::granted(self.server(), reply, obtained_at)
            }
        }
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
