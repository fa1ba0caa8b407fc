//! A YAML text as JSON.

use super::parse::Reader;
use super::texts::{Mistake, YamlError, with_reader};
use crate::funcs::json;
use crate::limits::Limits;

/// The first document of a YAML text as JSON, `null` if it is empty.
///
/// Scalars mean what they mean in YAML 1.1; numbers keep their digits. Fails on what is not YAML or stands for nothing
/// that JSON has, such as infinity, and on what takes more than `limits` allow a template.
pub fn yaml_json(text: &[u8], limits: &Limits) -> Result<Vec<u8>, YamlError> {
    with_reader(text, limits, write)
}

fn write(reader: &mut Reader<'_, '_>) -> Result<Vec<u8>, Mistake> {
    let value = reader.document()?;
    let json = json::compact(reader.context(), &value).map_err(|_| Mistake::TooMuch)?;
    json.map_err(|_| Mistake::Meaning("the value is one that JSON does not have".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(yaml: &str) -> String {
        String::from_utf8(yaml_json(yaml.as_bytes(), &Limits::default()).expect(yaml)).expect("JSON is UTF-8")
    }

    #[test]
    fn documents_become_what_they_mean_in_yaml_1_1() {
        for (yaml, expected) in [
            ("", "null"),
            ("a: 1\nb: [x, 2.5, yes, ~]\n", r#"{"a":1,"b":["x",2.5,true,null]}"#),
            ("- from: <a>\n  port: '80'\n", r#"[{"from":"<a>","port":"80"}]"#),
            ("9007199254740993", "9007199254740993"),
            ("a: &x {b: c}\nd: *x\n", r#"{"a":{"b":"c"},"d":{"b":"c"}}"#),
            ("a: 1\n---\nb: 2\n", r#"{"a":1}"#),
        ] {
            assert_eq!(json(yaml), expected, "{yaml}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_told_without_being_quoted() {
        for yaml in ["a: .inf\n", "a: [canary", "a: *canary\n"] {
            let error = yaml_json(yaml.as_bytes(), &Limits::default()).expect_err(yaml).to_string();
            assert!(error.starts_with("line ") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn document_that_multiplies_itself_is_too_much() {
        let line =
            |level: usize| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
        let copies: String = (1..12).map(line).collect();
        let yaml = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{copies}");
        let error = yaml_json(yaml.as_bytes(), &Limits::default()).expect_err("too much").to_string();
        assert!(error.contains("too large"), "{error}");
    }
}
