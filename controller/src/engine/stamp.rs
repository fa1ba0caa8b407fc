//! What a metadata-only watch needs of an object: who it is and whose, in which version, and since when it is as it is.
//!
//! Everything else is skipped while decoding. The API server sends metadata only, so the data of a Secret that is
//! watched like this never reaches this process.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    marker::PhantomData,
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer};

/// See the module documentation. `K` says which kind it is.
pub struct Stamp<K> {
    meta: ObjectMeta,
    /// When anybody changed it last, in whole seconds, as its managed fields tell.
    pub changed_at: Timestamp,
    /// See [`claims`].
    pub claims: u64,
    kind: PhantomData<fn() -> K>,
}

/// A hash of labels and owners: by these objects are somebody's.
pub fn claims<'a>(
    labels: impl Iterator<Item = (&'a String, &'a String)>,
    owners: impl Iterator<Item = &'a OwnerReference>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    labels.for_each(|label| label.hash(&mut hasher));
    owners.for_each(|owner| (&owner.uid, owner.controller).hash(&mut hasher));
    hasher.finish()
}

impl<'de, K> Deserialize<'de> for Stamp<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            #[serde(default)]
            name: Option<String>,
            #[serde(default)]
            namespace: Option<String>,
            #[serde(default)]
            uid: Option<String>,
            #[serde(default)]
            resource_version: Option<String>,
            #[serde(default)]
            creation_timestamp: Option<Time>,
            #[serde(default)]
            managed_fields: Vec<Written>,
            #[serde(default)]
            labels: BTreeMap<String, String>,
            #[serde(default)]
            owner_references: Vec<OwnerReference>,
        }
        #[derive(Deserialize)]
        struct Written {
            #[serde(default)]
            time: Option<Time>,
        }
        let Metadata {
            name,
            namespace,
            uid,
            resource_version,
            creation_timestamp,
            managed_fields,
            labels,
            owner_references,
        } = Wire::deserialize(deserializer)?.metadata;
        let times = managed_fields.into_iter().filter_map(|written| written.time).chain(creation_timestamp);
        let changed_at = times.map(|time| time.0).max().unwrap_or(Timestamp::MIN);
        let meta = ObjectMeta { name, namespace, uid, resource_version, ..ObjectMeta::default() };
        let claims = claims(labels.iter(), owner_references.iter());
        Ok(Self { meta, changed_at, claims, kind: PhantomData })
    }
}

impl<K> Clone for Stamp<K> {
    fn clone(&self) -> Self {
        Self { meta: self.meta.clone(), changed_at: self.changed_at, claims: self.claims, kind: PhantomData }
    }
}

impl<K> std::fmt::Debug for Stamp<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stamp").field("name", &self.meta.name).finish_non_exhaustive()
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Stamp<K> {
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

    fn metadata_api() -> bool {
        true
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    #[test]
    fn last_change_is_that_of_whoever_wrote_last() {
        let stamp: Stamp<ConfigMap> = serde_json::from_value(json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": {
                "name": "m", "namespace": "n", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z",
                "managedFields": [
                    {"manager": "a", "time": "2026-01-03T00:00:00Z", "fieldsV1": {"f:data": {}}},
                    {"manager": "b", "time": "2026-01-02T00:00:00Z"}, {"manager": "c"},
                ],
            },
        }))
        .expect("metadata");
        assert_eq!(stamp.changed_at.to_string(), "2026-01-03T00:00:00Z");
        assert_eq!(stamp.meta().resource_version.as_deref(), Some("7"));
        assert!(Stamp::<ConfigMap>::metadata_api(), "the data stays at the API server");
    }
}
