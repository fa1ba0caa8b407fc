//! The first document of a YAML text as a value: of JSON's types, so that all numbers are floats, or with exact numbers.
//!
//! Keys are strings either way.

use std::borrow::Cow;
use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, StrInput};

use super::key::key_text;
use super::readable::readable;
use super::resolve::may_be_timestamp;
use super::scalar::{Numbers, scalar};
use super::tabs::Tabs;
use super::tags::{self, WrongTag};
use super::{mend, problem};
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::float::format_float;
use crate::funcs::copied;
use crate::value::{Elem, List, Map, Value};

/// The value of a text. The outer error is a limit; the inner one says what is wrong with the text, as Go says it.
pub(crate) fn parse(context: &Context, text: &[u8]) -> Result<Result<Value, Message>, Message> {
    let value =
        readable(text).map_err(|(_, message)| Problem::Syntax(message)).and_then(|text| document(context, &text));
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

fn document(context: &Context, text: &str) -> Result<Value, Problem> {
    let mut reader = Reader::new(context, text, Numbers::Json);
    let outcome = reader.document();
    if outcome.is_err() && reader.can_be_mended() {
        let mended = mend::mended(context, text)?;
        return Reader::of_mended(context, &mended, text, Numbers::Json).document();
    }
    outcome
}

/// How the parser reads.
pub(super) fn options() -> granit_parser::Options {
    granit_parser::options! { emit_comments: false, emit_unresolved_aliases: true }
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

/// What the parser takes for an event, in steps.
pub(super) const STEPS_PER_EVENT: usize = 4;

/// What a scalar is charged as besides its bytes: what the allocator keeps with them, and room that a list does not use yet.
const SCALAR_BYTES: usize = 40;
/// What an anchor is charged as: its entry, in nodes that are half full.
const ANCHOR_BYTES: usize = 96;

/// What looking for a date is charged as, which takes about a microsecond.
const STEPS_PER_DATE: usize = 16;

/// Turns the events of a parser into values.
#[expect(clippy::struct_excessive_bools, reason = "one question each")]
pub(super) struct Reader<'r, 'o> {
    context: &'r Context<'o>,
    text: &'r str,
    numbers: Numbers,
    parser: Parser<'r, StrInput<'r>>,
    anchors: BTreeMap<usize, Value>,
    line: usize,
    /// Characters of the text.
    length: usize,
    /// Columns before the last event, which are the indentation of a block scalar.
    indent: usize,
    /// Where the last event begins, in bytes.
    start: usize,
    /// Whether the last event ends where the text does.
    is_last: bool,
    /// Whether the parser gave up on something that Go may read.
    can_be_mended: bool,
    /// Whether a value, kept or not, is a number that JSON does not have.
    has_infinite: bool,
    /// Whether scalars hold signs that stand for others.
    has_stand_ins: bool,
    tabs: Tabs,
}

impl<'r, 'o> Reader<'r, 'o> {
    pub(super) fn new(context: &'r Context<'o>, text: &'r str, numbers: Numbers) -> Self {
        let parser = Parser::new_from_str_with_options(text, options());
        Self {
            context,
            text,
            numbers,
            parser,
            anchors: BTreeMap::new(),
            has_infinite: false,
            line: 1,
            length: text.chars().count(),
            indent: 0,
            start: 0,
            is_last: false,
            can_be_mended: false,
            has_stand_ins: false,
            tabs: Tabs::default(),
        }
    }

    /// A reader of what [`mend::mended`] made of a text.
    pub(super) fn of_mended(context: &'r Context<'o>, mended: &'r str, text: &str, numbers: Numbers) -> Self {
        Self { has_stand_ins: mend::has_stand_ins(mended, text), ..Self::new(context, mended, numbers) }
    }

    pub(super) fn context(&self) -> &'r Context<'o> {
        self.context
    }

    /// The line of the last event or mistake, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Whether it failed on something that [`mend::mended`] may mend.
    pub(super) fn can_be_mended(&self) -> bool {
        self.can_be_mended
    }

    pub(super) fn document(&mut self) -> Result<Value, Problem> {
        let Some(event) = self.first()? else { return Ok(Value::Nil) };
        let value = self.value(event)?;
        // What follows may show that this was not the document.
        self.event()?;
        if self.has_infinite
            && self.numbers == Numbers::Json
            && let Some(number) = infinite(&value)
        {
            let text = format_float(number, 'g', None);
            return Err(Problem::Meaning(Message::plain("json: unsupported value: ").data(text)));
        }
        Ok(value)
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
                self.indent = span.start.col();
                self.start = span.start.byte_offset().unwrap_or_default();
                self.is_last = span.end.index() >= self.length;
                let before = self.tabs.end();
                if let Some(wrong) = self.tabs.next(self.text, &event, &span) {
                    self.line = wrong.line;
                    return Err(Problem::Syntax(problem::scanned_at(wrong.line, wrong.problem)));
                }
                if let Some(wrong) = tags::wrong(self.text, before, &event) {
                    self.can_be_mended = matches!(wrong, WrongTag::GoesOn(_));
                    self.line = wrong.line(self.text);
                    return Err(Problem::Syntax(problem::scanned_at(self.line, tags::NOT_APART)));
                }
                if matches!(event, Event::Scalar(_, ScalarStyle::DoubleQuoted, ..))
                    && let Some((line, problem)) = problem::wrong_escape(self.text, self.start)
                {
                    self.line = line;
                    return Err(Problem::Syntax(problem));
                }
                Ok(event)
            }
            // What is wrong behind the end of a document is no part of it.
            Some(Err(error)) if matches!(error.kind(), ErrorKind::InvalidDocumentEnd) => Ok(Event::StreamEnd),
            Some(Err(error)) => {
                self.line = error.marker().line();
                self.can_be_mended = mend::is_worth_it(error.kind());
                Err(Problem::Syntax(problem::worded(&error, self.text)))
            }
        }
    }

    /// The value that begins with an event and is no key.
    fn value(&mut self, event: Event<'r>) -> Result<Value, Problem> {
        let value = self.node(event)?;
        Ok(self.kept(value))
    }

    /// A value where it is kept.
    fn kept(&mut self, value: Value) -> Value {
        self.has_infinite |= matches!(value, Value::Float(value) if !value.is_finite());
        self.numbers.of(value)
    }

    /// The value that begins with an event, with its own number exact.
    pub(super) fn node(&mut self, event: Event<'r>) -> Result<Value, Problem> {
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let Some(value) = self.anchors.get(&anchor) else { return Err(self.alias_within_itself()) };
                return copied(self.context, value).map_err(Problem::Limit);
            }
            Event::UnresolvedAlias(name) => {
                return Err(Problem::Meaning(problem::unknown_alias(&name, self.line)));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.without_absent_line_end(text, style);
                let text = if self.has_stand_ins { mend::original(&text).into() } else { text };
                if style == ScalarStyle::Plain && may_be_timestamp(&text) {
                    self.context.spend(STEPS_PER_DATE).map_err(Problem::Limit)?;
                }
                let value = scalar(&text, tag.as_deref(), style == ScalarStyle::Plain)?;
                self.context.account_bytes(SCALAR_BYTES).map_err(Problem::Limit)?;
                self.context.account(&value).map_err(Problem::Limit)?;
                (anchor, value)
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
        self.remember(anchor, &value)?;
        Ok(value)
    }

    /// The refusal of the alias that was just read: what it stands for is not complete.
    fn alias_within_itself(&self) -> Problem {
        let rest = self.text.get(self.start..).unwrap_or_default().trim_start_matches('*');
        let name = rest.split(|char: char| char.is_whitespace() || ",[]{}".contains(char)).next().unwrap_or_default();
        Problem::Meaning(Message::plain("yaml: anchor '").data(name).text("' value contains itself"))
    }

    /// What is wrong with a key that was just read and has no text at all.
    fn no_key(&self, key: &Event<'_>) -> Option<Message> {
        // The parser writes a tilde for what is not there.
        let is_null =
            matches!(key, Event::Scalar(text, ScalarStyle::Plain, 0, None) if matches!(text.as_ref(), "" | "~"));
        let (before, rest) = self.text.split_at_checked(self.start).filter(|_| is_null)?;
        if rest.starts_with('~') { None } else { problem::no_key(before, self.line) }
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

    /// Keeps the value of an anchor, where 0 means none, for the aliases of it.
    pub(super) fn remember(&mut self, anchor: usize, value: &Value) -> Result<(), Problem> {
        if anchor != 0 {
            self.context.account_bytes(ANCHOR_BYTES).map_err(Problem::Limit)?;
            self.anchors.insert(anchor, value.clone());
        }
        Ok(())
    }

    /// The key of a map that begins with an event.
    pub(super) fn key(&mut self, event: Event<'r>) -> Result<Value, Problem> {
        let no_key = self.no_key(&event);
        let start = self.start;
        let key = self.node(event)?;
        let problem = no_key.or_else(|| {
            let (line, problem) =
                problem::key_over_lines(self.text, start, self.tabs.end()).filter(|_| self.tabs.is_flow())?;
            self.line = line;
            Some(problem)
        });
        problem.map_or(Ok(key), |problem| Err(Problem::Syntax(problem)))
    }

    fn sequence(&mut self) -> Result<Value, Problem> {
        self.context.account_collection().map_err(Problem::Limit)?;
        let mut items = Vec::new();
        loop {
            match self.event()? {
                Event::SequenceEnd | Event::StreamEnd => break,
                event => {
                    self.context.account_element(items.len()).map_err(Problem::Limit)?;
                    items.push(self.value(event)?);
                }
            }
        }
        List::new(Elem::Any, items).map(Value::List).map_err(Problem::Limit)
    }

    fn mapping(&mut self) -> Result<Value, Problem> {
        self.context.account_collection().map_err(Problem::Limit)?;
        let mut entries: BTreeMap<Bytes, Value> = BTreeMap::new();
        loop {
            let event = self.event()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                break;
            }
            let merges = is_merge(&event);
            let key = self.key(event)?;
            let event = self.event()?;
            let value = self.node(event)?;
            // The last of equal keys wins, own or merged, but the first of the sources.
            if merges {
                for (key, value) in sources(value)?.into_iter().rev().flat_map(|map| map.entries()) {
                    self.context.account_entry(entries.len()).map_err(Problem::Limit)?;
                    entries.insert(key, value);
                }
            } else {
                self.context.account_entry(entries.len()).map_err(Problem::Limit)?;
                entries.insert(key_text(&key, &value)?, self.kept(value));
            }
        }
        Map::new(entries).map(Value::Map).map_err(Problem::Limit)
    }
}

/// The first number of a value that JSON does not have, in the order in which Go writes it.
fn infinite(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value).filter(|value| !value.is_finite()),
        Value::List(list) => list.items().iter().find_map(infinite),
        Value::Map(map) => map.entries().iter().find_map(|(_, value)| infinite(value)),
        _ => None,
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
