//! creationPolicy: what becomes of a target that is absent, somebody else's or ours, and of the one that was the target before.

use std::{collections::BTreeMap, time::Duration};

use api::names::{MANAGED_LABEL, OWNER_LABEL};
use kube::ResourceExt;
use serde_json::json;
use tests::{Result, wait};

use crate::support::{
    Ready, SOON, Scene, data,
    manifest::{external_secret, reads, secret, with},
    version,
};
use crate::{all, stored, targeting};

/// What is there before the ExternalSecret acts.
#[derive(Clone, Copy, Debug)]
enum Target {
    Absent,
    /// Somebody else's, with a key of its own and another password.
    Foreign,
    /// Made by the same ExternalSecret under creationPolicy Owner.
    Ours,
}

/// What is there afterwards.
#[derive(Debug, PartialEq)]
struct Outcome {
    reason: String,
    data: Option<BTreeMap<String, String>>,
    owned: bool,
    created_by: bool,
    managed: bool,
}

/// The Secret's keys after the sync; nothing where there is none.
fn outcome(reason: &str, data: Option<&[(&str, &str)]>, bookkeeping: [bool; 3]) -> Outcome {
    let data = data.map(|data| data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect());
    let [owned, created_by, managed] = bookkeeping;
    Outcome { reason: reason.to_owned(), data, owned, created_by, managed }
}

async fn create(scene: &Scene, policy: &str, target: Target, wanted: Outcome) -> Result {
    let name = format!("{policy}-{target:?}").to_lowercase();
    match target {
        Target::Absent => {}
        Target::Foreign => {
            scene.apply(&secret(&name, &[("password", "theirs"), ("foreign", "kept?")])).await?;
        }
        Target::Ours => {
            scene.apply(&external_secret(&name, &targeting(&json!({"creationPolicy": "Owner"})))).await?;
            scene.holds(&name, &[("password", "first")]).await?;
            scene.is_synced(&name).await?;
        }
    }
    // The second key makes the spec differ from the one before, whatever the policy.
    let spec = with(
        reads("store", &[("password", "password"), ("again", "password")]),
        &json!({"target": {"creationPolicy": policy}}),
    );
    scene.apply(&external_secret(&name, &spec)).await?;
    let settled = scene.settled(&name, |ready| ready.status == "True").await?;
    let reason = Ready::of(&settled).unwrap_or_default().reason;
    let found = scene.secrets().get_opt(&name).await?;
    let has_label = |label: &str| found.as_ref().is_some_and(|found| found.labels().contains_key(label));
    let uid = settled.metadata.uid.clone().unwrap_or_default();
    let seen = Outcome {
        reason,
        data: found.as_ref().map(data),
        owned: found.as_ref().is_some_and(|found| found.owner_references().iter().any(|owner| owner.uid == uid)),
        created_by: has_label(OWNER_LABEL),
        managed: has_label(MANAGED_LABEL),
    };
    assert_eq!(seen, wanted, "{policy} on a target that is {target:?}");
    Ok(())
}

#[tokio::test]
async fn creation_policy_decides_what_becomes_of_each_target() -> Result {
    use Target::{Absent, Foreign, Ours};
    let scene = stored("creation", "first").await?;
    let both: &[(&str, &str)] = &[("password", "first"), ("again", "first")];
    let merged: &[(&str, &str)] = &[("password", "first"), ("again", "first"), ("foreign", "kept?")];
    let theirs: &[(&str, &str)] = &[("password", "theirs"), ("foreign", "kept?")];
    let before: &[(&str, &str)] = &[("password", "first")];
    let synced = "SecretSynced";
    // owned, labelled with its creator, labelled as managed
    let rows = [
        ("Owner", Absent, outcome(synced, Some(both), [true, true, true])),
        ("Owner", Foreign, outcome(synced, Some(both), [true, true, true])),
        ("Owner", Ours, outcome(synced, Some(both), [true, true, true])),
        ("Orphan", Absent, outcome(synced, Some(both), [false, false, true])),
        ("Orphan", Foreign, outcome(synced, Some(both), [false, false, true])),
        ("Orphan", Ours, outcome(synced, Some(both), [false, false, true])),
        ("CreateOrMerge", Absent, outcome(synced, Some(both), [false, false, true])),
        ("CreateOrMerge", Foreign, outcome(synced, Some(merged), [false, false, true])),
        ("CreateOrMerge", Ours, outcome(synced, Some(both), [false, false, true])),
        ("Merge", Absent, outcome("SecretMissing", None, [false, false, false])),
        ("Merge", Foreign, outcome(synced, Some(merged), [false, false, true])),
        ("Merge", Ours, outcome(synced, Some(both), [false, false, true])),
        ("None", Absent, outcome(synced, None, [false, false, false])),
        ("None", Foreign, outcome(synced, Some(theirs), [false, false, true])),
        ("None", Ours, outcome(synced, Some(before), [true, true, true])),
    ];
    let scene = &scene;
    let rows = rows.map(|(policy, target, wanted)| {
        (format!("{policy} {target:?}"), Box::pin(create(scene, policy, target, wanted)))
    });
    all(rows).await
}

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
