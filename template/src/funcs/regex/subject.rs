//! A text under search.
//!
//! Go's patterns see each byte that is no UTF-8 as the character U+FFFD, and what they find are the bytes of the text
//! itself. So such a text is searched with U+FFFD in place of each of these bytes, and offsets are translated back.

use std::borrow::Cow;
use std::ops::Range;

use regex::{Captures, Regex};

use crate::category::{is_digit, is_letter};
use crate::text::runes;

/// Bytes that U+FFFD takes beyond the one it stands for.
const GROWTH: usize = 2;
/// Group numbers have fewer digits than this; a longer one is a name.
const MAX_DIGITS: usize = 9;

/// A pattern and the text that it searches.
pub(super) struct Subject<'t> {
    regex: &'t Regex,
    /// The numbers of the groups that have a name.
    names: &'t [(String, usize)],
    text: &'t [u8],
    searched: Cow<'t, str>,
    /// Where U+FFFD stands for a byte, in `searched`, ascending.
    replaced: Vec<usize>,
}

/// One match with its groups.
pub(super) struct Groups<'s> {
    subject: &'s Subject<'s>,
    captures: Captures<'s>,
}

impl<'t> Subject<'t> {
    pub(super) fn new(regex: &'t Regex, names: &'t [(String, usize)], text: &'t [u8]) -> Self {
        let mut replaced = Vec::new();
        if let Ok(searched) = std::str::from_utf8(text) {
            return Self { regex, names, text, searched: Cow::Borrowed(searched), replaced };
        }
        let mut searched = String::with_capacity(text.len());
        for (_, rune) in runes(text) {
            if !rune.valid {
                replaced.push(searched.len());
            }
            searched.push(rune.char);
        }
        Self { regex, names, text, searched: Cow::Owned(searched), replaced }
    }

    pub(super) fn is_match(&self) -> bool {
        self.regex.is_match(&self.searched)
    }

    /// Where the pattern matches, as ranges of the text.
    pub(super) fn matches(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.regex.find_iter(&self.searched).map(|found| self.range(&found.range()))
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = Groups<'_>> {
        self.regex.captures_iter(&self.searched).map(|captures| Groups { subject: self, captures })
    }

    fn range(&self, found: &Range<usize>) -> Range<usize> {
        let back = |at: usize| at - GROWTH * self.replaced.partition_point(|&replaced| replaced < at);
        back(found.start)..back(found.end)
    }
}

impl Groups<'_> {
    /// The match, as a range of the text.
    pub(super) fn whole(&self) -> Range<usize> {
        self.captures.get(0).map_or(0..0, |whole| self.subject.range(&whole.range()))
    }

    /// Appends `replacement` with `$1`, `${1}`, `$name` and `${name}` replaced by what the groups matched, and `$$` by
    /// a dollar. A name without braces is as long as it can be; a dollar before anything else stands for itself.
    pub(super) fn expand(&self, replacement: &[u8], out: &mut Vec<u8>) {
        let mut rest = replacement;
        while let Some(dollar) = memchr::memchr(b'$', rest) {
            out.extend_from_slice(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
            } else if let Some((name, after)) = reference(rest) {
                out.extend_from_slice(self.named(name));
                rest = after;
            } else {
                out.push(b'$');
            }
        }
        out.extend_from_slice(rest);
    }

    /// What the group of that number matched, or the first of that name that matched anything.
    fn named(&self, name: &str) -> &[u8] {
        let is_number = name.len() < MAX_DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
        let group = match name.parse::<usize>() {
            // No group has a number with a leading zero.
            Ok(number) if is_number && (name.len() == 1 || !name.starts_with('0')) => self.captures.get(number),
            _ => {
                let mut named = self.subject.names.iter().filter(|(known, _)| known == name);
                named.find_map(|(_, number)| self.captures.get(*number))
            }
        };
        group.map_or(&[], |group| &self.subject.text[self.subject.range(&group.range())])
    }
}

/// The name behind a dollar, and what follows it.
fn reference(text: &[u8]) -> Option<(&str, &[u8])> {
    let (inner, braced) = text.strip_prefix(b"{").map_or((text, false), |inner| (inner, true));
    let is_part = |char: char| char == '_' || is_letter(char) || is_digit(char);
    let length = runes(inner).find(|(_, rune)| !rune.valid || !is_part(rune.char)).map_or(inner.len(), |(at, _)| at);
    let (name, after) = inner.split_at(length);
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
    let after = if braced { after.strip_prefix(b"}")? } else { after };
    Some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_match_as_one_character_and_stay_what_they_are() {
        let text = b"a\xff\xfeb\xc3";
        let found = |pattern: &str| -> Vec<Range<usize>> {
            Subject::new(&Regex::new(pattern).expect("a pattern"), &[], text).matches().collect()
        };
        assert_eq!(found("a.{2}b|."), [0..4, 4..5]);
        assert_eq!(found("[^a-z]"), [1..2, 2..3, 4..5]);
        assert_eq!(found(r"^a|\x{FFFD}$"), [0..1, 4..5]);
    }

    #[test]
    fn replacements_take_groups_by_number_and_by_the_longest_name() {
        let regex = Regex::new("([a-z])(.)").expect("a pattern");
        let names = [("key".to_owned(), 1)];
        let subject = Subject::new(&regex, &names, b"k\xff");
        let expanded = |replacement: &[u8]| {
            let mut out = Vec::new();
            subject.groups().next().expect("a match").expand(replacement, &mut out);
            out
        };
        assert_eq!(expanded(b"$01$2-${key}-$1x-${1}x-$$1-${-$"), b"\xff-k--kx-$1-${-$");
    }
}
