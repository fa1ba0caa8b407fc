//! Reading numbers the way Go's strconv does.

/// A signed integer; base 0 takes the base from the prefix and allows `_` between digits.
pub(crate) fn parse_int(text: &[u8], base: u32) -> Option<i64> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let magnitude = parse_uint(digits, base)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// As [`parse_int`] with a base, but 0 for what is no number, and the nearest number for what is too large or too small,
/// whatever follows where it becomes so.
pub(crate) fn parse_int_or_limit(text: &[u8], base: u32) -> i64 {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let known = digits.iter().take_while(|&&byte| char::from(byte).is_digit(base)).count();
    let magnitude = if known == 0 { Some(0) } else { parse_uint(&digits[..known], base) };
    let value = match magnitude {
        Some(_) if known < digits.len() => Some(0),
        Some(magnitude) if text.starts_with(b"-") => 0i64.checked_sub_unsigned(magnitude),
        Some(magnitude) => i64::try_from(magnitude).ok(),
        None => None,
    };
    value.unwrap_or(if text.starts_with(b"-") { i64::MIN } else { i64::MAX })
}

/// An unsigned integer without sign; base 0 as in [`parse_int`].
pub(crate) fn parse_uint(text: &[u8], base: u32) -> Option<u64> {
    if base != 0 {
        return digits(text.iter().copied(), base);
    }
    let (base, prefix) = match text {
        [b'0', b'x' | b'X', ..] => (16, 2),
        [b'0', b'o' | b'O', ..] => (8, 2),
        [b'0', b'b' | b'B', ..] => (2, 2),
        [b'0', _, ..] => (8, 1),
        _ => (10, 0),
    };
    if !underscores_ok(text, prefix) {
        return None;
    }
    digits(text[prefix..].iter().copied().filter(|&byte| byte != b'_'), base)
}

/// A float; `_` may stand between digits.
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    if text.contains(&b'_') {
        let plain: Vec<u8> = text.iter().copied().filter(|&byte| byte != b'_').collect();
        return if separates_digits(text) { parse_float(&plain) } else { None };
    }
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1 {
        return None;
    }
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let value = hexadecimal(digits)?;
        return Some(if text.starts_with('-') { -value } else { value });
    }
    let named = ["inf", "infinity", "nan"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    let value: f64 = text.parse().ok()?;
    (value.is_finite() || named).then_some(value)
}

/// The number that the digits make, if there are any and nothing else.
fn digits(mut text: impl Iterator<Item = u8>, base: u32) -> Option<u64> {
    let digit = |byte: u8| char::from(byte).to_digit(base).map(u64::from);
    let first = digit(text.next()?)?;
    text.try_fold(first, |value, byte| value.checked_mul(u64::from(base))?.checked_add(digit(byte)?))
}

/// Whether each underscore of a float stands between digits, of which the prefix is one.
fn separates_digits(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let is_hex = unsigned.len() > 1 && unsigned[0] == b'0' && matches!(unsigned[1], b'x' | b'X');
    let is_digit = |byte: u8| if is_hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    let body = if is_hex { &unsigned[2..] } else { unsigned };
    let mut before = if is_hex { b'0' } else { b'!' };
    for &byte in body {
        let separates = byte == b'_';
        if separates && before != b'0' || before == b'_' && !is_digit(byte) {
            return false;
        }
        before = match byte {
            b'_' => b'_',
            byte if is_digit(byte) => b'0',
            _ => b'!',
        };
    }
    before != b'_'
}

/// Underscores stand between digits or between prefix and digit, and only where there is a prefix or base 0.
fn underscores_ok(text: &[u8], prefix: usize) -> bool {
    if !text.contains(&b'_') {
        return true;
    }
    let mut before = if prefix == 0 { b'x' } else { b'0' };
    let body = if prefix == 1 { text } else { &text[prefix..] };
    if prefix == 1 {
        before = b'x';
    }
    for &byte in body {
        let fits = match byte {
            b'_' => before.is_ascii_hexdigit(),
            _ => true,
        };
        if !fits {
            return false;
        }
        before = if byte == b'_' { b'_' } else { b'0' };
    }
    before != b'_'
}

/// `1.8p3` without its `0x`; the exponent is required, as in Go.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(shift)?;
    let value = value * 2f64.powi(exponent.clamp(-2000, 2000));
    value.is_finite().then_some(value)
}
