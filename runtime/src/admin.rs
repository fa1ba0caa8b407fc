//! The server for whoever operates the process: `/metrics`, `/healthz` and `/readyz`.
//!
//! Addresses are written as Go programs write them: `:8080` (every interface), `127.0.0.1:8080`, `0` for off. Metrics
//! and health may share an address. `/healthz` says that the process answers; `/readyz` runs the checks of [`Health`]
//! and answers 500 with the failing ones, `/readyz?verbose` lists all, `/readyz/NAME` runs one. The server answers until
//! the process ends, also while it drains, so that a probe never takes a clean stop for a crash.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::Error;

/// Checks that decide readiness, in the order in which they were added.
#[derive(Default)]
pub struct Health {
    checks: RwLock<Vec<(String, Check)>>,
}

type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check. It runs on every probe: it must be quick and must not block. The error text is for people.
    pub fn check(&self, name: impl Into<String>, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).push((name.into(), Box::new(check)));
    }

    /// The result of every check.
    pub fn results(&self) -> Vec<(String, Result<(), String>)> {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        checks.iter().map(|(name, check)| (name.clone(), check())).collect()
    }
}

/// What is served where.
#[derive(Default)]
pub struct Admin {
    servers: BTreeMap<String, Served>,
}

#[derive(Clone, Default)]
struct Served {
    metrics: Option<Registry>,
    health: Option<Arc<Health>>,
}

/// Running servers; dropping it stops them.
#[derive(Debug)]
pub struct Serving {
    /// Where the servers listen, by the address that was asked for; useful when the port was 0.
    pub addresses: BTreeMap<String, SocketAddr>,
    _tasks: JoinSet<()>,
}

impl Admin {
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves `/metrics` at `address`.
    #[must_use]
    pub fn metrics(mut self, address: &str, registry: Registry) -> Self {
        self.servers.entry(address.to_owned()).or_default().metrics = Some(registry);
        self
    }

    /// Serves `/healthz` and `/readyz` at `address`.
    #[must_use]
    pub fn health(mut self, address: &str, health: Arc<Health>) -> Self {
        self.servers.entry(address.to_owned()).or_default().health = Some(health);
        self
    }

    /// Listens on every address, then answers in the background.
    pub async fn start(self) -> Result<Serving, Error> {
        let mut addresses = BTreeMap::new();
        let mut tasks = JoinSet::new();
        for (address, served) in self.servers {
            let Some(socket) = socket_address(&address)? else { continue };
            let listen = |source| Error::Listen { address: address.clone(), source };
            let listener = TcpListener::bind(socket.as_str()).await.map_err(listen)?;
            let local = listener.local_addr().map_err(listen)?;
            tracing::info!(
                address = %local,
                metrics = served.metrics.is_some(),
                health = served.health.is_some(),
                "admin server listens"
            );
            addresses.insert(address.clone(), local);
            let router = served.router();
            tasks.spawn(async move {
                if let Err(error) = axum::serve(listener, router).await {
                    tracing::error!(%error, %address, "admin server ended");
                }
            });
        }
        Ok(Serving { addresses, _tasks: tasks })
    }
}

impl Served {
    fn router(self) -> Router {
        let mut router = Router::new();
        if let Some(registry) = self.metrics {
            router = router.route("/metrics", get(metrics).with_state(registry));
        }
        if let Some(health) = self.health {
            router = router
                .route("/healthz", get(|| async { "ok" }))
                .route("/healthz/{name}", get(|| async { "ok" }))
                .route("/readyz", get(ready).with_state(health.clone()))
                .route("/readyz/{name}", get(ready_one).with_state(health));
        }
        router
    }
}

/// `None` when the server is off. Go's `:8080` means every interface, IPv4 and IPv6.
fn socket_address(address: &str) -> Result<Option<String>, Error> {
    if address == "0" || address.is_empty() {
        return Ok(None);
    }
    let wrong = || Error::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    port.parse::<u16>().map_err(|_| wrong())?;
    Ok(Some(if host.is_empty() { format!("{}:{port}", every_interface()) } else { address.to_owned() }))
}

/// IPv6's wildcard accepts IPv4 too, unless the machine has no IPv6.
fn every_interface() -> &'static str {
    if std::net::UdpSocket::bind("[::]:0").is_ok() { "[::]" } else { "0.0.0.0" }
}

async fn metrics(State(registry): State<Registry>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("encoding metrics: {error}\n")).into_response(),
    }
}

async fn ready(State(health): State<Arc<Health>>, RawQuery(query): RawQuery) -> Response {
    let results = health.results();
    let healthy = results.iter().all(|(_, result)| result.is_ok());
    let verbose = query.is_some_and(|query| query.split('&').any(|word| word.split('=').next() == Some("verbose")));
    if healthy && !verbose {
        return "ok".into_response();
    }
    let mut text = String::new();
    for (name, result) in results {
        let _ = match result {
            Ok(()) => writeln!(text, "[+]{name} ok"),
            Err(reason) => writeln!(text, "[-]{name} failed: {reason}"),
        };
    }
    text.push_str(if healthy { "readyz check passed\n" } else { "readyz check failed\n" });
    (if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }, text).into_response()
}

async fn ready_one(State(health): State<Arc<Health>>, Path(wanted): Path<String>) -> Response {
    match health.results().into_iter().find(|(name, _)| *name == wanted) {
        None => (StatusCode::NOT_FOUND, "no such check\n").into_response(),
        Some((_, Ok(()))) => "ok".into_response(),
        Some((_, Err(reason))) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{reason}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use prometheus::IntCounter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn get_path(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn readiness_names_the_failing_check_and_recovers() {
        let good = Arc::new(AtomicBool::new(false));
        let health = Arc::new(Health::new());
        let seen = good.clone();
        health.check(
            "certs",
            move || {
                if seen.load(Ordering::SeqCst) { Ok(()) } else { Err("no certificate".to_owned()) }
            },
        );
        let serving = Admin::new().health("127.0.0.1:0", health).start().await.unwrap();
        let address = serving.addresses["127.0.0.1:0"];

        let answer = get_path(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(answer.contains("[-]certs failed: no certificate"), "{answer}");
        assert!(get_path(address, "/healthz").await.starts_with("HTTP/1.1 200"));

        good.store(true, Ordering::SeqCst);
        assert!(get_path(address, "/readyz").await.ends_with("ok"));
        assert!(get_path(address, "/readyz?verbose").await.contains("[+]certs ok"));
        assert!(get_path(address, "/readyz/certs").await.ends_with("ok"));
        assert!(get_path(address, "/readyz/other").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn metrics_and_health_are_served_only_where_asked() {
        let registry = Registry::new();
        let counter = IntCounter::new("ours_total", "help").unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.inc();
        let serving = Admin::new()
            .metrics("127.0.0.1:0", registry.clone())
            .metrics("0", registry)
            .health("0", Arc::new(Health::new()))
            .start()
            .await
            .unwrap();
        assert_eq!(serving.addresses.len(), 1);
        let address = serving.addresses["127.0.0.1:0"];
        assert!(get_path(address, "/metrics").await.contains("\nours_total 1\n"));
        assert!(get_path(address, "/healthz").await.starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn addresses_are_gos() {
        assert_eq!(socket_address("0").unwrap(), None);
        assert_eq!(socket_address("127.0.0.1:81").unwrap().unwrap(), "127.0.0.1:81");
        assert!(socket_address(":8080").unwrap().unwrap().ends_with(":8080"));
        for wrong in ["8080", ":http", "localhost", ":99999"] {
            assert!(socket_address(wrong).is_err(), "{wrong}");
        }
    }
}
