//! Fake: values written into the store itself.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Check, Scope};
use crate::field::non_empty;
use crate::problem::Problem;

/// Values written into the store itself, for demonstrations and tests.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fake {
    /// The values.
    pub data: Vec<FakeItem>,
    /// Outcome of the store's check: 0 for ready (the default), 1 for unknown, 2 for an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "integer")]
    pub validation_result: Option<i64>,
}

/// One value.
#[derive(Clone, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FakeItem {
    /// Name by which ExternalSecrets ask for the value.
    pub key: String,
    /// The value; JSON if properties of it are asked for.
    pub value: String,
    /// Version by which the value is asked for, if any.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl fmt::Debug for FakeItem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FakeItem")
            .field("key", &self.key)
            .field("value", &format_args!("{} bytes", self.value.len()))
            .field("version", &self.version)
            .finish()
    }
}

impl Check for Fake {
    fn problems(&self, _: &Scope) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, item) in self.data.iter().enumerate() {
            if item.key.is_empty() {
                problems.push(Problem::new(format!("data[{index}].key"), "is empty", "name the value"));
            }
            if item.value.is_empty() {
                problems.push(Problem::new(format!("data[{index}].value"), "is empty", "write the value"));
            }
        }
        problems
    }

    fn is_unmaintained(&self) -> bool {
        true
    }
}

/// An integer without a format, which the derive would add.
fn integer(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer" })
}
