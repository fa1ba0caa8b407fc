//! What a plain scalar of YAML 1.1 means.

use crate::number::{parse_float, parse_int, parse_uint};

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

/// Whether text keeps its meaning without quotes.
pub(super) fn is_plain_string(text: &str) -> bool {
    resolve(text) == Scalar::Str && !is_base_60(text)
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

/// `2020-1-2`, alone or with a time behind `T`, `t` or a space.
fn is_timestamp(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let is_date = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        let in_range = |part: &str, end: u32| {
            (1..=2).contains(&part.len()) && part.parse::<u32>().is_ok_and(|number| (1..=end).contains(&number))
        };
        matches!(parts.as_slice(), [year, month, day]
            if year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()) && in_range(month, 12) && in_range(day, 31))
    };
    is_date(date) && time.is_none_or(is_time)
}

fn is_time(text: &str) -> bool {
    let end = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let parts: Vec<&str> = clock.split(':').collect();
    let in_range =
        |part: &str, end: u32| (1..=2).contains(&part.len()) && part.parse::<u32>().is_ok_and(|number| number < end);
    let [hour, minute, second] = parts.as_slice() else { return false };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let clock_fits = in_range(hour, 24)
        && in_range(minute, 60)
        && in_range(second, 60)
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    clock_fits && (zone.is_empty() || zone == "Z" || zone.len() == 6 && zone.as_bytes()[3] == b':')
}
