//! Targets of other kinds across a restart of the controller.

use api::{
    hash::owner_label,
    names::{MANAGED_LABEL, OWNER_LABEL},
};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
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

/// The kind that an ExternalSecret wrote stands nowhere but in its former spec.
#[tokio::test]
async fn target_whose_kind_changed_while_no_controller_ran_is_removed_or_told_of() -> Result {
    granted(Bed::shared().await?).await?;
    let alone = Alone::with_token("former").await?;
    let flags = ["--namespace", alone.namespace.as_str(), FLAG];
    let mut controller = alone.bed.operator(Binary::Controller, &flags).await?;
    let to = |name: &str, api_version: &str, kind: &str| {
        let manifest = json!({"spec": {"target": {"manifest": {"apiVersion": api_version, "kind": kind}}}});
        with(alone.external_secret(name, "1h"), &manifest)
    };
    let api = |api_version: &str, kind: &str| -> Result<Api<DynamicObject>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Ok(Api::namespaced_with(alone.bed.admin()?, &alone.namespace, &kind))
    };
    let rows = [("map", "v1", "ConfigMap"), ("setting", "example.com/v1", "Setting"), ("stays", "v1", "ConfigMap")];
    alone.create(rows.map(|(name, api_version, kind)| to(name, api_version, kind))).await?;
    let external_secrets = api("external-secrets.io/v1", "ExternalSecret")?;
    let synced = async |name: &str, reason: &str| {
        wait::object(&external_secrets, name, reason, SOON, |object: &DynamicObject| {
            let version = object.data["status"]["syncedResourceVersion"].as_str().unwrap_or_default();
            version.starts_with(&format!("{}-", object.metadata.generation.unwrap_or_default()))
                && object.data["status"]["conditions"][0]["reason"] == reason
        })
        .await
    };
    for (name, ..) in rows {
        synced(name, "ResourceSynced").await?;
    }
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "labels": {
        MANAGED_LABEL: "true", OWNER_LABEL: owner_label(&alone.namespace, "map"),
    }}});
    alone.create([theirs]).await?;
    controller.kill().await?;
    for name in ["map", "setting"] {
        edit(&external_secrets, name, json!({"spec": {"target": {"manifest": null}}})).await?;
    }
    edit(&external_secrets, "stays", json!({"spec": {"refreshInterval": "2h"}})).await?;
    controller.restart().await?;
    for (name, reason) in [("map", "SecretSynced"), ("setting", "SecretSynced"), ("stays", "ResourceSynced")] {
        synced(name, reason).await?;
    }
    let maps = api("v1", "ConfigMap")?;
    wait::gone(&maps, "map", SOON).await?;
    assert!(maps.get_opt("theirs").await?.is_some(), "by its label alone it is not ours");
    assert!(maps.get_opt("stays").await?.is_some());
    assert!(api("example.com/v1", "Setting")?.get_opt("setting").await?.is_some(), "nobody knows of it");
    let events = api("events.k8s.io/v1", "Event")?;
    let told = async || -> Result<Vec<String>> {
        let events = events.list(&ListParams::default()).await?.items;
        let told = events.into_iter().filter(|event| event.data["reason"] == "FormerTargetUnknown");
        Ok(told.map(|event| event.data["regarding"]["name"].as_str().unwrap_or_default().to_owned()).collect())
    };
    wait::until("the object that is left to be told of", SOON, || async {
        let told = told().await.map_err(|failure| failure.to_string())?;
        if told.is_empty() { Err("no event".to_owned()) } else { Ok(()) }
    })
    .await?;
    assert_eq!(told().await?, ["setting"]);
    Ok(())
}
