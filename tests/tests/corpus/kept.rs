//! What was stored before there were rules is not stuck: all that does not touch the broken field goes on, without the webhook.

use std::time::Duration;

use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tests::{Bed, Failure, Result, wait};

/// Deletions take no time without finalizers.
const SOON: Duration = Duration::from_secs(20);

/// Something that broke a rule when there was none.
struct Old {
    kind: &'static str,
    spec: Value,
    /// A change of the spec that leaves the broken field alone.
    aside: Value,
    /// One that breaks it otherwise, and what is said of it.
    worse: (Value, &'static str),
    /// One that mends it.
    mended: Value,
}

fn all() -> [Old; 3] {
    let data = json!([{"secretKey": "a", "remoteRef": {"key": "k"}}]);
    let target = json!({"creationPolicy": "Merge", "deletionPolicy": "Delete"});
    let secret = json!({"name": "t", "key": "k"});
    let several = json!({"tokenSecretRef": secret, "kubernetes": {"mountPath": "k", "role": "r"}});
    [
        Old {
            kind: "ExternalSecret",
            spec: json!({"secretStoreRef": {"name": "s"}, "refreshInterval": "1d", "target": target, "data": data}),
            aside: json!({"refreshPolicy": "OnChange"}),
            worse: (json!({"refreshInterval": "2d"}), "spec.refreshInterval: "),
            mended: json!({"refreshInterval": "24h"}),
        },
        Old {
            kind: "SecretStore",
            spec: json!({"provider": {"vault": {"server": "https://v", "auth": several}}}),
            aside: json!({"provider": {"vault": {"path": "secret"}}}),
            worse: (
                json!({"provider": {"vault": {"auth": {"userPass": {"path": "u", "username": "me"}}}}}),
                "spec.provider.vault.auth: ",
            ),
            mended: json!({"provider": {"vault": {"auth": {"kubernetes": null}}}}),
        },
        Old {
            kind: "ClusterSecretStore",
            spec: json!({"provider": {"fake": {"data": [{"key": "", "value": "b"}]}}}),
            aside: json!({"retrySettings": {"maxRetries": 3}}),
            worse: (
                json!({"provider": {"fake": {"data": [{"key": "a", "value": ""}]}}}),
                "spec.provider.fake.data[0].value: ",
            ),
            mended: json!({"provider": {"fake": {"data": [{"key": "a", "value": "b"}]}}}),
        },
    ]
}

#[tokio::test]
async fn what_was_stored_before_the_rules_is_not_stuck() -> Result {
    let bed = Bed::start().await?;
    bed.install_without_rules().await?;
    let namespace = bed.namespace("kept").await?;
    let olds = all();
    for old in &olds {
        let api = api(&bed, &namespace, old.kind)?;
        for name in ["lasting", "leaving"] {
            let metadata = json!({"name": name, "finalizers": ["example.com/kept"]});
            let object = json!({
                "apiVersion": "external-secrets.io/v1", "kind": old.kind, "metadata": metadata, "spec": old.spec,
            });
            api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        }
    }
    bed.restore_rules().await?;
    for old in &olds {
        let api = api(&bed, &namespace, old.kind)?;
        goes_on(&api, old).await?;
        leaves(&api).await?;
    }
    Ok(())
}

fn api(bed: &Bed, namespace: &str, kind: &str) -> Result<Api<DynamicObject>> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", kind));
    Ok(match kind {
        "ClusterSecretStore" => Api::all_with(bed.admin()?, &resource),
        _ => Api::namespaced_with(bed.admin()?, namespace, &resource),
    })
}

async fn goes_on(api: &Api<DynamicObject>, old: &Old) -> Result {
    let change = |patch: Value| async move {
        api.patch("lasting", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map_err(|error| Failure::new(error.to_string()))
    };
    change(json!({"metadata": {"labels": {"team": "a"}, "annotations": {"force-sync": "1"}}})).await?;
    change(json!({"metadata": {"finalizers": null}})).await?;
    // As GitOps tools do again and again.
    let applied = json!({
        "apiVersion": "external-secrets.io/v1", "kind": old.kind, "metadata": {"name": "lasting"}, "spec": old.spec,
    });
    api.patch("lasting", &PatchParams::apply("gitops").force(), &Patch::Apply(applied)).await?;
    // As a controller does.
    let conditions = json!([{"type": "Ready", "status": "False", "reason": "Any", "message": "any"}]);
    let status = json!({"status": {"conditions": conditions}});
    api.patch_status("lasting", &PatchParams::default(), &Patch::Merge(status)).await?;
    change(json!({"spec": old.aside})).await?;

    let (worse, said) = &old.worse;
    let refused = change(json!({"spec": worse})).await;
    assert!(refused.as_ref().is_err_and(|error| error.to_string().contains(said)), "{}: {refused:?}", old.kind);
    change(json!({"spec": old.mended})).await?;
    // Mended is mended.
    let again = change(json!({"spec": old.spec})).await;
    assert!(again.as_ref().is_err_and(|error| error.to_string().contains("is invalid")), "{}: {again:?}", old.kind);
    Ok(())
}

async fn leaves(api: &Api<DynamicObject>) -> Result {
    api.delete("leaving", &DeleteParams::default()).await?;
    assert!(api.get("leaving").await?.metadata.deletion_timestamp.is_some(), "its finalizer keeps it");
    let release = json!({"metadata": {"finalizers": null}});
    api.patch("leaving", &PatchParams::default(), &Patch::Merge(release)).await?;
    wait::gone(api, "leaving", SOON).await?;
    api.delete("lasting", &DeleteParams::default()).await?;
    wait::gone(api, "lasting", SOON).await
}
