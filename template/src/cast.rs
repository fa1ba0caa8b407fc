//! Numbers out of any value, as the Go library cast finds them.

use crate::number::{parse_float, parse_int};
use crate::value::Value;

/// An integer: text in any base that Go writes, fractions cut; 0 for what is no number.
pub(crate) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Bool(value) => i64::from(*value),
        Value::Int(_, value) => *value,
        Value::Uint(_, value) => value.cast_signed(),
        Value::Float(value) => truncate(*value),
        Value::Str(text) => text_to_int(text).unwrap_or(0),
        Value::Object(object) => object.number().unwrap_or(0),
        _ => 0,
    }
}

/// A float; 0 for what is no number.
pub(crate) fn to_float(value: &Value) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "Go rounds the same way")]
    match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Int(_, value) => *value as f64,
        Value::Uint(_, value) => *value as f64,
        Value::Float(value) => *value,
        Value::Str(text) => parse_float(text).unwrap_or(0.0),
        Value::Object(object) => object.number().map_or(0.0, |number| number as f64),
        _ => 0.0,
    }
}

/// A float cut to an integer; what is too large becomes the least integer, as on amd64.
pub(crate) fn truncate(value: f64) -> i64 {
    // Exactly 2^63, the first value out of range.
    const END: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "cutting is the purpose, and the range is checked")]
    if (-END..END).contains(&value) { value as i64 } else { i64::MIN }
}

fn text_to_int(text: &[u8]) -> Option<i64> {
    let cut = text.iter().position(|&byte| byte == b'.').filter(|_| is_decimal(text)).unwrap_or(text.len());
    let whole = &text[..cut];
    if cut < text.len() && matches!(whole, b"" | b"-" | b"+") {
        return Some(0);
    }
    parse_int(whole, 0)
}

/// Digits with a fraction: only then is the fraction cut.
fn is_decimal(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let mut parts = unsigned.split(|&byte| byte == b'.');
    let is_number = |part: Option<&[u8]>| part.is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    is_number(parts.next()) && is_number(parts.next()) && parts.next().is_none()
}
