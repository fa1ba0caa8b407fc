//! Tokens with the three of look-ahead that the grammar needs.

use crate::ast::Span;
use crate::error::Message;
use crate::lex::{Kind, Lexer, Token};
use crate::text::line_ends;

/// A token source that can go back. The order of the buffer is Go's, because the line of a parse error is that of
/// its first slot.
pub(super) struct Tokens<'t> {
    lexer: Lexer<'t>,
    buffer: [Token<'t>; 3],
    pending: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn new(lexer: Lexer<'t>) -> Self {
        let blank = Token { kind: Kind::Eof, pos: 0, text: &[] };
        Self { lexer, buffer: [blank; 3], pending: 0 }
    }

    /// The line that an error found now is about.
    pub(super) fn line(&self) -> usize {
        self.line_of(self.buffer[0].pos)
    }

    /// The line on which a place lies.
    pub(super) fn line_of(&self, pos: usize) -> usize {
        1 + line_ends(self.lexer.text().get(..pos).unwrap_or_default())
    }

    /// The text that a span covers.
    pub(super) fn text(&self, span: Span) -> &'t [u8] {
        span.of(self.lexer.text())
    }

    /// What is wrong, once there was a token of [`Kind::Error`].
    pub(super) fn failure(&self) -> Message {
        self.lexer.failure()
    }

    pub(super) fn next(&mut self) -> Token<'t> {
        if self.pending > 0 {
            self.pending -= 1;
        } else {
            self.buffer[0] = self.lexer.next_token();
        }
        self.buffer[self.pending]
    }

    pub(super) fn peek(&mut self) -> Token<'t> {
        if self.pending == 0 {
            self.pending = 1;
            self.buffer[0] = self.lexer.next_token();
        }
        self.buffer[self.pending - 1]
    }

    pub(super) fn next_non_space(&mut self) -> Token<'t> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    pub(super) fn peek_non_space(&mut self) -> Token<'t> {
        let token = self.next_non_space();
        self.back();
        token
    }

    /// Takes the last token back.
    pub(super) fn back(&mut self) {
        self.pending = (self.pending + 1).min(self.buffer.len());
    }

    /// Puts `earlier` before the token that is pending.
    pub(super) fn back_to(&mut self, earlier: Token<'t>) {
        self.buffer[1] = earlier;
        self.pending = 2;
    }

    /// Puts `earliest` and `earlier` before the token that is pending.
    pub(super) fn back_to_both(&mut self, earliest: Token<'t>, earlier: Token<'t>) {
        self.buffer[1] = earlier;
        self.buffer[2] = earliest;
        self.pending = 3;
    }
}
