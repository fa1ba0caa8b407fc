//! `urlParse` and `urlJoin`.

use std::collections::BTreeMap;

use super::Type::{Map as MapType, Str};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::url::{Part, Url, escape};
use crate::value::{Map, Value};

/// Bytes of a URL that are taken apart and decoded in the time of a step.
const BYTES_PER_STEP: usize = 8;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "urlParse",
        &[Str],
        MapType,
        doc(
            "The parts of a URL in a map: `scheme`, `userinfo`, `host`, `hostname`, `path`, `query`, `opaque`, \
             `fragment`. Fails for what is no URL.",
            "{{ $u := urlParse .url }}{{ $u.hostname }}{{ $u.path }}",
            "db.example.com/v1/keys",
        ),
        url_parse,
    ),
    Function::new(
        "urlJoin",
        &[MapType],
        Str,
        doc(
            "The URL made of such parts, absent ones empty. Fails for a part that is no text.",
            r#"{{ dict "scheme" "https" "host" .host "path" "/v1" | urlJoin }}"#,
            "https://db.example.com/v1",
        ),
        url_join,
    ),
];

fn url_parse(context: &mut Context, args: &Args) -> Result<Value, Message> {
    context.spend(args.str(0).len() / BYTES_PER_STEP)?;
    let url = parse(args.str(0))?;
    let entries: [(&str, Vec<u8>); 8] = [
        ("scheme", url.scheme.clone()),
        ("hostname", url.hostname().to_vec()),
        ("host", url.host),
        ("path", url.path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", url.fragment),
        ("userinfo", url.userinfo.unwrap_or_default()),
    ];
    let entries: BTreeMap<_, _> =
        entries.into_iter().map(|(key, value)| (key.as_bytes().into(), Value::str(value))).collect();
    Map::new(entries).map(Value::Map)
}

fn parse(text: &[u8]) -> Result<Url, Message> {
    Url::parse(text).map_err(|message| {
        let mut whole = Message::plain("unable to parse url: ");
        whole.append(&message);
        whole
    })
}

/// User and password as a URL has them; none when the text ends the part of a URL they stand in.
fn userinfo(text: &[u8]) -> Result<Option<Vec<u8>>, Message> {
    let url = Url::parse(&[b"proto://", text, b"@host"].concat());
    url.map(|url| url.userinfo).map_err(|problem| Message::plain("unable to parse userinfo in dict: ").then(&problem))
}

fn url_join(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let map = args.map(0);
    let part = |key: &str| match map.find(key.as_bytes()) {
        None => Ok(Bytes::from(Vec::new())),
        Some(Value::Str(bytes)) => Ok(bytes),
        Some(other) => Err(Message::ours(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            other.kind_name()
        ))),
    };
    let [scheme, host, path, query, opaque, fragment, user] =
        ["scheme", "host", "path", "query", "opaque", "fragment", "userinfo"].map(part);
    let (scheme, host, path, query, opaque, fragment, user) =
        (scheme?, host?, path?, query?, opaque?, fragment?, user?);
    // Escapes make three bytes of one, and each part may be as long as a text may be.
    let parts = [&scheme, &host, &path, &query, &opaque, &fragment, &user];
    let length = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
    context.check_bytes(length)?;
    context.spend(length / BYTES_PER_STEP)?;
    let user = if user.is_empty() { None } else { userinfo(&user)? };
    let mut out = Vec::new();
    if !scheme.is_empty() {
        out.extend_from_slice(&scheme);
        out.push(b':');
    }
    if opaque.is_empty() {
        let has_authority = !scheme.is_empty() || !host.is_empty() || user.is_some();
        if has_authority && (!host.is_empty() || !path.is_empty() || user.is_some()) {
            out.extend_from_slice(b"//");
            if let Some(user) = user {
                out.extend_from_slice(&user);
                out.push(b'@');
            }
            out.extend_from_slice(&escape(&host, Part::Host));
        }
        if !path.is_empty() && !path.starts_with(b"/") && !host.is_empty() {
            out.push(b'/');
        }
        // A colon in the first element would read as a scheme.
        let first = path.split(|&byte| byte == b'/').next().unwrap_or_default();
        if out.is_empty() && first.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend_from_slice(&if *path == *b"*" { path.to_vec() } else { escape(&path, Part::Path) });
    } else {
        out.extend_from_slice(&opaque);
    }
    if !query.is_empty() {
        out.push(b'?');
        out.extend_from_slice(&query);
    }
    if !fragment.is_empty() {
        out.push(b'#');
        out.extend_from_slice(&escape(&fragment, Part::Fragment));
    }
    Ok(Value::str(out))
}
