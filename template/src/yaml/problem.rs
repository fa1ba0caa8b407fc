//! What is wrong with a YAML text, in the words of the Go library.

use granit_parser::{ErrorKind, ScanError};

use super::escapes;
use crate::error::Message;
use crate::text::line_ends;

/// A character of names: of directives and aliases.
pub(super) fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-')
}

/// What is wrong with an alias: the name ends before certain signs only, and no anchor has it.
pub(super) fn unknown_alias(name: &str, line: usize) -> Message {
    let end = name.find(|char: char| !is_word(char)).unwrap_or(name.len());
    let ends_well = name[end..].chars().next().is_none_or(|char| "?:,]}%@`".contains(char));
    if end == 0 || !ends_well {
        return placed(scanned(line), &"did not find expected alphabetic or numeric character".into());
    }
    Message::plain("yaml: unknown anchor '").data(&name.as_bytes()[..end]).text("' referenced")
}

/// What is wrong with a key that has no text before its colon; `before` is the text up to it. Nothing where a question
/// mark announces it, and in braces, where such a key is `null`.
pub(super) fn no_key(before_it: &str, line: usize) -> Option<Message> {
    let before_it = before_it.trim_end().trim_end_matches(':').trim_end();
    let problem = match before_it.chars().last() {
        Some('?' | '{' | ',') => return None,
        Some('[') => "did not find expected node content",
        _ => "did not find expected key",
    };
    Some(placed(before(line), &problem.into()))
}

/// What is wrong with an escape in the double-quoted scalar that opens at `open`, and on which line, counted from 1.
pub(super) fn wrong_escape(text: &str, open: usize) -> Option<(usize, Message)> {
    let (at, problem) = escapes::wrong(text, open)?;
    let line = 1 + lines_before(text, at);
    Some((line, scanned_at(line, problem)))
}

/// What is wrong with a key in braces from `start` to `end` whose colon is on another line than its start, and the line of
/// the colon, counted from 1. Nothing where a question mark announces the key.
pub(super) fn key_over_lines(text: &str, start: usize, end: usize) -> Option<(usize, Message)> {
    let mut rest = text.get(end..)?.trim_start();
    while rest.starts_with('#') {
        rest = rest.get(rest.find('\n')?..)?.trim_start();
    }
    let colon = text.len() - rest.len();
    let is_whole = !rest.starts_with(':') || !text.get(start..colon)?.contains('\n');
    if is_whole || text.get(..start)?.trim_end().ends_with('?') {
        return None;
    }
    let line = 1 + lines_before(text, colon);
    Some((line, placed(before(line), &"did not find expected ',' or '}'".into())))
}

/// The problem with the line where Go sees it, which it leaves out for the first.
pub(super) fn worded(error: &ScanError, text: &str) -> Message {
    let here = error.marker().line();
    let is_escape =
        matches!(error.kind(), ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape);
    if let Some((_, problem)) = error.marker().byte_offset().filter(|_| is_escape).and_then(|at| wrong_escape(text, at))
    {
        return problem;
    }
    if let Some(problem) = missed(error, text) {
        return placed(before(here), &problem.into());
    }
    let (line, problem): (usize, Message) = match error.kind() {
        ErrorKind::UnclosedFlowCollection { open } => (last_line(text), unclosed(text, *open)),
        ErrorKind::SimpleKeyExpected => (behind_key(text, error), "could not find expected ':'".into()),
        ErrorKind::TabInPlainScalar => {
            (first_with_tab(text, here), "found a tab character that violates indentation".into())
        }
        ErrorKind::TabAtBlockScalarStart => {
            (first_with_tab(text, here), "found a tab character where an indentation space is expected".into())
        }
        // A quote right behind a quoted text opens another, which may lack its end.
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar
            if opens_quote(text, error) =>
        {
            (scanned(line_ends(text.as_bytes()) + 1), "found unexpected end of stream".into())
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            (before(here), behind_quotes(text, here).into())
        }
        ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate => (scanned(here), "found invalid Unicode character escape code".into()),
        // Marked where the scalar begins.
        ErrorKind::DocumentIndicatorInQuotedScalar => {
            (scanned(first_mark(text, here)), "found unexpected document indicator".into())
        }
        ErrorKind::InvalidTagEscape => (scanned(here), "did not find URI escaped octet".into()),
        ErrorKind::ExpectedDocumentStart => (before(here), "did not find expected <document start>".into()),
        ErrorKind::DuplicateVersionDirective => (before(here), "found duplicate %YAML directive".into()),
        ErrorKind::UndeclaredTagHandle => (scanned(here), "found undefined tag handle".into()),
        // Lines that could be indented have been.
        ErrorKind::InvalidQuotedScalarIndent => (scanned(here), "found unexpected document indicator".into()),
        ErrorKind::InvalidQuotedScalarHexEscape => (scanned(here), "did not find expected hexdecimal number".into()),
        ErrorKind::UnclosedQuotedScalar => {
            (scanned(line_ends(text.as_bytes()) + 1), "found unexpected end of stream".into())
        }
        ErrorKind::UnknownQuotedScalarEscape => (scanned(here), "found unknown escape character".into()),
        ErrorKind::UnexpectedCharacter { .. }
        | ErrorKind::TabNotAllowed
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation => (scanned(here), "found character that cannot start any token".into()),
        ErrorKind::RecursionLimitExceeded => (0, "exceeded max depth of 10000".into()),
        kind => {
            // What was being read when it happened is not told, and the rest may quote the text.
            let told = kind.to_string();
            let problem =
                if told.starts_with("while ") { told.split_once(", ").map(|(_, problem)| problem) } else { None };
            (scanned(here), Message::default().data(problem.unwrap_or(&told)))
        }
    };
    placed(line, &problem)
}

/// What Go's parser, which comes after its scanner, expected to find where it went wrong.
fn missed(error: &ScanError, text: &str) -> Option<&'static str> {
    const CONTENT: &str = "did not find expected node content";
    const KEY: &str = "did not find expected key";
    const ENTRY: &str = "did not find expected '-' indicator";
    const IN_LIST: &str = "did not find expected ',' or ']'";
    Some(match error.kind() {
        ErrorKind::MisplacedFlowCollectionEnd if follows_node(text, error) => KEY,
        ErrorKind::ExpectedNodeContent
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofImplicitFlowMapping => CONTENT,
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidBlockScalarIndent => KEY,
        ErrorKind::ExpectedBlockSequenceEntry => ENTRY,
        ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::MismatchedFlowCollectionEnd { open: '[', .. } => IN_LIST,
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            "did not find expected ',' or '}'"
        }
        _ => return None,
    })
}

/// What is missing behind a quoted text on that line that something follows, by how the line or a bracket begins.
fn behind_quotes(text: &str, line: usize) -> &'static str {
    let line = text.lines().nth(before(line)).unwrap_or_default().trim_start();
    let value = line.split_once(": ").map_or(line, |(_, value)| value.trim_start());
    if line.starts_with("- ") {
        "did not find expected '-' indicator"
    } else if value.starts_with('[') {
        "did not find expected ',' or ']'"
    } else if line.starts_with('{') || value.starts_with('{') {
        "did not find expected ',' or '}'"
    } else {
        "did not find expected key"
    }
}

/// Whether a mistake stands at a quote that nothing closes.
fn opens_quote(text: &str, error: &ScanError) -> bool {
    let mut rest = text.chars().skip(error.marker().index());
    match rest.next() {
        Some(quote @ ('"' | '\'')) => rest.all(|char| char != quote),
        _ => false,
    }
}

/// The first line behind a line that begins or ends a document.
fn first_mark(text: &str, line: usize) -> usize {
    let marks = |line: &str| line.starts_with("---") || line.starts_with("...");
    text.lines().enumerate().skip(line).find(|(_, line)| marks(line)).map_or(line, |(index, _)| index + 1)
}

/// The problem on a line, or on none for 0.
fn placed(line: usize, problem: &Message) -> Message {
    let place = if line == 0 { String::new() } else { format!("line {line}: ") };
    Message::ours(format!("yaml: {place}")).then(problem)
}

/// A problem that Go's scanner finds on a line, counted from 1.
pub(super) fn scanned_at(line: usize, problem: &'static str) -> Message {
    placed(scanned(line), &problem.into())
}

/// Where the text goes on behind a key without a colon, in lines counted from 1; a comment counts, and the end of a line
/// that is not ended belongs to the next.
fn behind_key(text: &str, error: &ScanError) -> usize {
    let key = error.marker();
    let has_comment = text.lines().nth(before(key.line())).is_some_and(|line| line.contains(" #"));
    let mut lines = text.lines().enumerate().skip(key.line());
    let goes_on = lines.find(|(_, line)| {
        let content = line.trim_start_matches(' ');
        let is_comment = content.starts_with('#');
        let is_in_column = line.len() - content.len() <= key.col();
        !content.is_empty() && if is_comment { !has_comment } else { is_in_column }
    });
    goes_on.map_or_else(|| last_line(text) + 1, |(index, _)| index + 1)
}

/// Whether the mistake stands right behind a bracket that ends a list or map.
fn follows_node(text: &str, error: &ScanError) -> bool {
    let before = text.chars().take(error.marker().index());
    before.filter(|char| !char.is_whitespace()).last().is_some_and(|char| matches!(char, ']' | '}'))
}

/// The first line behind a line that a tab indents.
fn first_with_tab(text: &str, line: usize) -> usize {
    let found = text.lines().enumerate().skip(line).find(|(_, line)| line.trim_start_matches(' ').starts_with('\t'));
    found.map_or(line, |(index, _)| index + 1)
}

/// The line of the text's end, counted from 0. The end of a line that is not ended belongs to the next.
fn last_line(text: &str) -> usize {
    line_ends(text.as_bytes()) + usize::from(!text.ends_with('\n'))
}

fn lines_before(text: &str, at: usize) -> usize {
    line_ends(text.as_bytes().get(..at).unwrap_or_default())
}

/// What is missing at the end of an open flow collection.
fn unclosed(text: &str, open: char) -> Message {
    let close = if open == '[' { ']' } else { '}' };
    if text.trim_end().ends_with(['[', '{', ',', ':']) {
        "did not find expected node content".into()
    } else {
        Message::ours(format!("did not find expected ',' or '{close}'"))
    }
}

/// A parser's line: Go counts it from 0.
fn before(line: usize) -> usize {
    line.saturating_sub(1)
}

/// A scanner's line: Go counts it from 1, but leaves out the first.
fn scanned(line: usize) -> usize {
    if line <= 1 { 0 } else { line }
}
