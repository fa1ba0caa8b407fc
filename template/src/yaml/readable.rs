//! What a text must be before any parser looks at it: UTF-8 of the characters that YAML allows, with directives of YAML 1.1.

use std::borrow::Cow;

use super::problem::{is_word, scanned_at};
use crate::error::Message;
use crate::text::line_ends;

/// What may stand before a text, and means nothing there.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text as the parser takes it, if it is one that YAML allows at all; else the offset of the first wrong byte, and what
/// is wrong.
pub(super) fn readable(text: &[u8]) -> Result<Cow<'_, str>, (usize, Message)> {
    let (text, bad) = match std::str::from_utf8(text) {
        Ok(text) => (text, None),
        Err(error) => {
            let (good, bad) = text.split_at(error.valid_up_to());
            (std::str::from_utf8(good).unwrap_or_default(), Some(bad))
        }
    };
    let is_control = |char: char| {
        matches!(char, '\u{fffe}' | '\u{ffff}') || char.is_control() && !matches!(char, '\t' | '\n' | '\r' | '\u{85}')
    };
    if let Some(at) = text.find(is_control) {
        return Err((at, "yaml: control characters are not allowed".into()));
    }
    if let Some(bad) = bad {
        return Err((text.len(), wrong_bytes(bad).into()));
    }
    // A tab cannot indent, not even the first line.
    let content = text.trim_start_matches([' ', '\n', '\r', BYTE_ORDER_MARK]);
    if content.starts_with('\t') && !content.trim().is_empty() {
        let at = text.len() - content.len();
        return Err((
            at,
            scanned_at(1 + line_ends(&text.as_bytes()[..at]), "found character that cannot start any token"),
        ));
    }
    match wrong_directive(text) {
        Some(problem) => Err((0, problem.into())),
        // The sign for a next line is one of YAML 1.1 only.
        None if text.contains('\u{85}') => Ok(text.replace('\u{85}', "\n").into()),
        None => Ok(text.into()),
    }
}

/// What is wrong with bytes that begin with none of UTF-8.
fn wrong_bytes(bytes: &[u8]) -> &'static str {
    let length = match bytes {
        [0xc0..=0xdf, ..] => 2,
        [0xe0..=0xef, ..] => 3,
        [0xf0..=0xf7, ..] => 4,
        _ => return "yaml: invalid leading UTF-8 octet",
    };
    let Some(bytes) = bytes.get(..length) else { return "yaml: incomplete UTF-8 octet sequence" };
    if !bytes[1..].iter().all(|byte| byte & 0xc0 == 0x80) {
        return "yaml: invalid trailing UTF-8 octet";
    }
    match bytes {
        [0xc0 | 0xc1, ..] | [0xe0, ..=0x9f, ..] | [0xf0, ..=0x8f, ..] => "yaml: invalid length of a UTF-8 sequence",
        _ => "yaml: invalid Unicode character",
    }
}

/// What is wrong with the directives before the first document: only YAML 1.1 and tags are known.
fn wrong_directive(text: &str) -> Option<&'static str> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).peekable();
    if lines.peek().is_some_and(|line| *line == "..." || line.starts_with("... ")) {
        return Some("yaml: did not find expected node content");
    }
    lines.take_while(|line| line.starts_with('%')).find_map(|line| wrong_directive_line(&line[1..]))
}

/// What is wrong with one directive, given without its percent sign.
fn wrong_directive_line(line: &str) -> Option<&'static str> {
    let end = line.find(|char: char| !is_word(char)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return Some("yaml: could not find expected directive name");
    }
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return Some("yaml: found unexpected non-alphabetical character");
    }
    match (name, rest.split_ascii_whitespace().next()) {
        ("YAML", Some("1.1")) | ("TAG", _) => None,
        ("YAML", None) => Some("yaml: did not find expected version number"),
        ("YAML", Some(version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some("yaml: did not find expected digit or '.' character")
        }
        ("YAML", Some(version)) if version.starts_with("1.1.") => {
            Some("yaml: did not find expected comment or line break")
        }
        ("YAML", _) => Some("yaml: found incompatible YAML document"),
        _ => Some("yaml: found unknown directive name"),
    }
}
