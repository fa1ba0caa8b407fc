//! JSON web keys into PEM.

use super::Type::Str;
use super::json::decode::decode_first;
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::keys::jwk::{Jwk, json_kind};
use crate::pem;
use crate::value::Value;

/// What checking a key is charged as, in steps.
const STEPS_PER_KEY: usize = 2_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "jwkPublicKeyPem",
        &[Str],
        Str,
        doc(
            "The public key of a JSON web key, as PEM of the kind `PUBLIC KEY`. Fails for a private key, and for what \
             is not RSA, P-256, P-384, P-521 or Ed25519.",
            r#"{{ jwkPublicKeyPem `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}` }}"#,
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n",
        ),
        |context, args| {
            let der = key(context, args)?.to_public_der()?;
            Ok(Value::str(pem::encode("PUBLIC KEY", &der)))
        },
    ),
    Function::new(
        "jwkPrivateKeyPem",
        &[Str],
        Str,
        doc(
            "The private key of a JSON web key in PKCS#8, as PEM of the kind `PRIVATE KEY`. Fails for a public key, \
             and for what is not RSA, P-256, P-384, P-521 or Ed25519.",
            // The key of RFC 8037, known to everybody.
            r#"{{ jwkPrivateKeyPem `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}` }}"#,
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n",
        ),
        |context, args| {
            let der = key(context, args)?.into_private_der()?;
            Ok(Value::str(pem::encode("PRIVATE KEY", &der)))
        },
    ),
];

/// The words that Go begins with when a text is no object.
const HINT: &str = "failed to unmarshal JSON into key hint: ";

fn key(context: &Context, args: &Args) -> Result<Jwk, Message> {
    context.spend(STEPS_PER_KEY)?;
    let text = args.str(0);
    let decoded = decode_first(context, text)?.map_err(|problem| {
        let is_cut_off = problem.exact() == "unexpected end of JSON input";
        let is_blank = text.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        match (is_cut_off, is_blank) {
            (true, true) => Message::plain(HINT).text("EOF"),
            (true, false) => Message::plain(HINT).text("unexpected EOF"),
            _ => Message::plain(HINT).then(&problem),
        }
    })?;
    match &decoded.value {
        Value::Map(_) => Jwk::of_members(&decoded.members),
        Value::Nil => Err("invalid key type from JSON ()".into()),
        other => Err(Message::plain(format!(
            "{HINT}json: cannot unmarshal {} into Go value of type struct {{ Kty string \"json:\\\"kty\\\"\"; D \
             json.RawMessage \"json:\\\"d\\\"\" }}",
            json_kind(other)
        ))),
    }
}
