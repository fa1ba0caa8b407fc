//! Rendered keys and values filed as what they become: data, labels, annotations.
//!
//! What Kubernetes would refuse is refused here, where the key can be named: the API server's words are not repeated to
//! users, because they may quote values. A key that was rendered may hold a value too, so it is told only where the
//! template has it in plain text.

use std::collections::BTreeMap;

use api::{admission::ours::is_data_key, field_path::FieldPath};
use serde_json::Value;

use crate::{
    error::{Code, Error},
    provider::Values,
    secret_bytes::SecretBytes,
};

/// What a Secret should hold beyond its bookkeeping.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    pub data: Values,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub finalizers: Vec<String>,
    /// `None`: leave it as it is, `Opaque` when created.
    pub type_: Option<String>,
    /// What goes elsewhere in an object that is no Secret, in the order in which it is put there.
    pub placed: Vec<Placed>,
}

/// A value and where in the object it goes.
#[derive(Clone, PartialEq)]
pub struct Placed {
    pub path: FieldPath,
    pub value: Value,
}

impl std::fmt::Debug for Placed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Placed({})", self.path)
    }
}

/// A part of the Secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    Data,
    Labels,
    Annotations,
}

impl Content {
    /// Puts a value in its part; a key that is there already gets the new value. `told`: the key, as messages may
    /// name it.
    pub fn file(&mut self, part: Part, key: String, told: &str, value: SecretBytes) -> Result<(), Error> {
        let refused = |what: &str| Error::fix(Code::TemplateFailed, format!("{told} {what}"));
        let map = match part {
            Part::Data if !is_data_key(&key) => {
                return Err(refused("is not a key of a Secret: at most 253 letters, digits, '-', '_' and '.'"));
            }
            Part::Data => {
                self.data.insert(key, value);
                return Ok(());
            }
            Part::Labels => &mut self.labels,
            Part::Annotations => &mut self.annotations,
        };
        let Ok(text) = String::from_utf8(value.expose().to_vec()) else {
            return Err(refused("has a value that is not UTF-8, which labels and annotations must be"));
        };
        if part == Part::Labels && !is_label_value(&text) {
            return Err(refused(
                "has a value that no label can have: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at \
                 both ends",
            ));
        }
        map.insert(key, text);
        Ok(())
    }
}

fn is_label_value(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_end = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63 && text.bytes().all(is_inner) && is_end(text.bytes().next()) && is_end(text.bytes().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filed(part: Part, key: &str, value: &[u8]) -> Result<Content, Error> {
        let mut content = Content::default();
        content.file(part, key.to_owned(), "a key", value.to_vec().into())?;
        Ok(content)
    }

    #[test]
    fn keys_that_a_secret_cannot_have_are_refused_without_being_told() {
        for key in ["", "a b", "canary/", "ü", ".", "..", "..a", &"k".repeat(254)] {
            let error = filed(Part::Data, key, b"v").expect_err(key).to_string();
            assert!(error.contains("a key is not a key of a Secret") && !error.contains("canary"), "{error}");
        }
        for key in ["a", ".dockerconfigjson", "tls.crt", ".a.", &"k".repeat(253)] {
            assert!(filed(Part::Data, key, b"\xff\0").is_ok(), "{key}");
        }
    }

    #[test]
    fn labels_take_what_kubernetes_takes_and_annotations_any_text() {
        for value in ["canary/", "-a", "a.", "a b", &"v".repeat(64)] {
            let error = filed(Part::Labels, "l", value.as_bytes()).expect_err(value).to_string();
            assert!(error.contains("no label can have") && !error.contains("canary"), "{error}");
            assert!(filed(Part::Annotations, "a", value.as_bytes()).is_ok());
        }
        for value in ["", "a", "a-b_c.D1", &"v".repeat(63)] {
            assert_eq!(filed(Part::Labels, "l", value.as_bytes()).expect("a label").labels["l"], value);
        }
        let error = filed(Part::Annotations, "a", b"\xff").expect_err("not UTF-8").to_string();
        assert!(error.contains("not UTF-8"), "{error}");
    }
}
