//! What happens with less RBAC than is shipped: the work goes on, and the log says once what is missing.
//!
//! A file, and so a bed, of its own: the role is the whole cluster's.

mod support;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use support::{
    SOON, Scene,
    manifest::{external_secret, fake, reads, secret, secret_store, with},
    says,
};
use tests::{Binary, Result, wait};
use tokio::sync::Mutex;

/// Held by the test that has changed the role.
static ROLE: Mutex<()> = Mutex::const_new(());

/// Changes the rules of the role; returns what they were.
async fn permit(scene: &Scene, change: impl Fn(PolicyRule) -> PolicyRule) -> Result<Vec<PolicyRule>> {
    let api: Api<ClusterRole> = Api::all(scene.client.clone());
    let before = api.get("external-secrets-controller").await?.rules.unwrap_or_default();
    let rules: Vec<PolicyRule> = before.iter().cloned().map(change).collect();
    let patch = Patch::Merge(json!({"rules": rules}));
    api.patch("external-secrets-controller", &PatchParams::default(), &patch).await?;
    Ok(before)
}

/// Gives the role back what it was.
async fn restore(scene: &Scene, rules: Vec<PolicyRule>) -> Result {
    let api: Api<ClusterRole> = Api::all(scene.client.clone());
    let patch = Patch::Merge(json!({"rules": rules}));
    api.patch("external-secrets-controller", &PatchParams::default(), &patch).await?;
    Ok(())
}

#[tokio::test]
async fn refused_write_is_told_with_what_is_missing_and_the_rest_goes_on() -> Result {
    let _role = ROLE.lock().await;
    let scene = Scene::without_controller("refused").await?;
    let before = permit(&scene, without_creation_of_secrets).await?;
    let controller = scene.bed.operator(Binary::Controller, &["--namespace", &scene.namespace]).await?;
    scene.apply(&secret_store("store", &fake(&[("password", "p")]))).await?;
    scene.apply(&secret("there", &[("other", "x")])).await?;
    let into =
        |target: serde_json::Value| with(reads("store", &[("password", "password")]), &json!({"target": target}));
    scene.apply(&external_secret("new", &into(json!({})))).await?;
    scene.apply(&external_secret("old", &into(json!({"name": "there", "creationPolicy": "Merge"})))).await?;
    let ready = scene.fails("new", "KubernetesForbidden").await?;
    says(&ready.message, &["creating secret", "new", "cannot create resource", "RBAC"]);
    scene.holds("there", &[("other", "x"), ("password", "p")]).await?;
    scene.is_synced("old").await?;
    assert_eq!(controller.ready().await, Ok(()), "one refusal is no reason to restart");
    restore(&scene, before).await?;
    scene.holds("new", &[("password", "p")]).await?;
    scene.is_synced("new").await.map(drop)
}

fn without_creation_of_secrets(mut rule: PolicyRule) -> PolicyRule {
    if rule.resources.iter().flatten().any(|resource| resource == "secrets") {
        rule.verbs.retain(|verb| verb != "create");
    }
    rule
}

#[tokio::test]
async fn templates_that_may_not_be_watched_are_read_at_each_refresh() -> Result {
    let _role = ROLE.lock().await;
    let scene = Scene::without_controller("unwatched").await?;
    let before = permit(&scene, without_watch_of_config_maps).await?;

    let controller = scene.bed.operator(Binary::Controller, &["--namespace", &scene.namespace]).await?;
    scene.apply(&secret_store("store", &fake(&[("user", "bob")]))).await?;
    let map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"url": text}});
    scene.apply(&map("one {{ .user }}")).await?;
    let template = json!({"templateFrom": [{"configMap": {"name": "map", "items": [{"key": "url"}]}}]});
    let spec =
        with(reads("store", &[("user", "user")]), &json!({"refreshInterval": "2s", "target": {"template": template}}));
    scene.apply(&external_secret("app", &spec)).await?;
    scene.holds("app", &[("url", "one bob")]).await?;
    wait::until("the log to say what is missing", SOON, || async {
        let told = told(&controller.log());
        if told == 1 { Ok(()) } else { Err(format!("{told} lines")) }
    })
    .await?;
    scene.apply(&map("two {{ .user }}")).await?;
    scene.holds("app", &[("url", "two bob")]).await?;
    assert_eq!(controller.ready().await, Ok(()), "readiness does not depend on it");
    assert_eq!(told(&controller.log()), 1, "{}", controller.log());
    restore(&scene, before).await
}

fn without_watch_of_config_maps(mut rule: PolicyRule) -> PolicyRule {
    if rule.resources.iter().flatten().any(|resource| resource == "configmaps") {
        rule.verbs.retain(|verb| verb == "get");
    }
    rule
}

/// Lines that say that ConfigMaps may not be watched, and what to do.
fn told(log: &str) -> usize {
    let is_told =
        |line: &&str| line.contains("watching ConfigMap: not permitted") && line.contains("allow list and watch");
    log.lines().filter(is_told).count()
}
