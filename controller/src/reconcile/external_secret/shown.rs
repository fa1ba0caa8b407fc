//! Names that come from data, as they may stand in a message: legible, on one line, and not at any length.
//!
//! Whoever may write to a store names what is in it: with line breaks, with characters that turn the direction of the
//! text, with megabytes. Keys of values, names at a provider and names that a user wrote go through here on their way
//! into a condition, an event or a log line. No value of a secret ever does.

/// Characters of one name that are told: it is recognized by them. The longest key of a Secret is told in full.
const TOLD: usize = 256;

/// Characters of each name of several, and how many of them are told: the note of an event takes 1024 bytes.
const TOLD_OF_EACH: usize = 64;
const NAMED: usize = 5;

/// One name, without quotation marks around it; those within it are escaped.
pub fn name(name: &str) -> String {
    shortened(name, TOLD)
}

/// The first few of several names, each in quotation marks, and how many more there are.
pub fn names<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let quoted: Vec<_> = names.take(NAMED).map(|name| format!("\"{}\"", shortened(name, TOLD_OF_EACH))).collect();
    let first = quoted.join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

/// `most`: characters as they are shown, of which an escaped one takes up to ten.
fn shortened(name: &str, most: usize) -> String {
    let (mut short, mut length) = (String::new(), 0);
    for char in name.chars() {
        let shown = char.escape_debug();
        length += shown.len();
        if length > most {
            short.push('…');
            break;
        }
        short.extend(shown);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_told_on_one_line_and_not_at_any_length() {
        assert_eq!(name("app/db"), "app/db");
        assert_eq!(name("schlüssel"), "schlüssel");
        assert_eq!(name("a\n\u{202e}\u{2028}\"b"), "a\\n\\u{202e}\\u{2028}\\\"b");
        assert_eq!(name(&"k".repeat(256)), "k".repeat(256));
        assert_eq!(name(&"k".repeat(100_000)), format!("{}…", "k".repeat(256)));
        assert_eq!(name(&"\n".repeat(100_000)), format!("{}…", "\\n".repeat(128)), "as it is shown");
    }

    #[test]
    fn of_many_names_the_first_are_told_and_how_many_more_there_are() {
        assert_eq!(names(["a, b", "c\n"].into_iter()), r#""a, b", "c\n""#);
        assert_eq!(names([].into_iter()), "");
        assert_eq!(names(["a", "b", "c", "d", "e"].into_iter()), r#""a", "b", "c", "d", "e""#);
        assert_eq!(names(["a", "b", "c", "d", "e", "f", "g"].into_iter()), r#""a", "b", "c", "d", "e" and 2 more"#);
        let long = "\u{202e}".repeat(100_000);
        let told = names(vec![long.as_str(); 100_000].into_iter());
        assert!(told.len() < 400 && told.ends_with(" and 99995 more"), "{told}");
    }
}
