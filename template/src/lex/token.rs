//! What a template text is made of.

use crate::ast::Span;
use crate::error::Message;
use crate::fmt::quote::quoted_text;
use crate::text::{lossy, runes};

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
    /// The keyword that a word is.
    pub(super) fn keyword(word: &[u8]) -> Option<Self> {
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

/// A token: where it starts, and its text. What an error is about, [`Lexer::failure`] says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'t> {
    pub(crate) kind: Kind,
    pub(crate) pos: usize,
    pub(crate) text: &'t [u8],
}

impl Token<'_> {
    /// The place of the token in the text.
    pub(crate) fn span(&self) -> Span {
        Span::new(self.pos, self.pos + self.text.len())
    }

    /// How messages name the token.
    pub(crate) fn describe(&self) -> Message {
        let text = lossy(self.text);
        match self.kind {
            Kind::Eof => "EOF".into(),
            kind if kind.is_keyword() => Message::ours(format!("<{text}>")),
            _ if self.text.len() > 10 => {
                let end = runes(self.text).nth(10).map_or(self.text.len(), |(at, _)| at);
                Message::default().source(quoted_text(&self.text[..end])).text("...")
            }
            _ => Message::default().source(quoted_text(self.text)),
        }
    }
}
