//! A way to an HTTP server that counts requests and can fail in every way that a network or a proxy does.
//!
//! Enters: plain HTTP/1.1 requests with a length. Leaves: the same to the server, on a connection for each, and its answers, unless
//! a [`Fault`] takes their place. Promised: each request that arrives is counted once, whatever becomes of it.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

use crate::failure::Result;

/// Most bytes of a request: far more than a login has.
const MOST: usize = 1 << 20;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It is handed on, and its answer back.
    None,
    /// Handed on after a while.
    Late(Duration),
    /// The connection is closed without an answer.
    Gone,
    /// The connection is reset.
    Reset,
    /// No answer, and the connection stays open.
    Silence,
    /// An answer with errors as Vault writes them, and perhaps with `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// An answer with a page.
    Page(u16),
    /// An answer with this as its JSON, whether it is any.
    Json(u16, &'static str),
    /// Something that is not HTTP.
    Noise,
    /// The server's own answer, cut in its middle.
    Half,
    /// The same, and the connection stays open.
    HalfSilence,
    /// The server's own answer in small pieces with pauses.
    Drip,
}

type Choose = dyn Fn(usize) -> Fault + Send + Sync;

/// See the module documentation. It belongs to the runtime that started it.
pub struct Gate {
    /// What clients name in place of the server.
    pub address: String,
    inner: Arc<Inner>,
    listening: JoinHandle<()>,
}

struct Inner {
    target: String,
    requests: AtomicUsize,
    waiting: AtomicUsize,
    most: AtomicUsize,
    choose: Mutex<Arc<Choose>>,
}

impl Gate {
    /// `server`: its address with `http://`.
    pub async fn before(server: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let inner = Arc::new(Inner {
            target: server.trim_start_matches("http://").to_owned(),
            requests: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            choose: Mutex::new(Arc::new(|_| Fault::None)),
        });
        let shared = inner.clone();
        let listening = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let inner = shared.clone();
                tokio::spawn(async move {
                    // Callers that break off are what this is about.
                    let _ = inner.serve(caller).await;
                });
            }
        });
        Ok(Self { address, inner, listening })
    }

    /// From now on: what becomes of a request, by its number.
    pub fn set(&self, choose: impl Fn(usize) -> Fault + Send + Sync + 'static) {
        *self.inner.choose.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(choose);
    }

    /// Everything is handed on from now on.
    pub fn clear(&self) {
        self.set(|_| Fault::None);
    }

    /// The most requests that were here at the same time with [`Fault::Late`]. One is not counted any more when its answer is on its
    /// way, since then its caller may send the next.
    pub fn most_at_once(&self) -> usize {
        self.inner.most.load(Ordering::SeqCst)
    }

    /// Requests that have arrived, also those that could not be handed on.
    pub fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Inner {
    async fn serve(&self, mut caller: TcpStream) -> io::Result<()> {
        let request = receive(&mut caller).await?;
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let choose = self.choose.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fault = choose(number);
        match fault {
            Fault::None => caller.write_all(&self.hand_on(&request).await?).await?,
            Fault::Late(pause) => {
                let now = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(now, Ordering::SeqCst);
                sleep(pause).await;
                let answer = self.hand_on(&request).await;
                self.waiting.fetch_sub(1, Ordering::SeqCst);
                caller.write_all(&answer?).await?;
            }
            Fault::Gone => {}
            Fault::Reset => caller.set_zero_linger()?,
            Fault::Silence => return until_left(caller).await,
            Fault::Status(status, retry_after) => {
                let wait = retry_after.map_or_else(String::new, |wait| format!("Retry-After: {wait}\r\n"));
                caller.write_all(&answer(status, &wait, "application/json", r#"{"errors":["by the gate"]}"#)).await?;
            }
            Fault::Page(status) => caller.write_all(&answer(status, "", "text/html", "<html>hello</html>")).await?,
            Fault::Json(status, body) => caller.write_all(&answer(status, "", "application/json", body)).await?,
            Fault::Noise => caller.write_all(b"\x16\x03\x01 SSH-2.0 \xff\xfe\r\n\r\n").await?,
            Fault::Half | Fault::HalfSilence => {
                let whole = self.hand_on(&request).await?;
                caller.write_all(&whole[..whole.len() - whole.len().min(40)]).await?;
                if fault == Fault::HalfSilence {
                    return until_left(caller).await;
                }
            }
            Fault::Drip => {
                for piece in self.hand_on(&request).await?.chunks(60) {
                    caller.write_all(piece).await?;
                    sleep(Duration::from_millis(5)).await;
                }
            }
        }
        if fault != Fault::Reset {
            caller.shutdown().await?;
        }
        Ok(())
    }

    /// The whole answer of the server, which is asked to close the connection after it.
    async fn hand_on(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let line = request.windows(2).position(|end| end == b"\r\n").unwrap_or_default();
        let mut server = TcpStream::connect(&self.target).await?;
        server.write_all(&request[..line]).await?;
        server.write_all(b"\r\nConnection: close").await?;
        server.write_all(&request[line..]).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// One request, head and body.
async fn receive(caller: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if let Some(length) = length(&request)
            && request.len() >= length
        {
            return Ok(request);
        }
        if caller.read_buf(&mut request).await? == 0 || request.len() > MOST {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// How long a request is, once its head is there.
fn length(request: &[u8]) -> Option<usize> {
    let head = request.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    Some(head + body.unwrap_or_default())
}

/// Ends when the caller goes.
async fn until_left(mut caller: TcpStream) -> io::Result<()> {
    while caller.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

fn answer(status: u16, more: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: {kind}\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
