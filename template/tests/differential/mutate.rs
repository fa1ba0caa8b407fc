//! Variants of known templates: pieces taken out, repeated, exchanged, and their data spoiled.

use crate::oracle::Case;
use crate::pools::{any_text, spoil};
use crate::random::Random;
use crate::tokens::split;

/// A known case with a few tokens changed, some of them for those of another.
pub fn case(random: &mut Random, known: &[Case]) -> Case {
    let mut case = random.pick(known).clone();
    let other = random.pick(known);
    let mut tokens = split(&case.template);
    let others = split(&other.template);
    for _ in 0..=random.below(3) {
        let from = random.below(tokens.len() + 1);
        let to = (from + random.below(3)).min(tokens.len());
        let piece: Vec<Vec<u8>> = match random.below(8) {
            0 => Vec::new(),
            1 => [&tokens[from..to], &tokens[from..to]].concat(),
            2 | 3 if !others.is_empty() => {
                let start = random.below(others.len());
                others[start..(start + 1 + random.below(6)).min(others.len())].to_vec()
            }
            4 => vec![format!("{:?}", String::from_utf8_lossy(&any_text(random))).into_bytes()],
            5 if from < tokens.len() => {
                let mut token = tokens[from].clone();
                spoil(random, &mut token, &[b"{{", b"}}", b"nil", b"$x", b"(list 1)", b".a", b"| len"]);
                vec![token]
            }
            _ => vec![random.pick(MARKS).to_vec()],
        };
        tokens.splice(from..to, piece);
    }
    case.template = tokens.concat();
    for value in case.data.values_mut() {
        if random.percent(10) {
            spoil(random, value, &[b"{}", b"null", b"a: b", b"[1]"]);
        }
    }
    // The names of the other's data may be in its tokens.
    for (key, value) in &other.data {
        if random.percent(50) && !case.data.contains_key(key) {
            case.data.insert(key.clone(), value.clone());
        }
    }
    case
}

const MARKS: &[&[u8]] = &[
    b"{{",
    b"}}",
    b"{{-",
    b"-}}",
    b" -}}",
    b"{{- ",
    b"(",
    b")",
    b"|",
    b" | ",
    b".",
    b"$",
    b"$x",
    b" ",
    b"nil",
    b"true",
    b"0",
    b"-1",
    b"1.5",
    b"\"\"",
    b"\"a\"",
    b"{{end}}",
    b"{{else}}",
    b"{{break}}",
    b"{{if .}}",
    b"{{range .}}",
    b"{{with .}}",
    b"{{define \"z\"}}",
    b"{{template \"z\"}}",
    b"{{template \"z\" .}}",
    b"{{block \"y\" .}}",
    b" := ",
    b" = ",
    b",",
    b".x",
    b"'a'",
    b"`r`",
    b"{{/* c */}}",
    b"1i",
    b" not ",
    b" len ",
    b" print ",
    b"{{else if .}}",
    b"{{else with .}}",
    b"{{continue}}",
    b"{{$x := 1}}",
    b"(list 1 2)",
    b"(dict \"a\" 1)",
    b" printf \"%v %T\" ",
    b"0x",
    b"\n",
];
