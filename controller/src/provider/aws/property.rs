//! Parts of a value that is JSON, as the Go operator's services of AWS take them.

use std::collections::BTreeMap;

use api::external_secret::RemoteRef;
use zeroize::Zeroizing;

use crate::{
    error::{Code, Error},
    provider::{
        Values,
        json::{self, Json, Numbers},
    },
    secret_bytes::SecretBytes,
};

/// The value, or the property of it that is asked for. `what`: the entry, in words.
pub fn part(what: &str, remote: &RemoteRef, value: &SecretBytes) -> Result<SecretBytes, Error> {
    match &remote.property {
        None => Ok(value.clone()),
        Some(property) => of(what, value.expose(), property),
    }
}

fn of(what: &str, text: &[u8], property: &str) -> Result<SecretBytes, Error> {
    let refused = |refused| Error::fix(Code::SpecInvalid, format!("property {property:?}: {refused}"));
    // A key that contains dots is meant more often than a path through a key of that name's beginning.
    if property.contains('.')
        && let Some(found) = json::property(text, &property.replace('.', "\\.")).map_err(refused)?
    {
        return Ok(found);
    }
    json::property(text, property).map_err(refused)?.ok_or_else(|| match Json::parse(text) {
        Ok(_) => {
            let problem = format!("{what} has no property {property:?}; add it or correct the path");
            Error::fix(Code::RemotePropertyMissing, problem)
        }
        Err(problem) => {
            let problem = format!("{what} is not JSON ({problem}), so it has no property {property:?}");
            Error::fix(Code::RemoteValueInvalid, problem)
        }
    })
}

/// The members of a value that is a JSON object: text unquoted, null as nothing, everything else as it was written.
pub fn members(what: &str, value: &SecretBytes) -> Result<Values, Error> {
    let invalid = |problem: String| {
        Error::fix(Code::RemoteValueInvalid, format!("{what} {problem}; extract takes JSON objects only"))
    };
    let text = String::from_utf8_lossy(value.expose());
    let members = json::members(&text).map_err(|problem| invalid(format!("is not JSON ({problem})")))?;
    let members = members.ok_or_else(|| invalid("is JSON, but no object".into()))?;
    Ok(members.into_iter().map(|(name, raw)| (name, member(raw))).collect())
}

fn member(raw: &str) -> SecretBytes {
    match Json::parse(raw.as_bytes()) {
        Ok(value @ (Json::Null | Json::Text(_))) => value.to_value(Numbers::AsWritten),
        _ => raw.into(),
    }
}

/// Tags as a JSON object.
pub fn tags(tags: impl IntoIterator<Item = (String, String)>) -> SecretBytes {
    let tags: BTreeMap<_, _> = tags.into_iter().map(|(key, value)| (key, Json::Text(Zeroizing::new(value)))).collect();
    Json::Object(tags).to_text(Numbers::AsWritten).as_str().into()
}
