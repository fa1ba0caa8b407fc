//! Where Google's services are, and what their answers mean.

use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use super::{FIELD, invalid};
use crate::{
    error::{Code, Error},
    http::causes,
};

/// Most bytes of an answer: tokens and names.
const MAX_ANSWER: usize = 64 << 10;

/// Addresses without a slash at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Google {
    pub metadata: String,
    pub sts: String,
    pub iam_credentials: String,
}

impl Default for Google {
    fn default() -> Self {
        Self {
            // The address, which needs no DNS.
            metadata: "http://169.254.169.254".to_owned(),
            sts: "https://sts.googleapis.com".to_owned(),
            iam_credentials: "https://iamcredentials.googleapis.com".to_owned(),
        }
    }
}

impl Google {
    /// With the metadata server that `GCE_METADATA_HOST` names, as Google's own clients have it.
    pub fn from_env() -> Self {
        let host = std::env::var("GCE_METADATA_HOST").ok().filter(|host| !host.is_empty());
        let metadata = host.map(|host| format!("http://{host}"));
        let google = Self::default();
        Self { metadata: metadata.unwrap_or(google.metadata), ..google }
    }
}

/// Sends a request and reads what a success holds. `act`: what for.
pub async fn send(act: &str, request: RequestBuilder) -> Result<Vec<u8>, Error> {
    let unreachable = |error: &reqwest::Error| {
        let why: String = std::error::Error::source(error).map_or_else(|| error.to_string(), causes);
        let advice = "check DNS, proxies and network policies";
        Error::retry(Code::GoogleUnreachable, format!("{FIELD}: {act}: no answer: {why}; {advice}"))
    };
    let mut response = request.send().await.map_err(|error| unreachable(&error.without_url()))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error.without_url()))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Error::retry(Code::GoogleUnreachable, format!("{FIELD}: {act}: the answer is too long")));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body);
    }
    // The words of Google may quote the token that was sent.
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Error::retry(Code::GoogleUnreachable, format!("{FIELD}: {act}: Google answers {status}")));
    }
    Err(invalid(format!("{FIELD}: {act}: Google answers {status}{}; {}", reason(&body), advice(status))))
}

/// The same of a JSON answer.
pub async fn send_json<T: DeserializeOwned>(act: &str, request: RequestBuilder) -> Result<T, Error> {
    let body = send(act, request).await?;
    serde_json::from_slice(&body).map_err(|_| {
        let problem = format!("{FIELD}: {act}: the answer is not what Google's API answers; check what is in between");
        Error::retry(Code::GoogleUnreachable, problem)
    })
}

/// The code by which Google names the reason: upper case words such as `PERMISSION_DENIED`, or `invalid_grant`.
fn reason(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return String::new() };
    let code = body.pointer("/error/status").or_else(|| body.get("error")).and_then(serde_json::Value::as_str);
    let is_code = |code: &&str| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    code.filter(is_code).map_or_else(String::new, |code| format!(" ({code})"))
}

const fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "check that the Google service account exists",
        _ => {
            "check that the Kubernetes ServiceAccount may use the Google service account (roles/iam.workloadIdentityUser, \
             roles/iam.serviceAccountTokenCreator)"
        }
    }
}
