//! Values as JSON, byte for byte as Go writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::bytes::Buffer;
use crate::context::Context;
use crate::error::Message;
use crate::fmt::Sink;
use crate::fmt::float::{fixed_digits, format_float, shortest};
use crate::text::runes;
use crate::value::Value;

/// How JSON is laid out.
#[derive(Clone, Copy)]
pub(super) struct Style {
    html_safe: bool,
    indented: bool,
}

impl Style {
    pub(super) const COMPACT: Self = Self { html_safe: true, indented: false };
    pub(super) const PRETTY: Self = Self { html_safe: true, indented: true };
    pub(super) const RAW: Self = Self { html_safe: false, indented: false };
}

/// The value as JSON. The outer error is a limit; the inner one is a value that JSON does not have.
pub(super) fn encode(context: &Context, value: &Value, style: Style) -> Result<Result<Vec<u8>, Message>, Message> {
    let mut encoder = Encoder { sink: Sink::new(context.value_bytes()), style, unsupported: None };
    encoder.value(value, 0);
    let bytes = encoder.sink.finish()?;
    Ok(encoder.unsupported.map_or(Ok(bytes), Err))
}

struct Encoder {
    sink: Sink,
    style: Style,
    unsupported: Option<Message>,
}

impl Encoder {
    fn value(&mut self, value: &Value, depth: u32) {
        self.sink.check_depth(depth);
        if self.sink.is_full() {
            return;
        }
        match value {
            Value::Nil => self.sink.push(b"null"),
            Value::Bool(value) => self.sink.push(value.to_string().as_bytes()),
            Value::Int(_, value) => self.sink.push(value.to_string().as_bytes()),
            Value::Uint(_, value) => self.sink.push(value.to_string().as_bytes()),
            Value::Float(value) => self.float(*value),
            Value::Complex(..) => self.unsupported = Some("json: unsupported type: complex128".into()),
            Value::Str(bytes) => self.string(bytes),
            Value::Object(object) => match (object.number(), object.as_map()) {
                (Some(number), _) => self.sink.push(number.to_string().as_bytes()),
                (_, Some(fields)) => self.value(&Value::Map(fields), depth),
                (None, None) => match object.json_text() {
                    Ok(Some(text)) => self.string(text.as_bytes()),
                    Ok(None) => self.sink.push(b"{}"),
                    Err(problem) => {
                        let start = Message::plain("json: error calling MarshalJSON for type ");
                        self.unsupported = Some(start.words(object.type_name()).text(": ").words(problem));
                    }
                },
            },
            Value::List(list) if list.is_nil() => self.sink.push(b"null"),
            Value::Map(map) if map.is_nil() => self.sink.push(b"null"),
            Value::List(list) if list.bytes().is_some() => {
                self.string(STANDARD.encode(Zeroizing::new(list.bytes().unwrap_or_default())).as_bytes());
            }
            Value::List(list) => {
                self.sink.push(b"[");
                for (index, item) in list.items().iter().enumerate() {
                    if self.sink.is_full() {
                        return;
                    }
                    self.separator(index, depth + 1);
                    self.value(item, depth + 1);
                }
                self.close(b"]", list.is_empty(), depth);
            }
            Value::Map(map) => {
                self.sink.push(b"{");
                for (index, (key, value)) in map.entries().into_iter().enumerate() {
                    if self.sink.is_full() {
                        return;
                    }
                    self.separator(index, depth + 1);
                    self.string(&key);
                    self.sink.push(if self.style.indented { b": " } else { b":" });
                    self.value(&value, depth + 1);
                }
                self.close(b"}", map.is_empty(), depth);
            }
        }
    }

    fn separator(&mut self, index: usize, depth: u32) {
        if index > 0 {
            self.sink.push(b",");
        }
        self.line(depth);
    }

    fn close(&mut self, bracket: &[u8], is_empty: bool, depth: u32) {
        if !is_empty {
            self.line(depth);
        }
        self.sink.push(bracket);
    }

    fn line(&mut self, depth: u32) {
        if self.style.indented {
            self.sink.push(b"\n");
            self.sink.fill(b' ', usize::try_from(depth).unwrap_or_default() * 2);
        }
    }

    fn float(&mut self, value: f64) {
        if let Some(text) = number(value) {
            self.sink.push(text.as_bytes());
        } else {
            let text = format_float(value, 'g', None);
            self.unsupported = Some(Message::plain("json: unsupported value: ").data(text));
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        let mut out = Buffer::with_capacity(bytes.len() + 2);
        out.push(b'"');
        for (at, rune) in runes(bytes) {
            if !self.sink.fits(out.len()) {
                break;
            }
            let escaped = match rune.char {
                _ if !rune.valid => "\\ufffd".to_owned(),
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\u{8}' => "\\b".to_owned(),
                '\u{c}' => "\\f".to_owned(),
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' => "\\t".to_owned(),
                char @ ('<' | '>' | '&') if self.style.html_safe => format!("\\u{:04x}", u32::from(char)),
                char if char < ' ' || matches!(char, '\u{2028}' | '\u{2029}') => format!("\\u{:04x}", u32::from(char)),
                _ => {
                    out.extend_from_slice(&bytes[at..at + rune.width]);
                    continue;
                }
            };
            out.extend_from_slice(escaped.as_bytes());
        }
        out.push(b'"');
        self.sink.push(&out);
    }
}

/// A float as JSON has it: plain from 1e-6 to below 1e21, and none if it is not finite.
pub(crate) fn number(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format_float(value, 'e', None);
        // One digit of exponent is enough for negative ones.
        return Some(match text.split_once("e-0") {
            Some((mantissa, digit)) => format!("{mantissa}e-{digit}"),
            None => text,
        });
    }
    let (digits, point) = shortest(magnitude);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    Some(format!("{sign}{}", fixed_digits(&digits, point)))
}
