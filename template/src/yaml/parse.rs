//! The first document of a YAML text as a value of JSON's types: all numbers are floats, all keys strings.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libyaml_safer::{Event, EventData, Parser, ScalarStyle};

use super::resolve::{Scalar, resolve};
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::float::format_float;
use crate::funcs::copied;
use crate::value::{Elem, List, Map, Value};

/// The value of a text. The outer error is a limit; the inner one says what is wrong with the text, as Go says it.
pub(crate) fn parse(context: &Context, text: &[u8]) -> Result<Result<Value, Message>, Message> {
    let mut parser = Parser::new();
    parser.set_input(text);
    let mut reader = Reader { context, parser, anchors: HashMap::new() };
    match reader.document() {
        Ok(value) => Ok(Ok(value)),
        Err(Problem::Limit(message)) => Err(message),
        Err(Problem::Text(message)) => {
            let mut whole = Message::plain("error converting YAML to JSON: ");
            whole.append(&message);
            Ok(Err(whole))
        }
    }
}

enum Problem {
    Text(Message),
    Limit(Message),
}

struct Reader<'r, 'o> {
    context: &'r Context<'o>,
    parser: Parser<&'r [u8]>,
    anchors: HashMap<String, Value>,
}

impl Reader<'_, '_> {
    fn document(&mut self) -> Result<Value, Problem> {
        loop {
            let event = self.event()?;
            match event.data {
                EventData::StreamStart { .. } | EventData::DocumentStart { .. } => {}
                EventData::StreamEnd | EventData::DocumentEnd { .. } => return Ok(Value::Nil),
                _ => return self.node(event),
            }
        }
    }

    fn event(&mut self) -> Result<Event, Problem> {
        self.context.spend(1).map_err(Problem::Limit)?;
        self.parser.parse().map_err(|error| Problem::Text(worded(&error)))
    }

    fn node(&mut self, event: Event) -> Result<Value, Problem> {
        match event.data {
            EventData::Alias { anchor } => match self.anchors.get(&anchor) {
                Some(value) => copied(self.context, value).map_err(Problem::Limit),
                None => Err(Problem::Text(Message::plain("yaml: unknown anchor '").data(anchor).text("' referenced"))),
            },
            EventData::Scalar { anchor, tag, value, style, plain_implicit, .. } => {
                let plain = style == ScalarStyle::Plain && plain_implicit;
                let value = scalar(&value, tag.as_deref(), plain)?;
                self.context.account(&value).map_err(Problem::Limit)?;
                Ok(self.anchored(anchor, value))
            }
            EventData::SequenceStart { anchor, .. } => {
                let _nested = self.context.nest().map_err(Problem::Limit)?;
                let mut items = Vec::new();
                loop {
                    let event = self.event()?;
                    if matches!(event.data, EventData::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event)?);
                }
                let value = Value::List(List::new(Elem::Any, items).map_err(Problem::Limit)?);
                self.context.account(&value).map_err(Problem::Limit)?;
                Ok(self.anchored(anchor, value))
            }
            EventData::MappingStart { anchor, .. } => {
                let _nested = self.context.nest().map_err(Problem::Limit)?;
                let value = self.mapping()?;
                self.context.account(&value).map_err(Problem::Limit)?;
                Ok(self.anchored(anchor, value))
            }
            _ => Ok(Value::Nil),
        }
    }

    fn mapping(&mut self) -> Result<Value, Problem> {
        let mut entries: BTreeMap<Bytes, Value> = BTreeMap::new();
        let mut inherited = Vec::new();
        loop {
            let event = self.event()?;
            if matches!(event.data, EventData::MappingEnd) {
                break;
            }
            let merges = is_merge(&event.data);
            let key = self.node(event)?;
            let event = self.event()?;
            let value = self.node(event)?;
            if merges {
                inherited.extend(sources(value)?);
            } else {
                entries.insert(key_text(&key)?, value);
            }
        }
        // Own keys win over merged ones, and earlier sources over later ones.
        for (key, value) in inherited.into_iter().flat_map(|map| map.entries()) {
            entries.entry(key).or_insert(value);
        }
        Map::new(entries).map(Value::Map).map_err(Problem::Limit)
    }

    fn anchored(&mut self, anchor: Option<String>, value: Value) -> Value {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, value.clone());
        }
        value
    }
}

fn is_merge(event: &EventData) -> bool {
    matches!(event, EventData::Scalar { value, tag: None, style: ScalarStyle::Plain, .. } if value == "<<")
}

/// The maps that `<<` merges.
fn sources(value: Value) -> Result<Vec<Map>, Problem> {
    let wrong = || Problem::Text("yaml: map merge requires map or sequence of maps as the value".into());
    match value {
        Value::Map(map) => Ok(vec![map]),
        Value::List(list) => list
            .items()
            .iter()
            .map(|item| match item {
                Value::Map(map) => Ok(map.clone()),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

fn scalar(text: &str, tag: Option<&str>, plain: bool) -> Result<Value, Problem> {
    match tag {
        None | Some("!") if !plain => Ok(Value::text(text)),
        Some("tag:yaml.org,2002:binary") => {
            let kept: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            match STANDARD.decode(kept) {
                Ok(bytes) => Ok(Value::str(bytes)),
                Err(_) => Err(Problem::Text("yaml: !!binary value contains invalid base64 data".into())),
            }
        }
        None
        | Some(
            "tag:yaml.org,2002:int" | "tag:yaml.org,2002:float" | "tag:yaml.org,2002:bool" | "tag:yaml.org,2002:null",
        ) => resolved(text),
        Some(_) => Ok(Value::text(text)),
    }
}

fn resolved(text: &str) -> Result<Value, Problem> {
    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are floats, and Go rounds the same way")]
    Ok(match resolve(text) {
        Scalar::Null => Value::Nil,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Int(value) => Value::Float(value as f64),
        Scalar::Uint(value) => Value::Float(value as f64),
        Scalar::Float(value) if value.is_finite() => Value::Float(value),
        Scalar::Float(value) => {
            let text = format_float(value, 'g', None);
            return Err(Problem::Text(format!("json: unsupported value: {text}").into()));
        }
        Scalar::Timestamp | Scalar::Merge | Scalar::Str => Value::text(text),
    })
}

fn key_text(key: &Value) -> Result<Bytes, Problem> {
    match key {
        Value::Str(bytes) => Ok(bytes.clone()),
        Value::Bool(value) => Ok(value.to_string().into_bytes().into()),
        Value::Float(value) => {
            let text = crate::funcs::json::number_text(*value).unwrap_or_default();
            Ok(text.into_bytes().into())
        }
        other => Err(Problem::Text(format!("unsupported map key of type: {}", other.type_name()).into())),
    }
}

/// The library's problem with the line that Go counts.
fn worded(error: &libyaml_safer::Error) -> Message {
    use libyaml_safer::ErrorKind;
    let scanning = u64::from(error.kind() == ErrorKind::Scanner);
    let marks = match error.kind() {
        ErrorKind::Scanner | ErrorKind::Parser => [error.context_mark(), error.problem_mark()],
        _ => [None, None],
    };
    let line = marks.into_iter().flatten().map(|mark| mark.line).find(|&line| line != 0);
    let place = line.map_or_else(String::new, |line| format!("line {}: ", line + scanning));
    Message::plain(format!("yaml: {place}{}", error.problem()))
}
