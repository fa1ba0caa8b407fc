//! What is wrong with a YAML text, in the words of the Go library.

use granit_parser::{ErrorKind, ScanError};

use super::parse::{Open, Problem};
use crate::error::Message;
use crate::text::line_ends;

/// The text, if it is one that YAML allows at all; else the offset of the first wrong byte, and what is wrong.
pub(super) fn before_parsing(text: &[u8]) -> Result<&str, (usize, Message)> {
    let (good, bad) = match std::str::from_utf8(text) {
        Ok(text) => (text, None),
        Err(error) => {
            let (good, bad) = text.split_at(error.valid_up_to());
            (std::str::from_utf8(good).unwrap_or_default(), Some(bad))
        }
    };
    let is_control = |char: char| {
        matches!(char, '\u{fffe}' | '\u{ffff}') || char.is_control() && !matches!(char, '\t' | '\n' | '\r' | '\u{85}')
    };
    if let Some(at) = good.find(is_control) {
        return Err((at, "yaml: control characters are not allowed".into()));
    }
    if let Some(bad) = bad {
        return Err((good.len(), wrong_bytes(bad).into()));
    }
    let text = good;
    // A tab cannot indent, not even the first line.
    let content = text.trim_start_matches([' ', '\n', '\r']);
    if content.starts_with('\t') && !content.trim().is_empty() {
        return Err((text.len() - content.len(), "yaml: found character that cannot start any token".into()));
    }
    match wrong_directive(text) {
        Some(problem) => Err((0, problem.into())),
        None => Ok(text),
    }
}

/// What is wrong with bytes that begin with none of UTF-8.
fn wrong_bytes(bytes: &[u8]) -> &'static str {
    let length = match bytes {
        [0xc0..=0xdf, ..] => 2,
        [0xe0..=0xef, ..] => 3,
        [0xf0..=0xf7, ..] => 4,
        _ => return "yaml: invalid leading UTF-8 octet",
    };
    let Some(bytes) = bytes.get(..length) else { return "yaml: incomplete UTF-8 octet sequence" };
    if !bytes[1..].iter().all(|byte| byte & 0xc0 == 0x80) {
        return "yaml: invalid trailing UTF-8 octet";
    }
    match bytes {
        [0xc0 | 0xc1, ..] | [0xe0, ..=0x9f, ..] | [0xf0, ..=0x8f, ..] => "yaml: invalid length of a UTF-8 sequence",
        _ => "yaml: invalid Unicode character",
    }
}

/// What is wrong with the directives before the first document: only YAML 1.1 and tags are known.
fn wrong_directive(text: &str) -> Option<&'static str> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).peekable();
    if lines.peek().is_some_and(|line| *line == "..." || line.starts_with("... ")) {
        return Some("yaml: did not find expected node content");
    }
    lines.take_while(|line| line.starts_with('%')).find_map(|line| wrong_directive_line(&line[1..]))
}

/// What is wrong with one directive, given without its percent sign.
fn wrong_directive_line(line: &str) -> Option<&'static str> {
    let end = line.find(|char: char| !is_word(char)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return Some("yaml: could not find expected directive name");
    }
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return Some("yaml: found unexpected non-alphabetical character");
    }
    match (name, rest.split_ascii_whitespace().next()) {
        ("YAML", Some("1.1")) | ("TAG", _) => None,
        ("YAML", None) => Some("yaml: did not find expected version number"),
        ("YAML", Some(version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some("yaml: did not find expected digit or '.' character")
        }
        ("YAML", Some(version)) if version.starts_with("1.1.") => {
            Some("yaml: did not find expected comment or line break")
        }
        ("YAML", _) => Some("yaml: found incompatible YAML document"),
        _ => Some("yaml: found unknown directive name"),
    }
}

/// A character of names: of directives, anchors and aliases.
pub(super) fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-')
}

/// What is wrong with an alias: the name ends before certain signs only, and no anchor has it.
pub(super) fn unknown_alias(name: &str, line: usize) -> Problem {
    let end = name.find(|char: char| !is_word(char)).unwrap_or(name.len());
    let ends_well = name[end..].chars().next().is_none_or(|char| "?:,]}%@`".contains(char));
    if end == 0 || !ends_well {
        return Problem::Syntax(at(scanned(line), &"did not find expected alphabetic or numeric character".into()));
    }
    Problem::Meaning(Message::plain("yaml: unknown anchor '").data(&name.as_bytes()[..end]).text("' referenced"))
}

/// That a value has no key before its colon, in the last of the collections that are open.
pub(super) fn no_key(line: usize, open: &[Open]) -> Message {
    let problem = match open {
        // A pair within a list in brackets.
        [.., Open { in_brackets: true, .. }, Open { in_brackets: false, .. }] => {
            "did not find expected node content".into()
        }
        _ => missing(open.last().copied()),
    };
    at(before(line), &problem)
}

/// What is missing where a collection neither goes on nor ends.
fn missing(open: Option<Open>) -> Message {
    match open {
        None => "did not find expected <document start>".into(),
        Some(Open { is_map: true, in_brackets: true }) => "did not find expected ',' or '}'".into(),
        Some(Open { is_map: false, in_brackets: true }) => "did not find expected ',' or ']'".into(),
        Some(Open { is_map: true, .. }) => "did not find expected key".into(),
        Some(Open { .. }) => "did not find expected '-' indicator".into(),
    }
}

/// The problem with the line where Go sees it, which it leaves out for the first. `open` is the collection around it.
pub(super) fn worded(error: &ScanError, text: &str, open: Option<Open>) -> Message {
    let here = error.marker().line();
    let (line, problem): (usize, Message) = match error.kind() {
        // The end of the text counts as a line of its own.
        ErrorKind::UnclosedFlowCollection { open } => (line_ends(text.as_bytes()) + 1, unclosed(text, *open)),
        ErrorKind::ExpectedNodeContent
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofImplicitFlowMapping => (before(here), "did not find expected node content".into()),
        ErrorKind::MisplacedFlowCollectionEnd => (before(here), misplaced(error, text, open)),
        ErrorKind::MismatchedFlowCollectionEnd { open, .. } => {
            (before(here), missing(Some(Open { is_map: *open == '{', in_brackets: true })))
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidBlockScalarIndent => {
            (before(here), "did not find expected key".into())
        }
        ErrorKind::ExpectedBlockSequenceEntry => (before(here), "did not find expected '-' indicator".into()),
        // A pair within a list needs no braces of its own.
        ErrorKind::ExpectedFlowMappingSeparator if open.is_some_and(|open| !open.in_brackets) => {
            (before(here), "did not find expected ',' or ']'".into())
        }
        ErrorKind::ExpectedFlowMappingSeparator => (before(here), "did not find expected ',' or '}'".into()),
        ErrorKind::ExpectedFlowSequenceSeparator => (before(here), "did not find expected ',' or ']'".into()),
        ErrorKind::SimpleKeyExpected => (after_key(text, here), "could not find expected ':'".into()),
        ErrorKind::UnclosedQuotedScalar => end_of_stream(text),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            let open = open.or_else(|| bracket_before(error, text));
            if opens_quote(error, text) { end_of_stream(text) } else { (before(here), missing(open)) }
        }
        ErrorKind::UnknownQuotedScalarEscape => (scanned(here), "found unknown escape character".into()),
        // The spelling is Go's.
        ErrorKind::InvalidQuotedScalarHexEscape => (scanned(here), "did not find expected hexdecimal number".into()),
        ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate => (scanned(here), "found invalid Unicode character escape code".into()),
        ErrorKind::DocumentIndicatorInQuotedScalar => {
            (scanned(marked_line(text, here)), "found unexpected document indicator".into())
        }
        ErrorKind::UnexpectedCharacter { .. }
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation => (scanned(here), "found character that cannot start any token".into()),
        // Within quotes Go does not mind the indentation, only the end.
        ErrorKind::InvalidQuotedScalarIndent if marks_document(text.lines().nth(before(here)).unwrap_or_default()) => {
            (scanned(here), "found unexpected document indicator".into())
        }
        ErrorKind::InvalidQuotedScalarIndent => end_of_stream(text),
        // These two are marked where the scalar begins.
        ErrorKind::TabAtBlockScalarStart => {
            (here + 1, "found a tab character where an indentation space is expected".into())
        }
        ErrorKind::TabInPlainScalar => (here + 1, "found a tab character that violates indentation".into()),
        ErrorKind::InvalidTagEscape => (scanned(here), "did not find URI escaped octet".into()),
        ErrorKind::UndeclaredTagHandle => (before(here), "found undefined tag handle".into()),
        ErrorKind::ExpectedDocumentStart => (before(here), "did not find expected <document start>".into()),
        ErrorKind::DuplicateVersionDirective => (before(here), "found duplicate %YAML directive".into()),
        ErrorKind::RecursionLimitExceeded => (0, "exceeded max depth of 10000".into()),
        kind => {
            // What was being read when it happened is not told, and the rest may quote the text.
            let told = kind.to_string();
            let problem =
                if told.starts_with("while ") { told.split_once(", ").map(|(_, problem)| problem) } else { None };
            (scanned(here), Message::default().data(problem.unwrap_or(&told)))
        }
    };
    at(line, &problem)
}

fn at(line: usize, problem: &Message) -> Message {
    let place = if line == 0 { String::new() } else { format!("line {line}: ") };
    Message::ours(format!("yaml: {place}")).then(problem)
}

/// The end of the text in the middle of something, with its line.
fn end_of_stream(text: &str) -> (usize, Message) {
    (scanned(line_ends(text.as_bytes()) + 1), "found unexpected end of stream".into())
}

/// What a bracket that closes nothing stands for: a value where one is missing, the end of a collection elsewhere.
fn misplaced(error: &ScanError, text: &str, open: Option<Open>) -> Message {
    let before = error.marker().index();
    let line: String = text.chars().take(before).collect();
    let line = line.rsplit('\n').next().unwrap_or_default().trim_end();
    if open.is_none() || line.ends_with([':', '-', '?']) {
        "did not find expected node content".into()
    } else {
        missing(open)
    }
}

/// Whether what follows a quoted scalar is a quote that nothing closes.
fn opens_quote(error: &ScanError, text: &str) -> bool {
    let mut rest = text.chars().skip(error.marker().index());
    match rest.next() {
        Some(quote @ ('"' | '\'')) => rest.all(|char| char != quote),
        _ => false,
    }
}

/// The line of what follows a key in `line` that lacks its colon, with the end of the text on a line of its own.
fn after_key(text: &str, line: usize) -> usize {
    let follows = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let next = text.lines().enumerate().skip(line).find(|(_, line)| follows(line)).map(|(at, _)| at + 1);
    next.unwrap_or_else(|| line_ends(text.as_bytes()) + 1 + usize::from(!text.ends_with('\n')))
}

/// The first line after `line` that begins or ends a document.
fn marked_line(text: &str, line: usize) -> usize {
    text.lines().enumerate().skip(line).find(|(_, line)| marks_document(line)).map_or(line, |(at, _)| at + 1)
}

/// Whether a document begins or ends with a line.
fn marks_document(line: &str) -> bool {
    line.starts_with("---") || line.starts_with("...")
}

/// The collection that the text itself opens before a mistake that comes ahead of its event.
fn bracket_before(error: &ScanError, text: &str) -> Option<Open> {
    let mut before = text.chars().take(error.marker().index());
    let first = before.find(|char| !char.is_whitespace());
    match first {
        Some('[') => Some(Open { is_map: false, in_brackets: true }),
        Some('{') => Some(Open { is_map: true, in_brackets: true }),
        Some('-') => Some(Open { is_map: false, in_brackets: false }),
        _ => Some(Open { is_map: true, in_brackets: false }),
    }
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
