//! What a plain scalar of YAML 1.1 means.

use crate::number::{parse_float, parse_int, parse_uint};
use crate::time::parse as parse_time;

/// The meaning of a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A date: text to us, but quoted when written.
    Timestamp,
    /// `<<`
    Merge,
    Str,
}

/// Resolves a plain scalar.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        "<<" => return Scalar::Merge,
        _ => {}
    }
    if !text.starts_with(|char: char| char.is_ascii_digit() || matches!(char, '+' | '-' | '.')) {
        return Scalar::Str;
    }
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    // What begins with a point is taken as it is; elsewhere underscores mean nothing.
    if text.starts_with('.') {
        return parse_float(text.as_bytes()).map_or(Scalar::Str, Scalar::Float);
    }
    let plain: String = text.chars().filter(|&char| char != '_').collect();
    if let Some(int) = parse_int(plain.as_bytes(), 0) {
        return Scalar::Int(int);
    }
    if let Some(uint) = parse_uint(plain.as_bytes(), 0) {
        return Scalar::Uint(uint);
    }
    match parse_float(plain.as_bytes()).filter(|_| is_float(&plain)) {
        Some(float) => Scalar::Float(float),
        None => Scalar::Str,
    }
}

/// Whether text is written without quotes. Go writes `<<` so, too, although it means something else when it is read again.
pub(super) fn is_plain_string(text: &str) -> bool {
    matches!(resolve(text), Scalar::Str | Scalar::Merge) && !is_base_60(text)
}

/// `-1.5e3`, `.5` or `1.`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

/// `12:30:45`, a number to base 60 in older YAML.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let is_first = first.starts_with(|char: char| char.is_ascii_digit())
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let is_minute = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    let Some((last, before)) = rest.split_last() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let is_fraction = fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    is_first && before.iter().all(|part| is_minute(part)) && is_minute(last) && is_fraction
}

/// `2020-1-2`, alone or with a time of day, as Go reads them.
fn is_timestamp(text: &str) -> bool {
    if !may_be_timestamp(text) {
        return false;
    }
    // The sign that parts the time from the day tells the layout.
    let layout: &[u8] = match text.bytes().find(|byte| matches!(byte, b'T' | b't' | b' ')) {
        Some(b'T') => b"2006-1-2T15:4:5.999999999Z07:00",
        Some(b't') => b"2006-1-2t15:4:5.999999999Z07:00",
        Some(_) => b"2006-1-2 15:4:5.999999999",
        None => b"2006-1-2",
    };
    parse_time(layout, text.as_bytes()).is_ok()
}

/// Whether text begins as dates do; to look at the rest takes long.
pub(super) fn may_be_timestamp(text: &str) -> bool {
    text.as_bytes()
        .split_at_checked(4)
        .is_some_and(|(year, behind)| year.iter().all(u8::is_ascii_digit) && behind.starts_with(b"-"))
}
