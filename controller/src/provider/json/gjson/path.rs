//! Reading paths, one component at a time.

use super::{modifiers::Name, query::Query, scan, text};
use crate::provider::json::Json;

/// What stands after a component.
#[derive(Clone, Copy)]
pub enum Next<'p> {
    End,
    /// A path into the value.
    Deeper(&'p [u8]),
    /// A path for whatever was selected, also if that is nothing.
    Pipe(&'p [u8]),
}

impl<'p> Next<'p> {
    /// After a dot, what can only be meant for the whole value is piped.
    fn after_dot(rest: &'p [u8]) -> Self {
        let is_pipe = match rest {
            [b'[' | b'{', ..] => true,
            [b'@', after @ ..] => Name::of(until(after, |byte| matches!(byte, b'.' | b'|' | b':'))).is_some(),
            _ => false,
        };
        if is_pipe { Self::Pipe(rest) } else { Self::Deeper(rest) }
    }
}

/// A component that is looked up in an object.
pub struct Member<'p> {
    name: Vec<u8>,
    wild: bool,
    pub next: Next<'p>,
}

impl<'p> Member<'p> {
    pub fn new(path: &'p [u8]) -> Self {
        let (mut name, mut wild, mut at) = (Vec::new(), false, 0);
        let next = loop {
            let Some((byte, rest)) = path.get(at..).and_then(<[u8]>::split_first) else { break Next::End };
            match byte {
                b'|' => break Next::Pipe(rest),
                b'.' => break Next::after_dot(rest),
                b'\\' => {
                    name.extend(rest.first());
                    at += 1;
                }
                _ => {
                    wild |= matches!(byte, b'*' | b'?');
                    name.push(*byte);
                }
            }
            at += 1;
        };
        Self { name, wild, next }
    }

    /// Whether a key, given with its quotes, is the one that is looked up.
    pub fn is(&self, key: &[u8]) -> bool {
        let inner = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
        if inner.contains(&b'\\') { self.is_plain(&text::unescaped(inner)) } else { self.is_plain(inner) }
    }

    fn is_plain(&self, key: &[u8]) -> bool {
        if self.wild { super::pattern::matches(key, &self.name) } else { key == self.name }
    }

    /// What comparing a key costs beyond its length.
    pub fn cost(&self, key_len: usize) -> usize {
        if self.wild { self.name.len().saturating_mul(key_len) } else { 0 }
    }
}

/// A component that is looked up in an array.
pub struct Item<'p> {
    pub what: What<'p>,
    pub next: Next<'p>,
}

pub enum What<'p> {
    /// No item has an index that is no number.
    Index(Option<usize>),
    /// `#`
    Count,
    /// `#.path`: what a path selects of each item.
    Each(&'p [u8]),
    /// `#(…)` and `#(…)#`
    Query(Query<'p>),
}

impl<'p> Item<'p> {
    pub fn new(path: &'p [u8]) -> Self {
        if let [b'#', b'.', each @ ..] = path {
            return Self { what: What::Each(each), next: Next::End };
        }
        let (query, mut at) = match path {
            [b'#', b'(' | b'[', ..] => match Query::new(path) {
                Some((query, end)) => (Some(query), end),
                // What does not close asks for nothing but existence, and takes the rest of the path with it.
                None => (Some(Query::default()), path.len()),
            },
            _ => (None, 0),
        };
        let mut hash = query.is_some();
        let next = loop {
            let Some((byte, rest)) = path.get(at..).and_then(<[u8]>::split_first) else { break Next::End };
            match byte {
                b'|' => break Next::Pipe(rest),
                b'.' if hash => break Next::Deeper(rest),
                b'.' => break Next::after_dot(rest),
                _ => hash |= *byte == b'#',
            }
            at += 1;
        };
        let what = match (query, path.get(..at)) {
            (Some(query), _) => What::Query(query),
            (None, Some(b"#")) => What::Count,
            (None, part) => What::Index(part.and_then(index)),
        };
        Self { what, next }
    }
}

fn index(digits: &[u8]) -> Option<usize> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    if all_digits { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// A path that ends before a pipe, and what stands after it. Pipes in a query belong to the query.
pub fn split_pipe(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let split = |at: usize| (path.get(..at).unwrap_or_default(), path.get(at + 1..));
    if path.first() == Some(&b'{') {
        // A name in quotes right after the brace hides the pipe, and so does a brace that closes at once.
        let end = match path.get(1) {
            Some(b'"') => scan::string_end(path, 1),
            _ => Some(scan::group_end(path, 1)),
        };
        return end.filter(|end| path.get(*end) == Some(&b'|')).map_or((path, None), split);
    }
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        at = match byte {
            b'|' => return split(at),
            b'\\' => at + 2,
            b'.' if path.get(at + 1) == Some(&b'#') => match path.get(at + 2) {
                Some(b'(' | b'[') => query_end(path, at + 2),
                // Whatever stands after a hash goes with it, a pipe too.
                _ => at + 3,
            },
            _ => at + 1,
        };
    }
    (path, None)
}

/// After the bracket that closes the query whose opening bracket is at a position.
fn query_end(path: &[u8], open: usize) -> usize {
    let (opening, closing) = if path.get(open) == Some(&b'(') { (b'(', b')') } else { (b'[', b']') };
    let (mut at, mut depth) = (open + 1, 1_usize);
    while let Some(byte) = path.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => at = scan::string_end(path, at).unwrap_or(path.len()) - 1,
            byte if *byte == opening => depth += 1,
            byte if *byte == closing => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// `@name`, `@name:argument`
pub struct Call<'p> {
    pub name: Name,
    pub argument: &'p [u8],
    pub rest: &'p [u8],
}

/// A path that begins with a modifier. `None`: there is no modifier of that name.
pub fn modifier(path: &[u8]) -> Option<Call<'_>> {
    let path = path.strip_prefix(b"@")?;
    let name = until(path, |byte| matches!(byte, b':' | b'.' | b'|'));
    let rest = path.get(name.len()..)?;
    let name = Name::of(name)?;
    let Some(rest) = rest.strip_prefix(b":") else { return Some(Call { name, argument: &[], rest }) };
    let (argument, rest) = rest.split_at_checked(argument_end(rest))?;
    Some(Call { name, argument, rest })
}

fn argument_end(text: &[u8]) -> usize {
    let group = |at: usize| match text.get(at) {
        Some(b'"') => scan::string_end(text, at).unwrap_or(text.len()),
        _ => scan::group_end(text, at),
    };
    if matches!(text.first(), Some(b'{' | b'[' | b'"')) {
        return group(0).min(text.len());
    }
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at = match byte {
            b'|' => break,
            b'{' | b'[' | b'"' | b'(' => group(at),
            _ => at + 1,
        };
    }
    at.min(text.len())
}

/// A path that begins with a value of its own: `!"text"`, `!5`, `!{…}`, `!true`.
pub fn literal(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = path.strip_prefix(b"!")?;
    let end = match value.first()? {
        b'{' | b'[' | b'"' | b'+' | b'-' | b'0'..=b'9' => {
            return value.split_at_checked(scan::group_end(value, 0).min(value.len()));
        }
        _ => until(value, |byte| matches!(byte, b'.' | b'|')).len(),
    };
    let (word, rest) = value.split_at_checked(end)?;
    let known = ["true", "false", "null", "nan", "inf"];
    known.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())).then_some((word, rest))
}

/// `[a,b]` or `{a,"name":b}`
pub struct Multipath<'p> {
    pub keyed: bool,
    pub parts: Vec<Part<'p>>,
}

pub struct Part<'p> {
    name: &'p [u8],
    pub path: &'p [u8],
}

/// A path that begins with a multipath, and what stands after it. `None`: its brackets do not close.
pub fn multipath(path: &[u8]) -> Option<(Multipath<'_>, &[u8])> {
    let (mut parts, mut depth) = (Vec::new(), 1_usize);
    let (mut start, mut colon, mut in_modifier) = (1, None, false);
    let mut at = 1;
    while let Some(byte) = path.get(at) {
        match byte {
            b'\\' => at += 1,
            // A colon after it opens its argument.
            b'@' => in_modifier |= matches!(path.get(at - 1), Some(b'.' | b'|')),
            b':' if depth == 1 && !in_modifier => colon = colon.or(Some(at)),
            b',' if depth == 1 => {
                parts.push(Part::new(path, start, colon, at));
                (start, colon, in_modifier) = (at + 1, None, false);
            }
            b'"' => at = scan::string_end(path, at)? - 1,
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    parts.push(Part::new(path, start, colon, at));
                    return Some((Multipath { keyed: path.first() == Some(&b'{'), parts }, path.get(at + 1..)?));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

impl<'p> Part<'p> {
    fn new(path: &'p [u8], start: usize, colon: Option<usize>, end: usize) -> Self {
        let part = |from: usize, to: usize| path.get(from..to).unwrap_or_default();
        match colon {
            Some(colon) => Self { name: part(start, colon), path: part(colon + 1, end) },
            None => Self { name: &[], path: part(start, end) },
        }
    }

    /// Writes the key for the value: the name, or else the path's last component if that can be one.
    pub fn write_name(&self, out: &mut Vec<u8>) {
        match self.name {
            [] => match last(self.path) {
                name if is_simple(name) => text::quote(out, name),
                _ => out.extend_from_slice(b"\"_\""),
            },
            name @ [b'"', ..] if Json::parse(name).is_ok() => out.extend_from_slice(name),
            name => text::quote(out, name),
        }
    }
}

fn last(path: &[u8]) -> &[u8] {
    let is_end =
        |at: &usize| matches!(path.get(*at), Some(b'.' | b'|')) && !(*at > 0 && path.get(*at - 1) == Some(&b'\\'));
    (0..path.len()).rev().find(is_end).and_then(|at| path.get(at + 1..)).unwrap_or(path)
}

fn is_simple(name: &[u8]) -> bool {
    !name
        .iter()
        .any(|byte| *byte < b' ' || matches!(byte, b'[' | b']' | b'{' | b'}' | b'(' | b')' | b'#' | b'|' | b'!'))
}

fn until(text: &[u8], ends: impl Fn(&u8) -> bool) -> &[u8] {
    text.split(|byte| ends(byte)).next().unwrap_or_default()
}
