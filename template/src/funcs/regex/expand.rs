//! Replacements: `$1`, `${name}`, `$$`.

use super::pattern::{Search, Span};
use crate::category::{is_digit, is_letter};
use crate::text::{lossy, runes};

/// Group numbers have fewer digits than this; a longer one is a name.
const MAX_DIGITS: usize = 9;

/// Appends `replacement` with the groups of one match put in; what is no reference stands for itself.
pub(super) fn expand(out: &mut Vec<u8>, replacement: &[u8], text: &[u8], groups: &[Option<Span>], search: &Search) {
    let mut rest = replacement;
    while let Some(at) = memchr::memchr(b'$', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix(b"$") {
            out.push(b'$');
            rest = tail;
            continue;
        }
        let Some((name, tail)) = reference(rest) else {
            out.push(b'$');
            continue;
        };
        rest = tail;
        let of = |index: usize| groups.get(index).copied().flatten();
        let found = match number(name) {
            Some(index) => of(index),
            None => search.named(&lossy(name)).find_map(of),
        };
        if let Some((start, end)) = found {
            out.extend_from_slice(&text[start..end]);
        }
    }
    out.extend_from_slice(rest);
}

/// The name behind a `$`, with or without braces, and what follows it.
fn reference(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let braced = text.strip_prefix(b"{");
    let body = braced.unwrap_or(text);
    let is_word = |char: char| char == '_' || is_letter(char) || is_digit(char);
    let end = runes(body).find(|(_, rune)| !is_word(rune.char)).map_or(body.len(), |(at, _)| at);
    let (name, tail) = body.split_at(end);
    if name.is_empty() {
        return None;
    }
    match braced {
        Some(_) => Some((name, tail.strip_prefix(b"}")?)),
        None => Some((name, tail)),
    }
}

/// A group number, which has no leading zeros.
fn number(name: &[u8]) -> Option<usize> {
    let is_number = name.iter().all(u8::is_ascii_digit) && name.len() < MAX_DIGITS;
    let is_plain = name.len() == 1 || !name.starts_with(b"0");
    if is_number && is_plain { std::str::from_utf8(name).ok()?.parse().ok() } else { None }
}
