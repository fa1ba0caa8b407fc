//! PKCS#12 files: taking keys and certificates out, and putting them in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Type::Str;
use super::certificates::{certificate, to_pem};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::keys::PrivateKey;
use crate::pem::{self, Block};
use crate::pkcs12;
use crate::value::Value;
use crate::x509::{Certificate, ordered};

/// The kind of a PEM block with a key in PKCS#8.
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// What checking a key is charged as, in steps: about as long as it takes for an RSA key of 16384 bits.
const STEPS_PER_KEY: usize = 20_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "pkcs12key",
        &[Str],
        Str,
        doc(
            "The private key of a PKCS#12 file without a password, in PKCS#8, as PEM of the kind `PRIVATE KEY`. The file must hold exactly one key and at least one certificate.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ pemToPkcs12 (index . \"tls.crt\") $key | b64dec | pkcs12key | eq $key }}",
            "true",
        ),
        |context, args| key(context, args.str(0), &[]),
    ),
    Function::new(
        "pkcs12keyPass",
        &[Str, Str],
        Str,
        doc(
            "As `pkcs12key`, with a password: password, file.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ pemToPkcs12Pass (index . \"tls.crt\") $key .password | b64dec | pkcs12keyPass .password | eq $key }}",
            "true",
        ),
        |context, args| key(context, args.str(1), args.str(0)),
    ),
    Function::new(
        "pkcs12cert",
        &[Str],
        Str,
        doc(
            "The certificates of a PKCS#12 file without a password, as PEM: from the leaf over those that vouch for it to the root, or in the order of the file when they are no chain. The file must hold a key, too.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ pemToPkcs12 (index . \"tls.crt\") $key | b64dec | pkcs12cert | eq (index . \"tls.crt\") }}",
            "true",
        ),
        |context, args| certificates(context, args.str(0), &[]),
    ),
    Function::new(
        "pkcs12certPass",
        &[Str, Str],
        Str,
        doc(
            "As `pkcs12cert`, with a password: password, file.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ pemToPkcs12Pass (index . \"tls.crt\") $key .password | b64dec | pkcs12certPass .password | eq (index . \"tls.crt\") }}",
            "true",
        ),
        |context, args| certificates(context, args.str(1), args.str(0)),
    ),
    Function::new(
        "pemToPkcs12",
        &[Str, Str],
        Str,
        doc(
            "Base 64 of a PKCS#12 file without a password: certificate, private key, both in PEM. Only the first certificate counts. They are not held against each other. Another file at every refresh, as all that is encrypted.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ pemToPkcs12 (index . \"tls.crt\") $key | b64dec | pkcs12cert | trunc 27 }}",
            "-----BEGIN CERTIFICATE-----",
        ),
        |context, args| key_store(context, args, Chain::First, &[]),
    ),
    Function::new(
        "pemToPkcs12Pass",
        &[Str, Str, Str],
        Str,
        doc(
            "As `pemToPkcs12`, with a password: certificate, private key, password.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ pemToPkcs12Pass (index . \"tls.crt\") $key .password | b64dec | pkcs12certPass .password | trunc 27 }}",
            "-----BEGIN CERTIFICATE-----",
        ),
        |context, args| key_store(context, args, Chain::First, args.str(2)),
    ),
    Function::new(
        "fullPemToPkcs12",
        &[Str, Str],
        Str,
        doc(
            "As `pemToPkcs12`, with all certificates: the first is that of the key, the others vouch for it. **Fails when anything stands behind the last one,** a blank line for example.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ fullPemToPkcs12 (index . \"tls.crt\") $key | b64dec | pkcs12key | eq $key }}",
            "true",
        ),
        |context, args| key_store(context, args, Chain::All, &[]),
    ),
    Function::new(
        "fullPemToPkcs12Pass",
        &[Str, Str, Str],
        Str,
        doc(
            "As `fullPemToPkcs12`, with a password: certificates, private key, password.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ fullPemToPkcs12Pass (index . \"tls.crt\") $key .password | b64dec | pkcs12keyPass .password | eq $key }}",
            "true",
        ),
        |context, args| key_store(context, args, Chain::All, args.str(2)),
    ),
    Function::new(
        "pemTruststoreToPKCS12",
        &[Str],
        Str,
        doc(
            "Base 64 of a PKCS#12 file without a password that holds certificates to trust, as Java reads it. **Fails when anything stands behind the last one,** a blank line for example.",
            "{{ pemTruststoreToPKCS12 (index . \"tls.crt\") | b64dec | len | lt 500 }}",
            "true",
        ),
        |context, args| trust_store(context, args, &[]),
    ),
    Function::new(
        "pemTruststoreToPKCS12Pass",
        &[Str, Str],
        Str,
        doc(
            "As `pemTruststoreToPKCS12`, with a password: certificates, password.",
            "{{ pemTruststoreToPKCS12Pass (index . \"tls.crt\") .password | b64dec | len | lt 500 }}",
            "true",
        ),
        |context, args| trust_store(context, args, args.str(1)),
    ),
];

/// How much of the certificates goes into a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    First,
    All,
}

fn key(context: &Context, file: &[u8], password: &[u8]) -> Result<Value, Message> {
    context.spend(STEPS_PER_KEY)?;
    let contents = pkcs12::read(context, file, password)
        .map_err(|problem| Message::plain("unable to decode pkcs12 with password: ").then(&problem))?;
    let der = contents.key.to_pkcs8();
    Ok(Value::str(pem::encode(PRIVATE_KEY, &der)))
}

/// The certificates from the leaf to the root, or in the order of the file when they are no chain.
fn certificates(context: &Context, file: &[u8], password: &[u8]) -> Result<Value, Message> {
    context.spend(STEPS_PER_KEY)?;
    let contents = pkcs12::read(context, file, password)
        .map_err(|problem| Message::plain("unable to decode pkcs12 certificate with password: ").then(&problem))?;
    match ordered(&contents.certificates) {
        Ok(chain) => to_pem(context, chain),
        Err(_) => to_pem(context, &contents.certificates),
    }
}

fn key_store(context: &Context, args: &Args, chain: Chain, password: &[u8]) -> Result<Value, Message> {
    let (first, mut rest) = block(context, args.str(0), "certificate")?;
    let mut certificates = vec![certificate(context, &first.bytes)?];
    while chain == Chain::All && !rest.is_empty() {
        let (next, behind) = block(context, rest, "certificate")?;
        certificates.push(certificate(context, &next.bytes)?);
        rest = behind;
    }
    let (key, _) = block(context, args.str(1), "key")?;
    context.spend(STEPS_PER_KEY)?;
    let key = PrivateKey::parse(&key.bytes)?;
    encoded(context, &pkcs12::key_store(context, &key, &certificates, password)?)
}

fn trust_store(context: &Context, args: &Args, password: &[u8]) -> Result<Value, Message> {
    let mut rest = args.str(0);
    let mut certificates: Vec<Certificate> = Vec::new();
    while !rest.is_empty() {
        let (next, behind) = block(context, rest, "certificate")?;
        certificates.push(certificate(context, &next.bytes)?);
        rest = behind;
    }
    encoded(context, &pkcs12::trust_store(context, &certificates, password)?)
}

/// The next block of `text`. Where Go fails without a word, so do we, with some.
fn block<'t>(context: &Context, text: &'t [u8], what: &str) -> Result<(Block, &'t [u8]), Message> {
    context.spend_on_bytes(text.len())?;
    pem::decode(text).ok_or_else(|| {
        Message::plain(format!(
            "no PEM block where a {what} should be; leave nothing behind the last block, no blank line either"
        ))
    })
}

fn encoded(context: &Context, file: &[u8]) -> Result<Value, Message> {
    context.check_bytes(file.len() / 3 * 4 + 4)?;
    Ok(Value::text(&STANDARD.encode(file)))
}
