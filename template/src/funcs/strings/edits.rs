//! One text made of another.

use crate::bytes::Buffer;
use crate::context::Context;
use crate::error::Message;
use crate::text::{find, first_rune, last_rune, line_ends, push_char, runes};

/// The text without the characters at both ends that are trimmed.
pub(super) fn trim_both(mut text: &[u8], trims: impl Fn(char) -> bool) -> &[u8] {
    while let Some(rune) = first_rune(text).filter(|rune| trims(rune.char)) {
        text = &text[rune.width..];
    }
    while let Some(rune) = last_rune(text).filter(|rune| trims(rune.char)) {
        text = &text[..text.len() - rune.width];
    }
    text
}

/// The text with `new` for every `old`.
pub(super) fn replace(context: &Context, text: &[u8], old: &[u8], new: &[u8]) -> Result<Buffer, Message> {
    let mut out = Buffer::default();
    if old.is_empty() {
        // An empty text stands before every character and at the end.
        context.check_bytes(text.len().saturating_add(new.len().saturating_mul(text.len() + 1)))?;
        out.extend_from_slice(new);
        for (at, rune) in runes(text) {
            out.extend_from_slice(&text[at..at + rune.width]);
            out.extend_from_slice(new);
        }
        return Ok(out);
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        context.spend(1)?;
        context.check_bytes(out.len() + at + new.len())?;
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// The first bytes of a text, or for a negative count the last.
pub(super) fn truncated(text: &[u8], count: i64) -> &[u8] {
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    match (count < 0, text.len().checked_sub(size)) {
        (true, Some(start)) => &text[start..],
        (false, Some(_)) => &text[..size],
        (_, None) => text,
    }
}

/// goutils' Abbreviate, on bytes: keeps `width` bytes from about `offset`, with `...` where something is cut.
pub(super) fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const DOTS: &[u8] = b"...";
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if width < 4 || (offset > 0 && width < 7) {
        return text.to_vec();
    }
    if length <= width {
        return text.to_vec();
    }
    let part = |from: i64, to: i64| {
        let clamp = |at: i64| usize::try_from(at).unwrap_or(0).min(text.len());
        &text[clamp(from).min(clamp(to))..clamp(to)]
    };
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return [part(0, width - 3), DOTS].concat();
    }
    if offset + width - 3 < length {
        // The middle: an ellipsis before, and one behind unless the end is in sight.
        let rest = part(offset, length);
        let kept = width - 3;
        let tail = if i64::try_from(rest.len()).unwrap_or(i64::MAX) <= kept {
            rest.to_vec()
        } else {
            [part(offset, offset + kept - 3), DOTS].concat()
        };
        return [DOTS, &tail].concat();
    }
    [DOTS, part(length - (width - 3), length)].concat()
}

/// Takes each byte for a character, as goutils does: half of a no-break space is a space to it, the other half a Â. A
/// text without space stays what it is.
pub(super) fn without_space(text: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| char::from(*byte).is_whitespace();
    if !text.iter().any(is_space) {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    for byte in text.iter().filter(|byte| !is_space(byte)) {
        push_char(&mut out, char::from(*byte));
    }
    out
}

/// The text with spaces before every line.
pub(super) fn indent(context: &Context, spaces: i64, text: &[u8]) -> Result<Buffer, Message> {
    let Ok(spaces) = usize::try_from(spaces) else { return Err("strings: negative Repeat count".into()) };
    let lines = 1 + line_ends(text);
    context.check_bytes(text.len().saturating_add(lines.saturating_mul(spaces)))?;
    let pad = b" ".repeat(spaces);
    let mut out = Buffer::with_capacity(text.len() + lines * spaces);
    out.extend_from_slice(&pad);
    for &byte in text {
        out.push(byte);
        if byte == b'\n' {
            out.extend_from_slice(&pad);
        }
    }
    Ok(out)
}
