//! Targets that become others: of another kind, or the very object that the templates come from.

use api::names::OWNER_LABEL;
use kube::{Api, api::DynamicObject};
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::{
    MAP, SETTING, edit, holds, maps, settings, settles, stage,
    support::{
        SOON, Scene,
        manifest::{external_secret, reads, with},
    },
    writes,
};

/// The spec of an ExternalSecret that writes `password` to the target `app` of this kind.
fn to(kind: Option<(&str, &str)>, target: &Value) -> Value {
    match kind {
        Some(kind) => writes(kind, target),
        None => with(reads("store", &[("password", "password")]), &json!({"target": target})),
    }
}

fn of(scene: &Scene, kind: Option<(&str, &str)>) -> Api<DynamicObject> {
    let (api_version, kind) = kind.unwrap_or(("v1", "Secret"));
    scene.api(api_version, kind)
}

/// Every kind to every other.
const MOVES: [[Option<(&str, &str)>; 2]; 6] = [
    [None, Some(MAP)],
    [None, Some(SETTING)],
    [Some(MAP), None],
    [Some(MAP), Some(SETTING)],
    [Some(SETTING), None],
    [Some(SETTING), Some(MAP)],
];

async fn is_synced(scene: &Scene, name: &str) -> Result {
    scene.settled(name, |ready| ready.status == "True" && ready.reason.ends_with("Synced")).await.map(drop)
}

#[tokio::test]
async fn target_of_another_kind_replaces_the_one_before() -> Result {
    let scene = stage("moves").await?;
    for (row, [from, ..]) in MOVES.iter().enumerate() {
        for name in [format!("owner-{row}"), format!("theirs-{row}")] {
            scene.apply(&external_secret(&name, &to(*from, &json!({})))).await?;
            is_synced(&scene, &name).await?;
        }
    }
    for (row, [from, next]) in MOVES.iter().enumerate() {
        let (owner, theirs) = (format!("owner-{row}"), format!("theirs-{row}"));
        scene.apply(&external_secret(&owner, &to(*next, &json!({})))).await?;
        wait::gone(&of(&scene, *from), &owner, SOON).await?;
        is_synced(&scene, &owner).await?;
        assert!(of(&scene, *next).get_opt(&owner).await?.is_some(), "{from:?} to {next:?}");
        // A policy that owns nothing removes nothing.
        scene.apply(&external_secret(&theirs, &to(*next, &json!({"creationPolicy": "Orphan"})))).await?;
        is_synced(&scene, &theirs).await?;
        assert!(of(&scene, *from).get_opt(&theirs).await?.is_some(), "{from:?} to {next:?}");
    }
    Ok(())
}

#[tokio::test]
async fn object_that_is_not_provably_ours_stays_when_the_kind_changes() -> Result {
    let scene = stage("unprovable").await?;
    let (maps, secrets) = (of(&scene, Some(MAP)), of(&scene, None));
    let strip = json!({"metadata": {"labels": {OWNER_LABEL: null}, "ownerReferences": null}});
    scene.apply(&external_secret("app", &to(Some(MAP), &json!({"creationPolicy": "Orphan"})))).await?;
    settles(&scene, "app", "ResourceSynced").await?;
    edit(&maps, "app", strip).await?;
    scene.apply(&external_secret("app", &to(None, &json!({})))).await?;
    is_synced(&scene, "app").await?;
    assert!(maps.get_opt("app").await?.is_some() && secrets.get_opt("app").await?.is_some());
    Ok(())
}

#[tokio::test]
async fn config_map_that_is_target_and_template_comes_to_rest() -> Result {
    let scene = stage("itself").await?;
    let text = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}, "data": {"shape": "url: '{{ .password }}'"}});
    scene.apply(&text).await?;
    let template = json!({"templateFrom": [{"configMap": {"name": "app", "items": [{"key": "shape", "templateAs": "KeysAndValues"}]}}]});
    let target = json!({"creationPolicy": "Merge", "template": template});
    scene.apply(&external_secret("app", &with(writes(MAP, &target), &json!({"refreshInterval": "1h"})))).await?;
    let both = json!({"shape": "url: '{{ .password }}'", "url": "first"});
    holds(&maps(&scene), "app", "data", both).await?;
    let before = settles(&scene, "app", "ResourceSynced").await?;
    // A clock: longer than the rest between two refreshes because of templates.
    let clock = with(writes(SETTING, &json!({"name": "clock"})), &json!({"refreshInterval": "2s"}));
    scene.apply(&external_secret("clock", &clock)).await?;
    settles(&scene, "clock", "ResourceSynced").await?;
    for _ in 0..3 {
        let looked_at = scene.reconciles("clock").await?;
        scene.is_looked_at("clock", looked_at).await?;
    }
    let after = scene.ours("ExternalSecret").get("app").await?;
    assert_eq!(after.data["status"], before.data["status"], "its own write is no reason for another");
    // What others make of the text still counts.
    edit(&maps(&scene), "app", json!({"data": {"shape": "uri: '{{ .password }}'"}})).await?;
    holds(&maps(&scene), "app", "data", json!({"shape": "uri: '{{ .password }}'", "uri": "first"})).await?;
    assert!(settings(&scene).get_opt("clock").await?.is_some());
    Ok(())
}
