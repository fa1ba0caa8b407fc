//! From template text to tokens, by the rules of Go's text/template.
//!
//! The lexer yields one token at a time and keeps no more state than its position, so any text costs constant memory.

use memchr::memmem::Finder;

use crate::category::{is_digit, is_letter};
use crate::error::Message;
use crate::limits::Delimiters;
use crate::text::{Rune, find, first_rune, line_ends, lossy, runes};

mod number;

const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";
/// A trim marker is a minus and one space.
const TRIM_MARKER: usize = 2;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Eof,
    Text,
    LeftDelim,
    RightDelim,
    Space,
    Assign,
    Declare,
    Pipe,
    Char,
    CharConstant,
    Number,
    Complex,
    Str,
    RawStr,
    Variable,
    Field,
    Identifier,
    Bool,
    LeftParen,
    RightParen,
    Dot,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

impl Kind {
    fn keyword(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"block" => Self::Block,
            b"break" => Self::Break,
            b"continue" => Self::Continue,
            b"define" => Self::Define,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"if" => Self::If,
            b"nil" => Self::Nil,
            b"range" => Self::Range,
            b"template" => Self::Template,
            b"with" => Self::With,
            _ => return None,
        })
    }

    fn is_keyword(self) -> bool {
        use Kind::{Block, Break, Continue, Define, Dot, Else, End, If, Nil, Range, Template, With};
        matches!(self, Dot | Nil | Block | Break | Continue | Define | Else | End | If | Range | Template | With)
    }
}

/// A token: where it starts, on which line, and its text. What an error is about, [`Lexer::failure`] says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'t> {
    pub(crate) kind: Kind,
    pub(crate) pos: usize,
    pub(crate) line: usize,
    pub(crate) text: &'t [u8],
}

impl Token<'_> {
    /// How messages name the token.
    pub(crate) fn describe(&self) -> Message {
        let text = lossy(self.text);
        match self.kind {
            Kind::Eof => "EOF".into(),
            kind if kind.is_keyword() => Message::ours(format!("<{text}>")),
            _ if self.text.len() > 10 => {
                let end = runes(self.text).nth(10).map_or(self.text.len(), |(at, _)| at);
                Message::default().source(crate::fmt::quote::quoted_text(&self.text[..end])).text("...")
            }
            _ => Message::default().source(crate::fmt::quote::quoted_text(self.text)),
        }
    }
}

/// Reads tokens off a template text.
pub(crate) struct Lexer<'t> {
    text: &'t [u8],
    delimiters: &'t Delimiters,
    left: Finder<'t>,
    pos: usize,
    start: usize,
    line: usize,
    counted: usize,
    inside_action: bool,
    parens: usize,
    failure: Option<Message>,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t [u8], delimiters: &'t Delimiters) -> Self {
        let left = Finder::new(delimiters.left());
        Self {
            text,
            delimiters,
            left,
            pos: 0,
            start: 0,
            line: 1,
            counted: 0,
            inside_action: false,
            parens: 0,
            failure: None,
        }
    }

    /// The next token; after an error or the end, the end again.
    pub(crate) fn next_token(&mut self) -> Token<'t> {
        if self.failure.is_some() {
            return Token { kind: Kind::Eof, pos: self.pos, line: self.line, text: &[] };
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

    /// Text up to the next action, or `None` when there was only a comment to skip.
    fn in_text(&mut self) -> Option<Token<'t>> {
        let rest = &self.text[self.pos..];
        let Some(length) = self.left.find(rest) else {
            self.pos = self.text.len();
            return Some(self.emit(if self.pos > self.start { Kind::Text } else { Kind::Eof }));
        };
        if length == 0 {
            return self.left_delim();
        }
        let after_delim = length + self.delimiters.left().len();
        let trimmed = if has_left_trim(&rest[after_delim..]) { trim_end(&rest[..length]) } else { length };
        self.pos += trimmed;
        let token = (trimmed > 0).then(|| self.emit(Kind::Text));
        self.pos += length - trimmed;
        self.ignore();
        token
    }

    fn left_delim(&mut self) -> Option<Token<'t>> {
        self.pos += self.delimiters.left().len();
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
        self.pos += self.delimiters.right().len();
        if trims {
            self.skip_space();
        }
        self.ignore();
        None
    }

    fn right_delim(&mut self, trims: bool) -> Token<'t> {
        if trims {
            self.pos += TRIM_MARKER;
            self.ignore();
        }
        self.pos += self.delimiters.right().len();
        let token = self.emit(Kind::RightDelim);
        if trims {
            self.skip_space();
            self.ignore();
        }
        self.inside_action = false;
        token
    }

    fn in_action(&mut self) -> Token<'t> {
        if let Some(trims) = self.at_right_delim() {
            return if self.parens == 0 { self.right_delim(trims) } else { self.error("unclosed left paren") };
        }
        let Some(rune) = self.advance() else { return self.error("unclosed action") };
        match rune.char {
            char if is_space(char) => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' if self.advance().is_some_and(|next| next.char == '=') => self.emit(Kind::Declare),
            ':' => self.error("expected :="),
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::Str, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(Kind::Variable),
            '.' if self.text.get(self.pos).is_some_and(|byte| !byte.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = self.start;
                self.number()
            }
            char if is_alphanumeric(char) => self.identifier(),
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            ')' if self.parens == 0 => self.error("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                self.emit(Kind::RightParen)
            }
            '!'..='~' => self.emit(Kind::Char),
            char => self.error(Message::plain("unrecognized character in action: ").source(code_point(char))),
        }
    }

    /// A run of space, of which the last may belong to a trimming right delimiter.
    fn space(&mut self) -> Token<'t> {
        while self.peek().is_some_and(|next| is_space(next.char)) {
            self.pos += 1;
        }
        let last = self.pos - 1;
        let trimming =
            has_right_trim(&self.text[last..]) && self.text[last + TRIM_MARKER..].starts_with(self.delimiters.right());
        if trimming {
            self.pos = last;
            if self.pos == self.start {
                return self.right_delim(true);
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Token<'t> {
        while self.peek().is_some_and(|next| is_alphanumeric(next.char)) {
            self.advance();
        }
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
        while self.peek().is_some_and(|next| is_alphanumeric(next.char)) {
            self.advance();
        }
        if self.at_terminator() { self.emit(kind) } else { self.bad_character() }
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &'static str) -> Token<'t> {
        loop {
            match self.advance().map(|rune| rune.char) {
                // An escaped character does not end the literal, unless it is the end of the line.
                Some('\\') if self.advance().is_some_and(|escaped| escaped.char != '\n') => {}
                None | Some('\\' | '\n') => return self.error(unterminated),
                Some(char) if char == quote => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Token<'t> {
        loop {
            match self.advance() {
                None => return self.error("unterminated raw quoted string"),
                Some(rune) if rune.char == '`' => return self.emit(Kind::RawStr),
                Some(_) => {}
            }
        }
    }

    /// Whether an identifier or field may end here.
    fn at_terminator(&self) -> bool {
        let Some(next) = self.peek() else { return true };
        is_space(next.char)
            || matches!(next.char, '.' | ',' | '|' | ':' | ')' | '(')
            || self.is_right_delim(&self.text[self.pos..])
    }

    /// Asked at every character, so the first byte decides in most cases.
    fn is_right_delim(&self, rest: &[u8]) -> bool {
        let right = self.delimiters.right();
        rest.first() == right.first() && rest.starts_with(right)
    }

    /// Whether the right delimiter stands here, and if so whether it trims.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = &self.text[self.pos..];
        if has_right_trim(rest) && rest[TRIM_MARKER..].starts_with(self.delimiters.right()) {
            return Some(true);
        }
        self.is_right_delim(rest).then_some(false)
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
        while self.text.get(self.pos).is_some_and(|&byte| is_space(char::from(byte))) {
            self.pos += 1;
        }
    }

    fn emit(&mut self, kind: Kind) -> Token<'t> {
        let line = self.line_of_start();
        let token = Token { kind, pos: self.start, line, text: &self.text[self.start..self.pos] };
        self.start = self.pos;
        token
    }

    fn error(&mut self, message: impl Into<Message>) -> Token<'t> {
        self.failure = Some(message.into());
        Token { kind: Kind::Error, pos: self.start, line: self.line_of_start(), text: &[] }
    }

    fn ignore(&mut self) {
        self.start = self.pos;
    }

    /// The line on which the token starts; counts each line once over the whole text.
    fn line_of_start(&mut self) -> usize {
        self.line += line_ends(&self.text[self.counted..self.start]);
        self.counted = self.start;
        self.line
    }
}

fn has_left_trim(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if is_space(char::from(*space)))
}

fn has_right_trim(text: &[u8]) -> bool {
    matches!(text, [space, b'-', ..] if is_space(char::from(*space)))
}

fn trim_end(text: &[u8]) -> usize {
    text.iter().rposition(|&byte| !is_space(char::from(byte))).map_or(0, |last| last + 1)
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
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
