use api::names::field_manager;

use super::*;
use crate::provider::Values;

fn desired(creation: CreationPolicy, data: &[(&str, &str)]) -> Desired {
    Desired {
        author: Author { namespace: "team".into(), name: "es".into(), uid: "uid-es".into() },
        target: "target".into(),
        creation,
        immutable: false,
        content: Content {
            data: data.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect::<Values>(),
            labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
            ..Content::default()
        },
    }
}

/// The Secret as the API server would keep it after creating what is desired.
fn created(desired: &Desired) -> Secret {
    let mut secret = desired.secret();
    let data: Map<String, Value> = desired.content.data.keys().map(|key| (format!("f:{key}"), json!({}))).collect();
    secret.metadata.uid = Some("uid-secret".into());
    secret.metadata.resource_version = Some("7".into());
    secret.metadata.managed_fields = serde_json::from_value(json!([{
        "manager": field_manager("es"), "operation": "Update",
        "fieldsV1": {"f:data": data, "f:metadata": {"f:labels": {"f:app": {}}}},
    }]))
    .expect("managed fields");
    secret.type_ = Some("Opaque".into());
    secret
}

fn with_foreign(mut secret: Secret) -> Secret {
    secret.data.get_or_insert_default().insert("foreign".into(), ByteString(b"theirs".to_vec()));
    secret.metadata.labels.get_or_insert_default().insert("foreign".into(), "label".into());
    secret
}

#[test]
fn what_was_created_needs_no_patch() {
    for creation in [CreationPolicy::Owner, CreationPolicy::Orphan, CreationPolicy::CreateOrMerge] {
        let desired = desired(creation, &[("a", "1")]);
        assert_eq!(desired.patch(&created(&desired)).expect("allowed"), None, "{creation:?}");
    }
}

#[test]
fn changed_value_is_the_only_data_in_the_patch_and_it_carries_the_version() {
    let existing = created(&desired(CreationPolicy::Owner, &[("a", "1"), ("b", "2")]));
    let patch = desired(CreationPolicy::Owner, &[("a", "1"), ("b", "3")]).patch(&existing).expect("ok").expect("patch");
    assert_eq!(patch["data"], json!({"b": "Mw=="}));
    assert_eq!(patch["metadata"]["resourceVersion"], "7");
    assert_eq!(patch["metadata"]["uid"], "uid-secret");
}

#[test]
fn owner_removes_foreign_keys_and_keeps_foreign_labels() {
    let desired = desired(CreationPolicy::Owner, &[("a", "1")]);
    let patch = desired.patch(&with_foreign(created(&desired))).expect("ok").expect("patch");
    assert_eq!(patch["data"], json!({"foreign": null}));
    assert!(patch["metadata"].get("labels").is_none(), "{patch}");
}

#[test]
fn merge_keeps_foreign_keys_and_prunes_its_own_stale_ones() {
    let before = desired(CreationPolicy::CreateOrMerge, &[("a", "1"), ("stale", "2")]);
    let existing = with_foreign(created(&before));
    let patch = desired(CreationPolicy::CreateOrMerge, &[("a", "1")]).patch(&existing).expect("ok").expect("patch");
    assert_eq!(patch["data"], json!({"stale": null}));
}

#[test]
fn stale_label_of_ours_is_pruned() {
    let existing = created(&desired(CreationPolicy::Owner, &[("a", "1")]));
    let mut now = desired(CreationPolicy::Owner, &[("a", "1")]);
    now.content.labels.clear();
    let patch = now.patch(&existing).expect("ok").expect("patch");
    assert_eq!(patch["metadata"]["labels"], json!({"app": null}));
}

#[test]
fn leaving_owner_gives_up_reference_and_label() {
    let existing = created(&desired(CreationPolicy::Owner, &[("a", "1")]));
    let patch = desired(CreationPolicy::Orphan, &[("a", "1")]).patch(&existing).expect("ok").expect("patch");
    assert_eq!(patch["metadata"]["ownerReferences"], json!([]));
    assert_eq!(patch["metadata"]["labels"], json!({OWNER_LABEL: null}));
}

fn controlled_by(kind: &str, api_version: &str, name: &str) -> Secret {
    let mut secret = created(&desired(CreationPolicy::Orphan, &[("a", "1")]));
    secret.metadata.owner_references = serde_json::from_value(json!([
        {"apiVersion": api_version, "kind": kind, "name": name, "uid": "other", "controller": true}
    ]))
    .expect("owners");
    secret
}

#[test]
fn table_of_owners() {
    let other = controlled_by("ExternalSecret", "external-secrets.io/v1beta1", "other");
    let recreated = controlled_by("ExternalSecret", "external-secrets.io/v1", "es");
    let certificate = controlled_by("Certificate", "cert-manager.io/v1", "tls");
    for (creation, existing, expected) in [
        (CreationPolicy::Owner, &other, Some(Code::TargetOwnedByAnother)),
        (CreationPolicy::Merge, &other, Some(Code::TargetOwnedByAnother)),
        (CreationPolicy::Owner, &recreated, None),
        (CreationPolicy::Owner, &certificate, Some(Code::TargetNotOurs)),
        (CreationPolicy::Merge, &certificate, None),
    ] {
        let got = desired(creation, &[("a", "1")]).patch(existing).err().map(|error| error.code());
        assert_eq!(got, expected, "{creation:?}");
    }
}

#[test]
fn immutable_secret_and_another_type_are_refused_without_a_write() {
    let mut existing = created(&desired(CreationPolicy::Owner, &[("a", "1")]));
    existing.immutable = Some(true);
    let changed = desired(CreationPolicy::Owner, &[("a", "2")]);
    assert_eq!(changed.patch(&existing).expect_err("immutable").code(), Code::TargetImmutable);
    let mut frozen = desired(CreationPolicy::Owner, &[("a", "2")]);
    frozen.immutable = true;
    assert_eq!(frozen.patch(&existing).expect("asked for"), None, "it stays as it was written");
    let mut typed = desired(CreationPolicy::Owner, &[("a", "1")]);
    typed.content.type_ = Some("kubernetes.io/tls".into());
    assert_eq!(typed.patch(&existing).expect_err("type").code(), Code::TargetImmutable);
}
