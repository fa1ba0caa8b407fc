//! Alternative names, and what names may look like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AlternativeNames, malformed};
use crate::der::cursor::{Cursor, tag};
use crate::error::Message;
use crate::fmt::quote::quote;
use crate::url::{Part, Url, escape};

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
    let url = Url::parse(&text).map_err(|inner| problem().then(&inner))?;
    if !url.host.is_empty() && !is_domain(&url.host, false) {
        return Err(problem().text("invalid domain"));
    }
    Ok(normal(&url, &text))
}

/// The URL as Go writes it: the scheme in small letters, what must be escaped escaped, the rest as it stands.
fn normal(url: &Url, text: &[u8]) -> Vec<u8> {
    let (text, _) = text.split_at(memchr::memchr(b'#', text).unwrap_or(text.len()));
    let (text, query) = text.split_at(memchr::memchr(b'?', text).unwrap_or(text.len()));
    let mut out = url.scheme.clone();
    let mut rest = text;
    if !url.scheme.is_empty() {
        out.push(b':');
        rest = text.get(url.scheme.len() + 1..).unwrap_or_default();
    }
    if let Some(behind) = rest.strip_prefix(b"//").filter(|_| url.opaque.is_empty()) {
        let (authority, path) = behind.split_at(memchr::memchr(b'/', behind).unwrap_or(behind.len()));
        if !authority.is_empty() || !path.is_empty() {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &url.userinfo {
            out.extend_from_slice(user);
            out.push(b'@');
        }
        out.extend(escape(&url.host, Part::Host));
        rest = path;
    }
    out.extend(if url.opaque.is_empty() { kept_or_escaped(rest, &url.path, Part::Path) } else { rest.to_vec() });
    out.extend_from_slice(query);
    if !url.fragment.is_empty() {
        out.push(b'#');
        out.extend(escape(&url.fragment, Part::Fragment));
    }
    out
}

/// The text as it stands if it could stand so in a URL, or else what it means, escaped anew.
fn kept_or_escaped(raw: &[u8], meaning: &[u8], part: Part) -> Vec<u8> {
    let may_stand = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@[]/%".contains(byte);
    if raw.iter().all(may_stand) { raw.to_vec() } else { escape(meaning, part) }
}

/// Whether the name could be one of a host. `constraint` allows what stands for many: a name that is empty.
pub(super) fn is_domain(name: &[u8], constraint: bool) -> bool {
    if name.is_empty() {
        return constraint;
    }
    name.split(|&byte| byte == b'.')
        .all(|label| (1..=63).contains(&label.len()) && label.iter().all(|byte| (33..=126).contains(byte)))
}
