//! Templates of Secrets, end to end: where they come from, what they become, when they are rendered again, and what they
//! may not do to others.

#[path = "../support/mod.rs"]
mod support;

mod alone;
mod edits;
mod safety;
mod sources;

use serde_json::{Value, json};
use support::{
    Scene,
    manifest::{fake, reads, secret_store, with},
};
use tests::Result;

/// A scene with the store `store`, which holds `user: bob` and `password: pa:ss`.
async fn scene(prefix: &str) -> Result<Scene> {
    let scene = Scene::new(prefix).await?;
    scene.apply(&store()).await?;
    Ok(scene)
}

fn store() -> Value {
    secret_store("store", &fake(&[("user", "bob"), ("password", "pa:ss")]))
}

/// A spec that reads both values and makes a Secret of them with this template.
fn shaped(template: &Value) -> Value {
    let spec = reads("store", &[("user", "user"), ("password", "password")]);
    with(spec, &json!({"refreshInterval": "1h", "target": {"template": template}}))
}

fn config_map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// `templateFrom` with one key of a ConfigMap.
fn from_config_map(name: &str, key: &str) -> Value {
    json!({"templateFrom": [{"configMap": {"name": name, "items": [{"key": key}]}}]})
}

/// `templateFrom` with one key of a Secret.
fn from_secret(name: &str, key: &str) -> Value {
    json!({"templateFrom": [{"secret": {"name": name, "items": [{"key": key}]}}]})
}
