//! Errors in three wordings: as Go gives them, without the values of the data, and without the template either.
//!
//! Go's messages quote template text, which its author may see, and sometimes the values a template works on, which
//! may be secrets. Status, events and logs take [`Error::redacted`], or [`Error::without_source`] when the template
//! itself is secret; tests compare [`Error::exact`].

use std::borrow::Cow;
use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

use crate::text::lossy;

/// Stands for what a text leaves out.
const HIDDEN: &str = "[hidden]";

/// When a template failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The text is not a template.
    Parse,
    /// The template does not fit the data.
    Execute,
}

/// Why a template failed. `Display` and `Debug` show the redacted text.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Failure>);

/// What an error holds, boxed to keep results small.
#[derive(Clone, PartialEq, Eq)]
struct Failure {
    phase: Phase,
    position: Option<Position>,
    message: Message,
    without_source: String,
}

/// A place in the text of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The bytes of the line before the place, if they are known: parse errors tell the line only.
    pub column: Option<usize>,
}

impl Error {
    /// An error of which Go says `prefix` before `message`.
    pub(crate) fn new(phase: Phase, prefix: String, position: Option<Position>, message: &Message) -> Self {
        let place = position.map(|position| format!("{position}: ")).unwrap_or_default();
        let mut whole = Message::default().source(prefix);
        whole.append(message);
        let without_source = place + &message.0.without_source;
        Self(Box::new(Failure { phase, position, message: whole, without_source }))
    }

    /// Whether parsing or executing failed.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// Where in the template it failed, if it failed at a place.
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// The text that Go gives. May contain values of the data: never log it.
    pub fn exact(&self) -> &str {
        &self.0.message.0.exact
    }

    /// The text with every value of the data replaced. Quotes the template, its name included.
    pub fn redacted(&self) -> &str {
        &self.0.message.0.redacted
    }

    /// Line, column and what is wrong, without values of the data and without text of the template: for templates
    /// that are secrets. Names of known functions stay.
    pub fn without_source(&self) -> &str {
        &self.0.without_source
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.redacted())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {:?})", self.0.phase, self.redacted())
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        self.column.map_or(Ok(()), |column| write!(f, ", column {column}"))
    }
}

/// A message under construction, in all wordings at once.
///
/// The wordings are safe by default: a literal of ours is shown in each, a computed text counts as a quotation of the
/// template unless [`Message::words`] vouches for it, and [`Message::data`] is for whatever comes from the data.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Message(Box<Wordings>);

/// What a message holds, boxed to keep results small.
#[derive(Clone, Default, PartialEq, Eq)]
struct Wordings {
    exact: String,
    redacted: String,
    without_source: String,
}

/// A piece of a message, by what it may hold.
pub(crate) enum Piece {
    /// Words of ours.
    Words(Cow<'static, str>),
    /// May quote the template.
    Source(String),
}

impl From<&'static str> for Piece {
    fn from(text: &'static str) -> Self {
        Self::Words(text.into())
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::Source(text)
    }
}

/// The exact text may hold values of the data.
impl Drop for Wordings {
    fn drop(&mut self) {
        self.exact.zeroize();
    }
}

impl Message {
    /// A text that holds no value of the data.
    pub(crate) fn plain(text: impl Into<Piece>) -> Self {
        Self::default().text(text)
    }

    /// Words of ours, computed. They must not come from template or data.
    pub(crate) fn ours(text: impl AsRef<str>) -> Self {
        Self::default().words(text)
    }

    /// Adds a text that holds no value of the data: a literal, or something computed that may quote the template.
    pub(crate) fn text(self, text: impl Into<Piece>) -> Self {
        match text.into() {
            Piece::Words(text) => self.words(text),
            Piece::Source(text) => self.source(text),
        }
    }

    /// Adds words of ours: names of types and functions, limits. They must not come from template or data.
    pub(crate) fn words(mut self, text: impl AsRef<str>) -> Self {
        self.0.exact.push_str(text.as_ref());
        self.0.redacted.push_str(text.as_ref());
        self.0.without_source.push_str(text.as_ref());
        self
    }

    /// Adds a quotation of the template.
    pub(crate) fn source(mut self, text: impl AsRef<str>) -> Self {
        self.0.exact.push_str(text.as_ref());
        self.0.redacted.push_str(text.as_ref());
        self.0.without_source.push_str(HIDDEN);
        self
    }

    /// Adds a value of the data.
    pub(crate) fn data(mut self, data: impl AsRef<[u8]>) -> Self {
        push_secret(&mut self.0.exact, &Zeroizing::new(lossy(data.as_ref())));
        self.0.redacted.push_str(HIDDEN);
        self.0.without_source.push_str(HIDDEN);
        self
    }

    /// Adds another message.
    pub(crate) fn then(mut self, other: &Self) -> Self {
        self.append(other);
        self
    }

    /// Puts another message behind this one.
    pub(crate) fn append(&mut self, other: &Self) {
        push_secret(&mut self.0.exact, &other.0.exact);
        self.0.redacted.push_str(&other.0.redacted);
        self.0.without_source.push_str(&other.0.without_source);
    }

    /// The exact text, for functions that return their error as a value.
    pub(crate) fn exact(&self) -> &str {
        &self.0.exact
    }

    /// The text with every value of the data replaced.
    pub(crate) fn redacted(&self) -> &str {
        &self.0.redacted
    }
}

/// Appends to a text, and overwrites the place where it was.
fn push_secret(text: &mut String, more: &str) {
    let mut grown = String::with_capacity(text.len() + more.len());
    grown.push_str(text);
    grown.push_str(more);
    text.zeroize();
    *text = grown;
}

/// Shows the redacted text.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.redacted(), f)
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}
