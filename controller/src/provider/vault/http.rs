//! The transport: sends requests over our own HTTP client.
//!
//! What enters is a request, a token and a Vault namespace; what leaves is status and JSON body, or an [`Error`] when
//! there is no such answer. Promised: a deadline over all attempts, bounded bodies, repeats as the store's
//! `retrySettings` say, of one request for all that meet the same outage, one redirect followed (a standby answers 307) within the same scheme, no `VAULT_*` variables of
//! this process.

use std::time::{Duration, Instant};

use api::{duration::GoDuration, store::RetrySettings};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
};
use zeroize::Zeroizing;

use super::{
    consistency::Consistency,
    fault::Server,
    request::{Request, parse_server},
    standing::{Role, Standing},
};
use crate::{
    engine::spread::fraction,
    error::{Class, Code, Error},
    http::REQUEST_TIMEOUT,
    provider::json::Json,
};

/// Largest body that is read. A secret is at most 1 MiB by default; a list of 100,000 names is 5 MiB.
const MAX_BODY: usize = 8 << 20;

/// Longest `Retry-After` that is waited for within a call; a longer one is left to the next reconcile.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Marks requests of clients, which agents can be told to insist on.
const REQUEST_HEADER: HeaderName = HeaderName::from_static("x-vault-request");
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE_HEADER: HeaderName = HeaderName::from_static("x-vault-namespace");

/// See the module documentation.
pub struct Transport {
    http: Client,
    base: Url,
    headers: HeaderMap,
    consistency: Consistency,
    retry: Retry,
    timeout: Duration,
    standing: Standing,
    server: Server,
}

/// On whose behalf a request is made.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    pub token: Option<HeaderValue>,
    pub namespace: Option<HeaderValue>,
}

/// An answer that Vault itself gave: success, or a refusal whose meaning depends on what was asked.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Null if it was empty.
    pub body: Json,
}

impl Reply {
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Vault's own words about what is wrong; empty if it said nothing.
    pub fn errors(&self) -> String {
        super::fault::said(&self.body, "errors")
    }

    /// Whether Vault refused the token as such, whatever it asked for.
    pub fn blames_token(&self) -> bool {
        self.status == 403 && super::fault::is_token_problem(&self.errors())
    }

    pub fn warnings(&self) -> String {
        super::fault::said(&self.body, "warnings")
    }
}

/// How failed calls are repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    repeats: u32,
    interval: Duration,
    /// Share of the interval that a pause can be longer, by chance: so that those who failed together do not return together.
    spread: f64,
}

impl Default for Retry {
    /// What Vault's own clients do.
    fn default() -> Self {
        Self { repeats: 2, interval: Duration::from_secs(1), spread: 0.5 }
    }
}

impl Retry {
    /// Absent settings mean the default; settings without `maxRetries` mean none.
    pub fn new(settings: Option<&RetrySettings>) -> Result<Self, Error> {
        let Some(settings) = settings else { return Ok(Self::default()) };
        // More than the deadline can hold has no effect; the bound only keeps the arithmetic small.
        let repeats = u32::try_from(settings.max_retries.unwrap_or_default()).unwrap_or_default().min(30);
        let interval = match &settings.retry_interval {
            None => Self::default().interval,
            Some(text) => text.parse::<GoDuration>().map(|duration| duration.as_std()).map_err(|error| {
                Error::fix(Code::StoreInvalid, format!("spec.retrySettings.retryInterval: {error}; write 5s or so"))
            })?,
        };
        Ok(Self { repeats, interval, spread: 0.1 })
    }

    /// The pause, a little longer; never shorter, since a server may have asked for it.
    fn spread(&self, pause: Duration, path: &str) -> Duration {
        pause.mul_f64(1.0 + self.spread * fraction((Instant::now(), path)))
    }
}

/// A request on its way to this server.
struct Bound<'a> {
    url: Url,
    request: &'a Request,
    caller: &'a Caller,
}

/// How an attempt ended that may be repeated.
enum Attempt {
    Final(Result<Reply, Error>),
    Again { error: Error, after: Duration },
}

impl Transport {
    /// `server`: the address as the spec has it, which may end in a path. `headers`: sent with every request.
    pub fn new(http: Client, server: &str, headers: HeaderMap, retry: Retry) -> Result<Self, Error> {
        let base = parse_server(server)?;
        let server = Server::new(&base);
        let (consistency, standing) = (Consistency::new(false, false), Standing::default());
        Ok(Self { http, base, headers, consistency, retry, timeout: REQUEST_TIMEOUT, standing, server })
    }

    /// The same, with other demands on replicas than none.
    #[must_use]
    pub fn with_consistency(self, consistency: Consistency) -> Self {
        Self { consistency, ..self }
    }

    /// The same, with another bound on a whole call.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The server, for messages.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Executes a request, repeats included, within the time that calls have.
    pub async fn call(&self, request: &Request, caller: &Caller) -> Result<Reply, Error> {
        let bound = Bound { url: request.url(&self.base)?, request, caller };
        tokio::time::timeout(self.timeout, self.repeat(&bound)).await.unwrap_or_else(|_| {
            let error = self.server.unreachable("no answer in time");
            self.standing.give_up(&error);
            Err(error)
        })
    }

    async fn repeat(&self, bound: &Bound<'_>) -> Result<Reply, Error> {
        self.standing.is_clear().await?;
        let (mut repeats, mut lead) = (self.retry.repeats, None);
        loop {
            let (error, after) = match self.attempt(bound).await {
                Attempt::Final(Err(error)) if error.class() == Class::Outage => {
                    self.standing.give_up(&error);
                    return Err(error);
                }
                Attempt::Final(result) => {
                    self.standing.answered();
                    return result;
                }
                Attempt::Again { error, after } => (error, after),
            };
            let is_outage = error.class() == Class::Outage;
            if !is_outage {
                self.standing.answered();
            } else if lead.is_none() {
                match self.standing.failed() {
                    Role::Leader(leader) => lead = Some(leader),
                    Role::Follower if repeats > 0 && self.standing.is_clear().await.is_ok() => {
                        repeats -= 1;
                        continue;
                    }
                    Role::Follower | Role::Late => return Err(error),
                }
            }
            if repeats == 0 {
                if is_outage {
                    self.standing.give_up(&error);
                }
                return Err(error);
            }
            tokio::time::sleep(self.retry.spread(after, bound.url.path())).await;
            repeats -= 1;
        }
    }

    async fn attempt(&self, bound: &Bound<'_>) -> Attempt {
        match self.send(bound).await {
            Ok(response) => self.read(response).await,
            Err(error) if error.code() == Code::VaultUnreachable => {
                Attempt::Again { error, after: self.retry.interval }
            }
            Err(error) => Attempt::Final(Err(error)),
        }
    }

    /// Sends a request, following one redirect to where the scheme is the same.
    async fn send(&self, bound: &Bound<'_>) -> Result<Response, Error> {
        let response = self.send_to(bound.url.clone(), bound).await?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
        let target = target.and_then(|target| bound.url.join(target).ok());
        let is_temporary = response.status() == StatusCode::TEMPORARY_REDIRECT;
        match target.filter(|target| is_temporary && self.is_same_request(&bound.url, target)) {
            Some(target) => {
                let response = self.send_to(target, bound).await?;
                if response.status().is_redirection() { Err(self.server.redirects()) } else { Ok(response) }
            }
            None => Err(self.server.redirects()),
        }
    }

    /// Whether a redirect leads to another node and not to another entry: scheme, path below `server` and query stay.
    fn is_same_request(&self, asked: &Url, target: &Url) -> bool {
        let prefix = self.base.path().trim_end_matches('/');
        let Some(path) = asked.path().strip_prefix(prefix) else { return false };
        target.scheme() == self.base.scheme()
            && target.query() == asked.query()
            && unescaped(target.path()).ends_with(&unescaped(path))
    }

    async fn send_to(&self, url: Url, bound: &Bound<'_>) -> Result<Response, Error> {
        let Bound { request, caller, .. } = bound;
        let mut headers = self.headers.clone();
        headers.insert(REQUEST_HEADER, HeaderValue::from_static("true"));
        for (name, value) in [(TOKEN_HEADER, &caller.token), (NAMESPACE_HEADER, &caller.namespace)] {
            if let Some(value) = value {
                // In place of what the store's own headers say.
                headers.insert(name, value.clone());
            }
        }
        self.consistency.ask(&mut headers);
        let mut builder = self.http.request(request.method.clone(), url).headers(headers);
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        builder.send().await.map_err(|error| self.server.failed(&error))
    }

    async fn read(&self, response: Response) -> Attempt {
        let status = response.status().as_u16();
        self.consistency.saw(response.headers());
        let retry_after = retry_after(response.headers());
        let media_type = media_type(response.headers());
        let body = match self.body(response).await {
            Ok(body) => body,
            Err(error) => return Attempt::Final(Err(error)),
        };
        // Where the status says everything, nothing need be said with it. A 404 does not: absence has a body.
        let needs_no_body = matches!(status, 200..=299 | 412 | 429 | 472 | 473 | 500..=599);
        let body = if body.is_empty() && needs_no_body { Ok(Json::Null) } else { Json::parse(&body) };
        let reply = match (body, status) {
            (Ok(body), _) => Reply { status, body },
            // A proxy's page: what is behind it does not answer.
            (Err(_), 502..=504) => {
                let error = self.server.unreachable(&format!("a proxy answers {status}"));
                return Attempt::Again { error, after: self.retry.interval };
            }
            // Proxies limit rates and fail, too, and say so with a page.
            (Err(_), 429 | 500) => Reply { status, body: Json::Null },
            (Err(problem), _) => return Attempt::Final(Err(self.server.not_json(status, &media_type, problem))),
        };
        match self.server.trouble(&reply, retry_after) {
            None => Attempt::Final(Ok(reply)),
            Some(error) if error.code() == Code::VaultThrottled => match retry_after {
                Some(after) if after <= MAX_RETRY_AFTER => Attempt::Again { error, after },
                _ => Attempt::Final(Err(error)),
            },
            // Not initialized, or waiting for another cluster to fail: nothing that passes within seconds.
            Some(error) if matches!(status, 472 | 501) => Attempt::Final(Err(error)),
            Some(error) => Attempt::Again { error, after: self.retry.interval },
        }
    }

    async fn body(&self, mut response: Response) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.server.failed(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(self.server.too_long(MAX_BODY));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// A path without percent-encoding, of which servers write more than we do.
fn unescaped(path: &str) -> Vec<u8> {
    let (mut rest, mut plain) = (path.as_bytes(), Vec::with_capacity(path.len()));
    while let [first, behind @ ..] = rest {
        let escaped = behind.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(*first));
        rest = &behind[if escaped.is_some() { 2 } else { 0 }..];
    }
    plain
}

/// Seconds only: the other form, a date, is not used by Vault.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type");
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests;
