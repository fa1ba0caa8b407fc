//! Values as parts of a text.

use std::{ops::Deref, ops::Range, rc::Rc};

use zeroize::Zeroizing;

use super::{scan, text};
use crate::provider::json::write::plain_float;

/// Part of the document, or of something that a modifier or multipath put together. Cheap to clone.
#[derive(Clone)]
pub enum Piece<'a> {
    Part(&'a [u8]),
    Made(Rc<Zeroizing<Vec<u8>>>, Range<usize>),
}

impl Piece<'_> {
    pub fn made(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self::Made(Rc::new(Zeroizing::new(bytes)), range)
    }

    /// The bytes of `range`, which are cut to what there is.
    pub fn part(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        match self {
            Self::Part(bytes) => Self::Part(bytes.get(start..end).unwrap_or_default()),
            Self::Made(bytes, within) => Self::Made(bytes.clone(), within.start + start..within.start + end),
        }
    }
}

impl<'a> From<&'a [u8]> for Piece<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Part(bytes)
    }
}

impl Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Part(bytes) => bytes,
            Self::Made(bytes, range) => bytes.get(range.clone()).unwrap_or_default(),
        }
    }
}

/// What a value is, by how it begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Null,
    False,
    True,
    Number,
    Text,
    /// An array or object.
    Json,
}

/// A value that a path selected, or nothing.
pub struct Found<'a> {
    pub kind: Kind,
    /// As it is written; for nothing, nothing.
    pub raw: Piece<'a>,
}

impl<'a> Found<'a> {
    pub const fn nothing() -> Self {
        Self { kind: Kind::Null, raw: Piece::Part(&[]) }
    }

    /// The value at the beginning of a text, after white space. An array or object is taken to be all of the rest.
    pub fn of(json: &Piece<'a>) -> Self {
        let Some(start) = json.iter().position(|byte| *byte > b' ') else { return Self::nothing() };
        match scan::kind(json, start) {
            None => Self::nothing(),
            Some(Kind::Json) => Self { kind: Kind::Json, raw: json.part(start..json.len()) },
            Some(kind) => {
                let end = scan::value_end(json, start).unwrap_or(json.len());
                Self { kind, raw: json.part(start..end) }
            }
        }
    }

    pub fn exists(&self) -> bool {
        self.kind != Kind::Null || !self.raw.is_empty()
    }

    /// Text without its quotes and escapes, null as nothing, a fraction as Go writes a float, everything else as it is
    /// written.
    pub fn plain(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self.kind {
            Kind::Null => Vec::new(),
            Kind::False => b"false".to_vec(),
            Kind::True => b"true".to_vec(),
            Kind::Text => text::unquoted(&self.raw),
            Kind::Number => number(&self.raw).into_bytes(),
            Kind::Json => self.raw.to_vec(),
        })
    }
}

fn number(digits: &[u8]) -> String {
    let digits = String::from_utf8_lossy(digits);
    match digits.parse::<f64>() {
        Ok(float) if float.is_nan() => "NaN".to_owned(),
        Ok(_) => plain_float(&digits),
        // In a text that is not JSON.
        Err(_) => "0".to_owned(),
    }
}
