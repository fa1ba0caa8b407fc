//! What an ExternalSecret makes of its target under each policy: creation, deletion, drift, refresh, and the shape of the
//! Secret.

mod support;

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use support::{
    Ready, SOON, Scene, data,
    manifest::{external_secret, fake, reads, secret, secret_store, vault, with},
    says, version,
};
use tests::{OpenBao, Result, wait};

const MANAGED: &str = "reconcile.external-secrets.io/managed";
const CREATED_BY: &str = "reconcile.external-secrets.io/created-by";

/// The spec of an ExternalSecret that reads `password` from the store `store`, with other fields of the target.
fn targeting(target: &Value) -> Value {
    with(reads("store", &[("password", "password")]), &json!({"target": target}))
}

/// A scene with the store `store` that holds `password`.
async fn stored(prefix: &str, password: &str) -> Result<Scene> {
    let scene = Scene::new(prefix).await?;
    store(&scene, password).await?;
    Ok(scene)
}

async fn store(scene: &Scene, password: &str) -> Result {
    scene.apply(&secret_store("store", &fake(&[("password", password)]))).await.map(drop)
}

/// Runs every row at once and tells all that failed.
async fn all<T>(rows: impl IntoIterator<Item = (String, T)>) -> Result
where
    T: Future<Output = Result>,
{
    let outcomes = rows.into_iter().map(|(name, row)| async move { (name, row.await) });
    let failed: Vec<String> = join_all(outcomes)
        .await
        .into_iter()
        .filter_map(|(name, outcome)| outcome.err().map(|failure| format!("{name}: {failure}")))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

// What is there before the ExternalSecret acts, and what it finds.
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
        created_by: has_label(CREATED_BY),
        managed: has_label(MANAGED),
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

/// A Vault store with two secrets below `secret/NAMESPACE`: `db` and `cache`.
async fn vault_with_two(prefix: &str) -> Result<(Scene, &'static OpenBao)> {
    let scene = Scene::new(prefix).await?;
    let bao = scene.bed.bao().await?;
    for name in ["db", "cache"] {
        bao.put(&format!("secret/{}/{name}", scene.namespace), &json!({"value": name})).await?;
    }
    scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    scene.store_is_valid("SecretStore", "vault").await?;
    Ok((scene, bao))
}

/// An ExternalSecret of both, refreshed every second.
fn both_of(scene: &Scene, target: &Value) -> Value {
    let entry = |name: &str| {
        let remote = json!({"key": format!("{}/{name}", scene.namespace), "property": "value"});
        json!({"secretKey": name, "remoteRef": remote})
    };
    json!({
        "secretStoreRef": {"name": "vault"},
        "refreshInterval": "1s",
        "data": [entry("db"), entry("cache")],
        "target": target,
    })
}

#[tokio::test]
async fn retained_secret_outlives_its_entry_and_the_loss_is_told() -> Result {
    let (scene, bao) = vault_with_two("retain").await?;
    scene.apply(&external_secret("app", &both_of(&scene, &json!({"deletionPolicy": "Retain"})))).await?;
    let before = scene.holds("app", &[("db", "db"), ("cache", "cache")]).await?;
    bao.delete(&format!("secret/{}/cache", scene.namespace)).await?;
    let ready = scene.fails("app", "RemoteSecretMissing").await?;
    says(&ready.message, &["spec.data[1]", "cache", "deletionPolicy"]);
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn deletion_policy_delete_drops_keys_one_by_one_and_then_the_secret() -> Result {
    let (scene, bao) = vault_with_two("delete").await?;
    scene.apply(&external_secret("app", &both_of(&scene, &json!({"deletionPolicy": "Delete"})))).await?;
    scene.holds("app", &[("db", "db"), ("cache", "cache")]).await?;
    bao.delete(&format!("secret/{}/cache", scene.namespace)).await?;
    scene.holds("app", &[("db", "db")]).await?;
    scene.is_synced("app").await?;
    bao.delete(&format!("secret/{}/db", scene.namespace)).await?;
    wait::gone(&scene.secrets(), "app", SOON).await?;
    scene.settled("app", |ready| ready.status == "True" && ready.reason == "SecretDeleted").await?;
    // What returns to the provider returns to the cluster.
    bao.put(&format!("secret/{}/db", scene.namespace), &json!({"value": "again"})).await?;
    scene.holds("app", &[("db", "again")]).await?;
    Ok(())
}

#[tokio::test]
async fn deletion_policy_merge_empties_what_was_written_and_keeps_the_rest() -> Result {
    let (scene, bao) = vault_with_two("delete-merge").await?;
    scene.apply(&secret("merged", &[("foreign", "kept")])).await?;
    let merge = json!({"deletionPolicy": "Merge", "creationPolicy": "Merge"});
    scene.apply(&external_secret("merged", &both_of(&scene, &merge))).await?;
    scene.apply(&external_secret("owned", &both_of(&scene, &json!({"deletionPolicy": "Merge"})))).await?;
    scene.holds("merged", &[("foreign", "kept"), ("db", "db"), ("cache", "cache")]).await?;
    scene.holds("owned", &[("db", "db"), ("cache", "cache")]).await?;
    for name in ["db", "cache"] {
        bao.delete(&format!("secret/{}/{name}", scene.namespace)).await?;
    }
    scene.holds("merged", &[("foreign", "kept")]).await?;
    scene.holds("owned", &[]).await?;
    scene.is_synced("merged").await?;
    Ok(())
}

#[tokio::test]
async fn drift_is_repaired_at_once() -> Result {
    let (scene, synced) = Scene::synced("drift").await?;
    let first: &[(&str, &str)] = &[("password", "first")];
    scene.edit_secret("app", &json!({"data": {"password": "ZWRpdGVk"}})).await?;
    scene.holds("app", first).await?;
    scene.edit_secret("app", &json!({"data": {"added": "ZWRpdGVk"}})).await?;
    scene.holds("app", first).await?;
    scene.edit_secret("app", &json!({"data": {"password": null}})).await?;
    scene.holds("app", first).await?;

    scene.delete_secret("app").await?;
    let uid = synced.uid();
    let secrets = scene.secrets();
    wait::object(&secrets, "app", "to be created again", SOON, |secret| {
        secret.uid() != uid && !data(secret).is_empty()
    })
    .await?;
    scene.holds("app", first).await?;

    for (what, patch) in [
        ("the managed label", json!({"labels": {MANAGED: null}})),
        ("the owner label", json!({"labels": {CREATED_BY: null}})),
        ("the owner reference", json!({"ownerReferences": null})),
    ] {
        let whole = scene.secrets().get("app").await?;
        scene.edit_secret("app", &json!({"metadata": patch})).await?;
        wait::object(&secrets, "app", &format!("{what} to return"), SOON, |secret: &Secret| {
            secret.labels() == whole.labels() && secret.owner_references() == whole.owner_references()
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn labels_and_annotations_of_others_are_left_alone() -> Result {
    let (scene, _) = Scene::synced("foreign-labels").await?;
    let theirs = json!({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}});
    scene.edit_secret("app", &theirs).await?;
    store(&scene, "second").await?;
    scene.force_sync("app").await?;
    let secret = scene.holds("app", &[("password", "second")]).await?;
    assert_eq!(secret.labels().get("team").map(String::as_str), Some("a"));
    assert_eq!(secret.annotations().get("note").map(String::as_str), Some("b"));
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

/// Changes the value in the store and waits until the controller has looked at the ExternalSecret because of `act`.
async fn nothing_comes_of(scene: &Scene, name: &str, before: &Secret, act: impl Future<Output = Result>) -> Result {
    let looked_at = scene.reconciles(name).await?;
    act.await?;
    scene.is_looked_at(name, looked_at).await?;
    scene.is_untouched(before).await
}

#[tokio::test]
async fn created_once_is_never_refreshed() -> Result {
    let scene = stored("created-once", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshPolicy": "CreatedOnce", "refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    scene.is_synced("app").await?;
    nothing_comes_of(&scene, "app", &before, store(&scene, "second")).await?;
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
    nothing_comes_of(&scene, "app", &before, store(&scene, "second")).await?;
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
    let scene = stored("periodic", "first").await?;
    let spec = |interval: &str| with(targeting(&json!({})), &json!({"refreshInterval": interval}));
    scene.apply(&external_secret("often", &spec("1s"))).await?;
    scene.apply(&external_secret("seldom", &spec("1h"))).await?;
    scene.holds("often", &[("password", "first")]).await?;
    let seldom = scene.holds("seldom", &[("password", "first")]).await?;
    scene.is_synced("seldom").await?;
    store(&scene, "second").await?;
    scene.holds("often", &[("password", "second")]).await?;
    scene.is_untouched(&seldom).await
}

#[tokio::test]
async fn unchanged_value_is_not_written_again() -> Result {
    let scene = stored("unchanged", "first").await?;
    let spec = with(targeting(&json!({})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    let refreshed = |object: &kube::api::DynamicObject| object.data["status"]["refreshTime"].clone();
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
    nothing_comes_of(&scene, "app", &before, store(&scene, "second")).await?;
    nothing_comes_of(&scene, "app", &before, async { scene.force_sync("app").await.map(drop) }).await?;
    scene.edit_secret("app", &json!({"data": {"password": "ZWRpdGVk"}})).await?;
    scene.holds("app", &[("password", "second")]).await?;
    Ok(())
}

#[tokio::test]
async fn any_label_or_annotation_forces_a_refresh() -> Result {
    let (scene, _) = Scene::synced("force").await?;
    let changes = [
        ("second", json!({"annotations": {"external-secrets.io/force-sync": "1"}})),
        ("third", json!({"annotations": {"anything": "at all"}})),
        ("fourth", json!({"labels": {"any": "label"}})),
        ("fifth", json!({"labels": {"any": null}})),
    ];
    for (password, metadata) in changes {
        store(&scene, password).await?;
        scene.change("ExternalSecret", "app", &json!({"metadata": metadata})).await?;
        scene.holds("app", &[("password", password)]).await?;
    }
    Ok(())
}

/// Waits for a refresh that takes `spec` to `wanted`; each row is an ExternalSecret of its own.
async fn becomes(scene: &Scene, name: &str, spec: Value, wanted: &[(&str, &str)]) -> Result {
    scene.apply(&external_secret(name, &with(spec, &json!({"secretStoreRef": {"name": "store"}})))).await?;
    scene.holds(name, wanted).await?;
    scene.is_synced(name).await.map(drop)
}

type Row = (&'static str, Value, &'static [(&'static str, &'static str)]);

async fn table(prefix: &str, entries: &[(&str, &str)], rows: Vec<Row>) -> Result {
    let scene = &Scene::new(prefix).await?;
    scene.apply(&secret_store("store", &fake(entries))).await?;
    let rows = rows.into_iter().map(|(name, spec, wanted)| (name.to_owned(), becomes(scene, name, spec, wanted)));
    all(rows).await
}

#[tokio::test]
async fn data_from_extracts_finds_and_rewrites() -> Result {
    let entries = [
        ("db", r#"{"user":"app","port":5432,"tls":true,"none":null,"nested":{"b":1,"a":"<x>"},"list":[1,"two"]}"#),
        ("team/a", "one"),
        ("team/b", "two"),
        ("other", "three"),
        ("json/1", r#"{"a":"1","shared":"first"}"#),
        ("json/2", r#"{"b":"2","shared":"second"}"#),
    ];
    let rows: Vec<Row> = vec![
        (
            "extract",
            json!({"dataFrom": [{"extract": {"key": "db"}}]}),
            &[
                ("user", "app"),
                ("port", "5432"),
                ("tls", "true"),
                ("none", ""),
                ("nested", r#"{"a":"\u003cx\u003e","b":1}"#),
                ("list", r#"[1,"two"]"#),
            ],
        ),
        (
            "property",
            json!({"dataFrom": [{"extract": {"key": "db", "property": "nested"}}]}),
            &[("a", "<x>"), ("b", "1")],
        ),
        (
            "find",
            json!({"dataFrom": [{"find": {"name": {"regexp": "^team/"}}}]}),
            &[("team_a", "one"), ("team_b", "two")],
        ),
        (
            "unicode",
            json!({"dataFrom": [{"find": {"name": {"regexp": "/a$"}, "conversionStrategy": "Unicode"}}]}),
            &[("team_U002f_a", "one")],
        ),
        (
            "regexp",
            json!({"dataFrom": [{
                "find": {"name": {"regexp": "^team/"}},
                "rewrite": [{"regexp": {"source": "^team/(.*)$", "target": "TEAM_$1"}}],
            }]}),
            &[("TEAM_a", "one"), ("TEAM_b", "two")],
        ),
        (
            "transform",
            json!({"dataFrom": [{
                "find": {"name": {"regexp": "^team/"}},
                "rewrite": [{"transform": {"template": "{{ .value | upper | replace \"/\" \"-\" }}"}}],
            }]}),
            &[("TEAM-A", "one"), ("TEAM-B", "two")],
        ),
        (
            "merge",
            json!({"dataFrom": [{
                "find": {"name": {"regexp": "^json/"}},
                "rewrite": [{"merge": {"conflictPolicy": "Ignore", "priority": ["json/1"]}}],
            }]}),
            &[("a", "1"), ("b", "2"), ("shared", "first")],
        ),
        (
            "precedence",
            json!({
                "dataFrom": [{"extract": {"key": "json/1"}}, {"extract": {"key": "json/2"}}],
                "data": [{"secretKey": "a", "remoteRef": {"key": "other"}}],
            }),
            &[("a", "three"), ("b", "2"), ("shared", "second")],
        ),
    ];
    table("data-from", &entries, rows).await
}

#[tokio::test]
async fn store_of_an_entry_wins_over_that_of_the_object() -> Result {
    let scene = stored("source-ref", "from the object's store").await?;
    scene.apply(&secret_store("other", &fake(&[("password", "from the entry's store")]))).await?;
    let entry = json!({
        "secretKey": "other",
        "remoteRef": {"key": "password"},
        "sourceRef": {"storeRef": {"name": "other"}},
    });
    let own = json!({"secretKey": "own", "remoteRef": {"key": "password"}});
    let spec = json!({"secretStoreRef": {"name": "store"}, "data": [own, entry]});
    scene.apply(&external_secret("app", &spec)).await?;
    scene.holds("app", &[("own", "from the object's store"), ("other", "from the entry's store")]).await?;
    Ok(())
}

#[tokio::test]
async fn values_are_decoded_by_strategy() -> Result {
    let entries = [
        ("base64", "aGVsbG8="),
        ("base64url", "c3ViamVjdHM_X2Q9"),
        ("plain", "not base64!"),
        ("map", r#"{"a":"aGVsbG8="}"#),
    ];
    let decoded = |key: &str, strategy: &str| json!({"data": [{"secretKey": "value", "remoteRef": {"key": key, "decodingStrategy": strategy}}]});
    let rows: Vec<Row> = vec![
        ("none", decoded("base64", "None"), &[("value", "aGVsbG8=")]),
        ("base64", decoded("base64", "Base64"), &[("value", "hello")]),
        ("base64url", decoded("base64url", "Base64URL"), &[("value", "subjects?_d=")]),
        ("auto-base64", decoded("base64", "Auto"), &[("value", "hello")]),
        ("auto-base64url", decoded("base64url", "Auto"), &[("value", "subjects?_d=")]),
        ("auto-plain", decoded("plain", "Auto"), &[("value", "not base64!")]),
        (
            "extract",
            json!({"dataFrom": [{"extract": {"key": "map", "decodingStrategy": "Base64"}}]}),
            &[("a", "hello")],
        ),
    ];
    table("decoding", &entries, rows).await
}

#[tokio::test]
async fn template_makes_data_from_every_source_in_order() -> Result {
    let scene = stored("template", "pa:ss").await?;
    let lines = "{{ .password | upper }}";
    scene
        .apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"},
            "data": {"config": "password = {{ .password }}", "lines": format!("upper: {lines}\nport: \"5432\"\n")},
        }))
        .await?;
    scene.apply(&secret("texts", &[("secret-config", "secret {{ .password }}")])).await?;
    let template = json!({"templateFrom": [
        {"literal": "url: postgres://{{ .password | urlquery }}\nport: \"1\"\n"},
        {"configMap": {"name": "texts", "items": [{"key": "config"}, {"key": "lines", "templateAs": "KeysAndValues"}]}},
        {"secret": {"name": "texts", "items": [{"key": "secret-config"}]}},
    ], "data": {"config": "data wins over templateFrom"}});
    scene.apply(&external_secret("all", &targeting(&json!({"template": template})))).await?;
    scene
        .holds(
            "all",
            &[
                ("url", "postgres://pa%3Ass"),
                ("port", "5432"),
                ("upper", "PA:SS"),
                ("config", "data wins over templateFrom"),
                ("secret-config", "secret pa:ss"),
            ],
        )
        .await?;

    let merged = json!({"mergePolicy": "Merge", "data": {"extra": "{{ .password | b64enc }}"}});
    scene.apply(&external_secret("merged", &targeting(&json!({"template": merged})))).await?;
    scene.holds("merged", &[("password", "pa:ss"), ("extra", "cGE6c3M=")]).await?;
    Ok(())
}

#[tokio::test]
async fn template_shapes_type_labels_and_annotations() -> Result {
    let scene = stored("metadata", "first").await?;
    let template = json!({
        "type": "kubernetes.io/basic-auth",
        "metadata": {"labels": {"team": "a", "first": "{{ .password }}"}, "annotations": {"note": "{{ .password | upper }}"}},
        "data": {"username": "app", "password": "{{ .password }}"},
        "templateFrom": [{"literal": "from: literal", "target": "Annotations"}],
    });
    let spec = targeting(&json!({"template": template}));
    let labelled = json!({"metadata": {"labels": {"not": "copied"}}});
    scene.apply(&with(external_secret("app", &spec), &labelled)).await?;
    let secret = scene.holds("app", &[("username", "app"), ("password", "first")]).await?;
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/basic-auth"));
    let text = |map: &BTreeMap<String, String>, key: &str| map.get(key).cloned();
    assert_eq!(text(secret.labels(), "team").as_deref(), Some("a"));
    assert_eq!(text(secret.labels(), "first").as_deref(), Some("first"));
    assert_eq!(text(secret.annotations(), "note").as_deref(), Some("FIRST"));
    assert_eq!(text(secret.annotations(), "from").as_deref(), Some("literal"));
    assert!(!secret.labels().contains_key("not"), "with a template the ExternalSecret's own labels are not copied");

    // A label that leaves the template leaves the Secret.
    let fewer = with(spec, &json!({"target": {"template": {"metadata": {"labels": {"team": null}}}}}));
    scene.apply(&with(external_secret("app", &fewer), &labelled)).await?;
    let secrets = scene.secrets();
    wait::object(&secrets, "app", "without the label", SOON, |secret| !secret.labels().contains_key("team")).await?;

    // The type of a Secret cannot be changed: that is told, and the Secret stays.
    let before = scene.secrets().get("app").await?;
    let another = with(fewer, &json!({"target": {"template": {"type": "Opaque"}}}));
    scene.apply(&with(external_secret("app", &another), &labelled)).await?;
    let ready = scene.fails("app", "TargetImmutable").await?;
    says(&ready.message, &["kubernetes.io/basic-auth", "delete the secret"]);
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn labels_and_annotations_are_copied_without_a_template() -> Result {
    let scene = stored("copied", "first").await?;
    let metadata = json!({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}});
    scene.apply(&with(external_secret("app", &targeting(&json!({}))), &metadata)).await?;
    let secret = scene.holds("app", &[("password", "first")]).await?;
    assert_eq!(secret.labels().get("team").map(String::as_str), Some("a"));
    assert_eq!(secret.annotations().get("note").map(String::as_str), Some("b"));
    Ok(())
}

#[tokio::test]
async fn immutable_target_is_never_changed() -> Result {
    let scene = stored("immutable", "first").await?;
    scene.apply(&external_secret("app", &targeting(&json!({"immutable": true})))).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    assert_eq!(before.immutable, Some(true));
    store(&scene, "second").await?;
    scene.force_sync("app").await?;
    let ready = scene.fails("app", "TargetImmutable").await?;
    says(&ready.message, &["is immutable", "delete the secret"]);
    let now = scene.secrets().get("app").await?;
    assert_eq!((data(&now), now.uid()), (data(&before), before.uid()));
    scene.delete_secret("app").await?;
    let renewed = scene.holds("app", &[("password", "second")]).await?;
    assert_eq!(renewed.immutable, Some(true));
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
