//! Writing JSON as Go's `json.Marshal` does.

use std::{collections::BTreeMap, fmt::Write};

use super::{Json, Numbers};

/// What differs between the places where the Go operator writes JSON.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub numbers: Numbers,
    /// Escapes `<`, `>` and `&`.
    pub for_html: bool,
}

pub(super) fn value(out: &mut String, value: &Json, style: Style) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(digits) if style.numbers == Numbers::AsFloats => out.push_str(&marshalled_float(digits)),
        Json::Number(digits) => out.push_str(digits),
        Json::Text(text) => string(out, text, style),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                self::value(out, item, style);
            }
            out.push(']');
        }
        Json::Object(members) => object(out, members, style),
    }
}

pub(super) fn object(out: &mut String, members: &BTreeMap<String, Json>, style: Style) {
    out.push('{');
    for (index, (name, member)) in members.iter().enumerate() {
        separate(out, index);
        string(out, name, style);
        out.push(':');
        value(out, member, style);
    }
    out.push('}');
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn string(out: &mut String, text: &str, style: Style) {
    out.push('"');
    text.chars().for_each(|c| escape(out, c, style.for_html));
    out.push('"');
}

/// A character of a text. What JavaScript gives a meaning is always escaped, what HTML does on demand.
pub(super) fn escape(out: &mut String, c: char, for_html: bool) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '<' | '>' | '&' if !for_html => out.push(c),
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..' ' => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// A number as Go's `strconv.FormatFloat(f, 'f', -1, 64)` prints it. Whole numbers keep their digits, and so does what
/// no float can hold.
pub(super) fn plain_float(digits: &str) -> String {
    match as_float(digits) {
        Some(float) => format!("{float}"),
        None => digits.to_owned(),
    }
}

/// A number as `json.Marshal` prints a float: with an exponent when it is very small or very large.
fn marshalled_float(digits: &str) -> String {
    match as_float(digits) {
        Some(float) if float != 0.0 && !(1e-6..1e21).contains(&float.abs()) => {
            let text = format!("{float:e}");
            match text.split_once('e') {
                Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
                _ => text,
            }
        }
        _ => plain_float(digits),
    }
}

fn as_float(digits: &str) -> Option<f64> {
    let is_whole = digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if is_whole { None } else { digits.parse().ok().filter(|float: &f64| float.is_finite()) }
}
