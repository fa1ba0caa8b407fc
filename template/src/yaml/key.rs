//! Keys of maps as texts, which all keys are in JSON.

use super::parse::Problem;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::float::format_float;
use crate::fmt::quote::quote;
use crate::text::lossy;
use crate::value::Value;

/// A key, with its numbers exact, as the text it becomes before that value. Null and integers beyond 63 bits are no keys.
pub(super) fn key_text(key: &Value, value: &Value) -> Result<Bytes, Problem> {
    let text = match key {
        Value::Str(bytes) => return Ok(bytes.clone()),
        Value::Bool(value) => value.to_string(),
        Value::Int(_, value) => value.to_string(),
        Value::Float(value) => float_text(*value),
        Value::Nil => return Err(unsupported("%!s(<nil>)", key, value)),
        Value::Uint(..) => return Err(unsupported("uint64", key, value)),
        other => return Err(Problem::Meaning(Message::plain("yaml: invalid map key: ").data(source(other)))),
    };
    Ok(text.into_bytes().into())
}

/// A float with the digits of a 32-bit one, as Go writes keys.
fn float_text(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "Go writes keys with the digits of a 32-bit float")]
    let short = value as f32;
    // Back to 64 bits by way of the digits: widening would bring more of them.
    let digits = short.to_string().parse().unwrap_or(value);
    match format_float(digits, 'g', None).as_str() {
        "+Inf" => ".inf".to_owned(),
        "-Inf" => "-.inf".to_owned(),
        "NaN" => ".nan".to_owned(),
        text => text.to_owned(),
    }
}

/// The refusal of a key of a type that JSON cannot have, before that value.
fn unsupported(kind: &'static str, key: &Value, value: &Value) -> Problem {
    let shown = |value: &Value| if matches!(value, Value::Nil) { "<nil>".to_owned() } else { source(value) };
    let start = Message::plain("unsupported map key of type: ").words(kind).text(", key: ").data(shown(key));
    Problem::Meaning(start.text(", value: ").data(shown(value)))
}

/// A value as Go source, for errors. Bounded by the text it was read from.
fn source(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Nil => "interface {}(nil)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(_, value) => value.to_string(),
        Value::Uint(_, value) => format!("{value:#x}"),
        Value::Float(value) => format_float(*value, 'g', None),
        Value::Str(bytes) => lossy(&quote(bytes, false)),
        Value::List(list) => format!("[]interface {{}}{{{}}}", joined(list.items().iter().map(source).collect())),
        Value::Map(map) => {
            let entry = |(key, value): (Bytes, Value)| format!("{}:{}", lossy(&quote(&key, false)), source(&value));
            format!("map[interface {{}}]interface {{}}{{{}}}", joined(map.entries().into_iter().map(entry).collect()))
        }
        Value::Complex(..) | Value::Object(_) => value.type_name().to_owned(),
    }
}
