//! The first document of a YAML text as a value: of JSON's types, so that all numbers are floats, or with exact numbers.
//!
//! Keys are strings either way.

use std::borrow::Cow;
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
use crate::fmt::go_syntax;
use crate::funcs::copied;
use crate::value::{Elem, List, Map, UintKind, Value};

/// The value of a text. The outer error is a limit; the inner one says what is wrong with the text, as Go says it.
pub(crate) fn parse(context: &Context, text: &[u8]) -> Result<Result<Value, Message>, Message> {
    let value = problem::before_parsing(text)
        .map_err(|(_, message)| Problem::Syntax(message))
        .and_then(|text| Reader::new(context, text, Numbers::Json).document());
    match value {
        Ok(value) => Ok(Ok(value)),
        Err(Problem::Limit(message)) => Err(message),
        Err(Problem::Syntax(message) | Problem::Meaning(message)) => {
            let mut whole = Message::plain("error converting YAML to JSON: ");
            whole.append(&message);
            Ok(Err(whole))
        }
    }
}

/// Why there is no value.
pub(super) enum Problem {
    /// The text is not YAML.
    Syntax(Message),
    /// The text is YAML, but stands for nothing.
    Meaning(Message),
    /// The budget is used up.
    Limit(Message),
}

/// What numbers become.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Finite floats, the only numbers of JSON.
    Json,
    /// Integers where they are written so, and floats of any kind.
    Exact,
}

/// A collection that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) is_map: bool,
    /// Whether it is written in `[…]` or `{…}`.
    pub(super) in_brackets: bool,
}

/// Bytes of a value in an error text.
const MOST_SHOWN: usize = 64 << 10;
/// What the parser takes for an event, in steps.
const STEPS_PER_EVENT: usize = 6;

/// Turns the events of a parser into values.
pub(super) struct Reader<'r, 'o> {
    context: &'r Context<'o>,
    text: &'r str,
    numbers: Numbers,
    parser: Parser<'r, StrInput<'r>>,
    anchors: HashMap<usize, Value>,
    line: usize,
    /// Characters of the text.
    length: usize,
    /// Characters before the last event.
    start: usize,
    /// Columns before the last event, which are the indentation of a block scalar.
    indent: usize,
    /// Whether the last event ends where the text does.
    is_last: bool,
    /// The collections around the next event, from outside in.
    open: Vec<Open>,
}

impl<'r, 'o> Reader<'r, 'o> {
    pub(super) fn new(context: &'r Context<'o>, text: &'r str, numbers: Numbers) -> Self {
        let options = granit_parser::options! { emit_comments: false, emit_unresolved_aliases: true };
        let parser = Parser::new_from_str_with_options(text, options);
        Self {
            context,
            text,
            numbers,
            parser,
            anchors: HashMap::new(),
            line: 1,
            length: text.chars().count(),
            start: 0,
            indent: 0,
            is_last: false,
            open: Vec::new(),
        }
    }

    /// The line of the last event or mistake, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    fn document(&mut self) -> Result<Value, Problem> {
        match self.first()? {
            Some(event) => self.node(event),
            None => Ok(Value::Nil),
        }
    }

    /// The event that opens the content of the first document, if it has any.
    pub(super) fn first(&mut self) -> Result<Option<Event<'r>>, Problem> {
        loop {
            match self.event()? {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => return Ok(None),
                event => return Ok(Some(event)),
            }
        }
    }

    pub(super) fn event(&mut self) -> Result<Event<'r>, Problem> {
        self.context.spend(STEPS_PER_EVENT).map_err(Problem::Limit)?;
        match self.parser.next_event() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                self.start = span.start.index();
                self.indent = span.start.col();
                self.is_last = span.end.index() >= self.length;
                // Only a collection in brackets begins with a sign of its own.
                let in_brackets = span.end.index() > span.start.index();
                match event {
                    Event::MappingStart(..) => self.open.push(Open { is_map: true, in_brackets }),
                    Event::SequenceStart(..) => self.open.push(Open { is_map: false, in_brackets }),
                    Event::MappingEnd | Event::SequenceEnd => drop(self.open.pop()),
                    _ => {}
                }
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = error.marker().line();
                Err(Problem::Syntax(problem::worded(&error, self.text, self.open.last().copied())))
            }
        }
    }

    /// The value that begins with an event.
    pub(super) fn node(&mut self, event: Event<'r>) -> Result<Value, Problem> {
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let Some(value) = self.anchors.get(&anchor) else { return Err(self.contains_itself()) };
                return copied(self.context, value).map_err(Problem::Limit);
            }
            Event::UnresolvedAlias(name) => {
                return Err(problem::unknown_alias(&name, self.line));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.without_absent_line_end(text, style);
                (anchor, scalar(&text, tag.as_deref(), style == ScalarStyle::Plain, self.numbers)?)
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
        self.remember(anchor, &value);
        Ok(value)
    }

    /// A block scalar that the end of the text cuts off has no line end, but the parser gives it one.
    fn without_absent_line_end(&self, text: Cow<'r, str>, style: ScalarStyle) -> Cow<'r, str> {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let is_cut = is_block && !self.text.ends_with(['\n', '\r']) && self.is_last && self.ends_in_content();
        match text.strip_suffix('\n') {
            Some(content) if is_cut && !content.is_empty() => content.to_owned().into(),
            _ => text,
        }
    }

    /// Whether the last line of the text belongs to the block scalar before it: it does unless it is spaces that only
    /// indent it.
    fn ends_in_content(&self) -> bool {
        let last = self.text.rsplit(['\n', '\r']).next().unwrap_or_default();
        last.len() > self.indent || last.contains(|char| char != ' ')
    }

    /// Whether a key has no text at all, not even a question mark before it, which Go takes for a mistake.
    fn is_absent(&self, key: &Event<'_>) -> bool {
        // The parser writes a tilde for what is not there.
        let is_null =
            matches!(key, Event::Scalar(text, ScalarStyle::Plain, 0, None) if matches!(text.as_ref(), "" | "~"));
        let is_empty = is_null && self.text.chars().nth(self.start) != Some('~');
        let in_braces = self.open.last().is_some_and(|open| open.in_brackets && open.is_map);
        if !is_empty || in_braces {
            return false;
        }
        let before: String = self.text.chars().take(self.start.saturating_add(1)).collect();
        !before.trim_end().trim_end_matches(':').trim_end().ends_with('?')
    }

    /// That the last alias stands within the value of its anchor, which has none so far.
    fn contains_itself(&self) -> Problem {
        let name: String = self.text.chars().skip(self.start).skip_while(|&char| char == '*').collect();
        let end = name.find(|char| !problem::is_word(char)).unwrap_or(name.len());
        let name = &name.as_bytes()[..end];
        Problem::Meaning(Message::plain("yaml: anchor '").data(name).text("' value contains itself"))
    }

    /// Keeps the value of an anchor, where 0 means none, for the aliases of it.
    pub(super) fn remember(&mut self, anchor: usize, value: &Value) {
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
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
            let key_line = self.line;
            let is_absent = self.is_absent(&event);
            let key = self.node(event)?;
            if is_absent {
                return Err(Problem::Syntax(problem::no_key(key_line, &self.open)));
            }
            let event = self.event()?;
            let value = self.node(event)?;
            if merges {
                inherited.extend(sources(value)?);
            } else {
                let key = key_text(&key).map_err(|problem| bad_key(&key, &value, problem))?;
                entries.insert(key, value);
            }
        }
        // Own keys win over merged ones, and earlier sources over later ones.
        for (key, value) in inherited.into_iter().flat_map(|map| map.entries()) {
            entries.entry(key).or_insert(value);
        }
        Map::new(entries).map(Value::Map).map_err(Problem::Limit)
    }
}

/// Whether an event is the key `<<`.
pub(super) fn is_merge(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<")
}

/// The maps that `<<` merges.
pub(super) fn sources(value: Value) -> Result<Vec<Map>, Problem> {
    let wrong = || Problem::Meaning("yaml: map merge requires map or sequence of maps as the value".into());
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

fn scalar(text: &str, tag: Option<&Tag>, plain: bool, numbers: Numbers) -> Result<Value, Problem> {
    let Some(tag) = tag else {
        return if plain { resolved(text, numbers) } else { Ok(Value::text(text)) };
    };
    if let Some(known) = ["int", "float", "bool", "null"].into_iter().find(|known| tag.is_yaml_core_schema_tag(known)) {
        let fits = match resolve(text) {
            Scalar::Null => known == "null",
            Scalar::Bool(_) => known == "bool",
            Scalar::Int(_) | Scalar::Uint(_) => matches!(known, "int" | "float"),
            Scalar::Float(_) => known == "float",
            Scalar::Timestamp | Scalar::Merge | Scalar::Str => false,
        };
        if !fits {
            let meant = tag_of(resolve(text));
            let message = Message::ours(format!("yaml: cannot decode !!{meant} `")).data(text);
            let message = message.text(format!("` as a !!{known}"));
            return Err(Problem::Meaning(message));
        }
        return resolved(text, numbers);
    }
    if tag.handle() == "tag:yaml.org,2002:" && tag.suffix() == "binary" {
        let kept: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return match STANDARD.decode(kept) {
            Ok(bytes) => Ok(Value::str(bytes)),
            Err(_) => Err(Problem::Meaning("yaml: !!binary value contains invalid base64 data".into())),
        };
    }
    Ok(Value::text(text))
}

fn resolved(text: &str, numbers: Numbers) -> Result<Value, Problem> {
    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are floats, and Go rounds the same way")]
    Ok(match resolve(text) {
        Scalar::Null => Value::Nil,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Int(value) if numbers == Numbers::Exact => Value::int64(value),
        Scalar::Uint(value) if numbers == Numbers::Exact => Value::Uint(UintKind::Uint64, value),
        Scalar::Float(value) if numbers == Numbers::Exact => Value::Float(value),
        Scalar::Int(value) => Value::Float(value as f64),
        Scalar::Uint(value) => Value::Float(value as f64),
        Scalar::Float(value) if value.is_finite() => Value::Float(value),
        Scalar::Float(value) => {
            let text = format_float(value, 'g', None);
            return Err(Problem::Meaning(Message::plain("json: unsupported value: ").data(text)));
        }
        Scalar::Timestamp | Scalar::Merge | Scalar::Str => Value::text(text),
    })
}

/// The name of the tag that a plain scalar has by itself.
fn tag_of(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Null => "null",
        Scalar::Bool(_) => "bool",
        Scalar::Int(_) | Scalar::Uint(_) => "int",
        Scalar::Float(_) => "float",
        Scalar::Merge => "merge",
        Scalar::Timestamp | Scalar::Str => "str",
    }
}

/// Why a key is none: a collection for the parser, `null` only for JSON, which tells the value as well.
fn bad_key(key: &Value, value: &Value, problem: Problem) -> Problem {
    // The decoder of YAML has maps of any keys, ours have texts.
    let shown = |value: &Value| {
        let text = go_syntax(value, MOST_SHOWN)?;
        Ok(String::from_utf8_lossy(&text).replace("map[string]interface {}{", "map[interface {}]interface {}{"))
    };
    let worded = match key {
        Value::Nil => shown(value)
            .map(|value| Message::plain("unsupported map key of type: %!s(<nil>), key: <nil>, value: ").data(value)),
        Value::List(_) | Value::Map(_) => shown(key).map(|key| Message::plain("yaml: invalid map key: ").data(key)),
        _ => return problem,
    };
    worded.map_or_else(Problem::Limit, Problem::Meaning)
}

/// A key as text.
pub(super) fn key_text(key: &Value) -> Result<Bytes, Problem> {
    match key {
        Value::Str(bytes) => Ok(bytes.clone()),
        Value::Bool(value) => Ok(value.to_string().into_bytes().into()),
        Value::Int(_, value) => Ok(value.to_string().into_bytes().into()),
        Value::Uint(_, value) => Ok(value.to_string().into_bytes().into()),
        Value::Float(value) => {
            let text = crate::funcs::json::number_text(*value).unwrap_or_default();
            Ok(text.into_bytes().into())
        }
        other => Err(Problem::Meaning(Message::ours(format!("unsupported map key of type: {}", other.type_name())))),
    }
}
