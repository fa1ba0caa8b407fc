//! Alternative names, and what names may look like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AlternativeNames, malformed};
use crate::der::cursor::{Cursor, tag};
use crate::error::Message;
use crate::fmt::quote::quote;
use crate::url::Url;

const EMAIL: u8 = tag::context(1);
const DNS: u8 = tag::context(2);
const URI: u8 = tag::context(6);
const IP: u8 = tag::context(7);

/// The names of the extension.
pub(super) fn read(mut value: Cursor) -> Result<AlternativeNames, Message> {
    let mut names = value.read(tag::SEQUENCE).ok_or_else(|| malformed("invalid subject alternative names"))?;
    let mut found = AlternativeNames::default();
    while !names.is_empty() {
        let (kind, name, _) = names.any().ok_or_else(|| malformed("invalid subject alternative name"))?;
        match kind {
            EMAIL => found.emails.push(ascii(name.0, "rfc822Name")?),
            DNS => found.dns.push(ascii(name.0, "dNSName")?),
            URI => found.uris.push(uri(name.0)?),
            IP => found.ips.push(ip(name.0)?),
            _ => {}
        }
    }
    Ok(found)
}

fn ascii(name: &[u8], kind: &str) -> Result<Vec<u8>, Message> {
    if name.is_ascii() { Ok(name.to_vec()) } else { Err(malformed(format!("SAN {kind} is malformed"))) }
}

fn ip(name: &[u8]) -> Result<IpAddr, Message> {
    if let Ok(four) = <[u8; 4]>::try_from(name) {
        return Ok(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(name)
        .map_err(|_| malformed(format!("cannot parse IP address of length {}", name.len())))?;
    // Go shows an IPv4 address inside IPv6 as what it is.
    Ok(Ipv6Addr::from(sixteen).to_canonical())
}

fn uri(name: &[u8]) -> Result<Vec<u8>, Message> {
    let text = ascii(name, "uniformResourceIdentifier")?;
    let problem = || malformed("cannot parse URI ").data(quote(&text, false)).text(": ");
    let url = Url::parse(&text).map_err(|inner| {
        let mut message = problem().text("parse ").data(quote(&text, false)).text(": ");
        message.append(&inner);
        message
    })?;
    if !url.host.is_empty() && !is_domain(&url.host, false) {
        return Err(problem().text("invalid domain"));
    }
    Ok(normal(&url, &text))
}

/// The URL as Go writes it: with its scheme in small letters.
fn normal(url: &Url, text: &[u8]) -> Vec<u8> {
    let rest = text.get(url.scheme.len()..).unwrap_or_default();
    [url.scheme.as_slice(), rest].concat()
}

/// Whether the name could be one of a host. `constraint` allows what stands for many: a name that is empty.
pub(super) fn is_domain(name: &[u8], constraint: bool) -> bool {
    if name.is_empty() {
        return constraint;
    }
    name.split(|&byte| byte == b'.')
        .all(|label| (1..=63).contains(&label.len()) && label.iter().all(|byte| (33..=126).contains(byte)))
}
