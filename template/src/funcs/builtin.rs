//! The functions of text/template itself, without the comparisons.

use super::Type::{Any, Bool, Int, Reflect, Str};
use super::{Args, Function, doc};
use crate::bytes::Buffer;
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::{print_verb, sprint, sprintf, sprintln};
use crate::text::{REPLACEMENT, push_char, runes};
use crate::value::{List, Map, UintKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic(
        "and",
        &[Reflect],
        Reflect,
        Reflect,
        doc(
            "The first empty argument, or the last one. What stands behind the first empty one is not evaluated.",
            "{{ if and .user .password }}complete{{ end }}",
            "complete",
        ),
        last,
    ),
    Function::variadic(
        "or",
        &[Reflect],
        Reflect,
        Reflect,
        doc(
            "The first argument that is not empty, or the last one. What stands behind it is not evaluated.",
            "{{ or .empty .user }}",
            "app",
        ),
        last,
    ),
    Function::new(
        "not",
        &[Reflect],
        Bool,
        doc(
            "Whether the argument is empty: false, 0, nil, or of length 0.",
            "{{ if not .empty }}nothing there{{ end }}",
            "nothing there",
        ),
        |_, args| Ok(Value::Bool(!args.value(0).is_true())),
    ),
    Function::variadic(
        "call",
        &[Reflect],
        Reflect,
        Reflect,
        doc(
            "Calls a function held by a value. Always fails, because no value of a template is a function.",
            "{{ if .empty }}{{ call .empty }}{{ else }}not called{{ end }}",
            "not called",
        ),
        last,
    ),
    Function::new(
        "len",
        &[Reflect],
        Int,
        doc(
            "The bytes of a text, the elements of a list or the entries of a map. Fails for anything else.",
            "{{ len .user }} characters",
            "3 characters",
        ),
        |_, args| len(args),
    ),
    Function::variadic(
        "index",
        &[Reflect],
        Reflect,
        Reflect,
        doc(
            "The element of the first argument under each further argument in turn: keys of maps, positions from 0 \
             in lists and texts (a byte, as a number). Reaches keys that are no identifiers. An absent key of the \
             data gives an empty text, one of a map from JSON nil; a position outside fails.",
            r#"{{ index . "tls.crt" | trunc 27 }}"#,
            "-----BEGIN CERTIFICATE-----",
        ),
        |_, args| index(args),
    ),
    Function::variadic(
        "print",
        &[],
        Any,
        Str,
        doc(
            "The arguments as text, with a space between two of which neither is a text.",
            r#"{{ print .host ":" .port }}"#,
            "db.example.com:5432",
        ),
        |context, args| sprint(args.all(), context.value_bytes()).map(Value::str),
    ),
    Function::variadic(
        "println",
        &[],
        Any,
        Str,
        doc(
            "The arguments as text, with spaces between all and a line end behind.",
            "{{ println .user .host }}",
            "app db.example.com\n",
        ),
        |context, args| sprintln(args.all(), context.value_bytes()).map(Value::str),
    ),
    Function::variadic(
        "printf",
        &[Str],
        Any,
        Str,
        doc(
            "The arguments behind the first, in its format: `%s` text, `%q` text in quotes, `%d` whole number, \
             `%.2f` fraction, `%x` hexadecimal, `%v` anything, `%5d` padded. A verb that does not fit its argument \
             writes that down, as in `%!d(string=a)`, and does not fail.",
            r#"{{ printf "%s:%s" .host .port }}"#,
            "db.example.com:5432",
        ),
        |context, args| sprintf(args.str(0), args.rest(1), context.value_bytes()).map(Value::str),
    ),
    Function::variadic(
        "html",
        &[],
        Any,
        Str,
        doc(
            "The arguments as `print` writes them, escaped for HTML.",
            "{{ html .password }}",
            "p@ss&amp;&#34;w0rd&#34;",
        ),
        |context, args| escaped(context, args, escape_html),
    ),
    Function::variadic(
        "js",
        &[],
        Any,
        Str,
        doc(
            "The arguments as `print` writes them, escaped for a string of JavaScript.",
            "{{ js .password }}",
            r#"p@ss\u0026\"w0rd\""#,
        ),
        |context, args| escaped(context, args, escape_js),
    ),
    Function::variadic(
        "urlquery",
        &[],
        Any,
        Str,
        doc(
            "The arguments as `print` writes them, escaped for the query of a URL. A space becomes `+`; for user \
             and password of a URL write `| replace \"+\" \"%20\"` behind it.",
            "postgres://{{ .user }}:{{ urlquery .password }}@{{ .host }}",
            "postgres://app:p%40ss%26%22w0rd%22@db.example.com",
        ),
        |context, args| escaped(context, args, escape_query),
    ),
];

/// `and`, `or` and `call` are carried out by the executor.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a row")]
fn last(_: &mut Context, args: &Args) -> Result<Value, Message> {
    Ok(args.all().last().cloned().unwrap_or(Value::Nil))
}

fn len(args: &Args) -> Result<Value, Message> {
    match args.value(0) {
        Value::Str(bytes) => Ok(Value::length(bytes.len())),
        Value::List(list) => Ok(Value::length(list.len())),
        Value::Map(map) => Ok(Value::length(map.len())),
        Value::Nil => Err("len of nil pointer".into()),
        other => Err(Message::ours(format!("len of type {}", bare(other)))),
    }
}

fn index(args: &Args) -> Result<Value, Message> {
    let mut item = args.value(0).clone();
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    for key in args.rest(1) {
        item = match &item {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::Str(bytes) => Value::Uint(UintKind::Uint8, bytes[position(key, bytes.len())?].into()),
            Value::List(list) => element(list, key)?,
            Value::Map(map) => entry(map, key)?,
            other => return Err(Message::ours(format!("can't index item of type {}", bare(other)))),
        };
    }
    Ok(item)
}

/// The type of a value, or of what it points to.
fn bare(value: &Value) -> &'static str {
    value.type_name().trim_start_matches('*')
}

fn element(list: &List, key: &Value) -> Result<Value, Message> {
    Ok(list.items()[position(key, list.len())?].clone())
}

fn entry(map: &Map, key: &Value) -> Result<Value, Message> {
    match key {
        Value::Str(key) => Ok(map.find(key).unwrap_or(if map.has_strings() { Value::text("") } else { Value::Nil })),
        Value::Nil => Err("value is nil; should be of type string".into()),
        other => Err(Message::ours(format!("value has type {}; should be string", other.type_name()))),
    }
}

/// An index below `length`.
fn position(key: &Value, length: usize) -> Result<usize, Message> {
    let index = match key {
        Value::Int(_, index) => usize::try_from(*index).ok(),
        Value::Uint(_, index) => usize::try_from(*index).ok(),
        Value::Object(object) if object.number().is_some() => object.number().and_then(|index| index.try_into().ok()),
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        other => return Err(Message::ours(format!("cannot index slice/array with type {}", other.type_name()))),
    };
    match index.filter(|&index| index < length) {
        Some(index) => Ok(index),
        None => Err(Message::plain("index out of range: ").data(print_verb(key, 'v', 64)?)),
    }
}

/// What an escape appends for a character, which stands in the text as those bytes.
type Escape = fn(&mut Buffer, char, &[u8]);

fn escaped(context: &Context, args: &Args, escape: Escape) -> Result<Value, Message> {
    let text: Bytes = match args.all() {
        [Value::Str(bytes)] => bytes.clone(),
        all => {
            let shown: Vec<Value> = all
                .iter()
                .map(|value| if matches!(value, Value::Nil) { Value::text("<no value>") } else { value.clone() })
                .collect();
            sprint(&shown, context.value_bytes())?.into()
        }
    };
    let mut out = Buffer::with_capacity(text.len());
    for (at, rune) in runes(&text) {
        escape(&mut out, rune.char, &text[at..at + rune.width]);
        context.check_bytes(out.len())?;
    }
    Ok(Value::str(out))
}

fn escape_html(out: &mut Buffer, char: char, bytes: &[u8]) {
    match char {
        '\0' => push_char(out, REPLACEMENT),
        '"' => out.extend_from_slice(b"&#34;"),
        '\'' => out.extend_from_slice(b"&#39;"),
        '&' => out.extend_from_slice(b"&amp;"),
        '<' => out.extend_from_slice(b"&lt;"),
        '>' => out.extend_from_slice(b"&gt;"),
        _ => out.extend_from_slice(bytes),
    }
}

fn escape_js(out: &mut Buffer, char: char, bytes: &[u8]) {
    match char {
        '\\' => out.extend_from_slice(b"\\\\"),
        '\'' => out.extend_from_slice(b"\\'"),
        '"' => out.extend_from_slice(b"\\\""),
        '<' | '>' | '&' | '=' | '\0'..' ' => out.extend_from_slice(format!("\\u{:04X}", u32::from(char)).as_bytes()),
        char if char.is_ascii() || crate::category::is_print(char) => out.extend_from_slice(bytes),
        char => out.extend_from_slice(format!("\\u{:04X}", u32::from(char)).as_bytes()),
    }
}

/// Escapes everything but letters, digits and `-_.~`; a space becomes a plus.
fn escape_query(out: &mut Buffer, _: char, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b' ' => out.push(b'+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => out.push(byte),
            byte => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_byte_is_one_character_to_javascript() {
        let mut out = Buffer::default();
        for (at, rune) in runes(b"\xff<") {
            escape_js(&mut out, rune.char, &b"\xff<"[at..at + rune.width]);
        }
        assert_eq!(&*out, b"\xff\\u003C");
    }
}
