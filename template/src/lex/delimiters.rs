//! What lies between actions: text, comments, and the delimiters with their trim markers.

use super::{Kind, Lexer, Token, is_space};
use crate::text::find;

const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";
/// Delimiters of at most so many bytes are looked for by their first byte, which is faster than preparing a search, and
/// looks at each byte of the text at most so many times.
const SHORT_DELIMITER: usize = 8;
/// A trim marker is a minus and one space.
const TRIM_MARKER: usize = 2;

impl<'t> Lexer<'t> {
    /// Text up to the next action, or `None` when there was only a comment to skip.
    pub(super) fn in_text(&mut self) -> Option<Token<'t>> {
        let rest = &self.text[self.pos..];
        let Some(length) = self.find_left_delim(rest) else {
            self.pos = self.text.len();
            return Some(self.emit(if self.pos > self.start { Kind::Text } else { Kind::Eof }));
        };
        if length == 0 {
            return self.left_delim();
        }
        let after_delim = length + self.left.len();
        let trimmed = if has_left_trim(&rest[after_delim..]) { trim_end(&rest[..length]) } else { length };
        self.pos += trimmed;
        let token = (trimmed > 0).then(|| self.emit(Kind::Text));
        self.pos += length - trimmed;
        self.ignore();
        token
    }

    /// Where the next action begins.
    fn find_left_delim(&self, rest: &[u8]) -> Option<usize> {
        match self.left.split_first() {
            Some((&first, more)) if more.len() < SHORT_DELIMITER => {
                memchr::memchr_iter(first, rest).find(|&at| rest[at + 1..].starts_with(more))
            }
            _ => find(rest, self.left),
        }
    }

    fn left_delim(&mut self) -> Option<Token<'t>> {
        self.pos += self.left.len();
        let marker = if has_left_trim(&self.text[self.pos..]) { TRIM_MARKER } else { 0 };
        if self.text[self.pos + marker..].starts_with(LEFT_COMMENT) {
            self.pos += marker;
            self.ignore();
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelim);
        self.inside_action = true;
        self.parens = 0;
        self.pos += marker;
        self.ignore();
        Some(token)
    }

    fn comment(&mut self) -> Option<Token<'t>> {
        let Some(length) = find(&self.text[self.pos + LEFT_COMMENT.len()..], RIGHT_COMMENT) else {
            return Some(self.error("unclosed comment"));
        };
        self.pos += LEFT_COMMENT.len() + length + RIGHT_COMMENT.len();
        let Some(trims) = self.at_right_delim() else {
            return Some(self.error("comment ends before closing delimiter"));
        };
        if trims {
            self.pos += TRIM_MARKER;
        }
        self.pos += self.right.len();
        if trims {
            self.skip_space();
        }
        self.ignore();
        None
    }

    pub(super) fn right_delim(&mut self, trims: bool) -> Token<'t> {
        if trims {
            self.pos += TRIM_MARKER;
            self.ignore();
        }
        self.pos += self.right.len();
        let token = self.emit(Kind::RightDelim);
        if trims {
            self.skip_space();
            self.ignore();
        }
        self.inside_action = false;
        token
    }

    /// Asked at every token, so the first byte decides in most cases.
    pub(super) fn is_right_delim(&self, rest: &[u8]) -> bool {
        rest.first() == self.right.first() && rest.starts_with(self.right)
    }

    /// Whether a right delimiter begins here that trims the text behind it.
    pub(super) fn is_trimming_delim(&self, rest: &[u8]) -> bool {
        has_right_trim(rest) && rest[TRIM_MARKER..].starts_with(self.right)
    }

    /// Whether the right delimiter stands here, and if so whether it trims.
    pub(super) fn at_right_delim(&self) -> Option<bool> {
        let rest = &self.text[self.pos..];
        if self.is_trimming_delim(rest) {
            return Some(true);
        }
        self.is_right_delim(rest).then_some(false)
    }
}

fn has_left_trim(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if is_space(*space))
}

fn has_right_trim(text: &[u8]) -> bool {
    matches!(text, [space, b'-', ..] if is_space(*space))
}

fn trim_end(text: &[u8]) -> usize {
    text.iter().rposition(|&byte| !is_space(byte)).map_or(0, |last| last + 1)
}
