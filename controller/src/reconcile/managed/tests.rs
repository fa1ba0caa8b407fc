use std::sync::Arc;

use serde_json::json;

use super::{hashed::HashedSecret, *};

fn secret(version: u64, value: &str, hash: &str) -> HashedSecret {
    serde_json::from_value(json!({
        "metadata": {
            "name": "s", "namespace": "n", "uid": "u", "resourceVersion": version.to_string(),
            "annotations": {DATA_HASH_ANNOTATION: hash}, "labels": {OWNER_LABEL: "creator"},
        },
        "data": {"foo": value, "bar": "dmFsdWUy"},
    }))
    .expect("secret")
}

/// Upstream's hash of `{foo: value1, bar: value2}`.
const HASH: &str = "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64";

fn applied(secrets: &ManagedObjects, secret: HashedSecret) {
    Sink::applied(secrets, secret);
}

fn watched() -> (ManagedObjects, Arc<Mutex<Vec<ObjectKey>>>) {
    let woken = Arc::new(Mutex::new(Vec::new()));
    let sink = woken.clone();
    (ManagedObjects::new(move |key, _| sink.lock().expect("lock").push(key.clone())), woken)
}

#[test]
fn intact_secret_wakes_nobody_and_an_edited_one_does() {
    let (secrets, woken) = watched();
    applied(&secrets, secret(1, "dmFsdWUx", HASH));
    assert!(secrets.find(&ObjectKey::new("n", "s")).expect("there").intact);
    assert!(woken.lock().expect("lock").is_empty());
    applied(&secrets, secret(2, "ZWRpdGVk", HASH));
    assert_eq!(woken.lock().expect("lock").len(), 1);
}

#[test]
fn event_older_than_our_write_is_ignored() {
    let (secrets, woken) = watched();
    applied(&secrets, secret(5, "dmFsdWUx", HASH));
    applied(&secrets, secret(4, "ZWRpdGVk", HASH));
    assert!(woken.lock().expect("lock").is_empty());
}

fn record(secrets: &ManagedObjects, secret: &Secret) {
    secrets.record(&ObjectKey::of(secret), Managed::from(secret).settled_as(1));
}

fn answer(version: u64) -> Secret {
    serde_json::from_value(json!({
        "metadata": {
            "name": "s", "namespace": "n", "uid": "u", "resourceVersion": version.to_string(),
            "annotations": {DATA_HASH_ANNOTATION: HASH}, "labels": {OWNER_LABEL: "creator"},
        },
        "data": {"foo": "dmFsdWUx", "bar": "dmFsdWUy"},
    }))
    .expect("secret")
}

#[test]
fn answer_to_our_write_does_not_bring_back_a_secret_that_was_deleted_meanwhile() {
    let (secrets, woken) = watched();
    applied(&secrets, secret(5, "dmFsdWUx", HASH));
    Sink::deleted(&secrets, secret(6, "dmFsdWUx", HASH));
    record(&secrets, &answer(5));
    assert_eq!(secrets.find(&ObjectKey::new("n", "s")), None);
    assert_eq!(woken.lock().expect("lock").len(), 1);
}

#[test]
fn metadata_is_settled_by_our_write_until_somebody_changes_it() {
    let (secrets, _) = watched();
    let settled = || secrets.find(&ObjectKey::new("n", "s")).expect("there").settled_as;
    applied(&secrets, secret(5, "dmFsdWUx", HASH));
    assert_eq!(settled(), None, "nobody has looked at it");
    record(&secrets, &answer(5));
    assert_eq!(settled(), Some(1));
    let mut relabelled = answer(6);
    relabelled.metadata.labels = None;
    applied(&secrets, serde_json::from_value(json!(relabelled)).expect("secret"));
    assert_eq!(settled(), None);
}

#[test]
fn secret_that_left_the_list_wakes_and_leaves_the_index() {
    let (secrets, woken) = watched();
    applied(&secrets, secret(1, "dmFsdWUx", HASH));
    assert_eq!(secrets.created_by("n", "creator").len(), 1);
    assert!(secrets.created_by("other", "creator").is_empty(), "an index never crosses namespaces");
    secrets.begin_list();
    secrets.end_list();
    assert_eq!(woken.lock().expect("lock").len(), 1);
    assert!(secrets.created_by("n", "creator").is_empty());
}
