//! Errors with two texts: the exact one that Go would give, and one without the values of the data.
//!
//! Go's messages quote template text, which its author may see, and sometimes the values a template works on, which
//! may be secrets. Status, events and logs take [`Error::redacted`]; tests compare [`Error::exact`].

use std::fmt;

use crate::text::lossy;

/// Stands for a value of the data in [`Error::redacted`].
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
pub struct Error {
    phase: Phase,
    message: Message,
}

impl Error {
    pub(crate) fn new(phase: Phase, prefix: &str, message: &Message) -> Self {
        let mut whole = Message::plain(prefix);
        whole.append(message);
        Self { phase, message: whole }
    }

    /// Whether parsing or executing failed.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The text that Go gives. May contain values of the data: never log it.
    pub fn exact(&self) -> &str {
        &self.message.exact
    }

    /// The text with every value of the data replaced.
    pub fn redacted(&self) -> &str {
        &self.message.redacted
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.redacted())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {:?})", self.phase, self.redacted())
    }
}

impl std::error::Error for Error {}

/// A message under construction, in both texts at once.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    exact: String,
    redacted: String,
}

impl Message {
    /// A text that holds no value of the data.
    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::default().text(text)
    }

    /// Adds words of ours or of the template.
    pub(crate) fn text(mut self, text: impl AsRef<str>) -> Self {
        self.exact.push_str(text.as_ref());
        self.redacted.push_str(text.as_ref());
        self
    }

    /// Adds a value of the data.
    pub(crate) fn data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.exact.push_str(&lossy(data.as_ref()));
        self.redacted.push_str(HIDDEN);
        self
    }

    /// Adds another message.
    pub(crate) fn then(mut self, other: &Self) -> Self {
        self.append(other);
        self
    }

    /// Puts another message behind this one.
    pub(crate) fn append(&mut self, other: &Self) {
        self.exact.push_str(&other.exact);
        self.redacted.push_str(&other.redacted);
    }

    /// The exact text, for functions that return their error as a value.
    pub(crate) fn exact(&self) -> &str {
        &self.exact
    }

    /// The text with every value of the data replaced.
    pub(crate) fn redacted(&self) -> &str {
        &self.redacted
    }
}

/// Shows the redacted text.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.redacted, f)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}
