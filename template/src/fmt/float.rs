//! Floats in Go's formats.

/// More digits than any float has; the standard library formats no more than this is asked for, the rest are zeros.
const MAX_DIGITS: usize = 1_100;

/// A float of fewer digits than these is written with all of them.
const LEAST_DIGITS_OF_A_TIE: usize = 15;

/// A float by one of the verbs `e E f F g G b x X`; `precision` absent means as many digits as identify the number.
pub(crate) fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    let sign = if value.is_sign_negative() && !value.is_nan() { "-" } else { "" };
    let magnitude = value.abs();
    let text = match verb {
        _ if value.is_nan() => "NaN".to_owned(),
        // Go always gives infinity a sign.
        _ if value.is_infinite() => return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() },
        'e' => exponential(magnitude, precision),
        'f' | 'F' => fixed(magnitude, precision),
        'b' => binary(magnitude),
        'x' => hexadecimal(magnitude, precision),
        'E' | 'X' => format_float(magnitude, verb.to_ascii_lowercase(), precision).to_uppercase(),
        'G' => general(magnitude, precision).to_uppercase(),
        _ => general(magnitude, precision),
    };
    format!("{sign}{text}")
}

/// The shortest decimal digits that identify the number, and the place of the decimal point before them.
pub(crate) fn shortest(magnitude: f64) -> (String, i32) {
    let (digits, point) = split(&format!("{magnitude:e}"));
    if digits.len() >= LEAST_DIGITS_OF_A_TIE {
        // Where two texts of that length are equally near, Go takes the even one, as rounding does.
        let rounded = format!("{:.*e}", digits.len() - 1, magnitude);
        if rounded.parse() == Ok(magnitude) {
            return split(&rounded);
        }
    }
    (digits, point)
}

/// `%v` and `%g`: exponential when the exponent is small or large.
fn general(magnitude: f64, precision: Option<usize>) -> String {
    let (digits, point) = match precision {
        None => shortest(magnitude),
        Some(precision) => split(&format!("{:.*e}", precision.clamp(1, MAX_DIGITS) - 1, magnitude)),
    };
    let significant = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let threshold = match precision.map(|precision| i32::try_from(precision.max(1)).unwrap_or(i32::MAX)) {
        None => 6,
        Some(precision) if precision > significant && significant >= point => significant,
        Some(precision) => precision,
    };
    let exponent = point - 1;
    if exponent < -4 || exponent >= threshold {
        return exponential_digits(&digits, exponent, digits.len() - 1);
    }
    fixed_digits(&digits, point)
}

fn exponential(magnitude: f64, precision: Option<usize>) -> String {
    match precision {
        None => {
            let (digits, point) = shortest(magnitude);
            let exponent = if magnitude == 0.0 { 0 } else { point - 1 };
            exponential_digits(&digits, exponent, digits.len() - 1)
        }
        Some(precision) => {
            let text = format!("{:.*e}", precision.min(MAX_DIGITS), magnitude);
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let digits: String = mantissa.chars().filter(|&char| char != '.').collect();
            exponential_digits(&digits, exponent.parse().unwrap_or(0), precision)
        }
    }
}

fn exponential_digits(digits: &str, exponent: i32, precision: usize) -> String {
    let (first, rest) = digits.split_at(1);
    let mut text = first.to_owned();
    if precision > 0 {
        text.push('.');
        text.push_str(rest);
        text.extend(std::iter::repeat_n('0', precision.saturating_sub(rest.len())));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    text + &format!("e{sign}{:02}", exponent.unsigned_abs())
}

fn fixed(magnitude: f64, precision: Option<usize>) -> String {
    match precision {
        None => {
            let (digits, point) = shortest(magnitude);
            fixed_digits(&digits, point)
        }
        Some(precision) => {
            let mut text = format!("{:.*}", precision.min(MAX_DIGITS), magnitude);
            text.extend(std::iter::repeat_n('0', precision.saturating_sub(MAX_DIGITS)));
            text
        }
    }
}

/// Digits with the decimal point at its place and no superfluous zeros.
pub(crate) fn fixed_digits(digits: &str, point: i32) -> String {
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if point <= 0 {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or_default());
        return if digits == "0" { "0".to_owned() } else { format!("0.{zeros}{digits}") };
    }
    if point >= length {
        return format!("{digits}{}", "0".repeat(usize::try_from(point - length).unwrap_or_default()));
    }
    let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or_default());
    format!("{whole}.{fraction}")
}

/// `1.25e2` as digits without trailing zeros and the place of the point.
fn split(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let digits: String = mantissa.chars().filter(|&char| char != '.').collect();
    let trimmed = digits.trim_end_matches('0');
    if trimmed.is_empty() {
        return ("0".to_owned(), 1);
    }
    (trimmed.to_owned(), exponent.parse::<i32>().unwrap_or(0) + 1)
}

/// Mantissa and binary exponent of a finite float, the mantissa as an integer.
fn parts(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or_default();
    let fraction = bits & ((1 << 52) - 1);
    if exponent == 0 { (fraction, -1074) } else { (fraction | (1 << 52), exponent - 1075) }
}

fn binary(magnitude: f64) -> String {
    let (mantissa, exponent) = parts(magnitude);
    format!("{mantissa}p{exponent:+}")
}

/// `0x1.8p+01`
fn hexadecimal(magnitude: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(magnitude);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // One bit before the point and 60 behind it, which leaves room to round.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent = exponent - i32::try_from(shift).unwrap_or_default() + 60;
    }
    if let Some(precision) = precision.filter(|&precision| precision < 15) {
        let cut = 60 - 4 * u32::try_from(precision).unwrap_or_default();
        let (rest, half) = (mantissa & ((1 << cut) - 1), 1u64 << (cut - 1));
        mantissa >>= cut;
        mantissa += u64::from(rest > half || (rest == half && mantissa & 1 == 1));
        mantissa <<= cut;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(precision) => fraction.chars().chain(std::iter::repeat('0')).take(precision).collect(),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{fraction}p{sign}{:02}", mantissa >> 60, exponent.unsigned_abs())
}
