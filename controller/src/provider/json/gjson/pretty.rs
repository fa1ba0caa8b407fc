//! `@pretty`: a value with line breaks and indentation.

use super::{
    Lookup, MAX_NESTING, Refused,
    modifiers::{is_true, option},
    piece::{Found, Kind, Piece},
    query, scan, text,
};

/// Columns up to which an array without objects is written in one line, unless the argument says otherwise.
const WIDTH: f64 = 80.0;

/// Columns left below which no array is tried in one line.
const LEAST: usize = 3;

pub struct Options {
    sort_keys: bool,
    indent: Vec<u8>,
    prefix: Vec<u8>,
    width: usize,
}

impl Options {
    pub fn new(argument: &[u8]) -> Self {
        let blanks = |name: &[u8]| {
            let blanks = option(argument, name).map(|value| value.plain());
            blanks.map(|text| text.iter().copied().filter(u8::is_ascii_whitespace).collect())
        };
        let width = option(argument, b"width").map_or(WIDTH, |value| query::float(&value.plain()));
        // Saturates, and is zero for what is below zero or no number.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "meant")]
        let width = width as usize;
        Self {
            sort_keys: option(argument, b"sortKeys").is_some_and(|value| is_true(&value)),
            indent: blanks(b"indent").unwrap_or_else(|| b"  ".to_vec()),
            prefix: blanks(b"prefix").unwrap_or_default(),
            width,
        }
    }
}

/// The value with every member and item in a line of its own, and short arrays in one.
pub fn pretty(lookup: &Lookup, json: &Piece<'_>, options: &Options) -> Result<Vec<u8>, Refused> {
    let mut writer = Writer { lookup, options, out: Vec::new(), line: 0 };
    let value = Found::of(json);
    if value.exists() {
        let end = scan::value_end(&value.raw, 0).unwrap_or(value.raw.len());
        writer.value(&Found { kind: value.kind, raw: value.raw.part(0..end) }, 0)?;
        writer.push(b"\n")?;
    }
    Ok(writer.out)
}

struct Writer<'w> {
    lookup: &'w Lookup,
    options: &'w Options,
    out: Vec<u8>,
    /// Where the line begins.
    line: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Found<'_>, depth: usize) -> Result<(), Refused> {
        self.lookup.step(value.raw.len())?;
        if value.kind != Kind::Json {
            return self.push(&value.raw);
        }
        let lookup = self.lookup;
        lookup.nested(|| {
            if value.raw.first() == Some(&b'{') { self.object(value, depth) } else { self.array(value, depth) }
        })
    }

    fn object(&mut self, value: &Found<'_>, depth: usize) -> Result<(), Refused> {
        let mut members: Vec<_> = scan::members(&value.raw).collect();
        if self.options.sort_keys {
            members.sort_by_cached_key(|(key, member)| {
                let member = value.raw.part(member.clone());
                (text::unquoted(&value.raw.part(key.clone())), rank(&member), member.to_vec())
            });
        }
        self.push(b"{")?;
        for (index, (key, member)) in members.iter().enumerate() {
            self.next_line(index, depth + 1)?;
            self.push(&value.raw.part(key.clone()))?;
            self.push(b": ")?;
            self.value(&Found::of(&value.raw.part(member.clone())), depth + 1)?;
        }
        self.end(!members.is_empty(), depth)?;
        self.push(b"}")
    }

    fn array(&mut self, value: &Found<'_>, depth: usize) -> Result<(), Refused> {
        let left = self.options.width.saturating_sub(self.out.len() - self.line);
        if left > LEAST {
            let mut line = Vec::new();
            if self.one_line(value, &mut line, left, 0)? && line.len() <= left {
                return self.push(&line);
            }
        }
        self.push(b"[")?;
        let mut any = false;
        for (index, item) in scan::items(&value.raw).enumerate() {
            self.next_line(index, depth + 1)?;
            self.value(&Found::of(&value.raw.part(item)), depth + 1)?;
            any = true;
        }
        self.end(any, depth)?;
        self.push(b"]")
    }

    /// Writes an array in one line. `false`: it holds an object, is longer than `most`, or nested too deeply.
    fn one_line(&self, value: &Found<'_>, out: &mut Vec<u8>, most: usize, depth: usize) -> Result<bool, Refused> {
        self.lookup.step(value.raw.len())?;
        out.push(b'[');
        for (index, item) in scan::items(&value.raw).enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            let item = Found::of(&value.raw.part(item));
            match (item.kind, item.raw.first()) {
                (Kind::Json, Some(b'{')) => return Ok(false),
                (Kind::Json, _) if depth < MAX_NESTING && self.one_line(&item, out, most, depth + 1)? => {}
                (Kind::Json, _) => return Ok(false),
                _ => out.extend_from_slice(&item.raw),
            }
            if out.len() > most {
                return Ok(false);
            }
        }
        out.push(b']');
        Ok(true)
    }

    fn next_line(&mut self, index: usize, depth: usize) -> Result<(), Refused> {
        if index > 0 {
            self.push(b",")?;
        }
        self.line_break(depth)
    }

    fn end(&mut self, any: bool, depth: usize) -> Result<(), Refused> {
        if any { self.line_break(depth) } else { Ok(()) }
    }

    fn line_break(&mut self, depth: usize) -> Result<(), Refused> {
        self.line = self.out.len();
        self.push(b"\n")?;
        self.push(&self.options.prefix)?;
        for _ in 0..depth {
            self.push(&self.options.indent)?;
        }
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.lookup.make(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

/// The order of values of equal keys.
fn rank(value: &[u8]) -> Option<usize> {
    let order = [Kind::Null, Kind::False, Kind::Number, Kind::Text, Kind::True, Kind::Json];
    let kind = scan::kind(value, 0)?;
    order.iter().position(|other| *other == kind)
}
