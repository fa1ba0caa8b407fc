//! One value under one verb.

use zeroize::Zeroizing;

use super::float::format_float;
use super::quote::{can_backquote, char_of, quote, quote_char};
use super::{Decimal, Sink};
use crate::category::is_print;
use crate::data::Bytes;
use crate::object::Object;
use crate::semver::Version;
use crate::text::{push_char, rune_count, runes};
use crate::value::{List, Map, UintKind, Value};

/// What stands between `%` and the verb.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of the format language")]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`: fields with their names.
    pub(super) named: bool,
    /// `%#v`: values as Go source.
    pub(super) source: bool,
}

/// Writes values into a [`Sink`].
pub(super) struct Printer {
    pub(super) sink: Sink,
    pub(super) flags: Flags,
    /// Whether a complaint about a verb is being written, in which objects have no text.
    erroring: bool,
}

impl Printer {
    pub(super) fn new(limit: usize) -> Self {
        Self { sink: Sink::new(limit), flags: Flags::default(), erroring: false }
    }

    pub(super) fn print(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'v' | 'T') => self.pad(b"<nil>"),
            (_, 'T') => self.string(value.type_name().as_bytes()),
            // A verb for errors only, whatever the value is made of.
            (Value::List(list), 'w') if list.bytes().is_some() => self.list(list, verb, 0),
            (_, 'w') => self.bad_verb(value, verb),
            _ => self.value(value, verb, 0),
        }
    }

    fn value(&mut self, value: &Value, verb: char, depth: u32) {
        self.sink.check_depth(depth);
        if self.sink.is_full() {
            return;
        }
        match value {
            Value::Nil if depth > 0 && self.flags.source => self.sink.push(b"interface {}(nil)"),
            Value::Nil if depth > 0 => self.sink.push(b"<nil>"),
            Value::Bool(value) if matches!(verb, 't' | 'v') => self.pad(value.to_string().as_bytes()),
            Value::Int(_, number) => self.integer(value, number.unsigned_abs(), *number < 0, verb),
            Value::Uint(_, number) => self.unsigned(value, *number, verb),
            Value::Float(number) => self.float(value, *number, verb),
            Value::Complex(real, imaginary) => self.complex(value, (*real, *imaginary), verb),
            Value::Str(bytes) => self.text(value, bytes, verb),
            Value::List(list) => self.list(list, verb, depth),
            Value::Map(map) => self.map(map, verb, depth),
            Value::Object(object) if object.fields().is_some() => self.fields(object, verb, depth),
            Value::Object(object) => self.object(value, object, verb, depth),
            _ => self.bad_verb(value, verb),
        }
    }

    /// By its text, or by what it is made of where the verb asks for no text.
    fn object(&mut self, value: &Value, object: &Object, verb: char, depth: u32) {
        let has_text = matches!(verb, 'v' | 's' | 'q' | 'x' | 'X') && !self.erroring && !self.flags.source;
        match (object, object.number()) {
            (_, Some(number)) if !has_text => self.integer(value, number.unsigned_abs(), number < 0, verb),
            (Object::Time(time), _) if verb == 'v' && self.flags.source => {
                self.sink.push(time.source().as_bytes());
            }
            // Within a list a pointer is shown as such, and most verbs show none.
            (Object::Version { pointer: true, .. }, _) if !has_text && depth > 0 && !self.erroring => {
                self.bad_verb(value, verb);
            }
            (Object::Version { version, pointer }, _) if !has_text => {
                self.version(version, *pointer, object.type_name(), verb, depth);
            }
            _ => {
                let text: Bytes = object.to_string().into_bytes().into();
                self.text(value, &text, verb);
            }
        }
    }

    fn version(&mut self, version: &Version, pointer: bool, type_name: &str, verb: char, depth: u32) {
        let number = |number: u64| Value::Uint(UintKind::Uint64, number);
        let fields = [
            ("major:", number(version.major)),
            ("minor:", number(version.minor)),
            ("patch:", number(version.patch)),
            ("pre:", Value::text(&version.prerelease)),
            ("metadata:", Value::text(&version.metadata)),
            ("original:", Value::text(&version.original)),
        ];
        let source = self.flags.source;
        self.sink.push(if pointer { b"&" } else { b"" });
        self.sink.push(if source { type_name.trim_start_matches('*').as_bytes() } else { b"" });
        self.sink.push(b"{");
        for (index, (name, field)) in fields.iter().enumerate() {
            if index > 0 {
                self.sink.push(if source { b", " } else { b" " });
            }
            self.sink.push(if source { name.as_bytes() } else { b"" });
            self.value(field, verb, depth + 1);
        }
        self.sink.push(b"}");
    }

    fn list(&mut self, list: &List, verb: char, depth: u32) {
        if let (Some(bytes), 's' | 'q' | 'x' | 'X') = (list.bytes().map(Zeroizing::new), verb) {
            return self.text(&Value::Nil, &bytes, verb);
        }
        // On its own, the type goes by its other name.
        let type_name = if depth == 0 && list.bytes().is_some() { "[]byte" } else { list.type_name() };
        if self.flags.source && list.is_nil() {
            return self.sink.push(format!("{type_name}(nil)").as_bytes());
        }
        let (open, separator, close) =
            if self.flags.source { (format!("{type_name}{{"), ", ", "}") } else { ("[".to_owned(), " ", "]") };
        self.sink.push(open.as_bytes());
        for (index, item) in list.items().iter().enumerate() {
            if self.sink.is_full() {
                return;
            }
            if index > 0 {
                self.sink.push(separator.as_bytes());
            }
            self.value(item, verb, depth + 1);
        }
        self.sink.push(close.as_bytes());
    }

    fn map(&mut self, map: &Map, verb: char, depth: u32) {
        if self.flags.source && map.is_nil() {
            return self.sink.push(format!("{}(nil)", map.type_name()).as_bytes());
        }
        let (open, separator, close) = if self.flags.source {
            (format!("{}{{", map.type_name()), ", ", "}")
        } else {
            ("map[".to_owned(), " ", "]")
        };
        self.sink.push(open.as_bytes());
        for (index, (key, value)) in map.entries().into_iter().enumerate() {
            if self.sink.is_full() {
                return;
            }
            if index > 0 {
                self.sink.push(separator.as_bytes());
            }
            self.value(&Value::Str(key), verb, depth + 1);
            self.sink.push(b":");
            self.value(&value, verb, depth + 1);
        }
        self.sink.push(close.as_bytes());
    }

    /// A struct: the values, and their names for `%+v` and `%#v`.
    fn fields(&mut self, object: &Object, verb: char, depth: u32) {
        let separator = if self.flags.source { ", " } else { " " };
        if self.flags.source {
            self.sink.push(object.type_name().as_bytes());
        }
        self.sink.push(b"{");
        for (index, (name, value)) in object.fields().into_iter().flatten().enumerate() {
            if index > 0 {
                self.sink.push(separator.as_bytes());
            }
            if self.flags.named || self.flags.source {
                self.sink.push(name.as_bytes());
                self.sink.push(b":");
            }
            self.value(&Value::Str(value.clone()), verb, depth + 1);
        }
        self.sink.push(b"}");
    }

    fn text(&mut self, value: &Value, bytes: &[u8], verb: char) {
        match verb {
            'v' if self.flags.source => self.quoted(bytes),
            'v' | 's' => self.string(bytes),
            'q' => self.quoted(bytes),
            'x' | 'X' => self.hexadecimal_text(bytes, verb),
            _ => self.bad_verb(value, verb),
        }
    }

    /// A string, cut to the precision.
    fn string(&mut self, bytes: &[u8]) {
        let cut = self.cut(bytes);
        self.pad(cut);
    }

    fn quoted(&mut self, bytes: &[u8]) {
        let cut = self.cut(bytes);
        let text = Zeroizing::new(if self.flags.sharp && can_backquote(cut) {
            [b"`", cut, b"`"].concat()
        } else {
            quote(cut, self.flags.plus)
        });
        self.pad(&text);
    }

    fn hexadecimal_text(&mut self, bytes: &[u8], verb: char) {
        let bytes = &bytes[..self.flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
        let prefix = if self.flags.sharp { if verb == 'x' { "0x" } else { "0X" } } else { "" };
        let digits = if verb == 'x' { b"0123456789abcdef" } else { b"0123456789ABCDEF" };
        let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() * 3));
        for (index, byte) in bytes.iter().enumerate() {
            if self.flags.space && index > 0 {
                text.push(b' ');
            }
            if index == 0 || self.flags.space {
                text.extend_from_slice(prefix.as_bytes());
            }
            text.extend([byte >> 4, byte & 15].map(|digit| digits[usize::from(digit)]));
        }
        self.pad(&text);
    }

    fn unsigned(&mut self, value: &Value, number: u64, verb: char) {
        if verb == 'v' && self.flags.source {
            let sharp = std::mem::replace(&mut self.flags.sharp, true);
            self.integer(value, number, false, 'x');
            self.flags.sharp = sharp;
        } else {
            self.integer(value, number, false, verb);
        }
    }

    fn integer(&mut self, value: &Value, magnitude: u64, negative: bool, verb: char) {
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

    fn float(&mut self, value: &Value, number: f64, verb: char) {
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

    fn complex(&mut self, value: &Value, (real, imaginary): (f64, f64), verb: char) {
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

    /// `%!verb(type=value)`
    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.sink.push(b"%!");
        self.sink.push(verb.encode_utf8(&mut [0; 4]).as_bytes());
        self.sink.push(b"(");
        if matches!(value, Value::Nil) {
            self.sink.push(b"<nil>");
        } else {
            self.sink.push(value.type_name().as_bytes());
            self.sink.push(b"=");
            let before = std::mem::replace(&mut self.erroring, true);
            self.value(value, 'v', 0);
            self.erroring = before;
        }
        self.sink.push(b")");
    }

    fn cut<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(precision) = self.flags.precision else { return bytes };
        runes(bytes).nth(precision).map_or(bytes, |(at, _)| &bytes[..at])
    }

    fn pad(&mut self, text: &[u8]) {
        let fill = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.pad_with(text, fill);
    }

    fn pad_with_space(&mut self, text: &[u8]) {
        self.pad_with(text, b' ');
    }

    fn pad_with(&mut self, text: &[u8], fill: u8) {
        let missing = self.flags.width.map_or(0, |width| width.saturating_sub(rune_count(text)));
        if self.flags.minus {
            self.sink.push(text);
            self.sink.fill(fill, missing);
        } else {
            self.sink.fill(fill, missing);
            self.sink.push(text);
        }
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
