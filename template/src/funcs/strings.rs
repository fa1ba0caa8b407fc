//! Text: trimming, cutting, searching, quoting, indenting.

use std::collections::HashSet;

use super::Type::{Any, Bool, Int, Str, StringMap, Strings};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::quote::quote;
use crate::fmt::{print_verb, sprint};
use crate::text::{find, first_rune, last_rune, line_ends, push_char, runes};
use crate::value::{List, Map, Value};

/// How often sorting compares one text, about.
const SORT_PASSES: usize = 16;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("trim", &[Str], Str, doc("Without white space at both ends.", "", ""), |_, args| {
        Ok(Value::str(trim_both(args.str(0), char::is_whitespace)))
    }),
    Function::new(
        "trimAll",
        &[Str, Str],
        Str,
        doc("The second text without any of the first's characters at both ends.", "", ""),
        trim_all,
    ),
    Function::new("trimall", &[Str, Str], Str, doc("Same as trimAll.", "", ""), trim_all),
    Function::new(
        "trimPrefix",
        &[Str, Str],
        Str,
        doc("The second text without the first before it.", "", ""),
        |_, args| {
            let text = args.str(1);
            Ok(Value::str(text.strip_prefix(args.str(0)).unwrap_or(text)))
        },
    ),
    Function::new(
        "trimSuffix",
        &[Str, Str],
        Str,
        doc("The second text without the first behind it.", "", ""),
        |_, args| {
            let text = args.str(1);
            Ok(Value::str(text.strip_suffix(args.str(0)).unwrap_or(text)))
        },
    ),
    Function::new(
        "contains",
        &[Str, Str],
        Bool,
        doc("Whether the second text contains the first.", "", ""),
        |_, args| Ok(Value::Bool(find(args.str(1), args.str(0)).is_some())),
    ),
    Function::new(
        "hasPrefix",
        &[Str, Str],
        Bool,
        doc("Whether the second text begins with the first.", "", ""),
        |_, args| Ok(Value::Bool(args.str(1).starts_with(args.str(0)))),
    ),
    Function::new(
        "hasSuffix",
        &[Str, Str],
        Bool,
        doc("Whether the second text ends with the first.", "", ""),
        |_, args| Ok(Value::Bool(args.str(1).ends_with(args.str(0)))),
    ),
    Function::new(
        "replace",
        &[Str, Str, Str],
        Str,
        doc("The third text with the second for each first.", "", ""),
        |context, args| replace(context, args.str(2), args.str(0), args.str(1)).map(Value::str),
    ),
    Function::new("repeat", &[Int, Str], Str, doc("The text that many times.", "", ""), repeat),
    Function::new(
        "substr",
        &[Int, Int, Str],
        Str,
        doc("The bytes from start to end; a negative one is open.", "", ""),
        substr,
    ),
    Function::new(
        "trunc",
        &[Int, Str],
        Str,
        doc("The first bytes; a negative number: the last.", "", ""),
        |_, args| Ok(Value::str(truncated(args.str(1), args.int(0)))),
    ),
    Function::new("abbrev", &[Int, Str], Str, doc("Cut to a width with an ellipsis.", "", ""), |_, args| {
        Ok(Value::str(abbreviate(args.str(1), 0, args.int(0))))
    }),
    Function::new("abbrevboth", &[Int, Int, Str], Str, doc("Cut at both sides with ellipses.", "", ""), |_, args| {
        Ok(Value::str(abbreviate(args.str(2), args.int(0), args.int(1))))
    }),
    Function::new("nospace", &[Str], Str, doc("Without white space.", "", ""), |_, args| {
        Ok(Value::str(without_space(args.str(0))))
    }),
    Function::variadic(
        "quote",
        &[],
        Any,
        Str,
        doc("Each argument in double quotes with escapes.", "", ""),
        |context, args| quoted(context, args, |text| quote(text, false)),
    ),
    Function::variadic("squote", &[], Any, Str, doc("Each argument in single quotes.", "", ""), |context, args| {
        quoted(context, args, |text| [b"'", text, b"'"].concat())
    }),
    Function::variadic("cat", &[], Any, Str, doc("The arguments with spaces between.", "", ""), cat),
    Function::new("indent", &[Int, Str], Str, doc("Each line moved right.", "", ""), |context, args| {
        indent(context, args.int(0), args.str(1)).map(Value::str)
    }),
    Function::new(
        "nindent",
        &[Int, Str],
        Str,
        doc("A new line and each line moved right.", "", ""),
        |context, args| {
            let text = indent(context, args.int(0), args.str(1))?;
            Ok(Value::str([b"\n", text.as_slice()].concat()))
        },
    ),
    Function::new("plural", &[Str, Str, Int], Str, doc("The first text for 1, else the second.", "", ""), |_, args| {
        Ok(Value::str(args.str(usize::from(args.int(2) != 1))))
    }),
    Function::new(
        "split",
        &[Str, Str],
        StringMap,
        doc("The parts of the second text as `_0`, `_1`, ….", "", ""),
        |context, args| split_map(context, args.str(1), args.str(0), None),
    ),
    Function::new(
        "splitn",
        &[Str, Int, Str],
        StringMap,
        doc("As split, in no more than so many parts.", "", ""),
        |context, args| split_map(context, args.str(2), args.str(0), Some(args.int(1))),
    ),
    Function::new(
        "splitList",
        &[Str, Str],
        Strings,
        doc("The parts of the second text as a list.", "", ""),
        |context, args| {
            let parts = split(context, args.str(1), args.str(0), None)?;
            Ok(Value::List(List::of_strings(parts)))
        },
    ),
    Function::new("join", &[Str, Any], Str, doc("The elements with the text between.", "", ""), join),
    Function::new("toString", &[Any], Str, doc("The value as text.", "", ""), |context, args| {
        to_text(context, args.value(0)).map(Value::Str)
    }),
    Function::new("toStrings", &[Any], Strings, doc("The elements as texts.", "", ""), |context, args| {
        Ok(Value::List(List::of_strings(texts(context, args.value(0))?)))
    }),
    Function::new("sortAlpha", &[Any], Strings, doc("The elements as texts, sorted.", "", ""), |context, args| {
        let mut texts = texts(context, args.value(0))?;
        // Sorting looks at each text several times.
        let bytes = texts.iter().fold(0usize, |sum, text| sum.saturating_add(text.len()));
        context.spend_on_bytes(bytes.saturating_mul(SORT_PASSES))?;
        texts.sort_unstable();
        Ok(Value::List(List::of_strings(texts)))
    }),
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of a row")]
fn trim_all(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let set: HashSet<char> = runes(args.str(0)).map(|(_, rune)| rune.char).collect();
    Ok(Value::str(trim_both(args.str(1), |char| set.contains(&char))))
}

fn trim_both(mut text: &[u8], trims: impl Fn(char) -> bool) -> &[u8] {
    while let Some(rune) = first_rune(text).filter(|rune| trims(rune.char)) {
        text = &text[rune.width..];
    }
    while let Some(rune) = last_rune(text).filter(|rune| trims(rune.char)) {
        text = &text[..text.len() - rune.width];
    }
    text
}

fn replace(context: &Context, text: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>, Message> {
    let mut out = Vec::new();
    if old.is_empty() {
        // An empty text stands before every character and at the end.
        context.check_bytes(text.len().saturating_add(new.len().saturating_mul(text.len() + 1)))?;
        out.extend_from_slice(new);
        for (at, rune) in runes(text) {
            out.extend_from_slice(&text[at..at + rune.width]);
            out.extend_from_slice(new);
        }
        return Ok(out);
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        context.spend(1)?;
        context.check_bytes(out.len() + at + new.len())?;
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    Ok(out)
}

fn repeat(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let Ok(count) = usize::try_from(args.int(0)) else { return Err("strings: negative Repeat count".into()) };
    let text = args.str(1);
    context.check_bytes(text.len().saturating_mul(count))?;
    Ok(Value::str(if text.is_empty() { Vec::new() } else { text.repeat(count) }))
}

fn substr(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let text = args.str(2);
    let bounds = |from: i64, to: i64| format!("runtime error: slice bounds out of range [{from}:{to}]");
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let (start, end) = (args.int(0), args.int(1));
    let (from, to) = match (start, end) {
        (start, end) if start < 0 => (0, end),
        (start, end) if end < 0 || end > length => (start, length),
        both => both,
    };
    let part = usize::try_from(from).ok().zip(usize::try_from(to).ok()).and_then(|(from, to)| text.get(from..to));
    part.map(Value::str).ok_or_else(|| bounds(from, to).into())
}

fn truncated(text: &[u8], count: i64) -> &[u8] {
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    match (count < 0, text.len().checked_sub(size)) {
        (true, Some(start)) => &text[start..],
        (false, Some(_)) => &text[..size],
        (_, None) => text,
    }
}

/// goutils' Abbreviate, on bytes: keeps `width` bytes from about `offset`, with `...` where something is cut.
fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const DOTS: &[u8] = b"...";
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if width < 4 || (offset > 0 && width < 7) {
        return text.to_vec();
    }
    if length <= width {
        return text.to_vec();
    }
    let part = |from: i64, to: i64| {
        let clamp = |at: i64| usize::try_from(at).unwrap_or(0).min(text.len());
        &text[clamp(from).min(clamp(to))..clamp(to)]
    };
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return [part(0, width - 3), DOTS].concat();
    }
    if offset + width - 3 < length {
        // The middle: an ellipsis before, and one behind unless the end is in sight.
        let rest = part(offset, length);
        let kept = width - 3;
        let tail = if i64::try_from(rest.len()).unwrap_or(i64::MAX) <= kept {
            rest.to_vec()
        } else {
            [part(offset, offset + kept - 3), DOTS].concat()
        };
        return [DOTS, &tail].concat();
    }
    [DOTS, part(length - (width - 3), length)].concat()
}

/// Takes each byte for a character, as goutils does: half of a no-break space is a space to it, the other half a Â.
fn without_space(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for char in text.iter().copied().map(char::from).filter(|char| !char.is_whitespace()) {
        push_char(&mut out, char);
    }
    out
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
    let mut out = Vec::new();
    for (index, value) in args.all().iter().filter(|value| !matches!(value, Value::Nil)).enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(&write(value)?);
        context.check_bytes(out.len())?;
    }
    Ok(Value::str(out))
}

fn indent(context: &Context, spaces: i64, text: &[u8]) -> Result<Vec<u8>, Message> {
    let Ok(spaces) = usize::try_from(spaces) else { return Err("strings: negative Repeat count".into()) };
    let lines = 1 + line_ends(text);
    context.check_bytes(text.len().saturating_add(lines.saturating_mul(spaces)))?;
    let pad = b" ".repeat(spaces);
    let mut out = pad.clone();
    for &byte in text {
        out.push(byte);
        if byte == b'\n' {
            out.extend_from_slice(&pad);
        }
    }
    Ok(out)
}

/// The parts of `text` between separators; an empty separator splits after each character.
pub(super) fn split<'t>(
    context: &Context,
    text: &'t [u8],
    separator: &[u8],
    most: Option<i64>,
) -> Result<Vec<&'t [u8]>, Message> {
    let most = match most {
        Some(0) => return Ok(Vec::new()),
        Some(most) => usize::try_from(most).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while parts.len() + 1 < most {
        context.spend(1)?;
        let next = if separator.is_empty() {
            first_rune(rest).map(|rune| (rune.width, rune.width)).filter(|&(end, _)| end < rest.len())
        } else {
            find(rest, separator).map(|at| (at, at + separator.len()))
        };
        let Some((end, after)) = next else { break };
        parts.push(&rest[..end]);
        rest = &rest[after..];
        context.check_elements(parts.len())?;
    }
    if !separator.is_empty() || !rest.is_empty() {
        parts.push(rest);
    }
    Ok(parts)
}

fn split_map(context: &Context, text: &[u8], separator: &[u8], most: Option<i64>) -> Result<Value, Message> {
    let parts = split(context, text, separator, most)?;
    let entries = parts.into_iter().enumerate().map(|(index, part)| {
        let key: Bytes = format!("_{index}").into_bytes().into();
        (key, part.into())
    });
    Ok(Value::Map(Map::of_strings(entries)))
}

fn join(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let parts = texts(context, args.value(1))?;
    let separator = args.str(0);
    let length =
        parts.iter().fold(separator.len().saturating_mul(parts.len()), |sum, part| sum.saturating_add(part.len()));
    context.check_bytes(length)?;
    Ok(Value::str(parts.join(separator)))
}

/// The elements as texts, without nil; any other value is a list of itself.
pub(super) fn texts(context: &Context, value: &Value) -> Result<Vec<Bytes>, Message> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::List(list) => {
            context.spend(list.len())?;
            let mut texts = Vec::new();
            let mut made = 0;
            for item in list.items().iter().filter(|item| !matches!(item, Value::Nil)) {
                let text = to_text(context, item)?;
                if !matches!(item, Value::Str(_)) {
                    made += text.len();
                    context.check_bytes(made)?;
                }
                texts.push(text);
            }
            Ok(texts)
        }
        other => Ok(vec![to_text(context, other)?]),
    }
}

/// The value as `print` shows it.
pub(super) fn to_text(context: &Context, value: &Value) -> Result<Bytes, Message> {
    match value {
        Value::Str(bytes) => Ok(bytes.clone()),
        other => sprint(std::slice::from_ref(other), context.value_bytes()).map(Into::into),
    }
}
