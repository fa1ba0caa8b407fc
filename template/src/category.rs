//! The Unicode categories that Go asks for. The standard library's own questions are wider: its letters include marks,
//! its capitals include Roman numerals.

use std::sync::LazyLock;

use regex::Regex;

/// A letter: category L.
pub(crate) fn is_letter(char: char) -> bool {
    static LETTERS: LazyLock<Option<Regex>> = LazyLock::new(|| class(r"\pL"));
    if char.is_ascii() { char.is_ascii_alphabetic() } else { has(&LETTERS, char) }
}

/// A decimal digit of any script: category Nd.
pub(crate) fn is_digit(char: char) -> bool {
    static DIGITS: LazyLock<Option<Regex>> = LazyLock::new(|| class(r"\p{Nd}"));
    if char.is_ascii() { char.is_ascii_digit() } else { has(&DIGITS, char) }
}

/// A capital: category Lu.
pub(crate) fn is_upper(char: char) -> bool {
    static CAPITALS: LazyLock<Option<Regex>> = LazyLock::new(|| class(r"\p{Lu}"));
    if char.is_ascii() { char.is_ascii_uppercase() } else { has(&CAPITALS, char) }
}

/// A small letter: category Ll.
pub(crate) fn is_lower(char: char) -> bool {
    static SMALL: LazyLock<Option<Regex>> = LazyLock::new(|| class(r"\p{Ll}"));
    if char.is_ascii() { char.is_ascii_lowercase() } else { has(&SMALL, char) }
}

/// Punctuation: category P, to which `$+<=>^` and their like do not belong.
pub(crate) fn is_punctuation(char: char) -> bool {
    static PUNCTUATION: LazyLock<Option<Regex>> = LazyLock::new(|| class(r"\pP"));
    if char.is_ascii() { char.is_ascii_punctuation() && !"$+<=>^`|~".contains(char) } else { has(&PUNCTUATION, char) }
}

/// Whether Go holds the character for visible: letters, marks, numbers, punctuation, symbols and the space.
pub(crate) fn is_print(char: char) -> bool {
    static VISIBLE: LazyLock<Option<Regex>> = LazyLock::new(|| class(r"[\pL\pM\pN\pP\pS]"));
    if char.is_ascii() { matches!(char, ' '..='~') } else { has(&VISIBLE, char) }
}

fn class(pattern: &str) -> Option<Regex> {
    Regex::new(&format!(r"\A{pattern}\z")).ok()
}

fn has(class: &LazyLock<Option<Regex>>, char: char) -> bool {
    class.as_ref().is_some_and(|class| class.is_match(char.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_narrower_than_properties() {
        assert!(is_letter('é') && !is_letter('\u{301}') && !is_letter('Ⅷ'));
        assert!(is_digit('٣') && !is_digit('²'));
        assert!(is_upper('É') && !is_upper('Ⓐ') && is_lower('é') && !is_lower('ª'));
        assert!(is_punctuation('§') && !is_punctuation('=') && is_punctuation('@'));
        assert!(is_print('☃') && !is_print('\u{a0}') && !is_print('\u{200b}') && is_print('\u{301}'));
    }
}
