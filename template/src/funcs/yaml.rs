//! YAML in and out.

use std::collections::BTreeMap;

use super::Type::{Any, Map as MapType, Str};
use super::{Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::value::{Map, Value};
use crate::yaml;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "toYaml",
        &[Any],
        Str,
        doc(
            "The value as YAML, keys sorted, without the last line end. What YAML cannot express gives an empty \
             text.",
            "{{ toYaml (fromJson .json) }}",
            "db:\n  port: 5432\n  user: app\nexpires: null\ntags:\n- blue\n- green",
        ),
        |context, args| Ok(Value::str(yaml::emit(context, args.value(0))?.unwrap_or_default())),
    ),
    Function::new(
        "fromYaml",
        &[Str],
        MapType,
        doc(
            "The map that YAML 1.1 stands for: `yes` and `on` are true, numbers become fractions, only the first \
             document counts. **Bad YAML, or one that is no map, gives a map with the problem under `Error`.**",
            "{{ (fromYaml .yaml).db.user }}",
            "app",
        ),
        |context, args| from_yaml(context, args.str(0)),
    ),
];

fn from_yaml(context: &Context, text: &[u8]) -> Result<Value, Message> {
    let problem = match yaml::parse(context, text)? {
        Ok(Value::Nil) => return Ok(Value::Map(Map::empty())),
        Ok(value @ Value::Map(_)) => return Ok(value),
        Ok(other) => {
            let kind = match other {
                Value::List(_) => "array",
                Value::Str(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            Message::ours(format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type \
                 map[string]interface {{}}"
            ))
        }
        Err(message) => message,
    };
    let entry = (b"Error"[..].into(), Value::text(problem.exact()));
    Map::new(BTreeMap::from([entry])).map(Value::Map)
}
