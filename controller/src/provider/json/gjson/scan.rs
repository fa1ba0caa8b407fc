//! Finding where values begin and end in a text that may not be JSON.

use std::ops::Range;

use super::piece::Kind;

/// The next key at or after a position, or the end of the object.
pub enum Key {
    /// With its quotes.
    Is(Range<usize>),
    /// The position after the closing brace.
    End(usize),
    /// The text ends here.
    Broken,
}

pub fn key(json: &[u8], from: usize) -> Key {
    let rest = json.get(from..).unwrap_or_default();
    let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'}')).map(|at| from + at) else {
        return Key::Broken;
    };
    if json.get(at) == Some(&b'}') {
        return Key::End(at + 1);
    }
    match string_end(json, at) {
        Some(end) => Key::Is(at..end),
        None => Key::Broken,
    }
}

/// Where the next value begins, at or after a position.
pub fn value_start(json: &[u8], from: usize) -> Option<usize> {
    let rest = json.get(from..)?;
    rest.iter().position(|byte| begins_value(*byte)).map(|at| from + at)
}

/// Where the next value of an array begins. `Err`: where the array ends.
pub fn item_start(json: &[u8], from: usize) -> Result<usize, usize> {
    let rest = json.get(from..).unwrap_or_default();
    match rest.iter().position(|byte| *byte == b']' || begins_value(*byte)).map(|at| from + at) {
        Some(at) if json.get(at) == Some(&b']') => Err(at + 1),
        Some(at) => Ok(at),
        None => Err(json.len()),
    }
}

const fn begins_value(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'[' | b't' | b'f' | b'n' | b'+' | b'-' | b'0'..=b'9' | b'i' | b'I' | b'N')
}

/// What the value that begins at a position is. `None`: no value begins there.
pub fn kind(json: &[u8], at: usize) -> Option<Kind> {
    Some(match json.get(at)? {
        b'"' => Kind::Text,
        b'{' | b'[' => Kind::Json,
        b't' => Kind::True,
        b'f' => Kind::False,
        b'n' if json.get(at + 1).is_none_or(|next| *next == b'u') => Kind::Null,
        b'n' | b'+' | b'-' | b'0'..=b'9' | b'i' | b'I' | b'N' => Kind::Number,
        _ => return None,
    })
}

/// Where the value that begins at a position ends. `None`: it is a text without an end.
pub fn value_end(json: &[u8], at: usize) -> Option<usize> {
    match kind(json, at)? {
        Kind::Text => string_end(json, at),
        Kind::Json => Some(group_end(json, at)),
        Kind::Number => Some(end_where(json, at, |byte| matches!(byte, b'\0'..=b' ' | b',' | b']' | b'}'))),
        Kind::Null | Kind::True | Kind::False => Some(end_where(json, at, |byte| !byte.is_ascii_lowercase())),
    }
}

fn end_where(json: &[u8], at: usize, ends: impl Fn(u8) -> bool) -> usize {
    let rest = json.get(at + 1..).unwrap_or_default();
    at + 1 + rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len())
}

/// After the closing quote of the text whose opening quote is at a position.
pub fn string_end(json: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// After the bracket that closes the one at a position, whatever its shape; the end of the text if none does, and beyond
/// it if the text ends within a text.
pub fn group_end(json: &[u8], at: usize) -> usize {
    let (mut at, mut depth) = (at + 1, 1_usize);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let Some(end) = string_end(json, at) else { return json.len() + 1 };
                at = end;
                continue;
            }
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    json.len()
}

/// The members of the object that a text begins with, and of whatever follows it.
pub fn members(json: &[u8]) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let mut at = 1;
    std::iter::from_fn(move || {
        let key = loop {
            match key(json, at) {
                Key::Is(key) => break key,
                Key::End(after) => at = after,
                Key::Broken => return None,
            }
        };
        let value = value(json, key.end)?;
        at = value.end;
        Some((key, value))
    })
}

/// The items of the array that a text begins with, and whatever follows it.
pub fn items(json: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 1;
    std::iter::from_fn(move || {
        let value = value(json, at)?;
        at = value.end;
        Some(value)
    })
}

/// The next value at or after a position.
fn value(json: &[u8], from: usize) -> Option<Range<usize>> {
    let start = value_start(json, from)?;
    Some(start..value_end(json, start)?)
}
