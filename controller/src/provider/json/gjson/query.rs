//! Conditions on items of an array: `#(path op value)`.

use std::{borrow::Cow, cmp::Ordering};

use super::{
    Lookup, Refused, pattern,
    piece::{Found, Kind, Piece},
    scan, text,
};

/// A condition. The default one has no path and asks for existence.
#[derive(Default)]
pub struct Query<'p> {
    path: &'p [u8],
    op: Op,
    value: Cow<'p, [u8]>,
    /// Every item that fulfils it is meant, not the first.
    pub all: bool,
}

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Op {
    #[default]
    Exists,
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Like,
    Unlike,
    /// A lone exclamation mark, which nothing fulfils.
    Never,
}

/// What the word after a tilde asks: an item is compared by that instead of its value.
enum Sense {
    Exists,
    Null,
    True,
    False,
}

impl<'p> Query<'p> {
    /// Reads `#(…)` or `#[…]` at the beginning of a path. Returns the position after it. `None`: it does not close.
    pub fn new(path: &'p [u8]) -> Option<(Self, usize)> {
        let (mut at, mut depth, mut op) = (2, 1_usize, None);
        loop {
            match path.get(at)? {
                b'!' | b'=' | b'<' | b'>' | b'%' if depth == 1 && op.is_none() => op = Some(at),
                b'\\' => at += 1,
                b'[' | b'(' => depth += 1,
                b']' | b')' => depth -= 1,
                b'"' => at = scan::string_end(path, at)? - 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            at += 1;
        }
        let left = path.get(2..op.unwrap_or(at))?.trim_ascii();
        let (op, value) = op.and_then(|op| path.get(op..at)).map_or((Op::Exists, &[][..]), split);
        let all = path.get(at + 1) == Some(&b'#');
        Some((Self { path: left, op, value: unquoted(value), all }, at + 1))
    }

    /// Whether an item fulfils it.
    pub fn holds(&self, lookup: &Lookup, item: &Found<'_>) -> Result<bool, Refused> {
        let found = match item.kind {
            Kind::Json => lookup.get(&item.raw, self.path)?,
            _ if !self.path.is_empty() => return Ok(false),
            kind => Found { kind, raw: item.raw.clone() },
        };
        let Some(word) = self.value.strip_prefix(b"~") else { return self.compare(lookup, &found, &self.value) };
        let sense = match word {
            b"*" => Sense::Exists,
            b"null" => Sense::Null,
            b"true" => Sense::True,
            b"false" => Sense::False,
            _ => return Ok(false),
        };
        let kind = if sense.of(&found) { Kind::True } else { Kind::False };
        self.compare(lookup, &Found { kind, raw: Piece::Part(b"~") }, b"true")
    }

    fn compare(&self, lookup: &Lookup, found: &Found<'_>, value: &[u8]) -> Result<bool, Refused> {
        if !found.exists() || self.op == Op::Exists {
            return Ok(found.exists());
        }
        Ok(match found.kind {
            Kind::Text => {
                let text = found.plain();
                if matches!(self.op, Op::Like | Op::Unlike) {
                    lookup.step(text.len().saturating_mul(value.len()))?;
                    return Ok(pattern::matches(&text, value) == (self.op == Op::Like));
                }
                self.op.allows(Some(text.as_slice().cmp(value)))
            }
            Kind::Number => self.op.allows(float(&found.raw).partial_cmp(&float(value))),
            Kind::True => match self.op {
                Op::Equal => value == b"true",
                Op::Unequal => value != b"true",
                Op::More => value == b"false",
                op => op == Op::AtLeast,
            },
            Kind::False => match self.op {
                Op::Equal => value == b"false",
                Op::Unequal => value != b"false",
                Op::Less => value == b"true",
                op => op == Op::AtMost,
            },
            Kind::Null | Kind::Json => false,
        })
    }
}

/// The operator that a text begins with, and the value after it.
fn split(text: &[u8]) -> (Op, &[u8]) {
    let (op, rest) = match text {
        [b'!'] => (Op::Never, &[][..]),
        [b'!', b'=', rest @ ..] => (Op::Unequal, rest),
        [b'!', b'%', rest @ ..] => (Op::Unlike, rest),
        [b'<', b'=', rest @ ..] => (Op::AtMost, rest),
        [b'>', b'=', rest @ ..] => (Op::AtLeast, rest),
        [b'=', b'=', rest @ ..] | [b'=', rest @ ..] => (Op::Equal, rest),
        [b'<', rest @ ..] => (Op::Less, rest),
        [b'>', rest @ ..] => (Op::More, rest),
        [b'%', rest @ ..] => (Op::Like, rest),
        rest => (Op::Exists, rest),
    };
    (op, rest.trim_ascii())
}

fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(inner) if inner.contains(&b'\\') => Cow::Owned(text::unescaped(inner)),
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(value),
    }
}

impl Op {
    fn allows(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::Unequal => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::AtMost => ordering.is_some_and(Ordering::is_le),
            Self::More => ordering == Some(Ordering::Greater),
            Self::AtLeast => ordering.is_some_and(Ordering::is_ge),
            Self::Exists | Self::Like | Self::Unlike | Self::Never => false,
        }
    }
}

impl Sense {
    fn of(&self, found: &Found<'_>) -> bool {
        match self {
            Self::Exists => found.exists(),
            Self::Null => found.kind == Kind::Null,
            Self::True => truth(found) == Some(true),
            Self::False => truth(found) == Some(false),
        }
    }
}

/// What a value is taken for as a truth value; nothing and null for false.
fn truth(found: &Found<'_>) -> Option<bool> {
    match found.kind {
        Kind::Null | Kind::False => Some(false),
        Kind::True => Some(true),
        Kind::Number => Some(float(&found.raw) != 0.0),
        Kind::Text => match found.plain().to_ascii_lowercase().as_slice() {
            b"1" | b"t" | b"true" => Some(true),
            b"0" | b"f" | b"false" => Some(false),
            _ => None,
        },
        Kind::Json => None,
    }
}

/// What is no number is zero.
pub fn float(digits: &[u8]) -> f64 {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}
