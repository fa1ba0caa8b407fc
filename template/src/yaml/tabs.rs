//! Tabs at the beginning of lines, of which Go's parser refuses more than ours.

use granit_parser::{Event, ScalarStyle, Span};

use crate::text::line_ends;

/// What is wrong with a tab, and the line it stands on, counted from 1.
pub(super) struct WrongTab {
    pub(super) line: usize,
    pub(super) problem: &'static str,
}

const NO_TOKEN: &str = "found character that cannot start any token";
const VIOLATES: &str = "found a tab character that violates indentation";
const NO_SPACE: &str = "found a tab character where an indentation space is expected";

/// Where the parser is.
#[derive(Default)]
pub(super) struct Tabs {
    open: Vec<Collection>,
    /// Where the event before ends.
    end: usize,
}

/// A list or map that is open, in brackets or by the column where it begins.
enum Collection {
    Flow,
    Block(usize),
}

impl Tabs {
    /// Takes the next event, and tells of a tab in or behind it that Go refuses.
    pub(super) fn next(&mut self, text: &str, event: &Event<'_>, span: &Span) -> Option<WrongTab> {
        let (start, end) = (span.start.byte_offset()?, span.end.byte_offset()?);
        let before = self.end;
        self.end = end.max(before);
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                let is_flow = text.get(start..).is_some_and(|rest| rest.starts_with(['{', '[']));
                self.open.push(if is_flow { Collection::Flow } else { Collection::Block(span.start.col()) });
                None
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                None
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                in_block(text, before, span.start.col()).or_else(|| self.behind(text, end, false))
            }
            Event::Scalar(content, style, ..) => {
                self.behind(text, end, *style == ScalarStyle::Plain && !content.is_empty())
            }
            Event::Alias(_) => self.behind(text, end, false),
            _ => None,
        }
    }

    /// The first wrong tab between the end of a scalar and what follows it.
    fn behind(&self, text: &str, end: usize, is_plain: bool) -> Option<WrongTab> {
        let rest = text.get(end..)?.trim_start_matches([' ', '\t']);
        let behind = rest.trim_start_matches([' ', '\t', ':', '-', '?', '\r']);
        if !behind.is_empty() && !behind.starts_with(['\n', '#']) {
            return None;
        }
        let goes_on = is_plain && !behind.starts_with('#') && behind.len() == rest.trim_start_matches('\r').len();
        let is_flow = matches!(self.open.last(), Some(Collection::Flow));
        if is_flow && !goes_on {
            return None;
        }
        let column = self.open.iter().rev().find_map(|open| match open {
            Collection::Flow => None,
            Collection::Block(column) => Some(column + 1),
        });
        for (index, line) in behind.split('\n').skip(1).enumerate() {
            let spaces = indentation(line);
            let content = line.get(spaces..)?;
            let wrong = |problem| Some(WrongTab { line: line_at(text, end) + index + 1, problem });
            if content.starts_with('\t') {
                if !goes_on {
                    return wrong(NO_TOKEN);
                }
                if spaces < column.unwrap_or_default() {
                    return wrong(VIOLATES);
                }
            }
            if !content.trim().is_empty() {
                return None;
            }
        }
        None
    }
}

/// The first tab that stands where spaces indent a block scalar, whose head follows `before` and whose content begins at
/// `column`.
fn in_block(text: &str, before: usize, column: usize) -> Option<WrongTab> {
    let mut lines = text.get(before..)?.split('\n').enumerate();
    let (_, head) = lines.find(|(_, line)| line.contains(['|', '>']))?;
    // With a digit in its head, the first line need not tell the indentation.
    let mut is_known = head.split('#').next()?.rsplit(['|', '>']).next()?.contains(|char: char| char.is_ascii_digit());
    for (index, line) in lines {
        let spaces = indentation(line);
        let content = line.get(spaces..)?;
        if content.starts_with('\t') && (spaces < column || !is_known) {
            return Some(WrongTab { line: line_at(text, before) + index, problem: NO_SPACE });
        }
        if content.trim().is_empty() {
            continue;
        }
        if spaces < column {
            return None;
        }
        is_known = true;
    }
    None
}

fn indentation(line: &str) -> usize {
    line.bytes().take_while(|&byte| byte == b' ').count()
}

/// The line of an offset, counted from 1.
fn line_at(text: &str, at: usize) -> usize {
    1 + line_ends(text.as_bytes().get(..at).unwrap_or_default())
}
