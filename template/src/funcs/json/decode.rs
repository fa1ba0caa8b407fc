//! JSON into values, with Go's messages. All numbers are floats; of equal keys the last one counts.

use std::collections::BTreeMap;

use crate::bytes::Buffer;
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::quote::quote_char;
use crate::number::parse_float;
use crate::text::{REPLACEMENT, first_rune, lossy, push_char};
use crate::value::{Elem, List, MAX_DEPTH, Map, Value, too_deep};

/// What a text stands for.
pub(crate) struct Decoded {
    /// Nil stands where a number is too large for a float; infinity in what [`decode_first`] finds.
    pub(crate) value: Value,
    /// What the outermost object is made of.
    pub(crate) members: Vec<Member>,
    /// The complaint about the first number that is too large.
    pub(crate) overflow: Option<Message>,
}

/// A key of an object with its value, as it stands there: also those that a later one of the same name overrides.
pub(crate) struct Member {
    pub(crate) name: Bytes,
    pub(crate) value: Value,
    /// The complaint about the first number in the value that is too large.
    pub(crate) overflow: Option<Message>,
}

/// What a text stands for. The outer error is a limit; the inner one says what is no JSON in the text.
pub(super) fn decode(context: &Context, text: &[u8]) -> Result<Result<Decoded, Message>, Message> {
    read(context, text, Value::Nil, |decoder| {
        decoder.skip_space();
        match decoder.peek() {
            Some(_) => Err(decoder.invalid("after top-level value")),
            None => Ok(()),
        }
    })
}

/// The value that a text begins with. What follows the value is ignored. The errors are as those of [`decode`].
pub(crate) fn decode_first(context: &Context, text: &[u8]) -> Result<Result<Decoded, Message>, Message> {
    read(context, text, Value::Float(f64::INFINITY), |_| Ok(()))
}

fn read(
    context: &Context,
    text: &[u8],
    too_large: Value,
    check_rest: fn(&mut Decoder<'_, '_>) -> Result<(), Problem>,
) -> Result<Result<Decoded, Message>, Message> {
    let mut decoder = Decoder { context, text, at: 0, depth: 0, members: Vec::new(), overflow: None, too_large };
    let result = decoder.value().and_then(|value| check_rest(&mut decoder).map(|()| value));
    match result {
        Ok(value) => Ok(Ok(Decoded { value, members: decoder.members, overflow: decoder.overflow })),
        Err(Problem::Syntax(message)) => Ok(Err(message)),
        Err(Problem::Limit(message)) => Err(message),
    }
}

enum Problem {
    Syntax(Message),
    Limit(Message),
}

struct Decoder<'d, 'o> {
    context: &'d Context<'o>,
    text: &'d [u8],
    at: usize,
    depth: u32,
    /// Of the outermost object.
    members: Vec<Member>,
    overflow: Option<Message>,
    /// What stands for a number that is too large.
    too_large: Value,
}

impl Decoder<'_, '_> {
    fn value(&mut self) -> Result<Value, Problem> {
        self.context.spend(1).map_err(Problem::Limit)?;
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::str),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            None => Err(self.unexpected_end()),
            Some(_) => Err(self.invalid("looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Problem>) -> Result<Value, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Problem::Limit(too_deep()));
        }
        self.at += 1;
        let value = read(self)?;
        self.context.account(&value).map_err(Problem::Limit)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, Problem> {
        let mut entries: BTreeMap<Bytes, Value> = BTreeMap::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Map(Map::empty()));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.invalid_or_end("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.invalid_or_end("after object key"));
            }
            let before = if self.depth == 1 { self.overflow.take() } else { None };
            let value = self.value()?;
            let key: Bytes = key.into();
            if self.depth == 1 {
                let overflow = self.overflow.clone();
                self.overflow = before.or_else(|| overflow.clone());
                self.members.push(Member { name: key.clone(), value: value.clone(), overflow });
            }
            entries.insert(key, value);
            self.skip_space();
            if self.take(b'}') {
                return Map::new(entries).map(Value::Map).map_err(Problem::Limit);
            }
            if !self.take(b',') {
                return Err(self.invalid_or_end("after object key:value pair"));
            }
        }
    }

    fn array(&mut self) -> Result<Value, Problem> {
        let mut items = Vec::new();
        self.skip_space();
        if !self.take(b']') {
            loop {
                items.push(self.value()?);
                self.skip_space();
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.invalid_or_end("after array element"));
                }
            }
        }
        List::new(Elem::Any, items).map(Value::List).map_err(Problem::Limit)
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Problem> {
        for expected in word.bytes().skip(1) {
            self.at += 1;
            if self.peek() != Some(expected) {
                return Err(self.invalid(&format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
        }
        self.at += 1;
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, Problem> {
        let start = self.at;
        if self.take(b'-') && !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.invalid("in numeric literal"));
        }
        if !self.take(b'0') {
            self.digits();
        }
        if self.take(b'.') && !self.digits() {
            return Err(self.invalid("after decimal point in numeric literal"));
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            if !self.digits() {
                return Err(self.invalid("in exponent of numeric literal"));
            }
        }
        let text = &self.text[start..self.at];
        let Some(value) = parse_float(text) else {
            // Go looks for mistakes in the whole text first, and goes on behind a number that is too large.
            self.overflow.get_or_insert_with(|| {
                Message::plain("json: cannot unmarshal number ").data(text).text(" into Go value of type float64")
            });
            return Ok(self.too_large.clone());
        };
        Ok(Value::Float(value))
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    fn string(&mut self) -> Result<Buffer, Problem> {
        self.at += 1;
        let mut out = Buffer::default();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(rune) = first_rune(rest) else { return Err(self.unexpected_end()) };
            match rune.char {
                '"' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => self.escape(&mut out)?,
                char if char < ' ' => return Err(self.invalid("in string literal")),
                char => {
                    push_char(&mut out, char);
                    self.at += rune.width;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Buffer) -> Result<(), Problem> {
        self.at += 1;
        let byte = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.unicode(out),
            _ => return Err(self.invalid("in string escape code")),
        };
        out.push(byte);
        self.at += 1;
        Ok(())
    }

    /// `\u` with four digits, or two of them that make one character; half a pair becomes the replacement.
    fn unicode(&mut self, out: &mut Buffer) -> Result<(), Problem> {
        self.at += 1;
        let first = self.four_digits()?;
        if !(0xd800..0xe000).contains(&first) {
            push_char(out, char::from_u32(first).unwrap_or(REPLACEMENT));
            return Ok(());
        }
        let before = self.at;
        if first < 0xdc00 && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let second = self.four_digits()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                push_char(out, char::from_u32(code).unwrap_or(REPLACEMENT));
                return Ok(());
            }
            self.at = before;
        }
        push_char(out, REPLACEMENT);
        Ok(())
    }

    fn four_digits(&mut self) -> Result<u32, Problem> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.invalid("in \\u hexadecimal character escape")) };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The complaint about the next byte, or that there is none where one may still come.
    fn invalid_or_end(&self, context: &str) -> Problem {
        if self.peek().is_some() { self.invalid(context) } else { self.unexpected_end() }
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn unexpected_end(&self) -> Problem {
        Problem::Syntax("unexpected end of JSON input".into())
    }

    /// The complaint about the next byte. The end of the text is a space to Go.
    fn invalid(&self, context: &str) -> Problem {
        let shown = match self.peek().unwrap_or(b' ') {
            b'\'' => "'\\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            byte => lossy(&quote_char(char::from(byte), false)),
        };
        Problem::Syntax(Message::plain("invalid character ").data(shown).text(" ").words(context))
    }
}
