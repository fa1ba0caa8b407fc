//! Compiled patterns, and what they find in texts that need not be UTF-8.

use super::engine::{Engine, Refusal};
use super::subject::Subject;
use super::syntax::{Translation, complaint, translate};
use crate::context::Context;
use crate::error::Message;

/// Bytes that a compiled pattern may take, in steps: compiling takes time in proportion to the size that is tried.
const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Longest text that is searched. Of one that is not UTF-8, a copy of many times the size is made.
const MAX_TEXT: usize = 1 << 20;
/// What Go compiles and the crate does not, say a class that only Go knows.
const UNSUPPORTED: &str = "unsupported pattern";
/// Longest pattern that is compiled.
const MAX_PATTERN: usize = 16 << 10;

/// A compiled pattern.
pub(crate) struct Pattern {
    engine: Engine,
    /// The numbers of the groups that have a name.
    names: Vec<(String, usize)>,
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
            match Engine::compile(&translated, size) {
                Ok(engine) => return Ok(Self { engine, names }),
                Err(Refusal::TooBig) => {}
                Err(Refusal::Unsupported) => return Err(complaint(UNSUPPORTED, pattern)),
            }
        }
        Err(complaint("expression too large", pattern))
    }

    /// The pattern, ready to search a text; refuses one that is too long.
    pub(super) fn on<'t>(&'t self, context: &Context, text: &'t [u8]) -> Result<Subject<'t>, Message> {
        context.spend_on_bytes(text.len())?;
        if text.len() > MAX_TEXT {
            return Err(Message::ours(format!(
                "text is longer than the {MAX_TEXT} bytes that a pattern may search; search a part of it"
            )));
        }
        Ok(Subject::new(&self.engine, &self.names, text))
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
