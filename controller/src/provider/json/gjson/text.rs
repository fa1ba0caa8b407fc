//! Text with and without quotes and escapes.

use zeroize::Zeroizing;

use super::super::write::escape;

/// A text without its quotes and escapes. One that is cut short, or has an escape that is none, ends there.
pub fn unquoted(raw: &[u8]) -> Vec<u8> {
    let inner = raw.strip_prefix(b"\"").unwrap_or(raw);
    let closed = super::scan::string_end(raw, 0).is_some_and(|end| end == raw.len());
    let inner = if closed { inner.strip_suffix(b"\"").unwrap_or(inner) } else { inner };
    unescaped(inner)
}

/// The same for what stands between the quotes.
pub fn unescaped(inner: &[u8]) -> Vec<u8> {
    if !inner.contains(&b'\\') {
        return inner.to_vec();
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    loop {
        rest = match rest {
            [b'\\', b'u', after @ ..] => {
                let Some((c, after)) = code_point(after) else { return out };
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            [b'\\', escaped, after @ ..] => {
                out.push(match escaped {
                    b'"' | b'\\' | b'/' => *escaped,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    _ => return out,
                });
                after
            }
            [] | [b'\\' | 0..b' ', ..] => return out,
            [byte, after @ ..] => {
                out.push(*byte);
                after
            }
        };
    }
}

/// The code point after `\u`, which may be written as two halves. Half of one alone becomes U+FFFD.
fn code_point(text: &[u8]) -> Option<(char, &[u8])> {
    let (first, rest) = hex(text)?;
    let whole = |first: u32, second: u32| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
    if (0xd800..0xe000).contains(&first) {
        let second = rest.strip_prefix(b"\\u").and_then(hex);
        return Some(match second {
            Some((second, rest)) if first < 0xdc00 && (0xdc00..0xe000).contains(&second) => {
                (whole(first, second).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
            }
            Some((_, rest)) => (char::REPLACEMENT_CHARACTER, rest),
            None => (char::REPLACEMENT_CHARACTER, rest),
        });
    }
    Some((char::from_u32(first)?, rest))
}

fn hex(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u32::from_str_radix(digits, 16).unwrap_or_default(), rest))
}

/// Writes bytes as a JSON text. What is not UTF-8 becomes U+FFFD; what HTML or JavaScript gives a meaning is escaped.
pub fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() + 2));
    text.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| escape(&mut text, c, true));
        for _ in chunk.invalid() {
            text.push_str("\\ufffd");
        }
    }
    text.push('"');
    out.extend_from_slice(text.as_bytes());
}
