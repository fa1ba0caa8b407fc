//! The shape of number literals. Their value is found by the parser.

use super::{Kind, Lexer, Token, is_alphanumeric};
use crate::error::Message;

impl<'t> Lexer<'t> {
    /// A number, or two joined by a sign that make a complex one.
    pub(super) fn number(&mut self) -> Token<'t> {
        if !self.scan_number() {
            return self.bad_number();
        }
        if !self.peek().is_some_and(|next| matches!(next.char, '+' | '-')) {
            return self.emit(Kind::Number);
        }
        if self.scan_number() && self.text[self.pos - 1] == b'i' {
            return self.emit(Kind::Complex);
        }
        self.bad_number()
    }

    fn scan_number(&mut self) -> bool {
        self.accept(b"+-");
        let mut digits: &[u8] = b"0123456789_";
        let mut exponent: &[u8] = b"eE";
        if self.accept(b"0") {
            if self.accept(b"xX") {
                (digits, exponent) = (b"0123456789abcdefABCDEF_", b"pP");
            } else if self.accept(b"oO") {
                (digits, exponent) = (b"01234567_", b"");
            } else if self.accept(b"bB") {
                (digits, exponent) = (b"01_", b"");
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        self.accept(b"i");
        if self.peek().is_some_and(|next| is_alphanumeric(next.char)) {
            self.advance();
            return false;
        }
        true
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.text.get(self.pos).is_some_and(|byte| valid.contains(byte));
        self.pos += usize::from(found);
        found
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }

    fn bad_number(&mut self) -> Token<'t> {
        let text = crate::fmt::quote::quoted_text(&self.text[self.start..self.pos]);
        self.error(Message::plain("bad number syntax: ").source(text))
    }
}
