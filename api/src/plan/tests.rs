//! What ExternalSecrets mean, from YAML as users write it.

use super::*;
use crate::external_secret::{ConversionStrategy, DecodingStrategy, MetadataPolicy, NullBytePolicy};

fn spec(yaml: &str) -> ExternalSecretSpec {
    let value: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    crate::decode::from_value(&value).unwrap()
}

fn plan(yaml: &str) -> Plan {
    Plan::new("app", &spec(yaml)).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(yaml: &str) -> Vec<String> {
    Plan::new("app", &spec(yaml)).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn every_default_is_resolved() {
    let plan = plan(
        "
        secretStoreRef: {name: vault}
        data: [{secretKey: password, remoteRef: {key: app}}]
        ",
    );
    assert_eq!(plan.target.name, "app");
    assert_eq!(plan.target.creation, CreationPolicy::Owner);
    assert_eq!(plan.target.deletion, DeletionPolicy::Retain);
    assert_eq!(plan.refresh.policy, RefreshPolicy::Periodic);
    assert_eq!(plan.refresh.interval, Some(Duration::from_hours(1)));
    assert_eq!(plan.entries[0].store, ResolvedStoreRef { kind: StoreKind::SecretStore, name: "vault".to_owned() });
    let Fetch::Value { remote, .. } = &plan.entries[0].fetch else { panic!("{plan:?}") };
    assert_eq!(remote.conversion_strategy, ConversionStrategy::Default);
    assert_eq!(remote.decoding_strategy, DecodingStrategy::None);
    assert_eq!(remote.metadata_policy, MetadataPolicy::None);
    assert_eq!(remote.null_byte_policy, NullBytePolicy::Ignore);
}

#[test]
fn an_empty_text_means_the_default() {
    let plan = plan(
        r#"
        secretStoreRef: {name: vault, kind: ""}
        refreshPolicy: ""
        refreshInterval: ""
        target: {name: "", creationPolicy: "", deletionPolicy: ""}
        data: [{secretKey: a, remoteRef: {key: app, property: "", decodingStrategy: "", metadataPolicy: ""}}]
        "#,
    );
    assert_eq!(plan.target.name, "app");
    assert_eq!(plan.refresh.interval, Some(Duration::from_hours(1)));
    let Fetch::Value { remote, .. } = &plan.entries[0].fetch else { panic!("{plan:?}") };
    assert_eq!(remote.property, None);
}

#[test]
fn data_from_comes_before_data_because_later_entries_win() {
    let plan = plan(
        "
        secretStoreRef: {name: vault}
        data: [{secretKey: a, remoteRef: {key: x}}, {secretKey: b, remoteRef: {key: other}}]
        dataFrom: [{extract: {key: z}}, {find: {name: {regexp: '^db'}}}]
        ",
    );
    let paths: Vec<_> = plan.entries.iter().map(|entry| (entry.path.as_str(), entry.index)).collect();
    assert_eq!(
        paths,
        [("spec.dataFrom[0].extract", 0), ("spec.dataFrom[1].find", 1), ("spec.data[0]", 0), ("spec.data[1]", 1)]
    );
}

#[test]
fn an_entry_may_name_a_store_of_its_own() {
    let plan = plan(
        "
        secretStoreRef: {name: shared, kind: ClusterSecretStore}
        data:
        - {secretKey: a, remoteRef: {key: x}, sourceRef: {storeRef: {name: own}}}
        - {secretKey: b, remoteRef: {key: x}}
        - {secretKey: c, remoteRef: {key: x}, sourceRef: {generatorRef: {kind: Password, name: ignored}}}
        ",
    );
    let stores: Vec<_> = plan.entries.iter().map(|entry| entry.store.to_string()).collect();
    assert_eq!(stores, [r#"SecretStore "own""#, r#"ClusterSecretStore "shared""#, r#"ClusterSecretStore "shared""#]);
    assert_eq!(plan.stores().len(), 2);
}

#[test]
fn an_interval_of_zero_or_less_never_comes() {
    for (interval, expected) in [
        ("0", None),
        ("0s", None),
        ("-1h", None),
        ("90m", Some(Duration::from_mins(90))),
        ("1ns", Some(LEAST_INTERVAL)),
        ("1s", Some(Duration::from_secs(1))),
    ] {
        let plan = plan(&format!(
            "{{secretStoreRef: {{name: s}}, refreshInterval: '{interval}', dataFrom: [{{extract: {{key: k}}}}]}}"
        ));
        assert_eq!(plan.refresh.interval, expected, "{interval}");
    }
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    assert_eq!(
        problems(
            "
            refreshInterval: 1 hour
            syncWindows: {kind: allow, windows: [{schedule: '@daily', duration: 1h}, {schedule: '@daily', duration: long}]}
            target:
              manifest: {apiVersion: v1, kind: ConfigMap}
              template: {templateFrom: [{literal: 'a: b', target: 'spec..a'}]}
            dataFrom:
            - {sourceRef: {generatorRef: {kind: Password, name: pw}}}
            - {extract: {key: ''}, rewrite: [{}, {merge: {strategy: JSON}}]}
            data: [{secretKey: a, remoteRef: {key: x}, sourceRef: {storeRef: {}}}]
            "
        ),
        [
            "spec.dataFrom[0].sourceRef.generatorRef: generators are not supported by this build yet; use extract or find",
            "spec.dataFrom[1].extract.key: is empty; name the value in the store",
            "spec.dataFrom[1].rewrite[0]: must be one operation; set one of regexp, transform, merge",
            "spec.dataFrom[1].rewrite[1].merge.into: is missing, and strategy JSON needs it; name the key for the merged \
             JSON",
            "spec.target.template.templateFrom[0].target: \"spec..a\" is not a path; write Data, Labels, Annotations, or a path \
             such as spec.rules[0].from",
            "spec.refreshInterval: \"1 hour\" is not a duration; write numbers with the units h, m, s or ms, such as 1h, \
             90m or 1h30m, or 0",
            "spec.syncWindows.windows[1].duration: \"long\" is not a duration; write numbers with the units h, m, s or ms, \
             such as 1h, 90m or 1h30m, or 0",
            "spec.dataFrom[1]: names no store; name one in spec.secretStoreRef, or in this entry's sourceRef.storeRef",
            "spec.data[0].sourceRef.storeRef.name: is missing; name the store",
        ]
    );
}

#[test]
fn a_manifest_that_describes_a_secret_is_a_secret() {
    plan(
        "{secretStoreRef: {name: s}, target: {manifest: {apiVersion: v1, kind: Secret}}, dataFrom: [{extract: {key: k}}]}",
    );
}
