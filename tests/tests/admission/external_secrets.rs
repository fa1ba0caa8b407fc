//! ExternalSecrets: policies, entries, templates.

use tests::Result;

use crate::{
    Verdict::{Admitted, Refused, Schema},
    table, table_in,
};

#[tokio::test]
async fn external_secrets_policies_are_judged() -> Result {
    table(
        "ExternalSecret",
        &[
            ("{secretStoreRef: {name: s}, data: [{secretKey: a, remoteRef: {key: k}}]}", Admitted),
            (
                "{secretStoreRef: {name: s}, target: {deletionPolicy: Delete}, dataFrom: [{extract: {key: k}}]}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: Orphan, deletionPolicy: Delete}, \
                 dataFrom: [{extract: {key: k}}]}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: Merge, deletionPolicy: Delete}, \
                 dataFrom: [{extract: {key: k}}]}",
                Schema(&["spec.target.deletionPolicy: ", "Delete would delete a Secret that is not owned"]),
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: None, deletionPolicy: Delete}, \
                 dataFrom: [{extract: {key: k}}]}",
                Schema(&["spec.target.deletionPolicy: ", "Delete would delete a Secret that is not owned"]),
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: None, deletionPolicy: Merge}, \
                 dataFrom: [{extract: {key: k}}]}",
                Schema(&["spec.target.deletionPolicy: ", "Merge has no Secret to remove keys from"]),
            ),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: Merge, deletionPolicy: Merge}, \
                 dataFrom: [{extract: {key: k}}]}",
                Admitted,
            ),
            ("{secretStoreRef: {name: s}}", Schema(&["spec: ", "names nothing to fetch"])),
            ("{secretStoreRef: {name: s}, data: []}", Schema(&["spec: ", "names nothing to fetch"])),
            (
                "{secretStoreRef: {name: s}, target: {creationPolicy: Sometimes}, dataFrom: [{extract: {key: k}}]}",
                Schema(&["spec.target.creationPolicy", "Owner"]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn external_secrets_entries_are_judged() -> Result {
    table(
        "ExternalSecret",
        &[
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, find: {name: {regexp: a}}}]}",
                Schema(&["spec.dataFrom[0]: ", "sets several of extract, find and sourceRef.generatorRef at once"]),
            ),
            ("{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}, {}]}", Schema(&["spec.dataFrom[1]: ", "names nothing to fetch"])),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{find: {name: {regexp: \"a(\"}}}]}",
                Refused(&["spec.dataFrom[0].find.name.regexp: ", "RE2"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{find: {name: {regexp: \"(?=a)\"}}}]}",
                Refused(&["spec.dataFrom[0].find.name.regexp: "]),
            ),
            ("{secretStoreRef: {name: s}, dataFrom: [{find: {name: {regexp: \"^a\\\\d+$\"}}}]}", Admitted),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, \
                 rewrite: [{regexp: {source: \"a\", target: b}}, {regexp: {source: \"[\", target: b}}]}]}",
                Refused(&["spec.dataFrom[0].rewrite[1].regexp.source: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, \
                 rewrite: [{transform: {template: \"{{ .value | uper }}\"}}]}]}",
                Refused(&[
                    "spec.dataFrom[0].rewrite[0].transform.template: line 1: function \"uper\" not defined; did you mean \"upper\"",
                ]),
            ),
            (
                "{secretStoreRef: {name: s}, data: [{secretKey: a, remoteRef: {key: k}}, {secretKey: a, remoteRef: {key: l}}]}",
                Refused(&["spec.data[1].secretKey: ", "\"a\""]),
            ),
            (
                "{secretStoreRef: {name: s}, target: {deletionPolicy: Delete}, \
                 data: [{secretKey: a, remoteRef: {key: k}}, {secretKey: a, remoteRef: {key: l}}]}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, data: [{secretKey: a, remoteRef: {key: \"\"}}]}",
                Refused(&["spec.data[0].remoteRef.key: "]),
            ),
            (
                "{secretStoreRef: {name: s}, data: [{secretKey: \"a/b\", remoteRef: {key: k}}]}",
                Schema(&["spec.data[0].secretKey"]),
            ),
            (
                "{data: [{secretKey: a, remoteRef: {key: k}}]}",
                Refused(&["spec.data[0]: ", "spec.secretStoreRef", "sourceRef.storeRef"]),
            ),
            (
                "{data: [{secretKey: a, remoteRef: {key: k}, sourceRef: {storeRef: {name: s, kind: ClusterSecretStore}}}]}",
                Admitted,
            ),
            ("{secretStoreRef: {name: s}, refreshInterval: 1h30m, dataFrom: [{extract: {key: k}}]}", Admitted),
            ("{secretStoreRef: {name: s}, refreshInterval: \"0\", dataFrom: [{extract: {key: k}}]}", Admitted),
            (
                "{secretStoreRef: {name: s}, refreshInterval: 1d, dataFrom: [{extract: {key: k}}]}",
                Schema(&["spec.refreshInterval: ", "is not a duration"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{sourceRef: {generatorRef: {kind: Password, name: g}}}]}",
                Refused(&["spec.dataFrom[0].sourceRef.generatorRef: ", "not supported by this build yet"]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn external_secrets_templates_are_judged() -> Result {
    table(
        "ExternalSecret",
        &[
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {data: {a: \"{{ .a | upper | b64enc }}\", b: \"{{ if .x }}y{{ else }}z{{ end }}\"}}}}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {data: {config.yaml: \"a\\nb\\n{{ foo .x }}\"}}}}",
                Refused(&[
                    "spec.target.template.data[config.yaml]: line 3: function \"foo\" not defined; did you mean \"floor\"",
                ]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {templateFrom: [{literal: \"{{ nosuchfunctionatall }}\"}]}}}",
                Refused(&[
                    "spec.target.template.templateFrom[0].literal: line 1: function \"nosuchfunctionatall\" not defined; \
                     docs/templates.md lists",
                ]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], target: {template: {data: {a: \"{{ .a \"}}}}",
                Refused(&["spec.target.template.data[a]: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {data: {a: \"{{ .a | base46 }}\"}}}}",
                Refused(&["spec.target.template.data[a]: line 1: function \"base46\" not defined; did you mean \"base\""]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {metadata: {labels: {l: \"{{ end }}\"}, annotations: {n: \"{{ if }}\"}}}}}",
                Refused(&["spec.target.template.metadata.labels[l]: ", "spec.target.template.metadata.annotations[n]: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {templateFrom: [{literal: \"a: b\"}, {literal: \"{{ range }}\"}]}}}",
                Refused(&["spec.target.template.templateFrom[1].literal: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: kubernetes.io/service-account-token, \
                 metadata: {annotations: {kubernetes.io/service-account.name: admin}}}}}",
                Schema(&["spec.target.template.type: ", "kubernetes.io/service-account-token with the annotation kubernetes.io/service-account.name would obtain a token"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: kubernetes.io/service-account-token, \
                 templateFrom: [{target: Annotations, literal: \"a: b\"}]}}}",
                Schema(&["spec.target.template.type: ", "kubernetes.io/service-account-token with annotations from templateFrom could obtain a token"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: kubernetes.io/service-account-token}}}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], target: {template: {data: {a b: x}}}}",
                Refused(&["spec.target.template.data[a b]: is not a key of a Secret"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], target: {template: {engineVersion: v1}}}",
                Schema(&["spec.target.template.engineVersion", "v2"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: bootstrap.kubernetes.io/token}}}",
                Schema(&["spec.target.template.type: ", "bootstrap.kubernetes.io/token would let machines join the cluster"]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn external_secrets_details_are_judged() -> Result {
    table(
        "ExternalSecret",
        &[
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: \"\"}}]}",
                Refused(&["spec.dataFrom[0].extract.key: is empty"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{sourceRef: {storeRef: {name: other}}}]}",
                Refused(&["spec.dataFrom[0]: names a store and nothing to fetch from it; set extract or find"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, sourceRef: {storeRef: {name: other}}}]}",
                Admitted,
            ),
            ("{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, sourceRef: {}}]}", Schema(&["sourceRef"])),
            (
                "{data: [{secretKey: a, remoteRef: {key: k}, sourceRef: {storeRef: {kind: SecretStore}}}]}",
                Refused(&["spec.data[0].sourceRef.storeRef.name: is missing; name the store"]),
            ),
            (
                "{secretStoreRef: {name: s}, data: [{secretKey: \"\", remoteRef: {key: k}}]}",
                Schema(&["spec.data[0].secretKey"]),
            ),
            (
                "{secretStoreRef: {name: s}, refreshInterval: 3000000h, dataFrom: [{extract: {key: k}}]}",
                Refused(&["spec.refreshInterval: ", "longer than a duration can be"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], target: {template: {templateFrom: [{}]}}}",
                Refused(&["spec.target.template.templateFrom[0]: names no template; set configMap, secret or literal"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {templateFrom: [{secret: {name: t, items: [{key: k}]}}]}}}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, rewrite: [{}]}]}",
                Schema(&["spec.dataFrom[0].rewrite[0]"]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn external_secrets_rewrites_windows_and_targets_are_judged() -> Result {
    table_in(
        &["v1"],
        "ExternalSecret",
        &[
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, rewrite: [{merge: {strategy: JSON}}]}]}",
                Refused(&["spec.dataFrom[0].rewrite[0].merge.into: is missing, and strategy JSON needs it"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}, rewrite: [{merge: {strategy: JSON, into: a}}]}]}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 syncWindows: {kind: allow, windows: [{schedule: \"0 4 * * *\", duration: 2h}]}}",
                Admitted,
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 syncWindows: {kind: allow, windows: [{schedule: \"0 4 * * *\", duration: 2 hours}]}}",
                Refused(&["spec.syncWindows.windows[0].duration: ", "is not a duration"]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 syncWindows: {kind: allow, windows: [{schedule: \"0 25 * * *\", duration: 2h}]}}",
                Refused(&["spec.syncWindows.windows[0].schedule: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {manifest: {apiVersion: v1, kind: ConfigMap}, \
                 template: {templateFrom: [{target: \"spec..rules\", literal: \"a: b\"}]}}}",
                Refused(&["spec.target.template.templateFrom[0].target: "]),
            ),
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {manifest: {apiVersion: example.com/v1, kind: Thing}, \
                 template: {templateFrom: [{target: spec.rules, literal: \"a: b\"}]}}}",
                Admitted,
            ),
            // Any mixture of upper and lower case means the same; the schema knows the usual one.
            (
                "{secretStoreRef: {name: s}, dataFrom: [{extract: {key: k}}], \
                 target: {template: {type: kubernetes.io/service-account-token, \
                 templateFrom: [{target: aNNOTATIONS, literal: \"a: b\"}]}}}",
                Refused(&["spec.target.template.type: ", "could obtain a token"]),
            ),
        ],
    )
    .await
}
