//! What a scalar stands for, by its tag and its text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::Tag;

use super::parse::Problem;
use super::resolve::{Scalar, resolve};
use crate::error::Message;
use crate::value::{UintKind, Value};

/// What numbers become. Keys are texts of what is written either way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Floats, the only numbers of JSON.
    Json,
    /// Integers where they are written so, and floats.
    Exact,
}

impl Numbers {
    /// A value that is no key.
    pub(super) fn of(self, value: Value) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "JSON numbers are floats, and Go rounds the same way")]
        match value {
            Value::Int(_, value) if self == Self::Json => Value::Float(value as f64),
            Value::Uint(_, value) if self == Self::Json => Value::Float(value as f64),
            value => value,
        }
    }
}

/// The value of a scalar, with numbers as they are written; `plain` is one without quotes. Fails when it is not what its
/// tag says.
pub(super) fn scalar(text: &str, tag: Option<&Tag>, plain: bool) -> Result<Value, Problem> {
    let Some(tag) = tag else {
        return Ok(if plain { resolved(text) } else { Value::text(text) });
    };
    if let Some(known) = ["int", "float", "bool", "null"].into_iter().find(|known| tag.is_yaml_core_schema_tag(known)) {
        let fits = match resolve(text) {
            Scalar::Null => known == "null",
            Scalar::Bool(_) => known == "bool",
            Scalar::Int(_) | Scalar::Uint(_) => matches!(known, "int" | "float"),
            Scalar::Float(_) => known == "float",
            Scalar::Timestamp | Scalar::Merge | Scalar::Str => false,
        };
        if !fits {
            return Err(cannot_decode(text, known));
        }
        return Ok(resolved(text));
    }
    let is = |suffix| tag.handle() == "tag:yaml.org,2002:" && tag.suffix() == suffix;
    if is("timestamp") && !matches!(resolve(text), Scalar::Timestamp) {
        return Err(cannot_decode(text, "timestamp"));
    }
    if is("binary") {
        let kept: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return match STANDARD.decode(kept) {
            Ok(bytes) => Ok(Value::str(bytes)),
            Err(_) => Err(Problem::Meaning("yaml: !!binary value contains invalid base64 data".into())),
        };
    }
    Ok(Value::text(text))
}

/// The refusal of a scalar that is not of the type its tag says.
fn cannot_decode(text: &str, tag: &str) -> Problem {
    let found = match resolve(text) {
        Scalar::Null => "null",
        Scalar::Bool(_) => "bool",
        Scalar::Int(_) | Scalar::Uint(_) => "int",
        Scalar::Float(_) => "float",
        Scalar::Merge => "merge",
        // Go looks for dates only where no tag says something else.
        Scalar::Timestamp | Scalar::Str => "str",
    };
    let start = Message::plain("yaml: cannot decode !!").words(found).text(" `").data(text);
    Problem::Meaning(start.text("` as a !!").words(tag))
}

fn resolved(text: &str) -> Value {
    match resolve(text) {
        Scalar::Null => Value::Nil,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Int(value) => Value::int64(value),
        Scalar::Uint(value) => Value::Uint(UintKind::Uint64, value),
        Scalar::Float(value) => Value::Float(value),
        Scalar::Timestamp | Scalar::Merge | Scalar::Str => Value::text(text),
    }
}
