//! deletionPolicy: what becomes of the target when entries vanish from the provider.

use serde_json::{Value, json};
use tests::{Result, wait};

use crate::support::{
    SOON, Scene,
    manifest::{external_secret, secret, with},
    says,
};
use crate::{safety::notes, vault_with_two};

/// An ExternalSecret of both, refreshed every second.
fn both_of(scene: &Scene, target: &Value) -> Value {
    let entry = |name: &str| {
        let remote = json!({"key": format!("{}/{name}", scene.namespace), "property": "value"});
        json!({"secretKey": name, "remoteRef": remote})
    };
    json!({
        "secretStoreRef": {"name": "vault"},
        "refreshInterval": "1s",
        "data": [entry("db"), entry("cache")],
        "target": target,
    })
}

#[tokio::test]
async fn retained_secret_outlives_its_entry_and_the_loss_is_told() -> Result {
    let (scene, bao) = vault_with_two("retain").await?;
    scene.apply(&external_secret("app", &both_of(&scene, &json!({"deletionPolicy": "Retain"})))).await?;
    let before = scene.holds("app", &[("db", "db"), ("cache", "cache")]).await?;
    bao.delete(&format!("secret/{}/cache", scene.namespace)).await?;
    let ready = scene.fails("app", "RemoteSecretMissing").await?;
    says(&ready.message, &["spec.data[1]", "cache", "deletionPolicy"]);
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn deletion_policy_delete_drops_keys_one_by_one_and_then_the_secret() -> Result {
    let (scene, bao) = vault_with_two("delete").await?;
    scene.apply(&external_secret("app", &both_of(&scene, &json!({"deletionPolicy": "Delete"})))).await?;
    scene.holds("app", &[("db", "db"), ("cache", "cache")]).await?;
    bao.delete(&format!("secret/{}/cache", scene.namespace)).await?;
    scene.holds("app", &[("db", "db")]).await?;
    scene.is_synced("app").await?;
    bao.delete(&format!("secret/{}/db", scene.namespace)).await?;
    wait::gone(&scene.secrets(), "app", SOON).await?;
    scene.settled("app", |ready| ready.status == "True" && ready.reason == "SecretDeleted").await?;
    // What returns to the provider returns to the cluster.
    bao.put(&format!("secret/{}/db", scene.namespace), &json!({"value": "again"})).await?;
    scene.holds("app", &[("db", "again")]).await?;
    Ok(())
}

#[tokio::test]
async fn renamed_target_goes_under_its_old_name_when_there_is_nothing_for_the_new_one() -> Result {
    let (scene, bao) = vault_with_two("delete-renamed").await?;
    let target = |name: &str| json!({"deletionPolicy": "Delete", "name": name});
    let once_an_hour = |name: &str| with(both_of(&scene, &target(name)), &json!({"refreshInterval": "1h"}));
    scene.apply(&external_secret("app", &once_an_hour("old"))).await?;
    scene.holds("old", &[("db", "db"), ("cache", "cache")]).await?;
    for entry in ["db", "cache"] {
        bao.delete(&format!("secret/{}/{entry}", scene.namespace)).await?;
    }
    scene.apply(&external_secret("app", &once_an_hour("new"))).await?;
    wait::gone(&scene.secrets(), "old", SOON).await?;
    scene.settled("app", |ready| ready.reason == "SecretDeleted").await.map(drop)
}

#[tokio::test]
async fn secret_that_finalizers_keep_is_told_to_go_once() -> Result {
    let (scene, bao) = vault_with_two("delete-kept").await?;
    let target = json!({"deletionPolicy": "Delete", "template": {"metadata": {"finalizers": ["example.com/keep"]}, "mergePolicy": "Merge"}});
    scene.apply(&external_secret("app", &both_of(&scene, &target))).await?;
    scene.holds("app", &[("db", "db"), ("cache", "cache")]).await?;
    for entry in ["db", "cache"] {
        bao.delete(&format!("secret/{}/{entry}", scene.namespace)).await?;
    }
    scene.settled("app", |ready| ready.message.contains("finalizers")).await?;
    for _ in 0..3 {
        let refreshes = scene.reconciles("app").await?;
        scene.is_looked_at("app", refreshes).await?;
    }
    assert_eq!(notes(&scene, "app", "Deleted").await?.len(), 1);
    scene.edit_secret("app", &json!({"metadata": {"finalizers": null}})).await?;
    wait::gone(&scene.secrets(), "app", SOON).await
}

#[tokio::test]
async fn deletion_policy_merge_empties_what_was_written_and_keeps_the_rest() -> Result {
    let (scene, bao) = vault_with_two("delete-merge").await?;
    scene.apply(&secret("merged", &[("foreign", "kept")])).await?;
    let merge = json!({"deletionPolicy": "Merge", "creationPolicy": "Merge"});
    scene.apply(&external_secret("merged", &both_of(&scene, &merge))).await?;
    scene.apply(&external_secret("owned", &both_of(&scene, &json!({"deletionPolicy": "Merge"})))).await?;
    scene.holds("merged", &[("foreign", "kept"), ("db", "db"), ("cache", "cache")]).await?;
    scene.holds("owned", &[("db", "db"), ("cache", "cache")]).await?;
    for name in ["db", "cache"] {
        bao.delete(&format!("secret/{}/{name}", scene.namespace)).await?;
    }
    scene.holds("merged", &[("foreign", "kept")]).await?;
    scene.holds("owned", &[]).await?;
    scene.is_synced("merged").await?;
    Ok(())
}
