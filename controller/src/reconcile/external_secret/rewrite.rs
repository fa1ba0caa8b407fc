//! `dataFrom[].rewrite`: changing the names of fetched values, in the order written.
//!
//! Source of the rules: upstream 2.9. Where upstream's outcome depends on Go's map order (two names that become one),
//! ours is the one that sorts last.

use std::collections::{BTreeMap, BTreeSet};

use api::{
    external_secret::{
        MergeConflictPolicy, MergePriorityPolicy, MergeStrategy, Rewrite, RewriteMerge, RewriteOperation,
    },
    template_syntax::TRANSFORM,
};

use crate::{
    error::{Code, Error},
    provider::{Values, json},
    secret_bytes::SecretBytes,
    templates::{Budget, Templates},
};

mod replace;

/// Applies every operation in order. May take as long as the budget: not for an async thread.
pub fn apply(templates: &Templates, budget: &Budget, operations: &[Rewrite], values: Values) -> Result<Values, Error> {
    operations.iter().enumerate().try_fold(values, |values, (index, operation)| {
        one(templates, budget, operation, values).map_err(|error| error.at(format!("rewrite[{index}]")))
    })
}

fn one(templates: &Templates, budget: &Budget, operation: &Rewrite, values: Values) -> Result<Values, Error> {
    match operation.operation() {
        Some(RewriteOperation::Regexp(regexp)) => {
            let pattern = api::regexp::compile("regexp.source", &regexp.source)
                .map_err(|problem| invalid(problem.to_string()))?;
            renamed(values, |key| {
                replace::replace_all(&pattern, key, &regexp.target).ok_or_else(|| {
                    invalid(format!("regexp makes a name of more than {} bytes; shorten the target", replace::LONGEST))
                })
            })
        }
        Some(RewriteOperation::Transform(transform)) => transformed(templates, budget, &transform.template, values),
        Some(RewriteOperation::Merge(merge)) => merged(merge, &values),
        None => Err(invalid("set exactly one of regexp, transform and merge".to_owned())),
    }
}

fn renamed(values: Values, rename: impl Fn(&str) -> Result<String, Error>) -> Result<Values, Error> {
    values.into_iter().map(|(key, value)| Ok((rename(&key)?, value))).collect()
}

fn transformed(templates: &Templates, budget: &Budget, text: &str, values: Values) -> Result<Values, Error> {
    let template = templates.parse(TRANSFORM, text.as_bytes())?;
    renamed(values, |key| {
        let data = template::Data::from_iter([("value", key)]);
        let name = template.render(budget, &data, template::MissingKey::Default)?;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rewritten(operations: serde_json::Value, values: &[(&str, &str)]) -> Result<Vec<(String, String)>, Error> {
        let operations: Vec<Rewrite> = serde_json::from_value(operations).expect("operations");
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        let text = |bytes: &SecretBytes| String::from_utf8(bytes.expose().to_vec()).expect("text");
        let (templates, budget) = (Templates::detached(), Budget::new(template::Limits::default()));
        Ok(apply(&templates, &budget, &operations, values)?
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect())
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn regexps_run_in_order_and_know_groups() {
        let operations = json!([
            {"regexp": {"source": "^db/(.*)$", "target": "${1}_db"}},
            {"regexp": {"source": "-", "target": "_"}},
        ]);
        let got = rewritten(operations, &[("db/pass-word", "x"), ("other", "y")]).expect("rewritten");
        assert_eq!(got, pairs(&[("other", "y"), ("pass_word_db", "x")]));
    }

    #[test]
    fn transform_renders_each_key() {
        let operations = json!([{"transform": {"template": "{{ .value | upper }}_X"}}]);
        assert_eq!(rewritten(operations, &[("a", "1")]).expect("rewritten"), pairs(&[("A_X", "1")]));
    }

    #[test]
    fn merge_extracts_by_priority_and_refuses_conflicts_by_name() {
        let values = [("one", r#"{"k":"1","n":5}"#), ("two", r#"{"k":"2"}"#)];
        let merge = |more: serde_json::Value| {
            let mut merge = json!({"priority": ["one"]});
            merge.as_object_mut().expect("object").extend(more.as_object().expect("object").clone());
            json!([{"merge": merge}])
        };
        let conflict = rewritten(merge(json!({})), &values).expect_err("conflict");
        assert!(conflict.code() == Code::KeyConflict && conflict.to_string().contains(": k;"), "{conflict}");
        let ignored = rewritten(merge(json!({"conflictPolicy": "Ignore"})), &values).expect("merged");
        assert_eq!(ignored, pairs(&[("k", "1"), ("n", "5")]));
        let kept = merge(json!({"conflictPolicy": "Ignore", "strategy": "JSON", "into": "all"}));
        let kept = rewritten(kept, &values).expect("merged");
        assert_eq!(kept[0], ("all".to_owned(), r#"{"k":"1","n":5}"#.to_owned()));
        assert_eq!(kept.len(), 3);
    }

    #[test]
    fn null_is_merged_as_an_object_without_members() {
        let merge = json!([{"merge": {}}]);
        let values = [("one", r#"{"k":"1"}"#), ("two", " null\n")];
        assert_eq!(rewritten(merge.clone(), &values).expect("merged"), pairs(&[("k", "1")]));
        assert_eq!(rewritten(merge, &[("one", "null")]).expect("merged"), pairs(&[]));
        let kept = json!([{"merge": {"strategy": "JSON", "into": "all"}}]);
        assert_eq!(rewritten(kept, &[("one", "null")]).expect("merged")[0], ("all".to_owned(), "{}".to_owned()));
    }

    #[test]
    fn errors_name_the_operation_and_never_the_value() {
        let operations = json!([{"regexp": {"source": "a", "target": "b"}}, {"merge": {}}]);
        let error = rewritten(operations, &[("x", "canary")]).expect_err("not JSON").to_string();
        assert!(error.contains("rewrite[1]") && !error.contains("canary"), "{error}");
    }
}
