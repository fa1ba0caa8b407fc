//! Patterns of Go's syntax, rewritten for the `regex` crate.
//!
//! Both follow RE2. Here the classes `\d`, `\w`, `\s` and the boundary `\b` are ASCII; brackets and doubled signs in a
//! class are literals; `\Q…\E` quotes. The common mistakes are found here, to complain about them as Go does.

use regex::bytes::{Regex, RegexBuilder};

use super::subject::Subject;
use crate::context::Context;
use crate::error::Message;
use crate::text::first_rune;

/// Bytes that a compiled pattern may take, in steps. Matching takes time in proportion to the size and the text, so
/// the step that a pattern fits decides how long a text may be.
const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Product of the text's bytes and the pattern's size, in units of the first of [`SIZES`]: some seconds at worst.
const MAX_WORK: usize = 1 << 20;
/// How much of that work counts as a step.
const WORK_PER_STEP: usize = 64;
/// Groups inside each other; the parser of the crate recurses.
const NEST_LIMIT: u32 = 100;
/// Longest pattern that is compiled.
const MAX_PATTERN: usize = 16 << 10;

/// A compiled pattern.
pub(crate) struct Pattern {
    regex: Regex,
    /// Its size in units of the first of [`SIZES`].
    weight: usize,
}

impl Pattern {
    /// Compiles a pattern of Go's syntax.
    pub(crate) fn compile(pattern: &[u8]) -> Result<Self, Message> {
        if pattern.len() > MAX_PATTERN {
            return Err(Message::ours(format!("pattern is longer than {MAX_PATTERN} bytes; make it shorter")));
        }
        let mut rewriter = Rewriter { pattern, at: 0, out: String::new(), parens: Vec::new(), repeatable: false };
        rewriter.run()?;
        for size in SIZES {
            let mut builder = RegexBuilder::new(&rewriter.out);
            match builder.size_limit(size).dfa_size_limit(1 << 20).nest_limit(NEST_LIMIT).build() {
                Ok(regex) => return Ok(Self { regex, weight: size / SIZES[0] }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err(complaint("invalid pattern", pattern)),
            }
        }
        Err(complaint("expression too large", pattern))
    }

    /// The pattern, ready to search a text; refuses one that would take too long.
    pub(super) fn on<'t>(&'t self, context: &Context, text: &'t [u8]) -> Result<Subject<'t>, Message> {
        let work = text.len().saturating_mul(self.weight);
        context.spend(work / WORK_PER_STEP)?;
        if work > MAX_WORK {
            let most = MAX_WORK / self.weight;
            return Err(Message::ours(format!(
                "text is longer than the {most} bytes that this pattern may search; simplify it"
            )));
        }
        Ok(Subject::new(&self.regex, text))
    }
}

/// The text with all signs of the syntax escaped.
pub(super) fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// `error parsing regexp: WHAT: `PART``; the part may come from the data.
fn complaint(what: &str, part: &[u8]) -> Message {
    Message::ours(format!("error parsing regexp: {what}: `")).data(part).text("`")
}

struct Rewriter<'p> {
    pattern: &'p [u8],
    at: usize,
    out: String,
    /// Where the open groups began.
    parens: Vec<usize>,
    /// Whether something stands before that `*` can repeat.
    repeatable: bool,
}

impl Rewriter<'_> {
    fn run(&mut self) -> Result<(), Message> {
        while let Some(rune) = first_rune(self.rest()) {
            if !rune.valid {
                return Err(complaint("invalid UTF-8", self.pattern));
            }
            match rune.char {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.open()?,
                ')' => {
                    if self.parens.pop().is_none() {
                        return Err(complaint("unexpected )", self.pattern));
                    }
                    self.copy(1, true);
                }
                '*' | '+' | '?' => self.repeat(1)?,
                '{' => match repetition(self.rest()) {
                    Some(length) => self.repeat(length)?,
                    None => self.literal('{'),
                },
                '}' => self.literal('}'),
                '|' => self.copy(1, false),
                _ => self.copy(rune.width, true),
            }
        }
        match self.parens.first() {
            Some(_) => Err(complaint("missing closing )", self.pattern)),
            None => Ok(()),
        }
    }

    fn rest(&self) -> &[u8] {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    /// Takes the next bytes as they are.
    fn copy(&mut self, length: usize, repeatable: bool) {
        let part = String::from_utf8_lossy(&self.pattern[self.at..self.at + length]).into_owned();
        self.out.push_str(&part);
        self.at += length;
        self.repeatable = repeatable;
    }

    /// Takes the next byte as a literal sign.
    fn literal(&mut self, char: char) {
        self.push_literal(char);
        self.at += 1;
        self.repeatable = true;
    }

    fn push_literal(&mut self, char: char) {
        let code = u32::from(char);
        if char.is_ascii_punctuation() {
            self.push_code(code);
        } else {
            self.out.push(char);
        }
    }

    fn push_code(&mut self, code: u32) {
        let escape = format!("\\x{{{code:x}}}");
        self.out.push_str(&escape);
    }

    fn repeat(&mut self, length: usize) -> Result<(), Message> {
        let operator = self.rest()[..length].to_vec();
        if !self.repeatable {
            return Err(complaint("missing argument to repetition operator", &operator));
        }
        let largest = operator.split(|byte| !byte.is_ascii_digit()).filter_map(number).max();
        if largest.is_some_and(|largest| largest > 1000) {
            return Err(complaint("invalid repeat count", &operator));
        }
        let lazy = usize::from(self.rest().get(length) == Some(&b'?'));
        let next = &self.rest()[length + lazy..];
        if matches!(next.first(), Some(b'*' | b'+' | b'?')) || repetition(next).is_some() {
            let whole = length + lazy + repetition(next).unwrap_or(1);
            return Err(complaint("invalid nested repetition operator", &self.rest()[..whole]));
        }
        self.copy(length + lazy, true);
        Ok(())
    }

    fn open(&mut self) -> Result<(), Message> {
        let rest = self.rest();
        let known = match rest {
            [b'(', b'?', b'P', b'<', ..] => Some(4),
            [b'(', b'?', b'<', next, ..] if next.is_ascii_alphanumeric() || *next == b'_' => Some(3),
            [b'(', b'?', tail @ ..] => {
                let flags = tail.iter().take_while(|byte| b"imsU-".contains(byte)).count();
                match tail.get(flags) {
                    Some(b')') => {
                        self.copy(flags + 3, false);
                        return Ok(());
                    }
                    Some(b':') => Some(flags + 3),
                    _ => None,
                }
            }
            _ => Some(1),
        };
        let Some(length) = known else {
            let shown = rest.len().min(if rest.get(2) == Some(&b'<') { 4 } else { 3 });
            return Err(complaint("invalid or unsupported Perl syntax", &rest[..shown]));
        };
        self.parens.push(self.at);
        self.copy(length, false);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Message> {
        let Some(&next) = self.rest().get(1) else {
            return Err(complaint("trailing backslash at end of expression", b""));
        };
        if next == b'Q' {
            self.quotation();
            return Ok(());
        }
        let class = match next {
            b'd' => "[0-9]",
            b'D' => "[^0-9]",
            b'w' => "[0-9A-Za-z_]",
            b'W' => "[^0-9A-Za-z_]",
            b's' => "[\\t\\n\\x0c\\r ]",
            b'S' => "[^\\t\\n\\x0c\\r ]",
            b'b' => "(?-u:\\b)",
            b'B' => "(?-u:\\B)",
            _ => return self.character(),
        };
        self.out.push_str(class);
        self.at += 2;
        self.repeatable = true;
        Ok(())
    }

    /// `\Q…\E`
    fn quotation(&mut self) {
        self.at += 2;
        let body = self.rest();
        let end = crate::text::find(body, b"\\E");
        let text = String::from_utf8_lossy(&body[..end.unwrap_or(body.len())]).into_owned();
        self.at = end.map_or(self.pattern.len(), |end| self.at + end + 2);
        for char in text.chars() {
            self.push_literal(char);
            self.repeatable = true;
        }
    }

    /// An escape that means one character, or a Unicode class.
    fn character(&mut self) -> Result<(), Message> {
        self.repeatable = true;
        let rest = self.rest();
        match rest.get(1) {
            Some(b'p' | b'P') => {
                let length = match rest.get(2) {
                    Some(b'{') => rest.iter().position(|&byte| byte == b'}').map(|end| end + 1),
                    Some(_) => Some(3),
                    None => None,
                };
                let length = length.ok_or_else(|| complaint("invalid character class range", rest))?;
                self.copy(length.min(rest.len()), true);
            }
            Some(digit @ b'0'..=b'7') if *digit == b'0' || matches!(rest.get(2), Some(b'0'..=b'7')) => {
                let digits = rest[1..].iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let code = rest[1..=digits].iter().fold(0u32, |code, &digit| code * 8 + u32::from(digit - b'0'));
                self.push_code(code);
                self.at += 1 + digits;
            }
            Some(b'x') => {
                let length = match rest.get(2) {
                    Some(b'{') => rest.iter().position(|&byte| byte == b'}').map(|end| end + 1),
                    _ => Some(4).filter(|&length| length <= rest.len()),
                };
                let length = length.ok_or_else(|| complaint("invalid escape sequence", rest))?;
                self.copy(length, true);
            }
            Some(b'a' | b'f' | b't' | b'n' | b'r' | b'v' | b'A' | b'z') => self.copy(2, true),
            Some(&punctuation) if punctuation.is_ascii_punctuation() => {
                self.at += 1;
                self.literal(char::from(punctuation));
            }
            _ => return Err(complaint("invalid escape sequence", &rest[..rest.len().min(2)])),
        }
        Ok(())
    }

    /// `[…]`
    fn class(&mut self) -> Result<(), Message> {
        let start = self.at;
        self.copy(1, false);
        if self.rest().first() == Some(&b'^') {
            self.copy(1, false);
        }
        let mut first = true;
        loop {
            let Some(rune) = first_rune(self.rest()) else {
                return Err(complaint("missing closing ]", &self.pattern[start..]));
            };
            match rune.char {
                ']' if !first => break,
                '[' if self.rest().starts_with(b"[:") => match crate::text::find(self.rest(), b":]") {
                    Some(end) => self.copy(end + 2, true),
                    None => self.literal('['),
                },
                '[' | ']' | '&' | '~' => self.literal(rune.char),
                '\\' => self.escape()?,
                _ if !rune.valid => return Err(complaint("invalid UTF-8", self.pattern)),
                _ => self.copy(rune.width, true),
            }
            first = false;
        }
        self.copy(1, true);
        Ok(())
    }
}

/// The length of `{2}`, `{2,}` or `{2,3}` at the start of the text.
fn repetition(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(|&byte| byte == b'}')?;
    let body = text.get(1..end).filter(|_| text.first() == Some(&b'{'))?;
    let mut parts = body.splitn(2, |&byte| byte == b',');
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let first = parts.next().is_some_and(is_number);
    let second = parts.next().is_none_or(|part| part.is_empty() || is_number(part));
    (first && second).then_some(end + 1)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() { None } else { Some(crate::number::parse_uint(digits, 10).unwrap_or(u64::MAX)) }
}
