//! What differs between a Secret as target and an object of another kind. How they are written and removed is the same:
//! see [`super::target`] and [`super::removal`].

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use api::names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, OWNER_LABEL};
use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Resource, api::ApiResource};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::desired::{Author, Desired};
use crate::{
    ctx::Ctx,
    engine::ObjectKey,
    error::Error,
    provider::Values,
    reconcile::managed::{Managed, ManagedObjects, digests::Digests},
};

/// What a patch does to what is there, beside our bookkeeping; by name, never with a value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// Keys or fields that are there and will not be.
    pub removed: Vec<String>,
    /// Keys or fields that get another value.
    pub replaced: Vec<String>,
    /// Labels that get another value.
    pub labels: Vec<String>,
    /// Annotations that get another value.
    pub annotations: Vec<String>,
    /// Whether nobody can change the data any more.
    pub freezes: bool,
}

impl Changes {
    /// The same with what the patch does beside the data. `immutable`: whether the object is so already.
    #[must_use]
    pub fn with_metadata(self, existing: &ObjectMeta, immutable: bool, patch: &Value) -> Self {
        let replaced = |part: &str, there: Option<&BTreeMap<String, String>>| -> Vec<String> {
            let texts = patch.pointer(part).and_then(Value::as_object).into_iter().flatten();
            let names = texts.filter(|(_, text)| !text.is_null()).map(|(name, _)| name);
            let theirs = names.filter(|name| there.is_some_and(|there| there.contains_key(*name)));
            theirs.filter(|name| !BOOKKEEPING.contains(&name.as_str())).cloned().collect()
        };
        Self {
            labels: replaced("/metadata/labels", existing.labels.as_ref()),
            annotations: replaced("/metadata/annotations", existing.annotations.as_ref()),
            freezes: !immutable && patch.get("immutable") == Some(&Value::Bool(true)),
            ..self
        }
    }
}

/// Labels and annotations that are nobody's but the operator's.
const BOOKKEEPING: [&str; 3] = [MANAGED_LABEL, OWNER_LABEL, DATA_HASH_ANNOTATION];

/// Objects of one kind in one namespace, as targets.
#[async_trait]
pub trait Kind: Sync {
    type Object: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What the condition says of a target in step.
    const SYNCED: &'static str;
    /// What it says of one that is kept although there are no values, after the reason for that.
    const RETAINED: &'static str;
    /// Whether `status.binding` names the target: it names Secrets.
    const BINDS: bool;
    /// Whether kubectl's annotation on the ExternalSecret goes to a target without a template, as all others do.
    const TAKES_LAST_APPLIED: bool;

    fn ctx(&self) -> &Ctx;
    /// The kind as a manifest names it; none for Secrets.
    fn resource(&self) -> Option<&ApiResource>;
    /// Whether Kubernetes has rules for the keys of its data.
    fn has_data_keys(&self) -> bool {
        self.resource().is_none_or(|kind| kind.api_version == "v1" && kind.kind == "ConfigMap")
    }

    fn namespace(&self) -> &str;
    /// The kind in messages: `secret`.
    fn noun(&self) -> String;
    fn api(&self) -> Api<Self::Object>;
    /// What the watch shows.
    fn objects(&self) -> &ManagedObjects;
    /// The target as far as it is managed.
    async fn find(&self, name: &str) -> Result<Option<Arc<Managed>>, Error>;
    fn managed(&self, object: &Self::Object) -> Managed;

    /// A hash of what is wanted that [`Managed::data_hash`] does not tell.
    fn wanted(&self, desired: &Desired) -> u64;
    /// Whether what is known shows that nothing is to be written.
    fn is_met(&self, desired: &Desired, wanted: u64, known: &Managed) -> bool;
    /// What is wanted of its content, by name.
    fn content(&self, desired: &Desired) -> Digests;
    /// The object to create where none exists.
    fn make(&self, desired: &Desired) -> Result<Self::Object, Error>;
    /// The patch that turns `existing` into what is wanted; `None` when it is so already. `prune`: what was wanted
    /// earlier may be there still.
    fn patch(&self, desired: &Desired, existing: &Self::Object, prune: bool) -> Result<Option<Value>, Error>;
    fn changes(&self, existing: &Self::Object, patch: &Value) -> Changes;
    /// The values that are there under these keys; `None` where keys cannot be kept apart from the rest.
    fn values(&self, _existing: &Self::Object, _keys: &[String]) -> Option<Values> {
        None
    }
    /// The patch that makes the annotation tell what the API server made of a write of ours, if it does not.
    fn correction(&self, answer: &Self::Object) -> Option<Value>;
    /// Marks a target that is not written as managed, where upstream does so.
    async fn claim(&self, author: &Author, name: &str) -> Result<(), Error>;

    /// Whether there is such an object, managed or not. From now on, its creation wakes `user` where that can be watched.
    async fn has_appeared(&self, user: &ObjectKey, name: &str) -> bool;

    /// A failed call.
    fn failed(&self, doing: &str, name: &str, error: &kube::Error) -> Error {
        Error::kube(&self.act(doing, name), error)
    }

    fn act(&self, doing: &str, name: &str) -> String {
        format!("{doing} {}", self.full(name))
    }

    /// The name of an object in messages.
    fn full(&self, name: &str) -> String {
        format!("{} {}/{name}", self.noun(), self.namespace())
    }

    fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::new(self.namespace(), name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_annotations_and_immutability_change_by_name() {
        let existing = json!({
            "labels": {"app": "theirs", "gone": "x", MANAGED_LABEL: "other"}, "annotations": {"note": "theirs"},
        });
        let existing: ObjectMeta = serde_json::from_value(existing).expect("metadata");
        let metadata = json!({
            "labels": {"app": "ours", "gone": null, "new": "x", MANAGED_LABEL: "true"},
            "annotations": {"note": "ours", DATA_HASH_ANNOTATION: "x"},
        });
        for (immutable, freezes) in [(false, true), (true, false)] {
            let patch = json!({"metadata": metadata, "immutable": true});
            let changes = Changes::default().with_metadata(&existing, immutable, &patch);
            let (labels, annotations) = (vec!["app".to_owned()], vec!["note".to_owned()]);
            assert_eq!(changes, Changes { labels, annotations, freezes, ..Changes::default() });
        }
        let untouched = Changes::default().with_metadata(&existing, false, &json!({"data": {"a": "b"}}));
        assert_eq!(untouched, Changes::default());
    }
}
