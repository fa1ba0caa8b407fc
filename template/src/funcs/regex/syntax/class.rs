//! `[…]`

use super::escape::never;
use super::{Translator, code, complaint};
use crate::error::Message;
use crate::text::find;

/// The classes that are written `[:name:]`.
const NAMED: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

impl Translator<'_> {
    /// A class, translated.
    pub(super) fn class(&mut self) -> Result<String, Message> {
        let start = self.at;
        self.at += 1;
        let negated = self.rest().starts_with(b"^");
        self.at += usize::from(negated);
        let mut items = String::new();
        let mut first = true;
        while first || !self.rest().starts_with(b"]") {
            first = false;
            if let Some(class) = self.named_class()? {
                items.push_str(&class);
            } else if let Some(class) = self.unicode_class()? {
                items.push_str(&class);
            } else if let Some(class) = self.perl_class() {
                items.push_str(class);
            } else {
                items.push_str(&self.range(start)?);
            }
        }
        self.at += 1;
        Ok(match (items.is_empty(), negated) {
            (true, false) => never(),
            (true, true) => "(?s:.)".to_owned(),
            (false, false) => format!("[{items}]"),
            (false, true) => format!("[^{items}]"),
        })
    }

    fn named_class(&mut self) -> Result<Option<String>, Message> {
        let rest = self.rest();
        if rest.len() <= 2 || !rest.starts_with(b"[:") {
            return Ok(None);
        }
        let Some(end) = find(&rest[2..], b":]") else { return Ok(None) };
        let whole = &rest[..end + 4];
        let name = &rest[2..2 + end];
        let bare = name.strip_prefix(b"^").unwrap_or(name);
        if !NAMED.iter().any(|known| known.as_bytes() == bare) {
            return Err(complaint("invalid character class range", whole));
        }
        self.at += whole.len();
        Ok(Some(String::from_utf8_lossy(whole).into_owned()))
    }

    /// One character, or two with a minus between.
    fn range(&mut self, class: usize) -> Result<String, Message> {
        let start = self.at;
        let low = self.class_char(class)?;
        let mut high = low;
        if self.rest().len() >= 2 && self.rest()[0] == b'-' && self.rest()[1] != b']' {
            self.at += 1;
            high = self.class_char(class)?;
            if high < low {
                return Err(complaint("invalid character class range", self.since(start)));
            }
        }
        Ok(match (low, high) {
            (Some(low), Some(high)) if low == high => code(low),
            (Some(low), Some(high)) => format!("{}-{}", code(low), code(high)),
            _ => String::new(),
        })
    }

    fn class_char(&mut self, class: usize) -> Result<Option<char>, Message> {
        match self.rest().first() {
            None => Err(complaint("missing closing ]", &self.pattern[class..])),
            Some(b'\\') => self.escaped_char(),
            Some(_) => self.next_char().map(Some),
        }
    }
}
