//! URLs as Go's net/url takes them apart.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::Message;
use crate::fmt::quote::quote;
use crate::text::find;

/// The parts of a URL, decoded where Go decodes them.
#[derive(Debug, Default)]
pub(crate) struct Url {
    pub(crate) scheme: Vec<u8>,
    pub(crate) opaque: Vec<u8>,
    /// User and password, encoded.
    pub(crate) userinfo: Option<Vec<u8>>,
    pub(crate) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    pub(crate) fragment: Vec<u8>,
}

/// Where in a URL a text stands, which decides what must be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Host,
    /// The zone of an address.
    Zone,
    User,
    Path,
    Fragment,
}

impl Url {
    /// Parses a URL or a reference to one. The error names the text as far as it was read.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Message> {
        let named = |text: &[u8], message: &Message| {
            let mut whole = Message::plain("parse ").data(quote(text, false)).text(": ");
            whole.append(message);
            whole
        };
        let (before, fragment) = cut(text, b'#');
        let mut url = Self::parse_without_fragment(before).map_err(|message| named(before, &message))?;
        let fragment = unescape(fragment.unwrap_or_default(), Part::Fragment);
        url.fragment = fragment.map_err(|message| named(text, &message))?;
        Ok(url)
    }

    /// The host without brackets and port.
    pub(crate) fn hostname(&self) -> &[u8] {
        let host = self.host.as_slice();
        let host = match host.iter().rposition(|&byte| byte == b':') {
            Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
            _ => host,
        };
        host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(host)
    }

    fn parse_without_fragment(text: &[u8]) -> Result<Self, Message> {
        if text.iter().any(|&byte| byte < b' ' || byte == 0x7f) {
            return Err("net/url: invalid control character in URL".into());
        }
        let mut url = Self::default();
        if text == b"*" {
            url.path = text.to_vec();
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = cut(rest, b'?');
        url.query = query.unwrap_or_default().to_vec();
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".into());
            }
        }
        let mut path = rest;
        let has_authority = rest.starts_with(b"//") && (!url.scheme.is_empty() || !rest.starts_with(b"///"));
        if has_authority {
            let behind = &rest[2..];
            let end = behind.iter().position(|&byte| byte == b'/').unwrap_or(behind.len());
            url.authority(&behind[..end])?;
            path = &behind[end..];
        }
        url.path = unescape(path, Part::Path)?;
        Ok(url)
    }

    fn authority(&mut self, text: &[u8]) -> Result<(), Message> {
        let at = text.iter().rposition(|&byte| byte == b'@');
        let strict = matches!(self.scheme.as_slice(), b"http" | b"https");
        self.host = host(&text[at.map_or(0, |at| at + 1)..], strict)?;
        if let Some(at) = at {
            self.userinfo = Some(userinfo(&text[..at])?);
        }
        Ok(())
    }
}

/// User and password as they stand in a URL: decoded and encoded again.
fn userinfo(text: &[u8]) -> Result<Vec<u8>, Message> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
    if !text.iter().all(allowed) {
        return Err("net/url: invalid userinfo".into());
    }
    let (name, password) = cut(text, b':');
    let mut out = escape(&unescape(name, Part::User)?, Part::User);
    if let Some(password) = password {
        out.push(b':');
        out.extend_from_slice(&escape(&unescape(password, Part::User)?, Part::User));
    }
    Ok(out)
}

/// Escapes what may not stand in that part.
pub(crate) fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if may_stand(byte, part) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn may_stand(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return true;
    }
    let more: &[u8] = match part {
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
        Part::User => b"$&+,;=",
        Part::Path => b"$&+,/:;=@",
        Part::Fragment => b"$&+,/:;=?@!()*",
    };
    more.contains(&byte)
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, Message> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            if matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && !may_stand(byte, part) {
                let shown = quote(&[byte], false);
                return Err(Message::plain("invalid character ").data(shown).text(" in host name"));
            }
            out.push(byte);
            continue;
        }
        let digit = |at: usize| tail.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        let Some((high, low)) = digit(0).zip(digit(1)) else {
            return Err(Message::plain("invalid URL escape ").data(quote(&escape_sign(tail), false)));
        };
        let code = u8::try_from(high * 16 + low).unwrap_or_default();
        // Of ASCII only the percent sign may be escaped in a host, and in a zone what may stand there anyway.
        let refused = match part {
            Part::Host => code.is_ascii() && code != b'%',
            Part::Zone => code != b'%' && code != b' ' && code.is_ascii() && !may_stand(code, part),
            _ => false,
        };
        if refused {
            return Err(Message::plain("invalid URL escape ").data(quote(&escape_sign(tail), false)));
        }
        out.push(code);
        rest = &tail[2..];
    }
    Ok(out)
}

/// The escape that begins with a percent sign before `tail`.
fn escape_sign(tail: &[u8]) -> Vec<u8> {
    std::iter::once(b'%').chain(tail.iter().copied().take(2)).collect()
}

/// The host with its port, decoded. In `strict` schemes all that follows the first colon is the port.
fn host(text: &[u8], strict: bool) -> Result<Vec<u8>, Message> {
    if text.iter().skip(1).any(|&byte| byte == b'[') {
        return Err("invalid IP-literal".into());
    }
    let Some(bracketed) = text.strip_prefix(b"[") else {
        let is_colon = |byte: &u8| *byte == b':';
        let colon = if strict { text.iter().position(is_colon) } else { text.iter().rposition(is_colon) };
        check_port(&text[colon.unwrap_or(text.len())..])?;
        return unescape(text, Part::Host);
    };
    let Some(close) = bracketed.iter().rposition(|&byte| byte == b']') else {
        return Err("missing ']' in host".into());
    };
    let (address, behind) = bracketed.split_at(close);
    check_port(&behind[1..])?;
    let address = match find(address, b"%25") {
        Some(zone) => {
            let (address, zone) = address.split_at(zone);
            [unescape(address, Part::Host)?, unescape(zone, Part::Zone)?].concat()
        }
        None => unescape(address, Part::Host)?,
    };
    check_address(&address)?;
    Ok([b"[".as_slice(), &address, &unescape(behind, Part::Host)?].concat())
}

fn check_port(port: &[u8]) -> Result<(), Message> {
    let is_port = port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit));
    if is_port {
        return Ok(());
    }
    Err(Message::plain("invalid port ").data(quote(port, false)).text(" after host"))
}

/// Between brackets stands an address of IPv6, with or without a zone.
fn check_address(text: &[u8]) -> Result<(), Message> {
    let (address, zone) = cut(text, b'%');
    let address = std::str::from_utf8(address).unwrap_or_default();
    if address.parse::<Ipv4Addr>().is_ok() && zone.is_none() {
        return Err("invalid IP-literal".into());
    }
    if address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(|zone| !zone.is_empty()) {
        return Ok(());
    }
    let start = Message::plain("invalid host: ParseAddr(").data(quote(text, false));
    Err(start.text("): unable to parse IP"))
}

fn split_scheme(text: &[u8]) -> Result<(&[u8], &[u8]), Message> {
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".into()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok((&[], text))
}

/// The text before and behind the first such byte.
fn cut(text: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&byte| byte == mark) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}
