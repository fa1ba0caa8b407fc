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
    /// Whether that was a scalar that takes the blank lines behind it, as all without quotes do.
    takes_lines: bool,
}

/// A list or map that is open, in brackets or by the column where it begins.
enum Collection {
    Flow,
    Block(usize),
}

impl Tabs {
    /// Takes the next event, and tells of a tab before, in or behind it that Go refuses.
    pub(super) fn next(&mut self, text: &str, event: &Event<'_>, span: &Span) -> Option<WrongTab> {
        let (start, end) = (span.start.byte_offset()?, span.end.byte_offset()?);
        let before = self.end;
        let wrong = if self.is_flow() { None } else { between(text, before, start, self.takes_lines) };
        self.end = end.max(before);
        self.takes_lines = false;
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                // A pair within a list in brackets has none of its own.
                let is_flow = self.is_flow() || text.get(start..).is_some_and(|rest| rest.starts_with(['{', '[']));
                self.open.push(if is_flow { Collection::Flow } else { Collection::Block(span.start.col()) });
                wrong
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                wrong
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                self.takes_lines = true;
                wrong.or_else(|| in_block(text, before, span.start.col())).or_else(|| self.behind(text, end, false))
            }
            Event::Scalar(content, ScalarStyle::Plain, ..) => {
                self.takes_lines = !content.is_empty();
                wrong.or_else(|| self.within(text, start, end)).or_else(|| self.behind(text, end, !content.is_empty()))
            }
            Event::Scalar(..) | Event::Alias(_) => wrong.or_else(|| self.behind(text, end, false)),
            _ => wrong,
        }
    }

    /// Where the last event ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Whether the innermost list or map is in brackets.
    pub(super) fn is_flow(&self) -> bool {
        matches!(self.open.last(), Some(Collection::Flow))
    }

    /// The column that lines reach which belong to the innermost list or map that is not in brackets; 0 without one.
    pub(super) fn column(&self) -> usize {
        let column = self.open.iter().rev().find_map(|open| match open {
            Collection::Flow => None,
            Collection::Block(column) => Some(column + 1),
        });
        column.unwrap_or_default()
    }

    /// The first wrong tab in a scalar without quotes that goes over several lines.
    fn within(&self, text: &str, start: usize, end: usize) -> Option<WrongTab> {
        let mut lines = text.get(start..end)?.split('\n').enumerate().skip(1);
        let (index, _) = lines.find(|(_, line)| {
            let spaces = indentation(line);
            spaces < self.column() && line[spaces..].starts_with('\t')
        })?;
        Some(WrongTab { line: line_at(text, start) + index, problem: VIOLATES })
    }

    /// The first wrong tab between the end of a scalar and what follows it.
    fn behind(&self, text: &str, end: usize, is_plain: bool) -> Option<WrongTab> {
        let rest = text.get(end..)?.trim_start_matches([' ', '\t']);
        let behind = rest.trim_start_matches([' ', '\t', ':', '-', '?', '\r']);
        if !behind.is_empty() && !behind.starts_with(['\n', '#']) {
            return None;
        }
        let goes_on = is_plain && !behind.starts_with('#') && behind.len() == rest.trim_start_matches('\r').len();
        if self.is_flow() && !goes_on {
            return None;
        }
        for (index, line) in behind.split('\n').skip(1).enumerate() {
            let spaces = indentation(line);
            let content = line.get(spaces..)?;
            let wrong = |problem| Some(WrongTab { line: line_at(text, end) + index + 1, problem });
            if content.starts_with('\t') {
                if !goes_on {
                    return wrong(NO_TOKEN);
                }
                if spaces < self.column() {
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

/// The first tab between two events, outside of brackets, that indents a line or what an indicator announces. A scalar that
/// takes the blank lines behind it has looked at them.
fn between(text: &str, before: usize, start: usize, takes_lines: bool) -> Option<WrongTab> {
    let gap = text.get(before..start)?;
    let seen = if takes_lines { gap.len() - gap.trim_start().len() } else { 0 };
    let starts_line = before == 0 || gap.get(..seen)?.contains('\n');
    let is_wrong = |(index, line): &(usize, &str)| {
        let is_whole = *index > 0 || starts_line;
        let mut content = line.trim_start_matches(' ');
        if is_whole && content.starts_with('\t') {
            return true;
        }
        let announces: &[char] = if is_whole { &['-', '?', ':'] } else { &['-', '?'] };
        while let Some(behind) = content.strip_prefix(announces) {
            content = behind.trim_start_matches(' ');
            if content.starts_with('\t') {
                return true;
            }
            if content.len() == behind.len() {
                return false;
            }
        }
        false
    };
    let (index, _) = gap.get(seen..)?.split('\n').enumerate().find(is_wrong)?;
    Some(WrongTab { line: line_at(text, before + seen) + index, problem: NO_TOKEN })
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
