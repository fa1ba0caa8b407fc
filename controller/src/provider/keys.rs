//! Names of values as keys of a Secret.

use std::{fmt::Write as _, sync::LazyLock};

use api::external_secret::ConversionStrategy;
use regex::Regex;

use super::Values;
use crate::error::{Code, Error};

/// Replaces characters that a Secret's key cannot have.
pub fn convert(strategy: ConversionStrategy, values: Values) -> Result<Values, Error> {
    let mut converted = Values::new();
    for (key, value) in values {
        let new = convert_one(strategy, &key);
        if converted.insert(new.clone(), value).is_some() {
            return Err(Error::fix(
                Code::KeyConflict,
                format!("two names become the key \"{new}\" after conversion; use rewrite to keep them apart"),
            ));
        }
    }
    Ok(converted)
}

fn convert_one(strategy: ConversionStrategy, key: &str) -> String {
    let mut new = String::with_capacity(key.len());
    for c in key.chars() {
        match strategy {
            _ if is_allowed(c) => new.push(c),
            ConversionStrategy::Default => new.push('_'),
            ConversionStrategy::Unicode => {
                // Writing to a String cannot fail.
                let _ = write!(new, "_U{:04x}_", u32::from(c));
            }
        }
    }
    new
}

/// Whether a character stays: letters and numbers of any script (categories L and N), which Kubernetes may still refuse.
pub fn is_allowed(c: char) -> bool {
    static LETTER_OR_NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\A[\pL\pN]\z").ok());
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    }
    LETTER_OR_NUMBER.as_ref().is_some_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret_bytes::SecretBytes;

    /// Ranges of `unicode.IsLetter(r) || unicode.IsNumber(r)` of Go 1.26 (Unicode 15.0).
    const LETTERS: &str = include_str!("../../tests/fixtures/letters.txt");

    fn values(keys: &[&str]) -> Values {
        keys.iter().map(|key| ((*key).to_owned(), SecretBytes::from("v"))).collect()
    }

    #[test]
    fn keys_are_converted_by_strategy() {
        let table = [
            ("a/b c", "a_b_c", "a_U002f_b_U0020_c"),
            ("ü-1._", "ü-1._", "ü-1._"),
            ("²Ⅷ٣字", "²Ⅷ٣字", "²Ⅷ٣字"),
            // A combining accent and a circled letter are no letters.
            ("e\u{301}Ⓐ", "e__", "e_U0301__U24b6_"),
            ("😋\n", "__", "_U1f60b__U000a_"),
            ("", "", ""),
        ];
        for (key, default, unicode) in table {
            assert_eq!(convert_one(ConversionStrategy::Default, key), default, "{key:?}");
            assert_eq!(convert_one(ConversionStrategy::Unicode, key), unicode, "{key:?}");
        }
    }

    #[test]
    fn keys_that_meet_after_conversion_are_refused() {
        let error = convert(ConversionStrategy::Default, values(&["a/b", "a b"])).expect_err("conflict");
        assert_eq!(error.code(), Code::KeyConflict);
        assert_eq!(convert(ConversionStrategy::Unicode, values(&["a/b", "a b"])).expect("apart").len(), 2);
    }

    #[test]
    fn letters_and_numbers_are_those_of_go() {
        let hex = |digits: &str| u32::from_str_radix(digits, 16).expect("hex");
        let ranges: Vec<_> = LETTERS
            .lines()
            .map(|line| line.split_once(' ').map(|(first, last)| hex(first)..=hex(last)).expect("a range"))
            .collect();
        // What came with later versions of Unicode is a letter here and not yet there.
        let known_to_go = Regex::new(r"\A\p{age=15.0}\z").expect("a class");
        for c in '\0'..=char::MAX {
            let in_go = ranges.iter().any(|range| range.contains(&u32::from(c))) || matches!(c, '-' | '.' | '_');
            if is_allowed(c) != in_go {
                assert!(!known_to_go.is_match(c.encode_utf8(&mut [0; 4])), "{c:?} {:x}", u32::from(c));
            }
        }
    }
}
