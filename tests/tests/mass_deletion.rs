//! A store that suddenly has nothing: at most the allowed share is deleted, the rest is held until the entries are back or the
//! store's owner allows it, also across a restart of the operator.

mod alone;

use std::{collections::BTreeMap, time::Duration};

use alone::{Alone, STORE};
use api::names::ALLOW_DELETIONS_ANNOTATION;
use futures::future::try_join_all;
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tests::{Process, Result, wait};

/// Long beside what the operator takes, also while another program compiles on the same machine.
const SOON: Duration = Duration::from_mins(1);

/// A fifth of them is 2.4: two may go.
const ENTRIES: usize = 12;
const ALLOWED: usize = 2;

struct Store {
    alone: Alone,
    kind: &'static str,
    name: String,
}

impl Store {
    async fn new() -> Result<Self> {
        let store = Self { alone: Alone::with_token("mass").await?, kind: "SecretStore", name: STORE.to_owned() };
        store.put_all().await?;
        Ok(store)
    }

    /// The same as a ClusterSecretStore.
    async fn of_cluster() -> Result<Self> {
        let store = Self::new().await?;
        let alone = &store.alone;
        let name = format!("{}-{STORE}", alone.namespace);
        let mut object = serde_json::to_value(store.api("SecretStore")?.get(STORE).await?)?;
        object["kind"] = json!("ClusterSecretStore");
        object["metadata"] = json!({"name": name});
        object["spec"]["provider"]["vault"]["auth"]["tokenSecretRef"]["namespace"] = json!(alone.namespace);
        let object: DynamicObject = serde_json::from_value(object)?;
        let store = Self { kind: "ClusterSecretStore", name, ..store };
        store.api("ClusterSecretStore")?.create(&PostParams::default(), &object).await?;
        Ok(store)
    }

    fn path(&self, entry: usize) -> String {
        format!("secret/{}/e{entry}", self.alone.namespace)
    }

    async fn put_all(&self) -> Result {
        self.put(0..ENTRIES, "x").await
    }

    async fn put(&self, entries: impl IntoIterator<Item = usize>, value: &str) -> Result {
        let put = |entry| async move { self.alone.bao.put(&self.path(entry), &json!({"value": value})).await };
        try_join_all(entries.into_iter().map(put)).await.map(drop)
    }

    async fn delete(&self, entries: impl IntoIterator<Item = usize>) -> Result {
        let delete = |entry| async move { self.alone.bao.delete(&self.path(entry)).await };
        try_join_all(entries.into_iter().map(delete)).await.map(drop)
    }

    fn external_secret(&self, entry: usize) -> Value {
        let remote = json!({"key": format!("{}/e{entry}", self.alone.namespace), "property": "value"});
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": format!("e{entry}")},
            "spec": {
                "refreshInterval": "2s",
                "secretStoreRef": {"name": STORE},
                "target": {"deletionPolicy": "Delete"},
                "data": [{"secretKey": "value", "remoteRef": remote}],
            },
        })
    }

    fn api(&self, kind: &str) -> Result<Api<DynamicObject>> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", kind));
        let client = self.alone.bed.admin()?;
        Ok(match kind {
            "ClusterSecretStore" => Api::all_with(client, &resource),
            _ => Api::namespaced_with(client, &self.alone.namespace, &resource),
        })
    }

    /// UIDs of the Secrets of the entries by name.
    async fn secrets(&self) -> Result<BTreeMap<String, String>> {
        let managed = ListParams::default().labels("reconcile.external-secrets.io/managed=true");
        let secrets = self.alone.secrets()?.list(&managed).await?;
        Ok(secrets.items.iter().map(|secret| (secret.name_any(), secret.uid().unwrap_or_default())).collect())
    }

    /// Waits until the ExternalSecrets say so many times `SecretSynced`, `SecretDeleted` and `DeletionsHeld`.
    async fn count(&self, synced: usize, deleted: usize, held: usize) -> Result {
        let what = format!("{synced} synced, {deleted} deleted, {held} held");
        let api = self.api("ExternalSecret")?;
        wait::until(&what, SOON, || async {
            let objects = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let ready: Vec<_> = objects.items.iter().filter_map(|object| condition(object, "Ready")).collect();
            let is = |reason: &str| ready.iter().filter(|ready| ready["reason"] == reason).count();
            let says =
                |ready: &&Value| ready["message"].as_str().is_some_and(|text| text.starts_with("DeletionsHeld: "));
            let seen = (is("SecretSynced"), is("SecretDeleted"), ready.iter().filter(|ready| says(ready)).count());
            if seen == (synced, deleted, held) { Ok(()) } else { Err(format!("{seen:?}: {ready:?}")) }
        })
        .await
    }

    /// Waits until the store's condition is as wanted, and returns its message.
    async fn condition(&self, status: &str) -> Result<String> {
        let told = |object: &DynamicObject| {
            condition(object, "DeletionsHeld").is_some_and(|condition| condition["status"] == status)
        };
        let what = format!("DeletionsHeld={status}");
        let store = wait::object(&self.api(self.kind)?, &self.name, &what, SOON, told).await?;
        let ready = condition(&store, "Ready").unwrap_or_default();
        assert_eq!((ready["status"].as_str(), ready["reason"].as_str()), (Some("True"), Some("Valid")));
        let condition = condition(&store, "DeletionsHeld").unwrap_or_default();
        Ok(condition["message"].as_str().unwrap_or_default().to_owned())
    }

    async fn metric(&self, controller: &Process, value: f64) -> Result {
        let labels = [r#"condition="DeletionsHeld""#, r#"status="True""#];
        wait::until("the metric", SOON, || async {
            let now = controller.metric("secretstore_status_condition", &labels).await.map_err(|it| it.to_string())?;
            if now == Some(value) { Ok(()) } else { Err(format!("it is {now:?}")) }
        })
        .await
    }

    async fn annotate(&self, kind: &str, name: &str, key: &str, value: &str) -> Result {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        self.api(kind)?.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }
}

/// The value of a Secret's key.
fn value<'a>(secret: &'a Secret, key: &str) -> &'a [u8] {
    secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[], |value| &value.0)
}

fn has_keys(keys: usize) -> impl Fn(&Secret) -> bool {
    move |secret| secret.data.as_ref().is_some_and(|data| data.len() == keys)
}

fn condition(object: &DynamicObject, type_: &str) -> Option<Value> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == type_).cloned()
}

#[tokio::test]
async fn mass_deletion_is_held_until_entries_return_or_the_owner_allows_it() -> Result {
    let store = Store::new().await?;
    let mut controller = store.alone.controller().await?;
    store.alone.valid().await?;
    store.alone.create((0..ENTRIES).map(|entry| store.external_secret(entry))).await?;
    store.count(ENTRIES, 0, 0).await?;

    // One is what deletionPolicy is for.
    store.delete([0]).await?;
    store.count(ENTRIES - 1, 1, 0).await?;
    assert_eq!(store.secrets().await?.len(), ENTRIES - 1);

    // All is not.
    store.delete(1..ENTRIES).await?;
    store.count(0, ALLOWED, ENTRIES - ALLOWED).await?;
    let message = store.condition("True").await?;
    for part in ["DeletionsHeld: ", "3 of the 12", ALLOW_DELETIONS_ANNOTATION] {
        assert!(message.contains(part), "{message}");
    }
    let held = store.secrets().await?;
    assert_eq!(held.len(), ENTRIES - ALLOWED);
    store.metric(&controller, 1.0).await?;

    // A restart forgets nothing of it.
    controller.restart().await?;
    let name = held.keys().next().cloned().unwrap_or_default();
    for name in held.keys() {
        let label = format!("name=\"{name}\"");
        wait::until(&format!("{name} to be looked at again"), SOON, || async {
            let failed = controller.metric("externalsecret_sync_calls_error", &[&label]).await;
            if failed.is_ok_and(|failed| failed >= Some(1.0)) { Ok(()) } else { Err("it was not".to_owned()) }
        })
        .await?;
    }
    store.count(0, ALLOWED, ENTRIES - ALLOWED).await?;
    assert_eq!(store.secrets().await?, held, "the very same Secrets");
    store.condition("True").await?;
    store.metric(&controller, 1.0).await?;

    // One that finds its entry again makes the others look.
    store.put_all().await?;
    store.annotate("ExternalSecret", &name, "force-sync", "1").await?;
    store.count(ENTRIES, 0, 0).await?;
    assert!(store.condition("False").await?.contains("found again"));
    store.metric(&controller, 0.0).await?;
    let back = store.secrets().await?;
    assert!(held.iter().all(|(name, uid)| back.get(name) == Some(uid)), "they were never away");

    // Meant this time.
    store.delete(0..ENTRIES).await?;
    store.count(0, ALLOWED, ENTRIES - ALLOWED).await?;
    store.condition("True").await?;
    let never = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48)).to_string();
    store.annotate("SecretStore", STORE, ALLOW_DELETIONS_ANNOTATION, &never).await?;
    wait::until("the annotation to be found wanting", SOON, || async {
        let message = store.condition("True").await.map_err(|failure| failure.to_string())?;
        if message.contains("within the next 24 h") { Ok(()) } else { Err(message) }
    })
    .await?;
    assert_eq!(store.secrets().await?.len(), ENTRIES - ALLOWED);
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    store.annotate("SecretStore", STORE, ALLOW_DELETIONS_ANNOTATION, &until).await?;
    store.count(0, ENTRIES, 0).await?;
    assert!(store.secrets().await?.is_empty());
    assert!(store.condition("False").await?.contains("allows"));
    Ok(())
}

/// The values of one ExternalSecret, of which single keys go: deletionPolicy Merge, a store of the cluster.
#[tokio::test]
async fn keys_of_missing_entries_are_held_too() -> Result {
    let store = Store::of_cluster().await?;
    let _controller = store.alone.controller().await?;
    let entry = |entry: usize| {
        let remote = json!({"key": format!("{}/e{entry}", store.alone.namespace), "property": "value"});
        json!({"secretKey": format!("k{entry}"), "remoteRef": remote})
    };
    let object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "app"},
        "spec": {
            "refreshInterval": "2s",
            "secretStoreRef": {"name": store.name, "kind": store.kind},
            "target": {"deletionPolicy": "Merge"},
            "data": (0..ENTRIES).map(entry).collect::<Vec<_>>(),
        },
    });
    store.alone.create([object]).await?;
    store.count(1, 0, 0).await?;
    let secrets = store.alone.secrets()?;
    store.delete(0..ALLOWED).await?;
    let fewer = wait::object(&secrets, "app", "without two keys", SOON, has_keys(ENTRIES - ALLOWED)).await?;
    let ready =
        || async { Ok::<_, tests::Failure>(condition(&store.api("ExternalSecret")?.get("app").await?, "Ready")) };
    let told = |ready: Option<Value>| ready.unwrap_or_default()["message"].as_str().unwrap_or_default().to_owned();
    wait::until("the missing entries to be listed", SOON, || async {
        let message = told(ready().await.map_err(|failure| failure.to_string())?);
        let listed = message.starts_with("secret synced; ")
            && ["spec.data[0] (", "/e0)", "spec.data[1] (", "/e1)", "left out"]
                .iter()
                .all(|part| message.contains(part));
        if listed { Ok(()) } else { Err(message) }
    })
    .await?;
    store.delete(ALLOWED..ALLOWED + 3).await?;
    store.count(0, 0, 1).await?;
    assert!(store.condition("True").await?.contains("5 of the 12"));
    assert_eq!(secrets.get("app").await?.resource_version(), fewer.resource_version());
    let message = told(ready().await?);
    assert!(message.contains("the keys of what is missing stay"), "{message}");

    // What is there goes on.
    store.put([ENTRIES - 1], "rotated").await?;
    store.annotate("ExternalSecret", "app", "force-sync", "1").await?;
    let rotated = |secret: &Secret| value(secret, &format!("k{}", ENTRIES - 1)) == b"rotated";
    let now = wait::object(&secrets, "app", "the rotated value", SOON, rotated).await?;
    assert!(has_keys(ENTRIES - ALLOWED)(&now), "{:?}", now.data.map(|data| data.into_keys().collect::<Vec<_>>()));
    assert_eq!(value(&now, &format!("k{ALLOWED}")), b"x", "missing at the provider, and kept");
    store.count(0, 0, 1).await?;
    let events = Api::<Event>::namespaced(store.alone.bed.admin()?, &store.alone.namespace);
    let notes: Vec<_> = events.list(&ListParams::default()).await?.items.into_iter().filter_map(|it| it.note).collect();
    assert!(notes.iter().any(|note| note.contains("left out")), "{notes:?}");
    assert!(!notes.iter().any(|note| note.contains("left out") && note.contains("spec.data[2]")), "{notes:?}");

    store.put_all().await?;
    store.annotate("ExternalSecret", "app", "force-sync", "2").await?;
    wait::object(&secrets, "app", "all keys", SOON, has_keys(ENTRIES)).await?;
    store.count(1, 0, 0).await?;
    store.condition("False").await.map(drop)
}

/// What does not go is lost all the same: most of the store's users keep what they have.
#[tokio::test]
async fn losses_count_whatever_the_deletion_policy() -> Result {
    const KEEPING: usize = ENTRIES - 3;
    let store = Store::new().await?;
    let _controller = store.alone.controller().await?;
    store.alone.valid().await?;
    let object = |entry: usize| {
        let mut object = store.external_secret(entry);
        object["spec"]["target"]["deletionPolicy"] = json!(if entry < KEEPING { "Retain" } else { "Delete" });
        object["spec"]["refreshInterval"] = json!(if entry < KEEPING { "2s" } else { "1h" });
        object
    };
    store.alone.create((0..ENTRIES).map(object)).await?;
    store.count(ENTRIES, 0, 0).await?;
    store.delete(0..ENTRIES).await?;
    store.condition("True").await?;
    for entry in KEEPING..ENTRIES {
        store.annotate("ExternalSecret", &format!("e{entry}"), "force-sync", "1").await?;
    }
    store.count(0, 0, ENTRIES - KEEPING).await?;
    assert_eq!(store.secrets().await?.len(), ENTRIES);
    store.put_all().await?;
    store.annotate("ExternalSecret", "e0", "force-sync", "1").await?;
    store.count(ENTRIES, 0, 0).await?;
    store.condition("False").await.map(drop)
}

/// Two of twelve are a fifth, however many there once were.
#[tokio::test]
async fn what_went_on_purpose_is_not_served() -> Result {
    const ALL: usize = 2 * ENTRIES;
    let store = Store::new().await?;
    store.put(ENTRIES..ALL, "x").await?;
    let _controller = store.alone.controller().await?;
    store.alone.valid().await?;
    let until = |seconds| (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string();
    store.annotate("SecretStore", STORE, ALLOW_DELETIONS_ANNOTATION, &until(3600)).await?;
    store.alone.create((0..ALL).map(|entry| store.external_secret(entry))).await?;
    store.count(ALL, 0, 0).await?;
    store.delete(0..ENTRIES).await?;
    store.count(ENTRIES, ENTRIES, 0).await?;
    store.annotate("SecretStore", STORE, ALLOW_DELETIONS_ANNOTATION, &until(-3600)).await?;
    store.delete(ENTRIES..ALL).await?;
    store.count(0, ENTRIES + ALLOWED, ENTRIES - ALLOWED).await?;
    assert!(store.condition("True").await?.contains("3 of the 12"));
    assert_eq!(store.secrets().await?.len(), ENTRIES - ALLOWED);
    Ok(())
}

/// A search is as many secrets as it brought.
#[tokio::test]
async fn search_that_shrinks_is_held() -> Result {
    let store = Store::new().await?;
    let namespace = store.alone.namespace.as_str();
    let rules = format!("path \"secret/+/{namespace}/*\" {{ capabilities = [\"read\", \"list\"] }}");
    let here = format!("path \"secret/metadata/{namespace}\" {{ capabilities = [\"list\"] }}");
    store.alone.bao.policy(namespace, &format!("{rules}\n{here}")).await?;
    let mut controller = store.alone.controller().await?;
    store.alone.valid().await?;
    let mut object = store.external_secret(0);
    object["metadata"]["name"] = json!("app");
    object["spec"]["refreshInterval"] = json!("1h");
    object["spec"]["data"] = json!([]);
    object["spec"]["dataFrom"] = json!([{
        "find": {"path": store.alone.namespace, "name": {"regexp": "e[0-9]+$"}},
        "rewrite": [{"regexp": {"source": "^.*(e[0-9]+)$", "target": "$1"}}],
    }]);
    store.alone.create([object]).await?;
    store.count(1, 0, 0).await?;
    let secrets = store.alone.secrets()?;
    let before = wait::object(&secrets, "app", "all keys", SOON, has_keys(ENTRIES)).await?;

    // What an edit takes away is no loss.
    let narrower = |regexp: &str| {
        json!({"spec": {"dataFrom": [{"find": {"path": store.alone.namespace, "name": {"regexp": regexp}},
        "rewrite": [{"regexp": {"source": "^.*(e[0-9]+)$", "target": "$1"}}]}]}})
    };
    for (regexp, keys) in [("e[0-4]$", 5), ("e[0-9]+$", ENTRIES)] {
        let patch = Patch::Merge(narrower(regexp));
        store.api("ExternalSecret")?.patch("app", &PatchParams::default(), &patch).await?;
        wait::object(&secrets, "app", regexp, SOON, has_keys(keys)).await?;
        store.count(1, 0, 0).await?;
    }

    let refresh = |token: &'static str| store.annotate("ExternalSecret", "app", "force-sync", token);
    store.delete(1..ENTRIES).await?;
    refresh("1").await?;
    store.count(0, 0, 1).await?;
    assert!(store.condition("True").await?.contains("11 of the 12"));
    controller.restart().await?;
    store.put([0], "rotated").await?;
    refresh("2").await?;
    let has_rotated = |secret: &Secret| String::from_utf8_lossy(value(secret, "e0")).contains("rotated");
    let now = wait::object(&secrets, "app", "the rotated value", SOON, has_rotated).await?;
    assert!(has_keys(ENTRIES)(&now), "{:?}", now.data.map(|data| data.into_keys().collect::<Vec<_>>()));

    // The last one too: nothing is found, and nothing is deleted.
    store.delete([0]).await?;
    refresh("3").await?;
    wait::until("the whole to be held", SOON, || async {
        let object = store.api("ExternalSecret").map_err(|failure| failure.to_string())?.get("app").await;
        let ready = object.map_err(|error| error.to_string())?;
        let ready = condition(&ready, "Ready").unwrap_or_default();
        if ready["message"].as_str().is_some_and(|text| text.contains("stays whole")) {
            Ok(())
        } else {
            Err(ready.to_string())
        }
    })
    .await?;
    let now = secrets.get("app").await?;
    assert_eq!((now.uid(), has_keys(ENTRIES)(&now)), (before.uid(), true));
    store.put_all().await?;
    refresh("4").await?;
    store.count(1, 0, 0).await?;
    store.condition("False").await.map(drop)
}

/// One ExternalSecret may search two stores: what one of them loses is no loss of the other.
#[tokio::test]
async fn searched_store_answers_for_its_own_keys() -> Result {
    let store = Store::new().await?;
    let namespace = store.alone.namespace.as_str();
    let rules = format!("path \"secret/+/{namespace}/*\" {{ capabilities = [\"read\", \"list\"] }}");
    store.alone.bao.policy(namespace, &rules).await?;
    let path = |folder: &str, entry: usize| format!("secret/{namespace}/{folder}/{folder}{entry}");
    for folder in ["a", "b"] {
        for entry in 0..ENTRIES {
            store.alone.bao.put(&path(folder, entry), &json!({"value": "x"})).await?;
        }
    }
    let mut other = serde_json::to_value(store.api("SecretStore")?.get(STORE).await?)?;
    other["metadata"] = json!({"name": "other"});
    let _controller = store.alone.controller().await?;
    store.api("SecretStore")?.create(&PostParams::default(), &serde_json::from_value(other)?).await?;
    store.alone.valid().await?;
    let search = |folder: &str, name: &str| {
        json!({
            "sourceRef": {"storeRef": {"name": name}},
            "find": {"path": format!("{namespace}/{folder}"), "name": {"regexp": "."}},
            "rewrite": [{"regexp": {"source": "^.*/", "target": ""}}],
        })
    };
    let mut object = store.external_secret(0);
    object["metadata"]["name"] = json!("app");
    object["spec"]["refreshInterval"] = json!("1h");
    object["spec"]["data"] = json!([]);
    object["spec"]["dataFrom"] = json!([search("a", STORE), search("b", "other")]);
    store.alone.create([object]).await?;
    store.count(1, 0, 0).await?;
    let secrets = store.alone.secrets()?;
    wait::object(&secrets, "app", "all keys", SOON, has_keys(2 * ENTRIES)).await?;

    // Two of each may go; of the other, all are lost.
    for entry in 0..ALLOWED {
        store.alone.bao.delete(&path("a", entry)).await?;
    }
    for entry in 0..ENTRIES {
        store.alone.bao.delete(&path("b", entry)).await?;
    }
    store.annotate("ExternalSecret", "app", "force-sync", "1").await?;
    store.count(0, 0, 1).await?;
    let held = |object: &DynamicObject| condition(object, "DeletionsHeld").is_some();
    let told = wait::object(&store.api("SecretStore")?, "other", "to hold deletions", SOON, held).await?;
    let message = condition(&told, "DeletionsHeld").unwrap_or_default()["message"].to_string();
    assert!(message.contains("12 of the 12"), "{message}");
    let innocent = store.api("SecretStore")?.get(STORE).await?;
    assert!(!held(&innocent), "{:?}", condition(&innocent, "DeletionsHeld"));
    Ok(())
}
