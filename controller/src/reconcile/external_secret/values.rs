//! What is done to fetched values before they become keys of a Secret: names converted and checked, values decoded.
//!
//! Source of the rules: upstream 2.9, `conversionStrategy`, `decodingStrategy`, `nullBytePolicy` and its key check.

use std::fmt::Write as _;

use api::external_secret::{ConversionStrategy, DecodingStrategy, NullBytePolicy};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

use crate::{
    error::{Code, Error},
    provider::Values,
    secret_bytes::SecretBytes,
};

/// The longest key that a Secret takes.
const LONGEST_KEY: usize = 253;

/// Replaces characters that a Secret's key cannot have.
pub fn convert_keys(strategy: ConversionStrategy, values: Values) -> Result<Values, Error> {
    let mut converted = Values::new();
    for (key, value) in values {
        let new = convert_key(strategy, &key);
        if converted.insert(new.clone(), value).is_some() {
            return Err(Error::fix(
                Code::KeyConflict,
                format!("two names become the key \"{new}\" after conversion; use rewrite to keep them apart"),
            ));
        }
    }
    Ok(converted)
}

fn convert_key(strategy: ConversionStrategy, key: &str) -> String {
    let mut new = String::with_capacity(key.len());
    for c in key.chars() {
        match strategy {
            _ if is_allowed(c) => new.push(c),
            ConversionStrategy::Default => new.push('_'),
            ConversionStrategy::Unicode => {
                // Writing to a String cannot fail.
                let _ = write!(new, "_U{:04x}_", u32::from(c));
            }
        }
    }
    new
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | '_')
}

/// Drops the empty key and refuses keys that a Secret cannot have.
pub fn check_keys(mut values: Values) -> Result<Values, Error> {
    values.remove("");
    for key in values.keys() {
        if key.len() > LONGEST_KEY {
            let shown: String = key.chars().take(60).collect();
            return Err(Error::fix(
                Code::KeyInvalid,
                format!(
                    "the key \"{shown}…\" has {} bytes, a Secret takes {LONGEST_KEY}; shorten it with rewrite",
                    key.len()
                ),
            ));
        }
        if let Some(bad) = key.chars().find(|c| !is_allowed(*c)) {
            return Err(Error::fix(
                Code::KeyInvalid,
                format!(
                    "the key \"{key}\" has the character {bad:?}, a Secret takes letters, digits, '-', '.' and '_'; \
                     change it with rewrite or conversionStrategy"
                ),
            ));
        }
    }
    Ok(values)
}

/// Decodes one value. `name` is for the message only.
pub fn decode(strategy: DecodingStrategy, name: &str, value: SecretBytes) -> Result<SecretBytes, Error> {
    let failed = |alphabet: &str| {
        Error::fix(
            Code::DecodingFailed,
            format!("the value of \"{name}\" is not padded {alphabet}; correct it or change decodingStrategy"),
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
                "the value of \"{name}\" has NUL bytes and nullBytePolicy is Fail; store it as text (PEM, base64), or \
                 leave nullBytePolicy unset if it is binary on purpose"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(keys: &[&str]) -> Values {
        keys.iter().map(|key| ((*key).to_owned(), SecretBytes::from("v"))).collect()
    }

    #[test]
    fn keys_are_converted_by_strategy() {
        assert_eq!(convert_key(ConversionStrategy::Default, "a/b c"), "a_b_c");
        assert_eq!(convert_key(ConversionStrategy::Unicode, "a/b"), "a_U002f_b");
        assert_eq!(convert_key(ConversionStrategy::Default, "ü-1._"), "ü-1._");
    }

    #[test]
    fn keys_that_meet_after_conversion_are_refused() {
        let error = convert_keys(ConversionStrategy::Default, values(&["a/b", "a b"])).expect_err("conflict");
        assert_eq!(error.code(), Code::KeyConflict);
    }

    #[test]
    fn empty_key_is_dropped_and_bad_keys_are_named() {
        assert!(check_keys(values(&[""])).expect("dropped").is_empty());
        assert!(check_keys(values(&["a/b"])).expect_err("slash").to_string().contains("'/'"));
        assert_eq!(check_keys(values(&[&"x".repeat(254)])).expect_err("long").code(), Code::KeyInvalid);
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
}
