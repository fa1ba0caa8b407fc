//! What others do to the target: repaired where it is ours, left where it is theirs.

use api::names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, OWNER_LABEL};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::support::{
    SOON, Scene, data,
    manifest::{external_secret, reads, with},
};
use crate::{all, store};

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

    // Another one: whoever changes the same Secret again and again is met less and less often.
    scene.apply(&external_secret("other", &reads("store", &[("password", "password")]))).await?;
    scene.holds("other", first).await?;
    scene.is_synced("other").await?;
    for (what, patch) in [
        ("the managed label", json!({"labels": {MANAGED_LABEL: null}})),
        ("the owner label", json!({"labels": {OWNER_LABEL: null}})),
        ("the owner label of another", json!({"labels": {OWNER_LABEL: "of-another"}})),
        ("the owner reference", json!({"ownerReferences": null})),
    ] {
        let whole = scene.secrets().get("other").await?;
        scene.edit_secret("other", &json!({"metadata": patch})).await?;
        wait::object(&secrets, "other", &format!("{what} to return"), SOON, |secret: &Secret| {
            secret.labels() == whole.labels() && secret.owner_references() == whole.owner_references()
        })
        .await?;
    }
    wait::until("every repair to be counted", SOON, || async {
        for name in ["app", "other"] {
            let repairs = scene.count("externalsecret_drift_repairs_total", name).await;
            let repairs = repairs.map_err(|failure| failure.to_string())?;
            if repairs < 4.0 {
                return Err(format!("{repairs} of {name}"));
            }
        }
        Ok(())
    })
    .await
}

/// Neither where others have keys of their own nor where nothing is written.
#[tokio::test]
async fn what_is_put_right_for_nobody_is_not_counted_as_a_repair() -> Result {
    let scene = Scene::new("no-drift").await?;
    store(&scene, "first").await?;
    let spec = |over: &Value| with(reads("store", &[("password", "password")]), over);
    let merged = spec(&json!({"target": {"creationPolicy": "CreateOrMerge"}}));
    scene.apply(&external_secret("merged", &merged)).await?;
    let mut before = scene.holds("merged", &[("password", "first")]).await?;
    let find =
        json!({"refreshInterval": "1s", "data": null, "dataFrom": [{"find": {"name": {"regexp": "^nothing$"}}}]});
    scene.apply(&external_secret("empty", &spec(&find))).await?;
    scene.is_synced("empty").await?;

    // The second is acted on after the first was counted.
    for value in ["ZWRpdGVk", "YWdhaW4="] {
        scene.edit_secret("merged", &json!({"data": {"theirs": value}})).await?;
        let hash = |secret: &Secret| secret.annotations().get(DATA_HASH_ANNOTATION).cloned();
        let follows = |secret: &Secret| hash(secret) != hash(&before);
        before = wait::object(&scene.secrets(), "merged", "the hash to follow", SOON, follows).await?;
    }
    let refreshes = scene.reconciles("empty").await?;
    scene.is_looked_at("empty", refreshes + 1.0).await?;
    let repairs = async |name| scene.count("externalsecret_drift_repairs_total", name).await;
    for name in ["merged", "empty"] {
        assert!(repairs(name).await? < 1.0, "{name}");
    }
    scene.edit_secret("merged", &json!({"data": {"password": "ZWRpdGVk"}})).await?;
    wait::until("a repair to be counted", SOON, || async {
        let repairs = repairs("merged").await.map_err(|failure| failure.to_string())?;
        if repairs >= 1.0 { Ok(()) } else { Err(format!("{repairs}")) }
    })
    .await
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

#[tokio::test]
async fn labels_copied_from_the_external_secret_return_with_the_next_refresh() -> Result {
    let scene = Scene::new("own-labels").await?;
    store(&scene, "first").await?;
    let labelled = json!({"metadata": {"labels": {"team": "x"}, "annotations": {"note": "hello"}}});
    let spec = with(reads("store", &[("password", "password")]), &json!({"refreshInterval": "1s"}));
    scene.apply(&with(external_secret("app", &spec), &labelled)).await?;
    scene.holds("app", &[("password", "first")]).await?;
    scene
        .edit_secret("app", &json!({"metadata": {"labels": {"team": null}, "annotations": {"note": "edited"}}}))
        .await?;
    let returned = |secret: &Secret| {
        secret.labels().get("team").is_some_and(|team| team == "x")
            && secret.annotations().get("note").is_some_and(|note| note == "hello")
    };
    wait::object(&scene.secrets(), "app", "its labels and annotations to return", SOON, returned).await.map(drop)
}

/// The Secret is deleted the moment it appears, while the reconcile that wrote it is not over.
#[tokio::test]
async fn secret_deleted_as_it_is_created_is_created_again() -> Result {
    let scene = Scene::new("at-once").await?;
    store(&scene, "first").await?;
    scene.store_is_valid("SecretStore", "store").await?;
    let rows = (0..30).map(|n| (format!("app-{n}"), deleted_at_once(&scene, format!("app-{n}"))));
    all(rows).await
}

async fn deleted_at_once(scene: &Scene, name: String) -> Result {
    scene.apply(&external_secret(&name, &reads("store", &[("password", "password")]))).await?;
    let first = wait::object(&scene.secrets(), &name, "to be created", SOON, |_| true).await?;
    scene.delete_secret(&name).await?;
    let again = |secret: &Secret| secret.uid() != first.uid() && !data(secret).is_empty();
    wait::object(&scene.secrets(), &name, "to be created again", SOON, again).await.map(drop)
}
