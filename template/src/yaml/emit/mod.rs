//! Values as YAML in block style, laid out as libyaml does it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::Message;
use crate::fmt::Sink;
use crate::fmt::float::format_float;
use crate::funcs::json::number_text;
use crate::number::{parse_int, parse_uint};
use crate::text::lossy;
use crate::value::{List, Map, Value};

mod scalar;

use super::order::natural_order;

/// Columns of one level.
const INDENT: usize = 2;
/// Longer keys need a mark of their own.
const SIMPLE_KEY_BYTES: usize = 128;

/// The value as YAML without the last line end; none if JSON, by which the value goes, does not have it.
pub(crate) fn emit(context: &Context, value: &Value) -> Result<Option<Vec<u8>>, Message> {
    let mut emitter =
        Emitter { context, sink: Sink::new(context.value_bytes()), column: 0, blank_line: true, unsupported: false };
    emitter.node(value, Place { indent: None, in_map: false })?;
    if emitter.unsupported {
        return Ok(None);
    }
    Ok(Some(emitter.sink.finish()?))
}

/// Where a node stands.
#[derive(Clone, Copy)]
struct Place {
    /// The column of the collection around it.
    indent: Option<usize>,
    /// It is a value of a map, whose lists are not indented.
    in_map: bool,
}

struct Emitter<'e, 'o> {
    context: &'e Context<'o>,
    sink: Sink,
    column: usize,
    /// Only spaces and marks stand on the line so far.
    blank_line: bool,
    unsupported: bool,
}

impl Emitter<'_, '_> {
    fn node(&mut self, value: &Value, place: Place) -> Result<(), Message> {
        self.context.spend(1)?;
        match value {
            Value::Nil => self.word("null"),
            Value::Bool(value) => self.word(&value.to_string()),
            Value::Int(_, value) => self.word(&value.to_string()),
            Value::Uint(_, value) => self.word(&value.to_string()),
            Value::Float(value) => match number_text(*value) {
                Some(json) => self.word(&number_from_json(&json, *value)),
                None => self.unsupported = true,
            },
            Value::Complex(..) => self.unsupported = true,
            Value::Str(bytes) => {
                let text = Zeroizing::new(lossy(bytes));
                let text = Zeroizing::new(self.through_json(&text));
                self.string(&text, place, false);
            }
            Value::Object(object) => match (object.number(), object.as_map()) {
                (Some(number), _) => self.word(&number.to_string()),
                (_, Some(fields)) => self.map(&fields, place)?,
                (None, None) => match object.json_text() {
                    Ok(Some(text)) => self.string(&text, place, false),
                    Ok(None) => self.word("{}"),
                    Err(_) => self.unsupported = true,
                },
            },
            Value::List(list) if list.is_nil() => self.word("null"),
            Value::Map(map) if map.is_nil() => self.word("null"),
            Value::List(list) if list.bytes().is_some() => {
                let text = Zeroizing::new(STANDARD.encode(Zeroizing::new(list.bytes().unwrap_or_default())));
                self.string(&text, place, false);
            }
            Value::List(list) if list.is_empty() => self.word("[]"),
            Value::List(list) => self.list(list, place)?,
            Value::Map(map) if map.is_empty() => self.word("{}"),
            Value::Map(map) => self.map(map, place)?,
        }
        Ok(())
    }

    /// A string as YAML reads it from JSON, by which the value goes: controls that JSON leaves as they are are refused,
    /// and lines that end in U+0085 are folded.
    fn through_json(&mut self, text: &str) -> String {
        let is_refused = |char| matches!(char, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
        self.unsupported |= text.contains(is_refused);
        let mut lines = text.split('\u{85}');
        let mut out = lines.next().unwrap_or_default().to_owned();
        let mut lines = lines.map(|line| line.trim_start_matches(' ')).peekable();
        while let Some(mut line) = lines.next() {
            let mut more = 0;
            while line.is_empty() && lines.peek().is_some() {
                line = lines.next().unwrap_or_default();
                more += 1;
            }
            out.truncate(out.trim_end_matches(' ').len());
            out.push_str(&if more == 0 { " ".to_owned() } else { "\n".repeat(more) });
            out.push_str(line);
        }
        out
    }

    fn list(&mut self, list: &List, place: Place) -> Result<(), Message> {
        let _nested = self.context.nest()?;
        let indent = match place.indent {
            Some(indent) if place.in_map && !self.blank_line => indent,
            Some(indent) => indent + INDENT,
            None => 0,
        };
        for item in list.items() {
            self.indent(indent);
            self.mark("-");
            self.node(item, Place { indent: Some(indent), in_map: false })?;
        }
        Ok(())
    }

    fn map(&mut self, map: &Map, place: Place) -> Result<(), Message> {
        let _nested = self.context.nest()?;
        let indent = place.indent.map_or(0, |indent| indent + INDENT);
        // A key of JSON may not go on in another line.
        let entries = map.entries();
        self.unsupported |= entries.iter().any(|(key, _)| key.windows(2).any(|bytes| bytes == "\u{85}".as_bytes()));
        let mut entries: Vec<(String, Value)> =
            entries.into_iter().map(|(key, value)| (self.through_json(&lossy(&key)), value)).collect();
        entries.sort_by(|left, right| natural_order(&left.0, &right.0));
        let inside = Place { indent: Some(indent), in_map: true };
        for (key, value) in entries {
            self.indent(indent);
            if key.len() <= SIMPLE_KEY_BYTES && !key.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
                self.string(&key, inside, true);
                self.push(":");
                self.blank_line = false;
            } else {
                self.mark("?");
                self.string(&key, inside, false);
                self.indent(indent);
                self.mark(":");
            }
            self.node(&value, inside)?;
        }
        Ok(())
    }

    /// A scalar that needs no quotes.
    fn word(&mut self, text: &str) {
        self.space();
        self.push(text);
        self.blank_line = false;
    }

    /// A sign behind which a collection may begin on the same line.
    fn mark(&mut self, sign: &str) {
        self.space();
        self.push(sign);
    }

    /// The space between a mark or key and what follows.
    fn space(&mut self) {
        if self.column > 0 && !self.ends_in_space() {
            self.push(" ");
        }
    }

    /// Goes to a column, on a new line unless this one has only marks before it.
    fn indent(&mut self, column: usize) {
        if !self.blank_line || self.column > column || (self.column == column && column > 0 && !self.ends_in_space()) {
            self.line_end();
        }
        let missing = column.saturating_sub(self.column);
        self.sink.fill(b' ', missing);
        self.column = column;
        self.blank_line = true;
    }

    fn line_end(&mut self) {
        self.sink.push(b"\n");
        self.column = 0;
        self.blank_line = true;
    }

    fn push(&mut self, text: &str) {
        self.sink.push(text.as_bytes());
        self.column += text.chars().count();
    }

    fn ends_in_space(&self) -> bool {
        self.sink.last().is_none_or(|byte| matches!(byte, b' ' | b'\n'))
    }
}

/// A number that JSON wrote, read as YAML and written again.
fn number_from_json(json: &str, value: f64) -> String {
    if let Some(int) = parse_int(json.as_bytes(), 10) {
        return int.to_string();
    }
    if let Some(uint) = parse_uint(json.as_bytes(), 10) {
        return uint.to_string();
    }
    format_float(value, 'g', None)
}
