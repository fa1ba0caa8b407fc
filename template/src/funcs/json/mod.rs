//! JSON in and out.

use super::Type::{Any, Str};
use super::{Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::value::Value;

pub(crate) mod decode;
mod encode;

pub(crate) use encode::number as number_text;

use encode::Style;

/// The value as compact JSON. The outer error is a limit; the inner one is a value that JSON does not have.
pub(crate) fn compact(context: &Context, value: &Value) -> Result<Result<Vec<u8>, Message>, Message> {
    encode::encode(context, value, Style::RAW)
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "toJson",
        &[Any],
        Str,
        doc(
            "The value as JSON, keys sorted, with `<`, `>` and `&` escaped. What JSON cannot express gives an \
             empty text.",
            r#"{"password":{{ toJson .password }}}"#,
            r#"{"password":"p@ss\u0026\"w0rd\""}"#,
        ),
        |context, args| lenient(context, args.value(0), Style::COMPACT),
    ),
    Function::new(
        "mustToJson",
        &[Any],
        Str,
        doc(
            "As `toJson`; what JSON cannot express fails.",
            r#"{{ mustToJson (splitList "," .hosts) }}"#,
            r#"["db-1.example.com","db-2.example.com","db-1.example.com"]"#,
        ),
        |context, args| strict(context, args.value(0), Style::COMPACT),
    ),
    Function::new(
        "toPrettyJson",
        &[Any],
        Str,
        doc(
            "As `toJson`, indented by two spaces.",
            "{{ toPrettyJson (fromJson .json).db }}",
            "{\n  \"port\": 5432,\n  \"user\": \"app\"\n}",
        ),
        |context, args| lenient(context, args.value(0), Style::PRETTY),
    ),
    Function::new(
        "mustToPrettyJson",
        &[Any],
        Str,
        doc(
            "As `toPrettyJson`; what JSON cannot express fails.",
            r#"{{ mustToPrettyJson (dict "user" .user) }}"#,
            "{\n  \"user\": \"app\"\n}",
        ),
        |context, args| strict(context, args.value(0), Style::PRETTY),
    ),
    Function::new(
        "toRawJson",
        &[Any],
        Str,
        doc(
            "As `toJson`, with `<`, `>` and `&` as they are. What JSON cannot express fails.",
            r#"{"password":{{ toRawJson .password }}}"#,
            r#"{"password":"p@ss&\"w0rd\""}"#,
        ),
        |context, args| strict(context, args.value(0), Style::RAW),
    ),
    Function::new(
        "mustToRawJson",
        &[Any],
        Str,
        doc("Same as `toRawJson`.", r#"{{ mustToRawJson (dict "p" .password) }}"#, r#"{"p":"p@ss&\"w0rd\""}"#),
        |context, args| strict(context, args.value(0), Style::RAW),
    ),
    Function::new(
        "fromJson",
        &[Str],
        Any,
        doc(
            "The value that JSON stands for. Numbers become fractions, which print large ones as `1e+06`: `int64` \
             makes them whole. **Bad JSON gives nil**, which prints as `<no value>`.",
            "{{ (fromJson .json).db.user }}",
            "app",
        ),
        |context, args| match decode::decode(context, args.str(0))? {
            Ok(decoded) => Ok(decoded.value),
            Err(_) => Ok(Value::Nil),
        },
    ),
    Function::new(
        "mustFromJson",
        &[Str],
        Any,
        doc("As `fromJson`; bad JSON fails.", "{{ index (mustFromJson .json).tags 0 }}", "blue"),
        |context, args| {
            let decoded = decode::decode(context, args.str(0))??;
            decoded.overflow.map_or(Ok(decoded.value), Err)
        },
    ),
];

fn strict(context: &Context, value: &Value, style: Style) -> Result<Value, Message> {
    encode::encode(context, value, style)?.map(Value::str)
}

/// What JSON cannot express gives an empty text.
fn lenient(context: &Context, value: &Value, style: Style) -> Result<Value, Message> {
    Ok(Value::str(encode::encode(context, value, style)?.unwrap_or_default()))
}
