//! Fetching: what `data` and `dataFrom` take from OpenBao and AWS, how it is named and decoded, what is missing, and how
//! much of it is asked for at the same time.

#[path = "../alone/mod.rs"]
mod alone;
#[path = "../support/mod.rs"]
mod support;

mod missing;
mod side_by_side;
mod values;

use alone::Alone;
use serde_json::{Value, json};
use support::{data, manifest};
use tests::{Binary, Process, Result, wait};

/// The region of the SecretStore `aws`.
const REGION: &str = "eu-west-1";

/// A namespace with the SecretStores `vault` (Kubernetes auth) and `aws`, which both may look for entries, and what is in them:
/// in OpenBao below `NAMESPACE/`, in AWS below `NAMESPACE/aws/`.
async fn stocked(prefix: &str) -> Result<(Alone, Process)> {
    let (alone, vault) = Alone::with_kubernetes_auth(prefix).await?;
    let namespace = &alone.namespace;
    let rules = ["data", "metadata"].map(|part| {
        let path = format!("secret/{part}/{namespace}");
        format!("path \"{path}/*\" {{ capabilities = [\"read\", \"list\"] }}\npath \"{path}\" {{ capabilities = [\"list\"] }}")
    });
    alone.bao.policy(namespace, &rules.join("\n")).await?;
    for (name, value) in in_vault() {
        alone.bao.put(&format!("secret/{namespace}/{name}"), &value).await?;
    }
    let tagged = json!({"custom_metadata": {"team": "core", "note": "<a>"}});
    alone.bao.write(&format!("secret/metadata/{namespace}/app/db"), &tagged).await?;
    let moto = alone.bed.moto().await?;
    for (name, value) in in_aws() {
        let tag = json!([{"Key": "team", "Value": name}, {"Key": namespace, "Value": "yes"}]);
        let create = json!({"Name": format!("{namespace}/aws/{name}"), "SecretString": value, "Tags": tag});
        moto.secrets_manager(REGION, "CreateSecret", &create).await?;
    }
    let flags = ["--namespace", &alone.namespace];
    let controller = alone.bed.operator_with(Binary::Controller, &flags, &moto.environment()).await?;
    let keys = manifest::secret("keys", &[("id", namespace), ("key", "any")]);
    let key = |key: &str| json!({"name": "keys", "key": key});
    let auth = json!({"secretRef": {"accessKeyIDSecretRef": key("id"), "secretAccessKeySecretRef": key("key")}});
    let aws = json!({"aws": {"service": "SecretsManager", "region": REGION, "auth": auth}});
    alone.create([keys, vault, manifest::secret_store("aws", &aws)]).await?;
    alone.valid().await?;
    tests::resources::valid_store(alone.bed, namespace, "aws").await?;
    Ok((alone, controller))
}

fn in_vault() -> [(&'static str, Value); 3] {
    let db = json!({
        "user": "bob", "html": "<&>", "fraction": 1.50, "big": 9_007_199_254_740_991_u64, "nothing": null, "yes": true,
        "k.d": "dotted", "k": {"d": "nested", "x": [1, 2]}, "a*": "star", "ab": "letters",
        "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}], "b64": "aGk=", "url": "_-8=", "plain": "no base64!",
        "json": "{\"inner\": \"text\"}",
    });
    [("app/db", db), ("app/web", json!({"token": "t", "user": "eve"})), ("other", json!({"x": "y"}))]
}

fn in_aws() -> [(&'static str, &'static str); 3] {
    let db = r#"{"user": "amy", "k.d": "dotted", "k": {"d": "nested"}, "n": 1.50, "o": {"b": "<", "a": 1}, "z": null}"#;
    [("db", db), ("text", "just text"), ("odd", r#"{"user":"carl",}"#)]
}

fn external_secret(name: &str, store: &str, spec: &Value) -> Value {
    manifest::external_secret(name, &manifest::with(json!({"secretStoreRef": {"name": store}}), spec))
}

/// Waits until the Secret holds exactly these values, given as an object.
async fn holds(alone: &Alone, name: &str, values: &Value) -> Result {
    let values: std::collections::BTreeMap<String, String> = serde_json::from_value(values.clone())?;
    let what = format!("data {values:?}");
    wait::object(&alone.secrets()?, name, &what, support::SOON, |secret| data(secret) == values).await.map(drop)
}
