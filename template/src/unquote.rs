//! Go's string and character literals.

use crate::data::Bytes;
use crate::error::Message;
use crate::text::{first_rune, push_char};

/// The bytes that a quoted literal stands for: `"…"` with escapes or `` `…` `` without.
pub(crate) fn unquote(literal: &[u8]) -> Result<Bytes, Message> {
    let invalid = || Message::plain("invalid syntax");
    let (&quote, rest) = literal.split_first().ok_or_else(invalid)?;
    let (&last, mut body) = rest.split_last().ok_or_else(invalid)?;
    if quote != last {
        return Err(invalid());
    }
    match quote {
        // Raw strings lose carriage returns, as in Go source files.
        b'`' if !body.contains(&b'\r') => Ok(body.into()),
        b'`' => Ok(body.iter().copied().filter(|&byte| byte != b'\r').collect::<Vec<u8>>().into()),
        b'"' if body.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte)) => Ok(body.into()),
        b'"' => {
            let mut out = Vec::with_capacity(body.len());
            while !body.is_empty() {
                let (unit, tail) = unquote_char(body, quote).ok_or_else(invalid)?;
                match unit {
                    Unit::Byte(byte) => out.push(byte),
                    Unit::Char(char) => push_char(&mut out, char),
                }
                body = tail;
            }
            Ok(out.into())
        }
        _ => Err(invalid()),
    }
}

/// The number of a character literal such as `'a'`.
pub(crate) fn unquote_char_constant(literal: &[u8]) -> Result<i64, Message> {
    let body = literal.get(1..).unwrap_or_default();
    let (unit, tail) = unquote_char(body, b'\'').ok_or_else(|| Message::plain("invalid syntax"))?;
    if tail != b"'" {
        return Err(Message::plain("malformed character constant: ").source(crate::text::lossy(literal)));
    }
    Ok(match unit {
        Unit::Byte(byte) => i64::from(byte),
        Unit::Char(char) => i64::from(u32::from(char)),
    })
}

/// What one escape or character stands for.
enum Unit {
    Byte(u8),
    Char(char),
}

fn unquote_char(text: &[u8], quote: u8) -> Option<(Unit, &[u8])> {
    let rune = first_rune(text)?;
    let rest = &text[rune.width..];
    if rune.char == char::from(quote) || rune.char == '\n' {
        return None;
    }
    if rune.char != '\\' {
        return Some((Unit::Char(rune.char), rest));
    }
    let (&escape, rest) = rest.split_first()?;
    let simple = match escape {
        b'a' => Some(7),
        b'b' => Some(8),
        b'f' => Some(12),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'v' => Some(11),
        b'\\' => Some(b'\\'),
        b'\'' | b'"' if escape == quote => Some(escape),
        _ => None,
    };
    if let Some(byte) = simple {
        return Some((Unit::Byte(byte), rest));
    }
    match escape {
        b'x' => number(rest, 2, 16).map(|(value, rest)| (Unit::Byte(u8::try_from(value).unwrap_or_default()), rest)),
        b'u' => unicode(rest, 4),
        b'U' => unicode(rest, 8),
        b'0'..=b'7' => {
            let (value, _) = number(&text[1..], 3, 8)?;
            Some((Unit::Byte(u8::try_from(value).ok()?), &text[4..]))
        }
        _ => None,
    }
}

fn unicode(text: &[u8], digits: usize) -> Option<(Unit, &[u8])> {
    let (value, rest) = number(text, digits, 16)?;
    Some((Unit::Char(char::from_u32(value)?), rest))
}

fn number(text: &[u8], digits: usize, radix: u32) -> Option<(u32, &[u8])> {
    let mut value = 0u32;
    for &byte in text.get(..digits)? {
        value = value.checked_mul(radix)?.checked_add(char::from(byte).to_digit(radix)?)?;
    }
    Some((value, &text[digits..]))
}
