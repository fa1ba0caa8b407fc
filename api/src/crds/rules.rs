//! Rules of the webhook that CEL can express, for clusters that run without it.
//!
//! The API server refuses by them before it asks the webhook, which says the same of the same field: a test judges one corpus
//! by both. An object that the Go operator would store must be stored here, too, so there are only two sorts of rules: what
//! the Go operator refuses (its webhook, or its decoding), and, marked as ours, what could not mean anything: addresses and
//! durations that are none, and several ways to log in at once. All else that is ours is left to the webhook.
//!
//! What an object broke already before a rule existed, it may keep: the API server (from 1.30 on) does not ask again about
//! fields that do not change. Left to the webhook is also what would cost more than the API server lets a rule of unbounded
//! lists cost (duplicates, the durations of sync windows, targets of templates in any mixture of upper and lower case), and
//! what depends on the namespace of the object, which CEL cannot see here.

use serde_json::{Value, json};

use super::field_of;
use crate::names::{OLD_VERSION, STORED_VERSION};
use crate::problem::Problem;

/// A rule: where it stands, what must hold there, and what is said when it does not.
pub struct Rule {
    /// Path of the field; `[]` stands for the items of a list.
    path: &'static str,
    /// What must hold of the field.
    pub cel: &'static str,
    /// `what is wrong; what to write instead`.
    pub message: &'static str,
    /// The field below `path` that is wrong; empty when it is that itself.
    field: &'static str,
    /// By these words, below `path`, the webhook refuses what this rule refuses, and nothing else.
    words: &'static str,
    versions: Versions,
}

/// In which versions the fields exist that a rule speaks of.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Versions {
    Both,
    V1,
    V1Beta1,
}

const fn rule(path: &'static str, cel: &'static str, message: &'static str, words: &'static str) -> Rule {
    Rule { path, cel, message, field: "", words, versions: Versions::Both }
}

impl Rule {
    const fn of(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    const fn only(self, versions: Versions) -> Self {
        Self { versions, ..self }
    }

    /// Whether a version of the API has the rule.
    pub fn is_in(&self, version: &str) -> bool {
        match self.versions {
            Versions::Both => true,
            Versions::V1 => version == STORED_VERSION,
            Versions::V1Beta1 => version == OLD_VERSION,
        }
    }

    /// Whether it is this rule by which the API server has refused a field, with this message.
    pub fn is_told_of(&self, field: &str, message: &str) -> bool {
        without_indices(field) == format!("{}{}", self.path, self.field) && message.ends_with(self.message)
    }

    /// Whether the webhook has found what this rule finds.
    pub fn is_told_by(&self, problem: &Problem) -> bool {
        without_indices(&problem.path).starts_with(self.path) && problem.to_string().contains(self.words)
    }
}

/// `spec.data[1].remoteRef` as `spec.data[].remoteRef`.
fn without_indices(path: &str) -> String {
    let mut parts = path.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + "[" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Numbers with units, as Go reads them; how long they are is left to the webhook.
macro_rules! is_duration {
    () => {
        r"self.matches('^[-+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$')"
    };
}

const NO_DURATION: &str = "is not a duration; write one such as 30m, 1h or 1h30m";

/// The rules of ExternalSecrets.
pub const EXTERNAL_SECRET: &[Rule] = &[
    rule(
        "spec",
        "(has(self.data) && size(self.data) > 0) || (has(self.dataFrom) && size(self.dataFrom) > 0)",
        "names nothing to fetch; add entries to spec.data or spec.dataFrom",
        "spec: names nothing to fetch",
    ),
    rule("spec.refreshInterval", concat!("self == '' || ", is_duration!()), NO_DURATION, "is not a duration"),
    rule(
        "spec.dataFrom[]",
        "(has(self.extract) ? 1 : 0) + (has(self.find) ? 1 : 0) + \
         (has(self.sourceRef) && has(self.sourceRef.generatorRef) ? 1 : 0) <= 1",
        "sets several of extract, find and sourceRef.generatorRef at once; make each an entry of its own",
        "at once; make each an entry of its own",
    ),
    // One with nothing but a store is refused by our webhook and admitted by the Go operator's.
    rule(
        "spec.dataFrom[]",
        "has(self.extract) || has(self.find) || has(self.sourceRef)",
        "names nothing to fetch; set extract or find",
        "names nothing to fetch",
    ),
    rule(
        "spec.target",
        "!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || !has(self.creationPolicy) || \
         self.creationPolicy in ['Owner', 'Orphan']",
        "Delete would delete a Secret that is not owned; write creationPolicy: Owner or deletionPolicy: Retain",
        "Delete would delete a Secret that is not owned",
    )
    .of(".deletionPolicy"),
    rule(
        "spec.target",
        "!has(self.deletionPolicy) || self.deletionPolicy != 'Merge' || !has(self.creationPolicy) || \
         self.creationPolicy != 'None'",
        "Merge has no Secret to remove keys from; write another creationPolicy or deletionPolicy: Retain",
        "Merge has no Secret to remove keys from",
    )
    .of(".deletionPolicy"),
    rule(
        "spec.target.template",
        "!has(self.type) || self.type != 'bootstrap.kubernetes.io/token'",
        "bootstrap.kubernetes.io/token would let machines join the cluster; write another type",
        "would let machines join the cluster",
    )
    .of(".type"),
    rule(
        "spec.target.template",
        "!has(self.type) || self.type != 'kubernetes.io/service-account-token' || !has(self.metadata) || \
         !has(self.metadata.annotations) || !('kubernetes.io/service-account.name' in self.metadata.annotations)",
        "kubernetes.io/service-account-token with the annotation kubernetes.io/service-account.name would obtain a token; \
         write another type or drop the annotation",
        "would obtain a token",
    )
    .of(".type"),
    rule(
        "spec.target.template",
        "!has(self.type) || self.type != 'kubernetes.io/service-account-token' || !has(self.templateFrom) || \
         !self.templateFrom.exists(source, has(source.target) && source.target == 'Annotations')",
        "kubernetes.io/service-account-token with annotations from templateFrom could obtain a token; write another type or \
         target",
        "could obtain a token",
    )
    .of(".type"),
];

/// The rules of stores of both kinds.
pub const STORE: &[Rule] = &[
    rule(
        "spec.refreshInterval",
        concat!("type(self) != string || self == '' || ", is_duration!()),
        NO_DURATION,
        "is not a duration",
    )
    .only(Versions::V1),
    rule(
        "spec.refreshInterval",
        "type(self) != int || self >= 0",
        "is negative; write seconds, a duration such as 5m, or nothing",
        "spec.refreshInterval: -",
    )
    .only(Versions::V1),
    rule(
        "spec.refreshInterval",
        "self >= 0",
        "is negative; write seconds, a duration such as 5m, or nothing",
        "spec.refreshInterval: -",
    )
    .only(Versions::V1Beta1),
    // Ours.
    rule(
        "spec.retrySettings.retryInterval",
        concat!("self == '' || ", is_duration!()),
        NO_DURATION,
        "is not a duration",
    ),
    rule(
        "spec.provider.aws.secretsManager",
        "!has(self.recoveryWindowInDays) || self.recoveryWindowInDays == 0 || \
         (self.recoveryWindowInDays >= 7 && self.recoveryWindowInDays <= 30)",
        "is not possible; write 7 to 30",
        "days are not possible",
    )
    .of(".recoveryWindowInDays"),
    rule(
        "spec.provider.aws.secretsManager",
        "!has(self.recoveryWindowInDays) || self.recoveryWindowInDays == 0 || \
         !has(self.forceDeleteWithoutRecovery) || !self.forceDeleteWithoutRecovery",
        "contradicts forceDeleteWithoutRecovery; keep one of them",
        "contradicts forceDeleteWithoutRecovery",
    )
    .of(".recoveryWindowInDays"),
    rule("spec.provider.fake.data[].key", "self != ''", "is empty; name the value", "is empty"),
    rule("spec.provider.fake.data[].value", "self != ''", "is empty; write the value", "is empty"),
    // Ours, as the next three: an address that no request could be sent to. Asked of the block, because the API server repeats a
    // text that breaks a rule, and this one may hold a password.
    rule(
        "spec.provider.vault",
        "self.server != ''",
        "is empty; write an address such as https://vault.example.com:8200",
        "spec.provider.vault.server: is empty",
    )
    .of(".server"),
    rule(
        "spec.provider.vault",
        "self.server == '' || self.server.matches('^(?i:https?)://')",
        "does not begin with https:// or http://; write an address such as https://vault.example.com:8200",
        "does not begin with https:// or http://",
    )
    .of(".server"),
    rule(
        "spec.provider.vault",
        "!self.server.matches('^[^/?#]*//[^/?#]*@')",
        "holds a user name or password; write an address such as https://vault.example.com:8200",
        "holds a user name or password",
    )
    .of(".server"),
    rule(
        "spec.provider.vault",
        "!self.server.matches('^[^#]*[?]')",
        "has a query; write an address such as https://vault.example.com:8200",
        "has a query",
    )
    .of(".server"),
    rule(
        "spec.provider.vault",
        "!has(self.checkAndSet) || !has(self.checkAndSet.required) || !self.checkAndSet.required || \
         !has(self.version) || self.version != 'v1'",
        "version v1 of the engine has no version check; remove it, or write version: v2",
        "version v1 of the engine has no version check",
    )
    .of(".checkAndSet.required")
    .only(Versions::V1),
    rule(
        "spec.provider.vault.tls",
        "!has(self.certSecretRef) || has(self.keySecretRef)",
        "is missing; a client certificate needs both certSecretRef and keySecretRef",
        "tls.keySecretRef: is missing",
    )
    .of(".keySecretRef"),
    rule(
        "spec.provider.vault.tls",
        "!has(self.keySecretRef) || has(self.certSecretRef)",
        "is missing; a client certificate needs both certSecretRef and keySecretRef",
        "tls.certSecretRef: is missing",
    )
    .of(".certSecretRef"),
    // Ours, as the next.
    rule(
        "spec.provider.vault.auth",
        "[has(self.tokenSecretRef), has(self.appRole), has(self.kubernetes), has(self.ldap), has(self.userPass), \
         has(self.jwt), has(self.cert), has(self.iam), has(self.gcp)].filter(is_set, is_set).size() <= 1",
        "sets several ways to log in; keep one",
        "ways to log in",
    )
    .only(Versions::V1),
    rule(
        "spec.provider.vault.auth",
        "[has(self.tokenSecretRef), has(self.appRole), has(self.kubernetes), has(self.ldap), has(self.userPass), \
         has(self.jwt), has(self.cert), has(self.iam)].filter(is_set, is_set).size() <= 1",
        "sets several ways to log in; keep one",
        "ways to log in",
    )
    .only(Versions::V1Beta1),
    rule(
        "spec.provider.vault.auth.appRole",
        "(has(self.roleId) && self.roleId != '') || has(self.roleRef)",
        "names no role ID; set roleId or roleRef",
        "names no role ID",
    ),
    rule(
        "spec.provider.vault.auth.jwt",
        "has(self.secretRef) || has(self.kubernetesServiceAccountToken)",
        "names no token; set secretRef or kubernetesServiceAccountToken",
        "names no token",
    ),
];

/// Adds the rules to the schema of a version. Fails with the path of a rule that names no field.
pub fn apply(schema: &mut Value, rules: &[Rule], version: &str) -> Result<(), String> {
    for rule in rules.iter().filter(|rule| rule.is_in(version)) {
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
