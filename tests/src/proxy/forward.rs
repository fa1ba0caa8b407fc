//! One request, handed on as it came, and its answer; watches as streams.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures::stream;

use super::{
    call::{Kind, Server, classify},
    line::{Line, Verdict, WatchEnd},
};

/// More than any object that Kubernetes takes.
const LARGEST_BODY: usize = 4 << 20;

/// What one listener of a proxy needs.
pub struct Side {
    pub server: Server,
    /// Scheme and authority of the real server.
    pub target: String,
    pub http: reqwest::Client,
    pub line: Arc<Line>,
    pub namespace: String,
}

/// Axum's handler of everything.
pub async fn forward(State(side): State<Arc<Side>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match classify(side.server, &parts.method, &parts.uri, &body, &side.namespace) {
        Kind::Beside => side.ask(&parts, body).await.unwrap_or_else(refusal),
        Kind::News(plural) => side.news(&parts, body, plural).await,
        Kind::Work(call) => {
            let verdict = side.line.arrived(&call);
            if verdict == Verdict::Hold {
                return held().await;
            }
            // On its own: once begun it comes to its end, also when whoever asked is gone.
            let asked = side.clone();
            let answer = tokio::spawn(async move {
                let _in_flight = asked.line.in_flight();
                asked.ask(&parts, body).await
            });
            let Ok(answer) = answer.await else { return StatusCode::BAD_GATEWAY.into_response() };
            if side.line.answered(verdict) { answer.unwrap_or_else(refusal) } else { held().await }
        }
    }
}

/// Until the other end has gone.
async fn held() -> Response {
    std::future::pending().await
}

impl Side {
    async fn ask(&self, parts: &Parts, body: Bytes) -> reqwest::Result<Response> {
        let answer = self.send(parts, body).await?;
        let (status, headers) = (answer.status(), end_to_end(answer.headers()));
        Ok((status, headers, answer.bytes().await?).into_response())
    }

    async fn send(&self, parts: &Parts, body: Bytes) -> reqwest::Result<reqwest::Response> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = self.http.request(parts.method.clone(), format!("{}{path}", self.target));
        request.headers(end_to_end(&parts.headers)).body(body).send().await
    }

    /// A list is held back until the news of its plural flow; so is each piece of a watch.
    async fn news(&self, parts: &Parts, body: Bytes, plural: String) -> Response {
        self.line.flows(&plural).await;
        let ends = self.line.ends(&plural);
        let answer = match self.send(parts, body).await {
            Ok(answer) => answer,
            Err(error) => return refusal(error),
        };
        let (status, headers) = (answer.status(), end_to_end(answer.headers()));
        let watch = Watch { answer, line: self.line.clone(), plural, ends, over: false };
        let pieces = stream::unfold(watch, |mut watch| async move { watch.piece().await.map(|piece| (piece, watch)) });
        (status, headers, Body::from_stream(pieces)).into_response()
    }
}

struct Watch {
    answer: reqwest::Response,
    line: Arc<Line>,
    plural: String,
    /// How often watches of the plural had been ended when this one began.
    ends: u64,
    over: bool,
}

impl Watch {
    async fn piece(&mut self) -> Option<Result<Bytes, std::io::Error>> {
        if self.over {
            return None;
        }
        let next = async {
            let piece = self.answer.chunk().await;
            self.line.flows(&self.plural).await;
            piece
        };
        let end = tokio::select! {
            piece = next => return piece.map_err(std::io::Error::other).transpose(),
            end = self.line.ended(&self.plural, self.ends) => end,
        };
        self.over = true;
        Some(match end {
            WatchEnd::Gone => Ok(Bytes::from_static(GONE)),
            WatchEnd::Dropped => Err(std::io::Error::other("the proxy breaks the connection")),
        })
    }
}

/// What the API server says within a watch whose version it has forgotten.
const GONE: &[u8] = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
)
.as_bytes();

/// Without what concerns one connection only.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    const OF_THE_CONNECTION: [HeaderName; 4] =
        [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    let mut headers = headers.clone();
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    headers
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of unwrap_or_else")]
fn refusal(error: reqwest::Error) -> Response {
    (StatusCode::BAD_GATEWAY, error.to_string()).into_response()
}
