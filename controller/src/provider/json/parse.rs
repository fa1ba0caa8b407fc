//! Reading JSON with bounds: depth, because values are visited recursively, and count, because an empty array is three
//! bytes of text and forty of memory.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::Json;

/// Deepest nesting. Go allows 10,000, serde_json 128; nobody nests secrets that far.
const MAX_DEPTH: u32 = 128;

/// Most values in one document: about 10 MiB of memory.
const MAX_VALUES: u32 = 200_000;

/// Why a text is not JSON, or too much of it, and where. Never holds the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed {
    what: &'static str,
    at: usize,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

pub(super) fn document(text: &[u8]) -> Result<Json, Malformed> {
    let text = String::from_utf8_lossy(text);
    let mut reader = Reader::new(&text);
    let value = reader.value(0)?;
    reader.end()?;
    Ok(value)
}

/// The members of a JSON object with the text of each, as it stands in `text`; of `null` none, as Go has it. `None`: it is no
/// object.
pub fn members(text: &str) -> Result<Option<BTreeMap<String, &str>>, Malformed> {
    let mut reader = Reader::new(text);
    reader.space();
    if reader.peek() != Some(b'{') {
        let value = reader.value(0)?;
        reader.end()?;
        return Ok((value == Json::Null).then(BTreeMap::new));
    }
    let mut found = BTreeMap::new();
    reader.object(|reader, name| {
        reader.space();
        let start = reader.at;
        reader.value(1)?;
        found.insert(name, text.get(start..reader.at).unwrap_or_default());
        Ok(())
    })?;
    reader.end()?;
    Ok(Some(found))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: u32,
}

impl<'a> Reader<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, at: 0, values: 0 }
    }

    fn value(&mut self, depth: u32) -> Result<Json, Malformed> {
        self.values += 1;
        if depth > MAX_DEPTH {
            return Err(self.problem("JSON nested too deeply"));
        }
        if self.values > MAX_VALUES {
            return Err(self.problem("JSON with too many values"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => {
                let mut members = BTreeMap::new();
                self.object(|reader, name| {
                    let value = reader.value(depth + 1)?;
                    members.insert(name, value);
                    Ok(())
                })?;
                Ok(Json::Object(members))
            }
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::Text(Zeroizing::new(self.string()?))),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(self.problem("no JSON value")),
        }
    }

    fn object(&mut self, mut member: impl FnMut(&mut Self, String) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.at += 1;
        self.space();
        if self.skip(b'}') {
            return Ok(());
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.expect(b':', "no colon after a JSON key")?;
            member(self, name)?;
            self.space();
            if self.skip(b'}') {
                return Ok(());
            }
            self.expect(b',', "no comma or brace after a JSON member")?;
        }
    }

    fn array(&mut self, depth: u32) -> Result<Json, Malformed> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.skip(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.skip(b']') {
                return Ok(Json::Array(items));
            }
            self.expect(b',', "no comma or bracket after a JSON item")?;
        }
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.expect(b'"', "no JSON string")?;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            out.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.problem("control character in a JSON string")),
                None => return Err(self.problem("JSON string without an end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        self.at += 1;
        let escaped = match self.peek() {
            Some(b'u') => {
                self.at += 1;
                return self.code_point();
            }
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(self.problem("unknown escape in a JSON string")),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// After `\u`. Half of a surrogate pair alone becomes U+FFFD, as in Go.
    fn code_point(&mut self) -> Result<char, Malformed> {
        let first = self.hex()?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        if (0xd800..0xdc00).contains(&first) && rest.starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let joined = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.problem("unknown escape in a JSON string"));
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.problem("unknown escape in a JSON string"))
    }

    fn number(&mut self) -> Result<Json, Malformed> {
        let start = self.at;
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        if self.skip(b'.') {
            self.digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            let _ = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        Ok(Json::Number(Zeroizing::new(self.text.get(start..self.at).unwrap_or_default().to_owned())))
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.problem("JSON number without digits")) } else { Ok(()) }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, Malformed> {
        if !self.text.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(self.problem("no JSON value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.problem("text after the JSON value")) }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Malformed> {
        if self.skip(byte) { Ok(()) } else { Err(self.problem(what)) }
    }

    const fn problem(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }
}
