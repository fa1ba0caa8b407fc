//! From Go's notation to that of the crate `regex`, where the two read the same text differently.
//!
//! * `\d \w \s \b` are ASCII in Go; the crate knows all of Unicode.
//! * `[` inside brackets, and `&&`, `~~`, `--` there, are plain characters in Go; the crate computes with classes.
//! * `{` that does not begin a repetition is a plain character in Go; the crate refuses it.
//! * `\<` and `\>` are plain characters in Go; the crate matches borders of words.
//! * `\Q…\E` quotes in Go; the crate does not know it.

use std::iter::Peekable;
use std::str::Chars;

/// The same expression for the crate `regex`. A broken one stays broken.
pub fn translated(expression: &str) -> String {
    let mut out = String::with_capacity(expression.len() + 16);
    let mut rest = expression.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut out),
            '[' => class(&mut rest, &mut out),
            '{' if !begins_repetition(rest.clone()) => out.push_str("\\{"),
            _ => out.push(c),
        }
    }
    out
}

/// What follows a backslash outside of brackets.
fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    match rest.next() {
        Some('b') => out.push_str(r"(?-u:\b)"),
        Some('Q') => quoted(rest, out),
        Some(c @ ('p' | 'P' | 'x')) if rest.peek() == Some(&'{') => {
            out.extend(['\\', c]);
            braced(rest, out);
        }
        Some(c) => escaped(c, out),
        None => out.push('\\'),
    }
}

/// An escaped character that means the same inside and outside of brackets.
fn escaped(c: char, out: &mut String) {
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\f\r ]"),
        'S' => out.push_str(r"[^\t\n\f\r ]"),
        '<' | '>' => out.push(c),
        _ => out.extend(['\\', c]),
    }
}

/// A class's or character's name, as it stands, up to the closing brace.
fn braced(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    for c in rest.by_ref() {
        out.push(c);
        if c == '}' {
            return;
        }
    }
}

/// Everything up to `\E` or the end, taken literally.
fn quoted(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        if c == '\\' && rest.peek() == Some(&'E') {
            rest.next();
            break;
        }
        text.push(c);
    }
    out.push_str(&regex::escape(&text));
}

/// A class, from behind its opening bracket to its closing one.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    let mut after_dash = false;
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '\\' => match rest.next() {
                Some(c) => escaped(c, out),
                None => out.push('\\'),
            },
            '[' if rest.peek() == Some(&':') => out.push('['),
            '[' | '&' | '~' => out.extend(['\\', c]),
            '-' if after_dash => out.push_str(r"\-"),
            _ => out.push(c),
        }
        after_dash = c == '-' && !after_dash;
    }
}

/// Whether what follows an opening brace is `n}`, `n,}` or `n,m}`.
fn begins_repetition(mut rest: Peekable<Chars<'_>>) -> bool {
    let mut digits = 0;
    while rest.next_if(char::is_ascii_digit).is_some() {
        digits += 1;
    }
    if rest.next_if_eq(&',').is_some() {
        while rest.next_if(char::is_ascii_digit).is_some() {}
    }
    digits > 0 && rest.next() == Some('}')
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn expressions_match_what_go_matches() {
        for (expression, text, matches) in [
            (r"^\w+$", "db_1", true),
            (r"^\w+$", "größe", false),
            (r"^\d$", "٣", false),
            (r"^[\w-]+$", "db-1", true),
            (r"^[^\d]$", "7", false),
            (r"^[\D]$", "x", true),
            (r"\bdb\b", "the db x", true),
            (r"\bdb\b", "xdbx", false),
            ("^[[a]$", "[", true),
            ("^[a&&b]+$", "a&b", true),
            ("^[]a]+$", "a]", true),
            ("^[^]a]$", "]", false),
            ("^[[:alpha:]_]+$", "a_b", true),
            ("^[+--]$", ",", true),
            ("^a{$", "a{", true),
            ("^a{,2}$", "a{,2}", true),
            ("^a{2}$", "aa", true),
            ("^a{1,}$", "aaa", true),
            (r"^\<a\>$", "<a>", true),
            (r"^\Qa.b\E.$", "a.bc", true),
            (r"^\Qa.b\E.$", "axbc", false),
            (r"^\pL+$", "größe", true),
            (r"^\p{Greek}+$", "λ", true),
            (r"^\P{L}$", "l", false),
            (r"^[\p{L}\x{31}]+$", "é1", true),
            (r"^\x{e9}{2}$", "éé", true),
            (r"(?i)^TEAM/.*$", "team/a", true),
            (r"^(?P<first>a)(?:b|c)?$", "ac", true),
        ] {
            let translated = translated(expression);
            let regex = Regex::new(&translated).unwrap_or_else(|error| panic!("{expression} -> {translated}: {error}"));
            assert_eq!(regex.is_match(text), matches, "{expression} -> {translated} on {text}");
        }
    }

    #[test]
    fn broken_expressions_stay_broken() {
        for expression in ["(", "a)", "[a", "*", r"\", r"[\", r"\8", "(?<n", "a{2", r"\C"] {
            let translated = translated(expression);
            let expected_to_parse = expression == "a{2";
            assert_eq!(Regex::new(&translated).is_ok(), expected_to_parse, "{expression} -> {translated}");
        }
    }
}
