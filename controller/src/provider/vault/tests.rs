use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use api::{
    external_secret::FindName,
    provider::{KubernetesAuth, VaultAuth, VaultVersion},
    reference::{SecretKeySelector, ServiceAccountSelector},
};

use super::*;
use crate::provider::reads::Demand;
use crate::{
    provider::fixture::{Answer, Backend, Received, kube_client},
    resolve::Scope,
};

mod apart;
mod life;
mod mutual;
mod schedules;

const DENIED: &str = r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;

/// A store at `backend`; its token is `s.<number of times the Secret was read>`.
fn access() -> Arc<Access> {
    let reads = Arc::new(AtomicUsize::new(0));
    let client = kube_client(move |request| {
        let number = reads.fetch_add(1, Ordering::Relaxed);
        if request.uri().path().ends_with("/token") && request.method() == "POST" {
            let expires = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).to_string();
            let status = serde_json::json!({"token": format!("jwt-{number}"), "expirationTimestamp": expires});
            return (201, serde_json::json!({"metadata": {}, "spec": {"audiences": []}, "status": status}));
        }
        let token = format!("s.{number}\n").into_bytes();
        let token = serde_json::to_value(k8s_openapi::ByteString(token)).unwrap();
        (200, serde_json::json!({"metadata": {"name": "token"}, "data": {"token": token}}))
    });
    Arc::new(Access::unwatched(client, Scope::Namespaced { namespace: "team-a".into() }))
}

fn token_auth() -> VaultAuth {
    let selector = SecretKeySelector { name: "token".into(), namespace: None, key: Some("token".into()) };
    VaultAuth { token_secret_ref: Some(selector), ..VaultAuth::default() }
}

fn kubernetes_auth() -> VaultAuth {
    let account = ServiceAccountSelector { name: "app".into(), namespace: None, audiences: vec![] };
    let kubernetes = KubernetesAuth {
        mount_path: "kubernetes".into(),
        role: "reader".into(),
        service_account_ref: Some(account),
        secret_ref: None,
    };
    VaultAuth { kubernetes: Some(kubernetes), ..VaultAuth::default() }
}

async fn open_with(backend: &Backend, version: VaultVersion, auth: Option<VaultAuth>) -> Result<Vault, Error> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let spec = Spec { server: backend.url.clone(), path: Some("secret".into()), version, auth, ..Spec::default() };
    let retry = RetrySettings { max_retries: Some(0), retry_interval: None };
    let metrics = ProviderMetrics::new(&prometheus::Registry::new()).unwrap();
    let aws = aws::Shared::new(aws::Endpoints::default(), aws::Pod::default());
    let shared = Shared { clients: &Clients::default(), aws: &aws, google: &Google::default(), metrics: &metrics };
    open(&spec, Some(&retry), access(), &shared, Reads::new(Demand::default())).await
}

async fn store(backend: &Backend) -> Vault {
    open_with(backend, VaultVersion::V2, Some(token_auth())).await.unwrap()
}

fn remote(key: &str, property: Option<&str>) -> RemoteRef {
    RemoteRef { key: key.into(), property: property.map(Into::into), ..RemoteRef::default() }
}

fn text(value: Option<SecretBytes>) -> Option<String> {
    value.map(|value| String::from_utf8(value.expose().to_vec()).unwrap())
}

fn entry(data: &str) -> Answer {
    Answer::json(200, format!(r#"{{"data":{{"data":{data},"metadata":{{}}}},"warnings":null}}"#))
}

#[tokio::test]
async fn five_properties_of_one_path_are_one_read() {
    let data = r#"{"user":"a<b","port":5432,"dot.ted":"d","big":12345678901234567890,"tls":{"ca":"x"},"none":null}"#;
    let backend = Backend::start(move |_| entry(data)).await;
    let store = store(&backend).await;
    let since = Instant::now();
    let table = [
        (Some("user"), "a<b"),
        (Some("port"), "5432"),
        (Some("dot.ted"), "d"),
        (Some("tls.ca"), "x"),
        (Some("none"), ""),
        (Some("big"), "12345678901234567890"),
    ];
    for (property, expected) in table {
        assert_eq!(text(store.get(&remote("app", property), since).await.unwrap()).as_deref(), Some(expected));
    }
    let whole = text(store.get(&remote("app", None), since).await.unwrap()).unwrap();
    let expected =
        r#"{"big":12345678901234567890,"dot.ted":"d","none":null,"port":5432,"tls":{"ca":"x"},"user":"a\u003cb"}"#;
    assert_eq!(whole, expected);
    assert_eq!(store.get_map(&remote("app", None), since).await.unwrap().unwrap().len(), 6);
    let map = store.get_map(&remote("app", Some("tls")), since).await.unwrap().unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["ca"]);
    let error = store.get(&remote("app", Some("nope")), since).await.unwrap_err();
    assert_eq!(error.code(), Code::RemotePropertyMissing);
    assert!(error.to_string().contains("secret/data/app") && error.to_string().contains("nope"), "{error}");
    assert_eq!(backend.lines(), ["GET /v1/secret/data/app"]);
    assert_eq!(backend.received()[0].header("x-vault-token"), Some("s.0"));
}

#[tokio::test]
async fn absence_is_none_and_everything_else_is_named() {
    let wrong_version = r#"{"data":null,"warnings":["Invalid path for a versioned K/V engine. See the API docs"]}"#;
    let table = [
        (Answer::json(404, r#"{"errors":[]}"#), None),
        (Answer::json(404, r#"{"data":{"data":null,"metadata":{"deletion_time":"x"}}}"#), None),
        (Answer::json(200, r#"{"data":{"data":null}}"#), None),
        (Answer::json(404, r#"{"errors":null}"#), None),
        (Answer::json(404, r#"{"message":"no Route matched"}"#), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(404, "{}"), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(404, "null"), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(404, "[]"), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(404, ""), Some(Code::VaultUnexpectedAnswer)),
        (Answer::html(404), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(200, ""), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(200, "{}"), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(200, r#"{"data":null}"#), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(200, "\"ok\""), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(204, ""), Some(Code::VaultUnexpectedAnswer)),
        (Answer::json(200, r#"{"data":{"data":{}},"warnings":null,"errors":null}"#), None),
        (Answer::json(404, r#"{"errors":["no handler for route"]}"#), Some(Code::VaultRequestInvalid)),
        (Answer::json(404, wrong_version), Some(Code::StoreInvalid)),
        (Answer::json(400, r#"{"errors":["bad"]}"#), Some(Code::VaultRequestInvalid)),
        (Answer::json(403, DENIED), Some(Code::VaultPermissionDenied)),
        (Answer::json(403, r#"{"errors":["permission denied","invalid token"]}"#), Some(Code::VaultLoginDenied)),
        (Answer::json(200, r#"{"data":{"user":"x"}}"#), Some(Code::RemoteValueInvalid)),
        (Answer::json(200, r#"{"data":{"data":[1]}}"#), Some(Code::RemoteValueInvalid)),
    ];
    for (answer, code) in table {
        let shown = answer.body.clone();
        let backend = Backend::start(move |_| answer.clone()).await;
        let result = store(&backend).await.get(&remote("app", None), Instant::now()).await;
        assert_eq!(result.as_ref().err().map(Error::code), code, "{shown} {result:?}");
    }
}

#[tokio::test]
async fn version_1_is_read_without_data() {
    let backend = Backend::start(|_| Answer::json(200, r#"{"data":{"user":"a"}}"#)).await;
    let store = open_with(&backend, VaultVersion::V1, None).await.unwrap();
    assert_eq!(text(store.get(&remote("app", Some("user")), Instant::now()).await.unwrap()).as_deref(), Some("a"));
    assert_eq!(backend.lines(), ["GET /v1/secret/app"]);
    assert_eq!(backend.received()[0].header("x-vault-token"), None);
    let fetch = RemoteRef { metadata_policy: MetadataPolicy::Fetch, ..remote("app", None) };
    assert_eq!(store.get(&fetch, Instant::now()).await.unwrap_err().code(), Code::NotSupported);
}

fn folders(request: &Received) -> Answer {
    let keys = |keys: &str| Answer::json(200, format!(r#"{{"data":{{"keys":{keys}}}}}"#));
    match (request.method.as_str(), request.target.as_str()) {
        ("LIST", "/v1/secret/metadata") => keys(r#"["top","team/","null/","gone/"]"#),
        ("LIST", "/v1/secret/metadata/team") => keys(r#"["a/","b"]"#),
        ("LIST", "/v1/secret/metadata/team/a") => keys(r#"["db","deleted"]"#),
        ("LIST", "/v1/secret/metadata/null") => keys("null"),
        ("LIST", _) | ("GET", "/v1/secret/data/team/a/deleted") => Answer::json(404, r#"{"errors":[]}"#),
        ("GET", "/v1/secret/metadata/team/a/db") => {
            Answer::json(200, r#"{"data":{"current_version":2,"custom_metadata":{"env":"prod"}}}"#)
        }
        ("GET", target) if target.contains("/metadata/") => Answer::json(200, r#"{"data":{"custom_metadata":null}}"#),
        _ => entry(r#"{"k":"v"}"#),
    }
}

#[tokio::test]
async fn find_walks_folders_and_goes_by_name_or_tags() {
    let name = |regexp: &str| Some(FindName { regexp: Some(regexp.into()) });
    let tags = |tags: &[(&str, &str)]| tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let path = |path: &str| Some(path.to_owned());
    let table = [
        (Find::default(), Some(vec!["team/a/db", "team/b", "top"])),
        (Find { name: name("^team/.*b$"), ..Find::default() }, Some(vec!["team/a/db", "team/b"])),
        (Find { path: path("team/a/"), ..Find::default() }, Some(vec!["team/a/db"])),
        (Find { tags: tags(&[("env", "prod"), ("current_version", "2")]), ..Find::default() }, Some(vec!["team/a/db"])),
        (Find { tags: tags(&[("env", "dev")]), ..Find::default() }, Some(vec![])),
        (Find { path: path("absent"), ..Find::default() }, None),
    ];
    let backend = Backend::start(folders).await;
    for (query, expected) in table {
        let found = store(&backend).await.find(&query, Instant::now()).await.unwrap();
        let found = found.map(|found| found.into_keys().collect::<Vec<_>>());
        assert_eq!(found.as_deref().map(|found| found.iter().map(String::as_str).collect()), expected, "{query:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 12)]
async fn search_makes_a_bounded_number_of_requests_at_the_same_time() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let folders: Vec<String> = (0..40).map(|number| format!("\"folder-{number}/\"")).collect();
    let root = format!(r#"{{"data":{{"keys":[{}]}}}}"#, folders.join(","));
    let (now, peak) = (running.clone(), most.clone());
    let backend = Backend::start(move |request| {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Long enough for all that are under way to arrive.
        std::thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
        match (request.method.as_str(), request.target.as_str()) {
            ("LIST", "/v1/secret/metadata") => Answer::json(200, root.clone()),
            ("LIST", _) => Answer::json(200, r#"{"data":{"keys":["app"]}}"#),
            _ => entry(r#"{"k":"v"}"#),
        }
    })
    .await;
    let found = store(&backend).await.find(&Find::default(), Instant::now()).await.unwrap().unwrap();
    assert_eq!((found.len(), backend.lines().len()), (40, 81));
    let most = most.load(Ordering::SeqCst);
    assert!((2..=find::CONCURRENCY).contains(&most), "{most} at once");
}

#[tokio::test]
async fn versions_are_asked_for_by_number_and_destroyed_ones_are_absent() {
    let backend = Backend::start(|request| match request.target.as_str() {
        "/v1/secret/data/app?version=1" => entry(r#"{"k":"old"}"#),
        "/v1/secret/data/app?version=2" => {
            Answer::json(404, r#"{"data":{"data":null,"metadata":{"destroyed":true,"version":2}}}"#)
        }
        "/v1/secret/data/app?version=3" => {
            Answer::json(404, r#"{"data":{"data":null,"metadata":{"deletion_time":"2026-01-01T00:00:00Z"}}}"#)
        }
        _ => entry(r#"{"k":"new"}"#),
    })
    .await;
    let store = store(&backend).await;
    for (version, expected) in
        [(Some("1"), Some("old")), (Some("2"), None), (Some("3"), None), (None, Some("new")), (Some("0"), Some("new"))]
    {
        let remote = RemoteRef { version: version.map(Into::into), ..remote("app", Some("k")) };
        let found = text(store.get(&remote, Instant::now()).await.unwrap());
        assert_eq!(found.as_deref(), expected, "{version:?}");
    }
    let named = RemoteRef { version: Some("AWSCURRENT".into()), ..remote("app", None) };
    assert_eq!(store.get(&named, Instant::now()).await.unwrap_err().code(), Code::SpecInvalid);
}

#[tokio::test]
async fn login_is_shared_and_its_token_is_given_back() {
    let backend = Backend::start(|request| match request.target.as_str() {
        "/v1/auth/kubernetes/login" => Answer::json(
            200,
            r#"{"auth":{"client_token":"s.new","policies":null,"lease_duration":3600,"renewable":true}}"#,
        ),
        "/v1/auth/token/revoke-self" => Answer::json(204, ""),
        _ => entry("{}"),
    })
    .await;
    let store = open_with(&backend, VaultVersion::V2, Some(kubernetes_auth())).await.unwrap();
    let keys: Vec<String> = (0..20).map(|number| format!("app-{number}")).collect();
    let remotes: Vec<RemoteRef> = keys.iter().map(|key| remote(key, None)).collect();
    futures::future::try_join_all(remotes.iter().map(|remote| store.get(remote, Instant::now()))).await.unwrap();
    store.check().await.unwrap();
    store.close().await;
    let lines = backend.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("login")).count(), 1, "{lines:?}");
    assert_eq!(lines[0], "POST /v1/auth/kubernetes/login");
    assert_eq!(lines[lines.len() - 1], "POST /v1/auth/token/revoke-self");
    assert_eq!(backend.received()[0].body, r#"{"role":"reader","jwt":"jwt-0"}"#);
    assert!(backend.received()[1..].iter().all(|request| request.header("x-vault-token") == Some("s.new")));
}

#[tokio::test]
async fn refused_login_is_tried_once_with_a_fresh_token_and_names_role_mount_and_account() {
    let backend = Backend::start(|_| Answer::json(403, DENIED)).await;
    let error = open_with(&backend, VaultVersion::V2, Some(kubernetes_auth())).await.err().unwrap();
    assert_eq!(error.code(), Code::VaultLoginDenied);
    for part in ["\"reader\"", "auth/kubernetes", "ServiceAccount team-a/app", "permission denied"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let bodies: Vec<_> = backend.received().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [r#"{"role":"reader","jwt":"jwt-0"}"#, r#"{"role":"reader","jwt":"jwt-1"}"#]);
}

#[tokio::test]
async fn refused_static_token_is_read_again_once_it_is_not_young() {
    let backend = Backend::start(|request| match request.header("x-vault-token") {
        Some("s.0") => Answer::json(403, DENIED),
        _ => entry("{}"),
    })
    .await;
    let store = store(&backend).await;
    let error = store.get(&remote("app", None), Instant::now()).await.unwrap_err();
    assert_eq!(error.code(), Code::VaultPermissionDenied);
    assert!(error.to_string().contains("\"read\""), "{error}");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    let since = tokio::time::Instant::now().into_std();
    assert!(store.get(&remote("app", None), since).await.unwrap().is_some());
}

/// Lets time pass for everything but the backend; returns the moment.
async fn after(span: Duration) -> Instant {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
    tokio::time::Instant::now().into_std()
}

/// A backend whose logins give `s.1`, `s.2`…, and that answers reads of `app` as told, and those of `other` with success.
async fn numbering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Backend {
    let logins = AtomicUsize::new(0);
    Backend::start(move |request| {
        if request.target == "/v1/auth/kubernetes/login" {
            let number = logins.fetch_add(1, Ordering::Relaxed) + 1;
            let auth = format!(r#"{{"client_token":"s.{number}","lease_duration":1000000,"renewable":true}}"#);
            return Answer::json(200, format!(r#"{{"auth":{auth}}}"#));
        }
        if request.target.ends_with("/other") { entry("{}") } else { answer(request.header("x-vault-token").unwrap()) }
    })
    .await
}

#[tokio::test]
async fn path_that_a_new_token_may_not_read_either_costs_one_call_from_then_on() {
    let backend = numbering(|_| Answer::json(403, DENIED)).await;
    let store = open_with(&backend, VaultVersion::V2, Some(kubernetes_auth())).await.unwrap();
    let calls = async |span: Duration| {
        let before = backend.lines().len();
        let error = store.get(&remote("app", None), after(span).await).await.unwrap_err();
        assert_eq!(error.code(), Code::VaultPermissionDenied);
        backend.lines().len() - before
    };
    assert_eq!(calls(Duration::from_mins(1)).await, 3, "read, login, read");
    for _ in 0..5 {
        assert_eq!(calls(Duration::from_hours(3)).await, 1);
    }
    // What others may read is no sign that this is permitted now.
    store.get(&remote("other", None), after(Duration::from_secs(1)).await).await.unwrap();
    assert_eq!(calls(Duration::from_mins(1)).await, 1);
    store.reconsider(Some(&remote("other", None)));
    assert_eq!(calls(Duration::from_mins(1)).await, 1, "it is another path");
    store.reconsider(Some(&remote("app", None)));
    assert_eq!(calls(Duration::from_mins(1)).await, 3, "a user acted");
    assert_eq!(calls(Duration::from_hours(21)).await, 3, "once a day");
}

#[tokio::test]
async fn token_that_vault_blames_is_replaced_at_once_also_where_a_path_was_refused() {
    let revoked = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_revoked = revoked.clone();
    let backend = numbering(move |token| match token {
        "s.1" | "s.2" if is_revoked.load(Ordering::Relaxed) => {
            Answer::json(403, r#"{"errors":["permission denied","invalid token"]}"#)
        }
        "s.1" | "s.2" => Answer::json(403, DENIED),
        _ => entry("{}"),
    })
    .await;
    let store = open_with(&backend, VaultVersion::V2, Some(kubernetes_auth())).await.unwrap();
    for _ in 0..2 {
        assert!(store.get(&remote("app", None), after(Duration::from_mins(1)).await).await.is_err());
    }
    revoked.store(true, Ordering::Relaxed);
    assert!(store.get(&remote("app", None), after(Duration::from_mins(1)).await).await.unwrap().is_some());
    let logins = backend.lines().iter().filter(|line| line.contains("login")).count();
    assert_eq!(logins, 3, "{:?}", backend.lines());
}

#[tokio::test]
async fn token_is_renewed_at_two_thirds_of_its_life() {
    let backend = Backend::start(|request| {
        let auth =
            |token: &str| format!(r#"{{"auth":{{"client_token":"{token}","lease_duration":90,"renewable":true}}}}"#);
        match request.target.as_str() {
            "/v1/auth/kubernetes/login" | "/v1/auth/token/renew-self" => Answer::json(200, auth("s.a")),
            _ => entry("{}"),
        }
    })
    .await;
    let store = open_with(&backend, VaultVersion::V2, Some(kubernetes_auth())).await.unwrap();
    for seconds in [59, 2, 58, 3] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        store.get(&remote("app", None), tokio::time::Instant::now().into_std()).await.unwrap();
    }
    let renewals = backend.lines().iter().filter(|line| line.contains("renew-self")).count();
    let logins = backend.lines().iter().filter(|line| line.contains("login")).count();
    assert_eq!((logins, renewals), (1, 2), "{:?}", backend.lines());
}

#[tokio::test]
async fn auth_without_a_method_is_refused() {
    let backend = Backend::start(|_| entry("{}")).await;
    let error = open_with(&backend, VaultVersion::V2, Some(VaultAuth::default())).await.err().unwrap();
    assert_eq!(error.code(), Code::StoreInvalid);
}
