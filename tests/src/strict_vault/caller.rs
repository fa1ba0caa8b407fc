//! The iam method, STS and Pod Identity.

use std::collections::BTreeMap;

use axum::{
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{AccessKey, Asked, EXTERNAL_ID, Known, ROLE, SERVER_ID, Verdict, granted, lock, must, sigv4::Signed};

/// What the body of the signed request must be.
const GET_CALLER_IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// Takes a login as Vault does: what is signed must be `GetCallerIdentity` at STS, with the server's id among the signed headers.
pub fn login(known: &Known, asked: &Asked) -> Verdict<Value> {
    let body = asked.json()?;
    let field = |name: &str| body[name].as_str().ok_or_else(|| format!("{name} is missing"));
    let decoded = |name: &str| {
        let bytes = STANDARD.decode(field(name)?).map_err(|_| format!("{name} is not base64"))?;
        String::from_utf8(bytes).map_err(|_| format!("{name} is no text"))
    };
    must(asked.method == Method::POST, "the method is not POST")?;
    must(field("role")? == ROLE, "entry for role not found")?;
    must(field("iam_http_request_method")? == "POST", "iam_http_request_method is not POST")?;
    must(decoded("iam_request_url")? == "https://sts.amazonaws.com/", "iam_request_url is not that of STS")?;
    let signed_body = decoded("iam_request_body")?;
    must(signed_body == GET_CALLER_IDENTITY, "iam_request_body is not GetCallerIdentity")?;
    let headers: BTreeMap<String, Vec<String>> = serde_json::from_str(&decoded("iam_request_headers")?)
        .map_err(|error| format!("iam_request_headers: {error}"))?;
    let mut headers: BTreeMap<String, String> = headers
        .into_iter()
        .map(|(name, values)| (name.to_lowercase(), values.into_iter().next().unwrap_or_default()))
        .collect();
    headers.entry("host".to_owned()).or_insert_with(|| "sts.amazonaws.com".to_owned());
    let id = headers.get("x-vault-aws-iam-server-id").map(String::as_str);
    must(id == Some(SERVER_ID), "missing or wrong header X-Vault-AWS-IAM-Server-ID")?;
    let signed = Signed { method: "POST", path: "/", headers: &headers, body: signed_body.as_bytes() };
    let key_id = signed.key_id()?;
    known.note(format!("login iam {key_id}"));
    signed.verify(&key_of(known, key_id)?, &["x-vault-aws-iam-server-id", "content-type"])?;
    Ok(granted(known))
}

/// Hands out the credentials of roles.
pub fn sts(known: &Known, asked: &Asked) -> Response {
    let form: BTreeMap<String, String> = form(&asked.body);
    let action = form.get("Action").cloned().unwrap_or_default();
    let role = form.get("RoleArn").cloned().unwrap_or_default();
    known.note(format!("{action} {role}"));
    match admitted(known, asked, &form) {
        Ok(()) => credentials(&action, &known.temporary_key()),
        Err(problem) => {
            let error =
                format!("<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{problem}</Message></Error>");
            (StatusCode::FORBIDDEN, format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"))
                .into_response()
        }
    }
}

fn admitted(known: &Known, asked: &Asked, form: &BTreeMap<String, String>) -> Verdict<()> {
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    must(field("RoleSessionName") == "external-secrets-provider-vault", "the session has another name")?;
    match field("Action") {
        "AssumeRoleWithWebIdentity" => must(field("WebIdentityToken").split('.').count() == 3, "the token is no JWT"),
        "AssumeRole" => {
            must(field("ExternalId") == EXTERNAL_ID, "the external id is another one")?;
            let headers = asked.headers.iter();
            let headers: BTreeMap<String, String> = headers
                .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()))
                .collect();
            let signed = Signed { method: "POST", path: asked.uri.path(), headers: &headers, body: &asked.body };
            signed.verify(&key_of(known, signed.key_id()?)?, &[])
        }
        other => Err(format!("{other} is no action here")),
    }
}

fn credentials(action: &str, key: &AccessKey) -> Response {
    let AccessKey { id, secret, session_token } = key;
    let token = session_token.as_deref().unwrap_or_default();
    let ends_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let keys = format!(
        "<AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
         <Expiration>{}</Expiration>",
        ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    let result = format!("<{action}Result><Credentials>{keys}</Credentials></{action}Result>");
    let body =
        format!("<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{result}</{action}Response>");
    ([("content-type", "text/xml")], body).into_response()
}

/// What the agent of EKS Pod Identity hands to a Pod.
pub fn pod_identity(known: &Known, asked: &Asked) -> Verdict<Value> {
    known.note("pod identity".to_owned());
    must(asked.header("authorization") == known.pod_token, "the token is not that of the Pod")?;
    let key = known.temporary_key();
    let ends_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    Ok(json!({
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "Token": key.session_token,
        "Expiration": ends_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }))
}

fn key_of(known: &Known, id: &str) -> Verdict<AccessKey> {
    lock(&known.keys).get(id).cloned().ok_or_else(|| format!("InvalidClientTokenId: {id}"))
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    let url = format!("http://form/?{}", String::from_utf8_lossy(body));
    let Ok(url) = reqwest::Url::parse(&url) else { return BTreeMap::new() };
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}
