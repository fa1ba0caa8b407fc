//! Go's syntax of patterns, translated for the `regex` crate.
//!
//! Both follow RE2. Here the classes `\d`, `\w`, `\s` and the boundary `\b` are ASCII; brackets and doubled signs in a
//! class are literals; `\Q…\E` quotes; flags may stand between an operand and its repetition. Mistakes are found in the
//! order in which Go finds them, and worded alike.

use crate::error::Message;
use crate::text::{first_rune, lossy};

mod class;
mod escape;

/// Most repetitions of a part, also of all repetitions around it together.
const MOST_REPETITIONS: u64 = 1_000;

/// A pattern for the crate.
pub(super) struct Translation {
    pub(super) pattern: String,
    /// Names of groups, which only we know, and their numbers.
    pub(super) names: Vec<(String, usize)>,
}

/// Translates a pattern, or complains about it.
pub(super) fn translate(pattern: &[u8]) -> Result<Translation, Message> {
    let mut translator = Translator {
        pattern,
        at: 0,
        out: String::new(),
        open: Vec::new(),
        groups: 0,
        names: Vec::new(),
        flags: Flags::default(),
        pending: String::new(),
        last: None,
        repeated_from: None,
        heaviest: 1,
    };
    translator.run()?;
    Ok(Translation { pattern: translator.out, names: translator.names })
}

/// `error parsing regexp: WHAT: `PART``; the part may come from the data.
pub(super) fn complaint(what: &str, part: &[u8]) -> Message {
    Message::plain(format!("error parsing regexp: {what}: `")).data(part).text("`")
}

/// The flags that change what we write. The others are left to the crate.
#[derive(Clone, Copy, Default)]
struct Flags {
    ungreedy: bool,
}

/// An operand that a repetition can follow.
#[derive(Clone, Copy)]
struct Operand {
    /// Where it begins in the output.
    start: usize,
    /// The largest product of repetitions inside each other.
    weight: u64,
    /// Whether it ends in a repetition sign.
    repeated: bool,
}

/// An open group.
struct Open {
    start: usize,
    flags: Flags,
    heaviest: u64,
}

struct Translator<'p> {
    pattern: &'p [u8],
    at: usize,
    out: String,
    open: Vec<Open>,
    groups: usize,
    names: Vec<(String, usize)>,
    flags: Flags,
    /// Flags that were set behind the last operand; a repetition of it still comes before them.
    pending: String,
    last: Option<Operand>,
    /// Where the repetition that was just read begins; another one may not follow at once.
    repeated_from: Option<usize>,
    /// The largest weight in the group so far.
    heaviest: u64,
}

impl<'p> Translator<'p> {
    fn run(&mut self) -> Result<(), Message> {
        while let Some(&byte) = self.rest().first() {
            let repeated_from = self.repeated_from.take();
            match byte {
                b'(' if self.rest().starts_with(b"(?") => self.perl_group()?,
                b'(' => {
                    self.at += 1;
                    self.groups += 1;
                    self.open_group("(");
                }
                b')' => self.close_group()?,
                b'|' => {
                    self.flush();
                    self.out.push('|');
                    self.at += 1;
                    self.last = None;
                }
                b'^' | b'$' | b'.' => {
                    self.at += 1;
                    self.operand(&char::from(byte).to_string());
                }
                b'[' => {
                    let class = self.class()?;
                    self.operand(&class);
                }
                b'*' | b'+' | b'?' => self.repeat(repeated_from, self.at + 1, &char::from(byte).to_string(), None)?,
                b'{' => self.braces(repeated_from)?,
                b'\\' => self.backslash()?,
                _ => {
                    let char = self.next_char()?;
                    self.operand(&literal(char));
                }
            }
        }
        self.flush();
        if self.open.is_empty() { Ok(()) } else { Err(complaint("missing closing )", self.pattern)) }
    }

    fn rest(&self) -> &'p [u8] {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    /// The text from `start` to where reading is.
    fn since(&self, start: usize) -> &'p [u8] {
        self.pattern.get(start..self.at).unwrap_or_default()
    }

    fn next_char(&mut self) -> Result<char, Message> {
        let Some(rune) = first_rune(self.rest()) else { return Ok(char::REPLACEMENT_CHARACTER) };
        if !rune.valid {
            return Err(complaint("invalid UTF-8", self.rest()));
        }
        self.at += rune.width;
        Ok(rune.char)
    }

    /// Writes something that can be repeated.
    fn operand(&mut self, text: &str) {
        self.flush();
        self.last = Some(Operand { start: self.out.len(), weight: 1, repeated: false });
        self.out.push_str(text);
    }

    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.out.push_str(&pending);
    }

    fn open_group(&mut self, text: &str) {
        self.flush();
        self.open.push(Open { start: self.out.len(), flags: self.flags, heaviest: self.heaviest });
        self.out.push_str(text);
        self.last = None;
        self.heaviest = 1;
    }

    fn close_group(&mut self) -> Result<(), Message> {
        let Some(open) = self.open.pop() else { return Err(complaint("unexpected )", self.pattern)) };
        self.flush();
        self.out.push(')');
        self.at += 1;
        self.flags = open.flags;
        self.last = Some(Operand { start: open.start, weight: self.heaviest, repeated: false });
        self.heaviest = self.heaviest.max(open.heaviest);
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,3}`, or a brace that stands for itself.
    fn braces(&mut self, repeated_from: Option<usize>) -> Result<(), Message> {
        let Some(braces) = Braces::read(self.rest()) else {
            self.at += 1;
            self.operand(&literal('{'));
            return Ok(());
        };
        let Braces { length, min, max } = braces;
        let too_large = |count: u64| count > MOST_REPETITIONS;
        if too_large(min) || max.is_some_and(|max| too_large(max) || min > max) {
            return Err(complaint("invalid repeat count", &self.rest()[..length]));
        }
        let text = lossy(&self.rest()[..length]);
        self.repeat(repeated_from, self.at + length, &text, Some(braces))
    }

    /// A repetition sign that ends at `end`, with the mark for laziness that may follow.
    fn repeat(
        &mut self,
        repeated_from: Option<usize>,
        end: usize,
        text: &str,
        braces: Option<Braces>,
    ) -> Result<(), Message> {
        let start = self.at;
        self.at = end;
        let lazy = self.rest().starts_with(b"?");
        self.at += usize::from(lazy);
        if let Some(before) = repeated_from {
            return Err(complaint("invalid nested repetition operator", self.since(before)));
        }
        let Some(mut operand) = self.last else {
            return Err(complaint("missing argument to repetition operator", self.since(start)));
        };
        if let Some(Braces { min, max, .. }) = braces {
            let most = max.unwrap_or(min);
            if most > 0 {
                operand.weight = operand.weight.saturating_mul(most);
            } else if max == Some(0) {
                operand.weight = 1;
            }
            if (min >= 2 || most >= 2) && operand.weight > MOST_REPETITIONS {
                return Err(complaint("invalid repeat count", self.since(start)));
            }
        }
        if operand.repeated {
            self.out.insert_str(operand.start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(text);
        if lazy != self.flags.ungreedy {
            self.out.push('?');
        }
        operand.repeated = true;
        self.heaviest = self.heaviest.max(operand.weight);
        self.last = Some(operand);
        self.repeated_from = Some(start);
        Ok(())
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)`, `(?flags:`.
    fn perl_group(&mut self) -> Result<(), Message> {
        let rest = self.rest();
        if rest.len() > 4 && rest.starts_with(b"(?P<") {
            return self.named_group(4);
        }
        if rest.len() > 3 && rest.starts_with(b"(?<") {
            return self.named_group(3);
        }
        let start = self.at;
        let outer = self.flags;
        let (mut on, mut off) = (String::new(), String::new());
        let mut negative = false;
        let mut empty = true;
        self.at += 2;
        while !self.rest().is_empty() {
            match self.next_char()? {
                flag @ ('i' | 'm' | 's' | 'U') => {
                    empty = false;
                    if flag == 'U' {
                        self.flags.ungreedy = !negative;
                    } else {
                        let (set, other) = if negative { (&mut off, &mut on) } else { (&mut on, &mut off) };
                        other.retain(|known| known != flag);
                        if !set.contains(flag) {
                            set.push(flag);
                        }
                    }
                }
                '-' if !negative => {
                    negative = true;
                    empty = true;
                }
                end @ (':' | ')') if !(negative && empty) => {
                    let mut flags = on;
                    if !off.is_empty() {
                        flags.push('-');
                        flags.push_str(&off);
                    }
                    if end == ')' {
                        if !flags.is_empty() {
                            self.pending.extend(["(?", &flags, ")"]);
                        }
                    } else {
                        let inner = std::mem::replace(&mut self.flags, outer);
                        self.open_group(&format!("(?{flags}:"));
                        self.flags = inner;
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        Err(complaint("invalid or unsupported Perl syntax", self.since(start)))
    }

    fn named_group(&mut self, prefix: usize) -> Result<(), Message> {
        let rest = self.rest();
        let Some(end) = memchr::memchr(b'>', rest) else {
            check_utf8(rest)?;
            return Err(complaint("invalid named capture", rest));
        };
        let name = rest.get(prefix..end).unwrap_or_default();
        check_utf8(name)?;
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return Err(complaint("invalid named capture", &rest[..=end]));
        }
        self.groups += 1;
        self.names.push((lossy(name), self.groups));
        self.at += end + 1;
        self.open_group("(");
        Ok(())
    }
}

/// A repetition in braces, read.
#[derive(Clone, Copy)]
struct Braces {
    length: usize,
    min: u64,
    /// Nothing means without end.
    max: Option<u64>,
}

impl Braces {
    /// Reads it at the start of a text; `None` means that the brace stands for itself.
    fn read(text: &[u8]) -> Option<Self> {
        let body = text.strip_prefix(b"{")?;
        let (min, rest) = count(body)?;
        if let Some(tail) = rest.strip_prefix(b"}") {
            return Some(Self { length: text.len() - tail.len(), min, max: Some(min) });
        }
        let rest = rest.strip_prefix(b",")?;
        if let Some(tail) = rest.strip_prefix(b"}") {
            return Some(Self { length: text.len() - tail.len(), min, max: None });
        }
        let (max, rest) = count(rest)?;
        let tail = rest.strip_prefix(b"}")?;
        Some(Self { length: text.len() - tail.len(), min, max: Some(max) })
    }
}

/// Digits without leading zeros; a number too large to hold is too large for everything else.
fn count(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with(b"0")) {
        return None;
    }
    Some((crate::number::parse_uint(digits, 10).unwrap_or(u64::MAX), rest))
}

fn check_utf8(text: &[u8]) -> Result<(), Message> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(complaint("invalid UTF-8", &text[error.valid_up_to()..])),
    }
}

/// A character that means itself to the crate.
fn literal(char: char) -> String {
    if char.is_ascii_alphanumeric() || !char.is_ascii() { char.to_string() } else { code(char) }
}

fn code(char: char) -> String {
    format!("\\x{{{:x}}}", u32::from(char))
}
