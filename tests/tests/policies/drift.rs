//! What others do to the target: repaired where it is ours, left where it is theirs.

use api::names::{MANAGED_LABEL, OWNER_LABEL};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;
use tests::{Result, wait};

use crate::store;
use crate::support::{SOON, Scene, data};

#[tokio::test]
async fn drift_is_repaired_at_once() -> Result {
    let (scene, synced) = Scene::synced("drift").await?;
    let first: &[(&str, &str)] = &[("password", "first")];
    scene.edit_secret("app", &json!({"data": {"password": "ZWRpdGVk"}})).await?;
    scene.holds("app", first).await?;
    scene.edit_secret("app", &json!({"data": {"added": "ZWRpdGVk"}})).await?;
    scene.holds("app", first).await?;
    scene.edit_secret("app", &json!({"data": {"password": null}})).await?;
    scene.holds("app", first).await?;

    scene.delete_secret("app").await?;
    let uid = synced.uid();
    let secrets = scene.secrets();
    wait::object(&secrets, "app", "to be created again", SOON, |secret| {
        secret.uid() != uid && !data(secret).is_empty()
    })
    .await?;
    scene.holds("app", first).await?;

    for (what, patch) in [
        ("the managed label", json!({"labels": {MANAGED_LABEL: null}})),
        ("the owner label", json!({"labels": {OWNER_LABEL: null}})),
        ("the owner reference", json!({"ownerReferences": null})),
    ] {
        let whole = scene.secrets().get("app").await?;
        scene.edit_secret("app", &json!({"metadata": patch})).await?;
        wait::object(&secrets, "app", &format!("{what} to return"), SOON, |secret: &Secret| {
            secret.labels() == whole.labels() && secret.owner_references() == whole.owner_references()
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn labels_and_annotations_of_others_are_left_alone() -> Result {
    let (scene, _) = Scene::synced("foreign-labels").await?;
    let theirs = json!({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}});
    scene.edit_secret("app", &theirs).await?;
    store(&scene, "second").await?;
    scene.force_sync("app").await?;
    let secret = scene.holds("app", &[("password", "second")]).await?;
    assert_eq!(secret.labels().get("team").map(String::as_str), Some("a"));
    assert_eq!(secret.annotations().get("note").map(String::as_str), Some("b"));
    Ok(())
}
