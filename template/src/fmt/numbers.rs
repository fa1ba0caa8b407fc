//! Numbers under the verbs that they know.

use super::Decimal;
use super::float::format_float;
use super::quote::{char_of, quote_char};
use super::verbs::Printer;
use crate::category::is_print;
use crate::text::push_char;
use crate::value::Value;

impl Printer {
    pub(super) fn unsigned(&mut self, value: &Value, number: u64, verb: char) {
        if verb == 'v' && self.flags.source {
            let sharp = std::mem::replace(&mut self.flags.sharp, true);
            self.integer(value, number, false, 'x');
            self.flags.sharp = sharp;
        } else {
            self.integer(value, number, false, verb);
        }
    }

    pub(super) fn integer(&mut self, value: &Value, magnitude: u64, negative: bool, verb: char) {
        let char = if negative { char::REPLACEMENT_CHARACTER } else { char_of(magnitude) };
        match verb {
            'v' | 'd' => self.digits(Decimal::new(magnitude).as_bytes(), "", negative),
            'b' => self.digits(format!("{magnitude:b}").as_bytes(), "0b", negative),
            'o' => {
                let text = format!("{magnitude:o}");
                self.digits(text.as_bytes(), if text.starts_with('0') { "" } else { "0" }, negative);
            }
            'O' => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                let text = format!("{magnitude:o}");
                let leads = sharp && !text.starts_with('0');
                self.digits(text.as_bytes(), if leads { "0o0" } else { "0o" }, negative);
                self.flags.sharp = sharp;
            }
            'x' => self.digits(format!("{magnitude:x}").as_bytes(), "0x", negative),
            'X' => self.digits(format!("{magnitude:X}").as_bytes(), "0X", negative),
            'c' => {
                let mut text = Vec::new();
                push_char(&mut text, char);
                self.pad(&text);
            }
            'q' => {
                let text = quote_char(char, self.flags.plus);
                self.pad(&text);
            }
            'U' => self.code_point(if negative { magnitude.wrapping_neg() } else { magnitude }, char),
            _ => self.bad_verb(value, verb),
        }
    }

    /// Digits with sign, prefix and leading zeros.
    fn digits(&mut self, digits: &[u8], prefix: &str, negative: bool) {
        let mut wanted = 0;
        if let Some(precision) = self.flags.precision {
            if precision == 0 && digits == b"0" {
                return self.sink.fill(b' ', self.flags.width.unwrap_or(0));
            }
            wanted = precision;
        } else if let (true, false, Some(width)) = (self.flags.zero, self.flags.minus, self.flags.width) {
            wanted = width.saturating_sub(usize::from(negative || self.flags.plus || self.flags.space));
        }
        let sign = match (negative, self.flags.plus, self.flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let zeros = wanted.saturating_sub(digits.len());
        // The octal prefix is itself a leading zero, or ends in one.
        let prefix = match prefix {
            _ if !self.flags.sharp => "",
            "0" if zeros > 0 => "",
            "0o0" if zeros > 0 => "0o",
            prefix => prefix,
        };
        let length = sign.len().saturating_add(prefix.len()).saturating_add(zeros).saturating_add(digits.len());
        let missing = self.flags.width.unwrap_or(0).saturating_sub(length);
        self.sink.fill(b' ', if self.flags.minus { 0 } else { missing });
        self.sink.push(sign.as_bytes());
        self.sink.push(prefix.as_bytes());
        self.sink.fill(b'0', zeros);
        self.sink.push(digits);
        self.sink.fill(b' ', if self.flags.minus { missing } else { 0 });
    }

    fn code_point(&mut self, code: u64, char: char) {
        let precision = self.flags.precision.unwrap_or(4).max(4);
        let digits = format!("{code:X}");
        let mut text = format!("U+{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
        if self.flags.sharp && u64::from(u32::from(char)) == code && is_print(char) {
            text.extend([" '", char.encode_utf8(&mut [0; 4]), "'"]);
        }
        self.pad_with_space(text.as_bytes());
    }

    pub(super) fn float(&mut self, value: &Value, number: f64, verb: char) {
        let usual = match verb {
            'v' | 'b' | 'g' | 'G' | 'x' | 'X' => None,
            'e' | 'E' | 'f' | 'F' => Some(6),
            _ => return self.bad_verb(value, verb),
        };
        let precision = self.flags.precision.or(usual);
        let mut text = format_float(number, if verb == 'v' { 'g' } else { verb }, precision);
        if self.flags.sharp && number.is_finite() && verb != 'b' {
            text = with_point(&text, verb, precision);
        }
        let (sign, digits) = match text.split_at_checked(1) {
            Some((sign @ ("-" | "+"), digits)) => (sign, digits),
            _ => ("+", text.as_str()),
        };
        let sign = if sign == "+" && self.flags.space && !self.flags.plus { " " } else { sign };
        if !number.is_finite() {
            let bare = number.is_nan() && !self.flags.space && !self.flags.plus;
            return self.pad_with_space(format!("{}{digits}", if bare { "" } else { sign }).as_bytes());
        }
        if !self.flags.plus && sign == "+" {
            return self.pad(digits.as_bytes());
        }
        let width = self.flags.width.unwrap_or(0);
        if self.flags.zero && !self.flags.minus && width > digits.len() + 1 {
            self.sink.push(sign.as_bytes());
            self.sink.fill(b'0', width - digits.len() - 1);
            return self.sink.push(digits.as_bytes());
        }
        self.pad(format!("{sign}{digits}").as_bytes());
    }

    pub(super) fn complex(&mut self, value: &Value, (real, imaginary): (f64, f64), verb: char) {
        if !matches!(verb, 'v' | 'b' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'x' | 'X') {
            return self.bad_verb(value, verb);
        }
        self.sink.push(b"(");
        self.float(value, real, verb);
        let plus = std::mem::replace(&mut self.flags.plus, true);
        self.float(value, imaginary, verb);
        self.flags.plus = plus;
        self.sink.push(b"i)");
    }
}

/// `%#g` and its like: a decimal point always, and for `g` the zeros that the precision asks for.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let wants_zeros = matches!(verb, 'v' | 'g' | 'G' | 'x' | 'X');
    let marks: &[char] = if matches!(verb, 'x' | 'X') { &['p', 'P'] } else { &['e', 'E'] };
    let exponent = text.find(marks).unwrap_or(text.len());
    let (number, tail) = text.split_at(exponent);
    let mut number = number.to_owned();
    let unsigned = number.trim_start_matches(['-', '+']);
    // A lone zero is a digit, zeros before others are none; the `x` of hexadecimal counts, too.
    let significant = match unsigned {
        "0" => 1,
        text => text.chars().filter(|&char| char != '.').skip_while(|&char| char == '0').count(),
    };
    if !number.contains('.') {
        number.push('.');
    }
    if wants_zeros {
        number.push_str(&"0".repeat(precision.unwrap_or(6).saturating_sub(significant)));
    }
    number + tail
}
