use reqwest::redirect::Policy;
use vaultrs::api::kv2::requests::{ListSecretsRequest, ReadSecretRequest};

use super::*;
use crate::{
    error::Class,
    provider::fixture::{Answer, Backend},
};

fn transport(server: &str) -> Transport {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let retry = Retry { repeats: 1, interval: Duration::from_millis(1), spread: 0.1 };
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    Transport::new(client, server, HeaderMap::new(), retry).unwrap()
}

fn read(path: &str) -> Request {
    Request::new(&read_request(path)).unwrap()
}

fn read_request(path: &str) -> ReadSecretRequest {
    ReadSecretRequest { mount: "secret".into(), path: path.into(), version: None }
}

async fn call(backend: &Backend) -> Result<Reply, Error> {
    transport(&backend.url).call(&read("app"), &Caller::default()).await
}

#[tokio::test]
async fn request_carries_prefix_encoded_path_version_token_and_namespace() {
    let backend = Backend::start(|_| Answer::json(200, "{}")).await;
    let transport = transport(&format!("{}/vault/", backend.url));
    let caller =
        Caller { token: Some(HeaderValue::from_static("tok")), namespace: Some(HeaderValue::from_static("team-a/")) };
    let request = Request::new(&ReadSecretRequest { version: Some(7), ..read_request("a b/c%d?e#ü") }).unwrap();
    transport.call(&request, &caller).await.unwrap();
    let list = Request::new(&ListSecretsRequest { mount: "secret".into(), path: String::new() }).unwrap();
    transport.call(&list, &Caller::default()).await.unwrap();
    let expected = ["GET /vault/v1/secret/data/a%20b/c%25d%3Fe%23%C3%BC?version=7", "LIST /vault/v1/secret/metadata"];
    assert_eq!(backend.lines(), expected);
    let received = backend.received();
    assert_eq!(received[0].header("x-vault-token"), Some("tok"));
    assert_eq!(received[0].header("x-vault-namespace"), Some("team-a/"));
    assert_eq!(received[1].header("x-vault-token"), None);
}

#[tokio::test]
async fn path_cannot_climb() {
    let backend = Backend::start(|_| Answer::json(200, "{}")).await;
    for path in ["../../sys/mounts", "a/../b", "./a"] {
        let error = transport(&backend.url).call(&read(path), &Caller::default()).await.unwrap_err();
        assert_eq!(error.code(), Code::KeyInvalid, "{path}");
    }
    assert!(backend.lines().is_empty());
}

#[tokio::test]
async fn answers_that_are_not_vault_s_are_told_apart() {
    let sealed = r#"{"errors":["Vault is sealed"]}"#;
    let truncated = Answer { truncated: true, ..Answer::json(200, r#"{"data":"#) };
    let table = [
        (Answer::html(200), Code::VaultUnexpectedAnswer, Class::Fix, 1),
        (Answer::html(403), Code::VaultUnexpectedAnswer, Class::Fix, 1),
        (Answer::json(404, ""), Code::VaultUnexpectedAnswer, Class::Retry, 1),
        (Answer::html(500), Code::VaultUnexpectedAnswer, Class::Retry, 2),
        (Answer::html(501), Code::VaultUnexpectedAnswer, Class::Fix, 1),
        (Answer::html(502), Code::VaultUnreachable, Class::Outage, 2),
        (Answer::json(200, r#"{"data":"#), Code::VaultUnexpectedAnswer, Class::Retry, 1),
        (truncated, Code::VaultUnexpectedAnswer, Class::Retry, 1),
        (Answer::json(200, format!("\"{}\"", "x".repeat(MAX_BODY))), Code::VaultUnexpectedAnswer, Class::Fix, 1),
        (Answer::json(503, sealed), Code::VaultSealed, Class::Outage, 2),
        (Answer::json(501, r#"{"errors":["not init"]}"#), Code::VaultNotInitialized, Class::Outage, 1),
        (Answer::json(472, ""), Code::VaultNotActive, Class::Outage, 1),
        (Answer::json(473, "{}"), Code::VaultNotActive, Class::Outage, 2),
        (Answer::json(412, r#"{"errors":["required index state not present"]}"#), Code::VaultBehind, Class::Retry, 2),
        (Answer::json(500, r#"{"errors":["internal"]}"#), Code::VaultUnexpectedAnswer, Class::Retry, 2),
        (Answer::json(429, "{}"), Code::VaultThrottled, Class::Outage, 1),
        (Answer::html(429), Code::VaultThrottled, Class::Outage, 1),
        (Answer::json(429, "{}").with("retry-after", "60"), Code::VaultThrottled, Class::Outage, 1),
        (Answer::json(429, "{}").with("retry-after", "0"), Code::VaultThrottled, Class::Outage, 2),
    ];
    for (answer, code, class, attempts) in table {
        let shown = format!("{} {:?} {:.20}", answer.status, answer.headers, answer.body);
        let backend = Backend::start(move |_| answer.clone()).await;
        let error = call(&backend).await.unwrap_err();
        assert_eq!((error.code(), error.class(), backend.lines().len()), (code, class, attempts), "{shown}: {error}");
    }
}

#[tokio::test]
async fn answer_that_does_not_end_is_given_up() {
    let slow = Answer { stalls: true, ..Answer::json(200, r#"{"data":"#) };
    let backend = Backend::start(move |_| slow.clone()).await;
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let error = call(&backend).await.unwrap_err();
    assert_eq!((error.code(), error.class()), (Code::VaultUnreachable, Class::Outage), "{error}");
    assert!(error.to_string().contains("no answer in time"), "{error}");
    assert!(started.elapsed() < REQUEST_TIMEOUT * 2, "{:?}", started.elapsed());
}

#[tokio::test]
async fn state_of_a_replica_is_sent_back_and_forwarding_asked_for() {
    let state = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "v1:c:7:7:h");
    let told = state.clone();
    let backend = Backend::start(move |_| Answer::json(200, "{}").with("x-vault-index", told.clone())).await;
    for (consistency, expected) in [
        (Consistency::new(false, false), (None, None)),
        (Consistency::new(true, false), (Some(state.as_str()), None)),
        (Consistency::new(true, true), (Some(state.as_str()), Some("forward-active-node"))),
    ] {
        let transport = transport(&backend.url).with_consistency(consistency);
        for _ in 0..2 {
            transport.call(&read("app"), &Caller::default()).await.unwrap();
        }
        let received = backend.received();
        let last = received.last().unwrap();
        assert_eq!((last.header("x-vault-index"), last.header("x-vault-inconsistent")), expected);
    }
}

#[tokio::test]
async fn headers_of_the_store_go_with_every_request_and_never_replace_the_token() {
    let backend = Backend::start(|_| Answer::json(200, "{}")).await;
    let headers = [("x-team", "a"), ("x-vault-token", "forged"), ("x-vault-request", "false")];
    let headers = headers.into_iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
    let transport = Transport { headers: headers.collect(), ..transport(&backend.url) };
    let caller = Caller { token: Some(HeaderValue::from_static("tok")), namespace: None };
    transport.call(&read("app"), &caller).await.unwrap();
    let received = &backend.received()[0];
    let sent = ["x-team", "x-vault-token", "x-vault-request"].map(|name| received.header(name).unwrap_or_default());
    assert_eq!(sent, ["a", "tok", "true"]);
    assert_eq!(received.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-vault-token")).count(), 1);
}

#[tokio::test]
async fn failed_call_is_repeated_and_may_succeed() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let backend = Backend::start(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => Answer::json(503, r#"{"errors":["sealed"]}"#),
        _ => Answer::json(200, r#"{"data":1}"#),
    })
    .await;
    assert_eq!(call(&backend).await.unwrap().status, 200);
}

#[tokio::test]
async fn server_that_fails_many_at_once_is_asked_again_by_one_and_then_by_whoever_comes() {
    let is_up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let answers = is_up.clone();
    let backend = Backend::start(move |_| {
        let is_up = answers.load(std::sync::atomic::Ordering::Relaxed);
        if is_up { Answer::json(200, r#"{"data":1}"#) } else { Answer::json(503, r#"{"errors":["sealed"]}"#) }
    })
    .await;
    let retry = Retry { repeats: 2, interval: Duration::from_millis(200), spread: 0.0 };
    let transport = Transport { retry, ..transport(&backend.url) };
    let (request, caller) = (read("app"), Caller::default());
    let calls = futures::future::join_all((0..16).map(|_| transport.call(&request, &caller))).await;
    assert!(calls.iter().all(|call| call.as_ref().is_err_and(|error| error.code() == Code::VaultSealed)));
    assert_eq!(backend.lines().len(), 16 + 2);
    transport.call(&request, &caller).await.unwrap_err();
    assert_eq!(backend.lines().len(), 16 + 2 + 1, "it is known to be down");
    is_up.store(true, std::sync::atomic::Ordering::Relaxed);
    transport.call(&request, &caller).await.unwrap();
    is_up.store(false, std::sync::atomic::Ordering::Relaxed);
    transport.call(&request, &caller).await.unwrap_err();
    assert_eq!(backend.lines().len(), 16 + 2 + 1 + 1 + 3, "it was up in between");
}

#[tokio::test]
async fn answer_to_another_request_ends_the_wait_of_those_who_failed() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let backend = Backend::start(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0..4 => Answer::json(503, r#"{"errors":["sealed"]}"#),
        _ => Answer::json(200, r#"{"data":1}"#),
    })
    .await;
    let retry = Retry { repeats: 1, interval: Duration::from_millis(50), spread: 0.0 };
    let transport = Transport { retry, ..transport(&backend.url) };
    let (request, caller) = (read("app"), Caller::default());
    let calls = futures::future::join_all((0..4).map(|_| transport.call(&request, &caller))).await;
    assert!(calls.iter().all(|call| call.as_ref().is_ok_and(Reply::is_success)), "{calls:?}");
    assert_eq!(backend.lines().len(), 8);
}

#[tokio::test]
async fn pause_that_a_server_asks_for_is_not_part_of_what_is_said() {
    let backend = Backend::start(|_| Answer::json(429, "{}").with("retry-after", "60")).await;
    let error = call(&backend).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
    assert!(!error.to_string().contains("60"), "{error}");
}

#[test]
fn pauses_differ_and_are_never_shorter_than_asked_for() {
    let (pause, retry) = (Duration::from_secs(1), Retry::default());
    let pauses: Vec<_> = (0..100).map(|_| retry.spread(pause, "/v1/secret/data/app")).collect();
    assert!(pauses.iter().all(|one| (pause..pause.mul_f64(1.5)).contains(one)), "{pauses:?}");
    assert!(pauses.iter().any(|one| *one != pauses[0]));
}

#[tokio::test]
async fn unreachable_server_is_an_outage() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let transport = transport(&format!("http://127.0.0.1:{port}"));
    let error = transport.call(&read("app"), &Caller::default()).await.unwrap_err();
    assert_eq!((error.code(), error.class()), (Code::VaultUnreachable, Class::Outage));
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn certificate_of_an_unknown_authority_is_named_and_the_bundle_cures_it() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (backend, pem) = Backend::start_tls(|_| Answer::json(200, "{}")).await;
    let clients = crate::http::Clients::default();
    for (ca, expected) in [(None, Some(Code::VaultUntrusted)), (Some(pem.as_bytes()), None)] {
        let client = clients.client("spec.provider.vault.caBundle", ca, None).unwrap();
        let transport = Transport::new(client, &backend.url, HeaderMap::new(), Retry::default()).unwrap();
        let result = transport.call(&read("app"), &Caller::default()).await;
        assert_eq!(result.as_ref().err().map(Error::code), expected, "{result:?}");
        if let Err(error) = result {
            assert!(error.class() == Class::Fix && error.to_string().contains("caBundle"), "{error}");
        }
    }
}

#[tokio::test]
async fn standby_s_redirect_is_followed_once_with_the_token_and_no_other() {
    let active = Backend::start(|_| Answer::json(200, r#"{"data":1}"#)).await;
    let target = format!("{}/v1/secret/data/app", active.url);
    let standby = Backend::start(move |_| Answer::json(307, "").with("location", target.clone())).await;
    let caller = Caller { token: Some(HeaderValue::from_static("tok")), namespace: None };
    let reply = transport(&standby.url).call(&read("app"), &caller).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(active.received()[0].header("x-vault-token"), Some("tok"));

    let circle = Backend::start(|_| Answer::json(307, "").with("location", "/v1/secret/data/app")).await;
    let upgrade = Backend::start(|_| Answer::json(307, "").with("location", "https://127.0.0.1:1/")).await;
    let moved = Backend::start(|_| Answer::json(301, "").with("location", "/elsewhere")).await;
    // Another entry is never read in place of the one that was asked for.
    let other = |target: &str| format!("{}{target}", active.url);
    let [one, two, three] = ["/v1/secret/data/other", "/v1/secret/data/app?version=1", "/"].map(other);
    let [one, two, three] =
        [one, two, three].map(|to| Backend::start(move |_| Answer::json(307, "").with("location", to.clone())));
    let (one, two, three) = tokio::join!(one, two, three);
    for (backend, requests) in [(circle, 2), (upgrade, 1), (moved, 1), (one, 1), (two, 1), (three, 1)] {
        let error = call(&backend).await.unwrap_err();
        assert_eq!((error.code(), backend.lines().len()), (Code::VaultUnexpectedAnswer, requests), "{error}");
    }
}

#[tokio::test]
async fn redirect_keeps_namespace_body_and_query_and_may_leave_out_the_prefix_of_a_gateway() {
    let active = Backend::start(|_| Answer::json(200, r#"{"data":1}"#)).await;
    // Encoded as another implementation does.
    let target = format!("{}/v1/secret/data/a%20b%28c%29?version=7", active.url);
    let gateway = Backend::start(move |_| Answer::json(307, "").with("location", target.clone())).await;
    let caller =
        Caller { token: Some(HeaderValue::from_static("tok")), namespace: Some(HeaderValue::from_static("team-a")) };
    let request = Request::new(&ReadSecretRequest { version: Some(7), ..read_request("a b(c)") }).unwrap();
    transport(&format!("{}/vault", gateway.url)).call(&request, &caller).await.unwrap();
    assert_eq!(gateway.lines(), ["GET /vault/v1/secret/data/a%20b(c)?version=7"]);
    let received = &active.received()[0];
    let sent = ["x-vault-token", "x-vault-namespace", "x-vault-request"].map(|name| received.header(name));
    assert_eq!(sent, [Some("tok"), Some("team-a"), Some("true")]);

    let active = Backend::start(|_| Answer::json(200, r#"{"auth":{}}"#)).await;
    let target = format!("{}/v1/auth/approle/login", active.url);
    let standby = Backend::start(move |_| Answer::json(307, "").with("location", target.clone())).await;
    let login = vaultrs::api::auth::approle::requests::LoginWithApproleRequest {
        mount: "approle".into(),
        role_id: "r".into(),
        secret_id: "s".into(),
    };
    transport(&standby.url).call(&Request::new(&login).unwrap(), &caller).await.unwrap();
    assert_eq!(
        (&*active.received()[0].method, &*active.received()[0].body),
        ("POST", r#"{"role_id":"r","secret_id":"s"}"#)
    );
}

#[test]
fn server_address_must_be_one() {
    let client = || Client::builder().no_proxy().build().unwrap();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    for server in ["", "::", "vault:8200", "ftp://vault", "https://", "vault.example.com"] {
        let error = Transport::new(client(), server, HeaderMap::new(), Retry::default()).err().unwrap();
        assert_eq!(error.code(), Code::StoreInvalid, "{server}");
    }
    let transport =
        Transport::new(client(), "https://u:p@v.example:8200/x", HeaderMap::new(), Retry::default()).unwrap();
    assert_eq!(transport.server().to_string(), "https://v.example:8200");
}

#[test]
fn retry_settings_without_a_number_mean_no_repeat() {
    let settings =
        |max_retries, interval: Option<&str>| RetrySettings { max_retries, retry_interval: interval.map(Into::into) };
    let parsed = |settings: Option<RetrySettings>| {
        Retry::new(settings.as_ref()).map(|retry| (retry.repeats, retry.interval.as_millis())).ok()
    };
    assert_eq!(parsed(None), Some((2, 1000)));
    assert_eq!(parsed(Some(settings(None, None))), Some((0, 1000)));
    assert_eq!(parsed(Some(settings(Some(5), Some("250ms")))), Some((5, 250)));
    assert_eq!(parsed(Some(settings(Some(-1), None))), Some((0, 1000)));
    assert_eq!(parsed(Some(settings(Some(1), Some("soon")))), None);
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_does() {
    use axum::{Router, http::Version};
    use hyper_util::{
        rt::{TokioExecutor, TokioIo},
        server::conn::auto::Builder,
        service::TowerToHyperService,
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(vec![signed.cert.der().clone()], key.into()).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async |version: Version| format!(r#"{{"data":"{version:?}"}}"#));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
            tokio::spawn(async move {
                let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                let _ = Builder::new(TokioExecutor::new()).serve_connection(stream, service).await;
            });
        }
    });
    let client = crate::http::Clients::default().client("f", Some(signed.cert.pem().as_bytes()), None).unwrap();
    let transport = Transport::new(client, &url, HeaderMap::new(), Retry::default()).unwrap();
    let reply = transport.call(&read("app"), &Caller::default()).await.unwrap();
    assert_eq!(reply.body.get("data").and_then(Json::as_str), Some("HTTP/2.0"));
}
