//! Text: trimming, cutting, searching, quoting, indenting.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::Type::{Any, Bool, Int, Str};
use super::parts::to_text;
use super::{Args, Function, doc};
use crate::bytes::Buffer;
use crate::context::Context;
use crate::error::Message;
use crate::fmt::print_verb;
use crate::fmt::quote::quote;
use crate::text::{find, runes};
use crate::value::Value;

mod edits;

use edits::{abbreviate, indent, replace, trim_both, truncated, without_space};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "trim",
        &[Str],
        Str,
        doc("The text without white space at both ends.", "{{ trim .token }}", "tok-42"),
        |_, args| Ok(Value::str(trim_both(args.str(0), char::is_whitespace))),
    ),
    Function::new(
        "trimAll",
        &[Str, Str],
        Str,
        doc(
            "The second text without any of the characters of the first at both ends.",
            r#"{{ trimAll "/" "/v1/keys/" }}"#,
            "v1/keys",
        ),
        trim_all,
    ),
    Function::new(
        "trimall",
        &[Str, Str],
        Str,
        doc("Same as `trimAll`.", r#"{{ trimall "$" "$HOME$" }}"#, "HOME"),
        trim_all,
    ),
    Function::new(
        "trimPrefix",
        &[Str, Str],
        Str,
        doc("The second text without the first at its start.", r#"{{ .version | trimPrefix "v" }}"#, "1.24.3-rc.1"),
        |_, args| {
            let text = args.str(1);
            Ok(Value::str(text.strip_prefix(args.str(0)).unwrap_or(text)))
        },
    ),
    Function::new(
        "trimSuffix",
        &[Str, Str],
        Str,
        doc("The second text without the first at its end.", r#"{{ .host | trimSuffix ".example.com" }}"#, "db"),
        |_, args| {
            let text = args.str(1);
            Ok(Value::str(text.strip_suffix(args.str(0)).unwrap_or(text)))
        },
    ),
    Function::new(
        "contains",
        &[Str, Str],
        Bool,
        doc(
            "Whether the second text contains the first.",
            r#"{{ if contains "," .hosts }}several{{ end }}"#,
            "several",
        ),
        |_, args| Ok(Value::Bool(find(args.str(1), args.str(0)).is_some())),
    ),
    Function::new(
        "hasPrefix",
        &[Str, Str],
        Bool,
        doc("Whether the second text begins with the first.", r#"{{ hasPrefix "https://" .url }}"#, "true"),
        |_, args| Ok(Value::Bool(args.str(1).starts_with(args.str(0)))),
    ),
    Function::new(
        "hasSuffix",
        &[Str, Str],
        Bool,
        doc("Whether the second text ends with the first.", r#"{{ hasSuffix ".example.com" .host }}"#, "true"),
        |_, args| Ok(Value::Bool(args.str(1).ends_with(args.str(0)))),
    ),
    Function::new(
        "replace",
        &[Str, Str, Str],
        Str,
        doc(
            "The third text with each occurrence of the first replaced by the second.",
            r#"{{ .hosts | replace "," " " }}"#,
            "db-1.example.com db-2.example.com db-1.example.com",
        ),
        |context, args| replace(context, args.str(2), args.str(0), args.str(1)).map(Value::str),
    ),
    Function::new(
        "repeat",
        &[Int, Str],
        Str,
        doc("The text so many times: number, text. Fails for a negative number.", r#"{{ repeat 8 "*" }}"#, "********"),
        repeat,
    ),
    Function::new(
        "substr",
        &[Int, Int, Str],
        Str,
        doc(
            "The bytes from a start to before an end: start, end, text. A negative start is 0; with any other, an \
             end that is negative or behind the text is the end of the text. Fails when the start lies behind the \
             text or the end.",
            "{{ substr 0 8 .token | trim }}",
            "tok-42",
        ),
        substr,
    ),
    Function::new(
        "trunc",
        &[Int, Str],
        Str,
        doc(
            "The first bytes of a text, of a negative number the last: number, text. May cut through a character.",
            "{{ trunc 4 .hosts }} and {{ trunc -4 .hosts }}",
            "db-1 and .com",
        ),
        |_, args| Ok(Value::str(truncated(args.str(1), args.int(0)))),
    ),
    Function::new(
        "abbrev",
        &[Int, Str],
        Str,
        doc(
            "The text cut to so many bytes with `...` at its end: number, text. As it is for a number below 4.",
            "{{ abbrev 12 .hosts }}",
            "db-1.exam...",
        ),
        |_, args| Ok(Value::str(abbreviate(args.str(1), 0, args.int(0)))),
    ),
    Function::new(
        "abbrevboth",
        &[Int, Int, Str],
        Str,
        doc(
            "The text cut to so many bytes with `...` at both ends: start, number, text.",
            "{{ abbrevboth 8 16 .hosts }}",
            "...mple.com,d...",
        ),
        |_, args| Ok(Value::str(abbreviate(args.str(2), args.int(0), args.int(1)))),
    ),
    Function::new(
        "nospace",
        &[Str],
        Str,
        doc(
            "The text without white space. Works on bytes: characters beyond ASCII are torn apart, as in Go.",
            "{{ nospace .token }}",
            "tok-42",
        ),
        |_, args| Ok(Value::str(without_space(args.str(0)))),
    ),
    Function::variadic(
        "quote",
        &[],
        Any,
        Str,
        doc(
            "Each argument in double quotes with Go's escapes, spaces between. Nil is left out.",
            "PASSWORD={{ quote .password }}",
            r#"PASSWORD="p@ss&\"w0rd\"""#,
        ),
        |context, args| quoted(context, args, |text| quote(text, false)),
    ),
    Function::variadic(
        "squote",
        &[],
        Any,
        Str,
        doc(
            "Each argument in single quotes without escapes, spaces between. Nil is left out.",
            "PASSWORD={{ squote .password }}",
            r#"PASSWORD='p@ss&"w0rd"'"#,
        ),
        |context, args| {
            joined_present(context, args, |value| {
                let text = Zeroizing::new(print_verb(value, 'v', context.value_bytes())?);
                Ok([b"'", text.as_slice(), b"'"].concat())
            })
        },
    ),
    Function::variadic(
        "cat",
        &[],
        Any,
        Str,
        doc(
            "The arguments as text with spaces between. Nil is left out.",
            "{{ cat .user .host .port }}",
            "app db.example.com 5432",
        ),
        cat,
    ),
    Function::new(
        "indent",
        &[Int, Str],
        Str,
        doc(
            "Each line moved to the right: number of spaces, text. Fails for a negative number.",
            r#"{{ indent 2 "ca: |\n  …" }}"#,
            "  ca: |\n    …",
        ),
        |context, args| indent(context, args.int(0), args.str(1)).map(Value::str),
    ),
    Function::new(
        "nindent",
        &[Int, Str],
        Str,
        doc(
            "As `indent`, with a line end before it: a block under a key of YAML.",
            "config:{{ .yaml | trim | nindent 2 }}",
            "config:\n  db:\n    user: app\n    port: 5432",
        ),
        |context, args| {
            let text = indent(context, args.int(0), args.str(1))?;
            Ok(Value::str([b"\n", &*text].concat()))
        },
    ),
    Function::new(
        "plural",
        &[Str, Str, Int],
        Str,
        doc(
            "The first text for 1, else the second: one, many, number.",
            r#"{{ len (splitList "," .hosts) | plural "host" "hosts" }}"#,
            "hosts",
        ),
        |_, args| Ok(Value::str(args.str(usize::from(args.int(2) != 1)))),
    ),
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of a row")]
fn trim_all(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let set: HashSet<char> = runes(args.str(0)).map(|(_, rune)| rune.char).collect();
    Ok(Value::str(trim_both(args.str(1), |char| set.contains(&char))))
}

fn repeat(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let Ok(count) = usize::try_from(args.int(0)) else { return Err("strings: negative Repeat count".into()) };
    let text = args.str(1);
    context.check_bytes(text.len().saturating_mul(count))?;
    Ok(Value::str(if text.is_empty() { Vec::new() } else { text.repeat(count) }))
}

fn substr(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let text = args.str(2);
    let bounds = |from: i64, to: i64| {
        Message::plain("runtime error: slice bounds out of range [").data(format!("{from}:{to}")).text("]")
    };
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let (start, end) = (args.int(0), args.int(1));
    let (from, to) = match (start, end) {
        (start, end) if start < 0 => (0, end),
        (start, end) if end < 0 || end > length => (start, length),
        both => both,
    };
    let part = usize::try_from(from).ok().zip(usize::try_from(to).ok()).and_then(|(from, to)| text.get(from..to));
    part.map(Value::str).ok_or_else(|| bounds(from, to))
}

fn quoted(context: &Context, args: &Args, quote: impl Fn(&[u8]) -> Vec<u8>) -> Result<Value, Message> {
    joined_present(context, args, |value| Ok(quote(&to_text(context, value)?)))
}

fn cat(context: &mut Context, args: &Args) -> Result<Value, Message> {
    joined_present(context, args, |value| print_verb(value, 'v', context.value_bytes()))
}

/// The arguments that are not nil, each written, with spaces between.
fn joined_present(
    context: &Context,
    args: &Args,
    write: impl Fn(&Value) -> Result<Vec<u8>, Message>,
) -> Result<Value, Message> {
    let mut out = Buffer::default();
    for (index, value) in args.all().iter().filter(|value| !matches!(value, Value::Nil)).enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        let text = Zeroizing::new(write(value)?);
        context.check_bytes(out.len().saturating_add(text.len()))?;
        out.extend_from_slice(&text);
    }
    Ok(Value::str(out))
}
