//! A gate before [`Moto`](crate::Moto), which permits everything: it denies the actions that a test names, as a policy of
//! IAM would, and lets the rest pass. It also plays the metadata server of an EC2 instance.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{failure::Result, http_client, moto::Moto};

/// The instance's role, and its access key.
const INSTANCE_ROLE: &str = "node";
pub const INSTANCE_KEY: &str = "ASIAINSTANCE";

/// A running gate. It ends with the value.
pub struct AwsGate {
    pub url: String,
    denied: Arc<Mutex<BTreeSet<String>>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Passage {
    to: String,
    http: reqwest::Client,
    denied: Arc<Mutex<BTreeSet<String>>>,
}

impl AwsGate {
    /// Must be called in the runtime of the test that uses it.
    pub async fn start(moto: &Moto, denied: &[&str]) -> Result<Self> {
        let denied = Arc::new(Mutex::new(denied.iter().map(|&action| action.to_owned()).collect()));
        let passage = Passage { to: moto.url.clone(), http: http_client::new(None)?, denied: denied.clone() };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(passage);
        let server = tokio::spawn(async move {
            // It ends when the task does.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, denied, server })
    }

    /// Permits everything from now on.
    pub fn open(&self) {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The variables that lead a controller here.
    pub fn environment(&self) -> Vec<(String, String)> {
        let names = ["AWS_SECRETSMANAGER_ENDPOINT", "AWS_SSM_ENDPOINT", "AWS_STS_ENDPOINT"];
        names.map(|name| (name.to_owned(), self.url.clone())).to_vec()
    }
}

impl Drop for AwsGate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(passage): State<Passage>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if uri.path().starts_with("/latest/") {
        return instance(uri.path());
    }
    let action = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let action = action.rsplit_once('.').map_or(action, |(_, action)| action);
    if passage.denied.lock().unwrap_or_else(PoisonError::into_inner).contains(action) {
        let message = format!("User: arn:aws:iam::123456789012:user/test is not authorized to perform: {action}");
        let refusal = json!({"__type": "AccessDeniedException", "message": message});
        return (StatusCode::BAD_REQUEST, axum::Json(refusal)).into_response();
    }
    match passage.pass(method, &uri, headers, body).await {
        Ok(response) => response,
        Err(failure) => (StatusCode::BAD_GATEWAY, failure.to_string()).into_response(),
    }
}

impl Passage {
    async fn pass(&self, method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Result<Response> {
        let answer = self.http.request(method, format!("{}{uri}", self.to)).headers(headers).body(body).send().await?;
        let status = answer.status();
        let kind = answer.headers().get("content-type").cloned();
        let mut response = (status, answer.bytes().await?).into_response();
        if let Some(kind) = kind {
            response.headers_mut().insert("content-type", kind);
        }
        Ok(response)
    }
}

/// The metadata of an instance, as far as credentials need it.
fn instance(path: &str) -> Response {
    let credentials = "/latest/meta-data/iam/security-credentials/";
    match path {
        "/latest/api/token" => ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "token").into_response(),
        path if path == credentials => INSTANCE_ROLE.into_response(),
        path if path.strip_prefix(credentials) == Some(INSTANCE_ROLE) => axum::Json(json!({
            "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": INSTANCE_KEY, "SecretAccessKey": "any", "Token": "any",
            "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z",
        }))
        .into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
