//! Quoted scalars over several lines, which Go reads wherever their lines begin, and the parser only where they are indented.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Parser};

use super::parse::{Problem, STEPS_PER_EVENT};
use crate::context::Context;

/// Whether that is the parser's complaint about such a line.
pub(super) fn is_about_lines(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed
    )
}

/// The text with those lines indented, by spaces that mean nothing, so that each line keeps its number. Fails when the budget
/// is used up.
pub(super) fn indented<'t>(context: &Context, text: &'t str) -> Result<Cow<'t, str>, Problem> {
    let mut text = Cow::Borrowed(text);
    while let Some(end) = last_before_wrong_line(context, &text)? {
        let Some(better) = indented_behind(&text, end) else { break };
        context
            .check_bytes(better.len())
            .and_then(|()| context.spend_on_bytes(better.len()))
            .map_err(Problem::Limit)?;
        text = Cow::Owned(better);
    }
    Ok(text)
}

/// Where the last event before the first such complaint ends.
fn last_before_wrong_line(context: &Context, text: &str) -> Result<Option<usize>, Problem> {
    let mut end = 0;
    let mut parser = Parser::new_from_str_with_options(text, super::parse::options());
    loop {
        context.spend(STEPS_PER_EVENT).map_err(Problem::Limit)?;
        match parser.next_event() {
            None => return Ok(None),
            Some(Ok((_, span))) => end = span.end.byte_offset().unwrap_or(end).max(end),
            Some(Err(error)) => return Ok(is_about_lines(error.kind()).then_some(end)),
        }
    }
}

/// The text with the lines of the quoted scalar behind `start` indented, if one is next and any of its lines needs it.
fn indented_behind(text: &str, start: usize) -> Option<String> {
    let open = opening_quote(text, start)?;
    let column = text.get(..open)?.rsplit('\n').next().unwrap_or_default().chars().count();
    let pad = " ".repeat(column + 1);
    let mut out = text.get(..=open)?.to_owned();
    let mut rest = text.get(open + 1..)?;
    let quote = text.as_bytes().get(open).copied().map(char::from)?;
    let mut changed = false;
    loop {
        let is_mark = |char: char| char == quote || char == '\n' || (char == '\\' && quote == '"');
        let Some(at) = rest.find(is_mark) else {
            out.push_str(rest);
            break;
        };
        let mark = rest.get(at..)?.chars().next()?;
        out.push_str(rest.get(..at)?);
        out.push(mark);
        rest = rest.get(at + 1..)?;
        if mark == quote {
            match rest.strip_prefix('\'') {
                Some(behind) if quote == '\'' => {
                    out.push('\'');
                    rest = behind;
                }
                _ => {
                    out.push_str(rest);
                    break;
                }
            }
        } else if mark == '\\' {
            if let Some(escaped) = rest.chars().next().filter(|&escaped| escaped != '\n') {
                out.push(escaped);
                rest = rest.get(escaped.len_utf8()..)?;
            }
        } else if !rest.starts_with(&pad) && !rest.starts_with(['\n', '\r']) && !is_document_mark(rest) {
            out.push_str(&pad);
            changed = true;
        }
    }
    changed.then_some(out)
}

/// The quote that opens the next scalar: nothing but marks, tags, anchors and comments stand before it.
fn opening_quote(text: &str, start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = text.get(at..)?;
        let char = rest.chars().next()?;
        at += match char {
            '\'' | '"' => return Some(at),
            '#' => rest.find('\n')?,
            '!' | '&' => rest.find(char::is_whitespace)?,
            ' ' | '\t' | '\n' | '\r' | '-' | '?' | ':' | ',' | '[' | '{' => 1,
            _ => return None,
        };
    }
}

/// Whether a line begins or ends a document, which it may not do within quotes.
fn is_document_mark(line: &str) -> bool {
    let behind = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
    behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(char::is_whitespace))
}
