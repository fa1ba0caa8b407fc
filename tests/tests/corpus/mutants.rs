//! The part of the corpus that is made by chance, from a seed: good specs with one to three changes.

use serde_json::{Value, json};

use crate::objects::{Item, Origin, good_external_secrets, good_stores};

/// Enough for every field of the table to meet several specs.
const MUTANTS: u64 = 500;

/// Fields and values that matter to rules, good and bad.
const FIELDS: [(&str, &str, &str); 27] = [
    ("E", "/refreshInterval", r#"["1h", "90", "1.5.h", "soon", "", 5, "99999999999999999999h", "3m3"]"#),
    ("E", "/data", r#"[[], null, [{"secretKey": "a", "remoteRef": {"key": ""}}]]"#),
    ("E", "/data/0/secretKey", r#"["", "b", "a/b"]"#),
    (
        "E",
        "/dataFrom",
        r#"[[], [{}], [{"extract": {"key": "k"}}], [{"find": {}}], [{"extract": {"key": "k"}, "find": {}}]]"#,
    ),
    (
        "E",
        "/dataFrom/0/sourceRef",
        r#"[{}, {"storeRef": {"name": "s"}}, {"generatorRef": {"kind": "UUID", "name": "g"}}]"#,
    ),
    ("E", "/dataFrom/0/find", r#"[{}, {"name": {"regexp": "("}}, null]"#),
    ("E", "/target/creationPolicy", r#"["Owner", "Orphan", "Merge", "None", "Never"]"#),
    ("E", "/target/deletionPolicy", r#"["Delete", "Merge", "Retain"]"#),
    ("E", "/target/manifest", r#"[{"apiVersion": "v1", "kind": "Secret"}, {"apiVersion": "v1", "kind": "ConfigMap"}]"#),
    (
        "E",
        "/target/template/type",
        r#"["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "Opaque", ""]"#,
    ),
    ("E", "/target/template/metadata/annotations", r#"[{"kubernetes.io/service-account.name": "a"}, {"a": "{{"}]"#),
    (
        "E",
        "/target/template/templateFrom",
        r#"[[{"target": "Annotations", "literal": "a: b"}], [{}], [{"literal": ""}]]"#,
    ),
    ("S", "/refreshInterval", r#"[-1, 0, 5, "5m", "5", "-5m", "", 99999999999]"#),
    ("S", "/retrySettings/retryInterval", r#"["", "5", "5s", "-5s", 5]"#),
    ("S", "/retrySettings/maxRetries", r"[-1, 0, 5]"),
    ("S", "/provider/fake/data", r#"[[{"key": "", "value": ""}], [{"key": "a", "value": "b"}], [{"key": "a"}], []]"#),
    (
        "S",
        "/provider/vault/server",
        r#"["", "https://v", "http://a:b@v", "v:80", "https://v?q", "https://", "https://v/#?", "x y"]"#,
    ),
    ("S", "/provider/vault/version", r#"["v1", "v2", "v3"]"#),
    ("S", "/provider/vault/checkAndSet", r#"[{"required": true}, {"required": false}, {}]"#),
    (
        "S",
        "/provider/vault/tls",
        r#"[{}, {"certSecretRef": {"name": "c"}}, {"keySecretRef": {"name": "c"}}, {"certSecretRef": {"name": ""}}]"#,
    ),
    ("S", "/provider/vault/auth/tokenSecretRef", r#"[{"name": "t", "key": "k"}, {"name": "t"}, {}]"#),
    ("S", "/provider/vault/auth/gcp", r#"[{"role": "r"}]"#),
    ("S", "/provider/vault/auth/jwt", r#"[{"path": "j"}, {"path": "j", "secretRef": {"name": "t", "key": "k"}}]"#),
    (
        "S",
        "/provider/vault/auth/appRole",
        r#"[{"path": "a", "secretRef": {}}, {"path": "a", "roleId": "r", "secretRef": {"name": "t", "key": "k"}}]"#,
    ),
    ("S", "/provider/vault/auth/ldap", r#"[{"path": "l", "username": "u"}]"#),
    ("S", "/provider/aws/secretsManager/recoveryWindowInDays", r#"[-1, 0, 6, 7, 30, 31, "7", 7000000000]"#),
    ("S", "/provider/aws/secretsManager/forceDeleteWithoutRecovery", r"[true, false]"),
];

/// What anything may become.
const ANYTHING: &str = r#"[null, "", "x", "0", 0, -1, 1.5, true, {}, [], [{}], {"x": "y"}]"#;

/// A small source of chance, so that a failure repeats itself.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % end.max(1)
    }

    /// One of a JSON list.
    fn of(&mut self, list: &str) -> Value {
        let list: Vec<Value> = serde_json::from_str(list).unwrap_or_default();
        list.get(self.below(list.len())).cloned().unwrap_or_default()
    }
}

pub fn all() -> Vec<Item> {
    (1..=MUTANTS).map(mutant).collect()
}

fn mutant(seed: u64) -> Item {
    // Neighbouring seeds must not give similar beginnings.
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let kind = ["ExternalSecret", "SecretStore", "ClusterSecretStore"][chance.below(3)];
    let version = ["v1", "v1beta1"][chance.below(2)];
    let (bases, group) = if kind == "ExternalSecret" { (good_external_secrets(), "E") } else { (good_stores(), "S") };
    let mut spec = bases[chance.below(bases.len())].clone();
    let fields: Vec<_> = FIELDS.iter().filter(|(of, path, _)| *of == group && fits(&spec, path)).collect();
    for _ in 0..=chance.below(3) {
        if chance.below(6) == 0 {
            let value = chance.of(ANYTHING);
            change_something(&mut chance, &mut spec, value);
        } else {
            let (_, path, values) = fields[chance.below(fields.len())];
            put(&mut spec, path, chance.of(values));
        }
    }
    Item { version, kind, spec, origin: Origin::Mutant }
}

/// A store has one provider only.
fn fits(spec: &Value, path: &str) -> bool {
    let provider = path.strip_prefix("/provider/").and_then(|rest| rest.split('/').next());
    provider.is_none_or(|provider| spec["provider"].get(provider).is_some())
}

/// Sets a field, and makes the objects and lists on the way to it.
fn put(spec: &mut Value, path: &str, value: Value) {
    let mut at = spec;
    for part in path.split('/').skip(1) {
        at = if part == "0" {
            if at.as_array().is_none_or(Vec::is_empty) {
                *at = json!([{}]);
            }
            &mut at[0]
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            &mut at[part]
        };
    }
    *at = value;
}

/// Replaces or removes a field at any depth.
fn change_something(chance: &mut Chance, at: &mut Value, value: Value) {
    let count = match at {
        Value::Object(fields) => fields.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    if count == 0 {
        *at = value;
        return;
    }
    let index = chance.below(count);
    let stops = chance.below(3) == 0;
    match at {
        Value::Object(fields) => {
            let Some(name) = fields.keys().nth(index).cloned() else { return };
            if stops && chance.below(2) == 0 {
                fields.remove(&name);
            } else if stops {
                fields.insert(name, value);
            } else {
                change_something(chance, &mut fields[&name], value);
            }
        }
        Value::Array(items) if stops => drop(items.remove(index)),
        Value::Array(items) => change_something(chance, &mut items[index], value),
        _ => {}
    }
}
