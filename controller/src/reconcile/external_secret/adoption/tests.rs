use api::{
    external_secret::CreationPolicy,
    hash::owner_label,
    names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, OWNER_LABEL, field_manager},
};
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
    Changes { removed: keys(removed), replaced: keys(replaced), ..Changes::default() }
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

const NEW: State = State { intact: false, settled: false, shared: false };
const INTACT: State = State { intact: true, ..NEW };

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
        let adoption = Adoption::of(&desired(creation), &existing, NEW, taken.clone());
        assert_eq!(adoption, Some(Adoption { whole, known: false, changes: taken }), "{creation:?}");
        let untouched = Adoption::of(&desired(creation), &existing, NEW, Changes::default());
        assert_eq!(untouched.is_some(), whole, "{creation:?}: nothing of theirs goes");
    }
}

#[test]
fn traces_of_this_external_secret_make_a_secret_ours() {
    let label = owner_label("team", "es");
    let fields = |manager: &str, fields: Value| json!({"managedFields": [{"manager": manager, "operation": "Update", "fieldsV1": fields}]});
    let wrote = json!({"f:data": {"f:a": {}}});
    let claimed = json!({"f:metadata": {"f:labels": {format!("f:{MANAGED_LABEL}"): {}}}});
    let marked = json!({"labels": {MANAGED_LABEL: "true"}, "annotations": {DATA_HASH_ANNOTATION: "x"}});
    let owner = |name: &str, uid: &str, controls: bool| {
        json!({"ownerReferences": [{
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": name, "uid": uid,
            "controller": controls,
        }]})
    };
    let first_data = json!({"f:data": {".": {}, "f:a": {}}, "f:immutable": {}});
    let mut of_another = fields(&field_manager("other"), wrote.clone());
    of_another["labels"] = marked["labels"].clone();
    of_another["annotations"] = marked["annotations"].clone();
    for (what, metadata, ours) in [
        ("no trace", json!({}), false),
        ("the managed label alone", json!({"labels": {MANAGED_LABEL: "true"}}), false),
        ("the managed label alone, put on by us", fields(&field_manager("es"), claimed), false),
        ("our owner label", json!({"labels": {OWNER_LABEL: label}}), true),
        ("another's owner label", json!({"labels": {OWNER_LABEL: "other"}}), false),
        ("our UID as owner", owner("es", "uid-es", true), true),
        ("our name as owner: an ExternalSecret that was made again", owner("es", "uid-before", true), true),
        ("our UID as an owner that controls nothing", owner("es", "uid-es", false), false),
        ("another as owner", owner("other", "uid-other", true), false),
        ("created by us", fields(&field_manager("es"), json!({"f:type": {}})), true),
        ("of no type, its first data from us", fields(&field_manager("es"), first_data), true),
        ("data of kubectl", fields("kubectl", wrote), false),
        ("label and hash, restored from a backup", marked.clone(), true),
        ("label and hash, with another's owner label", with_owner_label(marked, "other"), false),
        ("label and hash of another ExternalSecret", of_another, false),
    ] {
        let adoption = Adoption::of(&desired(CreationPolicy::Owner), &meta(&metadata), INTACT, Changes::default());
        assert_eq!(adoption.is_none(), ours, "{what}");
    }
}

#[test]
fn label_that_came_with_a_copy_makes_nothing_ours() {
    let label = owner_label("team", "es");
    let by = |manager: &str| {
        let fields = json!({"f:data": {".": {}, "f:mine": {}}, "f:type": {}});
        json!({"labels": {OWNER_LABEL: label, MANAGED_LABEL: "true"},
               "managedFields": [{"manager": manager, "operation": "Update", "fieldsV1": fields}]})
    };
    let (copy, ours) = (meta(&by("kubectl")), meta(&by(&field_manager("es"))));
    for creation in [CreationPolicy::Owner, CreationPolicy::Orphan] {
        let taken = changes(&["mine"], &["password"]);
        let adoption = Adoption::of(&desired(creation), &copy, NEW, taken.clone());
        assert_eq!(adoption, Some(Adoption { whole: true, known: false, changes: taken.clone() }), "{creation:?}");
        assert_eq!(Adoption::of(&desired(creation), &ours, NEW, taken), None, "{creation:?}");
    }
}

fn with_owner_label(mut metadata: Value, label: &str) -> Value {
    metadata["labels"][OWNER_LABEL] = json!(label);
    metadata
}

#[test]
fn secret_that_somebody_else_created_is_theirs_even_if_its_first_data_is_ours() {
    let written = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "fieldsV1": fields});
    let existing = meta(&json!({"managedFields": [
        written("kubectl-create", json!({"f:type": {}})),
        written(&field_manager("es"), json!({"f:data": {".": {}, "f:mine": {}}, "f:immutable": {}})),
        written("kubectl-patch", json!({"f:data": {"f:theirs": {}}})),
    ]}));
    for creation in [CreationPolicy::Owner, CreationPolicy::Orphan] {
        let adoption = Adoption::of(&desired(creation), &existing, INTACT, changes(&["theirs"], &["mine"]));
        assert_eq!(adoption, Some(Adoption { whole: true, known: true, changes: changes(&["theirs"], &[]) }));
    }
}

#[test]
fn what_others_wrote_while_it_was_shared_is_no_drift_when_the_policy_takes_the_whole() {
    let written = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "fieldsV1": fields});
    let made = json!({"managedFields": [
        written(&field_manager("es"), json!({"f:data": {".": {}, "f:mine": {}}, "f:type": {}})),
        written("kubectl-patch", json!({"f:data": {"f:theirs": {}, "f:both": {}}})),
    ]});
    let owned = with_owner_label(made.clone(), &owner_label("team", "es"));
    let [made, owned] = [made, owned].map(|metadata| meta(&metadata));
    let (settled, shared) = (State { settled: true, ..NEW }, State { shared: true, ..NEW });
    for (what, existing, creation, state, is_told) in [
        ("shared until now", &made, CreationPolicy::Owner, shared, true),
        ("shared until now", &made, CreationPolicy::Orphan, shared, true),
        (
            "still shared, with nothing asked anew",
            &made,
            CreationPolicy::Merge,
            State { shared: true, ..settled },
            false,
        ),
        ("shared, with another key asked for", &made, CreationPolicy::CreateOrMerge, NEW, true),
        ("not owned until now", &made, CreationPolicy::Owner, NEW, true),
        ("an orphan before", &made, CreationPolicy::Orphan, NEW, false),
        ("in step", &made, CreationPolicy::Owner, settled, false),
        ("owned", &owned, CreationPolicy::Owner, NEW, false),
        ("owned and in step", &owned, CreationPolicy::Owner, settled, false),
    ] {
        let adoption = Adoption::of(&desired(creation), existing, state, changes(&["theirs"], &["mine", "both"]));
        let whole = creation != CreationPolicy::CreateOrMerge;
        let expected = Adoption { whole, known: true, changes: changes(&["theirs"], &["both"]) };
        assert_eq!(adoption, is_told.then_some(expected), "{what}: {creation:?}");
    }
}

#[test]
fn edited_copy_of_a_managed_secret_is_somebodys() {
    let marked = json!({"labels": {MANAGED_LABEL: "true"}, "annotations": {DATA_HASH_ANNOTATION: "x"}});
    for (intact, ours) in [(true, true), (false, false)] {
        let adoption =
            Adoption::of(&desired(CreationPolicy::Owner), &meta(&marked), State { intact, ..NEW }, Changes::default());
        assert_eq!(adoption.is_none(), ours);
    }
}

#[test]
fn marks_on_what_somebody_else_holds_do_not_make_it_a_restored_one() {
    let marks = json!({"f:annotations": {format!("f:{DATA_HASH_ANNOTATION}"): {}}, "f:labels": {format!("f:{MANAGED_LABEL}"): {}}});
    let data = json!({"f:data": {".": {}, "f:theirs": {}}, "f:type": {}});
    let restored = with_metadata_fields(data.clone(), &marks);
    let written =
        |manager: &str, fields: &Value| json!({"manager": manager, "operation": "Update", "fieldsV1": fields});
    let [mine, other] = ["es", "other"].map(|name| written(&field_manager(name), &json!({"f:metadata": marks})));
    let [theirs, backup] = [&data, &restored].map(|fields| written("kubectl", fields));
    for (what, managers, known, ours) in [
        ("restored", vec![&backup], false, true),
        ("marked by another", vec![&theirs, &other], false, false),
        ("marked by us", vec![&theirs, &mine], true, false),
        ("marked, and nobody's", vec![&other], false, true),
    ] {
        let existing = meta(&json!({
            "labels": {MANAGED_LABEL: "true"}, "annotations": {DATA_HASH_ANNOTATION: "x"}, "managedFields": managers,
        }));
        let adoption = Adoption::of(&desired(CreationPolicy::Owner), &existing, INTACT, changes(&["theirs"], &[]));
        let expected = Adoption { whole: true, known, changes: changes(&["theirs"], &[]) };
        assert_eq!(adoption, (!ours).then_some(expected), "{what}");
    }
}

fn with_metadata_fields(mut fields: Value, metadata: &Value) -> Value {
    fields["f:metadata"] = metadata.clone();
    fields
}

/// `manager` wrote `data`; the annotation that tells what is there is ours.
fn merged(manager: &str, data: &Value) -> ObjectMeta {
    let hash =
        json!({"f:metadata": {"f:annotations": {format!("f:{DATA_HASH_ANNOTATION}"): {}}}, "f:data": {"f:mine": {}}});
    meta(&json!({"managedFields": [
        {"manager": field_manager("es"), "operation": "Update", "fieldsV1": hash},
        {"manager": manager, "operation": "Update", "fieldsV1": {"f:data": data}},
    ]}))
}

#[test]
fn who_merged_keys_and_takes_the_whole_adopts_what_it_did_not_write() {
    let existing = merged("kubectl", &json!({".": {}, "f:theirs": {}}));
    let taken = |creation| {
        let changes = changes(&["theirs"], &["mine", "edited"]);
        Adoption::of(&desired(creation), &existing, INTACT, changes).map(|adoption| (adoption.known, adoption.changes))
    };
    assert_eq!(taken(CreationPolicy::Owner), Some((true, changes(&["theirs"], &["edited"]))));
    assert_eq!(taken(CreationPolicy::Orphan), Some((true, changes(&["theirs"], &["edited"]))));
    let refresh = changes(&[], &["mine"]);
    assert_eq!(Adoption::of(&desired(CreationPolicy::Orphan), &existing, INTACT, refresh), None, "a new value of ours");
}

#[test]
fn who_merges_more_keys_than_before_adopts_those_that_others_wrote() {
    let existing = merged("kubectl", &json!({".": {}, "f:theirs": {}}));
    let taken = |creation, settled| {
        let changes = changes(&[], &["mine", "theirs"]);
        Adoption::of(&desired(creation), &existing, State { settled, ..INTACT }, changes)
    };
    for creation in [CreationPolicy::Merge, CreationPolicy::CreateOrMerge] {
        let adoption = taken(creation, false).expect("an adoption");
        assert_eq!(adoption, Adoption { whole: false, known: true, changes: changes(&[], &["theirs"]) });
        assert_eq!(adoption.note("t"), "t holds what others wrote and is written to; keys replaced: theirs");
        assert_eq!(adoption.refusal("t"), None);
        assert_eq!(taken(creation, true), None, "an edit of ours is drift");
    }
}

#[test]
fn target_that_was_in_step_is_ours_whatever_marks_were_taken_off() {
    let hash = format!("f:{DATA_HASH_ANNOTATION}");
    let written = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "fieldsV1": fields});
    let them = written("kubectl-edit", json!({"f:data": {".": {}, "f:password": {}}, "f:type": {}}));
    let ours = |fields: Value| meta(&json!({"managedFields": [written(&field_manager("es"), fields), them]}));
    let annotated = ours(json!({"f:metadata": {"f:annotations": {hash: {}}}}));
    let filled = ours(json!({"f:data": {"f:other": {}}}));
    let labelled = ours(json!({"f:metadata": {"f:labels": {format!("f:{MANAGED_LABEL}"): {}}}}));
    let settled = State { settled: true, ..NEW };
    for (what, existing, creation, state, is_adopted) in [
        ("its hash is ours", &annotated, CreationPolicy::Owner, settled, false),
        ("its hash is ours", &annotated, CreationPolicy::Orphan, settled, false),
        ("a key is ours", &filled, CreationPolicy::Owner, settled, false),
        ("it was claimed", &labelled, CreationPolicy::Owner, settled, true),
        ("the policy may have been another", &annotated, CreationPolicy::Owner, NEW, true),
        ("it is another one", &meta(&json!({"managedFields": [them]})), CreationPolicy::Owner, settled, true),
    ] {
        let taken = changes(&["added"], &["password"]);
        assert_eq!(Adoption::of(&desired(creation), existing, state, taken).is_some(), is_adopted, "{what}");
    }
}

#[test]
fn key_of_another_external_secret_does_not_go_without_a_word_where_all_else_is_ours() {
    let mut ours = merged(&field_manager("other"), &json!({"f:theirs": {}}));
    ours.labels = Some([(OWNER_LABEL.to_owned(), owner_label("team", "es"))].into());
    let adoption = |removed: &[&str]| {
        Adoption::of(&desired(CreationPolicy::Owner), &ours, NEW, changes(removed, &["mine", "theirs"]))
    };
    assert_eq!(adoption(&["added"]), None, "what a user adds is drift");
    let taken = adoption(&["added", "theirs"]).expect("an adoption");
    assert_eq!(taken.changes, changes(&["theirs"], &[]));
    assert_eq!(taken.note("t"), "t holds what others wrote and is taken over; keys removed: theirs");
    assert!(taken.refusal("t").is_some_and(|refusal| refusal.message().contains("others wrote (theirs)")));
}

#[test]
fn note_names_keys_and_no_value_and_only_the_whole_is_refused() {
    let adoption = Adoption { whole: true, known: false, changes: changes(&["b"], &["a"]) };
    let note = adoption.note("secret \"target\"");
    assert!(note.starts_with("secret \"target\" was not made"), "{note}");
    assert!(note.ends_with("keys removed: b; keys replaced: a"), "{note}");
    let many = Changes { removed: (0..12).map(|n| format!("k{n}")).collect(), ..Changes::default() };
    let many = Adoption { whole: true, known: false, changes: many }.note("t");
    assert!(many.ends_with("k9 and 2 more"), "{many}");
    let refusal = adoption.refusal("secret team/target").expect("refused");
    assert_eq!(refusal.code(), Code::AdoptionRefused);
    assert!(refusal.message().contains("secret team/target"));
    assert_eq!(Adoption { whole: false, ..adoption }.refusal("secret team/target"), None);
}

#[test]
fn labels_annotations_and_immutability_of_others_are_told_like_keys() {
    let changes =
        Changes { labels: keys(&["app", "mine"]), annotations: keys(&["note"]), freezes: true, ..Changes::default() };
    for creation in [CreationPolicy::Merge, CreationPolicy::CreateOrMerge] {
        let adoption = Adoption::of(&desired(creation), &meta(&json!({})), NEW, changes.clone()).expect("told");
        let note = adoption.note("t");
        assert!(
            note.ends_with("written to; labels replaced: app, mine; annotations replaced: note; made immutable"),
            "{note}"
        );
        // Its own it may write again.
        let fields = json!({"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:mine": {}}}});
        let manager = field_manager("es");
        let wrote = json!({"managedFields": [{"manager": manager, "operation": "Update", "fieldsV1": fields}]});
        let again = Adoption::of(&desired(creation), &meta(&wrote), NEW, changes.clone()).expect("told");
        let note = again.note("t");
        assert!(note.ends_with("labels replaced: app; annotations replaced: note; made immutable"), "{note}");
        let settled = State { settled: true, ..NEW };
        assert_eq!(Adoption::of(&desired(creation), &meta(&wrote), settled, changes.clone()), None, "drift");
    }
    let whole = Adoption { whole: true, known: true, changes };
    let refusal = whole.refusal("t").expect("refused");
    assert!(refusal.message().contains("(app, mine, note, immutable)"), "{refusal}");
}
