//! JSON in and out.

use super::Type::{Any, Str};
use super::{Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::value::Value;

mod decode;
mod encode;

pub(crate) use encode::number as number_text;

use encode::Style;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("toJson", &[Any], Str, doc("The value as JSON, safe in HTML.", "", ""), |context, args| {
        lenient(context, args.value(0), Style::COMPACT)
    }),
    Function::new("mustToJson", &[Any], Str, doc("The value as JSON, safe in HTML.", "", ""), |context, args| {
        strict(context, args.value(0), Style::COMPACT)
    }),
    Function::new("toPrettyJson", &[Any], Str, doc("The value as indented JSON.", "", ""), |context, args| {
        lenient(context, args.value(0), Style::PRETTY)
    }),
    Function::new("mustToPrettyJson", &[Any], Str, doc("The value as indented JSON.", "", ""), |context, args| {
        strict(context, args.value(0), Style::PRETTY)
    }),
    Function::new(
        "toRawJson",
        &[Any],
        Str,
        doc("The value as JSON, `<`, `>` and `&` as they are.", "", ""),
        |context, args| strict(context, args.value(0), Style::RAW),
    ),
    Function::new(
        "mustToRawJson",
        &[Any],
        Str,
        doc("The value as JSON, `<`, `>` and `&` as they are.", "", ""),
        |context, args| strict(context, args.value(0), Style::RAW),
    ),
    Function::new("fromJson", &[Str], Any, doc("The value that JSON stands for, or nil.", "", ""), |context, args| {
        match decode::decode(context, args.str(0))? {
            Ok(value) => Ok(value),
            Err(_) => Ok(Value::Nil),
        }
    }),
    Function::new("mustFromJson", &[Str], Any, doc("The value that JSON stands for.", "", ""), |context, args| {
        decode::decode(context, args.str(0))?
    }),
];

fn strict(context: &Context, value: &Value, style: Style) -> Result<Value, Message> {
    encode::encode(context, value, style)?.map(Value::str)
}

/// What JSON cannot express gives an empty text.
fn lenient(context: &Context, value: &Value, style: Style) -> Result<Value, Message> {
    Ok(Value::str(encode::encode(context, value, style)?.unwrap_or_default()))
}
