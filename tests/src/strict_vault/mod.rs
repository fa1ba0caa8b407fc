//! A small Vault for the methods that OpenBao lacks: ldap, iam and gcp. It takes a login only if it is exactly what Vault asks for,
//! and says in its refusal what is wrong.
//!
//! It also plays what stands behind these methods: STS (at `/sts`), the Pod Identity agent of EKS (at `/pod-identity`) and the
//! metadata server of Google Cloud. It runs in a thread of its own, so that all tests of a file can share it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::RsaKeyPair,
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{failure::Result, ports};

mod caller;
mod google;
mod sigv4;

pub use sigv4::AccessKey;

/// The user of the directory, and the password.
pub const LDAP_USER: &str = "external-secrets";
pub const LDAP_PASSWORD: &str = "correct horse\n";

/// What the mount of iam demands in its header.
pub const SERVER_ID: &str = "vault.example.com";

/// The role of every method.
pub const ROLE: &str = "team-a";

/// What assuming a role takes.
pub const EXTERNAL_ID: &str = "team-a-7";

/// The Google service account that is bound to the role.
pub const GOOGLE_ACCOUNT: &str = "external-secrets@project.iam.gserviceaccount.com";

/// A running server. See the module documentation.
pub struct StrictVault {
    pub address: String,
    state: Arc<Known>,
    _stop: oneshot::Sender<()>,
}

/// What the server knows, and what it saw.
struct Known {
    token: String,
    pod_token: String,
    /// By access key id.
    keys: Mutex<BTreeMap<String, AccessKey>>,
    google: RsaKeyPair,
    requests: Mutex<Vec<String>>,
}

/// A refusal: what is wrong.
type Verdict<T> = std::result::Result<T, String>;

impl StrictVault {
    pub async fn start() -> Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, address) = oneshot::channel();
        let google = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| crate::Failure::new("no RSA key"))?;
        let state = Arc::new(Known {
            token: ports::random_token(),
            pod_token: ports::random_token(),
            keys: Mutex::default(),
            google,
            requests: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(state.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::bind(("127.0.0.1", 0)).await else { return };
                let Ok(address) = listener.local_addr() else { return };
                // Whoever started it has given up.
                let _ = bound.send(format!("http://{address}"));
                tokio::select! {
                    _ = axum::serve(listener, router) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address.await.map_err(|_| crate::Failure::new("the strict Vault did not start"))?;
        Ok(Self { address, state, _stop: stop })
    }

    /// What a controller needs to find AWS and Google here, and its own Pod's identity of AWS.
    pub fn environment(&self) -> Vec<(String, String)> {
        let host = self.address.trim_start_matches("http://");
        [
            ("AWS_STS_ENDPOINT", format!("{}/sts", self.address)),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/pod-identity", self.address)),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", self.state.pod_token.clone()),
            ("GCE_METADATA_HOST", host.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// A new access key that AWS knows from now on.
    pub fn access_key(&self) -> AccessKey {
        self.state.access_key(None)
    }

    /// The key of the Google service account, as Google hands it out.
    pub fn google_key(&self) -> Result<String> {
        let der: Pkcs8V1Der<'_> =
            self.state.google.as_der().map_err(|_| crate::Failure::new("the RSA key cannot be written"))?;
        let text = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        let key = json!({
            "type": "service_account",
            "client_email": GOOGLE_ACCOUNT,
            "private_key_id": google::KEY_ID,
            "private_key": pem,
        });
        Ok(key.to_string())
    }

    /// Requests so far, in the order of their arrival: `login ldap`, `login iam AKID…`, `GET /v1/…`.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state.requests).clone()
    }
}

impl Known {
    fn access_key(&self, session_token: Option<String>) -> AccessKey {
        let key = AccessKey {
            id: format!("AKIA{}", ports::random_word().to_uppercase()),
            secret: ports::random_token(),
            session_token,
        };
        lock(&self.keys).insert(key.id.clone(), key.clone());
        key
    }

    fn temporary_key(&self) -> AccessKey {
        self.access_key(Some(ports::random_token()))
    }

    fn note(&self, request: String) {
        lock(&self.requests).push(request);
    }
}

/// A request with all that decides about it.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn json(&self) -> Verdict<Value> {
        serde_json::from_slice(&self.body).map_err(|error| format!("the body is no JSON: {error}"))
    }
}

async fn answer(
    State(known): State<Arc<Known>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked { method, uri, headers, body };
    let path = asked.uri.path().to_owned();
    let verdict = match path.as_str() {
        "/v1/auth/ldap/login/external-secrets" => ldap(&known, &asked),
        "/v1/auth/aws/login" => caller::login(&known, &asked),
        "/v1/auth/gcp/login" => google::login(&known, &asked),
        "/sts" | "/sts/" => return caller::sts(&known, &asked),
        "/pod-identity" => caller::pod_identity(&known, &asked),
        path if path.starts_with("/computeMetadata/") => return google::metadata(&known, &asked),
        path if path.starts_with("/v1/") => secret(&known, &asked),
        _ => Err(format!("nothing is at {path}")),
    };
    match verdict {
        Ok(body) => (StatusCode::OK, axum::Json(body)).into_response(),
        Err(problem) => (StatusCode::BAD_REQUEST, axum::Json(json!({"errors": [problem]}))).into_response(),
    }
}

/// What Vault answers to a login that it takes.
fn granted(known: &Known) -> Value {
    json!({"auth": {
        "client_token": known.token,
        "accessor": "a",
        "policies": ["default", "team-a"],
        "token_policies": null,
        "metadata": null,
        "lease_duration": 3600,
        "renewable": true,
        "token_type": "service",
    }})
}

fn ldap(known: &Known, asked: &Asked) -> Verdict<Value> {
    known.note("login ldap".to_owned());
    must(asked.method == Method::POST, "the method is not POST")?;
    must(asked.json()? == json!({"password": LDAP_PASSWORD}), "ldap operation failed: the body is not the password")?;
    must(asked.header("x-vault-token").is_empty(), "a login carries no token")?;
    Ok(granted(known))
}

/// Everything that takes a token.
fn secret(known: &Known, asked: &Asked) -> Verdict<Value> {
    let path = asked.uri.path();
    known.note(format!("{} {path}", asked.method));
    must(asked.header("x-vault-token") == known.token, "permission denied: invalid token")?;
    Ok(match path {
        "/v1/secret/data/team-a/db" => {
            json!({"data": {"data": {"password": "from-vault"}, "metadata": {"version": 1}}})
        }
        _ => json!({"data": {"ttl": 3600}}),
    })
}

fn must(holds: bool, problem: &str) -> Verdict<()> {
    if holds { Ok(()) } else { Err(problem.to_owned()) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
