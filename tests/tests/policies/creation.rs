//! creationPolicy in time: a target that appears, keys that leave the spec, the target before, the end. What each policy makes of
//! each target is in [`cells`](crate::cells).

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Result, wait};

use crate::support::{
    SOON,
    manifest::{external_secret, reads, secret, with},
    version,
};
use crate::{all, stored, targeting};

#[tokio::test]
async fn missing_merge_target_is_written_when_it_appears() -> Result {
    let scene = stored("merge-later", "first").await?;
    let spec = with(targeting(&json!({"creationPolicy": "Merge"})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    scene.settled("app", |ready| ready.status == "True" && ready.reason == "SecretMissing").await?;
    scene.apply(&secret("app", &[("foreign", "kept")])).await?;
    scene.holds("app", &[("foreign", "kept"), ("password", "first")]).await?;
    scene.is_synced("app").await?;
    Ok(())
}

#[tokio::test]
async fn key_that_leaves_the_spec_leaves_a_merged_secret_without_those_of_others() -> Result {
    let scene = stored("merge-prune", "first").await?;
    scene.apply(&secret("app", &[("foreign", "kept")])).await?;
    let merge = json!({"target": {"creationPolicy": "Merge"}});
    let two = with(reads("store", &[("password", "password"), ("again", "password")]), &merge);
    scene.apply(&external_secret("app", &two)).await?;
    scene.holds("app", &[("foreign", "kept"), ("password", "first"), ("again", "first")]).await?;
    scene.apply(&external_secret("app", &targeting(&json!({"creationPolicy": "Merge"})))).await?;
    scene.holds("app", &[("foreign", "kept"), ("password", "first")]).await?;
    Ok(())
}

#[tokio::test]
async fn renamed_target_takes_the_old_secret_away() -> Result {
    let scene = stored("renamed", "first").await?;
    scene.apply(&secret("bystander", &[("foreign", "kept")])).await?;
    scene.apply(&external_secret("app", &targeting(&json!({"name": "old"})))).await?;
    scene.holds("old", &[("password", "first")]).await?;
    scene.apply(&external_secret("app", &targeting(&json!({"name": "new"})))).await?;
    scene.holds("new", &[("password", "first")]).await?;
    wait::gone(&scene.secrets(), "old", SOON).await?;
    scene.holds("bystander", &[("foreign", "kept")]).await?;
    let app = scene.is_synced("app").await?;
    assert_eq!(app.data["status"]["binding"]["name"], "new");
    Ok(())
}

#[tokio::test]
async fn deleted_external_secret_takes_only_what_it_owns() -> Result {
    let scene = stored("collected", "first").await?;
    for policy in ["Owner", "Orphan", "CreateOrMerge"] {
        let name = policy.to_lowercase();
        scene.apply(&external_secret(&name, &targeting(&json!({"creationPolicy": policy})))).await?;
        scene.holds(&name, &[("password", "first")]).await?;
        scene.is_synced(&name).await?;
    }
    let orphan = scene.secrets().get("orphan").await?;
    for name in ["owner", "orphan", "createormerge"] {
        scene.ours("ExternalSecret").delete(name, &kube::api::DeleteParams::default()).await?;
    }
    wait::gone(&scene.secrets(), "owner", SOON).await?;
    assert_eq!(version(&scene.secrets().get("orphan").await?), version(&orphan));
    scene.secrets().get("createormerge").await?;
    wait::gone(&scene.ours("ExternalSecret"), "owner", Duration::from_secs(5)).await
}

/// What rests until something changes is woken by the Secret that it waits for, whoever makes it.
#[tokio::test]
async fn binding_moves_when_the_secret_to_merge_into_is_written_and_not_before() -> Result {
    let scene = stored("binding", "first").await?;
    let merge = |name: &str| external_secret("app", &targeting(&json!({"creationPolicy": "Merge", "name": name})));
    let bound = async || -> Result<Value> {
        Ok(scene.ours("ExternalSecret").get("app").await?.data["status"]["binding"]["name"].clone())
    };
    scene.apply(&secret("before", &[("theirs", "x")])).await?;
    scene.apply(&merge("before")).await?;
    scene.holds("before", &[("theirs", "x"), ("password", "first")]).await?;
    scene.is_synced("app").await?;
    assert_eq!(bound().await?, "before");
    scene.apply(&merge("after")).await?;
    scene.settled("app", |ready| ready.reason == "SecretMissing").await?;
    assert_eq!(bound().await?, "before");
    scene.apply(&secret("after", &[("theirs", "x")])).await?;
    scene.is_synced("app").await?;
    assert_eq!(bound().await?, "after");
    Ok(())
}

#[tokio::test]
async fn secret_to_merge_into_is_written_as_soon_as_it_appears() -> Result {
    let scene = &stored("appears", "first").await?;
    let rows = [
        ("once", json!({"refreshPolicy": "CreatedOnce"})),
        ("zero", json!({"refreshInterval": "0"})),
        ("changes", json!({"refreshPolicy": "OnChange"})),
        ("hourly", json!({"refreshInterval": "1h"})),
    ];
    let row = |name: &'static str, policy: Value| async move {
        let spec = with(targeting(&json!({"creationPolicy": "Merge"})), &policy);
        scene.apply(&external_secret(name, &spec)).await?;
        scene.settled(name, |ready| ready.reason == "SecretMissing").await?;
        scene.apply(&secret(name, &[("theirs", "x")])).await?;
        scene.holds(name, &[("theirs", "x"), ("password", "first")]).await?;
        scene.is_synced(name).await.map(drop)
    };
    all(rows.map(|(name, policy)| (name.to_owned(), Box::pin(row(name, policy))))).await
}
