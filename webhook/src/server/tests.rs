//! The server on loopback, over real TLS.

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::Registry;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificate::tests::{Folder, pem, provider};
use crate::certificate::{Current, Files};
use crate::clients::Clients;
use crate::tls;

use super::*;

/// A served webhook; stops with the test.
struct Served {
    address: SocketAddr,
    folder: Folder,
    current: Arc<Current>,
    registry: Registry,
    token: CancellationToken,
    stopped: Arc<AtomicBool>,
}

impl Served {
    fn start() -> Self {
        Self::start_for(None)
    }

    fn start_for(clients: Option<Arc<Clients>>) -> Self {
        let folder = Folder::new();
        let current = Arc::new(Current::default());
        let acceptor = tls::acceptor(&tls::Options::default(), provider(), current.clone(), clients).unwrap();
        let files = Files::new(&folder.0, "localhost", provider(), current.clone());
        tokio::spawn(files.watch(Duration::from_millis(20)));
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let registry = Registry::new();
        let router = router(&Metrics::new(&registry).unwrap(), Syntax::default());
        let token = CancellationToken::new();
        let stopped = Arc::new(AtomicBool::new(false));
        let (until, done) = (token.clone(), stopped.clone());
        tokio::spawn(async move {
            serve(listener, acceptor, false, router, until).await;
            done.store(true, Ordering::SeqCst);
        });
        Self { address, folder, current, registry, token, stopped }
    }

    /// Serves a fresh certificate; returns what a client must trust.
    fn certify(&self) -> String {
        let (chain, key) = pem("localhost", 90);
        self.folder.write(&chain, &key);
        chain
    }

    async fn connect(&self, trusted: &str) -> io::Result<TlsStream<TcpStream>> {
        self.connect_as(trusted, None).await
    }

    /// With a certificate of the client's own.
    async fn connect_as(&self, trusted: &str, own: Option<&(String, String)>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// Connects once the certificate that `trusted` verifies is in use.
    async fn connected(&self, trusted: &str) -> TlsStream<TcpStream> {
        let within = Duration::from_secs(20);
        let connected = async {
            loop {
                match self.connect(trusted).await {
                    Ok(stream) => return stream,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        tokio::time::timeout(within, connected).await.unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

fn good() -> String {
    let object = r#"{"metadata":{"name":"db"},"spec":{"secretStoreRef":{"name":"vault"},
        "data":[{"secretKey":"password","remoteRef":{"key":"db"}}]}}"#;
    review(object)
}

fn review(object: &str) -> String {
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u1","operation":"CREATE",
        "name":"db","namespace":"team-a","userInfo":{{}},"object":{object},
        "kind":{{"group":"external-secrets.io","version":"v1","kind":"ExternalSecret"}}}}}}"#
    )
}

async fn post_to(stream: &mut TlsStream<TcpStream>, path: &str, body: &str) -> (u16, serde_json::Value) {
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    let _ = stream.write_all(body.as_bytes()).await; // a refused body may not be read to its end
    read_answer(stream).await
}

async fn read_answer(stream: &mut TlsStream<TcpStream>) -> (u16, serde_json::Value) {
    let mut bytes = Vec::new();
    let text = loop {
        let mut chunk = [0_u8; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        if body.len() >= length || count == 0 {
            break text;
        }
    };
    let code = text.split(' ').nth(1).unwrap().parse().unwrap();
    let body = text.split_once("\r\n\r\n").unwrap().1;
    (code, serde_json::from_str(body).unwrap_or_default())
}

const PATH: &str = PATHS[0].0;

#[tokio::test]
async fn certificate_is_swapped_while_an_old_connection_goes_on() {
    let served = Served::start();
    assert!(served.connect(&pem("localhost", 90).0).await.is_err(), "no certificate yet");
    let first = served.certify();
    let mut old = served.connected(&first).await;
    assert_eq!(post_to(&mut old, PATH, &good()).await.1["response"]["allowed"], true);

    let second = served.certify();
    let mut new = served.connected(&second).await;
    assert!(served.connect(&first).await.is_err(), "new connections see the new certificate only");
    for stream in [&mut old, &mut new] {
        assert_eq!(post_to(stream, PATH, &good()).await.1["response"]["uid"], "u1");
    }
}

#[tokio::test]
async fn broken_pair_leaves_the_server_as_it_was() {
    let served = Served::start();
    let first = served.certify();
    served.connected(&first).await;
    served.folder.write("garbage", "garbage");
    // The look that sees the next good pair comes after the one that may see the garbage.
    for _ in 0..20 {
        served.connect(&first).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(served.current.ready(std::time::SystemTime::now()), Ok(()));
    let next = served.certify();
    served.connected(&next).await;
}

/// Silent from the start, stuck in a head, stuck in a body: more of them than there are places, and they go on coming.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_strangers_do_not_hold_up_the_api_server() {
    const SILENT: usize = 9_000;
    const STUCK: usize = 500;
    rlimit::increase_nofile_limit(12_000).unwrap();
    let served = Served::start();
    let trusted = served.certify();
    let mut kept = served.connected(&trusted).await;
    assert_eq!(post_to(&mut kept, PATH, &good()).await.0, 200);

    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n");
    let in_a_head = strangers(STUCK, async || {
        let mut stream = served.connect(&trusted).await?;
        stream.write_all(head.as_bytes()).await.map(|()| Some(stream))
    });
    let in_a_body = strangers(STUCK, async || {
        let mut stream = served.connect(&trusted).await?;
        stream.write_all(format!("{head}\r\n{{").as_bytes()).await.map(|()| Some(stream))
    });
    let mut open = Vec::with_capacity(SILENT);
    let silent = async {
        for _ in 0..SILENT {
            open.push(TcpStream::connect(served.address).await.unwrap());
        }
    };
    let asked = async {
        for _ in 0..20 {
            assert_eq!(within_its_patience(post_to(&mut kept, PATH, &good())).await.0, 200, "on an open connection");
            let mut new =
                within_its_patience(served.connect(&trusted)).await.expect("a handshake beside the strangers");
            assert_eq!(within_its_patience(post_to(&mut new, PATH, &good())).await.0, 200, "on a new connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (in_a_head, in_a_body, (), ()) = futures::join!(in_a_head, in_a_body, silent, asked);
    assert_eq!((in_a_head.len(), in_a_body.len(), open.len()), (STUCK, STUCK, SILENT));
    assert_eq!(within_its_patience(post_to(&mut kept, PATH, &good())).await.0, 200, "with all of them there");
}

/// So many clients, each with what it holds open, or `None` where the server closed it before it was done.
async fn strangers(
    number: usize,
    connect: impl AsyncFn() -> io::Result<Option<TlsStream<TcpStream>>>,
) -> Vec<Option<TlsStream<TcpStream>>> {
    let mut open = Vec::with_capacity(number);
    for _ in 0..number {
        open.push(connect().await.unwrap_or_default());
    }
    open
}

/// As long as an API server waits.
async fn within_its_patience<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(BODY_TIMEOUT, answer).await.expect("an answer while the API server waits")
}

#[tokio::test]
async fn with_an_authority_of_clients_only_its_own_are_answered() {
    let (own, other) = (pem("front-proxy-client", 90), pem("front-proxy-client", 90));
    let folder = Folder::new();
    folder.write(&own.0, "");
    let clients = Arc::new(Clients::new(folder.0.join("tls.crt"), "front-proxy-client", provider()));
    clients.look().unwrap();
    let served = Served::start_for(Some(clients));
    let trusted = served.certify();
    while served.current.ready(std::time::SystemTime::now()).is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut stream = served.connect_as(&trusted, Some(&own)).await.unwrap();
    assert_eq!(post_to(&mut stream, PATH, &good()).await.0, 200);
    for stranger in [None, Some(&other)] {
        // In TLS 1.3 a client may write before it learns that it was refused.
        let Ok(mut stream) = served.connect_as(&trusted, stranger).await else { continue };
        let _ = stream.write_all(format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn every_answer_is_a_review() {
    let served = Served::start();
    let trusted = served.certify();
    let mut stream = served.connected(&trusted).await;
    let (code, denied) = post_to(&mut stream, PATH, &review("{\"spec\":{}}")).await;
    assert_eq!(code, 200);
    assert_eq!(denied["response"]["status"]["code"], 403);
    assert_eq!(denied["response"]["status"]["reason"], "Forbidden");

    let (code, malformed) = post_to(&mut stream, PATH, "{\"apiVersion\":").await;
    assert_eq!((code, &malformed["response"]["status"]["code"]), (200, &400.into()));
    assert_eq!(malformed["kind"], "AdmissionReview");

    let (code, wrong_path) = post_to(&mut stream, PATHS[1].0, &good()).await;
    assert_eq!((code, &wrong_path["response"]["status"]["code"]), (200, &400.into()));
    assert_eq!(post_to(&mut stream, "/other", "{}").await.0, 404);

    let text = prometheus::TextEncoder::new().encode_to_string(&served.registry.gather()).unwrap();
    let line = format!("controller_runtime_webhook_requests_total{{code=\"200\",webhook=\"{PATH}\"}} 2");
    assert!(text.contains(&line), "{text}");
}

#[tokio::test]
async fn largest_object_is_judged_and_a_larger_body_refused() {
    let served = Served::start();
    let trusted = served.certify();
    let mut stream = served.connected(&trusted).await;
    let padded =
        |size: usize| good().replace("\"metadata\":{", &format!("\"metadata\":{{\"x\":\"{}\",", "a".repeat(size)));
    let (code, answer) = post_to(&mut stream, PATH, &padded(3_000_000)).await;
    assert_eq!((code, &answer["response"]["allowed"]), (200, &true.into()), "{answer}");
    let (code, answer) = post_to(&mut stream, PATH, &padded(BODY_MAX)).await;
    assert_eq!((code, &answer["response"]["status"]["code"]), (200, &413.into()));
}

#[tokio::test]
async fn http2_without_being_asked_for_is_refused() {
    let served = Served::start();
    let trusted = served.certify();
    let mut stream = served.connected(&trusted).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"\0"), "an HTTP/2 server would open with a SETTINGS frame");
}

#[tokio::test]
async fn slow_bodies_take_no_place_of_a_review() {
    let served = Served::start();
    let trusted = served.certify();
    let mut slow = Vec::new();
    for _ in 0..=REVIEWS {
        let mut stream = served.connected(&trusted).await;
        let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{");
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    while in_flight(&served.registry) <= i64::try_from(REVIEWS).unwrap() {
        tokio::task::yield_now().await;
    }
    let mut stream = served.connected(&trusted).await;
    assert_eq!(post_to(&mut stream, PATH, &good()).await.0, 200);
    assert_eq!(read_answer(&mut slow[0]).await.1["response"]["status"]["code"], 408);
}

#[tokio::test(start_paused = true)]
async fn review_without_a_place_is_shed_and_the_next_one_served() {
    let judge = Judge {
        path: PATH,
        kind: "ExternalSecret",
        syntax: Arc::default(),
        reviews: Arc::new(Semaphore::new(1)),
        arrivals: Arc::default(),
        metrics: Metrics::new(&Registry::new()).unwrap(),
    };
    let place = Arc::new(Connections::new(1).enter(Instant::now()).ok().unwrap());
    let ask = async || {
        let request = Request::builder().body(axum::body::Body::from(good())).unwrap();
        judge_request(State(judge.clone()), Extension(place.clone()), request).await
    };
    let taken = judge.reviews.acquire().await.unwrap();
    let shed = ask().await;
    assert_eq!((shed.status().as_u16(), &shed.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    drop(taken);
    assert_eq!(ask().await.status().as_u16(), 200);
}

#[tokio::test]
async fn request_in_flight_is_answered_while_draining() {
    let served = Served::start();
    let trusted = served.certify();
    let mut stream = served.connected(&trusted).await;
    let body = good();
    let (first, rest) = body.split_at(20);
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{first}", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    while in_flight(&served.registry) == 0 {
        tokio::task::yield_now().await;
    }
    served.token.cancel();
    while TcpStream::connect(served.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!served.stopped.load(Ordering::SeqCst));
    stream.write_all(rest.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.1["response"]["allowed"], true);
    while !served.stopped.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

fn in_flight(registry: &Registry) -> i64 {
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let line = text.lines().find(|line| line.starts_with("controller_runtime_webhook_requests_in_flight"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}
