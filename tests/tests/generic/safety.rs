//! What keeps Secrets safe keeps other targets safe: mass deletion, adoption, old knowledge, a namespace that goes.

use k8s_openapi::api::{core::v1::Namespace, events::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams},
};
use serde_json::{Value, json};
use tests::{Bed, Binary, Result, wait};

use crate::{
    FLAG, MAP, SETTING, edit, fails, granted, holds, maps, settings, settles, stage,
    support::{
        SOON, Scene,
        manifest::{external_secret, fake, reads, secret_store, with},
        says, version,
    },
    writes,
};

/// A fifth of them is 2.4.
const ENTRIES: usize = 12;

fn api_of(scene: &Scene, kind: (&str, &str)) -> Api<DynamicObject> {
    scene.api(kind.0, kind.1)
}

/// A store of its own, with entries from `first` on.
async fn store_from(scene: &Scene, name: &str, first: usize) -> Result {
    let entries: Vec<_> = (first..ENTRIES).map(|n| format!("k{n}")).collect();
    let mut entries: Vec<_> = entries.iter().map(|key| (key.as_str(), "x")).collect();
    entries.push(("other", "x"));
    scene.apply(&secret_store(name, &fake(&entries))).await.map(drop)
}

#[tokio::test]
async fn store_that_suddenly_has_nothing_takes_nothing_from_any_kind() -> Result {
    let scene = stage("mass").await?;
    let keys: Vec<_> = (0..ENTRIES).map(|n| format!("k{n}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), key.as_str())).collect();
    let filled = json!({"templateFrom": [
        {"literal": "{{ range $key, $value := . }}{{ $key }}: {{ $value }}\n{{ end }}", "target": "spec.data"},
    ]});
    let rows = [
        ("map-keys", MAP, json!({"deletionPolicy": "Merge"}), 5),
        ("map-whole", MAP, json!({"deletionPolicy": "Delete"}), ENTRIES),
        ("bare-keys", SETTING, json!({"deletionPolicy": "Merge"}), 5),
        ("path-keys", SETTING, json!({"deletionPolicy": "Merge", "template": filled}), 5),
    ];
    for (name, kind, target, _) in &rows {
        store_from(&scene, name, 0).await?;
        let manifest = json!({"manifest": {"apiVersion": kind.0, "kind": kind.1}});
        let spec = with(reads(name, &entries), &json!({"target": with(manifest, target), "refreshInterval": "2s"}));
        scene.apply(&external_secret(name, &spec)).await?;
    }
    for (name, kind, _, lost) in &rows {
        settles(&scene, name, "ResourceSynced").await?;
        let before = api_of(&scene, *kind).get(name).await?;
        store_from(&scene, name, *lost).await?;
        let ready = fails(&scene, name, "ResourceSyncedError").await?;
        says(&ready.message, &["DeletionsHeld: ", "of the 12"]);
        assert_eq!(version(&api_of(&scene, *kind).get(name).await?), version(&before), "{name}");
        store_from(&scene, name, 0).await?;
        settles(&scene, name, "ResourceSynced").await?;
    }
    Ok(())
}

/// Notes of the events of one reason about an ExternalSecret, once there is one.
async fn told(scene: &Scene, name: &str, reason: &str) -> Result<String> {
    let api: Api<Event> = Api::namespaced(scene.client.clone(), &scene.namespace);
    wait::until(&format!("the event {reason} of {name}"), SOON, || async {
        let events = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let mut about = events.items.into_iter().filter(|event| {
            let about = event.regarding.as_ref().and_then(|about| about.name.as_deref());
            about == Some(name) && event.reason.as_deref() == Some(reason)
        });
        about.find_map(|event| event.note).ok_or_else(|| "it is not there".to_owned())
    })
    .await
}

fn theirs() -> [(&'static str, (&'static str, &'static str), Value); 2] {
    let data = json!({"password": "canary-theirs", "foreign": "canary-foreign"});
    let object = |(api_version, kind): (&str, &str), name: &str, content: Value| {
        with(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}), &content)
    };
    [
        ("map", MAP, object(MAP, "map", json!({"data": data}))),
        ("bare", SETTING, object(SETTING, "bare", json!({"spec": {"data": data}}))),
    ]
}

#[tokio::test]
async fn adoption_is_told_with_what_goes() -> Result {
    let scene = stage("adopted").await?;
    for (name, kind, object) in theirs() {
        scene.apply(&object).await?;
        scene.apply(&external_secret(name, &writes(kind, &json!({})))).await?;
        let note = told(&scene, name, "Adopted").await?;
        says(&note, &[&format!("\"{name}\""), "taken over", "keys removed: foreign", "keys replaced: password"]);
        assert!(!note.contains("canary"), "{note}");
        settles(&scene, name, "ResourceSynced").await?;
    }
    Ok(())
}

#[tokio::test]
async fn refused_adoption_leaves_the_object_as_it_is() -> Result {
    granted(Bed::shared().await?).await?;
    let scene = Scene::with_flags("strict", &[FLAG, "--refuse-adoption"]).await?;
    crate::store(&scene, "first").await?;
    for (name, kind, object) in theirs() {
        let before = scene.apply(&object).await?;
        scene.apply(&external_secret(name, &writes(kind, &json!({})))).await?;
        let ready = fails(&scene, name, "ResourceSyncedError").await?;
        says(&ready.message, &["AdoptionRefused: ", &scene.namespace, name, "delete it"]);
        assert_eq!(version(&api_of(&scene, kind).get(name).await?), version(&before));
    }
    // What it made is its own to repair.
    scene.apply(&external_secret("own", &writes(MAP, &json!({})))).await?;
    holds(&maps(&scene), "own", "data", json!({"password": "first"})).await?;
    settles(&scene, "own", "ResourceSynced").await?;
    edit(&maps(&scene), "own", json!({"data": {"password": "edited"}})).await?;
    holds(&maps(&scene), "own", "data", json!({"password": "first"})).await.map(drop)
}

#[tokio::test]
async fn nothing_of_others_is_overwritten_or_made_again_on_old_knowledge() -> Result {
    granted(Bed::shared().await?).await?;
    let scene = Scene::without_controller("late").await?;
    crate::store(&scene, "first").await?;
    let proxy = scene.bed.proxy(&scene.namespace).await?;
    let flags = ["--namespace", &scene.namespace, FLAG, "--enable-cluster-store-reconciler=false"];
    let _controller = scene.bed.operator_with(Binary::Controller, &flags, &proxy.environment()).await?;
    for (name, kind) in [("gone", MAP), ("merged", MAP), ("bare", SETTING)] {
        scene.apply(&external_secret(name, &writes(kind, &json!({})))).await?;
        settles(&scene, name, "ResourceSynced").await?;
    }
    proxy.record(None).await?;
    proxy.freeze("externalsecrets");
    // The controller does not know that it is not asked for any more, or to share.
    scene.ours("ExternalSecret").delete("gone", &DeleteParams::orphan()).await?;
    wait::gone(&scene.ours("ExternalSecret"), "gone", SOON).await?;
    maps(&scene).delete("gone", &DeleteParams::default()).await?;
    let shared = json!({"spec": {"target": {"creationPolicy": "CreateOrMerge"}}});
    for name in ["merged", "bare"] {
        scene.change("ExternalSecret", name, &shared).await?;
    }
    edit(&maps(&scene), "merged", json!({"data": {"theirs": "x"}})).await?;
    edit(&settings(&scene), "bare", json!({"spec": {"data": {"theirs": "x"}}})).await?;
    for name in ["gone", "merged", "bare"] {
        // The question whether what is known still holds; only then was there something to be wrong about.
        let asked = format!("GET externalsecrets {name}");
        wait::until(&asked, SOON, || async {
            let calls: Vec<_> = proxy.calls().iter().map(ToString::to_string).collect();
            if calls.contains(&asked) { Ok(()) } else { Err(format!("there were {calls:?}")) }
        })
        .await?;
    }
    proxy.thaw("externalsecrets");
    for name in ["merged", "bare"] {
        settles(&scene, name, "ResourceSynced").await?;
    }
    let both = json!({"password": "first", "theirs": "x"});
    assert_eq!(maps(&scene).get("merged").await?.data["data"], both);
    assert_eq!(settings(&scene).get("bare").await?.data["spec"]["data"], both);
    assert!(maps(&scene).get_opt("gone").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn nothing_is_made_again_in_a_namespace_that_goes() -> Result {
    let scene = stage("going").await?;
    let names: Vec<_> = (0..10).map(|n| format!("app-{n}")).collect();
    for name in &names {
        scene.apply(&external_secret(name, &writes(MAP, &json!({})))).await?;
    }
    for name in &names {
        settles(&scene, name, "ResourceSynced").await?;
    }
    let before = scene.bed.api_mark().await?;
    let namespaces: Api<Namespace> = Api::all(scene.client.clone());
    namespaces.delete(&scene.namespace, &DeleteParams::default()).await?;
    wait::gone(&namespaces, &scene.namespace, SOON).await?;
    let requests = scene.bed.api_requests_since(before).await?.of(Binary::Controller).in_namespace(&scene.namespace);
    let written = requests.writes().filter(|request| request.resource != "events" && request.status < 300);
    assert!(written.is_empty(), "{written}");
    // Limited to one namespace, the controller does not watch namespaces: one ExternalSecret asks for all.
    let asked = requests.filter(|request| request.resource == "namespaces");
    assert!(asked.len() <= 1, "{asked}");
    for name in &names {
        assert!(scene.failures(name).await? < 1.0, "{name}: {requests}");
    }
    Ok(())
}

#[tokio::test]
async fn deletion_policy_says_the_same_of_an_object_that_is_not_owned() -> Result {
    let scene = stage("verdict").await?;
    let absent = json!({"data": [{"secretKey": "password", "remoteRef": {"key": "absent"}}]});
    let spec =
        |policy: &str| with(writes(MAP, &json!({"creationPolicy": policy, "deletionPolicy": "Delete"})), &absent);
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}, "data": {"theirs": "x"}});
    let before = scene.apply(&object).await?;
    scene.apply(&external_secret("owner", &spec("Owner"))).await?;
    let settled = settles(&scene, "owner", "ResourceDeleted").await?;
    assert!(settled.data["status"]["conditions"][0]["message"].as_str().unwrap_or_default().ends_with("stays"));
    assert_eq!(version(&maps(&scene).get("owner").await?), version(&before));
    scene.apply(&external_secret("orphan", &spec("Orphan"))).await?;
    let ready = fails(&scene, "orphan", "ResourceSyncedError").await?;
    says(&ready.message, &["SpecInvalid: ", "deletionPolicy", "Owner"]);
    assert_eq!(before.name_any(), "owner");
    Ok(())
}
