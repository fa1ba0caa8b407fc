//! SecretStores and ClusterSecretStores: themselves, and the blocks of Vault, AWS and Fake.

use tests::Result;

use crate::{
    Row,
    Verdict::{Admitted, Refused, Schema},
    table, table_in,
};

#[tokio::test]
async fn stores_themselves_are_judged() -> Result {
    let both: &[Row] = &[
        ("{provider: {fake: {data: [{key: a, value: b}]}}}", Admitted),
        ("{provider: {}}", Schema(&["spec.provider"])),
        ("{provider: {fake: {data: []}, vault: {server: \"https://v\"}}}", Schema(&["spec.provider"])),
        (
            "{provider: {vualt: {server: \"https://vault.example.com\"}}}",
            Refused(&["spec.provider.vualt: ", "did you mean vault?"]),
        ),
        (
            "{provider: {gcpsm: {projectID: p}}}",
            Refused(&["spec.provider.gcpsm: ", "not part of this build", "vault, aws, fake"]),
        ),
        ("{refreshInterval: 60, provider: {fake: {data: [{key: a, value: b}]}}}", Admitted),
        (
            "{retrySettings: {maxRetries: -1, retryInterval: soon}, provider: {fake: {data: [{key: a, value: b}]}}}",
            Schema(&["spec.retrySettings.retryInterval: ", "is not a duration"]),
        ),
        (
            "{provider: {fake: {data: [{key: \"\", value: \"\"}]}}}",
            Schema(&["spec.provider.fake.data[0].key: ", "is empty", "spec.provider.fake.data[0].value: "]),
        ),
    ];
    table("SecretStore", both).await?;
    table("ClusterSecretStore", both).await?;
    table(
        "ClusterSecretStore",
        &[
            (
                "{conditions: [{namespaces: [a]}, {namespaceRegexes: [\"^a\", \"b(\"]}], \
                 provider: {fake: {data: [{key: a, value: b}]}}}",
                Refused(&["spec.conditions[1].namespaceRegexes[1]: "]),
            ),
            (
                "{conditions: [{namespaceSelector: {matchExpressions: [{key: a, operator: Like, values: [b]}]}}], \
                 provider: {fake: {data: [{key: a, value: b}]}}}",
                Refused(&["spec.conditions[0].namespaceSelector: "]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn vault_blocks_are_judged() -> Result {
    table(
        "SecretStore",
        &[
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k}}}}}",
                Admitted,
            ),
            ("{provider: {vault: {server: \"https://v:8200/prefix\"}}}", Admitted),
            ("{provider: {vault: {server: \"\"}}}", Schema(&["spec.provider.vault.server: ", "is empty"])),
            (
                "{provider: {vault: {server: \"vault.example.com:8200\"}}}",
                Schema(&["spec.provider.vault.server: ", "does not begin with https:// or http://"]),
            ),
            (
                "{provider: {vault: {server: \"https://me:hunter2@v\"}}}",
                Schema(&["spec.provider.vault.server: ", "holds a user name or password"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t}}}}}",
                Refused(&["spec.provider.vault.auth.tokenSecretRef.key: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k, namespace: elsewhere}}}}}",
                Refused(&["spec.provider.vault.auth.tokenSecretRef.namespace: ", "\"elsewhere\"", "ClusterSecretStore"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {kubernetes: {mountPath: k, role: r, \
                 serviceAccountRef: {name: a, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.kubernetes.serviceAccountRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {kubernetes: {mountPath: k, role: r, \
                 secretRef: {name: a, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.kubernetes.secretRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", caProvider: {type: Secret, name: a, namespace: elsewhere}}}}",
                Refused(&["spec.provider.vault.caProvider.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", caBundle: bm9uc2Vuc2U=}}}",
                Refused(&["spec.provider.vault.caBundle: ", "PEM"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k}, \
                 kubernetes: {mountPath: k, role: r}}}}}",
                Schema(&["spec.provider.vault.auth: ", "sets several ways to log in"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", tls: {certSecretRef: {name: c}}}}}",
                Schema(&["spec.provider.vault.tls.keySecretRef: ", "is missing"]),
            ),
            ("{provider: {vault: {server: \"https://v\", version: v3}}}", Schema(&["spec.provider.vault.version"])),
        ],
    )
    .await?;
    table(
        "ClusterSecretStore",
        &[
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k, namespace: anywhere}}}}}",
                Admitted,
            ),
            ("{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {name: t, key: k}}}}}", Admitted),
            (
                "{provider: {vault: {server: \"https://v\", caProvider: {type: ConfigMap, name: a, key: b}}}}",
                Refused(&["spec.provider.vault.caProvider.namespace: "]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn vault_logins_are_judged() -> Result {
    table(
        "SecretStore",
        &[
            (
                "{provider: {vault: {server: \"https://v\", auth: {appRole: {path: approle, secretRef: {name: s, key: k}}}}}}",
                Schema(&["spec.provider.vault.auth.appRole: ", "names no role ID"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {jwt: {path: jwt}}}}}",
                Schema(&["spec.provider.vault.auth.jwt: ", "names no token"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {userPass: {path: u, username: me, \
                 secretRef: {name: s, key: k, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.userPass.secretRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {ldap: {path: l, username: me}}}}}",
                Refused(&["spec.provider.vault.auth.ldap: names no password"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {iam: {vaultRole: r, \
                 secretRef: {accessKeyIDSecretRef: {name: a, key: k}}}}}}}",
                Refused(&["spec.provider.vault.auth.iam.secretRef.secretAccessKeySecretRef: is missing"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {cert: {clientCert: {name: a, key: k}}}}}}",
                Refused(&["spec.provider.vault.auth.cert.secretRef: is missing"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {gcp: {path: gcp, role: r}}, \
                 tls: {certSecretRef: {name: c}, keySecretRef: {name: c}}}}}",
                Admitted,
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn aws_blocks_are_judged() -> Result {
    table(
        "SecretStore",
        &[
            ("{provider: {aws: {service: SecretsManager, region: eu-central-1}}}", Admitted),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {secretRef: {\
                 accessKeyIDSecretRef: {name: a, key: b}, secretAccessKeySecretRef: {name: a, key: c}}}}}}",
                Admitted,
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {jwt: {serviceAccountRef: {name: a}}}}}}",
                Admitted,
            ),
            ("{provider: {aws: {service: SecretsManager, region: eu-nowhere-1}}}", Admitted),
            ("{provider: {aws: {service: ParameterStore, region: eu-central-1}}}", Admitted),
            ("{provider: {aws: {service: SecretsManager, region: \"\"}}}", Refused(&["spec.provider.aws.region: is empty"])),
            (
                "{provider: {aws: {service: SecretsManager, region: \"EU (Frankfurt)\"}}}",
                Refused(&["spec.provider.aws.region: ", "eu-central-1"]),
            ),
            ("{provider: {aws: {service: S3, region: eu-central-1}}}", Schema(&["spec.provider.aws.service"])),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, \
                 secretsManager: {recoveryWindowInDays: 3}}}}",
                Schema(&["spec.provider.aws.secretsManager.recoveryWindowInDays: ", "is not possible"]),
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, \
                 secretsManager: {recoveryWindowInDays: 7, forceDeleteWithoutRecovery: true}}}}",
                Schema(&["spec.provider.aws.secretsManager.recoveryWindowInDays: ", "contradicts forceDeleteWithoutRecovery"]),
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {secretRef: {\
                 accessKeyIDSecretRef: {name: a}, secretAccessKeySecretRef: {name: a, key: c, namespace: elsewhere}}}}}}",
                Refused(&[
                    "spec.provider.aws.auth.secretRef.accessKeyIDSecretRef.key: ",
                    "spec.provider.aws.auth.secretRef.secretAccessKeySecretRef.namespace: ",
                ]),
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {jwt: {\
                 serviceAccountRef: {name: a, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.aws.auth.jwt.serviceAccountRef.namespace: "]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn vault_references_and_addresses_are_judged() -> Result {
    table(
        "SecretStore",
        &[
            (
                "{provider: {vault: {server: \"https://v:99999\"}}}",
                Refused(&["spec.provider.vault.server: ", "a port that is not between 0 and 65535"]),
            ),
            ("{provider: {vault: {server: \"https://v v\"}}}", Refused(&["spec.provider.vault.server: ", "is not a URL"])),
            ("{provider: {vault: {server: \"https://v?a=b\"}}}", Schema(&["spec.provider.vault.server: ", "has a query"])),
            (
                "{provider: {vault: {server: \"https://v\", headers: {X-Team: a}}}}",
                Admitted,
            ),
            (
                "{provider: {vault: {server: \"https://v\", headers: {\"X Team\": a}}}}",
                Refused(&["spec.provider.vault.headers[X Team]: cannot be sent as an HTTP header"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {tokenSecretRef: {key: k}}}}}",
                Refused(&["spec.provider.vault.auth.tokenSecretRef.name: is missing; name the Secret"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {userPass: {path: u, username: me}}}}}",
                Refused(&["spec.provider.vault.auth.userPass: names no password; set secretRef"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {userPass: {path: u, username: me, secretRef: {name: s, key: k}}}}}}",
                Admitted,
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {cert: {secretRef: {name: a, key: k}}}}}}",
                Refused(&["spec.provider.vault.auth.cert.clientCert: is missing"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {iam: {vaultRole: r, secretRef: {\
                 secretAccessKeySecretRef: {name: a, key: k}}}}}}}",
                Refused(&["spec.provider.vault.auth.iam.secretRef.accessKeyIDSecretRef: is missing"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {iam: {vaultRole: r, \
                 jwt: {serviceAccountRef: {name: a, namespace: elsewhere}}}}}}}",
                Refused(&["spec.provider.vault.auth.iam.jwt.serviceAccountRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {jwt: {path: jwt, kubernetesServiceAccountToken: {\
                 serviceAccountRef: {name: a, namespace: elsewhere}}}}}}}",
                Refused(&["spec.provider.vault.auth.jwt.kubernetesServiceAccountToken.serviceAccountRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {appRole: {path: a, roleId: r, \
                 secretRef: {name: s, key: k, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.appRole.secretRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {ldap: {path: l, username: me, \
                 secretRef: {name: s, key: k, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.ldap.secretRef.namespace: "]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", tls: {certSecretRef: {name: c, namespace: elsewhere}, \
                 keySecretRef: {name: c, namespace: elsewhere}}}}}",
                Refused(&["spec.provider.vault.tls.certSecretRef.namespace: ", "spec.provider.vault.tls.keySecretRef.namespace: "]),
            ),
        ],
    )
    .await
}

#[tokio::test]
async fn what_stores_cannot_do_is_judged() -> Result {
    table(
        "SecretStore",
        &[
            (
                "{retrySettings: {maxRetries: -1}, provider: {fake: {data: [{key: a, value: b}]}}}",
                Refused(&["spec.retrySettings.maxRetries: -1 is negative"]),
            ),
            (
                "{retrySettings: {maxRetries: 3, retryInterval: 5s}, provider: {fake: {data: [{key: a, value: b}]}}}",
                Admitted,
            ),
            (
                "{retrySettings: {retryInterval: -5s}, provider: {fake: {data: [{key: a, value: b}]}}}",
                Refused(&["spec.retrySettings.retryInterval: \"-5s\" is negative"]),
            ),
            (
                "{refreshInterval: -5, provider: {fake: {data: [{key: a, value: b}]}}}",
                Schema(&["spec.refreshInterval: ", "is negative"]),
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {secretRef: {\
                 accessKeyIDSecretRef: {name: a, key: b}}}}}}",
                Refused(&["spec.provider.aws.auth.secretRef.secretAccessKeySecretRef: is missing"]),
            ),
            (
                "{provider: {aws: {service: SecretsManager, region: eu-central-1, auth: {jwt: {}}}}}",
                Refused(&["spec.provider.aws.auth.jwt.serviceAccountRef: is missing; name the ServiceAccount"]),
            ),
        ],
    )
    .await?;
    table_in(
        &["v1"],
        "SecretStore",
        &[
            (
                "{provider: {aws: {service: CertificateManager, region: eu-central-1}}}",
                Refused(&["spec.provider.aws.service: CertificateManager is not supported by this build"]),
            ),
            (
                "{refreshInterval: -5s, provider: {fake: {data: [{key: a, value: b}]}}}",
                Refused(&["spec.refreshInterval: ", "is negative"]),
            ),
            (
                "{provider: {vault: {server: \"https://v\", auth: {gcp: {role: r, \
                 serviceAccountRef: {name: a, namespace: elsewhere}}}}}}",
                Refused(&["spec.provider.vault.auth.gcp.serviceAccountRef.namespace: "]),
            ),
            ("{provider: {vault: {server: \"https://v\", version: v2, checkAndSet: {required: true}}}}", Admitted),
        ],
    )
    .await
}
