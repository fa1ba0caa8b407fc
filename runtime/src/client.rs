//! The Kubernetes client of the process.
//!
//! The cluster is found as kubectl finds it: `KUBECONFIG`, else `~/.kube/config`, else the Pod's ServiceAccount. A
//! request that the API server turns away (429, 503, 504) is tried again a few times, after the server's `Retry-After`;
//! a server that accepts a request and stays silent is given up on; watches may stay open. With a rate set, requests
//! wait for a token bucket; without, pacing is left to the API server's priority and fairness. Every attempt is counted
//! in `rest_client_requests_total{method, code}`.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response, header};
use kube::client::{Body, ClientBuilder, retry::RetryPolicy};
use kube::config::{KubeConfigOptions, KubeconfigError};
use kube::{Client, Config};
use prometheus::{IntCounterVec, Opts, Registry};
use tokio::time::Instant;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service};

use crate::Error;

/// A reachable API server accepts within milliseconds; ten seconds also cover a node's lost SYN packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The API server ends every request but watches after 60 s and sends a watch's headers at once, so a longer silence is
/// a dead connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);
/// Retries inside one call. Callers have a queue with its own backoff: these only ride out a short throttle.
const RETRIES: u32 = 3;
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// Requests that may wait for the connection pool; kube's own figure.
const PENDING: usize = 1024;
/// Upstream's `--client-qps`, used when only a burst is set.
const DEFAULT_QPS: f32 = 50.0;

/// How to talk to the API server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Requests per second in the long run; `None` or not positive: no limit of ours.
    pub qps: Option<f32>,
    /// Requests that may be made at once after a pause; `None`: twice `qps`.
    pub burst: Option<u32>,
    /// Goes into the user agent, by which audit logs tell the processes apart.
    pub component: &'static str,
}

/// A client for the cluster that the environment names. `Client::default_namespace` is the namespace of the
/// kubeconfig's context or of the Pod. Reads files; makes no request yet.
pub async fn connect(options: Options, registry: &Registry) -> Result<Client, Error> {
    let mut config = find_cluster().await?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.default_retry = false; // ours below: the built-in one may hold a call for minutes
    if let Ok(agent) =
        HeaderValue::try_from(format!("external-secrets-{}/{}", options.component, env!("CARGO_PKG_VERSION")))
    {
        config.headers.push((header::USER_AGENT, agent));
    }
    let outbound = Outbound { rate: rate(options).map(Arc::new), requests: requests_total(registry)? };
    let retry = RetryPolicy::new(RETRY_MIN, RETRY_MAX, RETRIES, true)
        .map_err(|error| Error::Client(kube::Error::Service(error.into())))?;
    let builder = ClientBuilder::try_from(config).map_err(Error::Client)?;
    Ok(builder
        .with_layer(&BufferLayer::<Request<Body>>::new(PENDING))
        .with_layer(&outbound)
        .with_layer(&RetryLayer::new(retry))
        .build())
}

async fn find_cluster() -> Result<Config, Error> {
    let found = Config::from_kubeconfig(&KubeConfigOptions::default()).await;
    let cause = match found {
        Ok(config) => return Ok(config),
        Err(error) => cause(&error),
    };
    // A KUBECONFIG that cannot be read is an error, not a reason to try another cluster.
    match std::env::var("KUBECONFIG") {
        Ok(path) if !path.is_empty() => Err(Error::Kubeconfig { path, cause }),
        _ => Config::incluster().map_err(|_| Error::NoCluster { cause }),
    }
}

/// What is wrong with a kubeconfig, without a word of what stands in it.
fn cause(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(_) => "it is not the YAML of a kubeconfig".to_owned(),
        KubeconfigError::ParseCertificates(_) => "its certificates are not PEM".to_owned(),
        other => other.to_string(),
    }
}

fn requests_total(registry: &Registry) -> Result<IntCounterVec, Error> {
    let help = "Requests to the Kubernetes API by method and status code (<error> when there was no answer)";
    let counter = IntCounterVec::new(Opts::new("rest_client_requests_total", help), &["method", "code"])?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn rate(options: Options) -> Option<Mutex<Bucket>> {
    let qps = options.qps.or(options.burst.map(|_| DEFAULT_QPS)).filter(|qps| qps.is_finite() && *qps > 0.0)?;
    let burst = options.burst.map_or(f64::from(qps) * 2.0, f64::from).max(1.0);
    Some(Mutex::new(Bucket { per_second: f64::from(qps), burst, tokens: burst, at: Instant::now() }))
}

/// A token bucket that lends: a caller takes its token at once and is told how long to wait for it, so that waiting
/// callers are served in order.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst) - 1.0;
        self.at = now;
        // A debt of years (absurd rates) saturates instead of panicking.
        Duration::try_from_secs_f64((-self.tokens / self.per_second).max(0.0)).unwrap_or(Duration::MAX)
    }
}

/// Layer: waits for the rate, bounds the wait for an answer, counts.
#[derive(Clone)]
struct Outbound {
    rate: Option<Arc<Mutex<Bucket>>>,
    requests: IntCounterVec,
}

impl<S> Layer<S> for Outbound {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { outbound: self.clone(), inner }
    }
}

#[derive(Clone)]
struct Counted<S> {
    outbound: Outbound,
    inner: S,
}

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone stays for the next call; the service that was polled ready makes this one.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let outbound = self.outbound.clone();
        Box::pin(async move {
            outbound.wait().await;
            let method = request.method().clone();
            let answer = match tokio::time::timeout(ANSWER_TIMEOUT, inner.call(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer from the Kubernetes API within {ANSWER_TIMEOUT:?}").into()),
            };
            let code = answer.as_ref().map_or("<error>".to_owned(), |answer| answer.status().as_u16().to_string());
            outbound.requests.with_label_values(&[method.as_str(), &code]).inc();
            answer
        })
    }
}

impl Outbound {
    async fn wait(&self) {
        let Some(rate) = &self.rate else { return };
        let pause = rate.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    fn options(qps: Option<f32>, burst: Option<u32>) -> Options {
        Options { qps, burst, component: "test" }
    }

    #[tokio::test(start_paused = true)]
    async fn burst_passes_then_requests_come_at_the_rate() {
        let mut bucket = rate(options(Some(10.0), Some(3))).unwrap().into_inner().unwrap();
        let now = Instant::now();
        let waits: Vec<u128> = (0..5).map(|_| bucket.take(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        assert_eq!(bucket.take(now + Duration::from_secs(10)), Duration::ZERO);
    }

    #[test]
    fn no_bucket_unless_a_rate_is_set() {
        assert!(rate(options(None, None)).is_none());
        assert!(rate(options(Some(0.0), None)).is_none());
        assert!(rate(options(Some(f32::NAN), Some(3))).is_none());
        let only_burst = rate(options(None, Some(7))).unwrap().into_inner().unwrap();
        assert!((only_burst.per_second - 50.0).abs() < f64::EPSILON);
    }

    #[tokio::test(start_paused = true)]
    async fn throttled_request_is_retried_and_every_attempt_counted() {
        let registry = Registry::new();
        let requests = requests_total(&registry).unwrap();
        let codes = Arc::new(Mutex::new(vec![200_u16, 503, 429]));
        let server = tower::service_fn(move |_: Request<Body>| {
            let code = codes.lock().unwrap().pop().unwrap();
            async move { Ok::<_, BoxError>(Response::builder().status(code).body(Body::empty()).unwrap()) }
        });
        let service = tower::ServiceBuilder::new()
            .layer(RetryLayer::new(RetryPolicy::new(RETRY_MIN, RETRY_MAX, RETRIES, true).unwrap()))
            .layer(Outbound { rate: None, requests: requests.clone() })
            .service(server);
        let answer = service.oneshot(Request::get("/x").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        for code in ["200", "503", "429"] {
            assert_eq!(requests.with_label_values(&["GET", code]).get(), 1, "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silent_server_is_given_up_on() {
        let requests = requests_total(&Registry::new()).unwrap();
        let server = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
        let service = Outbound { rate: None, requests: requests.clone() }.layer(server);
        let error = service.oneshot(Request::get("/x").body(Body::empty()).unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("no answer"), "{error}");
        assert_eq!(requests.with_label_values(&["GET", "<error>"]).get(), 1);
    }
}
