//! Fingerprints that decide whether something has changed.
//!
//! They are the Go operator's to the byte (SHA3-224 over the text that Go's `%+v` prints), because they are stored in
//! annotations, labels and status: another value would refetch and rewrite every Secret on the day of a takeover.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use sha3::{Digest as _, Sha3_224};

/// Fingerprint of the `.data` of a Secret, stored in the annotation [`crate::names::DATA_HASH_ANNOTATION`].
///
/// Feeds the hasher as it goes: nothing the size of the data is allocated.
pub fn data_hash<V: AsRef<[u8]>>(data: &BTreeMap<String, V>) -> String {
    let mut hasher = Sha3_224::new();
    hasher.update("map[");
    for (index, (key, value)) in data.iter().enumerate() {
        if index > 0 {
            hasher.update(" ");
        }
        hasher.update(key);
        hasher.update(":[");
        for (index, byte) in value.as_ref().iter().enumerate() {
            if index > 0 {
                hasher.update(" ");
            }
            hash_decimal(&mut hasher, *byte);
        }
        hasher.update("]");
    }
    hasher.update("]");
    hexadecimal(hasher)
}

/// Fingerprint of an object's labels and annotations, the second half of `status.syncedResourceVersion`.
pub fn metadata_hash(labels: &BTreeMap<String, String>, annotations: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha3_224::new();
    hasher.update("{annotations:");
    hash_texts(&mut hasher, annotations);
    hasher.update(" labels:");
    hash_texts(&mut hasher, labels);
    hasher.update("}");
    hexadecimal(hasher)
}

/// Value of the label [`crate::names::OWNER_LABEL`] for the ExternalSecret `namespace/name`.
pub fn owner_label(namespace: &str, name: &str) -> String {
    let mut hasher = Sha3_224::new();
    hasher.update(namespace);
    hasher.update("/");
    hasher.update(name);
    hexadecimal(hasher)
}

/// Fingerprint of a text.
pub fn text_hash(text: &str) -> String {
    let mut hasher = Sha3_224::new();
    hasher.update(text);
    hexadecimal(hasher)
}

fn hash_texts(hasher: &mut Sha3_224, texts: &BTreeMap<String, String>) {
    hasher.update("map[");
    for (index, (key, value)) in texts.iter().enumerate() {
        if index > 0 {
            hasher.update(" ");
        }
        hasher.update(key);
        hasher.update(":");
        hasher.update(value);
    }
    hasher.update("]");
}

/// Feeds a byte as Go prints it: in decimal, without leading zeros.
fn hash_decimal(hasher: &mut Sha3_224, byte: u8) {
    let digits = [b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10];
    let leading_zeros = usize::from(byte < 100) + usize::from(byte < 10);
    hasher.update(&digits[leading_zeros..]);
}

fn hexadecimal(hasher: Sha3_224) -> String {
    hasher.finalize().iter().fold(String::with_capacity(56), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Fingerprint of what an object other than a Secret says, stored in the same annotation: of `.spec`, or of `.data`.
pub fn content_hash(content: &Value) -> String {
    let mut text = String::new();
    write_go(&mut text, content);
    text_hash(&text)
}

/// As Go's `%+v` prints what it decodes from JSON: maps sorted by key, no quotes.
fn write_go(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("<nil>"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::String(value) => text.push_str(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => text.push_str(&whole.to_string()),
            (None, Some(float)) => text.push_str(&go_float(float)),
            (None, None) => text.push_str(&number.to_string()),
        },
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { " " } else { "" });
                write_go(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| key.as_str());
            text.push_str("map[");
            for (index, (key, value)) in fields.into_iter().enumerate() {
                text.push_str(if index > 0 { " " } else { "" });
                text.push_str(key);
                text.push(':');
                write_go(text, value);
            }
            text.push(']');
        }
    }
}

/// The shortest digits, with an exponent of at least two digits below 10⁻⁴ and from 10⁶ on.
fn go_float(float: f64) -> String {
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn data_hash_equals_the_go_operator() {
        assert_eq!(
            data_hash(&texts(&[("foo", "value1"), ("bar", "value2")])),
            "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64"
        );
        assert_eq!(data_hash(&texts(&[])), "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
    }

    #[test]
    fn metadata_hash_equals_the_go_operator() {
        assert_eq!(metadata_hash(&texts(&[]), &texts(&[])), "f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2");
    }

    #[test]
    fn metadata_hash_renders_sorted_pairs_annotations_first() {
        assert_eq!(
            metadata_hash(&texts(&[("l", "1")]), &texts(&[("b", "2"), ("a", "3 4")])),
            text_hash("{annotations:map[a:3 4 b:2] labels:map[l:1]}")
        );
    }

    #[test]
    fn owner_label_equals_the_go_operator() {
        assert_eq!(owner_label("default", "foo"), "5634524f81ffd28d5559acdfea844235c0d3fc2499aca5a96810d10e");
    }

    #[test]
    fn text_hash_equals_the_go_operator() {
        assert_eq!(text_hash("hello there"), "f78681ec611ebaeea0689bff6c7812a83ff98a7faba986d9af76c999");
        assert_eq!(text_hash("<nil>"), "c461202a18e99215f121936fb2452e03843828e448a00a53f285a6fc");
    }

    #[test]
    fn every_byte_is_rendered_in_decimal_without_leading_zeros() {
        let bytes: Vec<u8> = (0..=255).collect();
        let rendered = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(data_hash(&BTreeMap::from([("k".to_owned(), bytes)])), text_hash(&format!("map[k:[{rendered}]]")));
        assert_eq!(data_hash(&BTreeMap::from([("k".to_owned(), "")])), text_hash("map[k:[]]"));
    }

    #[test]
    fn content_hash_equals_gos() {
        let hash = |json: &str| content_hash(&serde_json::from_str(json).unwrap());
        assert_eq!(
            hash(r#"{"b":1,"a":"x y","n":null,"t":true,"f":1.5,"l":["a",2,null,{"k":"v"}],"m":{},"e":[],"s":""}"#),
            "ace72a71113da9040a6fb815eafdba5ffb77d50ba57870e5db29e4fd"
        );
        assert_eq!(
            hash(r#"{"other":"two","key":"value1"}"#),
            "c00b4202f45f421adb6972acb4c65fc8e23fde5ac052d12e50717fe9"
        );
        assert_eq!(hash("{}"), "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
        assert_eq!(hash("null"), "c461202a18e99215f121936fb2452e03843828e448a00a53f285a6fc");
    }

    #[test]
    fn numbers_are_written_as_gos_v_does() {
        for (json, expected) in [
            ("123456.5", "123456.5"),
            ("1234567.5", "1.2345675e+06"),
            ("1e6", "1e+06"),
            ("1000000", "1000000"),
            ("9223372036854775807", "9223372036854775807"),
            ("18446744073709551615", "1.8446744073709552e+19"),
            ("1.5e21", "1.5e+21"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1e300", "1e+300"),
            ("-0.5", "-0.5"),
        ] {
            let mut text = String::new();
            write_go(&mut text, &serde_json::from_str(json).unwrap());
            assert_eq!(text, expected, "{json}");
        }
    }
}
