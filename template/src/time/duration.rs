//! Go's durations: nanoseconds in 64 bits.

use crate::error::Message;
use crate::number::parse_uint;

/// The largest magnitude of a duration, that of the least one.
const LARGEST: u64 = 1 << 63;

/// Units and their nanoseconds, a name before those it begins with.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Nanoseconds of a text such as `1h30m` or `-1.5s`.
pub(crate) fn parse_duration(text: &[u8]) -> Result<i64, Message> {
    let invalid = || Message::plain("time: invalid duration ").data(quoted(text));
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let (whole, behind) = split(rest, u8::is_ascii_digit);
        let (fraction, behind) = match behind.strip_prefix(b".") {
            Some(tail) => split(tail, u8::is_ascii_digit),
            None => (&[][..], behind),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let whole = if whole.is_empty() { Some(0) } else { parse_uint(whole, 10) };
        let whole = whole.filter(|&whole| whole <= LARGEST).ok_or_else(invalid)?;
        let (unit, behind) = split(behind, |byte| *byte != b'.' && !byte.is_ascii_digit());
        if unit.is_empty() {
            return Err(Message::plain("time: missing unit in duration ").data(quoted(text)));
        }
        let Some((_, unit)) = UNITS.iter().find(|(name, _)| name.as_bytes() == unit) else {
            let message = Message::plain("time: unknown unit ").data(quoted(unit));
            return Err(message.text(" in duration ").data(quoted(text)));
        };
        let value = whole.checked_mul(*unit).and_then(|value| value.checked_add(part(fraction, *unit)));
        let value = value.filter(|&value| value <= LARGEST).ok_or_else(invalid)?;
        // Two of the largest make nothing: Go's sum wraps around.
        total = Some(total.wrapping_add(value)).filter(|&total| total <= LARGEST).ok_or_else(invalid)?;
        rest = behind;
    }
    let signed = if negative { 0i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
    signed.ok_or_else(invalid)
}

/// The bytes at the start that belong, and the others.
fn split(text: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| belongs(byte)).count())
}

/// A decimal fraction of a unit, cut; Go computes it with floats and stops reading where 64 bits are full.
fn part(fraction: &[u8], unit: u64) -> u64 {
    let (mut value, mut scale) = (0u64, 1.0);
    for digit in fraction {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0')));
        let Some(next) = next.filter(|&next| next <= LARGEST) else { break };
        value = next;
        scale *= 10.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "Go rounds the same way")]
    let nanoseconds = value as f64 * (unit as f64 / scale);
    u64::try_from(crate::cast::truncate(nanoseconds)).unwrap_or_default()
}

/// A text in quotes as errors of Go's package time show it.
pub(crate) fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..b' ' | 0x80.. => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            byte => out.push(byte),
        }
    }
    out.push(b'"');
    out
}

/// Nanoseconds as Go writes them: `1h1m1.5s`, `1.5ms`, `0s`.
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let text = match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{total}ns"),
        1_000..1_000_000 => decimal(total, 1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(total, 1_000_000, "ms"),
        _ => {
            let seconds = decimal(total % 60_000_000_000, 1_000_000_000, "s");
            let minutes = total / 60_000_000_000;
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

fn decimal(value: u64, unit: u64, name: &str) -> String {
    let width = usize::try_from(unit.ilog10()).unwrap_or_default();
    let fraction = format!("{:0width$}", value % unit);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}{name}", value / unit)
}
