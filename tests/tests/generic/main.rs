//! Targets that are no Secrets: ConfigMaps and custom resources, behind `--unsafe-allow-generic-targets`.
//!
//! A controller per namespace, so that some have the flag and some have not. What RBAC they need beyond what is shipped
//! is granted here, as whoever sets the flag must.

#[path = "../alone/mod.rs"]
mod alone;
mod moves;
mod refusals;
mod restarts;
mod safety;
#[path = "../support/mod.rs"]
mod support;

use api::names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, OWNER_LABEL};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use support::{
    Ready, SOON, Scene,
    manifest::{external_secret, fake, reads, secret_store, with},
    says, version,
};
use tests::{Bed, Result, wait};
use tokio::sync::OnceCell;

const FLAG: &str = "--unsafe-allow-generic-targets";

/// A kind of the test: its schema has a default.
const SETTING: (&str, &str) = ("example.com/v1", "Setting");

static GRANTED: OnceCell<std::result::Result<(), String>> = OnceCell::const_new();

/// The custom kind, and the permission to write it and ConfigMaps.
async fn granted(bed: &Bed) -> Result {
    let grant = || async {
        bed.install().await.map_err(|failure| failure.to_string())?;
        bed.apply(&definitions().to_string()).await.map_err(|failure| failure.to_string())
    };
    GRANTED.get_or_init(grant).await.clone().map_err(tests::Failure::new)
}

fn definitions() -> Value {
    let text = json!({"type": "string"});
    let rule = json!({"type": "object", "properties": {"from": text, "to": text}});
    let database = json!({"type": "object", "properties": {
        "host": text, "port": {"type": "integer"}, "pool": {"type": "integer", "default": 5},
    }});
    let spec = json!({"type": "object", "properties": {
        "database": database, "replicas": {"type": "integer"}, "rules": {"type": "array", "items": rule},
        "data": {"type": "object", "additionalProperties": text},
    }});
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let verbs = ["get", "list", "watch", "create", "patch", "delete"];
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "settings.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"kind": "Setting", "plural": "settings"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
            },
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "generic-targets"},
            "rules": [
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs},
                {"apiGroups": ["example.com"], "resources": ["settings"], "verbs": verbs},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "generic-targets"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "generic-targets"},
            "subjects": [{"kind": "ServiceAccount", "name": "external-secrets", "namespace": "external-secrets"}],
        },
    ]})
}

/// A scene with the flag and a store `store` that holds `user` and `password`.
async fn stage(prefix: &str) -> Result<Scene> {
    granted(Bed::shared().await?).await?;
    let scene = Scene::with_flags(prefix, &[FLAG]).await?;
    store(&scene, "first").await?;
    Ok(scene)
}

async fn store(scene: &Scene, password: &str) -> Result {
    scene.apply(&secret_store("store", &fake(&[("user", "bob"), ("password", password)]))).await.map(drop)
}

fn maps(scene: &Scene) -> Api<DynamicObject> {
    scene.api("v1", "ConfigMap")
}

fn settings(scene: &Scene) -> Api<DynamicObject> {
    scene.api(SETTING.0, SETTING.1)
}

/// The spec of an ExternalSecret that writes `password` to a target of this kind.
fn writes((api_version, kind): (&str, &str), target: &Value) -> Value {
    let target = with(json!({"manifest": {"apiVersion": api_version, "kind": kind}}), target);
    with(reads("store", &[("password", "password")]), &json!({"target": target}))
}

const MAP: (&str, &str) = ("v1", "ConfigMap");

async fn holds(api: &Api<DynamicObject>, name: &str, part: &str, wanted: Value) -> Result<DynamicObject> {
    let what = format!("{part} {wanted}");
    wait::object(api, name, &what, SOON, |object| object.data.get(part) == Some(&wanted)).await
}

async fn settles(scene: &Scene, name: &str, reason: &str) -> Result<DynamicObject> {
    scene.settled(name, |ready| ready.reason == reason).await
}

async fn edit(api: &Api<DynamicObject>, name: &str, patch: Value) -> Result<DynamicObject> {
    Ok(api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
}

#[tokio::test]
async fn config_map_without_a_template_holds_the_values_and_is_owned() -> Result {
    let scene = stage("map").await?;
    let manifest = with(
        external_secret("app", &writes(MAP, &json!({"name": "config"}))),
        &json!({"metadata": {"labels": {"team": "blue"}, "annotations": {"note": "x"}}}),
    );
    scene.apply(&manifest).await?;
    let map = holds(&maps(&scene), "config", "data", json!({"password": "first"})).await?;
    let app = settles(&scene, "app", "ResourceSynced").await?;
    assert_eq!(Ready::of(&app).unwrap_or_default().status, "True");
    assert_eq!(map.owner_references()[0].uid, app.uid().unwrap_or_default());
    assert_eq!(map.owner_references()[0].controller, Some(true));
    assert_eq!((map.labels()["team"].as_str(), map.labels()[MANAGED_LABEL].as_str()), ("blue", "true"));
    assert_eq!(map.labels()[OWNER_LABEL], api::hash::owner_label(&scene.namespace, "app"));
    assert_eq!(map.annotations()["note"], "x");
    assert_eq!(map.annotations()[DATA_HASH_ANNOTATION], api::hash::content_hash(&json!({"password": "first"})));
    assert!(scene.secrets().get_opt("config").await?.is_none(), "no Secret beside it");

    store(&scene, "second").await?;
    scene.force_sync("app").await?;
    holds(&maps(&scene), "config", "data", json!({"password": "second"})).await?;

    scene.ours("ExternalSecret").delete("app", &DeleteParams::default()).await?;
    wait::gone(&maps(&scene), "config", SOON).await
}

#[tokio::test]
async fn config_map_follows_its_template() -> Result {
    let scene = stage("shaped").await?;
    let template = json!({
        "metadata": {"labels": {"who": "{{ .password }}"}, "annotations": {"for": "{{ .password }}"}},
        "data": {"url": "db://{{ .password }}"},
        "templateFrom": [{"literal": "port: 5432\nurl: shadowed"}, {"literal": "extra: \"{{ .password }}\"", "target": "Annotations"}],
    });
    scene.apply(&external_secret("app", &writes(MAP, &json!({"template": template})))).await?;
    let map = holds(&maps(&scene), "app", "data", json!({"url": "db://first", "port": "5432"})).await?;
    assert_eq!(map.labels()["who"], "first");
    assert_eq!((map.annotations()["for"].as_str(), map.annotations()["extra"].as_str()), ("first", "first"));
    let smaller = json!({"data": {"url": "only"}});
    scene.apply(&external_secret("app", &writes(MAP, &json!({"template": smaller})))).await?;
    let map =
        wait::object(&maps(&scene), "app", "the new template", SOON, |map| map.data["data"] == json!({"url": "only"}))
            .await?;
    assert!(!map.labels().contains_key("who") && !map.annotations().contains_key("extra"), "{:?}", map.metadata);
    Ok(())
}

fn shaped(password: &str) -> Value {
    json!({"templateFrom": [
        {"literal": "host: db\nport: 5432", "target": "spec.database"},
        {"literal": format!("from: {password}"), "target": "spec.rules[1]"},
        {"literal": "to: x", "target": "spec.rules[1]"},
    ]})
}

#[tokio::test]
async fn custom_resource_gets_values_where_paths_lead() -> Result {
    let scene = stage("paths").await?;
    let spec =
        with(writes(SETTING, &json!({"template": shaped("{{ .password }}")})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    let wanted = |password: &str| json!({"database": {"host": "db", "port": 5432, "pool": 5}, "rules": [{}, {"from": password, "to": "x"}]});
    holds(&settings(&scene), "app", "spec", wanted("first")).await?;
    settles(&scene, "app", "ResourceSynced").await?;
    // The default is the schema's; that it is there is no drift, and costs no write at any refresh.
    let hash = api::hash::content_hash(&wanted("first"));
    let is_noted = |object: &DynamicObject| object.annotations().get(DATA_HASH_ANNOTATION) == Some(&hash);
    let before = wait::object(&settings(&scene), "app", "the hash of what is there", SOON, is_noted).await?;
    for _ in 0..2 {
        let looked_at = scene.reconciles("app").await?;
        scene.is_looked_at("app", looked_at).await?;
    }
    assert_eq!(version(&settings(&scene).get("app").await?), version(&before));

    // Somebody else's field stays; ours comes back, and follows the store.
    edit(&settings(&scene), "app", json!({"spec": {"replicas": 3, "database": {"host": "edited"}}})).await?;
    let mut theirs = wanted("first");
    theirs["replicas"] = json!(3);
    holds(&settings(&scene), "app", "spec", theirs.clone()).await?;
    store(&scene, "second").await?;
    theirs["rules"][1]["from"] = json!("second");
    holds(&settings(&scene), "app", "spec", theirs).await?;

    // What leaves the template leaves the object.
    let smaller = json!({"templateFrom": [{"literal": "host: db", "target": "spec.database"}]});
    scene.apply(&external_secret("app", &writes(SETTING, &json!({"template": smaller})))).await?;
    holds(&settings(&scene), "app", "spec", json!({"database": {"host": "db", "pool": 5}, "replicas": 3})).await?;
    Ok(())
}

#[tokio::test]
async fn custom_resource_without_a_template_holds_the_values_in_its_data() -> Result {
    let scene = stage("bare").await?;
    scene.apply(&external_secret("app", &writes(SETTING, &json!({})))).await?;
    holds(&settings(&scene), "app", "spec", json!({"data": {"password": "first"}})).await?;
    settles(&scene, "app", "ResourceSynced").await?;
    Ok(())
}

#[tokio::test]
async fn drift_is_repaired_at_once() -> Result {
    let scene = stage("drift").await?;
    scene.apply(&external_secret("app", &writes(MAP, &json!({})))).await?;
    let wanted = json!({"password": "first"});
    let whole = holds(&maps(&scene), "app", "data", wanted.clone()).await?;
    settles(&scene, "app", "ResourceSynced").await?;
    for patch in [
        json!({"data": {"password": "edited"}}),
        json!({"data": {"foreign": "x"}}),
        json!({"data": null}),
        json!({"metadata": {"labels": {MANAGED_LABEL: null}}}),
        json!({"metadata": {"labels": {OWNER_LABEL: null}}}),
        json!({"metadata": {"ownerReferences": null}}),
    ] {
        let edited = edit(&maps(&scene), "app", patch.clone()).await?;
        wait::object(&maps(&scene), "app", &format!("repaired after {patch}"), SOON, |map| {
            version(map) != version(&edited)
                && map.data["data"] == wanted
                && map.labels() == whole.labels()
                && map.owner_references() == whole.owner_references()
        })
        .await?;
    }
    maps(&scene).delete("app", &DeleteParams::default()).await?;
    let is_new = |map: &DynamicObject| map.uid() != whole.uid() && map.data["data"] == wanted;
    wait::object(&maps(&scene), "app", "created again", SOON, is_new).await?;
    Ok(())
}

#[tokio::test]
async fn policies_mean_what_they_mean_for_secrets() -> Result {
    let scene = stage("policies").await?;
    let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"theirs": "kept?"}});
    let both = json!({"theirs": "kept?", "password": "first"});
    let ours = json!({"password": "first"});
    // Policy, whether somebody else's is there, reason, data, whether it is owned.
    let rows = [
        ("Owner", true, "ResourceSynced", Some(&ours), true),
        ("Orphan", false, "ResourceSynced", Some(&ours), false),
        ("Orphan", true, "ResourceSynced", Some(&ours), false),
        ("CreateOrMerge", false, "ResourceSynced", Some(&ours), false),
        ("CreateOrMerge", true, "ResourceSynced", Some(&both), false),
        ("Merge", true, "ResourceSynced", Some(&both), false),
        ("Merge", false, "ResourceMissing", None, false),
        ("None", false, "ResourceSynced", None, false),
    ];
    for (policy, there, ..) in &rows {
        let name = format!("{policy}-{there}").to_lowercase();
        if *there {
            scene.apply(&map(&name)).await?;
        }
        scene.apply(&external_secret(&name, &writes(MAP, &json!({"creationPolicy": policy})))).await?;
    }
    for (policy, there, reason, data, owned) in rows {
        let name = format!("{policy}-{there}").to_lowercase();
        settles(&scene, &name, reason).await?;
        let found = maps(&scene).get_opt(&name).await?;
        assert_eq!(found.as_ref().and_then(|map| map.data.get("data")), data, "{name}");
        assert_eq!(found.is_some_and(|map| !map.owner_references().is_empty()), owned, "{name}");
    }
    // A key that leaves the spec leaves a merged object.
    let renamed = with(
        writes(MAP, &json!({"creationPolicy": "Merge"})),
        &json!({"data": [{"secretKey": "again", "remoteRef": {"key": "password"}}]}),
    );
    scene.apply(&external_secret("merge-true", &renamed)).await?;
    holds(&maps(&scene), "merge-true", "data", json!({"theirs": "kept?", "again": "first"})).await?;
    Ok(())
}

#[tokio::test]
async fn object_goes_when_the_provider_has_nothing_or_the_target_is_renamed() -> Result {
    let scene = stage("gone").await?;
    scene.apply(&external_secret("app", &writes(MAP, &json!({"name": "old", "deletionPolicy": "Delete"})))).await?;
    holds(&maps(&scene), "old", "data", json!({"password": "first"})).await?;
    scene.apply(&external_secret("app", &writes(MAP, &json!({"name": "new", "deletionPolicy": "Delete"})))).await?;
    holds(&maps(&scene), "new", "data", json!({"password": "first"})).await?;
    wait::gone(&maps(&scene), "old", SOON).await?;
    scene.apply(&secret_store("store", &fake(&[("other", "x")]))).await?;
    scene.force_sync("app").await?;
    wait::gone(&maps(&scene), "new", SOON).await?;
    settles(&scene, "app", "ResourceDeleted").await?;
    Ok(())
}

#[tokio::test]
async fn target_of_another_external_secret_is_left_alone() -> Result {
    let scene = stage("taken").await?;
    scene.apply(&external_secret("first", &writes(MAP, &json!({"name": "shared"})))).await?;
    holds(&maps(&scene), "shared", "data", json!({"password": "first"})).await?;
    settles(&scene, "first", "ResourceSynced").await?;
    let before = maps(&scene).get("shared").await?;
    let other = with(
        writes(MAP, &json!({"name": "shared"})),
        &json!({"data": [{"secretKey": "user", "remoteRef": {"key": "user"}}]}),
    );
    scene.apply(&external_secret("second", &other)).await?;
    let ready = fails(&scene, "second", "ResourceSyncedError").await?;
    says(&ready.message, &["TargetOwnedByAnother", "\"first\"", "spec.target.name"]);
    assert_eq!(version(&maps(&scene).get("shared").await?), version(&before));
    Ok(())
}

async fn fails(scene: &Scene, name: &str, reason: &str) -> Result<Ready> {
    let failed = |ready: &Ready| ready.status == "False" && ready.reason == reason;
    let object = wait::object(&scene.ours("ExternalSecret"), name, &format!("to fail with {reason}"), SOON, |object| {
        Ready::of(object).is_some_and(|ready| failed(&ready))
    })
    .await?;
    Ok(Ready::of(&object).unwrap_or_default())
}

#[tokio::test]
async fn without_the_flag_nothing_is_written_and_the_flag_is_named() -> Result {
    granted(Bed::shared().await?).await?;
    let scene = Scene::with_flags("off", &[]).await?;
    store(&scene, "first").await?;
    scene.apply(&external_secret("app", &writes(MAP, &json!({})))).await?;
    let ready = fails(&scene, "app", "SecretSyncedError").await?;
    says(&ready.message, &["GenericTargetsDisabled", "spec.target.manifest", FLAG]);
    assert!(maps(&scene).get_opt("app").await?.is_none());
    // A manifest that describes a Secret describes what is written anyway.
    scene.apply(&external_secret("plain", &writes(("v1", "Secret"), &json!({})))).await?;
    scene.holds("plain", &[("password", "first")]).await?;
    scene.is_synced("plain").await?;
    assert!(scene.secrets().get_opt("app").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn kind_that_cannot_be_written_is_told_with_what_to_do() -> Result {
    let scene = stage("kinds").await?;
    for (name, kind, words) in [
        ("unpermitted", ("v1", "Service"), &["KubernetesForbidden", "services", "API group \"\"", "patch"][..]),
        ("unknown", ("example.com/v1", "Nothing"), &["TargetKindUnknown", "no kind Nothing of example.com/v1", "CRD"]),
        ("no-group", ("nowhere.example.com/v1", "Thing"), &["TargetKindUnknown", "nowhere.example.com/v1"]),
        ("global", ("v1", "Namespace"), &["TargetInvalid", "spec.target.manifest", "have no namespace"]),
    ] {
        scene.apply(&external_secret(name, &writes(kind, &json!({})))).await?;
        says(&fails(&scene, name, "ResourceSyncedError").await?.message, words);
    }
    Ok(())
}
