//! The admission server: HTTP over TLS with a bound on everything that a client can do.
//!
//! Handshakes run beside each other, off the accept path, each within five seconds. A client always finds a
//! [place](crate::connections), and a body [arrives](crate::arrivals) before it takes one of the places for judging; a
//! review that finds none in time is shed with 503. Every other answer of the judging paths is a 200 with an
//! AdmissionReview, also when the request was none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::template_syntax::Syntax;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::arrivals::{Arrivals, BODY_MAX, BODY_TIMEOUT, Loss};
use crate::connections::{Connections, PLACES, Place};
use crate::metrics::Metrics;
use crate::review;

/// The paths that upstream's webhook configurations name, and the kind that each judges.
pub const PATHS: [(&str, &str); 3] = [
    ("/validate-external-secrets-io-v1-externalsecret", "ExternalSecret"),
    ("/validate-external-secrets-io-v1-secretstore", "SecretStore"),
    ("/validate-external-secrets-io-v1-clustersecretstore", "ClusterSecretStore"),
];

/// Reviews being judged at once: each is work for a core, and usual ones are done in a millisecond.
const REVIEWS: usize = 32;
/// Leaves the API server time to hear that the request was shed.
const SHED_AFTER: Duration = Duration::from_secs(2);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that the kernel keeps until they are accepted: what Linux grants by default.
const QUEUE: u32 = 4096;
/// How long a connection may be silent between requests; longer than an API server keeps it, so that it closes first.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// After SIGTERM each connection ends with its next answer. One that is silent for this long is closed by us: an API server
/// that sends just then fails its user's apply, and on a connection in use it would.
const FAREWELL: Duration = Duration::from_secs(5);
const FAREWELL_LOOK: Duration = Duration::from_millis(50);
/// How long requests in flight may take to end after that; the kubelet kills 30 s after the preStop hook began.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause after an accept that failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts until `token` is cancelled, then lets the requests in flight end.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, http2: bool, router: Router, token: CancellationToken) {
    let connections = Connections::new(PLACES);
    let graceful = GracefulShutdown::new();
    let http = http(http2);
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = token.cancelled() => break,
        };
        let stopping = token.clone();
        let router = router.clone().layer(Extension(place.clone())).layer(from_fn(move |request, next| {
            let stopping = stopping.clone();
            async move { last_if_stopping(request, next, &stopping).await }
        }));
        let watcher = graceful.watcher();
        let connection = Connection { tls: tls.clone(), http: http.clone(), router, watcher };
        tokio::spawn(async move {
            tokio::select! {
                () = connection.run(stream) => {}
                () = place.has_to_go() => tracing::debug!("connection closed to make room"),
            }
        });
    }
    drop(listener);
    tracing::info!(connections = graceful.count(), "draining");
    let all_gone = async {
        while graceful.count() > 0 {
            tokio::time::sleep(FAREWELL_LOOK).await;
        }
    };
    let _ = tokio::time::timeout(FAREWELL, all_gone).await; // the rest is closed below
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests in flight did not end in time");
    }
}

/// Answers, and asks the client to close when the process is about to stop. HTTP/2 has its own word for that.
async fn last_if_stopping(request: Request, next: Next, stopping: &CancellationToken) -> Response {
    let is_http1 = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    if is_http1 && stopping.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A listener for [`serve`], in whose queue a burst of strangers leaves room.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    // As every server: a restart need not wait for the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// The judging paths.
pub fn router(metrics: &Metrics, syntax: Syntax) -> Router {
    let (reviews, arrivals) = (Arc::new(Semaphore::new(REVIEWS)), Arc::new(Arrivals::default()));
    let syntax = Arc::new(syntax);
    PATHS.iter().fold(Router::new(), |router, (path, kind)| {
        let (syntax, reviews, arrivals) = (syntax.clone(), reviews.clone(), arrivals.clone());
        let judge = Judge { path, kind, syntax, reviews, arrivals, metrics: metrics.clone() };
        router.route(path, post(judge_request).with_state(judge))
    })
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

/// The next connection and its place.
async fn accept(listener: &TcpListener, connections: &Arc<Connections>) -> (TcpStream, Arc<Place>) {
    let stream = loop {
        match listener.accept().await {
            Ok((stream, _)) => break stream,
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    loop {
        match connections.enter(Instant::now()) {
            Ok(place) => return (stream, Arc::new(place)),
            Err(wait) => tokio::time::sleep(wait).await,
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
    watcher: Watcher,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let peer = stream.peer_addr();
        let _ = stream.set_nodelay(true); // answers are one small write
        let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return report(&peer, &error.to_string()),
            Err(_) => return report(&peer, "no handshake within five seconds"),
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
    arrivals: Arc<Arrivals>,
    metrics: Metrics,
}

async fn judge_request(
    State(judge): State<Judge>,
    Extension(place): Extension<Arc<Place>>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let in_flight = judge.metrics.in_flight.with_label_values(&[judge.path]);
    in_flight.inc();
    let _leaving = Leaving(in_flight);
    let response = judge.answer(&place, request).await;
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
    async fn answer(&self, place: &Arc<Place>, request: Request) -> Response {
        let answer = match self.arrivals.receive(request.into_body()).await {
            Ok(arrived) => {
                let _judging = place.judging();
                let Ok(Ok(_turn)) = tokio::time::timeout(SHED_AFTER, self.reviews.acquire()).await else {
                    return shed();
                };
                review::answer(&arrived.bytes, self.kind, &self.syntax)
            }
            Err(Loss::NoRoom) => return shed(),
            Err(Loss::TooLarge) => review::refuse(413, format!("the review is larger than {BODY_MAX} bytes")),
            Err(Loss::EndedEarly) => review::refuse(400, "the body ended early".to_owned()),
            Err(Loss::TooSlow) => review::refuse(408, format!("the body did not arrive within {BODY_TIMEOUT:?}")),
        };
        ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
    }
}

fn shed() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "too many reviews at once\n").into_response()
}

#[cfg(test)]
mod tests;
