//! Compiled patterns, and what they find in texts that need not be UTF-8.

use regex::{Regex, RegexBuilder};

use super::subject::Subject;
use super::syntax::{Translation, complaint, translate};
use crate::context::Context;
use crate::error::Message;

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
    /// Compiles a pattern of Go's syntax. `charge` is asked before each attempt, with how much it may take.
    pub(crate) fn compile(pattern: &[u8], charge: impl Fn(usize) -> Result<(), Message>) -> Result<Self, Message> {
        if pattern.len() > MAX_PATTERN {
            return Err(Message::ours(format!("pattern is longer than {MAX_PATTERN} bytes; make it shorter")));
        }
        let Translation { pattern: translated, names } = translate(pattern)?;
        for size in SIZES {
            charge(size / SIZES[0])?;
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
    pub(super) fn on<'t>(&'t self, context: &Context, text: &'t [u8]) -> Result<Subject<'t>, Message> {
        let work = text.len().saturating_mul(self.weight);
        context.spend(work / WORK_PER_STEP)?;
        if work > MAX_WORK {
            let most = MAX_WORK / self.weight;
            return Err(Message::ours(format!(
                "text is longer than the {most} bytes that this pattern may search; simplify it"
            )));
        }
        Ok(Subject::new(&self.regex, &self.names, text))
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
