//! What Parameter Store answers, as far as it is used.

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::secret_bytes::SecretBytes;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OneParameter {
    pub parameter: Parameter,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Many {
    #[serde(deserialize_with = "or_none")]
    pub parameters: Vec<Parameter>,
    /// As they were asked for.
    #[serde(rename = "InvalidParameters", deserialize_with = "or_none")]
    pub absent: Vec<String>,
    pub next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parameter {
    #[serde(default)]
    pub name: String,
    /// Version or label as it was asked for, colon included.
    #[serde(default)]
    selector: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub value: SecretBytes,
}

impl Parameter {
    /// What it was asked for as.
    pub fn asked(&self) -> String {
        format!("{}{}", self.name, self.selector.as_deref().unwrap_or_default())
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Described {
    #[serde(deserialize_with = "or_none")]
    pub parameters: Vec<Name>,
    pub next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Name {
    pub name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tags {
    #[serde(deserialize_with = "or_none")]
    pub tag_list: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    pub key: String,
    #[serde(default)]
    pub value: String,
}

/// Null where a list belongs means an empty one.
fn or_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretBytes, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    Ok(text.as_str().into())
}
