//! SecretStore and ClusterSecretStore: what their condition says, whom they wake, and who may use them.

#[path = "../support/mod.rs"]
mod support;

mod outage;
mod retries;
mod sensing;

use std::time::Duration;

use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use support::{
    Ready, SOON, Scene,
    manifest::{cluster_secret_store, external_secret, fake, reads, reads_cluster, secret, secret_store, vault, with},
    says, version,
};
use tests::{Binary, OpenBao, Process, Result, wait};

const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// A token that may read below `secret/NAMESPACE`, where `db` holds a password.
async fn token_for(scene: &Scene, bao: &OpenBao) -> Result<String> {
    let rules = format!(r#"path "secret/data/{}/*" {{ capabilities = ["read"] }}"#, scene.namespace);
    bao.policy(&scene.namespace, &rules).await?;
    bao.put(&format!("secret/{}/db", scene.namespace), &json!({"password": scene.namespace})).await?;
    bao.token(&[&scene.namespace], TOKEN_LIFE).await
}

/// An entry that reads that password.
fn password(scene: &Scene, store: &Value) -> Value {
    let remote = json!({"key": format!("{}/db", scene.namespace), "property": "password"});
    json!({"secretStoreRef": store, "data": [{"secretKey": "password", "remoteRef": remote}]})
}

#[tokio::test]
async fn valid_store_is_ready_and_can_read_and_write() -> Result {
    let scene = Scene::new("valid").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&secret("token", &[("token", &token_for(&scene, bao).await?)])).await?;
    let cluster = scene.unique("fake");
    scene.apply(&secret_store("fake", &fake(&[("a", "b")]))).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    scene.apply(&cluster_secret_store(&cluster, &fake(&[("a", "b")]))).await?;
    for (kind, name) in [("SecretStore", "fake"), ("SecretStore", "vault"), ("ClusterSecretStore", cluster.as_str())] {
        let store = scene.store_is_valid(kind, name).await?;
        assert_eq!(store.data["status"]["capabilities"], "ReadWrite", "{name}");
        assert_eq!(Ready::of(&store).unwrap_or_default().message, "store validated", "{name}");
    }
    let table = scene.bed.kubectl(&["-n", &scene.namespace, "get", "secretstores"], "").await?.stdout;
    let line = table.lines().find(|line| line.starts_with("vault")).unwrap_or_default();
    says(line, &["Valid", "ReadWrite", "True"]);
    Ok(())
}

#[tokio::test]
async fn store_that_stays_valid_is_written_once() -> Result {
    let scene = Scene::new("steady").await?;
    let often = json!({"spec": {"refreshInterval": 1}});
    scene.apply(&with(secret_store("fake", &fake(&[("a", "b")])), &often)).await?;
    let written = version(&scene.store_is_valid("SecretStore", "fake").await?);
    for _ in 0..2 {
        is_checked_again(&scene, "fake").await?;
    }
    assert_eq!(version(&scene.ours("SecretStore").get("fake").await?), written);
    Ok(())
}

#[tokio::test]
async fn store_recovers_when_its_credentials_appear() -> Result {
    let scene = Scene::new("recovers").await?;
    let bao = scene.bed.bao().await?;
    let token = token_for(&scene, bao).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    scene.apply(&external_secret("app", &password(&scene, &json!({"name": "vault"})))).await?;
    let ready = scene.store_fails("SecretStore", "vault", "ReferenceNotFound").await?;
    says(
        &ready.message,
        &[
            "spec.provider.vault.auth.tokenSecretRef",
            &format!("Secret {}/token", scene.namespace),
            "does not exist",
            "create it",
        ],
    );
    scene.fails("app", "StoreNotReady").await?;
    scene.apply(&secret("token", &[("wrong-key", &token)])).await?;
    let ready = scene.store_fails("SecretStore", "vault", "ReferenceKeyMissing").await?;
    says(&ready.message, &["has no key \"token\""]);
    scene.apply(&secret("token", &[("token", &token)])).await?;
    scene.store_is_valid("SecretStore", "vault").await?;
    scene.holds("app", &[("password", &scene.namespace)]).await?;
    Ok(())
}

#[tokio::test]
async fn repaired_store_wakes_its_external_secrets_at_once() -> Result {
    let scene = Scene::new("woken").await?;
    scene.apply(&secret_store("store", &fake(&[("other", "value")]))).await?;
    scene.apply(&external_secret("app", &reads("store", &[("password", "password")]))).await?;
    scene.fails("app", "RemoteSecretMissing").await?;
    // The next try by itself is now about 10 s away.
    scene.has_failed("app", 2.0).await?;
    scene.apply(&secret_store("store", &fake(&[("password", "repaired")]))).await?;
    let secrets = scene.secrets();
    wait::object(&secrets, "app", "the repaired value before the backoff ends", Duration::from_secs(4), |secret| {
        support::data(secret).get("password").is_some_and(|password| password == "repaired")
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn store_of_another_class_is_left_to_the_controller_of_that_class() -> Result {
    let scene = Scene::new("classes").await?;
    let theirs = with(secret_store("theirs", &fake(&[("password", "blue")])), &json!({"spec": {"controller": "blue"}}));
    let ours =
        with(secret_store("ours", &fake(&[("password", "default")])), &json!({"spec": {"controller": "default"}}));
    scene.apply(&theirs).await?;
    scene.apply(&ours).await?;
    scene.apply(&external_secret("app", &reads("theirs", &[("password", "password")]))).await?;
    // Also where nothing is read from their store, and where only their operator knows what the spec means.
    let entry =
        json!({"secretKey": "k", "remoteRef": {"key": "password"}, "sourceRef": {"storeRef": {"name": "ours"}}});
    let top = json!({"secretStoreRef": {"name": "theirs"}, "data": [entry]});
    scene.apply(&external_secret("top", &top)).await?;
    let generator = json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "p"});
    let odd = json!({"secretStoreRef": {"name": "theirs"}, "dataFrom": [{"sourceRef": {"generatorRef": generator}}]});
    scene.apply(&external_secret("odd", &odd)).await?;
    scene.store_is_valid("SecretStore", "ours").await?;
    for name in ["app", "top", "odd"] {
        scene.is_looked_at(name, 0.0).await?;
    }
    assert!(scene.secrets().get_opt("top").await?.is_none());
    for (kind, name) in
        [("SecretStore", "theirs"), ("ExternalSecret", "app"), ("ExternalSecret", "top"), ("ExternalSecret", "odd")]
    {
        assert!(scene.ours(kind).get(name).await?.data.get("status").is_none(), "{kind} {name} has a status");
    }
    let _blue = blue(&scene, &[]).await?;
    scene.store_is_valid("SecretStore", "theirs").await?;
    scene.holds("app", &[("password", "blue")]).await?;
    Ok(())
}

/// Their operator has work to do before its store may go.
#[tokio::test]
async fn finalizer_of_another_classs_store_stays() -> Result {
    let scene = Scene::new("finalizers").await?;
    let finalizer = json!({"metadata": {"finalizers": ["secretstore.externalsecrets.io/finalizer"]}});
    let theirs = json!({"spec": {"controller": "blue"}});
    let store = |name: &str| with(secret_store(name, &fake(&[("password", "p")])), &finalizer);
    scene.apply(&with(store("theirs"), &theirs)).await?;
    scene.apply(&store("ours")).await?;
    for name in ["theirs", "ours"] {
        scene.ours("SecretStore").delete(name, &DeleteParams::default()).await?;
    }
    wait::gone(&scene.ours("SecretStore"), "ours", SOON).await?;
    let theirs = scene.ours("SecretStore").get("theirs").await?;
    assert_eq!(theirs.finalizers().len(), 1);
    let free = json!({"metadata": {"finalizers": null}});
    scene.ours("SecretStore").patch("theirs", &PatchParams::default(), &Patch::Merge(free)).await?;
    Ok(())
}

/// A second controller, for stores of the class `blue` in this namespace.
async fn blue(scene: &Scene, flags: &[&str]) -> Result<Process> {
    let mut all = vec!["--controller-class=blue", "--namespace", &scene.namespace];
    all.extend(flags);
    scene.bed.operator(Binary::Controller, &all).await
}

#[tokio::test]
async fn store_is_checked_again_at_its_refresh_interval() -> Result {
    let scene = Scene::new("interval").await?;
    let bao = scene.bed.bao().await?;
    let token = token_for(&scene, bao).await?;
    scene.apply(&secret("token", &[("token", &token)])).await?;
    let often = json!({"spec": {"refreshInterval": "1s"}});
    scene.apply(&with(secret_store("often", &vault(&bao.address)), &often)).await?;
    scene.apply(&secret_store("seldom", &vault(&bao.address))).await?;
    scene.store_is_valid("SecretStore", "often").await?;
    let seldom = version(&scene.store_is_valid("SecretStore", "seldom").await?);
    bao.write("auth/token/revoke", &json!({"token": token})).await?;
    scene.store_fails("SecretStore", "often", "VaultLoginDenied").await?;
    let unchecked = scene.ours("SecretStore").get("seldom").await?;
    assert_eq!(version(&unchecked), seldom, "it is checked every 5 minutes only");
    Ok(())
}

#[tokio::test]
async fn store_mended_at_the_backend_is_noticed_at_the_general_interval_and_wakes_its_users() -> Result {
    let scene = Scene::with_flags("mended", &["--store-requeue-interval=2s"]).await?;
    let bao = scene.bed.bao().await?;
    token_for(&scene, bao).await?;
    scene.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}})).await?;
    let kubernetes = json!({"vault": {"auth": {"tokenSecretRef": null, "kubernetes": {
        "mountPath": "kubernetes", "role": scene.namespace, "serviceAccountRef": {"name": "reader"},
    }}}});
    scene.apply(&secret_store("vault", &with(vault(&bao.address), &kubernetes))).await?;
    scene.apply(&external_secret("app", &password(&scene, &json!({"name": "vault"})))).await?;
    scene.store_fails("SecretStore", "vault", "VaultLoginDenied").await?;
    scene.fails("app", "StoreNotReady").await?;
    // As a failure that only a user can end, it would be tried again a minute after this.
    for _ in 0..2 {
        is_checked_again(&scene, "vault").await?;
    }
    bao.kubernetes_role(scene.client.clone(), &scene.namespace, (&scene.namespace, "reader"), &[&scene.namespace])
        .await?;
    let soon = Duration::from_secs(8);
    wait::object(&scene.secrets(), "app", "its data soon after", soon, |secret| !support::data(secret).is_empty())
        .await
        .map(drop)
}

/// An ExternalSecret in each of two namespaces that uses one ClusterSecretStore.
#[tokio::test]
async fn referent_cluster_store_uses_the_credentials_of_each_namespace() -> Result {
    let (one, two) = (Scene::new("referent").await?, Scene::new("referent").await?);
    let bao = one.bed.bao().await?;
    let name = one.unique("vault");
    one.apply(&cluster_secret_store(&name, &vault(&bao.address))).await?;
    let store = one.store_is_valid("ClusterSecretStore", &name).await?;
    says(&Ready::of(&store).unwrap_or_default().message, &["namespace of each ExternalSecret"]);
    let cluster = json!({"name": name, "kind": "ClusterSecretStore"});
    for scene in [&one, &two] {
        scene.apply(&external_secret("app", &password(scene, &cluster))).await?;
        let ready = scene.fails("app", "ReferenceNotFound").await?;
        says(&ready.message, &[&format!("Secret {}/token", scene.namespace)]);
    }
    // The next try of the other by itself is now 30 s away.
    two.has_failed("app", 2.0).await?;
    let looked_at = two.reconciles("app").await?;
    one.apply(&secret("token", &[("token", &token_for(&one, bao).await?)])).await?;
    one.holds("app", &[("password", &one.namespace)]).await?;
    assert_eq!(two.reconciles("app").await?.to_bits(), looked_at.to_bits(), "the credentials of another woke it");
    assert!(two.secrets().get_opt("app").await?.is_none(), "the credentials of another namespace were used");

    two.apply(&secret("token", &[("token", &token_for(&two, bao).await?)])).await?;
    two.holds("app", &[("password", &two.namespace)]).await?;
    // What the one may read, the other may not.
    two.apply(&external_secret("theirs", &password(&one, &cluster))).await?;
    two.fails("theirs", "VaultPermissionDenied").await?;
    Ok(())
}

#[tokio::test]
async fn cluster_store_is_limited_by_names_labels_and_expressions() -> Result {
    let scene = Scene::new("conditions").await?;
    let limits = [
        ("by-name", json!([{"namespaces": ["elsewhere", scene.namespace]}]), true),
        ("by-another-name", json!([{"namespaces": ["elsewhere"]}]), false),
        ("by-expression", json!([{"namespaceRegexes": ["^conditions-[0-9]+-"]}]), true),
        ("by-another-expression", json!([{"namespaceRegexes": ["^elsewhere"]}]), false),
        ("by-any-entry", json!([{"namespaces": ["elsewhere"]}, {"namespaceRegexes": ["tions"]}]), true),
        ("by-no-entry", json!([]), true),
    ];
    for (name, conditions, _) in &limits {
        let store = scene.unique(name);
        let limited = json!({"spec": {"conditions": conditions}});
        scene.apply(&with(cluster_secret_store(&store, &fake(&[("password", name)])), &limited)).await?;
        scene.apply(&external_secret(name, &reads_cluster(&store, &[("password", "password")]))).await?;
    }
    for (name, _, allowed) in &limits {
        if *allowed {
            scene.holds(name, &[("password", name)]).await?;
        } else {
            let ready = scene.fails(name, "StoreNotAllowed").await?;
            says(&ready.message, &[&scene.unique(name), &scene.namespace]);
            assert!(scene.secrets().get_opt(name).await?.is_none());
        }
    }
    Ok(())
}

#[tokio::test]
async fn flood_gate_keeps_external_secrets_from_a_store_that_is_not_ready() -> Result {
    let scene = Scene::new("gate").await?;
    // Fake says that it is not valid, and holds its values all the same: only the gate keeps them.
    let broken = json!({"fake": {"validationResult": 2}});
    let provider = with(fake(&[("password", "behind the gate")]), &broken);
    scene.apply(&secret_store("closed", &provider)).await?;
    scene.apply(&external_secret("gated", &reads("closed", &[("password", "password")]))).await?;
    let ready = scene.fails("gated", "StoreNotReady").await?;
    says(&ready.message, &["SecretStore \"closed\"", "StoreInvalid", "validationResult"]);
    assert!(scene.secrets().get_opt("gated").await?.is_none());

    let _blue = blue(&scene, &["--enable-flood-gate=false"]).await?;
    let theirs = json!({"spec": {"controller": "blue"}});
    scene.apply(&with(secret_store("open", &provider), &theirs)).await?;
    scene.apply(&external_secret("ungated", &reads("open", &[("password", "password")]))).await?;
    scene.holds("ungated", &[("password", "behind the gate")]).await?;
    scene.store_fails("SecretStore", "open", "StoreInvalid").await?;
    Ok(())
}

#[tokio::test]
async fn invalid_block_is_told_with_its_field() -> Result {
    let scene = Scene::new("invalid").await?;
    let cases = [
        ("server", with(vault("vault.example.com"), &json!({})), "server"),
        ("bundle", with(vault("https://127.0.0.1:1"), &json!({"vault": {"caBundle": "bm8gUEVN"}})), "caBundle"),
        ("unknown", json!({"vualt": {"server": "https://127.0.0.1:1"}}), "vault"),
        ("foreign", json!({"gcpsm": {"projectID": "x"}}), "gcpsm"),
    ];
    for (name, provider, word) in &cases {
        scene.apply(&secret_store(name, provider)).await?;
        let stores = scene.ours("SecretStore");
        let what = "to be told what is wrong";
        let failed = wait::object(&stores, name, what, SOON, |object| Ready::of(object).is_some()).await?;
        let ready = Ready::of(&failed).unwrap_or_default();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "InvalidProviderConfig"), "{name}");
        says(&ready.message, &["spec.provider", word]);
    }
    Ok(())
}

#[tokio::test]
async fn interval_that_is_none_is_told() -> Result {
    let scene = Scene::new("no-interval").await?;
    for (name, interval) in [("negative", json!(-1)), ("negative-text", json!("-5s")), ("garbage", json!("soon"))] {
        let spec = json!({"spec": {"refreshInterval": interval}});
        scene.apply(&with(secret_store(name, &fake(&[("a", "b")])), &spec)).await?;
        let ready = scene.store_fails("SecretStore", name, "StoreInvalid").await?;
        says(&ready.message, &["spec.refreshInterval"]);
    }
    for (name, interval) in [("zero", json!(0)), ("zero-text", json!("0s")), ("seconds", json!(30))] {
        let spec = json!({"spec": {"refreshInterval": interval}});
        scene.apply(&with(secret_store(name, &fake(&[("a", "b")])), &spec)).await?;
        scene.store_is_valid("SecretStore", name).await?;
    }
    Ok(())
}

/// As upstream takes it; on apply, the webhook asks to keep one.
#[tokio::test]
async fn first_of_several_ways_to_log_in_is_taken() -> Result {
    let scene = Scene::new("several").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&secret("token", &[("token", &token_for(&scene, bao).await?)])).await?;
    let also = json!({"vault": {"auth": {
        "kubernetes": {"mountPath": "nowhere", "role": "nobody", "serviceAccountRef": {"name": "nobody"}},
        "userPass": {"path": "nowhere", "username": "nobody"},
    }}});
    scene.apply(&secret_store("vault", &with(vault(&bao.address), &also))).await?;
    scene.store_is_valid("SecretStore", "vault").await?;
    scene.apply(&external_secret("app", &password(&scene, &json!({"name": "vault"})))).await?;
    scene.holds("app", &[("password", &scene.namespace)]).await.map(drop)
}

#[tokio::test]
async fn store_that_fails_alike_is_written_once() -> Result {
    let scene = Scene::new("alike").await?;
    let broken = json!({"fake": {"validationResult": 2}});
    let often = json!({"spec": {"refreshInterval": 1}});
    scene.apply(&with(secret_store("fake", &with(fake(&[("a", "b")]), &broken)), &often)).await?;
    scene.store_fails("SecretStore", "fake", "StoreInvalid").await?;
    let written = version(&scene.ours("SecretStore").get("fake").await?);
    for _ in 0..2 {
        is_checked_again(&scene, "fake").await?;
    }
    assert_eq!(version(&scene.ours("SecretStore").get("fake").await?), written);
    Ok(())
}

/// Waits for one more check of a store.
async fn is_checked_again(scene: &Scene, name: &str) -> Result {
    // The length of the last check, to the nanosecond: another one after each.
    let duration = || scene.count("secretstore_reconcile_duration", name);
    let before = duration().await?;
    wait::until("another check", SOON, || async {
        let now = duration().await.map_err(|failure| failure.to_string())?;
        if now.to_bits() == before.to_bits() { Err("it has not come".to_owned()) } else { Ok(()) }
    })
    .await
}

#[tokio::test]
async fn events_tell_when_a_store_turns_and_not_more() -> Result {
    let scene = Scene::new("events").await?;
    let broken = json!({"fake": {"validationResult": 2}});
    let often = json!({"spec": {"refreshInterval": 1}});
    let store = with(secret_store("store", &fake(&[("a", "b")])), &often);
    scene.apply(&with(store.clone(), &json!({"spec": {"provider": broken}}))).await?;
    scene.store_fails("SecretStore", "store", "StoreInvalid").await?;
    scene.apply(&store).await?;
    scene.store_is_valid("SecretStore", "store").await?;
    let silent = json!({"metadata": {"annotations": {"external-secrets.io/ignore-maintenance-checks": "true"}}});
    scene.apply(&with(secret_store("silent", &fake(&[("a", "b")])), &silent)).await?;
    scene.store_is_valid("SecretStore", "silent").await?;
    assert_eq!(events_of(&scene, "silent", 1).await?, ["Normal Valid"]);
    let reasons = events_of(&scene, "store", 3).await?;
    assert_eq!(reasons, ["Normal Valid", "Warning InvalidProviderConfig", "Warning StoreUnmaintained"]);
    Ok(())
}

/// What events tell of a store, sorted, once there are so many.
async fn events_of(scene: &Scene, name: &str, count: usize) -> Result<Vec<String>> {
    let events: Api<DynamicObject> = scene.api("events.k8s.io/v1", "Event");
    wait::until("the events", SOON, || async {
        let list = events.list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?;
        let about = |event: &DynamicObject| event.data["regarding"]["name"] == name;
        let mut reasons: Vec<String> = list
            .items
            .iter()
            .filter(|event| about(event))
            .map(|event| format!("{} {}", event.data["type"], event.data["reason"]).replace('"', ""))
            .collect();
        reasons.sort();
        if reasons.len() >= count { Ok(reasons) } else { Err(format!("{reasons:?}")) }
    })
    .await
}

#[tokio::test]
async fn store_that_goes_leaves_the_secrets() -> Result {
    let (scene, before) = Scene::synced("gone").await?;
    scene.ours("SecretStore").delete("store", &DeleteParams::default()).await?;
    wait::gone(&scene.ours("SecretStore"), "store", SOON).await?;
    scene.force_sync("app").await?;
    scene.fails("app", "StoreNotFound").await?;
    scene.is_untouched(&before).await?;
    assert_eq!(before.name_any(), "app");
    Ok(())
}

#[tokio::test]
async fn metrics_of_a_store_follow_its_condition() -> Result {
    let scene = Scene::new("metrics").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&secret("token", &[("token", "wrong")])).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    scene.store_fails("SecretStore", "vault", "VaultLoginDenied").await?;
    shows(&scene, 0.0).await?;
    scene.edit_secret("token", &json!({"stringData": {"token": token_for(&scene, bao).await?}})).await?;
    scene.change("SecretStore", "vault", &json!({"metadata": {"annotations": {"look": "again"}}})).await?;
    scene.store_is_valid("SecretStore", "vault").await?;
    shows(&scene, 1.0).await
}

/// Waits until the condition's series say whether the store is ready.
async fn shows(scene: &Scene, ready: f64) -> Result {
    let controller = support::controller(scene.bed).await?;
    let namespace = format!("namespace=\"{}\"", scene.namespace);
    wait::until("the series of the condition", SOON, || async {
        let labels = |status| ["name=\"vault\"", namespace.as_str(), status];
        let series = |status| controller.metric("secretstore_status_condition", status);
        let (yes, no) = (labels("status=\"True\""), labels("status=\"False\""));
        let (yes, no) = (series(&yes).await, series(&no).await);
        let (yes, no) = (yes.map_err(|error| error.to_string())?, no.map_err(|error| error.to_string())?);
        if yes == Some(ready) && no == Some(1.0 - ready) { Ok(()) } else { Err(format!("True {yes:?}, False {no:?}")) }
    })
    .await
}
