//! What begins with a backslash.

use super::{Translator, check_utf8, complaint, literal};
use crate::error::Message;
use crate::text::find;

impl Translator<'_> {
    /// A backslash outside a class.
    pub(super) fn backslash(&mut self) -> Result<(), Message> {
        match self.rest().get(1) {
            Some(b'A' | b'z') => {
                let text = if self.rest()[1] == b'A' { "\\A" } else { "\\z" };
                self.at += 2;
                self.operand(text);
            }
            Some(b'b' | b'B') => {
                let text = if self.rest()[1] == b'b' { "(?-u:\\b)" } else { "(?-u:\\B)" };
                self.at += 2;
                self.operand(text);
            }
            Some(b'C') => return Err(complaint("invalid escape sequence", &self.rest()[..2])),
            Some(b'Q') => return self.quotation(),
            _ => {
                if let Some(class) = self.unicode_class()? {
                    self.operand(&class);
                } else if let Some(class) = self.perl_class() {
                    self.operand(&format!("[{class}]"));
                } else {
                    let char = self.escaped_char()?;
                    self.operand(&char.map_or_else(never, literal));
                }
            }
        }
        Ok(())
    }

    /// `\Q…\E`
    fn quotation(&mut self) -> Result<(), Message> {
        self.at += 2;
        let body = self.rest();
        let end = self.at + find(body, b"\\E").unwrap_or(body.len());
        while self.at < end {
            let char = self.next_char()?;
            self.operand(&literal(char));
        }
        self.at = (end + 2).min(self.pattern.len());
        Ok(())
    }

    /// `\pL`, `\p{Greek}` and their negations.
    pub(super) fn unicode_class(&mut self) -> Result<Option<String>, Message> {
        let rest = self.rest();
        let [b'\\', sign @ (b'p' | b'P'), ..] = rest else { return Ok(None) };
        let start = self.at;
        self.at += 2;
        let mut name = self.next_char()?.to_string();
        if self.since(start).len() == 2 {
            return Err(complaint("invalid character class range", self.since(start)));
        }
        if name == "{" {
            let Some(end) = memchr::memchr(b'}', rest) else {
                check_utf8(rest)?;
                return Err(complaint("invalid character class range", rest));
            };
            check_utf8(&rest[3..end])?;
            name = String::from_utf8_lossy(&rest[3..end]).into_owned();
            self.at = start + end + 1;
        }
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (*sign == b'p', name),
            None => (*sign == b'P', name.as_str()),
        };
        let sign = if negated { 'P' } else { 'p' };
        if let Some(property) = known_property(name) {
            return Ok(Some(format!("\\{sign}{{{property}}}")));
        }
        Err(complaint("invalid character class range", self.since(start)))
    }

    /// The content of `\d` and its like.
    pub(super) fn perl_class(&mut self) -> Option<&'static str> {
        let class = match self.rest() {
            [b'\\', b'd', ..] => "0-9",
            [b'\\', b'D', ..] => "[^0-9]",
            [b'\\', b'w', ..] => "0-9A-Za-z_",
            [b'\\', b'W', ..] => "[^0-9A-Za-z_]",
            [b'\\', b's', ..] => "\\t\\n\\x0c\\r ",
            [b'\\', b'S', ..] => "[^\\t\\n\\x0c\\r ]",
            _ => return None,
        };
        self.at += 2;
        Some(class)
    }

    /// An escape that means one character; `None` stands for a number that is none, such as half of a pair.
    pub(super) fn escaped_char(&mut self) -> Result<Option<char>, Message> {
        let start = self.at;
        self.at += 1;
        if self.rest().is_empty() {
            return Err(complaint("trailing backslash at end of expression", b""));
        }
        let char = self.next_char()?;
        let code = match char {
            // One digit alone would be a reference to a group.
            '1'..='7' if !matches!(self.rest().first(), Some(b'0'..=b'7')) => None,
            '0'..='7' => Some(self.octal(u32::from(char) - u32::from('0'))),
            'x' => self.hexadecimal()?,
            'a' => Some(7),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            char if char.is_ascii() && !char.is_ascii_alphanumeric() => Some(u32::from(char)),
            _ => None,
        };
        match code {
            Some(code) => Ok(char::from_u32(code)),
            None => Err(complaint("invalid escape sequence", self.since(start))),
        }
    }

    /// Up to two more digits.
    fn octal(&mut self, first: u32) -> u32 {
        let mut code = first;
        for _ in 0..2 {
            let Some(&digit @ b'0'..=b'7') = self.rest().first() else { break };
            code = code * 8 + u32::from(digit - b'0');
            self.at += 1;
        }
        code
    }

    /// `\x41` or `\x{41}` behind the `x`.
    fn hexadecimal(&mut self) -> Result<Option<u32>, Message> {
        if self.rest().is_empty() {
            return Ok(None);
        }
        let first = self.next_char()?;
        if first != '{' {
            let second = self.next_char()?;
            return Ok(first.to_digit(16).zip(second.to_digit(16)).map(|(high, low)| high * 16 + low));
        }
        let mut code = 0;
        let mut digits = 0;
        while !self.rest().is_empty() {
            let char = self.next_char()?;
            if char == '}' {
                return Ok(Some(code).filter(|_| digits > 0));
            }
            let Some(digit) = char.to_digit(16) else { return Ok(None) };
            code = code * 16 + digit;
            if code > u32::from(char::MAX) {
                return Ok(None);
            }
            digits += 1;
        }
        Ok(None)
    }
}

/// A pattern that matches nothing.
pub(super) fn never() -> String {
    "[a&&b]".to_owned()
}

/// Scripts whose full name is as short as a code; Go knows no codes.
const SHORT_SCRIPTS: [&str; 13] =
    ["ahom", "cham", "kawi", "lao", "lisu", "miao", "modi", "mro", "newa", "nko", "thai", "toto", "vai"];
/// General categories by their long names.
const LONG_CATEGORIES: &str = "Letter CasedLetter UppercaseLetter LowercaseLetter TitlecaseLetter ModifierLetter OtherLetter \
    Mark NonspacingMark SpacingMark EnclosingMark CombiningMark Number DecimalNumber LetterNumber OtherNumber digit \
    Punctuation ConnectorPunctuation DashPunctuation OpenPunctuation ClosePunctuation InitialPunctuation \
    FinalPunctuation OtherPunctuation punct Symbol MathSymbol CurrencySymbol ModifierSymbol OtherSymbol Separator \
    SpaceSeparator LineSeparator ParagraphSeparator Other Control cntrl Format Surrogate PrivateUse Unassigned";

/// The crate's name of a class that Go knows; Go ignores case, spaces and connectors.
fn known_property(name: &str) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let plain: String =
        name.chars().filter(|char| !matches!(char, ' ' | '_' | '-')).map(|char| char.to_ascii_lowercase()).collect();
    let is_category = LONG_CATEGORIES.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(&plain));
    let is_special = matches!(plain.as_str(), "any" | "ascii" | "assigned");
    let is_code = plain.len() <= 2 && plain != "yi";
    let is_script = plain.len() > 4 || plain == "yi" || SHORT_SCRIPTS.contains(&plain.as_str());
    let property = match () {
        () if is_special => plain,
        () if is_category || is_code => format!("gc={plain}"),
        () if is_script => format!("sc={plain}"),
        () => return None,
    };
    regex::Regex::new(&format!("\\p{{{property}}}")).is_ok().then_some(property)
}
