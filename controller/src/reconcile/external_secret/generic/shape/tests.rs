use std::collections::BTreeMap;

use api::{
    external_secret::CreationPolicy,
    field_path::FieldPath,
    hash::{content_hash, owner_label},
    names::{MANAGED_LABEL, field_manager},
};
use kube::api::GroupVersionKind;

use super::*;
use crate::{
    provider::Values,
    reconcile::external_secret::{desired::Author, render::Placed},
};

fn kind(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

#[derive(Clone)]
struct Wish {
    desired: Desired,
    kind: ApiResource,
}

impl Wish {
    fn shape(&self) -> Shape<'_> {
        Shape { desired: &self.desired, kind: &self.kind }
    }

    fn object(&self) -> Result<Value, Error> {
        self.shape().object()
    }

    fn patch(&self, existing: &DynamicObject, prune: bool) -> Result<Option<Value>, Error> {
        self.shape().patch(existing, prune)
    }
}

fn desired(creation: CreationPolicy, kind: ApiResource, content: Content) -> Wish {
    let author = Author { namespace: "n".into(), name: "es".into(), uid: "u".into() };
    Wish { desired: Desired { author, target: "t".into(), creation, immutable: false, content }, kind }
}

fn data(pairs: &[(&str, &str)]) -> Content {
    let data: Values = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    Content { data, ..Content::default() }
}

fn placed(path: &str, value: Value) -> Placed {
    Placed { path: path.parse::<FieldPath>().expect("a path"), value }
}

/// The object as the API server keeps it after it was created by `desired`.
fn stored(desired: &Wish, fields: &Value) -> DynamicObject {
    let mut object = desired.object().expect("an object");
    merge(&mut object, "metadata", json!({"uid": "x", "resourceVersion": "5"}));
    object["metadata"]["managedFields"] = json!([
        {"manager": field_manager("es"), "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields},
    ]);
    serde_json::from_value(object).expect("an object")
}

/// As JSON, with a patch applied.
fn patched(object: &DynamicObject, patch: &Value) -> Value {
    fn apply(to: &mut Value, patch: &Value) {
        for (name, value) in patch.as_object().into_iter().flatten() {
            if value.is_null() {
                to.as_object_mut().expect("a map").remove(name);
            } else if value.is_object() {
                if !to[name].is_object() {
                    to[name] = json!({});
                }
                apply(&mut to[name], value);
            } else {
                to[name] = value.clone();
            }
        }
    }
    let mut object = json!(object);
    apply(&mut object, patch);
    object
}

const CUSTOM: &str = "example.com/v1";

#[test]
fn values_go_to_data_of_config_maps_and_to_spec_data_of_other_kinds() {
    let wanted = data(&[("key", "value1"), ("other", "two")]);
    let map = desired(CreationPolicy::Owner, kind("v1", "ConfigMap"), wanted.clone()).object().expect("an object");
    assert_eq!(map["data"], json!({"key": "value1", "other": "two"}));
    assert_eq!((map["apiVersion"].as_str(), map["kind"].as_str()), (Some("v1"), Some("ConfigMap")));
    let metadata = &map["metadata"];
    assert_eq!(
        metadata["annotations"][DATA_HASH_ANNOTATION],
        "c00b4202f45f421adb6972acb4c65fc8e23fde5ac052d12e50717fe9"
    );
    assert_eq!(metadata["labels"][MANAGED_LABEL], "true");
    assert_eq!(metadata["labels"][OWNER_LABEL], owner_label("n", "es"));
    assert_eq!(metadata["ownerReferences"][0]["uid"], "u");
    let custom = desired(CreationPolicy::Orphan, kind(CUSTOM, "App"), wanted).object().expect("an object");
    assert_eq!(custom["spec"], json!({"data": {"key": "value1", "other": "two"}}));
    assert_eq!(custom.get("data"), None);
    assert_eq!(custom["metadata"].get("ownerReferences"), None);
    assert_eq!(custom["metadata"]["labels"], json!({MANAGED_LABEL: "true"}));
}

#[test]
fn value_that_is_no_text_is_refused_by_its_key() {
    let content = Content { data: Values::from([("bin".into(), vec![0xff].into())]), ..Content::default() };
    let error = desired(CreationPolicy::Owner, kind("v1", "ConfigMap"), content).object().expect_err("refused");
    assert_eq!(error.code(), Code::TargetInvalid);
    assert!(error.to_string().contains("\"bin\""), "{error}");
}

#[test]
fn object_as_wanted_needs_no_patch() {
    let content = Content { placed: vec![placed("spec.db", json!({"host": "h"}))], ..data(&[("a", "b")]) };
    let desired = desired(CreationPolicy::Owner, kind(CUSTOM, "App"), content);
    let there = stored(&desired, &json!({"f:spec": {"f:db": {"f:host": {}}, "f:data": {"f:a": {}}}}));
    assert_eq!(desired.patch(&there, false).expect("no conflict"), None);
    assert_eq!(desired.patch(&there, true).expect("no conflict"), None);
    assert_eq!(correction(&there), None);
}

#[test]
fn owner_and_orphan_remove_foreign_keys_of_data_and_the_others_keep_them() {
    for (policy, keeps) in [
        (CreationPolicy::Owner, false),
        (CreationPolicy::Orphan, false),
        (CreationPolicy::Merge, true),
        (CreationPolicy::CreateOrMerge, true),
    ] {
        let desired = desired(policy, kind("v1", "ConfigMap"), data(&[("a", "new")]));
        let mut there = stored(&desired, &json!({"f:data": {"f:a": {}, "f:ours": {}}}));
        there.data["data"] = json!({"a": "old", "ours": "earlier", "theirs": "x"});
        let patch = desired.patch(&there, true).expect("no conflict").expect("a patch");
        assert_eq!(patch["metadata"]["resourceVersion"], "5");
        assert_eq!(patch["metadata"]["uid"], "x");
        let after = patched(&there, &patch);
        let expected = if keeps { json!({"a": "new", "theirs": "x"}) } else { json!({"a": "new"}) };
        assert_eq!(after["data"], expected, "{}", policy.as_str());
        assert_eq!(after["metadata"]["annotations"][DATA_HASH_ANNOTATION], content_hash(&expected));
    }
}

#[test]
fn fields_of_others_stay_in_a_custom_resource_and_ours_of_yesterday_go() {
    let content = Content { placed: vec![placed("spec.db", json!({"host": "new"}))], ..Content::default() };
    let desired = desired(CreationPolicy::Owner, kind(CUSTOM, "App"), content);
    let mut there =
        stored(&desired, &json!({"f:spec": {"f:db": {"f:host": {}, "f:user": {}}, "f:log": {".": {}, "f:level": {}}}}));
    there.data["spec"] =
        json!({"db": {"host": "old", "user": "ours", "pool": 5}, "log": {"level": "ours"}, "replicas": 3});
    let patch = desired.patch(&there, true).expect("no conflict").expect("a patch");
    assert_eq!(patched(&there, &patch)["spec"], json!({"db": {"host": "new", "pool": 5}, "replicas": 3}));
}

#[test]
fn what_the_api_server_adds_is_noted_and_then_left_alone() {
    let content = Content { placed: vec![placed("spec.db", json!({"host": "h"}))], ..Content::default() };
    let desired = desired(CreationPolicy::Owner, kind(CUSTOM, "App"), content);
    let mut there = stored(&desired, &json!({"f:spec": {"f:db": {"f:host": {}, "f:port": {}}}}));
    there.data["spec"]["db"]["port"] = json!(5432);
    let told = correction(&there).expect("the hash is of what was sent");
    let there: DynamicObject = serde_json::from_value(patched(&there, &told)).expect("an object");
    assert_eq!(correction(&there), None);
    assert_eq!(desired.patch(&there, false).expect("no conflict"), None);
}

#[test]
fn ownership_is_respected() {
    let of = |policy| desired(policy, kind("v1", "ConfigMap"), data(&[("a", "b")]));
    let there = |owner: Value| {
        let mut there = stored(&of(CreationPolicy::Orphan), &json!({}));
        there.metadata.owner_references = Some(vec![serde_json::from_value(owner).expect("an owner")]);
        there
    };
    let owner = |api_version: &str, kind: &str, name: &str, uid: &str| json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true});
    let another = there(owner("external-secrets.io/v1", "ExternalSecret", "other", "v"));
    let workload = there(owner("apps/v1", "Deployment", "web", "d"));
    let former = there(owner("external-secrets.io/v1beta1", "ExternalSecret", "es", "of a former life"));
    for (policy, object, expected) in [
        (CreationPolicy::Owner, &another, Err(Code::TargetOwnedByAnother)),
        (CreationPolicy::Merge, &another, Err(Code::TargetOwnedByAnother)),
        (CreationPolicy::Owner, &workload, Err(Code::TargetNotOurs)),
        (CreationPolicy::Merge, &workload, Ok(vec!["d"])),
        (CreationPolicy::Owner, &former, Ok(vec!["u"])),
        (CreationPolicy::Orphan, &former, Ok(vec![])),
    ] {
        let owners = of(policy).desired.owners(&object.metadata, "t").map_err(|error| error.code());
        let uids = owners.map(|owners| owners.into_iter().map(|owner| owner.uid).collect::<Vec<_>>());
        let expected = expected.map(|uids| uids.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(uids, expected, "{}", policy.as_str());
    }
}

#[test]
fn immutable_config_map_keeps_its_data() {
    let mut changing = desired(CreationPolicy::Owner, kind("v1", "ConfigMap"), data(&[("a", "new")]));
    changing.desired.immutable = true;
    let mut before = changing.clone();
    before.desired.content = data(&[("a", "old")]);
    let there = stored(&before, &json!({"f:data": {"f:a": {}}}));
    assert_eq!(there.data["immutable"], true);
    assert_eq!(changing.patch(&there, true).expect("no failure"), None, "written once and for all");
    changing.desired.immutable = false;
    let error = changing.patch(&there, true).expect_err("refused");
    assert_eq!(error.code(), Code::TargetImmutable);
}

#[test]
fn labels_annotations_and_finalizers_follow_the_template() {
    let content = Content {
        labels: BTreeMap::from([("new".into(), "1".into())]),
        finalizers: vec!["example.com/wait".into()],
        ..data(&[("a", "b")])
    };
    let desired = desired(CreationPolicy::Orphan, kind("v1", "ConfigMap"), content);
    let mut there =
        stored(&desired, &json!({"f:metadata": {"f:labels": {"f:stale": {}}, "f:annotations": {"f:gone": {}}}}));
    there.labels_mut().extend([
        ("stale".into(), "1".into()),
        ("theirs".into(), "1".into()),
        (OWNER_LABEL.into(), "1".into()),
    ]);
    there.labels_mut().remove("new");
    there.metadata.finalizers = Some(vec!["theirs/wait".into()]);
    let patch = desired.patch(&there, true).expect("no conflict").expect("a patch");
    let metadata = patched(&there, &patch)["metadata"].clone();
    assert_eq!(metadata["labels"], json!({"new": "1", "theirs": "1", MANAGED_LABEL: "true"}));
    assert_eq!(metadata["finalizers"], json!(["theirs/wait", "example.com/wait"]));
}
