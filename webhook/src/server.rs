//! The admission server: HTTP over TLS with a bound on everything that a client can do.
//!
//! Handshakes run beside each other, off the accept path, each within five seconds. Connections, reviews at a time, the
//! size of a body and the time to send it are bounded; a review that finds no free place in time is shed with 503.
//! Every other answer of the judging paths is a 200 with an AdmissionReview, also when the request was none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::template_syntax::Syntax;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::review;

/// The paths that upstream's webhook configurations name, and the kind that each judges.
pub const PATHS: [(&str, &str); 3] = [
    ("/validate-external-secrets-io-v1-externalsecret", "ExternalSecret"),
    ("/validate-external-secrets-io-v1-secretstore", "SecretStore"),
    ("/validate-external-secrets-io-v1-clustersecretstore", "ClusterSecretStore"),
];

/// An update carries two objects of at most 1.5 MiB (what etcd takes), and the envelope.
const BODY_MAX: usize = 3 * 1024 * 1024 + 128 * 1024;
/// The API server waits `timeoutSeconds: 5`; a body that takes longer has nobody waiting for the verdict.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Reviews in memory at once: 32 of the largest are 100 MiB, and 32 usual ones are done in a millisecond each.
const REVIEWS: usize = 32;
/// Leaves the API server time to hear that the request was shed.
const SHED_AFTER: Duration = Duration::from_secs(2);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Handshakes at once. A full house waits in the kernel's queue for at most the handshake timeout.
const HANDSHAKES: usize = 128;
/// Open connections. An API server opens one per concurrent request and keeps them for 90 s.
const CONNECTIONS: usize = 1024;
/// How long a connection may be silent between requests; longer than an API server keeps it, so that it closes first.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// How long requests in flight may take to end after SIGTERM; the kubelet kills after 30 s.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause after an accept that failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts until `token` is cancelled, then lets the requests in flight end.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, http2: bool, router: Router, token: CancellationToken) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let http = http(http2);
    loop {
        let accept = accept(&listener, &handshakes);
        let (stream, handshake) = tokio::select! {
            accepted = accept => accepted,
            () = token.cancelled() => break,
        };
        let connection = Connection {
            tls: tls.clone(),
            http: http.clone(),
            router: router.clone(),
            connections: connections.clone(),
            watcher: graceful.watcher(),
        };
        tokio::spawn(connection.run(stream, handshake));
    }
    drop(listener);
    tracing::info!(connections = graceful.count(), "draining");
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests in flight did not end in time");
    }
}

/// The judging paths.
pub fn router(metrics: &Metrics, syntax: Syntax) -> Router {
    let reviews = Arc::new(Semaphore::new(REVIEWS));
    let syntax = Arc::new(syntax);
    PATHS
        .iter()
        .fold(Router::new(), |router, (path, kind)| {
            let judge =
                Judge { path, kind, syntax: syntax.clone(), reviews: reviews.clone(), metrics: metrics.clone() };
            router.route(path, post(judge_request).with_state(judge))
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

fn http(http2: bool) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
    if !http2 {
        return http.http1_only();
    }
    http.http2().timer(TokioTimer::new()).keep_alive_interval(IDLE_TIMEOUT).max_concurrent_streams(100);
    http
}

/// The next connection, once there is room for its handshake.
async fn accept(listener: &TcpListener, handshakes: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(room) = handshakes.clone().acquire_owned().await else {
            return std::future::pending().await; // the semaphore is never closed
        };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, room),
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What one connection needs.
struct Connection {
    tls: TlsAcceptor,
    http: Builder<TokioExecutor>,
    router: Router,
    connections: Arc<Semaphore>,
    watcher: Watcher,
}

impl Connection {
    async fn run(self, stream: TcpStream, handshake: OwnedSemaphorePermit) {
        let peer = stream.peer_addr();
        let _ = stream.set_nodelay(true); // answers are one small write
        let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return report(&peer, &error.to_string()),
            Err(_) => return report(&peer, "no handshake within five seconds"),
        };
        drop(handshake);
        let Ok(_open) = self.connections.try_acquire() else {
            return report(&peer, "too many open connections");
        };
        let service = TowerToHyperService::new(self.router);
        let connection = self.http.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// At debug level: probes and port scanners end here too. An API server that does not trust the certificate shows up in
/// its own log and in `kubectl`'s answer.
fn report(peer: &io::Result<SocketAddr>, problem: &str) {
    tracing::debug!(?peer, problem, "connection refused");
}

/// State of one judging path.
#[derive(Clone)]
struct Judge {
    path: &'static str,
    kind: &'static str,
    syntax: Arc<Syntax>,
    reviews: Arc<Semaphore>,
    metrics: Metrics,
}

async fn judge_request(State(judge): State<Judge>, request: Request) -> Response {
    let began = Instant::now();
    let in_flight = judge.metrics.in_flight.with_label_values(&[judge.path]);
    in_flight.inc();
    let _leaving = Leaving(in_flight);
    let response = judge.answer(request).await;
    judge.metrics.latency.with_label_values(&[judge.path]).observe(began.elapsed().as_secs_f64());
    judge.metrics.requests.with_label_values(&[judge.path, response.status().as_str()]).inc();
    response
}

/// Counts a request out, also when its client has gone and the handler is dropped half-way.
struct Leaving(prometheus::IntGauge);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Judge {
    async fn answer(&self, request: Request) -> Response {
        let Ok(Ok(_place)) = tokio::time::timeout(SHED_AFTER, self.reviews.acquire()).await else {
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "too many reviews at once\n")
                .into_response();
        };
        let answer = match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
            Ok(Ok(body)) => review::answer(&body, self.kind, &self.syntax),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                review::refuse(413, format!("the review is larger than {BODY_MAX} bytes"))
            }
            Ok(Err(_)) => review::refuse(400, "the body ended early".to_owned()),
            Err(_) => review::refuse(408, format!("the body did not arrive within {BODY_TIMEOUT:?}")),
        };
        ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
    }
}

#[cfg(test)]
mod tests;
