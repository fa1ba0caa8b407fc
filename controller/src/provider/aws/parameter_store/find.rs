//! Parameters by name or tags.
//!
//! By name they are read folder by folder, values and all. Where the identity may not do that, they are listed and read,
//! which needs two other permissions. By tags they are always listed.

use api::external_secret::Find;
use serde_json::{Value, json};

use super::{BY_PATH, DESCRIBE, ParameterStore, wire};
use crate::{
    error::{Code, Error},
    provider::{Values, aws::entries::Matches},
};

/// Parameters read per call, the most that AWS allows.
const PAGE: usize = 10;

/// Parameters listed per call, the most that AWS allows.
const LIST_PAGE: usize = 50;

/// Parameters that one search looks at.
const MOST: usize = 20_000;

/// Bytes that one search holds before they are counted elsewhere: no Secret takes a sixteenth of it.
const MOST_BYTES: usize = 16 << 20;

/// The folder that all parameters are in.
const ROOT: &str = "/";

pub async fn search(store: &ParameterStore, query: &Find) -> Result<Matches, Error> {
    let path = query.path.as_deref().unwrap_or_default();
    let Some(name) = &query.name else {
        if query.tags.is_empty() {
            let problem = "find: names neither name nor tags; set one of them";
            return Err(Error::fix(Code::SpecInvalid, problem));
        }
        let tags = query
            .tags
            .iter()
            .map(|(key, value)| json!({"Key": format!("tag:{key}"), "Option": "Equals", "Values": [value]}));
        let names = listed(store, tags.chain(below(path)).collect(), |_| true).await?;
        return Ok(Matches::Names(names));
    };
    // A name takes precedence over tags.
    let regex = api::regexp::compile("find.name.regexp", name.regexp.as_deref().unwrap_or_default())
        .map_err(|problem| Error::fix(Code::SpecInvalid, problem.to_string()))?;
    let matches = |name: &str| regex.is_match(name);
    match by_path(store, path, matches).await {
        Ok(values) => Ok(Matches::Values(values)),
        Err(error) if error.code() == Code::AwsAccessDenied => {
            let names = listed(store, below(path).into_iter().collect(), matches).await;
            names.map(Matches::Names).map_err(|other| error.with_others(&[other.to_string()], 1))
        }
        Err(error) => Err(error),
    }
}

/// What is below a folder.
async fn by_path(store: &ParameterStore, path: &str, matches: impl Fn(&str) -> bool) -> Result<Values, Error> {
    let path = if path.is_empty() { ROOT } else { path };
    let act = format!("reading parameters below {path:?}");
    let (mut values, mut token, mut size) = (Values::new(), None, 0);
    for _ in 0..MOST / PAGE {
        let mut body = json!({"Path": path, "Recursive": true, "WithDecryption": true, "MaxResults": PAGE});
        continued(&mut body, token);
        let answer = store.caller.call(BY_PATH, &act, store.client.call("GetParametersByPath", &body)).await?;
        let page: wire::Many = answer.read(&act)?;
        for parameter in page.parameters.into_iter().filter(|parameter| matches(&parameter.name)) {
            size += parameter.value.len();
            values.insert(parameter.name, parameter.value);
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() || size > MOST_BYTES {
            return Ok(values);
        }
    }
    Err(too_many())
}

/// Names of the parameters that filters of AWS let pass.
async fn listed(
    store: &ParameterStore,
    filters: Vec<Value>,
    matches: impl Fn(&str) -> bool,
) -> Result<Vec<String>, Error> {
    let act = "listing parameters";
    let (mut names, mut token) = (Vec::new(), None);
    for _ in 0..MOST / LIST_PAGE {
        let mut body = json!({"ParameterFilters": filters, "MaxResults": LIST_PAGE});
        continued(&mut body, token);
        let answer = store.caller.call(DESCRIBE, act, store.client.call("DescribeParameters", &body)).await?;
        let page: wire::Described = answer.read(act)?;
        names.extend(page.parameters.into_iter().map(|found| found.name).filter(|name| matches(name)));
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(names);
        }
    }
    Err(too_many())
}

/// The filter for a folder and all folders in it.
fn below(path: &str) -> Option<Value> {
    let is_folder = !path.is_empty() && path != ROOT;
    is_folder.then(|| json!({"Key": "Path", "Option": "Recursive", "Values": [path]}))
}

fn continued(body: &mut Value, token: Option<String>) {
    if let Some(token) = token {
        body["NextToken"] = json!(token);
    }
}

fn too_many() -> Error {
    let problem = format!("find: the account has more than {MOST} parameters to look through; set find.path");
    Error::fix(Code::RemoteValueInvalid, problem)
}
