//! Regular expressions that users write, in RE2 syntax as Go reads it.
//!
//! Compiling and matching take linear time and bounded memory, whatever the expression.

use regex::{Regex, RegexBuilder};

use crate::problem::Problem;

/// Largest compiled expression, in bytes. Real ones need a few kilobytes; this bounds what one object can make the
/// process allocate.
const SIZE_LIMIT: usize = 1 << 20;

/// Compiles the expression found at `path`.
pub fn compile(path: &str, expression: &str) -> Result<Regex, Problem> {
    RegexBuilder::new(expression).size_limit(SIZE_LIMIT).build().map_err(|error| {
        Problem::new(path, format!("{expression:?} is not a regular expression: {error}"), "write it in RE2 syntax")
    })
}
