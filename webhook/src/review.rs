//! From the bytes of an AdmissionReview to the bytes of its answer. Pure.
//!
//! The envelope is decoded first and the object left as raw JSON, so that a broken object is a verdict that its author
//! reads, not a transport error. Reviews in `v1` and `v1beta1` are answered in their own version. What is not a review
//! at all is answered with a review that refuses (code 400): the caller always learns why.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use api::admission::{Operation, Request as Judged, Verdict, judge};
use api::template_syntax::Syntax;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

const V1: &str = "admission.k8s.io/v1";
const V1BETA1: &str = "admission.k8s.io/v1beta1";

/// Answers `body`, which was sent to the path that judges objects of `kind`.
pub fn answer(body: &[u8], kind: &str, syntax: &Syntax) -> Vec<u8> {
    let review = match serde_json::from_slice::<Review>(body) {
        Ok(review) => review,
        Err(error) => return refuse(400, format!("the request is not an AdmissionReview: {error}")),
    };
    let version = review.api_version.as_ref();
    if version != V1 && version != V1BETA1 {
        return refuse(400, format!("AdmissionReview of version {version:?}; this webhook answers {V1} and {V1BETA1}"));
    }
    let Some(request) = review.request else {
        return refuse(400, "the AdmissionReview holds no request".to_owned());
    };
    // A defect in one rule must not close the connection on requests that share it.
    let response = catch_unwind(AssertUnwindSafe(|| respond(&request, kind, syntax))).unwrap_or_else(|_| {
        tracing::error!(kind, namespace = ?request.namespace, name = %request.name, "judging panicked; please report this");
        Response::denial(500, "InternalError", "the webhook met a defect of its own while judging this object")
    });
    encode(version, Response { uid: request.uid, ..response })
}

/// A refusal of something that could not be read as a review, and so has no uid to answer to.
pub fn refuse(code: u16, message: String) -> Vec<u8> {
    let reason = if code == 413 { "RequestEntityTooLarge" } else { "BadRequest" };
    encode(V1, Response::denial(code, reason, message))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    kind: GroupVersionKind<'a>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct GroupVersionKind<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow, rename = "kind")]
    name: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'a str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Response<'a> {
    uid: Cow<'a, str>,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Status {
    code: u16,
    reason: &'static str,
    message: String,
}

impl Response<'_> {
    fn denial(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let status = Status { code, reason, message: message.into() };
        Self { uid: Cow::Borrowed(""), allowed: false, status: Some(status), warnings: Vec::new() }
    }
}

impl From<Verdict> for Response<'_> {
    fn from(verdict: Verdict) -> Self {
        let denial = (!verdict.allowed()).then(|| Self::denial(403, "Forbidden", verdict.message()));
        let response =
            denial.unwrap_or(Self { uid: Cow::Borrowed(""), allowed: true, status: None, warnings: Vec::new() });
        Self { warnings: verdict.warnings.into_iter().map(|warning| one_line(&warning)).collect(), ..response }
    }
}

/// Warnings travel in an HTTP header; the API server drops those with control characters.
fn one_line(warning: &str) -> String {
    warning.split(char::is_control).collect::<Vec<_>>().join(" ")
}

fn respond(request: &Request<'_>, kind: &str, syntax: &Syntax) -> Response<'static> {
    let GroupVersionKind { group, version, name: sent } = &request.kind;
    if sent != kind || group != api::names::GROUP {
        let message = format!(
            "this path judges {kind}.{}, not {sent}.{group}; correct the webhook configuration",
            api::names::GROUP
        );
        return Response::denial(400, "BadRequest", message);
    }
    let operation = match request.operation.as_ref() {
        "CREATE" => Operation::Create,
        "UPDATE" => Operation::Update,
        "DELETE" => Operation::Delete,
        "CONNECT" => Operation::Connect,
        other => return Response::denial(400, "BadRequest", format!("unknown operation {other:?}")),
    };
    let (object, old_object) = match (decode(request.object), decode(request.old_object)) {
        (Ok(object), Ok(old_object)) => (object, old_object),
        (Err(error), _) | (_, Err(error)) => {
            return Response::denial(400, "BadRequest", format!("the object cannot be read: {error}"));
        }
    };
    let judged = Judged {
        kind,
        version,
        operation,
        name: &request.name,
        namespace: request.namespace.as_deref(),
        object: object.as_ref(),
        old_object: old_object.as_ref(),
    };
    let verdict = judge(&judged, syntax);
    if !verdict.allowed() {
        tracing::info!(kind, namespace = ?request.namespace, name = %request.name, problems = verdict.problems.len(), "refused");
    }
    verdict.into()
}

/// `null`, as the API server writes for an absent object, counts as absent.
fn decode(raw: Option<&RawValue>) -> Result<Option<Value>, serde_json::Error> {
    let object: Option<Value> = raw.map(|raw| serde_json::from_str(raw.get())).transpose()?;
    Ok(object.filter(|object| !object.is_null()))
}

fn encode(version: &str, response: Response<'_>) -> Vec<u8> {
    let answer = Answer { api_version: version, kind: "AdmissionReview", response };
    // Serializing strings and numbers into memory does not fail; an empty answer would be refused by the API server.
    serde_json::to_vec(&answer).unwrap_or_default()
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
