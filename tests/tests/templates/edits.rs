//! Edits of ConfigMaps and Secrets with templates: noticed at once, by those whom they concern. All refresh intervals are
//! an hour.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::{
    config_map, from_config_map, from_secret, scene, shaped,
    support::{
        SOON, Scene,
        manifest::{external_secret, secret, with},
        says,
    },
};

#[tokio::test]
async fn edit_of_a_config_map_is_picked_up_before_the_next_refresh() -> Result {
    let scene = scene("edit-map").await?;
    scene.apply(&config_map("map", &json!({"url": "one {{ .user }}"}))).await?;
    scene.apply(&external_secret("app", &shaped(&from_config_map("map", "url")))).await?;
    scene.holds("app", &[("url", "one bob")]).await?;
    scene.apply(&config_map("map", &json!({"url": "two {{ .user }}"}))).await?;
    scene.holds("app", &[("url", "two bob")]).await?;
    scene.apply(&config_map("map", &json!({"url": "three {{ .user }}"}))).await?;
    scene.holds("app", &[("url", "three bob")]).await?;
    scene.is_synced("app").await?;
    Ok(())
}

#[tokio::test]
async fn edit_of_a_secret_is_picked_up_before_the_next_refresh() -> Result {
    let scene = scene("edit-secret").await?;
    scene.apply(&secret("templates", &[("url", "one {{ .user }}")])).await?;
    scene.apply(&external_secret("app", &shaped(&from_secret("templates", "url")))).await?;
    scene.holds("app", &[("url", "one bob")]).await?;
    scene.apply(&secret("templates", &[("url", "two {{ .user }}")])).await?;
    scene.holds("app", &[("url", "two bob")]).await?;
    Ok(())
}

#[tokio::test]
async fn edit_concerns_only_those_who_use_the_object() -> Result {
    let scene = scene("unrelated").await?;
    for name in ["used", "other", "unused"] {
        scene.apply(&config_map(name, &json!({"url": "one"}))).await?;
    }
    scene.apply(&external_secret("user", &shaped(&from_config_map("used", "url")))).await?;
    scene.apply(&external_secret("neighbour", &shaped(&from_config_map("other", "url")))).await?;
    scene.apply(&external_secret("inline", &shaped(&json!({"data": {"url": "{{ .user }}"}})))).await?;
    for name in ["user", "neighbour", "inline"] {
        scene.is_synced(name).await?;
    }
    let mut before = Vec::new();
    for name in ["neighbour", "inline"] {
        before.push(scene.reconciles(name).await?);
    }
    scene.apply(&config_map("unused", &json!({"url": "two"}))).await?;
    scene.apply(&config_map("used", &json!({"url": "two"}))).await?;
    scene.holds("user", &[("url", "two")]).await?;
    for (name, before) in ["neighbour", "inline"].into_iter().zip(before) {
        assert!(scene.reconciles(name).await? <= before, "{name} was reconciled");
    }
    Ok(())
}

#[tokio::test]
async fn object_that_is_missing_is_named_and_taken_up_when_it_comes() -> Result {
    let scene = scene("missing").await?;
    scene.apply(&external_secret("map", &shaped(&from_config_map("absent", "url")))).await?;
    scene.apply(&external_secret("secret", &shaped(&from_secret("absent", "url")))).await?;
    let at = "spec.target.template.templateFrom[0]";
    for (name, kind) in [("map", "configmap"), ("secret", "secret")] {
        let said = scene.fails(name, "ReferenceNotFound").await?.message;
        let namespace = &scene.namespace;
        let advice = "create it or correct the name";
        assert_eq!(said, format!("ReferenceNotFound: {at}: {kind} {namespace}/absent does not exist; {advice}"));
    }
    scene.apply(&config_map("absent", &json!({"other": ""}))).await?;
    let said = scene.fails("map", "ReferenceKeyMissing").await?.message;
    says(&said, &[at, &format!("configmap {}/absent has no key \"url\"", scene.namespace)]);
    scene.apply(&config_map("absent", &json!({"url": "{{ .user }}"}))).await?;
    scene.apply(&secret("absent", &[("url", "{{ .user }}")])).await?;
    scene.holds("map", &[("url", "bob")]).await?;
    scene.holds("secret", &[("url", "bob")]).await?;
    Ok(())
}

#[tokio::test]
async fn template_that_an_edit_breaks_is_told_and_taken_up_when_it_is_mended() -> Result {
    let scene = scene("broken").await?;
    scene.apply(&config_map("map", &json!({"url": "one"}))).await?;
    scene.apply(&external_secret("app", &shaped(&from_config_map("map", "url")))).await?;
    let before = scene.holds("app", &[("url", "one")]).await?;
    scene.is_synced("app").await?;
    scene.apply(&config_map("map", &json!({"url": "\n{{ .user | uper }}"}))).await?;
    let said = scene.fails("app", "TemplateInvalid").await?.message;
    let at = "spec.target.template.templateFrom[0].configMap[url]";
    assert_eq!(said, format!("TemplateInvalid: {at}: line 2: function \"uper\" not defined; did you mean \"upper\""));
    scene.is_untouched(&before).await?;
    scene.apply(&config_map("map", &json!({"url": "{{ .user | upper }}"}))).await?;
    scene.holds("app", &[("url", "BOB")]).await?;
    scene.is_synced("app").await?;
    Ok(())
}

#[tokio::test]
async fn policies_decide_whether_an_edit_counts() -> Result {
    let scene = scene("edit-policies").await?;
    scene.apply(&config_map("map", &json!({"url": "one"}))).await?;
    let policies = ["CreatedOnce", "OnChange", "Periodic"];
    for policy in policies {
        let spec = with(shaped(&from_config_map("map", "url")), &json!({"refreshPolicy": policy}));
        scene.apply(&external_secret(&name(policy), &spec)).await?;
        scene.is_synced(&name(policy)).await?;
    }
    let once = scene.holds("createdonce", &[("url", "one")]).await?;
    let looked_at = scene.reconciles("createdonce").await?;
    scene.apply(&config_map("map", &json!({"url": "two"}))).await?;
    for policy in ["OnChange", "Periodic"] {
        scene.holds(&name(policy), &[("url", "two")]).await?;
    }
    scene.is_looked_at("createdonce", looked_at).await?;
    scene.is_untouched(&once).await
}

fn name(policy: &str) -> String {
    policy.to_lowercase()
}

#[tokio::test]
async fn reference_that_left_the_spec_is_forgotten() -> Result {
    let scene = scene("forgotten").await?;
    for name in ["old", "new"] {
        scene.apply(&config_map(name, &json!({"url": name}))).await?;
    }
    scene.apply(&external_secret("app", &shaped(&from_config_map("old", "url")))).await?;
    scene.holds("app", &[("url", "old")]).await?;
    scene.apply(&external_secret("app", &shaped(&from_config_map("new", "url")))).await?;
    scene.holds("app", &[("url", "new")]).await?;
    scene.is_synced("app").await?;
    let before = quiet(&scene, "app").await?;
    scene.apply(&config_map("old", &json!({"url": "edited"}))).await?;
    // What comes later on the same watch has arrived: so has the edit.
    scene.apply(&external_secret("witness", &shaped(&from_config_map("seen", "url")))).await?;
    scene.fails("witness", "ReferenceNotFound").await?;
    scene.apply(&config_map("seen", &json!({"url": "seen"}))).await?;
    scene.holds("witness", &[("url", "seen")]).await?;
    assert!(scene.reconciles("app").await? <= before, "app was reconciled");
    Ok(())
}

/// The count of reconciles once it has stopped growing: what the last change caused is over.
async fn quiet(scene: &Scene, name: &str) -> Result<f64> {
    // A change of the annotations causes the last one, which ends with the status.
    let marked = json!({"metadata": {"annotations": {"mark": "quiet"}}});
    let marked =
        scene.ours("ExternalSecret").patch(name, &PatchParams::default(), &Patch::Merge::<Value>(marked)).await?;
    let before = marked.data.pointer("/status/syncedResourceVersion").cloned();
    wait::object(&scene.ours("ExternalSecret"), name, "to have taken up the mark", SOON, |object| {
        object.data.pointer("/status/syncedResourceVersion").cloned() != before
    })
    .await?;
    scene.reconciles(name).await
}
