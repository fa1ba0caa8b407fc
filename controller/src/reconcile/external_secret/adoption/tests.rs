use api::{external_secret::CreationPolicy, names::field_manager};
use serde_json::{Value, json};

use super::*;
use crate::reconcile::external_secret::{desired::Author, render::Content};

fn desired(creation: CreationPolicy) -> Desired {
    Desired {
        author: Author { namespace: "team".into(), name: "es".into(), uid: "uid-es".into() },
        target: "target".into(),
        creation,
        immutable: false,
        content: Content::default(),
    }
}

fn meta(metadata: &Value) -> ObjectMeta {
    serde_json::from_value(metadata.clone()).expect("metadata")
}

fn changes(removed: &[&str], replaced: &[&str]) -> Changes {
    Changes { removed: keys(removed), replaced: keys(replaced) }
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn whoever_takes_the_whole_adopts_and_whoever_merges_only_what_changes() {
    let existing = meta(&json!({}));
    for (creation, whole) in [
        (CreationPolicy::Owner, true),
        (CreationPolicy::Orphan, true),
        (CreationPolicy::Merge, false),
        (CreationPolicy::CreateOrMerge, false),
    ] {
        let taken = changes(&["b"], &["a"]);
        let adoption = Adoption::of(&desired(creation), &existing, taken.clone());
        assert_eq!(adoption, Some(Adoption { whole, changes: taken }), "{creation:?}");
        let untouched = Adoption::of(&desired(creation), &existing, Changes::default());
        assert_eq!(untouched.is_some(), whole, "{creation:?}: nothing of theirs goes");
    }
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
        let adoption = Adoption::of(&desired(CreationPolicy::Owner), &meta(&metadata), Changes::default());
        assert_eq!(adoption.is_none(), ours, "{what}");
    }
}

#[test]
fn note_names_keys_and_no_value_and_only_the_whole_is_refused() {
    let adoption = Adoption { whole: true, changes: changes(&["b"], &["a"]) };
    let note = adoption.note("secret \"target\"");
    assert!(note.starts_with("secret \"target\" was not made"), "{note}");
    assert!(note.ends_with("keys removed: b; keys replaced: a"), "{note}");
    let many = Changes { removed: (0..12).map(|n| format!("k{n}")).collect(), replaced: vec![] };
    let many = Adoption { whole: true, changes: many }.note("t");
    assert!(many.ends_with("k9 and 2 more"), "{many}");
    let refusal = adoption.refusal("secret team/target").expect("refused");
    assert_eq!(refusal.code(), Code::AdoptionRefused);
    assert!(refusal.message().contains("secret team/target"));
    assert_eq!(Adoption { whole: false, ..adoption }.refusal("secret team/target"), None);
}
