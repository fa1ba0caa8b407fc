//! The first document of a YAML text as a value of JSON's types: all numbers are floats, all keys strings.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::problem;
use super::resolve::{Scalar, resolve};
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::float::format_float;
use crate::funcs::copied;
use crate::value::{Elem, List, Map, Value};

/// The value of a text. The outer error is a limit; the inner one says what is wrong with the text, as Go says it.
pub(crate) fn parse(context: &Context, text: &[u8]) -> Result<Result<Value, Message>, Message> {
    let value = problem::before_parsing(text).map_err(Problem::Text).and_then(|text| {
        let options = granit_parser::options! { emit_comments: false, emit_unresolved_aliases: true };
        let parser = Parser::new_from_str_with_options(text, options);
        Reader { context, text, parser, anchors: HashMap::new() }.document()
    });
    match value {
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
    text: &'r str,
    parser: Parser<'r, StrInput<'r>>,
    anchors: HashMap<usize, Value>,
}

impl<'r> Reader<'r, '_> {
    fn document(&mut self) -> Result<Value, Problem> {
        loop {
            match self.event()? {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => return Ok(Value::Nil),
                event => return self.node(event),
            }
        }
    }

    fn event(&mut self) -> Result<Event<'r>, Problem> {
        self.context.spend(1).map_err(Problem::Limit)?;
        match self.parser.next_event() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(Problem::Text(problem::worded(&error, self.text))),
        }
    }

    fn node(&mut self, event: Event<'r>) -> Result<Value, Problem> {
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).unwrap_or(&Value::Nil);
                return copied(self.context, value).map_err(Problem::Limit);
            }
            Event::UnresolvedAlias(name) => {
                let message = Message::plain("yaml: unknown anchor '").data(name.as_bytes()).text("' referenced");
                return Err(Problem::Text(message));
            }
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, scalar(&text, tag.as_deref(), style == ScalarStyle::Plain)?)
            }
            Event::SequenceStart(_, anchor, _) => {
                let _nested = self.context.nest().map_err(Problem::Limit)?;
                (anchor, self.sequence()?)
            }
            Event::MappingStart(_, anchor, _) => {
                let _nested = self.context.nest().map_err(Problem::Limit)?;
                (anchor, self.mapping()?)
            }
            _ => return Ok(Value::Nil),
        };
        self.context.account(&value).map_err(Problem::Limit)?;
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn sequence(&mut self) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            match self.event()? {
                Event::SequenceEnd | Event::StreamEnd => break,
                event => items.push(self.node(event)?),
            }
        }
        List::new(Elem::Any, items).map(Value::List).map_err(Problem::Limit)
    }

    fn mapping(&mut self) -> Result<Value, Problem> {
        let mut entries: BTreeMap<Bytes, Value> = BTreeMap::new();
        let mut inherited = Vec::new();
        loop {
            let event = self.event()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                break;
            }
            let merges = is_merge(&event);
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
}

fn is_merge(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<")
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

fn scalar(text: &str, tag: Option<&Tag>, plain: bool) -> Result<Value, Problem> {
    let Some(tag) = tag else {
        return if plain { resolved(text) } else { Ok(Value::text(text)) };
    };
    if ["int", "float", "bool", "null"].iter().any(|known| tag.is_yaml_core_schema_tag(known)) {
        return resolved(text);
    }
    if tag.handle() == "tag:yaml.org,2002:" && tag.suffix() == "binary" {
        let kept: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return match STANDARD.decode(kept) {
            Ok(bytes) => Ok(Value::str(bytes)),
            Err(_) => Err(Problem::Text("yaml: !!binary value contains invalid base64 data".into())),
        };
    }
    Ok(Value::text(text))
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
