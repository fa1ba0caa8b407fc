//! Regular expressions that users write, in RE2 syntax as Go reads it.
//!
//! Compiling takes bounded memory and matching linear time, whatever the expression.

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::problem::Problem;

mod go;

/// Largest compiled expression, in bytes. Real ones need a few kilobytes; this bounds what one object can make the
/// process allocate.
const SIZE_LIMIT: usize = 1 << 20;

/// Compiles the expression found at `path`. A match may be anywhere in a text.
pub fn compile(path: &str, expression: &str) -> Result<Regex, Problem> {
    RegexBuilder::new(&go::translated(expression)).size_limit(SIZE_LIMIT).build().map_err(|error| {
        let what = format!("{expression:?} is not a regular expression: {}", Reason(&error));
        Problem::new(path, what, "write it in RE2 syntax, as Go's regexp does")
    })
}

/// What is wrong, without the drawing that the library puts around it.
struct Reason<'a>(&'a regex::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            regex::Error::Syntax(text) => {
                let last = text.lines().last().unwrap_or_default();
                formatter.write_str(last.trim_start_matches("error: "))
            }
            regex::Error::CompiledTooBig(_) => formatter.write_str("it needs too much memory"),
            other => other.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_expression_is_explained_on_one_line() {
        let problem = compile("spec.x", "a(b").unwrap_err();
        assert_eq!(
            problem.to_string(),
            "spec.x: \"a(b\" is not a regular expression: unclosed group; write it in RE2 syntax, as Go's regexp does"
        );
    }

    #[test]
    fn an_expression_that_needs_much_memory_is_refused() {
        let problem = compile("spec.x", "((a{1000}){1000}){1000}").unwrap_err();
        assert!(problem.what.ends_with("it needs too much memory"), "{problem}");
    }

    #[test]
    fn a_match_may_be_anywhere() {
        assert!(compile("", "team-.").unwrap().is_match("the-team-a-one"));
    }
}
