//! Replacing what an expression matches, with Go's notation for groups in the replacement.
//!
//! `$name` and `${name}` stand for a group by name or number, `$$` for a dollar sign; without braces a name is as long as
//! it can be, so `$1x` is the group `1x`. A group that does not exist is empty. A dollar sign that begins neither stays.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Longest result in bytes. A key has at most 253; names on the way may be longer.
pub const LONGEST: usize = 16 << 10;

/// Replaces every match. `None`: the result is longer than [`LONGEST`].
pub fn replace_all(pattern: &Regex, text: &str, replacement: &str) -> Option<String> {
    let parts = parts(replacement);
    let (mut out, mut end) = (String::new(), 0);
    for groups in pattern.captures_iter(text) {
        let found = groups.get_match();
        out.push_str(text.get(end..found.start()).unwrap_or_default());
        for part in &parts {
            out.push_str(part.of(&groups));
            if out.len() > LONGEST {
                return None;
            }
        }
        end = found.end();
    }
    out.push_str(text.get(end..).unwrap_or_default());
    (out.len() <= LONGEST).then_some(out)
}

/// Part of a replacement.
enum Part<'r> {
    Text(&'r str),
    Number(usize),
    Name(&'r str),
}

impl<'r> Part<'r> {
    fn group(name: &'r str) -> Self {
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
        match name.parse() {
            Ok(number) if is_number => Self::Number(number),
            _ => Self::Name(name),
        }
    }

    fn of<'t>(&self, groups: &Captures<'t>) -> &'t str
    where
        'r: 't,
    {
        let group = match self {
            Self::Text(text) => return text,
            Self::Number(number) => groups.get(*number),
            Self::Name(name) => groups.name(name),
        };
        group.map_or("", |group| group.as_str())
    }
}

fn parts(replacement: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), replacement);
    while let Some((before, after)) = rest.split_once('$') {
        parts.push(Part::Text(before));
        let (part, after) = match name(after) {
            Some((name, after)) => (Part::group(name), after),
            None => (Part::Text("$"), after.strip_prefix('$').unwrap_or(after)),
        };
        parts.push(part);
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts
}

/// The name after a dollar sign, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        let name = word(braced);
        return braced.get(name.len()..)?.strip_prefix('}').filter(|_| !name.is_empty()).map(|after| (name, after));
    }
    let name = word(text);
    (!name.is_empty()).then(|| (name, text.get(name.len()..).unwrap_or_default()))
}

/// The letters, digits and underscores that a text begins with.
fn word(text: &str) -> &str {
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\A[\pL\p{Nd}_]+").ok());
    WORD.as_ref().and_then(|word| word.find(text)).map_or("", |found| found.as_str())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// How it was made stands in the file.
    const ROWS: &str = include_str!("../../../../tests/fixtures/regexp.json");

    #[derive(Deserialize)]
    struct Fixture {
        rows: Vec<(String, String, String, String)>,
    }

    #[test]
    fn matches_are_replaced_as_in_go() {
        let fixture: Fixture = serde_json::from_str(ROWS).expect("the fixture");
        assert!(fixture.rows.len() > 60);
        let wrong = fixture.rows.iter().filter_map(|(expression, replacement, text, expected)| {
            let pattern = api::regexp::compile("source", expression).expect("an expression");
            let result = replace_all(&pattern, text, replacement);
            let row = format!("{expression} → {replacement} of {text:?}: {expected:?}, not {result:?}");
            (result.as_ref() != Some(expected)).then_some(row)
        });
        let wrong: Vec<_> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn result_that_grows_without_bound_is_given_up() {
        let pattern = Regex::new("").expect("an expression");
        assert_eq!(replace_all(&pattern, &"x".repeat(5000), &"${0}y".repeat(5000)), None);
        assert_eq!(replace_all(&pattern, "x", &"y".repeat(LONGEST)), None);
    }
}
