//! Wildcards: `*` for any characters, `?` for one, `\` before a character that is meant itself.

/// Whether all of `text` matches. Takes at most as many steps as the product of both lengths.
pub fn matches(mut text: &[u8], mut pattern: &[u8]) -> bool {
    // Where to go on if what follows the last asterisk does not fit here: it then takes one character more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((after_text, after_pattern)) = one(text, pattern) {
            (text, pattern) = (after_text, after_pattern);
        } else if let [b'*', after @ ..] = pattern {
            pattern = after;
            retry = Some((text, after));
        } else if text.is_empty() && pattern.is_empty() {
            return true;
        } else if let Some((from, after)) = retry.filter(|(from, _)| !from.is_empty()) {
            text = from.get(1..).unwrap_or_default();
            pattern = after;
            retry = Some((text, after));
        } else {
            return false;
        }
    }
}

/// What is left of both if the pattern begins with one character, and the text with a fitting one.
fn one<'t, 'p>(text: &'t [u8], pattern: &'p [u8]) -> Option<(&'t [u8], &'p [u8])> {
    let (first, rest) = text.split_first()?;
    match pattern {
        [b'*', ..] | [] | [b'\\'] => None,
        [b'?', after @ ..] => Some((text.get(char_len(text)..)?, after)),
        [b'\\', wanted, after @ ..] | [wanted, after @ ..] => (wanted == first).then_some((rest, after)),
    }
}

/// Bytes of the first character; one that is not UTF-8 counts as a byte.
fn char_len(text: &[u8]) -> usize {
    let end = text.len().min(4);
    let chunk = text.get(..end).unwrap_or_default().utf8_chunks().next();
    chunk.and_then(|chunk| chunk.valid().chars().next()).map_or(1, char::len_utf8)
}
