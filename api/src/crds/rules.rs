//! Rules of the webhook that CEL can express, for clusters that run without it.
//!
//! The API server refuses by them before it asks the webhook, which says the same of the same field: a test judges one
//! corpus by both. What an object broke already before a rule existed, it may keep: the API server (from 1.30 on) does not
//! ask again about fields that do not change. Left to the webhook is what would cost more than the API server lets a rule of
//! unbounded lists and texts cost (duplicates, the keys of a template, what upper and lower case are the same in), and what
//! depends on the namespace of the object, which CEL cannot see here.

use serde_json::{Value, json};

use super::field_of;

/// A rule: where it stands, what must hold there, and what is said when it does not.
pub struct Rule {
    /// Path of the field; `[]` stands for the items of a list.
    path: &'static str,
    /// What must hold of the field.
    pub cel: &'static str,
    /// `what is wrong; what to write instead`.
    message: &'static str,
    /// The field below `path` that is wrong; empty when it is that itself.
    field: &'static str,
    versions: Versions,
}

/// In which versions the fields exist that a rule speaks of.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Versions {
    Both,
    V1,
    V1Beta1,
}

const fn rule(path: &'static str, cel: &'static str, message: &'static str) -> Rule {
    Rule { path, cel, message, field: "", versions: Versions::Both }
}

impl Rule {
    const fn of(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    const fn only(self, versions: Versions) -> Self {
        Self { versions, ..self }
    }
}

/// The rules of ExternalSecrets.
pub const EXTERNAL_SECRET: &[Rule] = &[
    rule(
        "spec",
        "(has(self.data) && size(self.data) > 0) || (has(self.dataFrom) && size(self.dataFrom) > 0)",
        "names nothing to fetch; add entries to spec.data or spec.dataFrom",
    ),
    rule(
        "spec.refreshInterval",
        r"self == '' || self.matches('^[-+]?(0|([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+$')",
        "is not a duration; write one such as 30m, 1h or 1h30m",
    ),
    rule("spec.data[].remoteRef.key", "self != ''", "is empty; name the value in the store"),
    rule("spec.dataFrom[].extract.key", "self != ''", "is empty; name the value in the store"),
    rule(
        "spec.dataFrom[]",
        "(has(self.extract) ? 1 : 0) + (has(self.find) ? 1 : 0) + \
         (has(self.sourceRef) && has(self.sourceRef.generatorRef) ? 1 : 0) == 1",
        "must name one source; set one of extract, find and sourceRef.generatorRef",
    ),
    rule(
        "spec.target",
        "!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || !has(self.creationPolicy) || \
         self.creationPolicy in ['Owner', 'Orphan']",
        "Delete would delete a Secret that is not owned; write creationPolicy: Owner or deletionPolicy: Retain",
    )
    .of(".deletionPolicy"),
    rule(
        "spec.target",
        "!has(self.deletionPolicy) || self.deletionPolicy != 'Merge' || !has(self.creationPolicy) || \
         self.creationPolicy != 'None'",
        "Merge has no Secret to remove keys from; write another creationPolicy or deletionPolicy: Retain",
    )
    .of(".deletionPolicy"),
    rule(
        "spec.target.template",
        "!has(self.type) || self.type != 'bootstrap.kubernetes.io/token'",
        "bootstrap.kubernetes.io/token would let machines join the cluster; write another type",
    )
    .of(".type"),
    rule(
        "spec.target.template",
        "!has(self.type) || self.type != 'kubernetes.io/service-account-token' || !has(self.metadata) || \
         !has(self.metadata.annotations) || !('kubernetes.io/service-account.name' in self.metadata.annotations)",
        "kubernetes.io/service-account-token with the annotation kubernetes.io/service-account.name would obtain a token; \
         write another type or drop the annotation",
    )
    .of(".type"),
    rule(
        "spec.target.template",
        "!has(self.type) || self.type != 'kubernetes.io/service-account-token' || !has(self.templateFrom) || \
         !self.templateFrom.exists(source, has(source.target) && source.target == 'Annotations')",
        "kubernetes.io/service-account-token with annotations from templateFrom could obtain a token; write another type or \
         target",
    )
    .of(".type"),
    rule(
        "spec.target.template.templateFrom[]",
        "has(self.configMap) || has(self.secret) || (has(self.literal) && self.literal != '')",
        "names no template; set configMap, secret or literal",
    ),
];

/// The rules of stores of both kinds.
pub const STORE: &[Rule] = &[
    rule(
        "spec.provider.aws.region",
        "self.matches('^[a-z0-9-]{1,32}$')",
        "is no region; write one such as eu-central-1",
    ),
    rule(
        "spec.provider.aws.auth.secretRef",
        "has(self.accessKeyIDSecretRef) && has(self.secretAccessKeySecretRef)",
        "an access key needs both its ID and its secret; set accessKeyIDSecretRef and secretAccessKeySecretRef",
    ),
    rule(
        "spec.provider.aws.secretsManager",
        "!has(self.recoveryWindowInDays) || self.recoveryWindowInDays == 0 || \
         (self.recoveryWindowInDays >= 7 && self.recoveryWindowInDays <= 30)",
        "is not possible; write 7 to 30",
    )
    .of(".recoveryWindowInDays"),
    rule(
        "spec.provider.aws.secretsManager",
        "!has(self.recoveryWindowInDays) || self.recoveryWindowInDays == 0 || \
         !has(self.forceDeleteWithoutRecovery) || !self.forceDeleteWithoutRecovery",
        "contradicts forceDeleteWithoutRecovery; keep one of them",
    )
    .of(".recoveryWindowInDays"),
    rule("spec.provider.fake.data[].key", "self != ''", "is empty; name the value"),
    rule("spec.provider.fake.data[].value", "self != ''", "is empty; write the value"),
    rule(
        "spec.provider.vault.server",
        "self.matches('^(?i)https?://[^/?#@]+([/#][^?]*)?$')",
        "is not the address of a server; write one such as https://vault.example.com:8200, without user, password or query",
    ),
    rule(
        "spec.provider.vault",
        "!has(self.checkAndSet) || !has(self.checkAndSet.required) || !self.checkAndSet.required || \
         !has(self.version) || self.version != 'v1'",
        "version v1 of the engine has no version check; remove it, or write version: v2",
    )
    .of(".checkAndSet.required")
    .only(Versions::V1),
    rule(
        "spec.provider.vault.tls",
        "has(self.certSecretRef) == has(self.keySecretRef)",
        "a client certificate is incomplete; set both certSecretRef and keySecretRef",
    ),
    rule(
        "spec.provider.vault.auth",
        "[has(self.tokenSecretRef), has(self.appRole), has(self.kubernetes), has(self.ldap), has(self.userPass), \
         has(self.jwt), has(self.cert), has(self.iam), has(self.gcp)].filter(is_set, is_set).size() <= 1",
        "sets several ways to log in; keep one",
    )
    .only(Versions::V1),
    rule(
        "spec.provider.vault.auth",
        "[has(self.tokenSecretRef), has(self.appRole), has(self.kubernetes), has(self.ldap), has(self.userPass), \
         has(self.jwt), has(self.cert), has(self.iam)].filter(is_set, is_set).size() <= 1",
        "sets several ways to log in; keep one",
    )
    .only(Versions::V1Beta1),
    rule(
        "spec.provider.vault.auth.appRole",
        "(has(self.roleId) && self.roleId != '') || has(self.roleRef)",
        "names no role ID; set roleId or roleRef",
    ),
    rule("spec.provider.vault.auth.ldap", "has(self.secretRef)", "names no password; set secretRef"),
    rule("spec.provider.vault.auth.userPass", "has(self.secretRef)", "names no password; set secretRef"),
    rule(
        "spec.provider.vault.auth.jwt",
        "has(self.secretRef) || has(self.kubernetesServiceAccountToken)",
        "names no token; set secretRef or kubernetesServiceAccountToken",
    ),
    rule(
        "spec.provider.vault.auth.cert",
        "has(self.clientCert) == has(self.secretRef)",
        "a client certificate is incomplete; set both clientCert and secretRef",
    ),
    rule(
        "spec.provider.vault.auth.iam.secretRef",
        "has(self.accessKeyIDSecretRef) && has(self.secretAccessKeySecretRef)",
        "an access key needs both its ID and its secret; set accessKeyIDSecretRef and secretAccessKeySecretRef",
    ),
];

/// The rules of ClusterSecretStores alone.
pub const CLUSTER_STORE: &[Rule] = &[rule(
    "spec.provider.vault.caProvider",
    "has(self.namespace) && self.namespace != ''",
    "has no namespace, and a ClusterSecretStore has none of its own; name that of the object that holds the certificates",
)];

/// Adds the rules to the schema of a version. Fails with the path of a rule that names no field.
pub fn apply(schema: &mut Value, rules: &[&[Rule]], is_old: bool) -> Result<(), String> {
    let unfit = if is_old { Versions::V1 } else { Versions::V1Beta1 };
    for rule in rules.iter().copied().flatten().filter(|rule| rule.versions != unfit) {
        let field = field_of(schema, rule.path).ok_or_else(|| rule.path.to_owned())?;
        let mut validation = json!({"rule": rule.cel, "message": rule.message});
        if !rule.field.is_empty() {
            validation["fieldPath"] = json!(rule.field);
        }
        let validations = &mut field["x-kubernetes-validations"];
        match validations {
            Value::Array(validations) => validations.push(validation),
            _ => *validations = json!([validation]),
        }
    }
    Ok(())
}
