//! Constraints on names. They are checked for being well formed and then dropped.

use super::malformed;
use super::names::is_domain;
use crate::der::cursor::{Cursor, tag};
use crate::error::Message;
use crate::fmt::quote::quote;

/// Checks the value of the extension.
pub(super) fn check(mut value: Cursor) -> Result<(), Message> {
    let wrong = || malformed("invalid NameConstraints extension");
    let mut sets = value.read(tag::SEQUENCE).filter(|_| value.is_empty()).ok_or_else(wrong)?;
    let permitted = sets.optional(tag::explicit(0)).ok_or_else(wrong)?;
    let excluded = sets.optional(tag::explicit(1)).ok_or_else(wrong)?;
    if !sets.is_empty() {
        return Err(wrong());
    }
    let given: Vec<Cursor> = [permitted, excluded].into_iter().flatten().collect();
    // RFC 5280 wants one of them to say something.
    if given.iter().all(|names| names.is_empty()) {
        return Err(malformed("empty name constraints extension"));
    }
    for mut names in given {
        while !names.is_empty() {
            let mut subtree = names.read(tag::SEQUENCE).ok_or_else(wrong)?;
            let (kind, name, _) = subtree.any().ok_or_else(wrong)?;
            check_name(kind, name.0)?;
        }
    }
    Ok(())
}

fn check_name(kind: u8, name: &[u8]) -> Result<(), Message> {
    let failed = |what: &str| Err(malformed(format!("failed to parse {what} constraint ")).data(quote(name, false)));
    let ascii = || {
        let problem = || {
            malformed("invalid constraint value: x509: ")
                .data(quote(name, false))
                .text(" cannot be encoded as an IA5String")
        };
        if name.is_ascii() { Ok(()) } else { Err(problem()) }
    };
    // A leading dot stands for all names below.
    let domain = name.strip_prefix(b".").unwrap_or(name);
    match kind {
        _ if kind == tag::context(2) => {
            ascii()?;
            if is_domain(domain, true) { Ok(()) } else { failed("dnsName") }
        }
        _ if kind == tag::context(7) => network(name),
        _ if kind == tag::context(1) => {
            ascii()?;
            let fits = match name.iter().rposition(|&byte| byte == b'@') {
                Some(at) => is_mailbox(&name[..at]) && is_domain(&name[at + 1..], false),
                None => is_domain(domain, true),
            };
            if fits { Ok(()) } else { failed("rfc822Name") }
        }
        _ if kind == tag::context(6) => {
            ascii()?;
            let is_ip = std::str::from_utf8(name).is_ok_and(|text| text.parse::<std::net::IpAddr>().is_ok());
            if is_ip {
                let problem = malformed("failed to parse URI constraint ").data(quote(name, false));
                return Err(problem.text(": cannot be IP address"));
            }
            if is_domain(domain, true) { Ok(()) } else { failed("URI") }
        }
        _ => Ok(()),
    }
}

/// Whether the text may stand before the `@` of an address: words of letters, digits and some signs with dots between,
/// or anything in quotes.
fn is_mailbox(text: &[u8]) -> bool {
    let quoted = text.len() > 2 && text.starts_with(b"\"") && text.ends_with(b"\"");
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(byte);
    quoted || text.split(|&byte| byte == b'.').all(|word| !word.is_empty() && word.iter().all(is_sign))
}

/// An address and a mask of the same length.
fn network(bytes: &[u8]) -> Result<(), Message> {
    if !matches!(bytes.len(), 8 | 32) {
        return Err(malformed(format!("IP constraint contained value of length {}", bytes.len())));
    }
    let mask = &bytes[bytes.len() / 2..];
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let leading = mask.iter().take_while(|&&byte| byte == 0xff).count();
    let edge = mask.get(leading).map_or(0, |byte| byte.leading_ones());
    if usize::try_from(ones).unwrap_or_default() == leading * 8 + usize::try_from(edge).unwrap_or_default() {
        return Ok(());
    }
    Err(malformed("IP constraint contained invalid mask ").data(crate::funcs::hex(mask)))
}
