//! What is done to fetched values before they become keys of a Secret: names checked, values decoded.
//!
//! Source of the rules: upstream 2.9, `decodingStrategy`, `nullBytePolicy` and its key check.

use std::collections::BTreeMap;

use api::external_secret::{DecodingStrategy, NullBytePolicy};
use base64::{
    Engine as _, alphabet,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig},
};

use super::shown;
use crate::{
    error::{Code, Error},
    provider::{Values, keys::is_allowed},
    secret_bytes::SecretBytes,
};

/// Padding has to be there, and what the last character says beyond the last byte does not matter.
const AS_IN_GO: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, AS_IN_GO);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, AS_IN_GO);

/// The longest key that a Secret takes.
const LONGEST_KEY: usize = 253;

/// The characters of which it consists.
const CHARACTERS: &str = "a-z, A-Z, 0-9, '-', '_' and '.'";

/// Drops the empty key and refuses keys that a Secret cannot have.
pub fn check_keys(mut values: Values) -> Result<Values, Error> {
    values.remove("");
    for key in values.keys() {
        if key.len() > LONGEST_KEY {
            return Err(Error::fix(
                Code::KeyInvalid,
                format!(
                    "the key \"{}\" has {} bytes, a Secret takes {LONGEST_KEY}; shorten it with rewrite",
                    shown::name(key),
                    key.len()
                ),
            ));
        }
        if let Some(bad) = key.chars().find(|c| !is_allowed(*c)) {
            return Err(Error::fix(
                Code::KeyInvalid,
                format!(
                    "the key \"{}\" has the character {bad:?}, a Secret takes {CHARACTERS}; change it with rewrite or \
                     conversionStrategy",
                    shown::name(key)
                ),
            ));
        }
    }
    Ok(values)
}

/// Refuses what would be written under keys that a Secret or ConfigMap cannot have. `odd`: such keys of what was fetched,
/// and where each came from; those that were rendered are refused as they are filed.
pub fn check_written(data: &Values, odd: &BTreeMap<String, String>) -> Result<(), Error> {
    let Some((key, path)) = odd.iter().find(|(key, _)| data.contains_key(*key)) else { return Ok(()) };
    // Whoever wrote an entry of `data` wrote the key as well; other keys come from the provider.
    let field = if path.starts_with("spec.dataFrom") { "rewrite" } else { "secretKey" };
    let message = format!(
        "no Secret or ConfigMap takes the key \"{}\": {}; name it otherwise, with {field}",
        shown::name(key),
        broken_rule(key)
    );
    Err(Error::fix(Code::KeyInvalid, message).at(path))
}

/// What is wrong with a key that is no key of data.
fn broken_rule(key: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if key.len() > LONGEST_KEY {
        return format!("it has {} bytes, and {LONGEST_KEY} are allowed", key.len());
    }
    match key.chars().find(|c| !is_allowed(*c)) {
        Some(bad) => format!("it has the character {bad:?}, and only {CHARACTERS} are allowed"),
        None if key.is_empty() => "it is empty".to_owned(),
        None => "it must not be \".\" nor begin with \"..\"".to_owned(),
    }
}

/// Decodes one value. `name` is for the message only.
pub fn decode(strategy: DecodingStrategy, name: &str, value: SecretBytes) -> Result<SecretBytes, Error> {
    let failed = |alphabet: &str| {
        Error::fix(
            Code::DecodingFailed,
            format!(
                "the value of \"{}\" is not padded {alphabet}; correct it or change decodingStrategy",
                shown::name(name)
            ),
        )
    };
    match strategy {
        DecodingStrategy::None => Ok(value),
        DecodingStrategy::Base64 => base64(&value).ok_or_else(|| failed("base64")),
        DecodingStrategy::Base64Url => base64url(&value).ok_or_else(|| failed("base64url")),
        DecodingStrategy::Auto => Ok(base64(&value).or_else(|| base64url(&value)).unwrap_or(value)),
    }
}

pub fn decode_all(strategy: DecodingStrategy, values: Values) -> Result<Values, Error> {
    values.into_iter().map(|(key, value)| Ok((key.clone(), decode(strategy, &key, value)?))).collect()
}

/// Go's decoders skip line breaks.
fn without_line_breaks(value: &SecretBytes) -> SecretBytes {
    SecretBytes::new(value.expose().iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect())
}

fn base64(value: &SecretBytes) -> Option<SecretBytes> {
    STANDARD.decode(without_line_breaks(value).expose()).ok().map(SecretBytes::new)
}

fn base64url(value: &SecretBytes) -> Option<SecretBytes> {
    URL_SAFE.decode(without_line_breaks(value).expose()).ok().map(SecretBytes::new)
}

/// Refuses values with NUL bytes where the user asked for that.
pub fn check_null_bytes(policy: NullBytePolicy, name: &str, value: &SecretBytes) -> Result<(), Error> {
    if policy == NullBytePolicy::Fail && value.expose().contains(&0) {
        return Err(Error::fix(
            Code::NullBytes,
            format!(
                "the value of \"{}\" has NUL bytes and nullBytePolicy is Fail; store it as text (PEM, base64), or \
                 leave nullBytePolicy unset if it is binary on purpose",
                shown::name(name)
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// How it was made stands in the file.
    const BASE64: &str = include_str!("../../../tests/fixtures/base64.json");

    #[derive(Deserialize)]
    struct Fixture {
        rows: Vec<(String, Option<String>, Option<String>)>,
    }

    fn values(keys: &[&str]) -> Values {
        keys.iter().map(|key| ((*key).to_owned(), SecretBytes::from("v"))).collect()
    }

    #[test]
    fn empty_key_is_dropped_and_bad_keys_are_named() {
        assert!(check_keys(values(&[""])).expect("dropped").is_empty());
        assert!(check_keys(values(&["a/b"])).expect_err("slash").to_string().contains("'/'"));
        assert_eq!(check_keys(values(&[&"x".repeat(254)])).expect_err("long").code(), Code::KeyInvalid);
    }

    #[test]
    fn key_from_a_provider_is_told_on_one_line_and_not_at_any_length() {
        let odd = "a\n\u{202e}\"b";
        let long = odd.repeat(10_000);
        let checked = |key: &str| check_keys(values(&[key])).expect_err("refused");
        let decoded = |key: &str| decode(DecodingStrategy::Base64, key, "!".into()).expect_err("refused");
        let without_nul = |key: &str| check_null_bytes(NullBytePolicy::Fail, key, &"\0".into()).expect_err("refused");
        let written = |key: &str| {
            let odd = BTreeMap::from([(key.to_owned(), "spec.dataFrom[0].extract".to_owned())]);
            check_written(&values(&[key]), &odd).expect_err("refused")
        };
        let refusals: [fn(&str) -> Error; 4] = [checked, decoded, without_nul, written];
        for refused in refusals {
            let message = refused(odd).message().to_owned();
            assert!(message.contains(r#""a\n\u{202e}\"b""#) && !message.contains('\n'), "{message}");
            let message = refused(&long).message().to_owned();
            assert!(message.len() < 600 && !message.contains('\u{202e}'), "{message}");
        }
    }

    #[test]
    fn key_that_no_secret_takes_is_refused_only_where_it_is_written() {
        let odd = BTreeMap::from([("..x".to_owned(), "spec.dataFrom[1].extract".to_owned())]);
        assert!(check_written(&values(&["a", ".x"]), &odd).is_ok());
        let error = check_written(&values(&["..x", "a"]), &odd).expect_err("..x");
        assert_eq!((error.code(), error.context()), (Code::KeyInvalid, Some("spec.dataFrom[1].extract")));
        assert!(error.message().contains("\"..x\"") && error.message().contains("begin with \"..\""), "{error}");
    }

    #[test]
    fn key_that_no_secret_takes_is_refused_with_the_rule_that_it_breaks() {
        let refusal = |key: &str, path: &str| {
            let odd = BTreeMap::from([(key.to_owned(), path.to_owned())]);
            check_written(&values(&[key]), &odd).expect_err("refused").to_string()
        };
        let error = refusal("schlüssel", "spec.dataFrom[1].extract");
        assert!(error.contains("spec.dataFrom[1].extract: ") && error.contains("\"schlüssel\""), "{error}");
        assert!(error.contains("the character 'ü'") && error.contains("a-z, A-Z, 0-9"), "{error}");
        assert!(error.ends_with("with rewrite") && !error.contains("begin with"), "{error}");
        let error = refusal(".", "spec.data[0]");
        assert!(error.contains("must not be \".\"") && error.ends_with("with secretKey"), "{error}");
        let error = refusal(&"k".repeat(254), "spec.data[0]");
        assert!(error.contains("254 bytes, and 253 are allowed"), "{error}");
    }

    #[test]
    fn values_are_decoded_by_strategy() {
        let decode = |strategy, text: &str| decode(strategy, "k", text.into()).map(|value| value.expose().to_vec());
        assert_eq!(decode(DecodingStrategy::Base64, "aGk=").expect("base64"), b"hi");
        assert_eq!(decode(DecodingStrategy::Base64, "aG\nk=").expect("line break"), b"hi");
        assert_eq!(decode(DecodingStrategy::Base64Url, "_-8=").expect("base64url"), [0xff, 0xef]);
        assert_eq!(decode(DecodingStrategy::Auto, "_-8=").expect("auto"), [0xff, 0xef]);
        assert_eq!(decode(DecodingStrategy::Auto, "not base64!").expect("auto"), b"not base64!");
        let error = decode(DecodingStrategy::Base64, "canary!").expect_err("not base64").to_string();
        assert!(!error.contains("canary") && error.contains("\"k\""), "{error}");
    }
    #[test]
    fn base64_is_what_it_is_in_go() {
        let fixture: Fixture = serde_json::from_str(BASE64).expect("the fixture");
        for (text, standard, url) in fixture.rows {
            let bytes = |expected: &Option<String>| {
                expected.as_ref().map(|expected| STANDARD.decode(expected).expect("standard base64"))
            };
            let decode =
                |strategy| decode(strategy, "k", text.as_str().into()).ok().map(|value| value.expose().to_vec());
            assert_eq!(decode(DecodingStrategy::Base64), bytes(&standard), "{text:?}");
            assert_eq!(decode(DecodingStrategy::Base64Url), bytes(&url), "{text:?}");
            let auto = bytes(&standard).or_else(|| bytes(&url)).or_else(|| Some(text.clone().into_bytes()));
            assert_eq!(decode(DecodingStrategy::Auto), auto, "{text:?}");
            assert_eq!(decode(DecodingStrategy::None).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn null_bytes_are_refused_where_that_is_asked() {
        let check = |policy, value: &[u8]| check_null_bytes(policy, "k", &value.to_vec().into()).is_ok();
        assert!(check(NullBytePolicy::Ignore, b"a\0b") && check(NullBytePolicy::Fail, b"a\x01b"));
        assert!(!check(NullBytePolicy::Fail, b"a\0b") && !check(NullBytePolicy::Fail, b"\0"));
    }
}
