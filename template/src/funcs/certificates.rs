//! PEM and certificates.

use super::Type::{Str, Strings};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::pem;
use crate::value::{List, Value};
use crate::x509::{Certificate, ordered};

/// The kind of a PEM block with a certificate.
pub(super) const CERTIFICATE: &str = "CERTIFICATE";
/// What reading a certificate is charged as, in steps.
const STEPS_PER_CERTIFICATE: usize = 200;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "filterPEM",
        &[Str, Str],
        Str,
        doc(
            "The PEM blocks of one kind, in capitals or not: kind, text. Text between blocks is dropped. Fails when \
             there is no such block and something besides PEM.",
            r#"{{ index . "tls.crt" | filterPEM "CERTIFICATE" | trunc 27 }}"#,
            "-----BEGIN CERTIFICATE-----",
        ),
        filter_pem,
    ),
    Function::new(
        "filterCertChain",
        &[Str, Str],
        Str,
        doc(
            "The certificates of one place in a chain, which may come in any order: `leaf`, `intermediate` or `root`; \
             PEM. Empty for another place and where the chain has none. Certificates are linked by the identifiers of \
             their keys; signatures are not verified. Fails for a block that is no certificate, for more than one \
             chain, and for no chain.",
            r#"{{ eq (filterCertChain "root" (index . "tls.crt")) (index . "tls.crt") }}"#,
            "true",
        ),
        filter_chain,
    ),
    Function::new(
        "certSANs",
        &[Str],
        Strings,
        doc(
            "The alternative names of the first certificate in PEM, as a list: DNS names, then IP addresses, e-mail \
             addresses and URIs. Fails for what is no certificate.",
            r#"{{ index . "tls.crt" | certSANs | join "," }}"#,
            "app.example.com,10.0.0.7",
        ),
        sans,
    ),
];

/// The certificate in these bytes.
pub(super) fn certificate(context: &Context, der: &[u8]) -> Result<Certificate, Message> {
    context.spend(STEPS_PER_CERTIFICATE)?;
    context.spend_on_bytes(der.len())?;
    Certificate::parse(der)
}

/// Certificates as PEM.
pub(super) fn to_pem<'c>(
    context: &Context,
    certificates: impl IntoIterator<Item = &'c Certificate>,
) -> Result<Value, Message> {
    let mut out = Vec::new();
    for certificate in certificates {
        out.extend(pem::encode(CERTIFICATE, &certificate.raw));
        context.check_bytes(out.len())?;
    }
    Ok(Value::str(out))
}

fn filter_pem(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let (kind, mut rest) = (args.str(0), args.str(1));
    context.spend_on_bytes(rest.len())?;
    let mut out = Vec::new();
    while let Some((block, behind)) = pem::decode(rest) {
        context.spend(1)?;
        if same_letters(&block.kind, kind) {
            out.extend(block.encode());
            context.check_bytes(out.len())?;
        }
        rest = behind;
    }
    if out.is_empty() && !rest.is_empty() {
        return Err("error filtering pem: found junk".into());
    }
    Ok(Value::str(out))
}

/// Whether two texts differ at most in capital and small letters.
fn same_letters(left: &[u8], right: &[u8]) -> bool {
    let folded = |bytes: &[u8]| -> Option<String> {
        std::str::from_utf8(bytes).ok().map(|text| text.chars().map(folded).collect())
    };
    left.eq_ignore_ascii_case(right) || folded(left).is_some_and(|text| folded(right) == Some(text))
}

/// One letter for all that count as the same: small, of the capital one.
fn folded(letter: char) -> char {
    let upper = Some(letter.to_uppercase()).filter(|letters| letters.len() == 1).and_then(|mut letters| letters.next());
    let upper = upper.unwrap_or(letter);
    let lower = Some(upper.to_lowercase()).filter(|letters| letters.len() == 1).and_then(|mut letters| letters.next());
    lower.unwrap_or(upper)
}

fn filter_chain(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut rest = args.str(1);
    context.spend_on_bytes(rest.len())?;
    let mut certificates = Vec::new();
    while let Some((block, behind)) = pem::decode(rest) {
        certificates.push(certificate(context, &block.bytes)?);
        rest = behind;
    }
    let chain = ordered(&certificates)?;
    let wanted: Vec<&Certificate> = match args.str(0) {
        b"leaf" => chain.first().filter(|first| !first.is_root()).copied().into_iter().collect(),
        b"intermediate" => chain.iter().skip(1).take_while(|certificate| !certificate.is_root()).copied().collect(),
        b"root" => chain.last().filter(|last| last.is_root()).copied().into_iter().collect(),
        _ => Vec::new(),
    };
    to_pem(context, wanted)
}

fn sans(context: &mut Context, args: &Args) -> Result<Value, Message> {
    context.spend_on_bytes(args.str(0).len())?;
    let (block, _) = pem::decode(args.str(0)).ok_or("failed to decode PEM block")?;
    let certificate = certificate(context, &block.bytes)
        .map_err(|problem| Message::plain("failed to parse certificate: ").then(&problem))?;
    let names = certificate.names;
    let ips = names.ips.into_iter().map(|ip| ip.to_string().into_bytes());
    let all = names.dns.into_iter().chain(ips).chain(names.emails).chain(names.uris);
    Ok(Value::List(List::of_strings(all)))
}
