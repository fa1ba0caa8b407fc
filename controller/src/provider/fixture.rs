//! What unit tests of resolver and providers share: a Kubernetes API and backends that answer from a function.

use std::{
    convert::Infallible,
    fmt::Write,
    sync::{Arc, Mutex},
};

use http::{Request, Response};
use kube::client::Body;
use rustls::ServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// A client whose server answers with a status and a JSON body.
pub fn kube_client<F>(answer: F) -> kube::Client
where
    F: Fn(&Request<Body>) -> (u16, serde_json::Value) + Clone + Send + Sync + 'static,
{
    let service = tower::service_fn(move |request: Request<Body>| {
        let (status, body) = answer(&request);
        async move {
            let body = Body::from(body.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
        }
    });
    kube::Client::new(service, "default")
}

/// A request as a [`Backend`] received it.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What a [`Backend`] answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Promises more bytes than it sends.
    pub truncated: bool,
    /// Keeps the connection open instead of ending the answer.
    pub stalls: bool,
}

impl Answer {
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.into(), truncated: false, stalls: false }
    }

    pub fn html(status: u16) -> Self {
        let headers = vec![("content-type", "text/html".to_owned())];
        Self { status, headers, body: "<html>welcome</html>".into(), truncated: false, stalls: false }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An HTTP server on the loopback interface that answers from a function; ends with the test's runtime.
pub struct Backend {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Backend {
    pub async fn start<F>(answer: F) -> Self
    where
        F: Fn(&Received) -> Answer + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (answer, seen) = (Arc::new(answer), received.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), seen.clone()));
            }
        });
        Self { url, received }
    }

    /// One that speaks TLS with a certificate signed by nobody, which is returned as PEM.
    pub async fn start_tls<F>(answer: F) -> (Self, String)
    where
        F: Fn(&Received) -> Answer + Send + Sync + 'static,
    {
        let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![signed.cert.der().clone()], key.into()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (answer, seen) = (Arc::new(answer), received.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    tokio::spawn(serve(stream, answer.clone(), seen.clone()));
                }
            }
        });
        (Self { url, received }, signed.cert.pem())
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Requests so far as "METHOD target".
    pub fn lines(&self) -> Vec<String> {
        self.received().iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }
}

async fn serve<S, F>(stream: S, answer: Arc<F>, seen: Arc<Mutex<Vec<Received>>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(&Received) -> Answer,
{
    let mut stream = BufReader::new(stream);
    let Some(request) = receive(&mut stream).await else { return };
    seen.lock().unwrap().push(request.clone());
    let Answer { status, headers, body, truncated, stalls } = answer(&request);
    let length = body.len() + usize::from(truncated || stalls);
    let mut text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    let _ = stream.write_all(format!("{text}\r\n{body}").as_bytes()).await;
    if stalls {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

async fn receive<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<Received> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace().map(ToOwned::to_owned);
    let mut request = Received { method: words.next()?, target: words.next()?, ..Received::default() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => request.headers.push((name.into(), value.into())),
            None => break,
        }
    }
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}
