//! Texts that Go's parser reads and ours would not, written so that ours does, line by line the same.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Parser};

use super::parse::{Problem, STEPS_PER_EVENT};
use super::tabs::Tabs;
use super::tags::{self, WrongTag};
use super::{escapes, quoted};
use crate::context::Context;

/// What may stand before a text and means nothing there. Within a text it is a sign like others, which the parser refuses.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Stands for it in a mended text. A sign for private use, so that hardly any text has it.
const STAND_IN: char = '\u{f1d3}';

/// How often a text is read for each thing that is mended in it: to write it anew, and then by the parser.
const READINGS: usize = 2;

/// Whether what the parser refused may be something that Go reads.
pub(super) fn is_worth_it(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed
            | ErrorKind::CommentNotSeparated
            | ErrorKind::MissingTagUri
            | ErrorKind::InvalidTagTerminator
            | ErrorKind::UnknownQuotedScalarEscape
            | ErrorKind::BomInsideDocument
    )
}

/// The text without these. Each line keeps its number. Fails when the budget is used up.
pub(super) fn mended<'t>(context: &Context, text: &'t str) -> Result<Cow<'t, str>, Problem> {
    let mut text = Cow::Borrowed(text);
    while let Some(refusal) = first_refusal(context, &text)? {
        let Some(better) = refusal.mended(&text, context.value_bytes()) else { break };
        context
            .check_bytes(better.len())
            .and_then(|()| context.spend_on_bytes(better.len() * READINGS))
            .map_err(Problem::Limit)?;
        text = Cow::Owned(better);
    }
    Ok(text)
}

/// What a scalar of a mended text stood for in the original.
pub(super) fn original(scalar: &str) -> String {
    scalar.replace(STAND_IN, BYTE_ORDER_MARK.encode_utf8(&mut [0; 4]))
}

/// Whether scalars of a mended text must be put back by [`original`].
pub(super) fn has_stand_ins(mended: &str, text: &str) -> bool {
    mended.contains(STAND_IN) && !text.contains(STAND_IN)
}

/// What the parser refuses, and where.
struct Refusal {
    kind: ErrorKind,
    /// Where the parser noticed, in bytes.
    at: usize,
    /// Where the last event before ends.
    end: usize,
    /// Whether that is within brackets.
    is_flow: bool,
    /// The column that lines must reach there.
    column: usize,
}

/// The first thing that the parser refuses, unless Go refuses something before it.
fn first_refusal(context: &Context, text: &str) -> Result<Option<Refusal>, Problem> {
    let mut tabs = Tabs::default();
    let mut parser = Parser::new_from_str_with_options(text, super::parse::options());
    loop {
        context.spend(STEPS_PER_EVENT).map_err(Problem::Limit)?;
        match parser.next_event() {
            None => return Ok(None),
            Some(Ok((event, span))) => {
                let end = tabs.end();
                if tabs.next(text, &event, &span).is_some() {
                    return Ok(None);
                }
                match tags::wrong(text, end, &event) {
                    None => {}
                    Some(WrongTag::NotApart(_)) => return Ok(None),
                    Some(WrongTag::GoesOn(at)) => {
                        let (is_flow, column) = (tabs.is_flow(), tabs.column());
                        let kind = ErrorKind::InvalidTagTerminator;
                        return Ok(Some(Refusal { kind, at, end, is_flow, column }));
                    }
                }
            }
            Some(Err(error)) => {
                let refusal = error.marker().byte_offset().map(|at| Refusal {
                    kind: error.kind().clone(),
                    at,
                    end: tabs.end(),
                    is_flow: tabs.is_flow(),
                    column: tabs.column(),
                });
                return Ok(refusal.filter(|refusal| is_worth_it(&refusal.kind)));
            }
        }
    }
}

impl Refusal {
    /// The text without what is refused. It ends early where it is longer than `most` bytes.
    fn mended(&self, text: &str, most: usize) -> Option<String> {
        match self.kind {
            ErrorKind::CommentNotSeparated => with_comment_apart(text, self.at),
            ErrorKind::MissingTagUri | ErrorKind::InvalidTagTerminator => with_plain_tag(text, self.at),
            ErrorKind::BomInsideDocument => with_stand_ins(text),
            ErrorKind::UnknownQuotedScalarEscape => escapes::without_apostrophes(text, self.at),
            _ => quoted::indented_behind(text, self.end, most).or_else(|| self.with_spaces(text, most)),
        }
    }

    /// The text with spaces instead of the tabs that indent a line within brackets, where they mean nothing.
    fn with_spaces(&self, text: &str, most: usize) -> Option<String> {
        let start = text.get(..self.at)?.rfind('\n')? + 1;
        // A bracket that opened after the last event has none yet.
        let since =
            text.get(self.end..start).unwrap_or_default().trim_start_matches([' ', '\t', '\n', '\r', '-', '?', ':']);
        if !(self.is_flow || since.starts_with(['[', '{'])) {
            return None;
        }
        let (before, mut rest) = text.split_at_checked(start)?;
        let mut out = before.to_owned();
        // The next lines are like it as long as no text can go on from the line before.
        while out.len() == start || out.trim_end().ends_with(['[', '{', ',']) {
            let content = rest.trim_start_matches([' ', '\t']);
            let (blank, line) = rest.split_at(rest.len() - content.len());
            if !blank.contains('\t') {
                break;
            }
            let end = line.find('\n').map_or(line.len(), |at| at + 1);
            out.push_str(&" ".repeat(blank.len().max(self.column)));
            if out.len() > most {
                break;
            }
            out.push_str(&line[..end]);
            rest = &line[end..];
        }
        (out.len() > start).then(|| out + rest)
    }
}

/// The text with another sign for each byte order mark but one before it.
fn with_stand_ins(text: &str) -> Option<String> {
    let within = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mended = within.replace(BYTE_ORDER_MARK, STAND_IN.encode_utf8(&mut [0; 4]));
    (!text.contains(STAND_IN)).then(|| format!("{}{mended}", &text[..text.len() - within.len()]))
}

/// The text with a space between the head of a block scalar and the comment that follows it.
fn with_comment_apart(text: &str, comment: usize) -> Option<String> {
    let (before, comment) = text.split_at_checked(comment)?;
    let head = before.trim_end_matches(|char: char| char.is_ascii_digit() || matches!(char, '+' | '-'));
    head.ends_with(['|', '>']).then(|| format!("{before} {comment}"))
}

/// The text with another tag instead of one that nobody knows: both only make a text of the value.
fn with_plain_tag(text: &str, at: usize) -> Option<String> {
    let (name, behind) = tags::split(text.get(at..)?)?;
    let name = name.strip_prefix('!')?;
    let is_unknown = tags::goes_on(name) || name.strip_prefix('!').is_some_and(|name| name.contains('!'));
    (is_unknown && tags::is_apart(behind)).then(|| format!("{}!{}{behind}", &text[..at], "x".repeat(name.len())))
}
