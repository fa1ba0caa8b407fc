//! What wakes an ExternalSecret that waits, and whom it leaves alone.
//!
//! Each test lets the ExternalSecret fail twice, after which it does not try again by itself for about 10 s (what a user
//! must mend) or 30 s (what waits for a named thing), and asks for the outcome before that.

use std::time::Duration;

use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use tests::{OpenBao, Result, wait};

use crate::{
    password,
    support::{
        Ready, SOON, Scene, data,
        manifest::{
            cluster_secret_store, external_secret, fake, reads, reads_cluster, secret, secret_store, vault, with,
        },
    },
    token_for,
};

/// Before the next try by itself.
const AT_ONCE: Duration = Duration::from_secs(7);

/// Waits until the Secret holds something, before the ExternalSecret would have tried by itself.
async fn holds_at_once(scene: &Scene, name: &str) -> Result {
    wait::object(&scene.secrets(), name, "its data at once", AT_ONCE, |secret| !data(secret).is_empty()).await.map(drop)
}

/// The reconciles of some ExternalSecrets, which are to stay as they are.
struct Bystanders<'a> {
    scene: &'a Scene,
    counts: Vec<(&'a str, f64)>,
}

impl<'a> Bystanders<'a> {
    async fn of(scene: &'a Scene, names: &[&'a str]) -> Result<Self> {
        let mut counts = Vec::new();
        for name in names {
            counts.push((*name, scene.reconciles(name).await?));
        }
        Ok(Self { scene, counts })
    }

    async fn were_left_alone(&self) -> Result {
        for (name, before) in &self.counts {
            let now = self.scene.reconciles(name).await?;
            assert_eq!(now.to_bits(), before.to_bits(), "{name} was woken");
        }
        Ok(())
    }
}

/// A token that may read what the namespace has at two places; the store's first one may read one of them.
#[tokio::test]
async fn replaced_token_wakes_those_whom_the_old_one_failed_and_nobody_else() -> Result {
    let scene = Scene::new("token").await?;
    let bao = scene.bed.bao().await?;
    let narrow = token_for(&scene, bao).await?;
    let other = format!("other-{}", scene.namespace);
    bao.put(&format!("secret/{other}/db"), &json!({"password": "other"})).await?;
    scene.apply(&secret("token", &[("token", &narrow)])).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    scene.apply(&secret_store("elsewhere", &fake(&[("a", "b")]))).await?;
    let store = json!({"name": "vault"});
    scene.apply(&external_secret("synced", &password(&scene, &store))).await?;
    scene.apply(&external_secret("apart", &reads("elsewhere", &[("a", "a")]))).await?;
    let remote = json!({"key": format!("{other}/db"), "property": "password"});
    let waits = json!({"secretStoreRef": store, "data": [{"secretKey": "password", "remoteRef": remote}]});
    scene.apply(&external_secret("app", &waits)).await?;
    scene.is_synced("synced").await?;
    scene.is_synced("apart").await?;
    scene.fails("app", "VaultPermissionDenied").await?;
    scene.has_failed("app", 2.0).await?;

    let wide = wide_token(&scene, bao, &other).await?;
    let bystanders = Bystanders::of(&scene, &["synced", "apart"]).await?;
    scene.edit_secret("token", &json!({"stringData": {"token": wide}})).await?;
    holds_at_once(&scene, "app").await?;
    bystanders.were_left_alone().await
}

async fn wide_token(scene: &Scene, bao: &OpenBao, other: &str) -> Result<String> {
    bao.policy(other, &format!(r#"path "secret/data/{other}/*" {{ capabilities = ["read"] }}"#)).await?;
    bao.token(&[&scene.namespace, other], Duration::from_hours(1)).await
}

#[tokio::test]
async fn service_account_and_authority_that_appear_or_change_wake_the_store() -> Result {
    let scene = Scene::new("named").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&secret("token", &[("token", &token_for(&scene, bao).await?)])).await?;
    bao.kubernetes_role(scene.client.clone(), &scene.namespace, (&scene.namespace, "reader"), &[&scene.namespace])
        .await?;
    let kubernetes = json!({"vault": {"auth": {"tokenSecretRef": null, "kubernetes": {
        "mountPath": "kubernetes", "role": scene.namespace, "serviceAccountRef": {"name": "reader"},
    }}}});
    let authority = json!({"vault": {"caProvider": {"type": "ConfigMap", "name": "authority", "key": "ca.crt"}}});
    let stores = [
        ("account", with(vault(&bao.address), &kubernetes), "ReferenceNotFound"),
        ("authority", with(vault(&bao.tls_address), &authority), "VaultUntrusted"),
    ];
    let config_map = |pem: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"}, "data": {"ca.crt": pem}});
    let stranger = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?.cert.pem();
    scene.apply(&config_map(&stranger)).await?;
    for (name, provider, code) in &stores {
        scene.apply(&secret_store(name, provider)).await?;
        scene.store_fails("SecretStore", name, code).await?;
        scene.apply(&external_secret(name, &password(&scene, &json!({"name": name})))).await?;
    }
    for (name, _, _) in &stores {
        scene.fails(name, "StoreNotReady").await?;
        scene.has_failed(name, 2.0).await?;
    }
    scene.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}})).await?;
    holds_at_once(&scene, "account").await?;
    scene.apply(&config_map(scene.bed.ca_pem())).await?;
    scene.store_is_valid("SecretStore", "authority").await?;
    holds_at_once(&scene, "authority").await
}

#[tokio::test]
async fn credentials_that_are_not_watched_are_taken_up_at_the_next_refresh() -> Result {
    let scene = Scene::with_flags("unwatched", &["--watch-store-credentials=false"]).await?;
    let bao = scene.bed.bao().await?;
    let first = token_for(&scene, bao).await?;
    scene.apply(&secret("token", &[("token", &first)])).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    let spec = with(password(&scene, &json!({"name": "vault"})), &json!({"refreshInterval": "2s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    scene.holds("app", &[("password", &scene.namespace)]).await?;
    // Both tokens work, so that nothing but a look tells of the second.
    let name = format!("second-{}", scene.namespace);
    let second = json!({"policies": [scene.namespace], "ttl": "1h", "no_parent": true, "display_name": name});
    let second = bao.write("auth/token/create", &second).await?["auth"]["client_token"].clone();
    let mark = bao.mark();
    scene.edit_secret("token", &json!({"stringData": {"token": second}})).await?;
    wait::until("a read with the second token", SOON, || async {
        let uses = bao.requests_since(mark).map_err(|failure| failure.to_string())?;
        let uses = uses.operation("read").filter(|request| request.display_name.ends_with(&name));
        if uses.is_empty() { Err("there is none".to_owned()) } else { Ok(()) }
    })
    .await?;
    bao.write("auth/token/revoke", &json!({"token": first})).await?;
    bao.put(&format!("secret/{}/db", scene.namespace), &json!({"password": "by the second"})).await?;
    scene.holds("app", &[("password", "by the second")]).await?;
    scene.is_synced("app").await.map(drop)
}

#[tokio::test]
async fn label_of_a_namespace_gives_and_takes_a_store_at_once() -> Result {
    let scene = Scene::new("labelled").await?;
    let store = scene.unique("for-payments");
    let selector = json!({"namespaceSelector": {"matchLabels": {"team": "payments"}}});
    let limited = json!({"spec": {"conditions": [selector]}});
    scene.apply(&with(cluster_secret_store(&store, &fake(&[("password", "paid")])), &limited)).await?;
    scene.apply(&secret_store("own", &fake(&[("a", "b")]))).await?;
    scene.apply(&external_secret("apart", &reads("own", &[("a", "a")]))).await?;
    scene.apply(&external_secret("app", &reads_cluster(&store, &[("password", "password")]))).await?;
    scene.is_synced("apart").await?;
    scene.fails("app", "StoreNotAllowed").await?;
    scene.has_failed("app", 2.0).await?;
    let bystanders = Bystanders::of(&scene, &["apart"]).await?;
    scene.label_namespace(&json!({"team": "payments"})).await?;
    holds_at_once(&scene, "app").await?;

    // A label that goes takes the permission with it; what was synced stays.
    let synced = scene.holds("app", &[("password", "paid")]).await?;
    scene.is_synced("app").await?;
    scene.label_namespace(&json!({"team": null})).await?;
    scene.fails("app", "StoreNotAllowed").await?;
    scene.label_namespace(&json!({"other": "label"})).await?;
    scene.label_namespace(&json!({"team": "payments"})).await?;
    scene.is_synced("app").await?;
    bystanders.were_left_alone().await?;
    scene.is_untouched(&synced).await
}

#[tokio::test]
async fn condition_of_a_cluster_store_gives_and_takes_it_at_once() -> Result {
    let scene = Scene::new("limited").await?;
    let store = scene.unique("limited");
    let limited = |namespace: &str| {
        let conditions = json!({"spec": {"conditions": [{"namespaces": [namespace]}]}});
        with(cluster_secret_store(&store, &fake(&[("password", "here")])), &conditions)
    };
    scene.apply(&limited("elsewhere")).await?;
    scene.apply(&external_secret("app", &reads_cluster(&store, &[("password", "password")]))).await?;
    scene.fails("app", "StoreNotAllowed").await?;
    scene.has_failed("app", 2.0).await?;
    scene.apply(&limited(&scene.namespace)).await?;
    holds_at_once(&scene, "app").await?;
    let synced = scene.is_synced("app").await?;
    scene.apply(&limited("elsewhere")).await?;
    scene.fails("app", "StoreNotAllowed").await?;
    assert_eq!(synced.name_any(), "app");
    Ok(())
}

#[tokio::test]
async fn store_that_holds_something_else_is_fetched_by_its_users_and_by_nobody_for_less() -> Result {
    let scene = Scene::new("moved").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&secret("token", &[("token", &token_for(&scene, bao).await?)])).await?;
    let path = format!("secret/{}/db", scene.namespace);
    // The same server by two names.
    let elsewhere = bao.address.replace("127.0.0.1", "localhost");
    assert_ne!(elsewhere, bao.address);
    scene.apply(&secret_store("store", &vault(&bao.address))).await?;
    bao.put(&path, &json!({"password": "first"})).await?;
    scene.apply(&secret_store("other", &fake(&[("password", "other")]))).await?;
    scene.store_is_valid("SecretStore", "store").await?;
    let never = json!({"kind": "allow", "windows": [{"schedule": "0 0 30 2 *", "duration": "1h"}]});
    let waits = [
        ("once", json!({"refreshPolicy": "CreatedOnce"})),
        ("changes", json!({"refreshPolicy": "OnChange"})),
        ("zero", json!({"refreshInterval": "0"})),
        ("held-up", json!({"syncWindows": never})),
    ];
    let remote = json!({"key": format!("{}/db", scene.namespace), "property": "password"});
    let spec = json!({
        "secretStoreRef": {"name": "store"}, "data": [{"secretKey": "password", "remoteRef": remote}],
    });
    for (name, policy) in waits.iter().chain(&[("app", json!({})), ("long", json!({"refreshInterval": "24h"}))]) {
        scene.apply(&external_secret(name, &with(spec.clone(), policy))).await?;
    }
    scene.apply(&external_secret("apart", &reads("other", &[("password", "password")]))).await?;
    let mut before = Vec::new();
    for name in ["app", "long", "apart", "once", "changes", "zero", "held-up"] {
        scene.is_synced(name).await?;
        before.push(scene.secrets().get(name).await?);
    }

    // Neither how it is asked nor what is said of it is any of theirs.
    let all = Bystanders::of(&scene, &["app", "long", "apart", "once", "changes", "zero", "held-up"]).await?;
    for edit in [
        json!({"metadata": {"labels": {"team": "a"}}}),
        json!({"metadata": {"annotations": {"note": "a"}}}),
        json!({"spec": {"retrySettings": {"maxRetries": 1, "retryInterval": "1s"}}}),
        json!({"spec": {"refreshInterval": 1}}),
    ] {
        scene.change("SecretStore", "store", &edit).await?;
    }
    store_is_checked(&scene, "store").await?;
    all.were_left_alone().await?;

    let apart = Bystanders::of(&scene, &["apart"]).await?;
    bao.put(&path, &json!({"password": "second"})).await?;
    scene.apply(&secret_store("store", &vault(&elsewhere))).await?;
    for name in ["app", "long"] {
        wait::object(&scene.secrets(), name, "the new value at once", AT_ONCE, |secret| {
            data(secret).get("password").is_some_and(|value| value == "second")
        })
        .await?;
    }
    apart.were_left_alone().await?;
    for secret in &before[3..] {
        scene.is_untouched(secret).await?;
    }
    // Made anew, it is the same store to nobody who has a value of it.
    scene.ours("SecretStore").delete("store", &DeleteParams::default()).await?;
    wait::gone(&scene.ours("SecretStore"), "store", SOON).await?;
    bao.put(&path, &json!({"password": "third"})).await?;
    scene.apply(&secret_store("store", &vault(&bao.address))).await?;
    scene.holds("app", &[("password", "third")]).await.map(drop)
}

/// Waits for a check of the store that began after now.
async fn store_is_checked(scene: &Scene, name: &str) -> Result {
    let checked = || scene.count("secretstore_reconcile_duration", name);
    for _ in 0..2 {
        let before = checked().await?;
        wait::until("a check of the store", SOON, || async {
            let now = checked().await.map_err(|failure| failure.to_string())?;
            if (now - before).abs() > 0.0 { Ok(()) } else { Err("it was not checked".to_owned()) }
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn condition_of_a_cluster_store_wakes_only_those_whom_it_is_given_or_taken() -> Result {
    let (scene, other) = (Scene::new("turned").await?, Scene::new("unturned").await?);
    let store = scene.unique("limited");
    let limited = |namespaces: &[&str]| {
        let conditions = json!({"spec": {"conditions": [{"namespaces": namespaces}]}});
        with(cluster_secret_store(&store, &fake(&[("password", "here")])), &conditions)
    };
    scene.apply(&limited(&["elsewhere"])).await?;
    for scene in [&scene, &other] {
        scene.apply(&external_secret("app", &reads_cluster(&store, &[("password", "password")]))).await?;
        scene.fails("app", "StoreNotAllowed").await?;
        scene.has_failed("app", 2.0).await?;
    }
    let bystanders = Bystanders::of(&other, &["app"]).await?;
    scene.apply(&limited(&["elsewhere", &scene.namespace])).await?;
    holds_at_once(&scene, "app").await?;
    bystanders.were_left_alone().await?;
    // Nor one who has it and keeps it.
    let bystanders = Bystanders::of(&scene, &["app"]).await?;
    scene.apply(&limited(&[&scene.namespace, &other.namespace])).await?;
    holds_at_once(&other, "app").await?;
    bystanders.were_left_alone().await
}

/// Upstream loses the namespace after the first ClusterSecretStore that it looks at.
#[tokio::test]
async fn class_of_each_store_counts_wherever_it_is_named() -> Result {
    let scene = Scene::new("slip").await?;
    let shared = scene.unique("shared");
    let theirs = json!({"spec": {"controller": "blue"}});
    scene.apply(&cluster_secret_store(&shared, &fake(&[("a", "ours")]))).await?;
    scene.apply(&with(secret_store("theirs", &fake(&[("b", "blue")])), &theirs)).await?;
    scene.store_is_valid("ClusterSecretStore", &shared).await?;
    let entry = |key: &str, store: serde_json::Value| json!({"secretKey": key, "remoteRef": {"key": key}, "sourceRef": {"storeRef": store}});
    let cluster = json!({"name": shared, "kind": "ClusterSecretStore"});
    let from = |key: &str, store: serde_json::Value| json!({"extract": {"key": key}, "sourceRef": {"storeRef": store}});
    let json =
        |name: &str, class: &serde_json::Value| with(secret_store(name, &fake(&[("c", r#"{"c":"blue"}"#)])), class);
    scene.apply(&json("from-theirs", &theirs)).await?;
    let data_entries = json!([entry("a", cluster.clone()), entry("b", json!({"name": "theirs"}))]);
    let rows = [
        ("data", json!({"secretStoreRef": cluster, "data": data_entries}), 2),
        (
            "data-from",
            json!({
                "secretStoreRef": cluster, "data": [entry("a", cluster.clone())],
                "dataFrom": [from("c", json!({"name": "from-theirs"}))],
            }),
            2,
        ),
        ("top", json!({"secretStoreRef": {"name": "theirs"}, "data": [entry("a", cluster.clone())]}), 1),
    ];
    for (name, spec, _) in &rows {
        scene.apply(&external_secret(name, spec)).await?;
        scene.is_looked_at(name, 0.0).await?;
        let untouched = scene.ours("ExternalSecret").get(name).await?;
        assert!(untouched.data.get("status").is_none(), "{name} belongs to another: {}", untouched.data["status"]);
        assert!(scene.secrets().get_opt(name).await?.is_none(), "{name}");
    }

    // A class that becomes ours is a change like any other.
    scene.apply(&secret_store("theirs", &fake(&[("b", "blue")]))).await?;
    scene.apply(&json("from-theirs", &json!({}))).await?;
    for (name, _, keys) in rows {
        wait::object(&scene.secrets(), name, "its values", SOON, |secret| data(secret).len() == keys).await?;
    }
    Ok(())
}

#[tokio::test]
async fn cluster_store_made_anew_tells_those_whom_it_forbids_and_lets_them_in_again() -> Result {
    let (scene, other) = (Scene::new("anew").await?, Scene::new("anew-kept").await?);
    let store = scene.unique("anew");
    let limited = |namespaces: &[&str]| {
        let conditions = json!({"spec": {"conditions": [{"namespaces": namespaces}]}});
        with(cluster_secret_store(&store, &fake(&[("password", "here")])), &conditions)
    };
    let (ours, others) = (scene.namespace.as_str(), other.namespace.as_str());
    scene.apply(&limited(&[ours, others])).await?;
    for scene in [&scene, &other] {
        scene.apply(&external_secret("app", &reads_cluster(&store, &[("password", "password")]))).await?;
        scene.is_synced("app").await?;
    }
    let written = scene.secrets().get("app").await?;
    let stores = scene.ours("ClusterSecretStore");
    let bystanders = Bystanders::of(&other, &["app"]).await?;
    for (namespaces, code) in [(vec![others], Some("StoreNotAllowed")), (vec![ours, others], None)] {
        stores.delete(&store, &DeleteParams::default()).await?;
        wait::gone(&stores, &store, SOON).await?;
        scene.apply(&limited(&namespaces)).await?;
        match code {
            Some(code) => drop(scene.fails("app", code).await?),
            None => drop(scene.is_synced("app").await?),
        }
    }
    bystanders.were_left_alone().await?;
    scene.is_untouched(&written).await
}

#[tokio::test]
async fn list_of_what_is_missing_is_told_again_after_a_failure_that_passed() -> Result {
    let scene = Scene::new("listed").await?;
    let store = scene.unique("listed");
    let limited = |namespace: &str| {
        let conditions = json!({"spec": {"conditions": [{"namespaces": [namespace]}]}});
        with(cluster_secret_store(&store, &fake(&[("a", "here")])), &conditions)
    };
    scene.apply(&limited(&scene.namespace)).await?;
    let spec = reads_cluster(&store, &[("a", "a"), ("gone", "gone")]);
    scene.apply(&external_secret("app", &with(spec, &json!({"target": {"deletionPolicy": "Merge"}})))).await?;
    let is_listed = |ready: &Ready| ready.status == "True" && ready.message.contains("(gone)");
    let before = scene.settled("app", is_listed).await?;
    for _ in 0..2 {
        scene.apply(&limited("elsewhere")).await?;
        scene.fails("app", "StoreNotAllowed").await?;
        scene.apply(&limited(&scene.namespace)).await?;
        let after = scene.is_synced("app").await?;
        assert_eq!(Ready::of(&after).map(|ready| ready.message), Ready::of(&before).map(|ready| ready.message));
        assert_eq!(after.data["status"]["refreshTime"], before.data["status"]["refreshTime"], "nothing was fetched");
    }
    Ok(())
}

/// While a store is another's its users stand still, also at times at which they would have looked at something.
#[tokio::test]
async fn class_that_is_ours_again_wakes_also_those_who_are_synced() -> Result {
    let scene = Scene::new("back").await?;
    let class = |class: serde_json::Value| json!({"spec": {"controller": class}});
    scene.apply(&secret_store("store", &fake(&[("a", "first")]))).await?;
    let every = |interval: &str| with(reads("store", &[("a", "a")]), &json!({"refreshInterval": interval}));
    for (name, interval) in [("often", "5s"), ("seldom", "24h")] {
        scene.apply(&external_secret(name, &every(interval))).await?;
        scene.is_synced(name).await?;
    }
    let before = [scene.reconciles("often").await?, scene.reconciles("seldom").await?];
    scene.change("SecretStore", "store", &class(json!("blue"))).await?;
    // From this look on nobody has a timer.
    scene.is_looked_at("often", before[0]).await?;
    scene.is_looked_at("seldom", before[1]).await?;
    let before = scene.reconciles("seldom").await?;
    scene.delete_secret("seldom").await?;
    scene.is_looked_at("seldom", before).await?;
    scene.change("SecretStore", "store", &json!({"spec": {"provider": fake(&[("a", "second")])}})).await?;
    assert!(scene.secrets().get_opt("seldom").await?.is_none(), "it is another's");

    scene.change("SecretStore", "store", &class(serde_json::Value::Null)).await?;
    for name in ["often", "seldom"] {
        scene.holds(name, &[("a", "second")]).await?;
        scene.is_synced(name).await?;
    }
    Ok(())
}

/// As another operator leaves it behind: synced long ago, and nobody looked since.
#[tokio::test]
async fn store_that_is_handed_over_has_its_users_looked_after() -> Result {
    let scene = Scene::new("handed").await?;
    let store = scene.unique("handed");
    let theirs = json!({"spec": {"controller": "go"}});
    scene.apply(&with(cluster_secret_store(&store, &fake(&[("a", "kept")])), &theirs)).await?;
    scene.apply(&external_secret("app", &reads_cluster(&store, &[("a", "a")]))).await?;
    scene.is_looked_at("app", 0.0).await?;
    let status = json!({"status": {
        "refreshTime": "2026-01-02T03:04:05Z", "syncedResourceVersion": "1-0123456789abcdef", "binding": {"name": "app"},
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }],
    }});
    scene.ours("ExternalSecret").patch_status("app", &PatchParams::default(), &Patch::Merge(status)).await?;
    assert!(scene.secrets().get_opt("app").await?.is_none(), "it is another's");
    scene.change("ClusterSecretStore", &store, &json!({"spec": {"controller": null}})).await?;
    // The store has to be checked for the first time, too.
    holds_at_once(&scene, "app").await
}
