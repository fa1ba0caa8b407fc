//! YAML 1.1 as the Go library writes and reads it, by way of JSON's types.

mod emit;
mod escapes;
mod json;
mod key;
mod mend;
mod order;
mod parse;
mod problem;
mod quoted;
mod readable;
mod resolve;
mod scalar;
mod tabs;
mod tags;
mod texts;

pub(crate) use emit::emit;
pub use json::yaml_json;
pub(crate) use parse::parse;
pub use texts::{YamlError, yaml_texts};
