//! Values written into the store itself, for demonstrations and tests.
//!
//! As upstream's: a property that an entry has not counts as an absent entry, and `find` converts names before they are
//! rewritten.

use std::time::Instant;

use api::{
    external_secret::{Find, RemoteRef},
    provider::{Fake as Spec, FakeItem},
};
use async_trait::async_trait;

use super::{Readiness, Store, Values, json, keys};
use crate::{
    error::{Code, Error},
    secret_bytes::SecretBytes,
};

/// Outcomes of the check that a spec can ask for.
const UNKNOWN: i64 = 1;
const FAILED: i64 = 2;

/// See the module documentation.
pub struct Fake {
    spec: Spec,
}

impl Fake {
    pub const fn new(spec: Spec) -> Self {
        Self { spec }
    }

    /// The entry with exactly that key and version; the first one if there are several.
    fn entry(&self, remote: &RemoteRef) -> Option<&FakeItem> {
        let version = remote.version.as_deref();
        self.spec.data.iter().find(|item| item.key == remote.key && item.version.as_deref() == version)
    }
}

#[async_trait]
impl Store for Fake {
    async fn get(&self, remote: &RemoteRef, _: Instant) -> Result<Option<SecretBytes>, Error> {
        let Some(item) = self.entry(remote) else { return Ok(None) };
        let Some(path) = &remote.property else { return Ok(Some(item.value.as_str().into())) };
        let found = json::property(item.value.as_bytes(), path)
            .map_err(|refused| Error::fix(Code::SpecInvalid, format!("property {path:?}: {refused}")))?;
        Ok(found)
    }

    async fn get_map(&self, remote: &RemoteRef, since: Instant) -> Result<Option<Values>, Error> {
        let Some(value) = self.get(remote, since).await? else { return Ok(None) };
        let not_an_object = |what: String| {
            let key = &remote.key;
            Error::fix(Code::RemoteValueInvalid, format!("entry {key:?} of the fake store is no JSON object: {what}"))
        };
        let value = json::Json::parse(value.expose()).map_err(|error| not_an_object(error.to_string()))?;
        let values = json::values(&value).ok_or_else(|| not_an_object("it is another JSON value".into()))?;
        Ok(Some(values))
    }

    async fn find(&self, query: &Find, _: Instant) -> Result<Option<Values>, Error> {
        let matcher = query.name.as_ref().and_then(|name| name.regexp.as_deref());
        let matcher = matcher
            .map(|regexp| api::regexp::compile("find.name.regexp", regexp))
            .transpose()
            .map_err(|problem| Error::fix(Code::SpecInvalid, problem.to_string()))?;
        if matcher.is_none() && !query.tags.is_empty() {
            return Err(Error::fix(Code::NotSupported, "find.tags: the fake store has no tags; use find.name"));
        }
        let prefix = query.path.as_deref().unwrap_or_default();
        let items = self.spec.data.iter().filter(|item| {
            item.version.is_none()
                && item.key.starts_with(prefix)
                && matcher.as_ref().is_none_or(|matcher| matcher.is_match(&item.key))
        });
        let values = items.map(|item| (item.key.clone(), item.value.as_str().into())).collect();
        // Here and not after a rewrite, which sees converted names of this store.
        keys::convert(query.conversion_strategy, values).map(Some)
    }

    async fn check(&self) -> Result<Readiness, Error> {
        match self.spec.validation_result {
            Some(UNKNOWN) => Ok(Readiness::Unknown),
            Some(FAILED) => {
                let problem = "spec.provider.fake.validationResult asks for an error; remove it or set it to 0";
                Err(Error::fix(Code::StoreInvalid, problem))
            }
            _ => Ok(Readiness::Ready),
        }
    }

    fn is_remote(&self) -> bool {
        false
    }

    fn check_asks_backend(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
