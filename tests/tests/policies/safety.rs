//! What is not ours: told before it is taken, or left; and never deleted.

use std::time::Duration;

use api::hash::owner_label;
use api::names::{DATA_HASH_ANNOTATION, ES_FINALIZER, MANAGED_LABEL, OWNER_LABEL};
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{Value, json};
use tests::{Binary, Process, Result, wait};

use crate::support::{
    SOON, Scene, data,
    manifest::{external_secret, fake, reads, secret, secret_store, with},
    says,
};
use crate::{all, store, stored, targeting};

/// Notes of the events of one reason about an ExternalSecret.
pub async fn notes(scene: &Scene, name: &str, reason: &str) -> Result<Vec<String>> {
    let api: Api<Event> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let events = api.list(&ListParams::default()).await?.items.into_iter().filter(|event| {
        let about = event.regarding.as_ref().and_then(|about| about.name.as_deref());
        about == Some(name) && event.reason.as_deref() == Some(reason)
    });
    Ok(events.filter_map(|event| event.note).collect())
}

async fn told(scene: &Scene, name: &str, reason: &str) -> Result<String> {
    wait::until(&format!("the event {reason} of {name}"), SOON, || async {
        let notes = notes(scene, name, reason).await.map_err(|failure| failure.to_string())?;
        notes.into_iter().next().ok_or_else(|| "it is not there".to_owned())
    })
    .await
}

#[tokio::test]
async fn adoption_is_told_once_with_the_keys_that_go() -> Result {
    let scene = stored("adoption", "first").await?;
    scene.apply(&secret("app", &[("password", "canary-theirs"), ("foreign", "canary-foreign")])).await?;
    scene.apply(&external_secret("app", &targeting(&json!({})))).await?;
    scene.holds("app", &[("password", "first")]).await?;
    let note = told(&scene, "app", "Adopted").await?;
    says(&note, &["secret \"app\"", "keys removed: foreign", "keys replaced: password"]);
    assert!(!note.contains("canary"), "{note}");
    // From now on it is ours: what others add goes without another word.
    scene.edit_secret("app", &json!({"data": {"added": "ZWRpdGVk"}})).await?;
    scene.holds("app", &[("password", "first")]).await?;
    store(&scene, "second").await?;
    scene.force_sync("app").await?;
    scene.holds("app", &[("password", "second")]).await?;
    told(&scene, "app", "Updated").await?;
    assert_eq!(notes(&scene, "app", "Adopted").await?.len(), 1);
    Ok(())
}

/// `kubectl get -o yaml`, another name, `kubectl create`: labels and owner come along.
#[tokio::test]
async fn copy_of_a_target_that_somebody_made_is_not_deleted_with_former_targets() -> Result {
    let scene = stored("copies", "first").await?;
    scene.apply(&external_secret("app", &targeting(&json!({})))).await?;
    scene.holds("app", &[("password", "first")]).await?;
    let mut copy = scene.secrets().get("app").await?;
    copy.metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        name: Some("copy".to_owned()),
        labels: copy.metadata.labels.take(),
        annotations: copy.metadata.annotations.take(),
        owner_references: copy.metadata.owner_references.take(),
        ..Default::default()
    };
    let copy = scene.secrets().create(&PostParams::default(), &copy).await?;
    store(&scene, "second").await?;
    scene.force_sync("app").await?;
    scene.holds("app", &[("password", "second")]).await?;
    scene.apply(&external_secret("app", &targeting(&json!({"name": "renamed"})))).await?;
    scene.holds("renamed", &[("password", "second")]).await?;
    wait::gone(&scene.secrets(), "app", SOON).await?;
    assert_eq!(scene.secrets().get("copy").await?.uid(), copy.uid());
    scene.holds("copy", &[("password", "first")]).await?;
    Ok(())
}

/// A controller with a class of its own, whose stores the controller of this file leaves alone.
async fn strict(scene: &Scene, flags: &[&str]) -> Result<Process> {
    let own = ["--namespace", scene.namespace.as_str(), "--controller-class=strict"];
    let mut mine = secret_store("store", &fake(&[("password", "first")]));
    mine["spec"]["controller"] = json!("strict");
    scene.apply(&mine).await?;
    scene.bed.operator(Binary::Controller, &[&own, flags].concat()).await
}

#[tokio::test]
async fn refused_adoption_leaves_the_secret_as_it_is() -> Result {
    let scene = &Scene::new("refused").await?;
    let _controller = strict(scene, &["--refuse-adoption"]).await?;
    let rows = ["Owner", "Orphan"].map(|policy| (policy.to_owned(), Box::pin(is_refused(scene, policy))));
    all(rows).await?;

    // To merge is to write to what others made.
    scene.apply(&secret("merged", &[("foreign", "kept")])).await?;
    scene.apply(&external_secret("merged", &targeting(&json!({"creationPolicy": "CreateOrMerge"})))).await?;
    scene.holds("merged", &[("foreign", "kept"), ("password", "first")]).await?;

    let before = scene.apply(&secret("none", &[("foreign", "kept")])).await?;
    scene.apply(&external_secret("none", &targeting(&json!({"creationPolicy": "None"})))).await?;
    scene.is_synced("none").await?;
    assert_eq!(scene.secrets().get("none").await?.resource_version(), before.resource_version());

    // Nor does a policy that takes more than before, or a copy of what the operator once wrote, open a way around it.
    let whole = external_secret("merged", &targeting(&json!({})));
    scene.apply(&whole).await?;
    says(&scene.fails("merged", "AdoptionRefused").await?.message, &["holds what others wrote (foreign)"]);
    scene.holds("merged", &[("foreign", "kept"), ("password", "first")]).await?;
    let marks = json!({"metadata": {
        "labels": {MANAGED_LABEL: "true", OWNER_LABEL: "somebody-else"}, "annotations": {DATA_HASH_ANNOTATION: "of-another"},
    }});
    let copy = scene.apply(&with(secret("copy", &[("foreign", "kept")]), &marks)).await?;
    scene.apply(&external_secret("copy", &targeting(&json!({})))).await?;
    scene.fails("copy", "AdoptionRefused").await?;
    assert_eq!(scene.secrets().get("copy").await?.resource_version(), copy.resource_version());
    let own_label = owner_label(&scene.namespace, "labelled");
    let labels = json!({"metadata": {"labels": {MANAGED_LABEL: "true", OWNER_LABEL: own_label}}});
    let labelled = scene.apply(&with(secret("labelled", &[("foreign", "kept")]), &labels)).await?;
    scene.apply(&external_secret("labelled", &targeting(&json!({})))).await?;
    scene.fails("labelled", "AdoptionRefused").await?;
    assert_eq!(scene.secrets().get("labelled").await?.uid(), labelled.uid());
    scene.holds("labelled", &[("foreign", "kept")]).await?;

    // What it made is its own to repair.
    scene.apply(&external_secret("own", &targeting(&json!({})))).await?;
    scene.holds("own", &[("password", "first")]).await?;
    scene
        .edit_secret("own", &json!({"data": {"password": "ZWRpdGVk"}, "metadata": {"labels": {MANAGED_LABEL: null}}}))
        .await?;
    scene.holds("own", &[("password", "first")]).await?;
    Ok(())
}

async fn is_refused(scene: &Scene, policy: &str) -> Result {
    let name = policy.to_lowercase();
    let spec = targeting(&json!({"creationPolicy": policy}));
    scene.apply(&secret(&name, &[("foreign", "kept")])).await?;
    let before = scene.secrets().get(&name).await?;
    scene.apply(&external_secret(&name, &spec)).await?;
    let ready = scene.fails(&name, "AdoptionRefused").await?;
    says(&ready.message, &[&scene.namespace, &name, "delete it", "CreateOrMerge"]);
    scene.is_untouched(&before).await?;
    assert!(notes(scene, &name, "Adopted").await?.is_empty());
    // Nor is anything written when the provider has nothing to write.
    let missing = with(spec, &json!({"data": [{"secretKey": "a", "remoteRef": {"key": "absent"}}]}));
    scene.apply(&external_secret(&name, &missing)).await?;
    scene.fails(&name, "RemoteSecretMissing").await?;
    scene.is_untouched(&before).await?;
    // Out of the way, it is made anew.
    scene.delete_secret(&name).await?;
    scene.apply(&external_secret(&name, &targeting(&json!({"creationPolicy": policy})))).await?;
    scene.holds(&name, &[("password", "first")]).await.map(drop)
}

#[tokio::test]
async fn refused_adoption_ends_with_the_object_in_the_way_and_not_with_what_it_holds() -> Result {
    let flags = ["--refuse-adoption", "--controller-class=strict"];
    let scene = Scene::with_flags("obstacle", &flags).await?;
    let mut mine = secret_store("store", &fake(&[("password", "first")]));
    mine["spec"]["controller"] = json!("strict");
    scene.apply(&mine).await?;
    for name in ["deleted", "given-up", "edited"] {
        scene.apply(&secret(name, &[("foreign", "kept")])).await?;
        scene.apply(&external_secret(name, &targeting(&json!({})))).await?;
        scene.fails(name, "AdoptionRefused").await?;
    }
    for name in ["deleted", "given-up", "edited"] {
        // By itself it would try again after 30 s.
        scene.has_failed(name, 2.0).await?;
    }
    let before = scene.reconciles("edited").await?;
    for value in ["YQ==", "Yg==", "Yw=="] {
        scene.edit_secret("edited", &json!({"data": {"foreign": value}})).await?;
    }
    scene.delete_secret("deleted").await?;
    let owner = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "given-up", "controller": true,
        "uid": scene.ours("ExternalSecret").get("given-up").await?.uid(),
    });
    scene.edit_secret("given-up", &json!({"metadata": {"ownerReferences": [owner]}})).await?;
    for name in ["deleted", "given-up"] {
        let at_once = Duration::from_secs(12);
        wait::object(&scene.secrets(), name, "its data at once", at_once, |secret| {
            data(secret).get("password").is_some_and(|value| value == "first")
        })
        .await?;
    }
    let now = scene.reconciles("edited").await?;
    assert_eq!(now.to_bits(), before.to_bits(), "what it holds is nobody's business");
    Ok(())
}

/// However much is edited at once, a Secret that we made is no less ours.
#[tokio::test]
async fn edits_of_every_mark_of_ours_at_once_are_drift_and_no_adoption() -> Result {
    let scene = &stored("disowned", "first").await?;
    let none = json!(null);
    let unmarked = json!({"labels": none, "ownerReferences": none});
    let unhashed = with(unmarked.clone(), &json!({"annotations": {"other": "x"}}));
    let replaced = json!({"labels": {"their": "label"}, "ownerReferences": []});
    let rows = [("unmarked", &unmarked), ("unhashed", &unhashed), ("replaced", &replaced), ("adopted", &unmarked)];
    let rows = rows.map(|(name, metadata)| {
        let row = async move {
            let policy = if name == "replaced" { "Orphan" } else { "Owner" };
            if name == "adopted" {
                scene.apply(&secret(name, &[("password", "theirs")])).await?;
            }
            scene.apply(&external_secret(name, &targeting(&json!({"creationPolicy": policy})))).await?;
            scene.holds(name, &[("password", "first")]).await?;
            scene.is_synced(name).await?;
            let mut edited = serde_json::to_value(scene.secrets().get(name).await?)?;
            for (field, value) in metadata.as_object().into_iter().flatten() {
                edited["metadata"][field] = value.clone();
            }
            edited["data"] = json!({"password": "ZWRpdGVk", "added": "ZWRpdGVk"});
            scene.secrets().replace(name, &PostParams::default(), &serde_json::from_value(edited)?).await?;
            if policy == "Orphan" {
                // Whatever becomes of an orphan, it is not missed; a new spec is.
                scene.force_sync(name).await?;
            }
            scene.holds(name, &[("password", "first")]).await?;
            told(scene, name, "Updated").await?;
            let adopted = notes(scene, name, "Adopted").await?;
            assert_eq!(adopted.len(), usize::from(name == "adopted"), "{name}: {adopted:?}");
            Ok(())
        };
        (name.to_owned(), Box::pin(row))
    });
    all(rows).await
}

#[tokio::test]
async fn events_of_an_external_secret_with_the_longest_name_are_told() -> Result {
    let scene = stored("long-name", "first").await?;
    // Cut anywhere, it would end with a dash.
    let name = format!("{}a", "a-".repeat(126));
    assert_eq!(name.len(), 253);
    scene.apply(&external_secret(&name, &targeting(&json!({"name": "short"})))).await?;
    scene.holds("short", &[("password", "first")]).await?;
    says(&told(&scene, &name, "Created").await?, &["secret \"short\" created"]);
    let absent = json!({"data": [{"secretKey": "a", "remoteRef": {"key": "absent"}}]});
    scene.apply(&external_secret(&name, &with(targeting(&json!({"name": "short"})), &absent))).await?;
    says(&told(&scene, &name, "UpdateFailed").await?, &["RemoteSecretMissing", "absent"]);
    // Another cause is another event.
    let other = json!({"data": [{"secretKey": "a", "remoteRef": {"key": "other"}}]});
    scene.apply(&external_secret(&name, &with(targeting(&json!({"name": "short"})), &other))).await?;
    wait::until("the event of the other cause", SOON, || async {
        let notes = notes(&scene, &name, "UpdateFailed").await.map_err(|failure| failure.to_string())?;
        if notes.iter().any(|note| note.contains("\"other\"")) { Ok(()) } else { Err(format!("{notes:?}")) }
    })
    .await?;
    // The same once more is counted.
    scene.apply(&external_secret(&name, &with(targeting(&json!({"name": "short"})), &absent))).await?;
    wait::until("the event to be counted", SOON, || async {
        let api: Api<Event> = Api::namespaced(scene.client.clone(), &scene.namespace);
        let events = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let about = events.iter().filter(|event| event.note.as_deref().is_some_and(|note| note.contains("\"absent\"")));
        let counts: Vec<_> = about.map(|event| event.series.as_ref().map(|series| series.count)).collect();
        if counts == [Some(2)] { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await
}

#[tokio::test]
async fn value_of_others_is_replaced_with_a_word_where_some_keys_were_merged_before() -> Result {
    let scene = &stored("merged-more", "first").await?;
    let merging = |policy: &str, keys: &[&str]| {
        let entries: Vec<_> = keys.iter().map(|key| (*key, "password")).collect();
        with(reads("store", &entries), &json!({"target": {"creationPolicy": policy}}))
    };
    let rows = ["Merge", "CreateOrMerge", "Orphan"].map(|then| {
        let row = async move {
            let name = &format!("to-{}", then.to_lowercase());
            scene.apply(&secret(name, &[("theirs", "canary")])).await?;
            scene.apply(&external_secret(name, &merging("Merge", &["password"]))).await?;
            scene.holds(name, &[("password", "first"), ("theirs", "canary")]).await?;
            scene.is_synced(name).await?;
            // An edit of what is ours is drift.
            scene.edit_secret(name, &json!({"data": {"password": "ZWRpdGVk"}})).await?;
            scene.holds(name, &[("password", "first"), ("theirs", "canary")]).await?;
            assert!(notes(scene, name, "Adopted").await?.is_empty(), "{name}");
            scene.apply(&external_secret(name, &merging(then, &["password", "theirs"]))).await?;
            let note = told(scene, name, "Adopted").await?;
            says(&note, &[name, "holds what others wrote", "keys replaced: theirs"]);
            assert!(!note.contains("canary") && !note.contains("password"), "{note}");
            scene.holds(name, &[("password", "first"), ("theirs", "first")]).await.map(drop)
        };
        (then.to_owned(), Box::pin(row))
    });
    all(rows).await
}

#[tokio::test]
async fn labels_of_others_and_what_they_may_edit_go_with_a_word() -> Result {
    let scene = stored("besides", "first").await?;
    let besides = |whose: &str| json!({"labels": {"tier": whose}, "annotations": {"note": whose}});
    let theirs = with(secret("app", &[("theirs", "x")]), &json!({"metadata": besides("theirs")}));
    scene.apply(&theirs).await?;
    let target = json!({"creationPolicy": "Merge", "immutable": true, "template": {"metadata": besides("ours")}});
    scene.apply(&external_secret("app", &targeting(&target))).await?;
    let note = told(&scene, "app", "Adopted").await?;
    says(&note, &["secret \"app\"", "labels replaced: tier", "annotations replaced: note", "made immutable"]);
    let now = scene.holds("app", &[("password", "first"), ("theirs", "x")]).await?;
    assert_eq!((now.labels()["tier"].as_str(), now.immutable), ("ours", Some(true)));
    Ok(())
}

#[tokio::test]
async fn keys_of_others_go_with_a_word_when_the_policy_becomes_owner() -> Result {
    let scene = &stored("switched", "first").await?;
    let merge = targeting(&json!({"creationPolicy": "CreateOrMerge"}));
    scene.apply(&secret("foreign", &[("theirs", "precious")])).await?;
    scene.apply(&external_secret("foreign", &merge)).await?;
    scene.holds("foreign", &[("password", "first"), ("theirs", "precious")]).await?;
    // Two share a Secret that the first of them made.
    scene.apply(&external_secret("shared", &merge)).await?;
    scene.holds("shared", &[("password", "first")]).await?;
    let entry = json!({"secretKey": "other", "remoteRef": {"key": "password"}});
    let second = with(targeting(&json!({"creationPolicy": "Merge", "name": "shared"})), &json!({"data": [entry]}));
    scene.apply(&external_secret("second", &second)).await?;
    scene.holds("shared", &[("password", "first"), ("other", "first")]).await?;
    for (name, removed) in [("foreign", "theirs"), ("shared", "other")] {
        scene.apply(&external_secret(name, &targeting(&json!({})))).await?;
        says(
            &told(scene, name, "Adopted").await?,
            &[name, "holds what others wrote", &format!("keys removed: {removed}")],
        );
    }
    scene.holds("foreign", &[("password", "first")]).await?;
    // Without data it was somebody else's, too.
    scene.apply(&secret("empty", &[])).await?;
    scene.apply(&external_secret("empty", &merge)).await?;
    scene.holds("empty", &[("password", "first")]).await?;
    scene.is_synced("empty").await?;
    scene.edit_secret("empty", &json!({"data": {"theirs": "cHJlY2lvdXM="}})).await?;
    scene.apply(&external_secret("empty", &targeting(&json!({})))).await?;
    says(&told(scene, "empty", "Adopted").await?, &["empty", "holds what others wrote", "keys removed: theirs"]);
    scene.holds("empty", &[("password", "first")]).await.map(drop)
}

#[tokio::test]
async fn keys_in_a_shared_secret_that_it_made_are_not_taken_without_a_word() -> Result {
    let scene = &Scene::new("made-shared").await?;
    let _controller = strict(scene, &["--refuse-adoption"]).await?;
    let rows = ["Owner", "Orphan"].map(|policy| {
        let row = async move {
            let name = &policy.to_lowercase();
            scene.apply(&external_secret(name, &targeting(&json!({"creationPolicy": "CreateOrMerge"})))).await?;
            scene.is_synced(name).await?;
            scene.edit_secret(name, &json!({"data": {"theirs": "cHJlY2lvdXM="}})).await?;
            scene.apply(&external_secret(name, &targeting(&json!({"creationPolicy": policy})))).await?;
            says(&scene.fails(name, "AdoptionRefused").await?.message, &["holds what others wrote (theirs)"]);
            scene.holds(name, &[("password", "first"), ("theirs", "precious")]).await?;
            // Once they have taken it back, all that comes is drift.
            scene.edit_secret(name, &json!({"data": {"theirs": null}})).await?;
            scene.force_sync(name).await?;
            scene.is_synced(name).await?;
            scene.edit_secret(name, &json!({"data": {"theirs": "cHJlY2lvdXM="}})).await?;
            scene.force_sync(name).await?;
            scene.holds(name, &[("password", "first")]).await.map(drop)
        };
        (policy.to_owned(), Box::pin(row))
    });
    all(rows).await
}

#[tokio::test]
async fn mark_on_a_foreign_secret_makes_it_nobodys_to_take() -> Result {
    let scene = &Scene::new("marked").await?;
    let _controller = strict(scene, &["--refuse-adoption"]).await?;
    let absent = json!({"data": [{"secretKey": "absent", "remoteRef": {"key": "absent"}}]});
    let absent = &absent;
    let rows = [("again", "again"), ("first", "second")].map(|(first, second)| {
        let row = async move {
            scene.apply(&secret(second, &[("theirs", "precious")])).await?;
            let merging = json!({"name": second, "creationPolicy": "Merge", "deletionPolicy": "Merge"});
            scene.apply(&external_secret(first, &with(targeting(&merging), absent))).await?;
            scene.is_synced(first).await?;
            if first != second {
                scene.ours("ExternalSecret").delete(first, &DeleteParams::default()).await?;
                wait::gone(&scene.ours("ExternalSecret"), first, SOON).await?;
            }
            scene.apply(&external_secret(second, &targeting(&json!({"name": second})))).await?;
            scene.fails(second, "AdoptionRefused").await?;
            scene.holds(second, &[("theirs", "precious")]).await.map(drop)
        };
        (second.to_owned(), Box::pin(row))
    });
    all(rows).await
}

/// With upstream's finalizer, so that the deletion passes through the operator.
fn finalized(name: &str, target: &Value) -> Value {
    with(external_secret(name, &targeting(target)), &json!({"metadata": {"finalizers": [ES_FINALIZER]}}))
}

#[tokio::test]
async fn deleted_external_secret_leaves_a_recreated_or_foreign_secret() -> Result {
    let scene = &Scene::new("recreated").await?;
    let mut controller = strict(scene, &[]).await?;
    let delete = json!({"deletionPolicy": "Delete"});
    for name in ["recreated", "ours"] {
        scene.apply(&finalized(name, &delete)).await?;
        scene.is_synced(name).await?;
    }
    // Owned by another ExternalSecret, so that it never becomes this one's.
    scene.apply(&finalized("foreign", &with(delete, &json!({"name": "ours"})))).await?;
    scene.fails("foreign", "TargetOwnedByAnother").await?;
    scene.ours("ExternalSecret").delete("foreign", &DeleteParams::default()).await?;
    wait::gone(&scene.ours("ExternalSecret"), "foreign", SOON).await?;
    scene.holds("ours", &[("password", "first")]).await?;

    controller.kill().await?;
    scene.delete_secret("recreated").await?;
    wait::gone(&scene.secrets(), "recreated", SOON).await?;
    scene.apply(&secret("recreated", &[("foreign", "kept")])).await?;
    let before = scene.secrets().get("recreated").await?;
    for name in ["recreated", "ours"] {
        scene.ours("ExternalSecret").delete(name, &DeleteParams::default()).await?;
    }
    controller.restart().await?;
    for name in ["recreated", "ours"] {
        wait::gone(&scene.ours("ExternalSecret"), name, SOON).await?;
    }
    wait::gone(&scene.secrets(), "ours", SOON).await?;
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn external_secret_made_again_takes_its_orphaned_secret_back() -> Result {
    let scene = stored("made-again", "first").await?;
    scene.apply(&external_secret("app", &targeting(&json!({})))).await?;
    let first = scene.holds("app", &[("password", "first")]).await?;
    scene.is_synced("app").await?;
    scene.ours("ExternalSecret").delete("app", &DeleteParams::orphan()).await?;
    wait::gone(&scene.ours("ExternalSecret"), "app", SOON).await?;
    let unowned = |secret: &k8s_openapi::api::core::v1::Secret| secret.owner_references().is_empty();
    wait::object(&scene.secrets(), "app", "to be orphaned", SOON, unowned).await?;
    let again = scene.apply(&external_secret("app", &targeting(&json!({})))).await?;
    scene.is_synced("app").await?;
    let secret = scene.secrets().get("app").await?;
    assert_eq!((secret.uid(), data(&secret)), (first.uid(), data(&first)), "the same Secret");
    let owners: Vec<_> = secret.owner_references().iter().map(|owner| Some(owner.uid.clone())).collect();
    assert_eq!(owners, [again.uid()]);
    assert!(notes(&scene, "app", "Adopted").await?.is_empty(), "it was its own all along");
    Ok(())
}

#[tokio::test]
async fn renamed_target_leaves_an_old_secret_that_is_not_provably_ours() -> Result {
    let scene = &Scene::new("unprovable").await?;
    let mut controller = strict(scene, &[]).await?;
    for name in ["unlabelled", "unowned", "unmarked", "ours"] {
        scene.apply(&external_secret(name, &targeting(&json!({"name": format!("{name}-old")})))).await?;
        scene.is_synced(name).await?;
    }
    // Somebody makes them their own while the operator is away.
    controller.kill().await?;
    let label = json!({"metadata": {"labels": {OWNER_LABEL: null}}});
    scene.edit_secret("unlabelled-old", &label).await?;
    scene.edit_secret("unowned-old", &json!({"metadata": {"ownerReferences": null}})).await?;
    // Nobody's watch shows this one any more, but it is ours.
    scene.edit_secret("unmarked-old", &json!({"metadata": {"labels": {MANAGED_LABEL: null}}})).await?;
    for name in ["unlabelled", "unowned", "unmarked", "ours"] {
        scene.apply(&external_secret(name, &targeting(&json!({"name": format!("{name}-new")})))).await?;
    }
    controller.restart().await?;
    for name in ["unlabelled", "unowned", "unmarked", "ours"] {
        scene.is_synced(name).await?;
        scene.holds(&format!("{name}-new"), &[("password", "first")]).await?;
    }
    wait::gone(&scene.secrets(), "ours-old", SOON).await?;
    wait::gone(&scene.secrets(), "unmarked-old", SOON).await?;
    for name in ["unlabelled-old", "unowned-old"] {
        scene.holds(name, &[("password", "first")]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn another_owner_is_told_by_name_and_nothing_is_written() -> Result {
    let scene = stored("owners", "first").await?;
    scene.apply(&external_secret("first", &targeting(&json!({"name": "shared"})))).await?;
    scene.is_synced("first").await?;
    let before = scene.secrets().get("shared").await?;
    for policy in ["Owner", "Orphan", "Merge", "CreateOrMerge"] {
        let name = format!("second-{policy}").to_lowercase();
        let target = json!({"name": "shared", "creationPolicy": policy});
        scene
            .apply(&external_secret(&name, &with(reads("store", &[("x", "password")]), &json!({"target": target}))))
            .await?;
        let ready = scene.fails(&name, "TargetOwnedByAnother").await?;
        says(&ready.message, &["\"first\"", "spec.target.name"]);
        let bound = scene.ours("ExternalSecret").get(&name).await?.data["status"]["binding"]["name"].clone();
        assert_eq!(bound, "shared", "upstream binds what it tried to update");
    }
    scene.is_untouched(&before).await
}
