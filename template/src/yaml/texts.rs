//! A YAML mapping from text to text, as the Go operator reads one into `map[string]string`.

use std::collections::BTreeMap;
use std::fmt;

use granit_parser::Event;

use super::key::key_text;
use super::mend::mended;
use super::parse::{Problem, Reader, is_merge, sources};
use super::readable::readable;
use super::scalar::Numbers;
use crate::context::Context;
use crate::fmt::float::format_float;
use crate::limits::{Limits, Options};
use crate::text::{line_ends, lossy};
use crate::value::{Map, Value};

/// Why a text is no mapping from text to text.
///
/// Says the line and the kind of mistake, and never quotes the text, which may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    pub(super) line: usize,
    pub(super) mistake: Mistake,
}

impl YamlError {
    /// The line of the mistake, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.mistake {
            Mistake::Syntax => f.write_str("not valid YAML"),
            Mistake::Meaning(words) => f.write_str(words),
            Mistake::NoMapping => f.write_str("the document is not a mapping; write `key: value` lines"),
            Mistake::NoText => f.write_str("the value is a mapping or list, not text; quote it to keep it as text"),
            Mistake::TooMuch => f.write_str("the document is too large or nested too deeply; make it simpler"),
        }
    }
}

impl std::error::Error for YamlError {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Syntax,
    /// Words that hold no part of the text.
    Meaning(String),
    NoMapping,
    NoText,
    TooMuch,
}

impl From<Problem> for Mistake {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Syntax(_) => Self::Syntax,
            Problem::Meaning(message) => Self::Meaning(message.redacted().to_owned()),
            Problem::Limit(_) => Self::TooMuch,
        }
    }
}

/// The entries of the mapping that the first document of a YAML text is; none if the document is empty.
///
/// Scalars mean what they mean in YAML 1.1 and are then written as Go writes them: `yes` gives `true`, `012` gives
/// `10`, `1.50` gives `1.5`, and null gives the empty text. Quoted scalars and block scalars are kept as they are, and
/// the last of equal keys wins. Fails on anything that is not such a mapping, and on one that takes more than `limits`
/// allow a template; aliases make copies, so what comes out counts as output.
pub fn yaml_texts(text: &[u8], limits: &Limits) -> Result<BTreeMap<String, Vec<u8>>, YamlError> {
    with_reader(text, limits, |reader| entries(reader, limits.output_bytes))
}

/// Reads a YAML text within limits; what goes wrong is told with its line.
pub(super) fn with_reader<T>(
    text: &[u8],
    limits: &Limits,
    read: impl Fn(&mut Reader<'_, '_>) -> Result<T, Mistake>,
) -> Result<T, YamlError> {
    let options = Options { limits: limits.clone(), ..Options::default() };
    let context = Context::new(&options);
    if context.check_bytes(text.len()).is_err() {
        return Err(YamlError { line: 1, mistake: Mistake::TooMuch });
    }
    let text = readable(text).map_err(|(at, problem)| {
        let before = text.get(..at).unwrap_or_default();
        let words = problem.redacted().trim_start_matches("yaml: ").to_owned();
        YamlError { line: line_ends(before) + 1, mistake: Mistake::Meaning(words) }
    })?;
    let mut reader = Reader::new(&context, &text, Numbers::Exact);
    let outcome = read(&mut reader);
    let line = reader.line();
    if outcome.is_err() && reader.can_be_mended() {
        let mended = mended(&context, &text).map_err(|problem| YamlError { line, mistake: problem.into() })?;
        let mut reader = Reader::of_mended(&context, &mended, &text, Numbers::Exact);
        return read(&mut reader).map_err(|mistake| YamlError { line: reader.line(), mistake });
    }
    outcome.map_err(|mistake| YamlError { line, mistake })
}

fn entries(reader: &mut Reader<'_, '_>, mut room: usize) -> Result<BTreeMap<String, Vec<u8>>, Mistake> {
    match reader.first()? {
        None => return Ok(BTreeMap::new()),
        // An alias of the whole within itself finds a mapping, which is no text.
        Some(Event::MappingStart(_, anchor, _)) => reader.remember(anchor, &Value::Map(Map::empty()))?,
        Some(event @ Event::Scalar(..)) => {
            return if matches!(reader.node(event)?, Value::Nil) {
                Ok(BTreeMap::new())
            } else {
                Err(Mistake::NoMapping)
            };
        }
        Some(_) => return Err(Mistake::NoMapping),
    }
    let mut take = |key: &str, value: &[u8]| {
        room = room.checked_sub(key.len() + value.len()).ok_or(Mistake::TooMuch)?;
        Ok::<_, Mistake>(())
    };
    let mut entries = BTreeMap::new();
    loop {
        let event = reader.event()?;
        if matches!(event, Event::MappingEnd | Event::StreamEnd) {
            break;
        }
        // The last of equal keys wins, own or merged, but the first of the sources.
        if is_merge(&event) {
            let event = reader.event()?;
            for (key, value) in sources(reader.node(event)?)?.into_iter().rev().flat_map(|map| map.entries()) {
                let (key, value) = (lossy(&key), value_text(value)?);
                take(&key, &value)?;
                entries.insert(key, value);
            }
            continue;
        }
        let key = reader.key(event)?;
        let key = lossy(&key_text(&key, &Value::Nil)?);
        let event = reader.event()?;
        // Refused before it is read, so that the error has the line where it begins.
        if matches!(event, Event::MappingStart(..) | Event::SequenceStart(..)) {
            return Err(Mistake::NoText);
        }
        let value = value_text(reader.node(event)?)?;
        take(&key, &value)?;
        entries.insert(key, value);
    }
    Ok(entries)
}

fn value_text(value: Value) -> Result<Vec<u8>, Mistake> {
    Ok(match value {
        Value::Nil => Vec::new(),
        Value::Bool(value) => value.to_string().into_bytes(),
        Value::Int(_, value) => value.to_string().into_bytes(),
        Value::Uint(_, value) => value.to_string().into_bytes(),
        Value::Float(value) => format_float(value, 'g', None).into_bytes(),
        // Only `!!binary` gives bytes that are not UTF-8; on their way through JSON Go replaces them.
        Value::Str(bytes) => lossy(&bytes).into_bytes(),
        Value::Complex(..) | Value::List(_) | Value::Map(_) | Value::Object(_) => return Err(Mistake::NoText),
    })
}

#[cfg(test)]
mod tests;
