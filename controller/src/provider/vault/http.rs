//! The transport: executes the typed endpoints of `vaultrs` (and ours) over our own HTTP client.
//!
//! What enters is an endpoint, a token and a Vault namespace; what leaves is status and JSON body, or an [`Error`] when
//! there is no such answer. Endpoint types supply path, method, query and body; their response types are not used,
//! because they demand fields that servers leave out and lose digits of numbers. Promised: a deadline over all attempts,
//! bounded bodies, repeats as the store's `retrySettings` say, one redirect followed (a standby answers 307) within the
//! same scheme, no `VAULT_*` variables of this process.

use std::time::Duration;

use api::{duration::GoDuration, store::RetrySettings};
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
};
use rustify::endpoint::Endpoint;
use zeroize::Zeroizing;

use super::fault::Server;
use crate::{
    error::{Code, Error},
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
    retry: Retry,
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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    repeats: u32,
    interval: Duration,
}

impl Default for Retry {
    /// What Vault's own clients do.
    fn default() -> Self {
        Self { repeats: 2, interval: Duration::from_secs(1) }
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
        Ok(Self { repeats, interval })
    }
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
        Ok(Self { http, base, headers, retry, server })
    }

    /// The server, for messages.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Executes `endpoint`, at most [`REQUEST_TIMEOUT`] long, repeats included.
    pub async fn call<E: Endpoint>(&self, endpoint: &E, caller: &Caller) -> Result<Reply, Error> {
        let request = Request::new(&self.base, endpoint)?;
        match tokio::time::timeout(REQUEST_TIMEOUT, self.repeat(&request, caller)).await {
            Ok(result) => result,
            Err(_) => Err(self.server.unreachable("no answer in time")),
        }
    }

    async fn repeat(&self, request: &Request, caller: &Caller) -> Result<Reply, Error> {
        let mut repeats = self.retry.repeats;
        loop {
            match self.attempt(request, caller).await {
                Attempt::Final(result) => return result,
                Attempt::Again { error, .. } if repeats == 0 => return Err(error),
                Attempt::Again { after, .. } => tokio::time::sleep(after).await,
            }
            repeats -= 1;
        }
    }

    async fn attempt(&self, request: &Request, caller: &Caller) -> Attempt {
        match self.send(request, caller).await {
            Ok(response) => self.read(response).await,
            Err(error) if error.code() == Code::VaultUnreachable => {
                Attempt::Again { error, after: self.retry.interval }
            }
            Err(error) => Attempt::Final(Err(error)),
        }
    }

    /// Sends a request, following one redirect to where the scheme is the same.
    async fn send(&self, request: &Request, caller: &Caller) -> Result<Response, Error> {
        let response = self.send_to(request.url.clone(), request, caller).await?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
        let target = target.and_then(|target| request.url.join(target).ok());
        match target.filter(|target| {
            response.status() == StatusCode::TEMPORARY_REDIRECT && target.scheme() == self.base.scheme()
        }) {
            Some(target) => {
                let response = self.send_to(target, request, caller).await?;
                if response.status().is_redirection() { Err(self.server.redirects()) } else { Ok(response) }
            }
            None => Err(self.server.redirects()),
        }
    }

    async fn send_to(&self, url: Url, request: &Request, caller: &Caller) -> Result<Response, Error> {
        let mut headers = self.headers.clone();
        headers.insert(REQUEST_HEADER, HeaderValue::from_static("true"));
        headers.extend(caller.token.clone().map(|token| (TOKEN_HEADER, token)));
        headers.extend(caller.namespace.clone().map(|namespace| (NAMESPACE_HEADER, namespace)));
        let mut builder = self.http.request(request.method.clone(), url).headers(headers);
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        builder.send().await.map_err(|error| self.server.failed(&error))
    }

    async fn read(&self, response: Response) -> Attempt {
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let media_type = media_type(response.headers());
        let body = match self.body(response).await {
            Ok(body) => body,
            Err(error) => return Attempt::Final(Err(error)),
        };
        let body = if body.is_empty() && matches!(status, 200..=299) { Ok(Json::Null) } else { Json::parse(&body) };
        let reply = match (body, status) {
            (Ok(body), _) => Reply { status, body },
            // A proxy's page: what is behind it does not answer.
            (Err(_), 502..=504) => {
                let error = self.server.unreachable(&format!("a proxy answers {status}"));
                return Attempt::Again { error, after: self.retry.interval };
            }
            (Err(problem), _) => return Attempt::Final(Err(self.server.not_json(status, &media_type, problem))),
        };
        match self.server.trouble(&reply, retry_after) {
            None => Attempt::Final(Ok(reply)),
            Some(error) if error.code() == Code::VaultThrottled => match retry_after {
                Some(after) if after <= MAX_RETRY_AFTER => Attempt::Again { error, after },
                _ => Attempt::Final(Err(error)),
            },
            // Not initialized: nothing that passes within seconds.
            Some(error) if status == 501 => Attempt::Final(Err(error)),
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

/// An endpoint, ready to be sent more than once.
struct Request {
    method: Method,
    url: Url,
    body: Option<Zeroizing<Vec<u8>>>,
}

impl Request {
    fn new<E: Endpoint>(base: &Url, endpoint: &E) -> Result<Self, Error> {
        // The errors of these types quote what they hold.
        let unbuildable = |_| Error::bug(Code::VaultRequestInvalid, "a request to Vault could not be put together");
        let mut url = endpoint_url(base, &endpoint.path())?;
        let query = endpoint.query().map_err(unbuildable)?;
        url.set_query(query.as_deref().filter(|query| !query.is_empty()));
        let body = endpoint.body().map_err(unbuildable)?.filter(|body| !body.is_empty()).map(Zeroizing::new);
        Ok(Self { method: endpoint.method().into(), url, body })
    }
}

/// `<base>/v1/<path>`, each segment percent-encoded. Empty segments are left out, as Vault's own client does.
fn endpoint_url(base: &Url, path: &str) -> Result<Url, Error> {
    // Two of the endpoint types begin their path with a tab.
    let segments = || path.trim_start_matches('\t').split('/').filter(|segment| !segment.is_empty());
    if segments().any(|segment| matches!(segment, "." | "..")) {
        return Err(Error::fix(
            Code::KeyInvalid,
            format!("{path:?}: a path may not contain \".\" or \"..\"; write it out"),
        ));
    }
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut target) => target.pop_if_empty().push("v1").extend(segments()),
        Err(()) => return Err(invalid_server("it cannot have a path")),
    };
    Ok(url)
}

fn parse_server(server: &str) -> Result<Url, Error> {
    let url = Url::parse(server.trim()).map_err(|error| invalid_server(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(invalid_server("it must begin with http:// or https:// and a host")),
    }
}

fn invalid_server(what: &str) -> Error {
    let advice = "write it like https://vault.example.com:8200";
    Error::fix(Code::StoreInvalid, format!("spec.provider.vault.server: {what}; {advice}"))
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
