//! UTF-8 on byte strings that need not be UTF-8, as Go reads them.

/// What Go puts where bytes are not UTF-8.
pub(crate) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// One step of [`runes`]: the character, whether it was valid, and the bytes it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rune {
    pub(crate) char: char,
    pub(crate) valid: bool,
    pub(crate) width: usize,
}

/// The first character of `bytes`; a byte that starts no character counts as one invalid character of width 1.
#[inline]
pub(crate) fn first_rune(bytes: &[u8]) -> Option<Rune> {
    match *bytes.first()? {
        ascii @ 0..=0x7f => Some(Rune { char: char::from(ascii), valid: true, width: 1 }),
        lead => Some(long_rune(bytes, lead)),
    }
}

/// A character of more than one byte.
fn long_rune(bytes: &[u8], lead: u8) -> Rune {
    let width = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let decoded = bytes.get(..width).and_then(|part| std::str::from_utf8(part).ok()).and_then(|s| s.chars().next());
    match decoded {
        Some(char) => Rune { char, valid: true, width },
        None => Rune { char: REPLACEMENT, valid: false, width: 1 },
    }
}

/// All characters of `bytes`, each with the offset at which it starts.
pub(crate) fn runes(bytes: &[u8]) -> impl Iterator<Item = (usize, Rune)> + '_ {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rune = first_rune(bytes.get(offset..)?)?;
        let at = offset;
        offset += rune.width;
        Some((at, rune))
    })
}

/// The last character of `bytes`.
pub(crate) fn last_rune(bytes: &[u8]) -> Option<Rune> {
    let longest = bytes.len().min(4);
    let whole = (2..=longest).rev().find_map(|width| {
        let rune = first_rune(&bytes[bytes.len() - width..])?;
        (rune.valid && rune.width == width).then_some(rune)
    });
    whole.or_else(|| first_rune(bytes.get(bytes.len().checked_sub(1)?..)?))
}

/// How many characters Go counts in `bytes`.
pub(crate) fn rune_count(bytes: &[u8]) -> usize {
    runes(bytes).count()
}

/// `bytes` as text, each invalid byte replaced on its own.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => runes(bytes).map(|(_, rune)| rune.char).collect(),
    }
}

/// Appends a character to a byte string.
pub(crate) fn push_char(out: &mut impl for<'b> Extend<&'b u8>, char: char) {
    out.extend(char.encode_utf8(&mut [0; 4]).as_bytes());
}

/// How many lines end in `bytes`.
pub(crate) fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |count, &byte| count + usize::from(byte == b'\n'))
}

/// Where `needle` first stands in `haystack`, found in linear time; an empty needle stands at 0.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}
