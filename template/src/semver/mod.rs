//! Semantic versions and constraints on them, by the rules of the Go library that sprig uses.

use std::cmp::Ordering;
use std::fmt;

use crate::error::Message;
use crate::fmt::quote::quote;

mod constraint;

pub(crate) use constraint::Constraints;

/// A version. Parts that its text leaves out are 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    pub(crate) prerelease: String,
    pub(crate) metadata: String,
    pub(crate) original: String,
}

impl Version {
    /// The version of a text such as `v1.2` or `1.2.3-beta.1+build`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Message> {
        let invalid = || Message::plain("invalid semantic version");
        let text = std::str::from_utf8(text).map_err(|_| invalid())?;
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = match rest.split_once('+') {
            Some((rest, metadata)) => (rest, Some(metadata)),
            None => (rest, None),
        };
        let (numbers, prerelease) = match rest.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease)),
            None => (rest, None),
        };
        let parts: Vec<&str> = numbers.split('.').collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if parts.len() > 3 || !parts.iter().all(is_number) {
            return Err(invalid());
        }
        if !prerelease.is_none_or(is_dotted) || !metadata.is_none_or(is_dotted) {
            return Err(invalid());
        }
        let number = |index: usize| parts.get(index).map_or(Ok(0), |part| segment(part));
        let (major, minor, patch) = (number(0)?, number(1)?, number(2)?);
        if prerelease.is_some_and(|prerelease| prerelease.split('.').any(begins_with_zero)) {
            return Err("version segment starts with 0".into());
        }
        Ok(Self {
            major,
            minor,
            patch,
            prerelease: prerelease.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    /// The order of versions; metadata does not count.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| order_prereleases(&self.prerelease, &other.prerelease))
    }

    /// The version with other numbers and nothing behind them.
    pub(crate) fn with_numbers(&self, major: u64, minor: u64, patch: u64) -> Self {
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        Self {
            major,
            minor,
            patch,
            prerelease: String::new(),
            metadata: String::new(),
            original: format!("{prefix}{major}.{minor}.{patch}"),
        }
    }

    /// The version with another prerelease, or none for an empty text.
    pub(crate) fn with_prerelease(&self, prerelease: &[u8]) -> Result<Self, Message> {
        let text = part(prerelease).ok_or("invalid prerelease string")?;
        if text.split('.').any(begins_with_zero) {
            return Err("version segment starts with 0".into());
        }
        Ok(Self { prerelease: text.to_owned(), ..self.clone() }.renamed())
    }

    /// The version with other metadata, or none for an empty text.
    pub(crate) fn with_metadata(&self, metadata: &[u8]) -> Result<Self, Message> {
        let text = part(metadata).ok_or("invalid metadata string")?;
        Ok(Self { metadata: text.to_owned(), ..self.clone() }.renamed())
    }

    /// As if it had been parsed from what it is now.
    fn renamed(mut self) -> Self {
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        self.original = format!("{prefix}{self}");
        self
    }

    /// The next patch; a prerelease becomes the release it precedes.
    pub(crate) fn next_patch(&self) -> Self {
        let step = u64::from(self.prerelease.is_empty());
        self.with_numbers(self.major, self.minor, self.patch.saturating_add(step))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// One of the three numbers, of which the text has digits only.
fn segment(digits: &str) -> Result<u64, Message> {
    digits.parse().map_err(|_| {
        let start = Message::plain("error parsing version segment: strconv.ParseUint: parsing ");
        start.data(quote(digits.as_bytes(), false)).text(": value out of range")
    })
}

fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Whether a part of a prerelease is a number that begins with 0.
fn begins_with_zero(part: &str) -> bool {
    part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// What may stand behind the numbers; nothing at all may, too.
fn part(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok().filter(|text| text.is_empty() || is_dotted(text))
}

fn is_dotted(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    text.split('.').all(is_part)
}

/// A release comes after its prereleases; numbers before words; a longer list after a shorter one.
fn order_prereleases(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => match (number(left), number(right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => left.cmp(right),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}
