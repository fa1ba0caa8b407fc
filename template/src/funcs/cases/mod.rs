//! Upper and lower case, and names in the cases of programming languages.

use super::Type::Str;
use super::{Args, Function, doc};
use crate::category::{is_digit, is_letter, is_lower, is_upper};
use crate::context::Context;
use crate::error::Message;
use crate::text::{Rune, push_char, runes};
use crate::value::Value;

mod xstrings;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "upper",
        &[Str],
        Str,
        doc(
            "All letters in upper case, one character for one: `ß` stays.",
            "{{ upper .user }}_PASSWORD",
            "APP_PASSWORD",
        ),
        |_, args| Ok(Value::str(mapped(args.str(0), upper))),
    ),
    Function::new(
        "lower",
        &[Str],
        Str,
        doc("All letters in lower case.", r#"{{ lower "DB.Example.Com" }}"#, "db.example.com"),
        |_, args| Ok(Value::str(mapped(args.str(0), lower))),
    ),
    Function::new(
        "title",
        &[Str],
        Str,
        doc(
            "The first letter of each word in title case; the others stay.",
            r#"{{ title "database password" }}"#,
            "Database Password",
        ),
        |_, args| {
            let mut before = ' ';
            let text = mapped(args.str(0), |char| {
                let changed = if is_separator(before) { title(char) } else { char };
                before = char;
                changed
            });
            Ok(Value::str(text))
        },
    ),
    Function::new(
        "untitle",
        &[Str],
        Str,
        doc(
            "The first letter of each word in lower case.",
            r#"{{ untitle "Database Password" }}"#,
            "database password",
        ),
        |_, args| {
            let mut before = ' ';
            let text = mapped(args.str(0), |char| {
                let changed = if before.is_whitespace() { lower(char) } else { char };
                before = char;
                changed
            });
            Ok(Value::str(text))
        },
    ),
    Function::new(
        "swapcase",
        &[Str],
        Str,
        doc(
            "Upper and lower case exchanged; the first letter of a word in title case.",
            r#"{{ swapcase "dB pASSWORD" }}"#,
            "Db Password",
        ),
        |_, args| {
            let mut before = ' ';
            let text = mapped(args.str(0), |char| {
                let changed = if is_upper(char) || is_title(char) {
                    lower(char)
                } else if is_lower(char) {
                    if before.is_whitespace() { title(char) } else { upper(char) }
                } else {
                    char
                };
                before = char;
                changed
            });
            Ok(Value::str(text))
        },
    ),
    Function::new(
        "initials",
        &[Str],
        Str,
        doc("The first character of each word.", r#"{{ initials "Key Management Service" }}"#, "KMS"),
        |_, args| Ok(Value::str(initials(args.str(0)))),
    ),
    Function::new(
        "camelcase",
        &[Str],
        Str,
        doc("`db_password` as `DbPassword`.", r#"{{ camelcase "db_password" }}"#, "DbPassword"),
        |_, args| Ok(Value::str(xstrings::camel(args.str(0)))),
    ),
    Function::new(
        "snakecase",
        &[Str],
        Str,
        doc("`DbPassword` as `db_password`.", r#"{{ snakecase "DbPassword" | upper }}"#, "DB_PASSWORD"),
        |context, args| separated(context, args, '_'),
    ),
    Function::new(
        "kebabcase",
        &[Str],
        Str,
        doc("`DbPassword` as `db-password`.", r#"{{ kebabcase "DbPassword" }}"#, "db-password"),
        |context, args| separated(context, args, '-'),
    ),
];

/// What splitting a name into words is charged as for each byte.
const STEPS_PER_LETTER: usize = 3;

fn separated(context: &Context, args: &Args, connector: char) -> Result<Value, Message> {
    // Each character is looked at several times.
    context.spend(args.str(0).len().saturating_mul(STEPS_PER_LETTER))?;
    Ok(Value::str(xstrings::separated(args.str(0), connector)))
}

/// Each character mapped; an invalid byte becomes the replacement character.
fn mapped(text: &[u8], mut map: impl FnMut(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (_, Rune { char, .. }) in runes(text) {
        push_char(&mut out, map(char));
    }
    out
}

/// Go maps one character to one: where Unicode needs more, the simple mapping is what it was or a ready-made letter.
pub(super) fn upper(char: char) -> char {
    let mut more = char.to_uppercase();
    match (more.next(), more.next()) {
        (Some(only), None) => only,
        _ => greek_capital(char),
    }
}

/// The simple lower case.
pub(super) fn lower(char: char) -> char {
    // The only letter whose full mapping is longer: İ, of which the dot is dropped.
    char.to_lowercase().next().unwrap_or(char)
}

/// The simple title case, which differs from upper case for a few joined letters.
fn title(char: char) -> char {
    match char {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        '\u{10d0}'..='\u{10ff}' => char,
        char => upper(char),
    }
}

/// Greek letters with iota below have capitals of one character, which the full mapping takes apart.
fn greek_capital(char: char) -> char {
    let code = u32::from(char);
    let capital = match code {
        0x1f80..=0x1faf => code | 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => code + 9,
        _ => code,
    };
    char::from_u32(capital).unwrap_or(char)
}

fn is_title(char: char) -> bool {
    matches!(char, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ')
}

/// Whether a word begins behind the character.
fn is_separator(char: char) -> bool {
    if char.is_ascii() {
        return !(char.is_ascii_alphanumeric() || char == '_');
    }
    !is_letter(char) && !is_digit(char) && char.is_whitespace()
}

/// The first byte of each word as a character, as goutils has it.
fn initials(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before = ' ';
    for char in text.iter().copied().map(char::from) {
        if before.is_whitespace() && !char.is_whitespace() {
            push_char(&mut out, char);
        }
        before = char;
    }
    out
}
