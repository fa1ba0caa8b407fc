//! One value under one verb.

use zeroize::Zeroizing;

use super::Sink;
use super::quote::{can_backquote, quote};
use crate::data::Bytes;
use crate::object::Object;
use crate::semver::Version;
use crate::text::{rune_count, runes};
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

    /// `%!verb(type=value)`
    pub(super) fn bad_verb(&mut self, value: &Value, verb: char) {
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

    pub(super) fn pad(&mut self, text: &[u8]) {
        let fill = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.pad_with(text, fill);
    }

    pub(super) fn pad_with_space(&mut self, text: &[u8]) {
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
