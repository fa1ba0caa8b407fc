//! When values are fetched again: refreshPolicy, refreshInterval, and on demand.

use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tests::{Result, wait};

use crate::support::{
    SOON, Scene,
    manifest::{external_secret, with},
};
use crate::{store, stored, targeting, vault_with_two};

/// Changes the value in the store, which wakes nobody who is synced; a witness tells that the controller has seen it.
async fn nothing_comes_of_another_value(scene: &Scene, before: &Secret) -> Result {
    store(scene, "second").await?;
    let witness = with(targeting(&json!({})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("witness", &witness)).await?;
    scene.holds("witness", &[("password", "second")]).await?;
    scene.is_untouched(before).await
}

/// Waits until the controller has looked at the ExternalSecret because of `act`.
async fn nothing_comes_of(scene: &Scene, name: &str, before: &Secret, act: impl Future<Output = Result>) -> Result {
    let looked_at = scene.reconciles(name).await?;
    act.await?;
    scene.is_looked_at(name, looked_at).await?;
    scene.is_untouched(before).await
}

#[tokio::test]
async fn created_once_is_never_refreshed() -> Result {
    let scene = stored("created-once", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshPolicy": "CreatedOnce", "refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    scene.is_synced("app").await?;
    nothing_comes_of_another_value(&scene, &before).await?;
    nothing_comes_of(&scene, "app", &before, async { scene.force_sync("app").await.map(drop) }).await?;
    let more = with(
        spec,
        &json!({"data": [
            {"secretKey": "password", "remoteRef": {"key": "password"}},
            {"secretKey": "again", "remoteRef": {"key": "password"}},
        ]}),
    );
    nothing_comes_of(&scene, "app", &before, async { scene.apply(&external_secret("app", &more)).await.map(drop) })
        .await?;
    // Except that a Secret that was deleted is made again.
    scene.delete_secret("app").await?;
    scene.holds("app", &[("password", "second"), ("again", "second")]).await?;
    Ok(())
}

#[tokio::test]
async fn on_change_refreshes_with_the_spec_or_a_label_only() -> Result {
    let scene = stored("on-change", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshPolicy": "OnChange", "refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    scene.is_synced("app").await?;
    nothing_comes_of_another_value(&scene, &before).await?;
    scene.force_sync("app").await?;
    scene.holds("app", &[("password", "second")]).await?;
    store(&scene, "third").await?;
    let label = json!({"metadata": {"labels": {"team": "a"}}});
    scene.change("ExternalSecret", "app", &label).await?;
    scene.holds("app", &[("password", "third")]).await?;
    store(&scene, "fourth").await?;
    scene.apply(&external_secret("app", &with(spec, &json!({"target": {"immutable": false}})))).await?;
    scene.holds("app", &[("password", "fourth")]).await?;
    Ok(())
}

#[tokio::test]
async fn changed_value_arrives_within_the_interval() -> Result {
    let scene = stored("periodic", "first").await?;
    let spec = |interval: &str| with(targeting(&json!({})), &json!({"refreshInterval": interval}));
    scene.apply(&external_secret("often", &spec("1s"))).await?;
    scene.apply(&external_secret("seldom", &spec("1h"))).await?;
    scene.holds("often", &[("password", "first")]).await?;
    let seldom = scene.holds("seldom", &[("password", "first")]).await?;
    scene.is_synced("seldom").await?;
    store(&scene, "second").await?;
    scene.holds("often", &[("password", "second")]).await?;
    scene.is_untouched(&seldom).await
}

#[tokio::test]
async fn unchanged_value_is_not_written_again() -> Result {
    let scene = stored("unchanged", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    let refreshed = |object: &kube::api::DynamicObject| object.data["status"]["refreshTime"].clone();
    let first = refreshed(&scene.is_synced("app").await?);
    let external_secrets = scene.ours("ExternalSecret");
    wait::object(&external_secrets, "app", "another refresh", SOON, |object| refreshed(object) != first).await?;
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn interval_zero_fetches_once_and_still_repairs() -> Result {
    let scene = stored("zero", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshInterval": "0"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    scene.is_synced("app").await?;
    nothing_comes_of_another_value(&scene, &before).await?;
    nothing_comes_of(&scene, "app", &before, async { scene.force_sync("app").await.map(drop) }).await?;
    scene.edit_secret("app", &json!({"data": {"password": "ZWRpdGVk"}})).await?;
    scene.holds("app", &[("password", "second")]).await?;
    Ok(())
}

#[tokio::test]
async fn any_label_or_annotation_forces_a_refresh() -> Result {
    let (scene, _) = Scene::synced("force").await?;
    let changes = [
        ("second", json!({"annotations": {"external-secrets.io/force-sync": "1"}})),
        ("third", json!({"annotations": {"anything": "at all"}})),
        ("fourth", json!({"labels": {"any": "label"}})),
        ("fifth", json!({"labels": {"any": null}})),
    ];
    for (password, metadata) in changes {
        store(&scene, password).await?;
        scene.change("ExternalSecret", "app", &json!({"metadata": metadata})).await?;
        scene.holds("app", &[("password", password)]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn vault_values_are_refreshed_and_versions_are_pinned() -> Result {
    let (scene, bao) = vault_with_two("versions").await?;
    let path = format!("{}/db", scene.namespace);
    bao.put(&format!("secret/{path}"), &json!({"value": "second"})).await?;
    let entry = |key: &str| json!({"secretKey": key, "remoteRef": {"key": path, "property": "value"}});
    let spec = json!({
        "secretStoreRef": {"name": "vault"},
        "refreshInterval": "1s",
        "data": [with(entry("pinned"), &json!({"remoteRef": {"version": "1"}})), entry("latest")],
    });
    scene.apply(&external_secret("app", &spec)).await?;
    scene.holds("app", &[("pinned", "db"), ("latest", "second")]).await?;
    bao.put(&format!("secret/{path}"), &json!({"value": "third"})).await?;
    scene.holds("app", &[("pinned", "db"), ("latest", "third")]).await?;
    Ok(())
}
