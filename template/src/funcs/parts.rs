//! Text in parts: splitting, joining, lists of texts.

use super::Type::{Any, Int, Str, StringMap, Strings};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::sprint;
use crate::text::{find, first_rune};
use crate::value::{List, Map, Value};

/// How often sorting compares one text, about.
const SORT_PASSES: usize = 16;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "split",
        &[Str, Str],
        StringMap,
        doc(
            "The parts of a text in a map with the keys `_0`, `_1`, …: separator, text.",
            r#"{{ (split "." .host)._0 }}"#,
            "db",
        ),
        |context, args| split_map(context, args.str(1), args.str(0), None),
    ),
    Function::new(
        "splitn",
        &[Str, Int, Str],
        StringMap,
        doc(
            "As `split`, into so many parts at most: separator, number, text.",
            r#"{{ (splitn "." 2 .host)._1 }}"#,
            "example.com",
        ),
        |context, args| split_map(context, args.str(2), args.str(0), Some(args.int(1))),
    ),
    Function::new(
        "splitList",
        &[Str, Str],
        Strings,
        doc(
            "The list of the parts of a text: separator, text.",
            r#"{{ range splitList "," .hosts }}[{{ . }}]{{ end }}"#,
            "[db-1.example.com][db-2.example.com][db-1.example.com]",
        ),
        |context, args| {
            let parts = split(context, args.str(1), args.str(0), None)?;
            Ok(Value::List(List::of_strings(parts)))
        },
    ),
    Function::new(
        "join",
        &[Str, Any],
        Str,
        doc(
            "The elements as texts with a separator between: separator, list. Nil is left out; what is no list \
             counts as a list of itself.",
            r#"{{ list .host .port | join ":" }}"#,
            "db.example.com:5432",
        ),
        join,
    ),
    Function::new(
        "toString",
        &[Any],
        Str,
        doc("The value as text.", "{{ toString (fromJson .json).db.port | len }}", "4"),
        |context, args| to_text(context, args.value(0)).map(Value::Str),
    ),
    Function::new(
        "toStrings",
        &[Any],
        Strings,
        doc(
            "The elements as a list of texts. Nil is left out; what is no list counts as a list of itself.",
            r#"{{ toStrings (list 1 "a" true) | toJson }}"#,
            r#"["1","a","true"]"#,
        ),
        |context, args| Ok(Value::List(List::of_strings(texts(context, args.value(0))?))),
    ),
    Function::new(
        "sortAlpha",
        &[Any],
        Strings,
        doc(
            "The elements as a list of texts, sorted by their bytes.",
            r#"{{ splitList "," .hosts | sortAlpha | join "," }}"#,
            "db-1.example.com,db-1.example.com,db-2.example.com",
        ),
        |context, args| {
            // Nil is no list here, but a value to show.
            let mut texts = match args.value(0) {
                Value::Nil => vec![to_text(context, &Value::Nil)?],
                value => texts(context, value)?,
            };
            // Sorting looks at each text several times.
            let bytes = texts.iter().fold(0usize, |sum, text| sum.saturating_add(text.len()));
            context.spend_on_bytes(bytes.saturating_mul(SORT_PASSES))?;
            texts.sort_unstable();
            Ok(Value::List(List::of_strings(texts)))
        },
    ),
];

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

/// The value as `print` shows it, and bytes as the text that they are.
pub(super) fn to_text(context: &Context, value: &Value) -> Result<Bytes, Message> {
    match value {
        Value::Str(bytes) => Ok(bytes.clone()),
        Value::List(list) if list.bytes().is_some() => Ok(list.bytes().unwrap_or_default().into()),
        other => sprint(std::slice::from_ref(other), context.value_bytes()).map(Into::into),
    }
}
