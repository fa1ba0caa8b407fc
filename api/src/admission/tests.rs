//! Verdicts on objects as users write them, one table per kind.

use super::*;

const STORE: &str = "secretStoreRef: {name: s}";

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn create(kind: &str, object: &Value) -> Verdict {
    let namespace = (kind != "ClusterSecretStore").then_some("team-a");
    let request = Request {
        kind,
        version: "v1",
        operation: Operation::Create,
        name: "it",
        namespace,
        object: Some(object),
        old_object: None,
    };
    judge(&request, &Syntax::default())
}

fn verdict(kind: &str, spec: &str) -> Verdict {
    create(kind, &serde_json::json!({ "metadata": { "name": "it" }, "spec": yaml(spec) }))
}

/// Checks that each spec has exactly these problems, by path and a part of the text.
fn assert_problems(kind: &str, cases: &[(&str, &[(&str, &str)])]) {
    for (spec, expected) in cases {
        let verdict = verdict(kind, spec);
        let found = verdict.message();
        assert_eq!(verdict.problems.len(), expected.len(), "{spec}\n{found}");
        for (problem, (path, part)) in verdict.problems.iter().zip(*expected) {
            assert_eq!(problem.path, *path, "{spec}\n{found}");
            assert!(problem.to_string().contains(part), "{part:?} in {problem}");
        }
        assert_eq!(verdict.allowed(), expected.is_empty());
    }
}

#[test]
fn external_secrets_are_judged_by_the_go_operators_rules() {
    let es = |rest: &str| format!("{{{STORE}, {rest}}}");
    let fetched = "dataFrom: [{extract: {key: k}}]";
    let policy = |creation: &str, deletion: &str| {
        es(&format!("target: {{creationPolicy: {creation}, deletionPolicy: {deletion}}}, {fetched}"))
    };
    let template = |template: &str| es(&format!("target: {{template: {template}}}, {fetched}"));
    let deletion: &[(&str, &str)] = &[("spec.target.deletionPolicy", "creationPolicy")];
    let of_type: &[(&str, &str)] = &[("spec.target.template.type", "write another type")];
    assert_problems(
        "ExternalSecret",
        &[
            (&es(fetched), &[]),
            (&policy("Owner", "Delete"), &[]),
            (&policy("Orphan", "Delete"), &[]),
            (&policy("Merge", "Delete"), deletion),
            (&policy("None", "Delete"), deletion),
            (&policy("CreateOrMerge", "Delete"), deletion),
            (&policy("None", "Merge"), deletion),
            (&policy("Merge", "Merge"), &[]),
            (&es("target: {}"), &[("spec", "names nothing to fetch")]),
            (&template("{type: bootstrap.kubernetes.io/token}"), of_type),
            (&template("{type: kubernetes.io/service-account-token}"), &[]),
            (
                &template(
                    "{type: kubernetes.io/service-account-token, \
                     metadata: {annotations: {kubernetes.io/service-account.name: admin}}}",
                ),
                of_type,
            ),
            (
                &template(
                    "{type: kubernetes.io/service-account-token, templateFrom: [{literal: 'a: b', target: annotations}]}",
                ),
                of_type,
            ),
            (
                &template("{templateFrom: [{literal: 'a: b', target: LABELS}, {literal: 'a: b', target: spec.x}]}"),
                &[("spec.target.template.templateFrom[1].target", "Data, Annotations or Labels")],
            ),
            (
                &es("dataFrom: [{extract: {key: k}, find: {path: p}}]"),
                &[("spec.dataFrom[0]", "sets extract and find at once")],
            ),
            (&es("dataFrom: [{}]"), &[("spec.dataFrom[0]", "names nothing to fetch")]),
            (&es("dataFrom: [{extract: {key: k}, sourceRef: {}}]"), &[("spec.dataFrom[0].sourceRef", "is empty")]),
            (
                &es("data: [{secretKey: a, remoteRef: {key: x}}, {secretKey: a, remoteRef: {key: other}}]"),
                &[("spec.data[1].secretKey", "\"a\" is used by an earlier entry")],
            ),
            (
                &es("target: {deletionPolicy: Merge}, \
                     data: [{secretKey: a, remoteRef: {key: x}}, {secretKey: a, remoteRef: {key: other}}]"),
                &[],
            ),
        ],
    );
}

#[test]
fn external_secrets_are_judged_by_our_rules() {
    let es = |rest: &str| format!("{{{STORE}, {rest}}}");
    assert_problems(
        "ExternalSecret",
        &[
            ("dataFrom: [{extract: {key: k}}]", &[("spec.dataFrom[0]", "names no store")]),
            (
                &es("refreshInterval: 1d, dataFrom: [{extract: {key: k}}]"),
                &[("spec.refreshInterval", "\"1d\" is not a duration")],
            ),
            (
                &es("dataFrom: [{find: {name: {regexp: '('}}, rewrite: [{regexp: {source: '[', target: x}}]}]"),
                &[
                    ("spec.dataFrom[0].find.name.regexp", "unclosed group"),
                    ("spec.dataFrom[0].rewrite[0].regexp.source", "unclosed character class"),
                ],
            ),
            (
                &es(
                    "target: {template: {data: {a.b-c_D: x, 'a b': x, '': x, ..a: x}}}, dataFrom: [{extract: {key: k}}]",
                ),
                &[
                    ("spec.target.template.data[]", "is not a key of a Secret"),
                    ("spec.target.template.data[..a]", "is not a key of a Secret"),
                    ("spec.target.template.data[a b]", "253"),
                ],
            ),
            (
                &es("dataFrom: [{extract: {key: k}}], target: {template: {templateFrom: [{}]}}"),
                &[("spec.target.template.templateFrom[0]", "names no template")],
            ),
        ],
    );
}

#[test]
fn templates_that_cannot_be_parsed_are_refused_wherever_they_stand() {
    assert_problems(
        "ExternalSecret",
        &[(
            r"
            secretStoreRef: {name: s}
            dataFrom: [{extract: {key: k}, rewrite: [{transform: {template: '{{ .value'}}]}]
            target:
              template:
                data: {good: '{{ .a | b64enc }}', url: '{{ .a | nosuchfunction }}'}
                metadata: {labels: {team: '{{ if }}'}, annotations: {note: '{{ end }}'}}
                templateFrom: [{literal: 'a: {{ .b'}]
            ",
            &[
                ("spec.dataFrom[0].rewrite[0].transform.template", "line 1"),
                ("spec.target.template.data[url]", "nosuchfunction"),
                ("spec.target.template.metadata.labels[team]", "line 1"),
                ("spec.target.template.metadata.annotations[note]", "line 1"),
                ("spec.target.template.templateFrom[0].literal", "line 1"),
            ],
        )],
    );
}

#[test]
fn schedules_that_cannot_be_read_are_refused_by_their_path() {
    let windows = |windows: &str| format!("{{{STORE}, dataFrom: [{{extract: {{key: k}}}}], syncWindows: {windows}}}");
    assert_problems(
        "ExternalSecret",
        &[
            (&windows("{kind: allow, windows: [{schedule: '0 22 * * 1-5', duration: 8h}]}"), &[]),
            (&windows("{kind: deny, windows: [{schedule: '@daily', duration: 0s}]}"), &[]),
            (
                &windows(
                    "{kind: allow, windows: [{schedule: '@hourly', duration: 1h}, {schedule: '0 0 * * 7', duration: 1h}, \
                     {schedule: 'TZ=UTC 0 0 * *', duration: 1 hour}]}",
                ),
                &[
                    ("spec.syncWindows.windows[2].duration", "\"1 hour\" is not a duration"),
                    ("spec.syncWindows.windows[1].schedule", "weekday \"7\" is not within 0 and 6; write minute, hour"),
                    ("spec.syncWindows.windows[2].schedule", "times are in UTC"),
                ],
            ),
        ],
    );
}

#[test]
fn targets_of_other_kinds_may_have_paths_and_secrets_may_not() {
    let target = |target: &str| format!("{{{STORE}, dataFrom: [{{extract: {{key: k}}}}], target: {target}}}");
    let paths = |paths: &str, kind: &str| {
        target(&format!(
            "{{manifest: {{apiVersion: {kind}}}, template: {{templateFrom: [{{literal: 'a: b', target: '{paths}'}}]}}}}"
        ))
    };
    let config_map = "v1, kind: ConfigMap";
    let field = "spec.target.template.templateFrom[0].target";
    assert_problems(
        "ExternalSecret",
        &[
            (&paths("data", config_map), &[]),
            (&paths("spec.rules[0].from", "example.com/v1, kind: App"), &[]),
            (&paths("spec..from", config_map), &[(field, "is not a path")]),
            (&paths("spec.rules[10001]", config_map), &[(field, "leads too far")]),
            (&paths("metadata.namespace", config_map), &[(field, "is not the template's to write")]),
            (&paths("spec.rules", "v1, kind: Secret"), &[(field, "write Data, Annotations or Labels")]),
            // Rules about types are for all targets.
            (
                &target(
                    "{manifest: {apiVersion: v1, kind: ConfigMap}, template: {type: bootstrap.kubernetes.io/token}}",
                ),
                &[("spec.target.template.type", "write another type")],
            ),
            (
                &target("{manifest: {apiVersion: v1, kind: ConfigMap}, creationPolicy: Merge, deletionPolicy: Delete}"),
                &[("spec.target.deletionPolicy", "creationPolicy")],
            ),
        ],
    );
}

#[test]
fn stores_name_exactly_one_backend_that_exists() {
    let fake = "fake: {data: [{key: k, value: v}]}";
    assert_problems(
        "SecretStore",
        &[
            (&format!("provider: {{{fake}}}"), &[]),
            ("provider: {}", &[("spec.provider", "names no backend; set exactly one of vault, aws, fake")]),
            ("provider: {vault: null}", &[("spec.provider", "names no backend")]),
            (
                &format!("provider: {{{fake}, gcpsm: {{}}}}"),
                &[("spec.provider", "names 2 backends (fake, gcpsm); keep one")],
            ),
            ("provider: {vualt: {server: 'http://v'}}", &[("spec.provider.vualt", "did you mean vault?")]),
            (
                "provider: {gcpsm: {projectID: p}}",
                &[("spec.provider.gcpsm", "not part of this build; use one of vault, aws, fake")],
            ),
            ("provider: {mysecrets: {}}", &[("spec.provider.mysecrets", "there is no backend named")]),
            (
                "provider: {fake: {data: [{key: '', value: ''}]}}",
                &[("spec.provider.fake.data[0].key", "is empty"), ("spec.provider.fake.data[0].value", "is empty")],
            ),
        ],
    );
}

#[test]
fn stores_are_judged_beside_their_backend() {
    assert_problems(
        "ClusterSecretStore",
        &[(
            "
            refreshInterval: -5
            retrySettings: {maxRetries: -1, retryInterval: soon}
            conditions: [{namespaceRegexes: ['team-.*', '(']}, {namespaceSelector: {matchExpressions: [{key: a, operator: Is}]}}]
            provider: {fake: {data: []}}
            ",
            &[
                ("spec.conditions[0].namespaceRegexes[1]", "unclosed group"),
                ("spec.conditions[1].namespaceSelector", "use the operators"),
                ("spec.refreshInterval", "-5 is negative"),
                ("spec.retrySettings.maxRetries", "-1 is negative"),
                ("spec.retrySettings.retryInterval", "\"soon\" is not a duration"),
            ],
        )],
    );
}

#[test]
fn a_store_cannot_reach_into_another_namespace_unless_it_is_for_the_cluster() {
    let vault = |namespace: &str| {
        format!(
            "provider: {{vault: {{server: 'http://v', auth: {{tokenSecretRef: {{name: it, key: k{namespace}}}}}}}}}"
        )
    };
    let foreign: &[(&str, &str)] =
        &[("spec.provider.vault.auth.tokenSecretRef.namespace", "a SecretStore cannot reach into another namespace")];
    assert_problems(
        "SecretStore",
        &[
            (&vault(""), &[]),
            (&vault(", namespace: team-a"), &[]),
            (&vault(", namespace: team-b"), foreign),
            (
                "provider: {vault: {server: 'http://v', caProvider: {type: ConfigMap, name: c, namespace: team-b}}}",
                &[("spec.provider.vault.caProvider.namespace", "another namespace")],
            ),
            (
                "provider: {aws: {service: SecretsManager, region: eu-west-1, \
                 auth: {jwt: {serviceAccountRef: {name: it, namespace: team-b}}}}}",
                &[("spec.provider.aws.auth.jwt.serviceAccountRef.namespace", "another namespace")],
            ),
        ],
    );
    assert_problems("ClusterSecretStore", &[(&vault(""), &[]), (&vault(", namespace: team-b"), &[])]);
}

#[test]
fn deletes_and_objects_on_their_way_out_are_never_refused() {
    let broken = yaml("{metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {}}");
    assert!(create("SecretStore", &broken).allowed());
    let broken = yaml("{spec: {}}");
    for operation in [Operation::Delete, Operation::Connect] {
        let request = Request {
            kind: "SecretStore",
            version: "v1",
            operation,
            name: "it",
            namespace: None,
            object: None,
            old_object: Some(&broken),
        };
        assert!(judge(&request, &Syntax::default()).allowed());
    }
    assert!(!create("SecretStore", &broken).allowed());
}

#[test]
fn an_update_is_refused_only_when_it_touches_the_spec() {
    let old = yaml("{metadata: {name: it}, spec: {provider: {}}}");
    let relabelled = yaml("{metadata: {name: it, labels: {a: b}}, spec: {provider: {}}}");
    let changed = yaml("{metadata: {name: it}, spec: {provider: {}, controller: x}}");
    let update = |object: &Value| {
        let request = Request {
            kind: "SecretStore",
            version: "v1",
            operation: Operation::Update,
            name: "it",
            namespace: Some("team-a"),
            object: Some(object),
            old_object: Some(&old),
        };
        judge(&request, &Syntax::default()).allowed()
    };
    assert!(update(&relabelled));
    assert!(!update(&changed));
}

#[test]
fn a_wrong_type_is_refused_with_its_path() {
    for (kind, object, path) in [
        ("ExternalSecret", "{spec: {data: [{secretKey: a, remoteRef: {key: 7}}]}}", "spec.data[0].remoteRef.key"),
        ("ExternalSecret", "{spec: {data: [{secretKey: a}]}}", "spec.data[0]"),
        ("ExternalSecret", "{metadata: {name: it}}", ""),
        ("ExternalSecret", "[]", ""),
        ("SecretStore", "{spec: {provider: {vault: {server: [1]}}}}", "spec.provider.vault.server"),
        ("ClusterSecretStore", "{spec: {provider: {aws: {region: r, service: S3}}}}", "spec.provider.aws.service"),
    ] {
        let verdict = create(kind, &yaml(object));
        assert_eq!(verdict.problems.len(), 1, "{object}: {}", verdict.message());
        assert_eq!(verdict.problems[0].path, path, "{object}: {}", verdict.message());
    }
}

#[test]
fn unknown_fields_and_kinds_are_admitted() {
    let object = yaml(
        "{metadata: {}, future: 1, spec: {future: [], secretStoreRef: {name: s, future: {}}, dataFrom: [{extract: {key: k, future: 1}}]}}",
    );
    assert_eq!(create("ExternalSecret", &object), Verdict::default());
    assert!(create("PushSecret", &yaml("{}")).allowed());
}

#[test]
fn risky_specs_are_admitted_with_a_warning() {
    for (kind, spec, expected) in [
        ("SecretStore", "provider: {fake: {data: []}}", "spec.provider.fake: nobody maintains this backend"),
        (
            "SecretStore",
            "provider: {aws: {service: SecretsManager, region: eu-nowhere-1}}",
            "spec.provider.aws.region: \"eu-nowhere-1\" is not a region known here",
        ),
        (
            "SecretStore",
            "provider: {aws: {service: SecretsManager, region: eu-west1}}",
            "spec.provider.aws.region: \"eu-west1\" is not a region known here; did you mean eu-west-1?",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, refreshInterval: 10ms, dataFrom: [{extract: {key: k}}]}",
            "spec.refreshInterval: is shorter than any that is kept; write at least 1s",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, target: {deletionPolicy: Delete}, dataFrom: [{find: {path: p}}]}",
            "spec.dataFrom[0].find: matches everything",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, \
             data: [{secretKey: a, remoteRef: {key: k}, sourceRef: {generatorRef: {kind: Password, name: p}}}]}",
            "spec.data[0].sourceRef.generatorRef: is ignored",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
             syncWindows: {kind: allow, windows: [{schedule: '@every 1h', duration: 1h}]}}",
            "spec.syncWindows.windows[0]: is open all the time",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
             syncWindows: {kind: allow, windows: [{schedule: '@every 2h', duration: 1h}]}}",
            "spec.syncWindows.windows[0]: is never open: @every",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
             syncWindows: {kind: allow, windows: [{schedule: '0 0 30 2 *', duration: 1h}]}}",
            "spec.syncWindows.windows[0]: is never open: there is no such day",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
             syncWindows: {kind: allow, windows: [{schedule: '@daily', duration: 0s}]}}",
            "spec.syncWindows.windows[0]: is hardly ever open",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], refreshPolicy: OnChange, \
             syncWindows: {kind: allow, windows: [{schedule: '@daily', duration: 1h}]}}",
            "spec.syncWindows: has no effect under this refreshPolicy",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
             target: {manifest: {apiVersion: v1, kind: ConfigMap}}}",
            "spec.target.manifest: whoever may read objects of kind ConfigMap can read the values",
        ),
    ] {
        let verdict = verdict(kind, spec);
        assert!(verdict.allowed(), "{}", verdict.message());
        assert_eq!(verdict.warnings.len(), 1, "{:?}", verdict.warnings);
        assert!(verdict.warnings[0].starts_with(expected), "{:?}", verdict.warnings);
    }
}

#[test]
fn the_maintenance_warning_can_be_silenced() {
    let store = |value: &str| {
        let annotations = format!("{{external-secrets.io/ignore-maintenance-checks: '{value}'}}");
        let object =
            format!("{{metadata: {{annotations: {annotations}}}, spec: {{provider: {{fake: {{data: []}}}}}}}}");
        create("SecretStore", &yaml(&object)).warnings.len()
    };
    assert_eq!((store("true"), store("false")), (0, 1));
}
