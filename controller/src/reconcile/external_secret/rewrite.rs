//! `dataFrom[].rewrite`: changing the names of fetched values, in the order written.
//!
//! Source of the rules: upstream 2.9. Where upstream's outcome depends on Go's map order (two names that become one),
//! ours is the one that sorts last.

use std::collections::{BTreeMap, BTreeSet};

use api::external_secret::{
    MergeConflictPolicy, MergePriorityPolicy, MergeStrategy, Rewrite, RewriteMerge, RewriteOperation,
};

use crate::{
    error::{Code, Error},
    provider::{Values, json},
    secret_bytes::SecretBytes,
};

/// Applies every operation in order.
pub fn apply(operations: &[Rewrite], values: Values) -> Result<Values, Error> {
    operations.iter().enumerate().try_fold(values, |values, (index, operation)| {
        one(operation, values).map_err(|error| error.at(format!("rewrite[{index}]")))
    })
}

fn one(operation: &Rewrite, values: Values) -> Result<Values, Error> {
    match operation.operation() {
        Some(RewriteOperation::Regexp(regexp)) => {
            let pattern = api::regexp::compile(&regexp.source).map_err(|error| invalid(error.to_string()))?;
            renamed(values, |key| Ok(pattern.replace_all(key, regexp.target.as_str()).into_owned()))
        }
        Some(RewriteOperation::Transform(transform)) => renamed(values, transformed(&transform.template)?),
        Some(RewriteOperation::Merge(merge)) => merged(merge, &values),
        None => Err(invalid("set exactly one of regexp, transform and merge".to_owned())),
    }
}

fn renamed(values: Values, rename: impl Fn(&str) -> Result<String, Error>) -> Result<Values, Error> {
    values.into_iter().map(|(key, value)| Ok((rename(&key)?, value))).collect()
}

fn transformed(text: &str) -> Result<impl Fn(&str) -> Result<String, Error> + use<>, Error> {
    let limits = template::Limits::default();
    let parsed =
        template::Template::parse("transform", text.as_bytes(), &limits).map_err(|e| invalid(e.to_string()))?;
    let options = template::Options { missing_key: template::MissingKey::Default, ..template::Options::default() };
    Ok(move |key: &str| {
        let data = template::Data::from_iter([("value", key)]);
        let name = parsed.render(&data, &options).map_err(|error| invalid(error.to_string()))?;
        Ok(String::from_utf8_lossy(&name).into_owned())
    })
}

/// Merges values that are JSON objects into one map (`Extract`) or one JSON value (`JSON`).
///
/// Names without priority come first, sorted, then those of `priority` in order: later ones win.
fn merged(merge: &RewriteMerge, values: &Values) -> Result<Values, Error> {
    let mut order: Vec<&str> =
        values.keys().map(String::as_str).filter(|key| !merge.priority.iter().any(|name| name == key)).collect();
    for name in &merge.priority {
        match values.get_key_value(name) {
            Some((name, _)) => order.push(name),
            None if merge.priority_policy == MergePriorityPolicy::IgnoreNotFound => {}
            None => return Err(invalid(format!("priority names \"{name}\", which was not fetched"))),
        }
    }
    let mut result: BTreeMap<String, json::Json> = BTreeMap::new();
    let mut conflicts = BTreeSet::new();
    for name in order {
        let Some(value) = values.get(name) else { continue };
        let object = json::object(value.expose())
            .ok_or_else(|| invalid(format!("the value of \"{name}\" is not a JSON object, merge takes only those")))?;
        for (key, value) in object {
            if result.insert(key.clone(), value).is_some() {
                conflicts.insert(key);
            }
        }
    }
    if merge.conflict_policy == MergeConflictPolicy::Error && !conflicts.is_empty() {
        let keys = conflicts.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Error::fix(
            Code::KeyConflict,
            format!("merge meets these keys more than once: {keys}; set conflictPolicy: Ignore and order by priority"),
        ));
    }
    match merge.strategy {
        MergeStrategy::Extract => Ok(result.into_iter().map(|(key, value)| (key, json::render(&value))).collect()),
        MergeStrategy::Json => {
            if merge.into.is_empty() {
                return Err(invalid("merge with strategy JSON needs `into`, the key that takes the result".to_owned()));
            }
            let mut all = values.clone();
            all.insert(merge.into.clone(), SecretBytes::new(json::object_text(&result)));
            Ok(all)
        }
    }
}

fn invalid(message: String) -> Error {
    Error::fix(Code::RewriteFailed, message)
}
