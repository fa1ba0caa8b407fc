//! What this ExternalSecret wrote and does not want any more goes; what others wrote stays. Managed fields tell them apart, whatever
//! the length of the name and whichever operator wrote.

use api::names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, OWNER_LABEL, field_manager};
use k8s_openapi::api::core::v1::Secret;
use kube::{ResourceExt, api::PostParams};
use serde_json::{Value, json};
use tests::Result;

use crate::support::{
    Scene, data,
    manifest::{external_secret, reads, with},
};
use crate::{all, stored};

/// A name of so many bytes: 27 is the longest that the Go operator does not hash.
fn name(length: usize, row: &str) -> String {
    format!("{row:x<length$}")
}

fn texts(names: &[&str]) -> Value {
    Value::Object(names.iter().map(|name| ((*name).to_owned(), json!("text"))).collect())
}

/// Keys, labels and annotations, without the operator's own.
fn names_of(secret: &Secret) -> [Vec<String>; 3] {
    let own = [MANAGED_LABEL, OWNER_LABEL, DATA_HASH_ANNOTATION];
    let others = |names: Vec<String>| names.into_iter().filter(|name| !own.contains(&name.as_str())).collect();
    [
        data(secret).into_keys().collect(),
        others(secret.labels().keys().cloned().collect()),
        others(secret.annotations().keys().cloned().collect()),
    ]
}

fn spec(policy: &str, keys: &[&str]) -> Value {
    let entries: Vec<_> = keys.iter().map(|key| (*key, "password")).collect();
    with(reads("store", &entries), &json!({"target": {"creationPolicy": policy}}))
}

fn labelled(name: &str, spec: &Value, names: &[&str]) -> Value {
    let metadata = json!({"labels": texts(names), "annotations": texts(names)});
    with(external_secret(name, spec), &json!({"metadata": metadata}))
}

/// Under either policy: whose keys are kept.
const POLICIES: [(&str, &[&str]); 2] = [("Owner", &["kept"]), ("CreateOrMerge", &["foreign", "kept"])];

async fn prunes_its_own(scene: &Scene, name: &str, policy: &str, keys: &[&str]) -> Result {
    scene.apply(&labelled(name, &spec(policy, &["kept", "stale"]), &["kept", "stale"])).await?;
    scene.is_synced(name).await?;
    let theirs = json!({"metadata": {"labels": texts(&["foreign"]), "annotations": texts(&["foreign"])}});
    scene.edit_secret(name, &with(theirs, &json!({"data": {"foreign": "dGhlaXJz"}}))).await?;
    scene.apply(&labelled(name, &spec(policy, &["kept"]), &["kept"])).await?;
    scene.is_synced(name).await?;
    let both = ["foreign", "kept"].map(str::to_owned).to_vec();
    let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    assert_eq!(names_of(&scene.secrets().get(name).await?), [keys, both.clone(), both], "{policy} {}", name.len());
    Ok(())
}

/// As the Go operator leaves it: written with an update under its manager name, and then changed by others.
async fn prunes_upstreams(scene: &Scene, name: &str, policy: &str, keys: &[&str]) -> Result {
    let both = texts(&["kept", "stale"]);
    let mut marked = both.clone();
    marked[MANAGED_LABEL] = json!("true");
    let left: Secret = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": marked, "annotations": both},
        "data": {"kept": "b2xk", "stale": "b2xk"},
    }))?;
    let params = PostParams { field_manager: Some(field_manager(name)), ..PostParams::default() };
    scene.secrets().create(&params, &left).await?;
    let theirs = json!({"metadata": {"labels": texts(&["foreign"]), "annotations": texts(&["foreign"])}});
    scene.edit_secret(name, &with(theirs, &json!({"data": {"foreign": "dGhlaXJz"}}))).await?;
    scene.apply(&labelled(name, &spec(policy, &["kept"]), &["kept"])).await?;
    scene.is_synced(name).await?;
    let both = ["foreign", "kept"].map(str::to_owned).to_vec();
    let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    assert_eq!(names_of(&scene.secrets().get(name).await?), [keys, both.clone(), both], "{policy} {}", name.len());
    Ok(())
}

#[tokio::test]
async fn stale_keys_labels_and_annotations_go_whatever_the_length_of_the_name() -> Result {
    let scene = &stored("pruning", "first").await?;
    let cases = [8, 27, 28, 45, 63, 64, 253].into_iter().flat_map(|length| POLICIES.map(|policy| (length, policy)));
    let ours = cases.clone().map(|(length, (policy, keys))| {
        let name = name(length, if policy == "Owner" { "own" } else { "mrg" });
        (format!("ours, {policy}, {length}"), Box::pin(async move { prunes_its_own(scene, &name, policy, keys).await }))
    });
    all(ours).await?;
    let upstreams = cases.map(|(length, (policy, keys))| {
        let name = name(length, if policy == "Owner" { "uow" } else { "umg" });
        let row = async move { prunes_upstreams(scene, &name, policy, keys).await };
        (format!("upstream's, {policy}, {length}"), Box::pin(row))
    });
    all(upstreams).await
}
