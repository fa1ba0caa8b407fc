//! Entries by name or tags: walks the folders of an engine.

use std::collections::BTreeMap;

use api::external_secret::Find;
use futures::{StreamExt, TryStreamExt, stream};
use regex::Regex;

use super::{
    kv::{Engine, Location},
    session::Session,
};
use crate::{
    error::{Code, Error},
    provider::json::Json,
};

/// Requests that one search makes at the same time.
pub const CONCURRENCY: usize = 8;

/// Most entries and folders that a search visits.
const MAX_VISITED: usize = 20_000;

/// What a search looks for. A name takes precedence over tags; without either everything matches.
pub enum Wanted {
    Everything,
    Name(Regex),
    Tags(BTreeMap<String, String>),
}

impl Wanted {
    pub fn new(query: &Find) -> Result<Self, Error> {
        if let Some(name) = &query.name {
            let regexp = name.regexp.as_deref().unwrap_or_default();
            let regex = api::regexp::compile("find.name.regexp", regexp);
            return regex.map(Self::Name).map_err(|problem| Error::fix(Code::SpecInvalid, problem.to_string()));
        }
        Ok(if query.tags.is_empty() { Self::Everything } else { Self::Tags(query.tags.clone()) })
    }
}

/// Where entries below `query.path` lie that match, by their path below the mount. `None`: there is no such folder.
pub async fn find(session: &Session, engine: &Engine, query: &Find) -> Result<Option<Vec<Location>>, Error> {
    let wanted = Wanted::new(query)?;
    let Some(mount) = engine.mount() else {
        let problem = "find needs spec.provider.vault.path, the mount of the engine to search in; set it";
        return Err(Error::fix(Code::StoreInvalid, problem));
    };
    let root = query.path.as_deref().unwrap_or_default().trim_matches('/');
    let Some(all) = walk(session, engine, mount, root).await? else { return Ok(None) };
    let matching = stream::iter(all.into_iter().map(|location| is_match(session, engine, &wanted, location)));
    let matching: Vec<_> = matching.buffered(CONCURRENCY).try_collect().await?;
    Ok(Some(matching.into_iter().flatten().collect()))
}

/// Every entry below a folder, level by level.
async fn walk(session: &Session, engine: &Engine, mount: &str, root: &str) -> Result<Option<Vec<Location>>, Error> {
    let (mut entries, mut folders, mut visited) = (Vec::new(), vec![root.to_owned()], 0);
    while !folders.is_empty() {
        let listed: Vec<_> = stream::iter(std::mem::take(&mut folders))
            .map(|folder| async move {
                let at = Location { mount: mount.into(), path: folder.clone() };
                engine.list(session, &at).await.map(|names| (folder, names))
            })
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        for (folder, names) in listed {
            match names {
                None if folder == root => return Ok(None),
                // Its last entry was deleted meanwhile.
                None => {}
                Some(names) => {
                    visited += names.len();
                    for name in names {
                        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                        match path.strip_suffix('/') {
                            Some(folder) => folders.push(folder.to_owned()),
                            None => entries.push(Location { mount: mount.into(), path }),
                        }
                    }
                }
            }
        }
        if visited > MAX_VISITED {
            let problem = format!("more than {MAX_VISITED} entries to search below {root:?}; set find.path");
            return Err(Error::fix(Code::RemoteValueInvalid, problem));
        }
    }
    Ok(Some(entries))
}

async fn is_match(
    session: &Session,
    engine: &Engine,
    wanted: &Wanted,
    location: Location,
) -> Result<Option<Location>, Error> {
    let is_match = match wanted {
        Wanted::Everything => true,
        Wanted::Name(regex) => regex.is_match(&location.path),
        Wanted::Tags(tags) => match engine.metadata(session, &location).await? {
            None => false,
            Some(found) => tags.iter().all(|(name, value)| found.json.get(name).and_then(Json::as_str) == Some(value)),
        },
    };
    Ok(is_match.then_some(location))
}
