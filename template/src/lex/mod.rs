//! From template text to tokens, by the rules of Go's text/template.
//!
//! The lexer yields one token at a time and keeps no more state than its position, so any text costs constant memory.

use crate::category::{is_digit, is_letter};
use crate::error::Message;
use crate::limits::Delimiters;
use crate::text::{Rune, first_rune};

mod delimiters;
mod number;
mod token;

pub(crate) use token::{Kind, Token};

/// Reads tokens off a template text.
pub(crate) struct Lexer<'t> {
    text: &'t [u8],
    left: &'t [u8],
    right: &'t [u8],
    pos: usize,
    start: usize,
    inside_action: bool,
    parens: usize,
    failure: Option<Message>,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t [u8], delimiters: &'t Delimiters) -> Self {
        let (left, right) = (delimiters.left(), delimiters.right());
        Self { text, left, right, pos: 0, start: 0, inside_action: false, parens: 0, failure: None }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &'t [u8] {
        self.text
    }

    /// The next token; after an error or the end, the end again.
    pub(crate) fn next_token(&mut self) -> Token<'t> {
        if self.failure.is_some() {
            return Token { kind: Kind::Eof, pos: self.start, text: &[] };
        }
        loop {
            let token = if self.inside_action { Some(self.in_action()) } else { self.in_text() };
            if let Some(token) = token {
                return token;
            }
        }
    }

    /// What is wrong, once there was a token of [`Kind::Error`].
    pub(crate) fn failure(&self) -> Message {
        self.failure.clone().unwrap_or_default()
    }

    fn in_action(&mut self) -> Token<'t> {
        let Some(&byte) = self.text.get(self.pos) else { return self.error("unclosed action") };
        // A space may belong to the right delimiter.
        if (is_space(byte) || self.right.first() == Some(&byte))
            && let Some(trims) = self.at_right_delim()
        {
            return if self.parens == 0 { self.right_delim(trims) } else { self.error("unclosed left paren") };
        }
        self.pos += 1;
        match byte {
            byte if is_space(byte) => self.space(),
            b'=' => self.emit(Kind::Assign),
            b':' if self.text.get(self.pos) == Some(&b'=') => {
                self.pos += 1;
                self.emit(Kind::Declare)
            }
            b':' => self.error("expected :="),
            b'|' => self.emit(Kind::Pipe),
            b'"' => self.quoted(b'"', Kind::Str, "unterminated quoted string"),
            b'\'' => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant"),
            b'`' => self.raw_string(),
            b'$' => self.field_or_variable(Kind::Variable),
            b'.' if self.text.get(self.pos).is_some_and(|byte| !byte.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field)
            }
            b'.' | b'+' | b'-' | b'0'..=b'9' => {
                self.pos = self.start;
                self.number()
            }
            b'(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            b')' if self.parens == 0 => self.error("unexpected right paren"),
            b')' => {
                self.parens -= 1;
                self.emit(Kind::RightParen)
            }
            byte if is_word(byte) => self.identifier(),
            b'!'..=b'~' => self.emit(Kind::Char),
            _ => self.beyond_ascii(),
        }
    }

    /// A character that ASCII has no sign for.
    fn beyond_ascii(&mut self) -> Token<'t> {
        self.pos = self.start;
        match self.peek() {
            Some(rune) if is_alphanumeric(rune.char) => self.identifier(),
            rune => {
                let char = rune.map_or('\0', |rune| rune.char);
                self.error(Message::plain("unrecognized character in action: ").source(code_point(char)))
            }
        }
    }

    /// A run of space, of which the last may belong to a trimming right delimiter.
    fn space(&mut self) -> Token<'t> {
        self.skip_space();
        let last = self.pos - 1;
        if self.is_trimming_delim(&self.text[last..]) {
            self.pos = last;
            if self.pos == self.start {
                return self.right_delim(true);
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Token<'t> {
        self.skip_word();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let word = &self.text[self.start..self.pos];
        let kind = match word {
            b"true" | b"false" => Kind::Bool,
            _ => Kind::keyword(word).unwrap_or(Kind::Identifier),
        };
        self.emit(kind)
    }

    /// `.name` or `$name`, whose mark is read already.
    fn field_or_variable(&mut self, kind: Kind) -> Token<'t> {
        if self.at_terminator() {
            return self.emit(if kind == Kind::Variable { kind } else { Kind::Dot });
        }
        self.skip_word();
        if self.at_terminator() { self.emit(kind) } else { self.bad_character() }
    }

    /// A literal between quotes, of which the first is read. Whatever ends or escapes is ASCII, so bytes will do.
    fn quoted(&mut self, quote: u8, kind: Kind, unterminated: &'static str) -> Token<'t> {
        while let Some(&byte) = self.text.get(self.pos) {
            self.pos += 1;
            match byte {
                b'\n' => break,
                // An escaped character does not end the literal, unless it is the end of the line.
                b'\\' => match self.text.get(self.pos) {
                    Some(b'\n') | None => break,
                    Some(_) => self.pos += 1,
                },
                byte if byte == quote => return self.emit(kind),
                _ => {}
            }
        }
        self.error(unterminated)
    }

    fn raw_string(&mut self) -> Token<'t> {
        let Some(length) = memchr::memchr(b'`', &self.text[self.pos..]) else {
            return self.error("unterminated raw quoted string");
        };
        self.pos += length + 1;
        self.emit(Kind::RawStr)
    }

    /// Whether an identifier or field may end here.
    fn at_terminator(&self) -> bool {
        let Some(&next) = self.text.get(self.pos) else { return true };
        is_space(next)
            || matches!(next, b'.' | b',' | b'|' | b':' | b')' | b'(')
            || self.is_right_delim(&self.text[self.pos..])
    }

    fn bad_character(&mut self) -> Token<'t> {
        let char = self.peek().map_or('\0', |rune| rune.char);
        self.error(Message::plain("bad character ").source(code_point(char)))
    }

    fn peek(&self) -> Option<Rune> {
        first_rune(&self.text[self.pos..])
    }

    fn advance(&mut self) -> Option<Rune> {
        let rune = self.peek()?;
        self.pos += rune.width;
        Some(rune)
    }

    fn skip_space(&mut self) {
        while self.text.get(self.pos).is_some_and(|&byte| is_space(byte)) {
            self.pos += 1;
        }
    }

    /// Goes behind letters, digits and underscores.
    fn skip_word(&mut self) {
        loop {
            while self.text.get(self.pos).is_some_and(|&byte| is_word(byte)) {
                self.pos += 1;
            }
            match self.peek() {
                Some(rune) if !rune.char.is_ascii() && is_alphanumeric(rune.char) => self.pos += rune.width,
                _ => return,
            }
        }
    }

    fn emit(&mut self, kind: Kind) -> Token<'t> {
        let token = Token { kind, pos: self.start, text: &self.text[self.start..self.pos] };
        self.start = self.pos;
        token
    }

    fn error(&mut self, message: impl Into<Message>) -> Token<'t> {
        self.failure = Some(message.into());
        Token { kind: Kind::Error, pos: self.start, text: &[] }
    }

    fn ignore(&mut self) {
        self.start = self.pos;
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// What [`is_alphanumeric`] is among ASCII.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_alphanumeric(char: char) -> bool {
    char == '_' || is_letter(char) || is_digit(char)
}

/// A character as messages name it: `U+0040 '@'`.
fn code_point(char: char) -> String {
    let mut text = format!("U+{:04X}", u32::from(char));
    if crate::category::is_print(char) {
        text.extend([" '", char.encode_utf8(&mut [0; 4]), "'"]);
    }
    text
}
