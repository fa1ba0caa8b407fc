//! The gcp method and the metadata server.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey},
};
use axum::{
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Asked, GOOGLE_ACCOUNT, Known, ROLE, Verdict, granted, must};

/// By this the public key is found.
pub const KEY_ID: &str = "key-1";

/// How long a token of the metadata server lives; the role takes such tokens.
const METADATA_LIFE: i64 = 3600;

/// How long a token that was signed for the role may live: Vault's default.
const MAX_EXP: i64 = 15 * 60;

/// Takes a login as Vault does: a token with Google's signature, for this role, about the bound account, that ends soon.
pub fn login(known: &Known, asked: &Asked) -> Verdict<Value> {
    let body = asked.json()?;
    must(asked.method == Method::POST, "the method is not POST")?;
    must(body["role"] == ROLE, "unable to retrieve role")?;
    let jwt = body["jwt"].as_str().ok_or("jwt is missing")?;
    let (signed, signature) = jwt.rsplit_once('.').ok_or("the token has no signature")?;
    let (header, claims) = signed.split_once('.').ok_or("the token has no claims")?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "the signature is not base64url")?;
    let public = known.google.public_key();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref());
    public.verify(signed.as_bytes(), &signature).map_err(|_| "the signature is not that of the account's key")?;
    let header = part(header)?;
    must(header["alg"] == "RS256" && header["kid"] == KEY_ID, "alg or kid of the token is another one")?;
    let claims = part(claims)?;
    let is_machine = claims["google"].is_object();
    known.note(format!("login gcp {}", if is_machine { "gce" } else { "iam" }));
    must(claims["sub"] == GOOGLE_ACCOUNT, "service account is not bound to the role")?;
    let audience = claims["aud"].as_str().unwrap_or_default();
    must(audience.ends_with(&format!("vault/{ROLE}")), &format!("the audience {audience} is not vault/{ROLE}"))?;
    let left = claims["exp"].as_i64().unwrap_or_default() - jiff::Timestamp::now().as_second();
    must(left > 0, "the token has expired")?;
    must(is_machine || left <= MAX_EXP, "role requires that service account JWTs expire within 900 seconds")?;
    Ok(granted(known))
}

/// Says who the machine is.
pub fn metadata(known: &Known, asked: &Asked) -> Response {
    match identity(known, asked) {
        Ok(token) => token.into_response(),
        Err(problem) => (StatusCode::FORBIDDEN, problem).into_response(),
    }
}

fn identity(known: &Known, asked: &Asked) -> Verdict<String> {
    known.note(format!("metadata {}", asked.uri.path()));
    must(asked.header("metadata-flavor") == "Google", "Missing Metadata-Flavor:Google header.")?;
    must(asked.uri.path().ends_with("/service-accounts/default/identity"), "not found")?;
    let url = reqwest::Url::parse(&format!("http://metadata{}", asked.uri)).map_err(|error| error.to_string())?;
    let query = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
    must(query("format").as_deref() == Some("full"), "Vault needs the full format")?;
    let claims = json!({
        "aud": query("audience").ok_or("non-empty audience parameter required")?,
        "sub": GOOGLE_ACCOUNT,
        "exp": jiff::Timestamp::now().as_second() + METADATA_LIFE,
        "google": {"compute_engine": {"instance_id": "1"}},
    });
    let header = json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"});
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let mut signature = vec![0; known.google.public_modulus_len()];
    let random = SystemRandom::new();
    let signing = known.google.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature);
    signing.map_err(|_| "cannot sign".to_owned())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn part(encoded: &str) -> Verdict<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "a part of the token is not base64url")?;
    serde_json::from_slice(&bytes).map_err(|_| "a part of the token is no JSON".to_owned())
}
