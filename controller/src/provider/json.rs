//! JSON as backends store it, written byte for byte as the Go operator does.
//!
//! What enters is text from a backend; what leaves are values for Secrets. Unlike `serde_json::Value`, numbers keep
//! their digits, text is wiped when dropped, and nothing about the input can make it fail except that it is not JSON,
//! too deep or too large. Errors name a position, never the text around it.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::secret_bytes::SecretBytes;

mod gjson;
mod parse;
mod property;
mod write;

pub use parse::{Malformed, members};
pub use property::property;

/// A JSON value. Of equal keys in an object the last one counts.
#[derive(Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As it was written.
    Number(Zeroizing<String>),
    Text(Zeroizing<String>),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Numbers {
    /// With the digits they came with.
    AsWritten,
    /// As Go writes a 64-bit float; whole numbers keep their digits also where a float could not hold them.
    AsFloats,
}

/// The members of a JSON object; of `null` none, as Go has it. `None`: it is something else, or not JSON.
pub fn object(text: &[u8]) -> Option<BTreeMap<String, Json>> {
    match Json::parse(text) {
        Ok(Json::Object(members)) => Some(members),
        Ok(Json::Null) => Some(BTreeMap::new()),
        _ => None,
    }
}

/// The members of an object, or of null none, as values of keys of their own. `None`: it is something else.
pub fn values(value: &Json) -> Option<BTreeMap<String, SecretBytes>> {
    match value {
        Json::Null => Some(BTreeMap::new()),
        value => Some(value.as_object()?.iter().map(|(name, value)| (name.clone(), render(value))).collect()),
    }
}

/// A member of an object as the value of a key of its own, numbers being floats.
pub fn render(value: &Json) -> SecretBytes {
    value.to_value(Numbers::AsFloats)
}

/// An object that was put together from values, without the escapes that are meant for HTML.
pub fn object_text(members: &BTreeMap<String, Json>) -> Vec<u8> {
    let mut out = String::new();
    write::object(&mut out, members, write::Style { numbers: Numbers::AsFloats, for_html: false });
    out.into_bytes()
}

impl Json {
    /// Reads one JSON document. Invalid UTF-8 becomes U+FFFD, as in Go.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        parse::document(text)
    }

    /// The document as `json.Marshal` of Go writes it: sorted keys, no spaces, `<`, `>`, `&`, U+2028 and U+2029 escaped.
    pub fn to_text(&self, numbers: Numbers) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::new());
        write::value(&mut out, self, write::Style { numbers, for_html: true });
        out
    }

    /// The value as it is put into a Secret: text as it is, null as nothing, everything else as JSON.
    pub fn to_value(&self, numbers: Numbers) -> SecretBytes {
        match self {
            Self::Null => SecretBytes::default(),
            Self::Text(text) => SecretBytes::from(text.as_str()),
            Self::Number(digits) if numbers == Numbers::AsFloats => SecretBytes::from(write::plain_float(digits)),
            other => SecretBytes::from(other.to_text(numbers).as_str()),
        }
    }

    /// The members, if it is an object.
    pub const fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The member of that name, if it is an object that has one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The member of that name, taken out of the object.
    pub fn take(self, name: &str) -> Option<Self> {
        match self {
            Self::Object(mut members) => members.remove(name),
            _ => None,
        }
    }

    /// The number, if it is a whole one that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        };
        write!(f, "Json({kind})")
    }
}

#[cfg(test)]
mod tests;
