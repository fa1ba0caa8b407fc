//! A text under search.
//!
//! Go's patterns see each byte that is no UTF-8 as the character U+FFFD, and what they find are the bytes of the text
//! itself. So such a text is searched with U+FFFD in place of each of these bytes, and offsets are translated back.

use std::borrow::Cow;
use std::ops::Range;

use regex_automata::util::captures::Captures;

use super::engine::Engine;
use crate::bytes::Buffer;
use crate::category::{is_digit, is_letter};
use crate::context::Context;
use crate::error::Message;
use crate::text::runes;

/// Bytes that U+FFFD takes beyond the one it stands for.
const GROWTH: usize = 2;
/// Group numbers have fewer digits than this; a longer one is a name.
const MAX_DIGITS: usize = 9;
/// Bytes of a replacement that are looked through for references in the time of a step.
const BYTES_PER_STEP: usize = 8;
/// Names of groups that are compared in the time of a step.
const NAMES_PER_STEP: usize = 16;

/// A pattern and the text that it searches.
pub(super) struct Subject<'t> {
    engine: &'t Engine,
    /// The numbers of the groups that have a name.
    names: &'t [(String, usize)],
    text: &'t [u8],
    searched: Cow<'t, str>,
    /// Where U+FFFD stands for a byte, in `searched`, ascending.
    replaced: Vec<usize>,
}

/// The matches of a pattern, one by one and none within another.
pub(super) struct Matches<'s> {
    subject: &'s Subject<'s>,
    /// Where the next search begins, in what is searched.
    from: usize,
    last_end: Option<usize>,
}

/// One match.
pub(super) struct Found<'s> {
    subject: &'s Subject<'s>,
    searched: Range<usize>,
    /// Where it stands in the text.
    pub(super) range: Range<usize>,
}

impl<'t> Subject<'t> {
    pub(super) fn new(engine: &'t Engine, names: &'t [(String, usize)], text: &'t [u8]) -> Self {
        let mut replaced = Vec::new();
        if let Ok(searched) = std::str::from_utf8(text) {
            return Self { engine, names, text, searched: Cow::Borrowed(searched), replaced };
        }
        let mut searched = String::with_capacity(text.len());
        for (_, rune) in runes(text) {
            if !rune.valid {
                replaced.push(searched.len());
            }
            searched.push(rune.char);
        }
        Self { engine, names, text, searched: Cow::Owned(searched), replaced }
    }

    pub(super) fn is_match(&self, context: &Context) -> Result<bool, Message> {
        self.engine.is_match(context, &self.searched)
    }

    pub(super) fn matches(&self) -> Matches<'_> {
        Matches { subject: self, from: 0, last_end: None }
    }

    /// What is searched, as a range of the text.
    fn range(&self, found: &Range<usize>) -> Range<usize> {
        let back = |at: usize| at - GROWTH * self.replaced.partition_point(|&replaced| replaced < at);
        back(found.start)..back(found.end)
    }
}

impl<'s> Matches<'s> {
    /// The next match. Charges the search, and fails when it would take too long.
    pub(super) fn next(&mut self, context: &Context) -> Result<Option<Found<'s>>, Message> {
        let Subject { engine, searched, .. } = self.subject;
        let mut found = engine.find(context, searched, self.from)?;
        if found.as_ref().is_some_and(|found| found.is_empty() && Some(found.end) == self.last_end) {
            // Nothing is found again where something was just found.
            let Some(passed) = searched[self.from..].chars().next() else { return Ok(None) };
            found = engine.find(context, searched, self.from + passed.len_utf8())?;
        }
        Ok(found.map(|searched| {
            self.from = searched.end;
            self.last_end = Some(searched.end);
            Found { subject: self.subject, range: self.subject.range(&searched), searched }
        }))
    }
}

impl Found<'_> {
    /// Appends `replacement` with `$1`, `${1}`, `$name` and `${name}` replaced by what the groups matched, and `$$` by
    /// a dollar. A name without braces is as long as it can be; a dollar before anything else stands for itself.
    pub(super) fn expand(&self, context: &Context, replacement: &[u8], out: &mut Buffer) -> Result<(), Message> {
        context.spend(replacement.len() / BYTES_PER_STEP)?;
        let mut groups = None;
        let mut rest = replacement;
        while let Some(dollar) = memchr::memchr(b'$', rest) {
            append(context, out, &rest[..dollar])?;
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix(b"$") {
                append(context, out, b"$")?;
                rest = after;
            } else if let Some((name, after)) = reference(rest) {
                context.spend(1 + self.subject.names.len() / NAMES_PER_STEP)?;
                let groups = match &groups {
                    Some(groups) => groups,
                    None => {
                        groups.insert(self.subject.engine.groups(context, &self.subject.searched, &self.searched)?)
                    }
                };
                append(context, out, self.named(groups, name))?;
                rest = after;
            } else {
                append(context, out, b"$")?;
            }
        }
        append(context, out, rest)
    }

    /// What the group of that number matched, or the first of that name that matched anything.
    fn named(&self, groups: &Captures, name: &str) -> &[u8] {
        let is_number = name.len() < MAX_DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
        let group = match name.parse::<usize>() {
            // No group has a number with a leading zero.
            Ok(number) if is_number && (name.len() == 1 || !name.starts_with('0')) => groups.get_group(number),
            _ => {
                let mut named = self.subject.names.iter().filter(|(known, _)| known == name);
                named.find_map(|(_, number)| groups.get_group(*number))
            }
        };
        group.map_or(&[], |group| &self.subject.text[self.subject.range(&group.range())])
    }
}

/// Appends what there is room for.
pub(super) fn append(context: &Context, out: &mut Buffer, bytes: &[u8]) -> Result<(), Message> {
    context.check_bytes(out.len().saturating_add(bytes.len()))?;
    out.extend_from_slice(bytes);
    Ok(())
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
    use crate::limits::Options;

    fn engine(pattern: &str) -> Engine {
        Engine::compile(pattern, 1 << 20).ok().expect("a pattern")
    }

    #[test]
    fn bytes_that_are_no_text_match_as_one_character_and_stay_what_they_are() {
        let text = b"a\xff\xfeb\xc3";
        let options = Options::default();
        let context = Context::new(&options);
        let found = |pattern: &str| -> Vec<Range<usize>> {
            let engine = engine(pattern);
            let subject = Subject::new(&engine, &[], text);
            let mut matches = subject.matches();
            std::iter::from_fn(|| matches.next(&context).expect("a search").map(|found| found.range)).collect()
        };
        assert_eq!(found("a.{2}b|."), [0..4, 4..5]);
        assert_eq!(found("[^a-z]"), [1..2, 2..3, 4..5]);
        assert_eq!(found(r"^a|\x{FFFD}$"), [0..1, 4..5]);
        assert_eq!(found(r"(?-u:\B)"), [2..2, 5..5]);
    }

    #[test]
    fn replacements_take_groups_by_number_and_by_the_longest_name() {
        let engine = engine("([a-z])(.)");
        let names = [("key".to_owned(), 1)];
        let subject = Subject::new(&engine, &names, b"k\xff");
        let options = Options::default();
        let context = Context::new(&options);
        let expanded = |replacement: &[u8]| {
            let mut out = Buffer::default();
            let found = subject.matches().next(&context).expect("a search").expect("a match");
            found.expand(&context, replacement, &mut out).expect("an expansion");
            out.to_vec()
        };
        assert_eq!(expanded(b"$01$2-${key}-$1x-${1}x-$$1-${-$"), b"\xff-k--kx-$1-${-$");
    }
}
