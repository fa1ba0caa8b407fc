//! Keys of maps as texts, which all keys are in JSON.

use super::parse::Problem;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::float::format_float;
use crate::fmt::quote::quote;
use crate::text::lossy;
use crate::value::Value;

/// A key as text.
pub(super) fn key_text(key: &Value) -> Result<Bytes, Problem> {
    match key {
        Value::Str(bytes) => Ok(bytes.clone()),
        Value::Bool(value) => Ok(value.to_string().into_bytes().into()),
        Value::Int(_, value) => Ok(value.to_string().into_bytes().into()),
        Value::Uint(_, value) => Ok(value.to_string().into_bytes().into()),
        Value::Float(value) => {
            let text = crate::funcs::json::number_text(*value).unwrap_or_default();
            Ok(text.into_bytes().into())
        }
        other => Err(Problem::Meaning(Message::plain("yaml: invalid map key: ").data(source(other)))),
    }
}

/// The refusal of a key that is null, before that value.
pub(super) fn null_key(value: &Value) -> Problem {
    let start = Message::plain("unsupported map key of type: %!s(<nil>), key: <nil>, value: ");
    let shown = if matches!(value, Value::Nil) { "<nil>".to_owned() } else { source(value) };
    Problem::Meaning(start.data(shown))
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
