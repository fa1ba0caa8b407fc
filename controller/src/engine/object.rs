//! A custom resource as the watch keeps it: the metadata that decisions need, spec and status as the bytes that came.
//!
//! Decoding a spec costs microseconds and happens when the object is reconciled; keeping it decoded would cost several
//! times the memory for every object, all the time. `managedFields` and kubectl's last-applied annotation, the two
//! largest parts of most objects, are dropped while decoding; what they decide is computed first.

use std::{borrow::Cow, collections::BTreeMap, marker::PhantomData};

use api::hash::metadata_hash;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::cache::Versioned;

/// kubectl's copy of what was applied: as large as the object itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// See the module documentation. `K` says which kind it is.
pub struct Watched<K> {
    /// Without managed fields and without the last-applied annotation.
    pub meta: ObjectMeta,
    /// Upstream's hash over *all* labels and annotations, the dropped one included.
    pub metadata_hash: String,
    /// Whether kubectl's annotation was there and dropped.
    pub had_last_applied: bool,
    spec: Option<Box<RawValue>>,
    status: Option<Box<RawValue>>,
    kind: PhantomData<fn() -> K>,
}

impl<K> Watched<K> {
    /// The spec, decoded. An absent one decodes from `{}`.
    ///
    /// # Errors
    /// A spec that another version of the schema admitted and that does not fit ours.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.spec.as_deref().map_or("{}", RawValue::get))
    }

    /// The status, decoded; one that does not decode counts as absent and is written anew.
    pub fn status<T: DeserializeOwned + Default>(&self) -> T {
        self.status.as_deref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    /// Whether anything was ever written to the status.
    pub const fn has_status(&self) -> bool {
        self.status.is_some()
    }

    pub fn generation(&self) -> i64 {
        self.meta.generation.unwrap_or_default()
    }

    pub fn is_being_deleted(&self) -> bool {
        self.meta.deletion_timestamp.is_some()
    }

    /// Whether a user changed something, as opposed to a status write.
    pub fn differs_for_users(&self, before: &Self) -> bool {
        self.meta.uid != before.meta.uid
            || self.meta.generation != before.meta.generation
            || self.metadata_hash != before.metadata_hash
            || self.meta.finalizers != before.meta.finalizers
            || self.meta.deletion_timestamp != before.meta.deletion_timestamp
    }
}

/// Resource versions grow; the API server documents them as comparable numbers since 1.35.
pub fn version_number(resource_version: Option<&str>) -> u64 {
    resource_version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

impl<K> Versioned for Watched<K> {
    fn uid(&self) -> &str {
        self.meta.uid.as_deref().unwrap_or_default()
    }

    fn version(&self) -> u64 {
        version_number(self.meta.resource_version.as_deref())
    }
}

impl<K> Clone for Watched<K> {
    fn clone(&self) -> Self {
        Self {
            meta: self.meta.clone(),
            metadata_hash: self.metadata_hash.clone(),
            had_last_applied: self.had_last_applied,
            spec: self.spec.clone(),
            status: self.status.clone(),
            kind: PhantomData,
        }
    }
}

impl<K> std::fmt::Debug for Watched<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("name", &self.meta.name).finish_non_exhaustive()
    }
}

impl<'de, K> Deserialize<'de> for Watched<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            metadata: Metadata,
            #[serde(default)]
            spec: Option<Box<RawValue>>,
            #[serde(default)]
            status: Option<Box<RawValue>>,
        }
        let wire = Wire::deserialize(deserializer)?;
        let (labels, annotations) = (&wire.metadata.labels, &wire.metadata.annotations);
        let metadata_hash = metadata_hash(labels, annotations);
        let had_last_applied = annotations.contains_key(LAST_APPLIED);
        let mut metadata = wire.metadata;
        metadata.annotations.remove(LAST_APPLIED);
        Ok(Self {
            meta: metadata.into_object_meta(),
            metadata_hash,
            had_last_applied,
            spec: wire.spec,
            status: wire.status,
            kind: PhantomData,
        })
    }
}

/// The part of an object's metadata that anything here looks at; the rest is skipped without being built.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    uid: Option<String>,
    #[serde(default)]
    resource_version: Option<String>,
    #[serde(default)]
    generation: Option<i64>,
    #[serde(default)]
    creation_timestamp: Option<Time>,
    #[serde(default)]
    deletion_timestamp: Option<Time>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    #[serde(default)]
    finalizers: Option<Vec<String>>,
    #[serde(default)]
    pub owner_references: Vec<OwnerReference>,
}

impl Metadata {
    /// The form that kube's watcher asks for.
    pub fn into_object_meta(self) -> ObjectMeta {
        ObjectMeta {
            name: self.name,
            namespace: self.namespace,
            uid: self.uid,
            resource_version: self.resource_version,
            generation: self.generation,
            creation_timestamp: self.creation_timestamp,
            deletion_timestamp: self.deletion_timestamp,
            labels: (!self.labels.is_empty()).then_some(self.labels),
            annotations: (!self.annotations.is_empty()).then_some(self.annotations),
            finalizers: self.finalizers,
            owner_references: (!self.owner_references.is_empty()).then_some(self.owner_references),
            ..ObjectMeta::default()
        }
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Watched<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
