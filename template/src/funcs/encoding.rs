//! Base 64, base 32, hexadecimal and checksums. Bad input to a decoder gives the error text as the result, as sprig has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use super::Type::Str;
use super::{Function, doc};
use crate::category::is_print;
use crate::value::Value;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "b64enc",
        &[Str],
        Str,
        doc(
            "Base 64 of the bytes, with padding, in one line.",
            r#"Basic {{ printf "%s:%s" .user .port | b64enc }}"#,
            "Basic YXBwOjU0MzI=",
        ),
        |_, args| Ok(Value::str(STANDARD.encode(args.str(0)))),
    ),
    Function::new(
        "b64dec",
        &[Str],
        Str,
        doc(
            "The bytes that base 64 stands for; line ends in it are ignored. **Bad input gives the error text as \
             the result** and does not fail.",
            "{{ b64dec .encoded }}",
            "hunter2",
        ),
        |_, args| Ok(Value::str(base64_decoded(args.str(0)).unwrap_or_else(String::into_bytes))),
    ),
    Function::new(
        "b32enc",
        &[Str],
        Str,
        doc("Base 32 of the bytes, with padding.", "{{ b32enc .user }}", "MFYHA==="),
        |_, args| Ok(Value::str(base32_encoded(args.str(0)))),
    ),
    Function::new(
        "b32dec",
        &[Str],
        Str,
        doc(
            "The bytes that base 32 stands for. **Bad input gives the error text as the result.**",
            r#"{{ b32dec "MFYHA===" }}"#,
            "app",
        ),
        |_, args| Ok(Value::str(base32_decoded(args.str(0)).unwrap_or_else(String::into_bytes))),
    ),
    Function::new(
        "hexdec",
        &[Str],
        Str,
        doc(
            "The bytes that hexadecimal digits stand for; `printf \"%x\"` is the other way. **Bad input gives the \
             error text as the result.**",
            r#"{{ hexdec "68756e74657232" }}"#,
            "hunter2",
        ),
        |_, args| Ok(Value::str(hex_decoded(args.str(0)).unwrap_or_else(String::into_bytes))),
    ),
    Function::new(
        "sha1sum",
        &[Str],
        Str,
        doc(
            "SHA-1 of the bytes in hexadecimal. No protection against anybody who wants two texts with one sum: use \
             `sha256sum`.",
            "{{ sha1sum .user }}",
            "7d1043473d55bfa90e8530d35801d4e381bc69f0",
        ),
        |_, args| Ok(Value::text(&hex(super::crypto::sha1(args.str(0)).as_ref()))),
    ),
    Function::new(
        "sha256sum",
        &[Str],
        Str,
        doc(
            "SHA-256 of the bytes in hexadecimal.",
            "{{ sha256sum .user }}",
            "a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333",
        ),
        |_, args| Ok(Value::text(&hex(&sha2::Sha256::digest(args.str(0))))),
    ),
    Function::new(
        "sha512sum",
        &[Str],
        Str,
        doc("SHA-512 of the bytes in hexadecimal.", "{{ sha512sum .user | trunc 16 }}", "f43f799324a27fbd"),
        |_, args| Ok(Value::text(&hex(&sha2::Sha512::digest(args.str(0))))),
    ),
    Function::new(
        "adler32sum",
        &[Str],
        Str,
        doc(
            "Adler-32 of the bytes in decimal. No protection against anybody: use `sha256sum`.",
            "{{ adler32sum .user }}",
            "41288002",
        ),
        |_, args| Ok(Value::text(&adler32(args.str(0)).to_string())),
    ),
];

/// Standard base 64 with padding, line ends ignored; the error names the offset, as Go does.
pub(crate) fn base64_decoded(text: &[u8]) -> Result<Vec<u8>, String> {
    let bad = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let is_break = |byte: u8| matches!(byte, b'\r' | b'\n');
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        at += 1;
        if is_break(byte) {
            continue;
        }
        if byte == b'=' {
            // Padding ends the text: one or two, completing a group of four.
            let missing = 4 - plain.len() % 4;
            if missing > 2 {
                return bad(at - 1);
            }
            let mut padding = 1;
            while at < text.len() && (is_break(text[at]) || (text[at] == b'=' && padding < missing)) {
                padding += usize::from(text[at] == b'=');
                at += 1;
            }
            if padding < missing {
                return bad(if at < text.len() { at - 1 } else { text.len() });
            }
            if at < text.len() {
                return bad(at);
            }
            plain.resize(plain.len() + missing, b'=');
            break;
        }
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')) {
            return bad(at - 1);
        }
        plain.push(byte);
    }
    if plain.len() % 4 != 0 {
        return bad(text.len() - plain.len() % 4);
    }
    LENIENT.decode(&plain).or_else(|_| bad(text.len()))
}

/// Bits behind the last byte may be anything, as in Go.
const LENIENT: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

fn base32_encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().div_ceil(5) * 8);
    for chunk in text.chunks(5) {
        let group = chunk.iter().fold(0u64, |group, &byte| (group << 8) | u64::from(byte)) << (8 * (5 - chunk.len()));
        let digits = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = usize::try_from((group >> (35 - 5 * index)) & 31).unwrap_or_default();
            out.push(if index < digits { BASE32[digit] } else { b'=' });
        }
    }
    out
}

/// Standard base 32 with padding, line ends ignored. The error names an offset in the text without its line ends, and
/// what follows a padded group is not looked at, both as in Go.
fn base32_decoded(text: &[u8]) -> Result<Vec<u8>, String> {
    let plain: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let bad = |at: usize| Err(format!("illegal base32 data at input byte {at}"));
    let mut out = Vec::with_capacity(plain.len() * 5 / 8);
    let mut begin = 0;
    while begin < plain.len() {
        let chunk = &plain[begin..(begin + 8).min(plain.len())];
        let mut group = 0u64;
        let mut digits = 0;
        for (index, &byte) in chunk.iter().enumerate() {
            let rest = plain.len() - begin - index - 1;
            if byte == b'=' && index >= 2 && rest < 8 {
                break;
            }
            let Some(digit) = BASE32.iter().position(|&known| known == byte) else { return bad(begin + index) };
            group = (group << 5) | u64::try_from(digit).unwrap_or_default();
            digits += 1;
        }
        if digits == chunk.len() && digits < 8 {
            return bad(begin);
        }
        if digits < 8 {
            if chunk.len() < 8 {
                return bad(plain.len());
            }
            if let Some(other) = chunk[digits..].iter().position(|&byte| byte != b'=') {
                return bad(begin + digits + other - 1);
            }
            if matches!(digits, 3 | 6) {
                return bad(begin + digits);
            }
        }
        group <<= 5 * (8 - digits);
        out.extend_from_slice(&group.to_be_bytes()[3..3 + digits * 5 / 8]);
        if digits < 8 {
            break;
        }
        begin += 8;
    }
    Ok(out)
}

fn hex_decoded(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len() / 2);
    for pair in text.chunks(2) {
        let mut byte = 0;
        for &digit in pair {
            let char = char::from(digit);
            let Some(value) = char.to_digit(16) else {
                let shown = if is_print(char) { format!(" '{char}'") } else { String::new() };
                return Err(format!("encoding/hex: invalid byte: U+{digit:04X}{shown}"));
            };
            byte = byte * 16 + u8::try_from(value).unwrap_or_default();
        }
        if pair.len() == 2 {
            out.push(byte);
        }
    }
    if text.len() % 2 == 1 { Err("encoding/hex: odd length hex string".to_owned()) } else { Ok(out) }
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

fn adler32(text: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut low, mut high) = (1u32, 0u32);
    for &byte in text {
        low = (low + u32::from(byte)) % MODULUS;
        high = (high + low) % MODULUS;
    }
    (high << 16) | low
}
