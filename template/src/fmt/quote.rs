//! Go's quoting of strings and characters.

use crate::bytes::Buffer;
use crate::category::is_print;
use crate::text::{REPLACEMENT, push_char, runes};

/// A string in double quotes with escapes, as messages show it.
pub(crate) fn quoted_text(bytes: &[u8]) -> String {
    crate::text::lossy(&quote(bytes, false))
}

/// A string in double quotes; `ascii` escapes everything else.
pub(crate) fn quote(bytes: &[u8], ascii: bool) -> Vec<u8> {
    let mut out = Buffer::with_capacity(bytes.len() + 2);
    out.push(b'"');
    for (at, rune) in runes(bytes) {
        if rune.valid {
            escape(&mut out, rune.char, '"', ascii);
        } else {
            out.extend_from_slice(format!("\\x{:02x}", bytes[at]).as_bytes());
        }
    }
    out.push(b'"');
    out.finish()
}

/// A character in single quotes.
pub(crate) fn quote_char(char: char, ascii: bool) -> Vec<u8> {
    let mut out = Buffer::default();
    out.push(b'\'');
    escape(&mut out, char, '\'', ascii);
    out.push(b'\'');
    out.finish()
}

/// Whether a string can stand between back quotes.
pub(crate) fn can_backquote(bytes: &[u8]) -> bool {
    runes(bytes).all(|(_, rune)| {
        rune.valid
            && rune.char != '\u{feff}'
            && rune.char != '`'
            && rune.char != '\u{7f}'
            && (rune.char >= ' ' || rune.char == '\t')
    })
}

fn escape(out: &mut Buffer, char: char, quote: char, ascii: bool) {
    if char == quote || char == '\\' {
        out.push(b'\\');
        return push_char(out, char);
    }
    if (char.is_ascii() || !ascii) && is_print(char) {
        return push_char(out, char);
    }
    let text = match char {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        char if char < ' ' || char == '\u{7f}' => format!("\\x{:02x}", u32::from(char)),
        char if u32::from(char) < 0x1_0000 => format!("\\u{:04x}", u32::from(char)),
        char => format!("\\U{:08x}", u32::from(char)),
    };
    out.extend_from_slice(text.as_bytes());
}

/// A code point as a character, or the replacement where it is none.
pub(crate) fn char_of(code: u64) -> char {
    u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(REPLACEMENT)
}
