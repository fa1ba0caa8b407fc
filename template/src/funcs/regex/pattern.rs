//! Compiled patterns, and what they find in texts that need not be UTF-8.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::context::Context;
use crate::error::Message;
use crate::funcs::regex::syntax::{Translation, complaint, translate};
use crate::text::{push_char, runes};

/// Bytes that a compiled pattern may take, in steps. Matching takes time in proportion to the size and the text, so
/// the step that a pattern fits decides how long a text may be.
const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Product of the text's bytes and the pattern's size, in units of the first of [`SIZES`]: some seconds at worst.
const MAX_WORK: usize = 1 << 20;
/// How much of that work counts as a step.
const WORK_PER_STEP: usize = 64;
/// Groups inside each other; the parser of the crate recurses.
const NEST_LIMIT: u32 = 100;
/// What Go compiles and the crate does not, say a class that only Go knows.
const UNSUPPORTED: &str = "unsupported pattern";
/// Longest pattern that is compiled.
const MAX_PATTERN: usize = 16 << 10;

/// A compiled pattern.
pub(crate) struct Pattern {
    regex: Regex,
    /// The numbers of the groups that have a name.
    names: Vec<(String, usize)>,
    /// Its size in units of the first of [`SIZES`].
    weight: usize,
}

impl Pattern {
    /// Compiles a pattern of Go's syntax.
    pub(crate) fn compile(pattern: &[u8]) -> Result<Self, Message> {
        if pattern.len() > MAX_PATTERN {
            return Err(format!("pattern is longer than {MAX_PATTERN} bytes; make it shorter").into());
        }
        let Translation { pattern: translated, names } = translate(pattern)?;
        for size in SIZES {
            let mut builder = RegexBuilder::new(&translated);
            match builder.size_limit(size).dfa_size_limit(1 << 20).nest_limit(NEST_LIMIT).build() {
                Ok(regex) => return Ok(Self { regex, names, weight: size / SIZES[0] }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err(complaint(UNSUPPORTED, pattern)),
            }
        }
        Err(complaint("expression too large", pattern))
    }

    /// The pattern, ready to search a text; refuses one that would take too long.
    pub(super) fn on<'t>(&self, context: &Context, text: &'t [u8]) -> Result<Search<'_, 't>, Message> {
        let work = text.len().saturating_mul(self.weight);
        context.spend(work / WORK_PER_STEP)?;
        if work > MAX_WORK {
            let most = MAX_WORK / self.weight;
            return Err(
                format!("text is longer than the {most} bytes that this pattern may search; simplify it").into()
            );
        }
        Ok(Search::new(self, text))
    }
}

/// A pattern on a text. An invalid byte of the text is to the pattern what it is to Go: the replacement character.
pub(super) struct Search<'p, 't> {
    pattern: &'p Pattern,
    text: Cow<'t, str>,
    /// Where in `text` replacement characters stand for a single byte.
    replaced: Vec<usize>,
}

/// Where a match or group begins and ends in the text that was given.
pub(super) type Span = (usize, usize);

impl<'p, 't> Search<'p, 't> {
    fn new(pattern: &'p Pattern, text: &'t [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(text) {
            return Self { pattern, text: Cow::Borrowed(text), replaced: Vec::new() };
        }
        let mut valid = Vec::with_capacity(text.len());
        let mut replaced = Vec::new();
        for (_, rune) in runes(text) {
            if !rune.valid {
                replaced.push(valid.len());
            }
            push_char(&mut valid, rune.char);
        }
        Self { pattern, text: Cow::Owned(String::from_utf8(valid).unwrap_or_default()), replaced }
    }

    pub(super) fn is_match(&self) -> bool {
        self.pattern.regex.is_match(&self.text)
    }

    pub(super) fn find(&self) -> Option<Span> {
        self.pattern.regex.find(&self.text).map(|found| self.span(found))
    }

    pub(super) fn find_all(&self) -> impl Iterator<Item = Span> {
        self.pattern.regex.find_iter(&self.text).map(|found| self.span(found))
    }

    /// Each match with its groups, of which the first is the match itself.
    pub(super) fn groups(&self) -> impl Iterator<Item = Vec<Option<Span>>> {
        let spans = |groups: regex::Captures| groups.iter().map(|group| group.map(|group| self.span(group))).collect();
        self.pattern.regex.captures_iter(&self.text).map(spans)
    }

    /// The numbers of the groups of that name, in their order.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        self.pattern.names.iter().filter(move |(known, _)| known == name).map(|(_, index)| *index)
    }

    fn span(&self, found: regex::Match) -> Span {
        (self.original(found.start()), self.original(found.end()))
    }

    /// The offset in the text that was given: each replacement took two bytes more.
    fn original(&self, at: usize) -> usize {
        at - (char::REPLACEMENT_CHARACTER.len_utf8() - 1) * self.replaced.partition_point(|&start| start < at)
    }
}

/// The text with all signs of the syntax escaped.
pub(super) fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}
