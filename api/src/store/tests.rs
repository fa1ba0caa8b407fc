//! Who may use a store, and what a store keeps of what it was given.

use super::*;
use crate::names::NAMESPACE_NAME_LABEL;

fn condition(yaml: &str) -> StoreCondition {
    let value: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    crate::decode::from_value(&value).unwrap()
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("tier".to_owned(), "gold".to_owned()), (NAMESPACE_NAME_LABEL.to_owned(), "team-a".to_owned())])
}

#[test]
fn a_namespace_needs_to_meet_one_part_of_one_condition() {
    for (yaml, allowed) in [
        ("{}", false),
        ("{namespaces: [team-b, team-a]}", true),
        ("{namespaces: [team]}", false),
        ("{namespaceRegexes: ['^team-.$']}", true),
        ("{namespaceRegexes: ['eam']}", true),
        ("{namespaceRegexes: ['^prod']}", false),
        ("{namespaceSelector: {}}", true),
        ("{namespaceSelector: {matchLabels: {tier: gold}}}", true),
        ("{namespaceSelector: {matchLabels: {tier: iron}}}", false),
        ("{namespaceSelector: {matchExpressions: [{key: tier, operator: In, values: [gold]}]}}", true),
        ("{namespaceSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}", false),
        ("{namespaceSelector: {matchLabels: {tier: iron}}, namespaces: [team-a]}", true),
    ] {
        let never = condition("{namespaces: [nowhere]}");
        let conditions = [never, condition(yaml)];
        assert_eq!(may_use(&conditions, "team-a", &labels()), Ok(allowed), "{yaml}");
    }
}

#[test]
fn every_namespace_may_use_a_store_without_conditions() {
    assert_eq!(may_use(&[], "team-a", &BTreeMap::new()), Ok(true));
}

#[test]
fn a_condition_that_cannot_be_read_is_a_problem() {
    for (yaml, path) in [
        ("{namespaceRegexes: ['(']}", "spec.conditions[0].namespaceRegexes[0]"),
        ("{namespaceSelector: {matchExpressions: [{key: a, operator: Is}]}}", "spec.conditions[0].namespaceSelector"),
    ] {
        assert_eq!(may_use(&[condition(yaml)], "team-a", &labels()).unwrap_err().path, path);
    }
}

#[test]
fn the_check_interval_is_seconds_or_a_duration() {
    let interval = |value: serde_json::Value| {
        let spec = SecretStoreSpec {
            refresh_interval: Some(serde_json::from_value(value).unwrap()),
            ..SecretStoreSpec::default()
        };
        spec.refresh_interval().map_err(|problem| problem.what)
    };
    assert_eq!(interval(0.into()), Ok(None));
    assert_eq!(interval("".into()), Ok(None));
    assert_eq!(interval("0s".into()), Ok(None));
    assert_eq!(interval(90.into()), Ok(Some(Duration::from_secs(90))));
    assert_eq!(interval("5m".into()), Ok(Some(Duration::from_mins(5))));
    assert_eq!(interval((-1).into()), Err("-1 is negative".to_owned()));
    assert_eq!(interval("-1s".into()), Err("\"-1s\" is negative".to_owned()));
    assert_eq!(interval("300".into()), Err("\"300\" is not a duration: a number lacks its unit".to_owned()));
    assert_eq!(SecretStoreSpec::default().refresh_interval(), Ok(None));
}

#[test]
fn both_kinds_are_written_back_as_they_were_read() {
    for kind in ["SecretStore", "ClusterSecretStore"] {
        let written = serde_json::json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": kind,
            "metadata": { "name": "it" },
            "spec": {
                "controller": "mine",
                "conditions": [{ "namespaces": ["team-a"] }],
                "provider": { "gcpsm": { "projectID": "p", "auth": { "deep": [1, { "x": null }] } } },
            },
            "status": { "capabilities": "ReadWrite", "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let read = |value: &serde_json::Value| match kind {
            "SecretStore" => serde_json::to_value(crate::decode::from_value::<SecretStore>(value).unwrap()),
            _ => serde_json::to_value(crate::decode::from_value::<ClusterSecretStore>(value).unwrap()),
        };
        assert_eq!(read(&written).unwrap(), written);
    }
}

#[test]
fn values_of_the_fake_backend_are_not_printed() {
    let provider = serde_json::json!({ "fake": { "data": [{ "key": "k", "value": "canary" }] } });
    let provider: Provider = crate::decode::from_value(&provider).unwrap();
    assert!(!format!("{provider:?}").contains("canary"));
}
