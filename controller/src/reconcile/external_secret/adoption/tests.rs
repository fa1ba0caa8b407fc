use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::*;
use crate::{
    provider::Values,
    reconcile::external_secret::{desired::Author, render::Content},
};

fn desired(creation: CreationPolicy) -> Desired {
    Desired {
        author: Author { namespace: "team".into(), name: "es".into(), uid: "uid-es".into() },
        target: "target".into(),
        creation,
        immutable: false,
        content: Content { data: Values::from([("a".to_owned(), "1".into())]), ..Content::default() },
    }
}

fn secret(metadata: &Value) -> Secret {
    let mut secret: Secret = serde_json::from_value(json!({"metadata": metadata})).expect("secret");
    let data = [("a", "other"), ("b", "2")];
    secret.data = Some(data.map(|(key, value)| (key.to_owned(), ByteString(value.into()))).into());
    secret
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn policy_decides_which_keys_go() {
    let existing = secret(&json!({}));
    for (creation, expected) in [
        (CreationPolicy::Owner, Adoption { whole: true, removed: keys(&["b"]), replaced: keys(&["a"]) }),
        (CreationPolicy::Orphan, Adoption { whole: true, removed: keys(&["b"]), replaced: keys(&["a"]) }),
        (CreationPolicy::Merge, Adoption { whole: false, removed: keys(&[]), replaced: keys(&["a"]) }),
        (CreationPolicy::CreateOrMerge, Adoption { whole: false, removed: keys(&[]), replaced: keys(&["a"]) }),
    ] {
        assert_eq!(Adoption::of(&desired(creation), &existing), Some(expected), "{creation:?}");
    }
    let mut apart = existing;
    apart.data.get_or_insert_default().remove("a");
    assert_eq!(Adoption::of(&desired(CreationPolicy::Merge), &apart), None, "nothing of theirs goes");
}

#[test]
fn traces_of_this_external_secret_make_a_secret_ours() {
    let label = owner_label("team", "es");
    let fields = |manager: &str, fields: Value| json!({"managedFields": [{"manager": manager, "operation": "Update", "fieldsV1": fields}]});
    let wrote = json!({"f:data": {"f:a": {}}});
    let claimed = json!({"f:metadata": {"f:labels": {format!("f:{MANAGED_LABEL}"): {}}}});
    let hashed = json!({"f:metadata": {"f:annotations": {format!("f:{DATA_HASH_ANNOTATION}"): {}}}});
    let marked = json!({"labels": {MANAGED_LABEL: "true"}, "annotations": {DATA_HASH_ANNOTATION: "x"}});
    let owner = |name: &str, uid: &str| {
        json!({"ownerReferences": [
            {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": name, "uid": uid}
        ]})
    };
    let mut of_another = fields(&field_manager("other"), wrote.clone());
    of_another["labels"] = marked["labels"].clone();
    of_another["annotations"] = marked["annotations"].clone();
    for (what, metadata, ours) in [
        ("no trace", json!({}), false),
        ("the managed label alone", json!({"labels": {MANAGED_LABEL: "true"}}), false),
        ("the managed label alone, put on by us", fields(&field_manager("es"), claimed), false),
        ("our owner label", json!({"labels": {OWNER_LABEL: label}}), true),
        ("another's owner label", json!({"labels": {OWNER_LABEL: "other"}}), false),
        ("our UID as owner", owner("es", "uid-es"), true),
        ("our name as owner: an ExternalSecret that was made again", owner("es", "uid-before"), true),
        ("another as owner", owner("other", "uid-other"), false),
        ("our data", fields(&field_manager("es"), wrote.clone()), true),
        ("our hash of no data", fields(&field_manager("es"), hashed), true),
        ("data of kubectl", fields("kubectl", wrote), false),
        ("label and hash, restored from a backup", marked, true),
        ("label and hash of another ExternalSecret", of_another, false),
    ] {
        let adoption = Adoption::of(&desired(CreationPolicy::Owner), &secret(&metadata));
        assert_eq!(adoption.is_none(), ours, "{what}");
    }
}

#[test]
fn note_names_keys_and_no_value_and_only_the_whole_is_refused() {
    let adoption = Adoption::of(&desired(CreationPolicy::Owner), &secret(&json!({}))).expect("foreign");
    let note = adoption.note("target");
    assert!(note.ends_with("keys removed: b; keys replaced: a") && !note.contains("other"), "{note}");
    let many = Adoption { whole: true, removed: (0..12).map(|n| format!("k{n}")).collect(), replaced: vec![] };
    assert!(many.note("t").ends_with("k9 and 2 more"), "{}", many.note("t"));
    let refusal = adoption.refusal("team", "target").expect("refused");
    assert_eq!(refusal.code(), Code::AdoptionRefused);
    assert!(refusal.message().contains("team/target"));
    assert_eq!(Adoption { whole: false, ..adoption }.refusal("team", "target"), None);
}
