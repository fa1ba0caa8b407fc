//! What others do to a target costs no more than it must: nothing where what they do is their own affair, a repair where it is
//! not, and ever fewer repairs where they do not stop. Counted in the audit files of both servers.

#[path = "../alone/mod.rs"]
mod alone;

use std::{collections::BTreeMap, time::Duration};

use alone::Alone;
use api::{hash::data_hash, names::DATA_HASH_ANNOTATION};
use k8s_openapi::{ByteString, api::core::v1::Secret, api::events::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::{
    Process, Result,
    resources::{SOON, settled, synced},
    wait,
};

/// How often somebody edits a Secret: often beside the number of calls that would be right.
const EDITS: usize = 30;

fn merged(mut object: Value, over: &Value) -> Value {
    let (Some(there), Some(over)) = (object.as_object_mut(), over.as_object()) else { return over.clone() };
    for (name, value) in over {
        let value = merged(there.get(name).cloned().unwrap_or_default(), value);
        there.insert(name.clone(), value);
    }
    object
}

/// An ExternalSecret whose spec has other fields.
fn with(alone: &Alone, name: &str, spec: &Value) -> Value {
    merged(alone.external_secret(name, "1h"), &json!({"spec": spec}))
}

/// One key of the entry.
fn only(field: &str, alone: &Alone) -> Value {
    json!([{"secretKey": field, "remoteRef": {"key": format!("{}/db", alone.namespace), "property": field}}])
}

async fn edit(alone: &Alone, name: &str, manager: &str, patch: &Value) -> Result<Secret> {
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    Ok(alone.secrets()?.patch(name, &params, &Patch::Merge(patch)).await?)
}

fn hash_is_right(secret: &Secret) -> bool {
    let none = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&none);
    let data: BTreeMap<String, Vec<u8>> = data.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect();
    secret.annotations().get(DATA_HASH_ANNOTATION) == Some(&data_hash(&data))
}

fn holds(secret: &Secret, key: &str, value: &str) -> bool {
    secret.data.iter().flatten().any(|(name, ByteString(there))| name == key && there == value.as_bytes())
}

/// A controller, the Secret `shared` of somebody else, and the ExternalSecret `app` that merges five keys into it.
async fn shared(prefix: &str) -> Result<(Alone, Process)> {
    let alone = Alone::with_token(prefix).await?;
    let theirs = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shared"}, "stringData": {"theirs": "x"},
    });
    let app = with(&alone, "app", &json!({"target": {"name": "shared", "creationPolicy": "Merge"}}));
    alone.create([theirs, app]).await?;
    let controller = alone.controller().await?;
    synced(alone.bed, &alone.namespace, "app").await?;
    Ok((alone, controller))
}

/// Waits until the controller has acted on every event of a Secret so far.
async fn acted(alone: &Alone, value: &str) -> Result {
    edit(alone, "shared", "other", &json!({"stringData": {"theirs": value}})).await?;
    let follows = |secret: &Secret| holds(secret, "theirs", value) && hash_is_right(secret);
    wait::object(&alone.secrets()?, "shared", "the hash to follow", SOON, follows).await.map(drop)
}

#[tokio::test]
async fn edits_of_what_is_theirs_ask_no_store_and_cost_the_annotation() -> Result {
    let (alone, controller) = shared("theirs").await?;
    let both = with(&alone, "both", &json!({"target": {"creationPolicy": "CreateOrMerge"}}));
    alone.create([both]).await?;
    synced(alone.bed, &alone.namespace, "both").await?;
    settled(&controller, &[("externalsecret", 2.0), ("secretstore", 1.0)]).await?;
    let before = alone.moment().await?;
    for name in ["shared", "both"] {
        for number in 0..EDITS {
            edit(&alone, name, "other", &json!({"stringData": {"theirs": number.to_string()}})).await?;
        }
        wait::object(&alone.secrets()?, name, "the hash to follow", SOON, |secret: &Secret| {
            holds(secret, "theirs", &(EDITS - 1).to_string()) && holds(secret, "a", "1") && hash_is_right(secret)
        })
        .await?;
        for key in ["theirs", "added"] {
            edit(&alone, name, "other", &json!({"stringData": {key: "once more"}})).await?;
            let follows = |secret: &Secret| holds(secret, key, "once more") && hash_is_right(secret);
            wait::object(&alone.secrets()?, name, "the hash to follow", SOON, follows).await?;
        }
    }
    let happened = alone.since(before).await?;
    assert!(happened.reads.is_empty(), "{}", happened.reads);
    let writes = happened.api.writes();
    assert_eq!(writes.len(), writes.resource("secrets").verb("patch").len(), "{writes}");
    assert!(writes.len() <= 2 * (EDITS + 2), "{writes}");
    assert!(happened.api.reads().resource("secrets").is_empty(), "{}", happened.api);

    let before = alone.moment().await?;
    edit(&alone, "shared", "other", &json!({"stringData": {"a": "edited"}})).await?;
    wait::object(&alone.secrets()?, "shared", "our key to be repaired", SOON, |secret: &Secret| {
        holds(secret, "a", "1") && hash_is_right(secret)
    })
    .await?;
    let happened = alone.since(before).await?;
    assert_eq!(happened.reads.len(), 1, "{}", happened.reads);
    Ok(())
}

#[tokio::test]
async fn edits_of_a_target_that_could_not_be_written_leave_the_backoff_as_it_is() -> Result {
    let (alone, controller) = shared("failing").await?;
    let labels = [("namespace", alone.namespace.as_str()), ("name", "broken")]
        .map(|(name, value)| format!("{name}=\"{value}\""));
    let failures = async || -> Result<f64> {
        let labels = labels.each_ref().map(String::as_str);
        Ok(controller.metric("externalsecret_sync_calls_error", &labels).await?.unwrap_or_default())
    };
    let foreign = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "foreign"}, "stringData": {"theirs": "x"},
    });
    let missing =
        json!([{"secretKey": "a", "remoteRef": {"key": format!("{}/db", alone.namespace), "property": "missing"}}]);
    let broken = with(&alone, "broken", &json!({"target": {"name": "foreign"}, "data": missing}));
    alone.create([foreign, broken]).await?;
    // After 2 s and 10 s; the next try comes after a minute.
    wait::until("the first three failures", SOON, || async {
        let failures = failures().await.map_err(|failure| failure.to_string())?;
        if failures >= 3.0 { Ok(()) } else { Err(failures.to_string()) }
    })
    .await?;
    let labelled = alone.secrets()?.get("foreign").await?;
    assert!(labelled.labels().contains_key(api::names::MANAGED_LABEL), "it is watched");
    let before = alone.moment().await?;
    for number in 0..EDITS {
        edit(&alone, "foreign", "other", &json!({"stringData": {"theirs": number.to_string()}})).await?;
    }
    acted(&alone, "after them").await?;
    settled(&controller, &[("externalsecret", 5.0)]).await?;
    let happened = alone.since(before).await?;
    assert!(happened.reads.is_empty(), "{}", happened.reads);
    assert!(failures().await? < 4.0, "nobody was woken");
    Ok(())
}

/// Somebody who writes a key again whenever it is not theirs.
async fn oppose(secrets: Api<Secret>, name: &str) -> Result {
    let params = PatchParams { field_manager: Some("rogue".to_owned()), ..PatchParams::default() };
    loop {
        if !holds(&secrets.get(name).await?, "a", "theirs") {
            let patch = json!({"stringData": {"a": "theirs"}});
            secrets.patch(name, &params, &Patch::Merge(&patch)).await?;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn writer_who_answers_each_repair_is_met_ever_less_often_and_told_of_once() -> Result {
    let alone = Alone::with_token("fight").await?;
    let _controller = alone.controller().await?;
    alone.create([alone.external_secret("db", "1h")]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    let events: Api<Event> = Api::namespaced(alone.bed.admin()?, &alone.namespace);
    let contested = async || -> Result<Vec<Event>> {
        let all = events.list(&ListParams::default()).await?;
        Ok(all.items.into_iter().filter(|event| event.reason.as_deref() == Some("Contested")).collect())
    };
    let before = alone.moment().await?;
    let opponent = tokio::spawn({
        let secrets = alone.secrets()?;
        async move { oppose(secrets, "db").await }
    });
    wait::until("the fight to be told", SOON, || async {
        let told = contested().await.map_err(|failure| failure.to_string())?;
        if told.is_empty() { Err("no event".to_owned()) } else { Ok(()) }
    })
    .await?;
    let reads = alone.since(before).await?.reads.len();
    assert!((5..=6).contains(&reads), "{reads} reads for five repairs");
    opponent.abort();
    let _ = opponent.await;
    let restored = |secret: &Secret| holds(secret, "a", "1") && hash_is_right(secret);
    wait::object(&alone.secrets()?, "db", "to be restored", SOON, restored).await?;
    let told = contested().await?;
    assert_eq!(told.len(), 1, "{told:?}");
    let note = told[0].note.clone().unwrap_or_default();
    assert!(note.starts_with("rogue changes secret \"db\" (keys: a) each time"), "{note}");
    let reads = alone.since(before).await?.reads.len();
    assert!(reads <= 8, "{reads} reads");
    Ok(())
}

#[tokio::test]
async fn keys_that_another_external_secret_removed_return_at_once() -> Result {
    let alone = Alone::with_token("orphan").await?;
    let controller = alone.controller().await?;
    let target = |policy: &str| json!({"name": "both", "creationPolicy": policy});
    let whole = with(&alone, "whole", &json!({"target": target("Orphan"), "data": only("a", &alone)}));
    alone.create([whole]).await?;
    synced(alone.bed, &alone.namespace, "whole").await?;
    let part = with(&alone, "part", &json!({"target": target("Merge"), "data": only("b", &alone)}));
    alone.create([part]).await?;
    let has_both = |secret: &Secret| holds(secret, "b", "2") && hash_is_right(secret);
    wait::object(&alone.secrets()?, "both", "to hold both keys", SOON, has_both).await?;
    synced(alone.bed, &alone.namespace, "part").await?;

    alone.put(&json!({"a": "new", "b": "2", "c": "3", "d": "4", "e": "5"})).await?;
    let before = alone.moment().await?;
    alone.kubectl(&["annotate", "externalsecret", "whole", "force=1"], "").await?;
    let has_all = |secret: &Secret| holds(secret, "a", "new") && holds(secret, "b", "2") && hash_is_right(secret);
    wait::object(&alone.secrets()?, "both", "to hold both keys again", SOON, has_all).await?;
    settled(&controller, &[("externalsecret", 4.0)]).await?;
    let happened = alone.since(before).await?;
    assert_eq!(happened.reads.len(), 2, "one for each: {}", happened.reads);
    assert_eq!(happened.api.writes().resource("secrets").len(), 2, "and neither goes on: {}", happened.api);
    Ok(())
}

#[tokio::test]
async fn search_that_found_nothing_is_not_made_again_after_a_restart() -> Result {
    let alone = Alone::with_token("nothing").await?;
    let namespace = alone.namespace.as_str();
    let rules = format!(
        "path \"secret/data/{namespace}/*\" {{ capabilities = [\"read\"] }}\n\
         path \"secret/metadata/{namespace}/*\" {{ capabilities = [\"list\"] }}\n\
         path \"secret/metadata/{namespace}\" {{ capabilities = [\"list\"] }}"
    );
    alone.bao.policy(namespace, &rules).await?;
    let find = json!([{"find": {"path": namespace, "name": {"regexp": "^nothing$"}}}]);
    let foreign =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "foreign"}, "stringData": {"a": "x"}});
    let absent = with(&alone, "absent", &json!({"data": [], "dataFrom": find}));
    let present = with(&alone, "present", &json!({"target": {"name": "foreign"}, "data": [], "dataFrom": find}));
    alone.create([foreign, absent, present]).await?;
    let mut controller = alone.controller().await?;
    for name in ["absent", "present"] {
        synced(alone.bed, namespace, name).await?;
    }
    controller.kill().await?;
    let before = alone.bao.mark();
    controller.restart().await?;
    settled(&controller, &[("externalsecret", 2.0), ("secretstore", 1.0)]).await?;
    let lists = async || {
        Ok::<_, tests::Failure>(alone.bao.requests_since(before)?.path_prefix(&format!("secret/metadata/{namespace}")))
    };
    assert!(lists().await?.is_empty(), "{}", lists().await?);
    alone.kubectl(&["annotate", "externalsecret", "absent", "force=1"], "").await?;
    wait::until("a search that was asked for", SOON, || async {
        let lists = lists().await.map_err(|failure| failure.to_string())?;
        if lists.len() == 1 { Ok(()) } else { Err(lists.to_string()) }
    })
    .await
}
