//! Where tags end: Go's parser takes commas and square brackets for a part of them, and ours does not.

use granit_parser::Event;

use super::problem::is_word;
use crate::text::line_ends;

/// What is wrong with a tag as the parser read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WrongTag {
    /// Something stands right behind the tag at that offset; Go refuses it.
    NotApart(usize),
    /// The tag at that offset goes on for Go.
    GoesOn(usize),
}

impl WrongTag {
    /// The line of the tag, counted from 1.
    pub(super) fn line(self, text: &str) -> usize {
        let (Self::NotApart(at) | Self::GoesOn(at)) = self;
        1 + line_ends(text.as_bytes().get(..at).unwrap_or_default())
    }
}

/// What Go says of a tag that something follows.
pub(super) const NOT_APART: &str = "did not find expected whitespace or line break";

/// The signs of tags besides those of words.
const SIGNS: &str = ";/?:@&=+$,.!~*'()[]%";
/// Those of them that end a tag for the parser.
const ENDS: [char; 3] = [',', '[', ']'];

/// The name of the tag that begins a text, and what is behind it.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let behind = text.trim_start_matches(|char| is_word(char) || SIGNS.contains(char));
    Some((text.strip_suffix(behind)?, behind))
}

/// Whether a tag is one that only Go reads to its end.
pub(super) fn goes_on(name: &str) -> bool {
    name.contains(ENDS)
}

/// Whether something ends a tag that stands before it.
pub(super) fn is_apart(behind: &str) -> bool {
    behind.is_empty() || behind.starts_with([' ', '\t', '\n', '\r'])
}

/// What is wrong with the tag of an event, which follows what ends at `before`.
pub(super) fn wrong(text: &str, before: usize, event: &Event<'_>) -> Option<WrongTag> {
    let (Event::Scalar(.., Some(_)) | Event::SequenceStart(.., Some(_)) | Event::MappingStart(.., Some(_))) = event
    else {
        return None;
    };
    let rest = at_tag(text.get(before..)?)?;
    let at = text.len() - rest.len();
    let (name, behind) = split(rest)?;
    if name == "!" && behind.starts_with('<') {
        let (_, behind) = behind.split_once('>')?;
        return (!is_apart(behind)).then_some(WrongTag::NotApart(at));
    }
    match (is_apart(behind), goes_on(name)) {
        (false, _) => Some(WrongTag::NotApart(at)),
        (true, true) => Some(WrongTag::GoesOn(at)),
        (true, false) => None,
    }
}

/// The text from its tag on, if only signs that announce a node, comments and an anchor stand before it.
fn at_tag(mut text: &str) -> Option<&str> {
    loop {
        text = text.trim_start_matches([' ', '\t', '\n', '\r', '-', '?', ':', ',', '[', '{']);
        match text.chars().next()? {
            '!' => return Some(text),
            '#' | '%' => text = text.get(text.find('\n')?..)?,
            '&' => text = text.get(text.find([' ', '\t', '\n', '\r'])?..)?,
            _ => return None,
        }
    }
}
