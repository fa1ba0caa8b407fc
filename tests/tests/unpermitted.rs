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
    manifest::{external_secret, fake, reads, secret_store, with},
};
use tests::{Binary, Result, wait};

#[tokio::test]
async fn templates_that_may_not_be_watched_are_read_at_each_refresh() -> Result {
    let scene = Scene::without_controller("unwatched").await?;
    let api: Api<ClusterRole> = Api::all(scene.client.clone());
    let shipped = api.get("external-secrets-controller").await?;
    let rules: Vec<PolicyRule> = shipped.rules.into_iter().flatten().map(without_watch_of_config_maps).collect();
    let fewer = json!({"rules": rules});
    api.patch("external-secrets-controller", &PatchParams::default(), &Patch::Merge(fewer)).await?;

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
    Ok(())
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
        |line: &&str| line.contains("watching ConfigMap is not permitted") && line.contains("allow list and watch");
    log.lines().filter(is_told).count()
}
