//! Around the rules: all problems at once, what kubectl shows, updates, deletions, and objects older than the webhook.

use std::collections::BTreeMap;

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tests::{Bed, Failure, Result, wait};

use crate::{
    INVALID, OLD, UNPARSED, api, by_webhook, object, scene,
    support::{SOON, manifest::with, says},
    yaml,
};

#[tokio::test]
async fn every_problem_is_told_at_once_each_on_its_line() -> Result {
    let (bed, scene) = scene().await?;
    let spec = r#"
        refreshInterval: 3000000h
        syncWindows: {kind: allow, windows: [{schedule: "@daily", duration: often}]}
        target:
          template: {data: {url: "{{ nosuch }}", "a b": ""}}
        data:
          - {secretKey: a, remoteRef: {key: ""}}
        dataFrom:
          - {find: {name: {regexp: "["}}}
    "#;
    let verdict = scene.judge(bed, "v1", "ExternalSecret", spec).await?;
    let said = by_webhook(verdict.as_deref()).unwrap_or_default();
    let fields = [
        "spec.target.template.data[a b]: ",
        "spec.data[0].remoteRef.key: ",
        "spec.refreshInterval: ",
        "spec.syncWindows.windows[0].duration: ",
        "spec.dataFrom[0]: ",
        "spec.data[0]: ",
        "spec.dataFrom[0].find.name.regexp: ",
        "spec.target.template.data[url]: ",
    ];
    let lines: Vec<&str> = said.lines().collect();
    for field in fields {
        let told = lines.iter().filter(|line| line.starts_with(field)).count();
        assert_eq!(told, 1, "{field} in\n{said}");
    }
    assert_eq!(lines.len(), fields.len(), "{said}");
    Ok(())
}

/// What `kubectl apply` prints for a manifest that is not stored.
async fn kubectl(bed: &Bed, manifest: &Value) -> Result<(bool, String)> {
    let output = bed.kubectl(&["apply", "--dry-run=server", "-f", "-"], &manifest.to_string()).await?;
    Ok((output.success, format!("{}{}", output.stdout, output.stderr)))
}

#[tokio::test]
async fn kubectl_shows_refusals_and_warnings() -> Result {
    let (bed, scene) = scene().await?;
    let placed = |kind: &str, spec: &str| -> Result<Value> {
        let namespace = json!({"metadata": {"namespace": scene.namespace}});
        Ok(with(object("v1", kind, "shown", &yaml(spec)?), &namespace))
    };
    let (admitted, shown) = kubectl(bed, &placed("ExternalSecret", UNPARSED)?).await?;
    assert!(!admitted, "{shown}");
    says(&shown, &["validate.externalsecret.external-secrets.io", "spec.target.template.data[url]: "]);
    // What the schema has a rule for is told by the API server itself, field by field.
    let (admitted, shown) = kubectl(bed, &placed("ExternalSecret", INVALID)?).await?;
    assert!(!admitted, "{shown}");
    says(
        &shown,
        &[
            "* spec.refreshInterval: Invalid value: \"5x\": is not a duration; write one such as 30m, 1h or 1h30m",
            "* spec.target.deletionPolicy: Invalid value: Delete would delete a Secret that is not owned; write creationPolicy: Owner",
        ],
    );

    let warned = [
        ("SecretStore", "{provider: {fake: {data: [{key: a, value: b}]}}}", "Warning: spec.provider.fake: "),
        (
            "SecretStore",
            "{provider: {aws: {service: SecretsManager, region: eu-central-11}}}",
            "Warning: spec.provider.aws.region: \"eu-central-11\" is not a region known here; did you mean eu-central-1?",
        ),
        (
            "ExternalSecret",
            "{secretStoreRef: {name: s}, target: {deletionPolicy: Delete}, dataFrom: [{find: {}}]}",
            "Warning: spec.dataFrom[0].find: matches everything",
        ),
    ];
    for (kind, spec, warning) in warned {
        let (admitted, shown) = kubectl(bed, &placed(kind, spec)?).await?;
        assert!(admitted, "{shown}");
        says(&shown, &[warning]);
    }
    let silenced = json!({"metadata": {"annotations": {"external-secrets.io/ignore-maintenance-checks": "true"}}});
    let store = with(placed("SecretStore", "{provider: {fake: {data: [{key: a, value: b}]}}}")?, &silenced);
    let (admitted, shown) = kubectl(bed, &store).await?;
    assert!(admitted && !shown.contains("Warning"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn object_from_before_rules_and_webhook_stays_manageable() -> Result {
    let (bed, scene) = scene().await?;
    let external_secrets = api(bed.admin()?, "v1", "ExternalSecret", &scene.namespace);
    let [changed, deleted] = OLD;
    let patch = |patch: Value| {
        let external_secrets = external_secrets.clone();
        async move { external_secrets.patch(changed, &PatchParams::default(), &Patch::Merge(patch)).await }
    };
    patch(json!({"metadata": {"labels": {"team": "a"}, "annotations": {"force-sync": "1"}}})).await?;
    patch(json!({"metadata": {"finalizers": null}})).await?;
    patch(json!({"metadata": {"finalizers": ["example.com/kept"]}})).await?;
    let refused = patch(json!({"spec": {"refreshInterval": "6x"}})).await;
    let said = refused.err().map(|error| error.to_string()).unwrap_or_default();
    says(&said, &["is invalid", "spec.refreshInterval"]);
    assert!(!said.contains("spec.target.deletionPolicy"), "it is as it was: {said}");
    // The webhook judges the whole spec as soon as any of it changes.
    let refused = patch(json!({"spec": {"refreshPolicy": "OnChange"}})).await;
    let said = refused.err().map(|error| error.to_string()).unwrap_or_default();
    says(&said, &["denied the request", "spec.refreshInterval", "spec.target.deletionPolicy"]);
    // What repairs it is admitted.
    let repair = json!({"spec": {"refreshInterval": "6h", "target": {"creationPolicy": "Owner", "template": null}}});
    patch(repair).await?;

    external_secrets.delete(deleted, &DeleteParams::default()).await?;
    let going = external_secrets.get(deleted).await?;
    assert!(going.metadata.deletion_timestamp.is_some(), "its finalizer keeps it");
    let release = json!({"metadata": {"finalizers": null}});
    external_secrets.patch(deleted, &PatchParams::default(), &Patch::Merge(release)).await?;
    wait::gone(&external_secrets, deleted, SOON).await
}

#[tokio::test]
async fn update_is_judged_like_creation() -> Result {
    let (bed, scene) = scene().await?;
    let stores = api(bed.admin()?, "v1", "SecretStore", &scene.namespace);
    let good = object("v1", "SecretStore", "updated", &yaml("{provider: {vault: {server: \"https://v\"}}}")?);
    stores.create(&PostParams::default(), &serde_json::from_value(good)?).await?;
    let bad = json!({"spec": {"provider": {"vault": {"server": "nonsense"}}}});
    let refused = stores.patch("updated", &PatchParams::default(), &Patch::Merge(bad)).await;
    says(&refused.err().map(|error| error.to_string()).unwrap_or_default(), &["spec.provider.vault.server: "]);
    let kept = stores.get("updated").await?;
    assert_eq!(kept.data["spec"]["provider"]["vault"]["server"], "https://v");
    stores.delete("updated", &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test]
async fn judgements_are_counted_by_path() -> Result {
    let (bed, scene) = scene().await?;
    let paths = ["externalsecret", "secretstore", "clustersecretstore"];
    let kinds = ["ExternalSecret", "SecretStore", "ClusterSecretStore"];
    let counted = || async {
        let mut counts = BTreeMap::new();
        for path in paths {
            let label = format!("webhook=\"/validate-external-secrets-io-v1-{path}\"");
            let webhook = &scene.admission.webhook;
            let count = webhook.metric("controller_runtime_webhook_requests_total", &[&label]).await?;
            counts.insert(path, count.unwrap_or_default());
        }
        Ok::<_, Failure>(counts)
    };
    let before = counted().await?;
    for kind in kinds {
        let spec = if kind == "ExternalSecret" { UNPARSED } else { "{provider: {fake: {data: [{key: a, value: b}]}}}" };
        scene.judge(bed, "v1", kind, spec).await?;
    }
    let after = counted().await?;
    for path in paths {
        assert!(after[path] > before[path], "{path}: {before:?} {after:?}");
    }
    Ok(())
}
