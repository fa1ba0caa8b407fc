//! JSON to types, with the path of the field that does not fit.
//!
//! Unknown fields are ignored: an object that another build wrote is still an object. A wrong type is a [`Problem`],
//! never a panic; nesting is bounded by `serde_json` (128 levels).

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::Problem;

/// Decodes an object that was parsed before.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| problem(&error))
}

/// Decodes an object from its JSON text.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| problem(&error))
}

fn problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    // "." is how serde_path_to_error names the root.
    let path = if path == "." { String::new() } else { path };
    Problem::new(path, error.inner().to_string(), "`kubectl explain` shows what the field takes")
}
