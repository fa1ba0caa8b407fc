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

use super::shown;
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
            None => return Err(invalid(not_there(name, values))),
        }
    }
    let mut result: BTreeMap<String, json::Json> = BTreeMap::new();
    let mut conflicts = BTreeSet::new();
    for name in order {
        let Some(value) = values.get(name) else { continue };
        let object = json::object(value.expose()).ok_or_else(|| invalid(no_object(name)))?;
        for (key, value) in object {
            if result.insert(key.clone(), value).is_some() {
                conflicts.insert(key);
            }
        }
    }
    if merge.conflict_policy == MergeConflictPolicy::Error && !conflicts.is_empty() {
        // The next step first: a list of names may be cut off.
        return Err(Error::fix(
            Code::KeyConflict,
            format!(
                "merge meets keys more than once; set conflictPolicy: Ignore and order by priority; the keys: {}",
                shown::names(conflicts.iter().map(String::as_str))
            ),
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

fn not_there(name: &str, values: &Values) -> String {
    let there = match values.len() {
        0 => "nothing was".to_owned(),
        _ => shown::names(values.keys().map(String::as_str)),
    };
    format!(
        "priority names \"{}\", which was not fetched or has another name by now; write its name as it is before merge, or \
         set priorityPolicy: IgnoreNotFound; fetched: {there}",
        shown::name(name)
    )
}

fn no_object(name: &str) -> String {
    format!(
        "the value of \"{}\" is not a JSON object, merge takes only those; store one, or fetch only what is to be merged",
        shown::name(name)
    )
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
        assert!(conflict.code() == Code::KeyConflict && conflict.message().ends_with(" \"k\""), "{conflict}");
        let ignored = rewritten(merge(json!({"conflictPolicy": "Ignore"})), &values).expect("merged");
        assert_eq!(ignored, pairs(&[("k", "1"), ("n", "5")]));
        let kept = merge(json!({"conflictPolicy": "Ignore", "strategy": "JSON", "into": "all"}));
        let kept = rewritten(kept, &values).expect("merged");
        assert_eq!(kept[0], ("all".to_owned(), r#"{"k":"1","n":5}"#.to_owned()));
        assert_eq!(kept.len(), 3);
    }

    /// A JSON object with these names.
    fn object(names: &[String]) -> String {
        serde_json::to_string(&names.iter().map(|name| (name, 1)).collect::<BTreeMap<_, _>>()).expect("JSON")
    }

    #[test]
    fn of_many_conflicts_the_next_step_is_told_and_then_the_first() {
        let many = object(&(1_000..6_000).map(|n| format!("k{n}\n")).collect::<Vec<_>>());
        let error = rewritten(json!([{"merge": {}}]), &[("one", &many), ("two", &many)]).expect_err("conflicts");
        let message = error.message();
        let (step, first) = (message.find("conflictPolicy: Ignore"), message.find(r#""k1000\n", "k1001\n""#));
        assert!(step.is_some() && step < first && message.ends_with(" and 4995 more"), "{message}");
        assert!(message.len() < 300 && !message.contains('\n'), "{message}");
    }

    #[test]
    fn priority_that_was_not_fetched_is_told_with_what_was_and_the_next_step() {
        let merge = json!([{"merge": {"priority": ["p/one"]}}]);
        let error = rewritten(merge.clone(), &[("one", "{}"), ("t\nwo", "{}")]).expect_err("not there").to_string();
        assert!(error.contains("\"p/one\"") && error.ends_with(r#"fetched: "one", "t\nwo""#), "{error}");
        assert!(error.contains("priorityPolicy: IgnoreNotFound"), "{error}");
        let names: Vec<String> = (0..1_000).map(|n| format!("n{n:03}")).collect();
        let values: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "{}")).collect();
        let error = rewritten(merge.clone(), &values).expect_err("not there").to_string();
        assert!(error.contains("\"n004\" and 995 more") && !error.contains("n005"), "{error}");
        let error = rewritten(merge, &[]).expect_err("not there").to_string();
        assert!(error.ends_with("fetched: nothing was"), "{error}");
        let odd = json!([{"merge": {"priority": ["\u{202e}".repeat(1_000)]}}]);
        let error = rewritten(odd, &[]).expect_err("not there").to_string();
        assert!(error.len() < 600 && !error.contains('\u{202e}'), "{error}");
    }

    #[test]
    fn name_of_what_is_no_object_is_told_on_one_line() {
        let error = rewritten(json!([{"merge": {}}]), &[("a\n\u{202e}", "1")]).expect_err("no object").to_string();
        assert!(error.contains(r#""a\n\u{202e}""#) && !error.contains('\n'), "{error}");
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
