//! Manifests as JSON values. Names are chosen by the test, namespaces by the [`Scene`](super::Scene).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

pub const V1: &str = "external-secrets.io/v1";

pub fn external_secret(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": V1, "kind": "ExternalSecret", "metadata": {"name": name}, "spec": spec})
}

pub fn secret_store(name: &str, provider: &Value) -> Value {
    json!({"apiVersion": V1, "kind": "SecretStore", "metadata": {"name": name}, "spec": {"provider": provider}})
}

pub fn cluster_secret_store(name: &str, provider: &Value) -> Value {
    json!({"apiVersion": V1, "kind": "ClusterSecretStore", "metadata": {"name": name}, "spec": {"provider": provider}})
}

/// `spec.provider` of a store that holds these values.
pub fn fake(entries: &[(&str, &str)]) -> Value {
    let data: Vec<_> = entries.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    json!({"fake": {"data": data}})
}

/// `spec.provider` of a KV v2 store at `secret/` with a token from the Secret `token`, key `token`.
pub fn vault(server: &str) -> Value {
    json!({"vault": {
        "server": server,
        "path": "secret",
        "version": "v2",
        "auth": {"tokenSecretRef": {"name": "token", "key": "token"}},
    }})
}

/// The spec of an ExternalSecret that reads entries of a SecretStore: key of the Secret, key in the store.
pub fn reads(store: &str, entries: &[(&str, &str)]) -> Value {
    let entry = |(secret_key, key): &(&str, &str)| json!({"secretKey": secret_key, "remoteRef": {"key": key}});
    json!({"secretStoreRef": {"name": store}, "data": entries.iter().map(entry).collect::<Vec<_>>()})
}

/// The same of a ClusterSecretStore.
pub fn reads_cluster(store: &str, entries: &[(&str, &str)]) -> Value {
    with(reads(store, entries), &json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}}))
}

pub fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    let data: Map<_, _> = data.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
}

/// `base` with the fields of `over`, deep; null removes a field.
pub fn with(mut base: Value, over: &Value) -> Value {
    merge(&mut base, over);
    base
}

fn merge(base: &mut Value, over: &Value) {
    let Value::Object(fields) = over else {
        base.clone_from(over);
        return;
    };
    if !base.is_object() {
        *base = json!({});
    }
    let Value::Object(base) = base else { return };
    for (name, value) in fields {
        if value.is_null() {
            base.remove(name);
        } else {
            merge(base.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
