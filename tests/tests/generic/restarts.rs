//! Targets of other kinds across a restart of the controller.

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind};
use serde_json::json;
use tests::{
    Bed, Binary, Result,
    resources::{SOON, settled},
    wait,
};

use crate::{FLAG, alone::Alone, edit, granted, support::manifest::with};

#[tokio::test]
async fn restart_reads_and_writes_nothing_unless_targets_changed_meanwhile() -> Result {
    granted(Bed::shared().await?).await?;
    let alone = Alone::with_token("kinds").await?;
    let flags = ["--namespace", alone.namespace.as_str(), FLAG];
    let mut controller = alone.bed.operator(Binary::Controller, &flags).await?;
    let rows = [("map-a", "v1", "ConfigMap"), ("map-b", "v1", "ConfigMap"), ("bare", "example.com/v1", "Setting")];
    let object = |(name, api_version, kind): (&str, &str, &str)| {
        let manifest = json!({"spec": {"target": {"manifest": {"apiVersion": api_version, "kind": kind}}}});
        with(alone.external_secret(name, "1h"), &manifest)
    };
    alone.create(rows.map(object)).await?;
    let api = |api_version: &str, kind: &str| -> Result<Api<DynamicObject>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Ok(Api::namespaced_with(alone.bed.admin()?, &alone.namespace, &kind))
    };
    let external_secrets = api("external-secrets.io/v1", "ExternalSecret")?;
    for (name, ..) in rows {
        let synced = |object: &DynamicObject| object.data["status"]["conditions"][0]["reason"] == "ResourceSynced";
        wait::object(&external_secrets, name, "synced", SOON, synced).await?;
    }
    controller.kill().await?;

    let before = alone.moment().await?;
    controller.restart().await?;
    settled(&controller, &[("externalsecret", 3.0), ("secretstore", 1.0)]).await?;
    let happened = alone.since(before).await?;
    assert!(happened.reads.is_empty(), "{}", happened.reads);
    assert!(happened.api.writes().is_empty(), "{}", happened.api);
    controller.kill().await?;

    let maps = api("v1", "ConfigMap")?;
    edit(&maps, "map-a", json!({"data": {"a": "edited"}})).await?;
    maps.delete("map-b", &DeleteParams::default()).await?;
    edit(&api("example.com/v1", "Setting")?, "bare", json!({"spec": {"data": {"theirs": "x"}}})).await?;
    controller.restart().await?;
    let whole = json!({"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"});
    for name in ["map-a", "map-b"] {
        wait::object(&maps, name, "repaired", SOON, |map| map.data["data"] == whole).await?;
    }
    let bare = api("example.com/v1", "Setting")?;
    wait::object(&bare, "bare", "repaired", SOON, |object| object.data["spec"]["data"] == whole).await?;
    Ok(())
}
