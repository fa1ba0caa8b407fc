//! A template that is parsed once and rendered many times.

use std::fmt;

use zeroize::Zeroizing;

use crate::ast::Program;
use crate::data::Data;
use crate::error::{Error, Phase, Position};
use crate::exec::execute;
use crate::limits::{Delimiters, Limits, Options};
use crate::parse::parse;

/// A parsed template. Its text is overwritten when it is dropped: it may come from a Secret.
pub struct Template {
    name: Zeroizing<String>,
    program: Program,
}

impl Template {
    /// Parses `text`. `name` is what errors call it, and the name by which the template can call itself.
    pub fn parse(name: &str, text: &[u8], limits: &Limits) -> Result<Self, Error> {
        Self::parse_with(name, text, &Delimiters::default(), limits)
    }

    /// Parses `text` whose actions stand between other marks than `{{` and `}}`.
    pub fn parse_with(name: &str, text: &[u8], delimiters: &Delimiters, limits: &Limits) -> Result<Self, Error> {
        let program = parse(name, text, delimiters, limits).map_err(|refusal| {
            let prefix = format!("template: {name}:{}: ", refusal.line);
            let position = Position { line: refusal.line, column: None };
            Error::new(Phase::Parse, prefix, Some(position), &refusal.message)
        })?;
        Ok(Self { name: Zeroizing::new(name.to_owned()), program })
    }

    /// Renders the template over `data`. Blocks the thread, at most for [`Limits::deadline`].
    pub fn render(&self, data: &Data, options: &Options) -> Result<Vec<u8>, Error> {
        execute(&self.program, &self.name, data, options)
    }
}

/// Shows the name only: a template may come from a Secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("bytes", &self.program.text.len()).finish_non_exhaustive()
    }
}

/// Checks the syntax alone, as admission does: actions, blocks, variables and names of functions.
pub fn check(name: &str, text: &[u8]) -> Result<(), Error> {
    Template::parse(name, text, &Limits::default()).map(drop)
}
