//! Secrets by name or tags: lists the account's secrets and looks at their names and tags.

use std::collections::BTreeMap;

use api::external_secret::Find;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry};
use regex::Regex;

use super::{LIST, SecretsManager};
use crate::error::{Code, Error};

/// Secrets listed per call, the most that AWS allows.
const PAGE: i32 = 100;

/// Pages of one search: 20,000 secrets.
const MAX_PAGES: usize = 200;

/// What is matched here, after the filters of AWS, which compare parts of names and ignore which tag has which value.
struct Wanted<'a> {
    path: &'a str,
    name: Option<Regex>,
    tags: &'a BTreeMap<String, String>,
}

impl<'a> Wanted<'a> {
    /// A name takes precedence over tags.
    fn new(query: &'a Find) -> Result<Self, Error> {
        static NO_TAGS: BTreeMap<String, String> = BTreeMap::new();
        let path = query.path.as_deref().unwrap_or_default();
        let Some(name) = &query.name else {
            if query.tags.is_empty() {
                let problem = "find: names neither name nor tags; set one of them";
                return Err(Error::fix(Code::SpecInvalid, problem));
            }
            return Ok(Self { path, name: None, tags: &query.tags });
        };
        let regex = api::regexp::compile("find.name.regexp", name.regexp.as_deref().unwrap_or_default())
            .map_err(|problem| Error::fix(Code::SpecInvalid, problem.to_string()))?;
        Ok(Self { path, name: Some(regex), tags: &NO_TAGS })
    }

    /// What AWS can leave out by itself.
    fn filters(&self) -> Vec<Filter> {
        let filter = |name, value: &str| Filter::builder().key(name).values(value).build();
        let path = Some(self.path).filter(|path| !path.is_empty());
        let path = path.map(|path| filter(FilterNameStringType::Name, path));
        path.into_iter().chain(self.tags.keys().map(|key| filter(FilterNameStringType::TagKey, key))).collect()
    }

    fn matches(&self, entry: &SecretListEntry) -> bool {
        let Some(name) = entry.name() else { return false };
        let tags = |(key, value): (&String, &String)| {
            entry.tags().iter().any(|tag| tag.key() == Some(key) && tag.value() == Some(value))
        };
        name.starts_with(self.path)
            && self.name.as_ref().is_none_or(|regex| regex.is_match(name))
            && self.tags.iter().all(tags)
    }
}

/// Names of the secrets that match.
pub async fn names(store: &SecretsManager, query: &Find) -> Result<Vec<String>, Error> {
    let wanted = Wanted::new(query)?;
    let filters = Some(wanted.filters()).filter(|filters| !filters.is_empty());
    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let request = store.client.list_secrets().max_results(PAGE).set_filters(filters.clone()).set_next_token(token);
        let page = store.caller.call(LIST, "listing secrets", request.send()).await?;
        let matching = page.secret_list.unwrap_or_default().into_iter().filter(|entry| wanted.matches(entry));
        found.extend(matching.filter_map(|entry| entry.name));
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
    let problem = format!("find: the account has more than {} secrets to look through; set find.path", MAX_PAGES * 100);
    Err(Error::fix(Code::RemoteValueInvalid, problem))
}
