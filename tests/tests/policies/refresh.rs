//! When values are fetched again: refreshPolicy, refreshInterval, and on demand.

use k8s_openapi::api::core::v1::Secret;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::support::{
    Ready, SOON, Scene, data,
    manifest::{cluster_secret_store, external_secret, fake, with},
};
use crate::{all, store, stored, targeting, vault_with_two};

/// Changes what the store holds, which is for those alone who refresh by themselves; a witness tells that the controller has seen it.
async fn nothing_comes_of_another_value(scene: &Scene, before: &Secret) -> Result {
    store(scene, "second").await?;
    let witness = with(targeting(&json!({})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("witness", &witness)).await?;
    scene.holds("witness", &[("password", "second")]).await?;
    scene.is_untouched(before).await
}

/// Waits until the controller has looked at the ExternalSecret because of `act`.
async fn nothing_comes_of(scene: &Scene, name: &str, before: &Secret, act: impl Future<Output = Result>) -> Result {
    let looked_at = scene.reconciles(name).await?;
    act.await?;
    scene.is_looked_at(name, looked_at).await?;
    scene.is_untouched(before).await
}

/// Also where nothing would be fetched again: the condition tells what is, not what was.
#[tokio::test]
async fn mistake_that_is_taken_back_and_permission_that_is_given_back_are_over() -> Result {
    let scene = &stored("over", "first").await?;
    let shared = scene.unique("shared");
    let limited = |to: &str| {
        let conditions = json!({"spec": {"conditions": [{"namespaces": [to]}]}});
        with(cluster_secret_store(&shared, &fake(&[("password", "first")])), &conditions)
    };
    scene.apply(&limited(&scene.namespace)).await?;
    scene.store_is_valid("ClusterSecretStore", &shared).await?;
    let rows = [("Periodic", "1h"), ("Periodic", "0"), ("CreatedOnce", "1h"), ("OnChange", "1h")];
    let name = |(policy, interval): (&str, &str)| format!("{}-{interval}", policy.to_lowercase());
    let spec = |(policy, interval): (&str, &str), target: &Value| {
        let store = json!({"name": shared, "kind": "ClusterSecretStore"});
        let over =
            json!({"secretStoreRef": store, "refreshPolicy": policy, "refreshInterval": interval, "target": target});
        with(targeting(&json!({})), &over)
    };
    for row in rows {
        scene.apply(&external_secret(&name(row), &spec(row, &json!({})))).await?;
        scene.holds(&name(row), &[("password", "first")]).await?;
        scene.is_synced(&name(row)).await?;
    }
    let mistake = json!({"creationPolicy": "Merge", "deletionPolicy": "Delete"});
    for row in rows {
        let name = name(row);
        scene.apply(&external_secret(&name, &spec(row, &mistake))).await?;
        scene.fails(&name, "SpecInvalid").await?;
        let mended = spec(row, &json!({"creationPolicy": "Owner", "deletionPolicy": "Retain"}));
        scene.apply(&external_secret(&name, &mended)).await?;
        is_ready_again(scene, &name).await?;
    }
    scene.apply(&limited("elsewhere")).await?;
    for row in rows {
        scene.fails(&name(row), "StoreNotAllowed").await?;
    }
    scene.apply(&limited(&scene.namespace)).await?;
    for row in rows {
        is_ready_again(scene, &name(row)).await?;
        scene.holds(&name(row), &[("password", "first")]).await?;
    }
    Ok(())
}

/// Whatever version was synced: not every policy follows the spec.
async fn is_ready_again(scene: &Scene, name: &str) -> Result {
    let is_ready = |object: &DynamicObject| {
        Ready::of(object).is_some_and(|ready| ready.status == "True" && ready.reason == "SecretSynced")
    };
    wait::object(&scene.ours("ExternalSecret"), name, "to be ready again", SOON, is_ready).await.map(drop)
}

/// What makes each policy fetch again, under an interval and under none: a label, the spec, an edit of the Secret, its deletion.
#[tokio::test]
async fn policy_and_interval_decide_what_is_noticed() -> Result {
    let scene = &stored("noticed", "first").await?;
    let rows = [
        ("Periodic", "1h", "Owner", [true, true, true, true]),
        ("Periodic", "0", "Owner", [false, false, true, true]),
        ("CreatedOnce", "1h", "Owner", [false, false, true, true]),
        ("CreatedOnce", "0", "Owner", [false, false, true, true]),
        ("OnChange", "1h", "Owner", [true, true, true, true]),
        ("OnChange", "0", "Owner", [true, true, true, true]),
        // Whatever becomes of an orphan, it is not missed.
        ("Periodic", "1h", "Orphan", [true, true, false, false]),
        ("CreatedOnce", "0", "Orphan", [false, false, false, false]),
    ];
    all(rows.map(|(policy, interval, creation, noticed)| {
        let name = format!("{policy}-{interval}-{creation}").to_lowercase();
        (name.clone(), Box::pin(notices(scene, name, [policy, interval, creation], noticed)))
    }))
    .await
}

async fn notices(scene: &Scene, name: String, spec: [&str; 3], noticed: [bool; 4]) -> Result {
    let [policy, interval, creation] = spec;
    let times = json!({"refreshPolicy": policy, "refreshInterval": interval});
    let spec = with(targeting(&json!({"creationPolicy": creation})), &times);
    scene.apply(&external_secret(&name, &spec)).await?;
    scene.is_synced(&name).await?;
    let [label, changed, edit, deletion] = noticed;

    let labels = json!({"metadata": {"labels": {"any": "label"}}});
    takes_up(scene, &name, label, async { scene.change("ExternalSecret", &name, &labels).await.map(drop) }).await?;
    let template = json!({"spec": {"target": {"template": {"data": {"password": "{{ .password }}"}}}}});
    takes_up(scene, &name, changed, async { scene.change("ExternalSecret", &name, &template).await.map(drop) }).await?;

    let looked_at = scene.reconciles(&name).await?;
    scene.edit_secret(&name, &json!({"data": {"password": "ZWRpdGVk"}})).await?;
    if edit {
        scene.holds(&name, &[("password", "first")]).await?;
    } else {
        scene.is_looked_at(&name, looked_at).await?;
        let text = data(&scene.secrets().get(&name).await?).remove("password");
        assert_eq!(text.as_deref(), Some("edited"), "{name}");
    }
    let looked_at = scene.reconciles(&name).await?;
    scene.delete_secret(&name).await?;
    if deletion {
        scene.holds(&name, &[("password", "first")]).await?;
    } else {
        scene.is_looked_at(&name, looked_at).await?;
        assert!(scene.secrets().get_opt(&name).await?.is_none(), "{name}");
    }
    Ok(())
}

/// Whether the ExternalSecret as `act` leaves it is synced, or only looked at.
async fn takes_up(scene: &Scene, name: &str, is_taken_up: bool, act: impl Future<Output = Result>) -> Result {
    let version = |object: &DynamicObject| object.data.pointer("/status/syncedResourceVersion").cloned();
    let api = scene.ours("ExternalSecret");
    let before: Option<Value> = version(&api.get(name).await?);
    let looked_at = scene.reconciles(name).await?;
    act.await?;
    if is_taken_up {
        return wait::object(&api, name, "to be synced anew", SOON, |now| version(now) != before).await.map(drop);
    }
    scene.is_looked_at(name, looked_at).await?;
    assert_eq!(version(&api.get(name).await?), before, "{name}");
    Ok(())
}

#[tokio::test]
async fn created_once_is_never_refreshed() -> Result {
    let scene = stored("created-once", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshPolicy": "CreatedOnce", "refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    scene.is_synced("app").await?;
    nothing_comes_of_another_value(&scene, &before).await?;
    nothing_comes_of(&scene, "app", &before, async { scene.force_sync("app").await.map(drop) }).await?;
    let more = with(
        spec,
        &json!({"data": [
            {"secretKey": "password", "remoteRef": {"key": "password"}},
            {"secretKey": "again", "remoteRef": {"key": "password"}},
        ]}),
    );
    nothing_comes_of(&scene, "app", &before, async { scene.apply(&external_secret("app", &more)).await.map(drop) })
        .await?;
    // Except that a Secret that was deleted is made again.
    scene.delete_secret("app").await?;
    scene.holds("app", &[("password", "second"), ("again", "second")]).await?;
    Ok(())
}

#[tokio::test]
async fn on_change_refreshes_with_the_spec_or_a_label_only() -> Result {
    let scene = stored("on-change", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshPolicy": "OnChange", "refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    scene.is_synced("app").await?;
    nothing_comes_of_another_value(&scene, &before).await?;
    scene.force_sync("app").await?;
    scene.holds("app", &[("password", "second")]).await?;
    store(&scene, "third").await?;
    let label = json!({"metadata": {"labels": {"team": "a"}}});
    scene.change("ExternalSecret", "app", &label).await?;
    scene.holds("app", &[("password", "third")]).await?;
    store(&scene, "fourth").await?;
    scene.apply(&external_secret("app", &with(spec, &json!({"target": {"immutable": false}})))).await?;
    scene.holds("app", &[("password", "fourth")]).await?;
    Ok(())
}

#[tokio::test]
async fn changed_value_arrives_within_the_interval() -> Result {
    let (scene, bao) = vault_with_two("periodic").await?;
    let spec = |interval: &str| with(of_vault(&scene), &json!({"refreshInterval": interval}));
    scene.apply(&external_secret("often", &spec("1s"))).await?;
    scene.apply(&external_secret("seldom", &spec("1h"))).await?;
    scene.holds("often", &[("value", "db")]).await?;
    let seldom = scene.holds("seldom", &[("value", "db")]).await?;
    scene.is_synced("seldom").await?;
    bao.put(&format!("secret/{}/db", scene.namespace), &json!({"value": "second"})).await?;
    scene.holds("often", &[("value", "second")]).await?;
    scene.is_untouched(&seldom).await
}

/// Reads one of the two secrets.
fn of_vault(scene: &Scene) -> Value {
    let remote = json!({"key": format!("{}/db", scene.namespace), "property": "value"});
    json!({"secretStoreRef": {"name": "vault"}, "data": [{"secretKey": "value", "remoteRef": remote}]})
}

#[tokio::test]
async fn unchanged_value_is_not_written_again() -> Result {
    let scene = stored("unchanged", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    let refreshed = |object: &DynamicObject| object.data["status"]["refreshTime"].clone();
    let first = refreshed(&scene.is_synced("app").await?);
    let external_secrets = scene.ours("ExternalSecret");
    wait::object(&external_secrets, "app", "another refresh", SOON, |object| refreshed(object) != first).await?;
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn interval_zero_fetches_once_and_still_repairs() -> Result {
    let scene = stored("zero", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshInterval": "0"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    scene.is_synced("app").await?;
    nothing_comes_of_another_value(&scene, &before).await?;
    nothing_comes_of(&scene, "app", &before, async { scene.force_sync("app").await.map(drop) }).await?;
    scene.edit_secret("app", &json!({"data": {"password": "ZWRpdGVk"}})).await?;
    scene.holds("app", &[("password", "second")]).await?;
    Ok(())
}

#[tokio::test]
async fn any_label_or_annotation_forces_a_refresh() -> Result {
    let (scene, bao) = vault_with_two("force").await?;
    scene.apply(&external_secret("app", &of_vault(&scene))).await?;
    scene.is_synced("app").await?;
    let changes = [
        ("second", json!({"annotations": {"external-secrets.io/force-sync": "1"}})),
        ("third", json!({"annotations": {"anything": "at all"}})),
        ("fourth", json!({"labels": {"any": "label"}})),
        ("fifth", json!({"labels": {"any": null}})),
    ];
    for (value, metadata) in changes {
        bao.put(&format!("secret/{}/db", scene.namespace), &json!({"value": value})).await?;
        scene.change("ExternalSecret", "app", &json!({"metadata": metadata})).await?;
        scene.holds("app", &[("value", value)]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn vault_values_are_refreshed_and_versions_are_pinned() -> Result {
    let (scene, bao) = vault_with_two("versions").await?;
    let path = format!("{}/db", scene.namespace);
    bao.put(&format!("secret/{path}"), &json!({"value": "second"})).await?;
    let entry = |key: &str| json!({"secretKey": key, "remoteRef": {"key": path, "property": "value"}});
    let spec = json!({
        "secretStoreRef": {"name": "vault"},
        "refreshInterval": "1s",
        "data": [with(entry("pinned"), &json!({"remoteRef": {"version": "1"}})), entry("latest")],
    });
    scene.apply(&external_secret("app", &spec)).await?;
    scene.holds("app", &[("pinned", "db"), ("latest", "second")]).await?;
    bao.put(&format!("secret/{path}"), &json!({"value": "third"})).await?;
    scene.holds("app", &[("pinned", "db"), ("latest", "third")]).await?;
    Ok(())
}
