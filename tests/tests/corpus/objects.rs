//! The part of the corpus that is made by hand: specs as users write them.

use std::fmt;

use serde_json::{Value, json};

/// In the address of a server.
pub const PASSWORD: &str = "hunter2";

/// One object of the corpus.
pub struct Item {
    pub version: &'static str,
    pub kind: &'static str,
    pub spec: Value,
    pub origin: Origin,
}

/// What is known of an object before it is judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    Good,
    Bad,
    /// The Go operator admits it, and our webhook does not.
    OursAlone,
    /// Made by chance.
    Mutant,
}

impl Item {
    pub fn namespace<'a>(&self, namespace: &'a str) -> Option<&'a str> {
        (self.kind != "ClusterSecretStore").then_some(namespace)
    }

    pub fn object(&self, namespace: &str) -> Value {
        let mut object = json!({
            "apiVersion": format!("external-secrets.io/{}", self.version), "kind": self.kind,
            "metadata": {"name": "judged"}, "spec": self.spec,
        });
        if let Some(namespace) = self.namespace(namespace) {
            object["metadata"]["namespace"] = json!(namespace);
        }
        object
    }
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {} {} {}", self.origin, self.version, self.kind, self.spec)
    }
}

/// Every spec in every kind and version that has its fields.
pub fn all() -> Vec<Item> {
    let mut items = Vec::new();
    let mut add = |specs: Vec<Value>, kinds: &[&'static str], versions: &[&'static str], origin: Origin| {
        for spec in specs {
            for &kind in kinds {
                items.extend(versions.iter().map(|&version| Item { version, kind, spec: spec.clone(), origin }));
            }
        }
    };
    let (both, new) = (&["v1", "v1beta1"][..], &["v1"][..]);
    let (secrets, stores) = (&["ExternalSecret"][..], &["SecretStore", "ClusterSecretStore"][..]);
    add(good_external_secrets(), secrets, both, Origin::Good);
    add(good_of_v1(), secrets, new, Origin::Good);
    add(bad_external_secrets(), secrets, both, Origin::Bad);
    add(admitted_elsewhere(), secrets, both, Origin::OursAlone);
    add(good_stores(), stores, both, Origin::Good);
    add(bad_stores(), stores, both, Origin::Bad);
    add(bad_stores_of_v1(), stores, new, Origin::Bad);
    add(vec![with_provider(&fake(), json!({"refreshInterval": -5}))], stores, both, Origin::Bad);
    add(stores_admitted_elsewhere(), stores, both, Origin::OursAlone);
    let no_namespace = json!({"caProvider": {"type": "ConfigMap", "name": "ca", "key": "ca.crt"}});
    add(vec![vault(no_namespace)], &["ClusterSecretStore"], both, Origin::OursAlone);
    items
}

/// An ExternalSecret that reads one value, with these fields too.
pub fn reads(more: Value) -> Value {
    merged(json!({"secretStoreRef": {"name": "s"}, "data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]}), more)
}

fn targets(target: &Value) -> Value {
    reads(json!({"target": target}))
}

fn from(entries: &Value) -> Value {
    json!({"secretStoreRef": {"name": "s"}, "dataFrom": entries})
}

/// A store of this provider, with these fields too.
fn with_provider(provider: &Value, more: Value) -> Value {
    merged(json!({"provider": provider}), more)
}

fn fake() -> Value {
    json!({"fake": {"data": [{"key": "a", "value": "b"}]}})
}

/// A store of Vault, with these fields in its block.
pub fn vault(more: Value) -> Value {
    with_provider(&json!({"vault": merged(json!({"server": "https://vault.example.com:8200"}), more)}), json!({}))
}

fn login(auth: &Value) -> Value {
    vault(json!({"auth": auth}))
}

fn aws(more: Value) -> Value {
    let block = json!({"service": "SecretsManager", "region": "eu-central-1"});
    with_provider(&json!({"aws": merged(block, more)}), json!({}))
}

fn merged(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

pub fn good_external_secrets() -> Vec<Value> {
    let mut specs = vec![
        reads(json!({})),
        from(&json!([{"extract": {"key": "k"}}])),
        from(&json!([{"find": {"name": {"regexp": "^a"}}}, {"find": {"tags": {"a": "b"}}}])),
        json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}, "sourceRef": {"storeRef": {"name": "s"}}}]}),
        targets(&json!({"name": "t", "immutable": true})),
        targets(&json!({"template": {"type": "Opaque", "data": {"a": "{{ .a | upper }}"}}})),
        targets(&json!({"template": {"type": "kubernetes.io/service-account-token"}})),
        targets(&json!({"template": {"templateFrom": [{"target": "Annotations", "literal": "a: b"}]}})),
        targets(&json!({"template": {"templateFrom": [{"configMap": {"name": "c", "items": [{"key": "k"}]}}]}})),
    ];
    for interval in ["1h", "1h30m", "0", "", "1.5h", ".5s", "1.s", "-1s", "+5m", "1µs", "1μs", "300ms", "7ns", "-0"] {
        specs.push(reads(json!({"refreshInterval": interval})));
    }
    for (creation, deletion) in [
        ("Owner", "Retain"),
        ("Owner", "Delete"),
        ("Owner", "Merge"),
        ("Orphan", "Delete"),
        ("Orphan", "Merge"),
        ("Merge", "Merge"),
        ("Merge", "Retain"),
        ("None", "Retain"),
    ] {
        specs.push(targets(&json!({"creationPolicy": creation, "deletionPolicy": deletion})));
    }
    specs
}

fn good_of_v1() -> Vec<Value> {
    let literal = |target: &str| json!({"template": {"templateFrom": [{"target": target, "literal": "a: b"}]}});
    let window = json!({"schedule": "0 4 * * *", "duration": "2h"});
    vec![
        targets(&json!({"creationPolicy": "CreateOrMerge", "deletionPolicy": "Merge"})),
        targets(&literal("labels")),
        targets(&literal("ANNOTATIONS")),
        targets(&merged(literal("spec.rules"), json!({"manifest": {"apiVersion": "example.com/v1", "kind": "Thing"}}))),
        reads(json!({"syncWindows": {"kind": "allow", "windows": [window]}})),
    ]
}

fn bad_external_secrets() -> Vec<Value> {
    let token = "kubernetes.io/service-account-token";
    let named = json!({"annotations": {"kubernetes.io/service-account.name": "admin"}});
    let literal = json!([{"target": "Annotations", "literal": "a: b"}]);
    let mut specs = vec![
        json!({"secretStoreRef": {"name": "s"}}),
        json!({"secretStoreRef": {"name": "s"}, "data": [], "dataFrom": []}),
        from(&json!([{"extract": {"key": "k"}, "find": {"name": {"regexp": "a"}}}])),
        from(&json!([{"extract": {"key": "k"}, "sourceRef": {"generatorRef": {"kind": "UUID", "name": "g"}}}])),
        from(&json!([{"find": {}, "sourceRef": {"generatorRef": {"kind": "UUID", "name": "g"}}}])),
        from(&json!([{"extract": {"key": "k"}}, {}])),
        from(&json!([{"rewrite": [{"regexp": {"source": "a", "target": "b"}}]}])),
        targets(&json!({"template": {"type": "bootstrap.kubernetes.io/token"}})),
        targets(&json!({"template": {"type": token, "metadata": named}})),
        targets(&json!({"template": {"type": token, "templateFrom": literal}})),
        reads(json!({"target": {"creationPolicy": "None", "deletionPolicy": "Merge"}, "refreshInterval": "soon"})),
        // By the webhook alone: longer than a duration can be, and twice the same key.
        reads(json!({"refreshInterval": "3000000h"})),
        reads(json!({"data": [
            {"secretKey": "a", "remoteRef": {"key": "k"}}, {"secretKey": "a", "remoteRef": {"key": "l"}},
        ]})),
    ];
    for interval in
        ["1d", "1", "h", "1 h", "1h ", "1h-5m", "--1s", "1.2.3s", ".", "+", "1e3s", "one hour", "1h\n", "00", "1h0"]
    {
        specs.push(reads(json!({"refreshInterval": interval})));
    }
    for (creation, deletion) in [("Merge", "Delete"), ("None", "Delete"), ("None", "Merge")] {
        specs.push(targets(&json!({"creationPolicy": creation, "deletionPolicy": deletion})));
    }
    specs
}

/// ExternalSecrets that the Go operator takes and then fails at.
fn admitted_elsewhere() -> Vec<Value> {
    vec![
        reads(json!({"data": [{"secretKey": "a", "remoteRef": {"key": ""}}]})),
        from(&json!([{"extract": {"key": ""}}])),
        from(&json!([{"sourceRef": {"storeRef": {"name": "s"}}}])),
        from(&json!([{"find": {"name": {"regexp": "a("}}}])),
        from(&json!([{"extract": {"key": "k"}, "rewrite": [{"regexp": {"source": "[", "target": "b"}}]}])),
        targets(&json!({"template": {"data": {"a": "{{ .a "}}})),
        targets(&json!({"template": {"data": {"a b": "c"}}})),
        targets(&json!({"template": {"templateFrom": [{}]}})),
        json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]}),
    ]
}

pub fn good_stores() -> Vec<Value> {
    let secret = json!({"name": "t", "key": "k"});
    let token = json!({"serviceAccountRef": {"name": "a"}});
    let mut specs = vec![
        with_provider(&fake(), json!({})),
        with_provider(&fake(), json!({"refreshInterval": 60})),
        with_provider(&fake(), json!({"retrySettings": {"maxRetries": 3, "retryInterval": "5s"}})),
        with_provider(&json!({"fake": {"data": []}}), json!({})),
        vault(json!({})),
        vault(json!({"tls": {}})),
        vault(json!({"tls": {"certSecretRef": secret, "keySecretRef": secret}})),
        login(&json!({"tokenSecretRef": secret})),
        login(&json!({"namespace": "team"})),
        login(&json!({"appRole": {"path": "approle", "roleId": "r", "secretRef": secret}})),
        login(&json!({"appRole": {"path": "approle", "roleRef": secret, "secretRef": secret}})),
        login(&json!({"jwt": {"path": "jwt", "secretRef": secret}})),
        login(&json!({"jwt": {"path": "jwt", "kubernetesServiceAccountToken": token}})),
        login(&json!({"kubernetes": {"mountPath": "k", "role": "r"}})),
        login(&json!({"userPass": {"path": "u", "username": "me", "secretRef": secret}})),
        aws(json!({})),
        aws(json!({"secretsManager": {}})),
        aws(json!({"secretsManager": {"recoveryWindowInDays": 0, "forceDeleteWithoutRecovery": true}})),
        aws(json!({"secretsManager": {"recoveryWindowInDays": 7}})),
        aws(json!({"secretsManager": {"recoveryWindowInDays": 30}})),
        aws(json!({"secretsManager": {"forceDeleteWithoutRecovery": true}})),
    ];
    for server in ["http://v", "HTTPS://v:8200/prefix", "https://[::1]:8200", "https://v/a@b", "https://v/#?a@b"] {
        specs.push(vault(json!({"server": server})));
    }
    specs
}

fn bad_stores() -> Vec<Value> {
    let secret = json!({"name": "t", "key": "k"});
    let mut specs = vec![
        with_provider(&fake(), json!({"retrySettings": {"retryInterval": "soon"}})),
        with_provider(&json!({"fake": {"data": [{"key": "", "value": "b"}]}}), json!({})),
        with_provider(&json!({"fake": {"data": [{"key": "a", "value": ""}]}}), json!({})),
        vault(json!({"tls": {"certSecretRef": secret}})),
        vault(json!({"tls": {"keySecretRef": secret}})),
        login(&json!({"tokenSecretRef": secret, "kubernetes": {"mountPath": "k", "role": "r"}})),
        login(&json!({"appRole": {"path": "approle", "secretRef": secret}})),
        login(&json!({"appRole": {"path": "approle", "roleId": "", "secretRef": secret}})),
        login(&json!({"jwt": {"path": "jwt"}})),
        aws(json!({"secretsManager": {"recoveryWindowInDays": 3}})),
        aws(json!({"secretsManager": {"recoveryWindowInDays": 31}})),
        aws(json!({"secretsManager": {"recoveryWindowInDays": -7}})),
        aws(json!({"secretsManager": {"recoveryWindowInDays": 7, "forceDeleteWithoutRecovery": true}})),
        // By the webhook alone.
        vault(json!({"server": "https://v:99999"})),
        vault(json!({"server": "https://v v"})),
        with_provider(&json!({"vualt": {}}), json!({})),
    ];
    let secret_user = format!("https://me:{PASSWORD}@v");
    let alike = format!("me:{PASSWORD}@v");
    for server in
        ["", "v", "vault.example.com:8200", "ftp://v", "//v", "https://v?a=b", "https://v/p?", &secret_user, &alike]
    {
        specs.push(vault(json!({"server": server})));
    }
    specs
}

fn bad_stores_of_v1() -> Vec<Value> {
    vec![
        vault(json!({"version": "v1", "checkAndSet": {"required": true}})),
        with_provider(&fake(), json!({"refreshInterval": "5x"})),
        // By the webhook alone.
        with_provider(&fake(), json!({"refreshInterval": "-5s"})),
    ]
}

/// Stores that the Go operator takes and then fails at.
fn stores_admitted_elsewhere() -> Vec<Value> {
    let secret = json!({"name": "t", "key": "k"});
    vec![
        login(&json!({"ldap": {"path": "l", "username": "me"}})),
        login(&json!({"userPass": {"path": "u", "username": "me"}})),
        login(&json!({"cert": {"clientCert": secret}})),
        login(&json!({"iam": {"vaultRole": "r", "secretRef": {"accessKeyIDSecretRef": secret}}})),
        vault(json!({"headers": {"a b": "c"}})),
        vault(json!({"caBundle": "bm9uc2Vuc2U="})),
        aws(json!({"region": ""})),
        aws(json!({"region": "EU (Frankfurt)"})),
        aws(json!({"auth": {"secretRef": {"accessKeyIDSecretRef": secret}}})),
        with_provider(&fake(), json!({"retrySettings": {"maxRetries": -1}})),
    ]
}
