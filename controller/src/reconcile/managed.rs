//! The Secrets that this operator manages: who they are and whether their data is what was written.
//!
//! Enters: a watch selected by the managed label. Each Secret is hashed while it is decoded and its data dropped at
//! once; kept are identity, version, two hashes and the owner. So a Secret edited while the operator was down is
//! noticed at start-up, without a read per Secret and without a value staying in memory. RBAC: secrets `list`, `watch`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use api::{
    hash::{data_hash, metadata_hash},
    names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, OWNER_LABEL},
};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Resource;
use serde::{Deserialize, Deserializer};

use crate::{
    engine::{
        ObjectKey,
        cache::{Before, Cache, Versioned},
        object::{Metadata, version_number},
        watch::Sink,
    },
    secret_bytes::SecretBytes,
};

/// What is remembered of a managed Secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Managed {
    uid: String,
    version: u64,
    /// The hash of the data as it is.
    pub data_hash: String,
    /// Whether the annotation says the same hash: nobody changed the data since it was written.
    pub intact: bool,
    /// The owner label: which ExternalSecret created it.
    pub created_by: Option<String>,
    /// UID of the controlling owner.
    pub owner_uid: Option<String>,
    metadata_hash: String,
    /// What this process last wanted of everything but the data, if it is known to be there: [`record`] says.
    ///
    /// [`record`]: ManagedSecrets::record
    pub settled_as: Option<u64>,
}

impl Versioned for Managed {
    fn uid(&self) -> &str {
        &self.uid
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl From<&Secret> for Managed {
    fn from(secret: &Secret) -> Self {
        let empty = BTreeMap::new();
        let data = secret.data.as_ref().unwrap_or(&empty);
        let meta = &secret.metadata;
        let bytes: BTreeMap<String, &[u8]> =
            data.iter().map(|(key, value)| (key.clone(), value.0.as_slice())).collect();
        Self::new(meta, data_hash(&bytes))
    }
}

impl Managed {
    fn is_same_version(&self, other: &Self) -> bool {
        self.uid == other.uid && self.version == other.version
    }

    fn new(meta: &ObjectMeta, data_hash: String) -> Self {
        let recorded = meta.annotations.as_ref().and_then(|annotations| annotations.get(DATA_HASH_ANNOTATION));
        let owners = meta.owner_references.iter().flatten();
        let none = BTreeMap::new();
        let (labels, annotations) = (meta.labels.as_ref(), meta.annotations.as_ref());
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            version: version_number(meta.resource_version.as_deref()),
            intact: recorded == Some(&data_hash),
            data_hash,
            created_by: meta.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL)).cloned(),
            metadata_hash: metadata_hash(labels.unwrap_or(&none), annotations.unwrap_or(&none)),
            settled_as: None,
            owner_uid: owners.into_iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone()),
        }
    }
}

/// A Secret as the watch decodes it: hashed on arrival, its data gone.
#[derive(Clone, Debug)]
pub struct HashedSecret {
    meta: ObjectMeta,
    managed: Managed,
}

impl<'de> Deserialize<'de> for HashedSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            metadata: Metadata,
            #[serde(default)]
            data: Option<BTreeMap<String, ByteString>>,
        }
        let wire = Wire::deserialize(deserializer)?;
        // Wrapped so that the decoded values are wiped when they are dropped below.
        let data: BTreeMap<String, SecretBytes> =
            wire.data.unwrap_or_default().into_iter().map(|(key, value)| (key, SecretBytes::new(value.0))).collect();
        let hash = data_hash(&data);
        let meta = wire.metadata.into_object_meta();
        let managed = Managed::new(&meta, hash);
        let meta = ObjectMeta {
            name: meta.name,
            namespace: meta.namespace,
            resource_version: meta.resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, managed })
    }
}

impl Resource for HashedSecret {
    type DynamicType = ();
    type Scope = <Secret as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        Secret::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Secret::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Secret::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Secret::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// The selector of the watch.
pub fn selector() -> String {
    format!("{MANAGED_LABEL}=true")
}

/// All managed Secrets, and whom to wake when one of them drifts.
pub struct ManagedSecrets {
    cache: Cache<Managed>,
    by_creator: Mutex<HashMap<String, HashSet<ObjectKey>>>,
    /// The newest version that the watch has brought, of any Secret; held while it is being acted on.
    brought: Mutex<u64>,
    /// Called with a Secret's key when its data or owner is not what was written, or when it is gone.
    drifted: Box<dyn Fn(&ObjectKey) + Send + Sync>,
}

impl ManagedSecrets {
    pub fn new(drifted: impl Fn(&ObjectKey) + Send + Sync + 'static) -> Self {
        Self {
            cache: Cache::default(),
            by_creator: Mutex::default(),
            brought: Mutex::default(),
            drifted: Box::new(drifted),
        }
    }

    pub fn find(&self, key: &ObjectKey) -> Option<Arc<Managed>> {
        self.cache.find(key)
    }

    /// Remembers a Secret from the API server's answer, ahead of the watch.
    ///
    /// The watch brings versions in order. One that it has passed is not news: the Secret may be gone again by now.
    ///
    /// `settled_as`: a hash of what was wanted of everything but the data, where the Secret is as it should be.
    pub fn record(&self, secret: &Secret, settled_as: Option<u64>) {
        let key = ObjectKey::of(secret);
        let managed = Managed { settled_as, ..Managed::from(secret) };
        let brought = self.brought();
        let is_there = || self.cache.find(&key).is_some_and(|there| there.is_same_version(&managed));
        if managed.version > *brought {
            self.put(key, managed);
        } else if is_there() {
            self.cache.remove(&key);
            self.put(key, managed);
        }
    }

    /// Forgets a Secret that was deleted by us, ahead of the watch.
    pub fn forget(&self, key: &ObjectKey) {
        if let Some(gone) = self.cache.remove(key) {
            self.unlink(key, &gone);
        }
    }

    /// The Secrets in a namespace that carry an owner label.
    pub fn created_by(&self, namespace: &str, label: &str) -> Vec<ObjectKey> {
        let index = self.index();
        let keys = index.get(label).into_iter().flatten();
        keys.filter(|key| key.namespace() == namespace).cloned().collect()
    }

    fn put(&self, key: ObjectKey, managed: Managed) -> Before<Managed> {
        let managed = Arc::new(managed);
        let before = self.cache.put(key.clone(), managed.clone());
        if let Before::Older(before) = &before {
            self.unlink(&key, before);
        }
        if before != Before::Newer
            && let Some(creator) = &managed.created_by
        {
            self.index().entry(creator.clone()).or_default().insert(key);
        }
        before
    }

    fn unlink(&self, key: &ObjectKey, managed: &Managed) {
        let Some(creator) = &managed.created_by else { return };
        let mut index = self.index();
        if let Some(keys) = index.get_mut(creator) {
            keys.remove(key);
            if keys.is_empty() {
                index.remove(creator);
            }
        }
    }

    /// Locks out the watch, and takes note of the version that it brings.
    fn brought(&self) -> MutexGuard<'_, u64> {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, HashMap<String, HashSet<ObjectKey>>> {
        self.by_creator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink<HashedSecret> for ManagedSecrets {
    fn listing(&self) {
        self.cache.begin_list();
    }

    fn applied(&self, secret: HashedSecret) {
        let key = ObjectKey::of(&secret);
        let mut now = secret.managed;
        let mut brought = self.brought();
        *brought = now.version.max(*brought);
        let there = self.cache.find(&key);
        let same = there.filter(|there| there.uid == now.uid && there.metadata_hash == now.metadata_hash);
        now.settled_as = same.and_then(|there| there.settled_as);
        let changed = match self.put(key.clone(), now.clone()) {
            Before::Newer => false,
            Before::Nothing => !now.intact,
            Before::Older(before) => {
                let ours = |secret: &Managed| (secret.uid.clone(), secret.owner_uid.clone(), secret.created_by.clone());
                !now.intact || ours(&before) != ours(&now)
            }
        };
        if changed {
            (self.drifted)(&key);
        }
    }

    fn deleted(&self, secret: HashedSecret) {
        let key = ObjectKey::of(&secret);
        let mut brought = self.brought();
        *brought = secret.managed.version.max(*brought);
        if self.cache.find(&key).is_some_and(|there| there.uid == secret.managed.uid) {
            self.forget(&key);
            (self.drifted)(&key);
        }
    }

    fn listed(&self) {
        for (key, gone) in self.cache.end_list() {
            self.unlink(&key, &gone);
            (self.drifted)(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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

    fn watched() -> (ManagedSecrets, Arc<Mutex<Vec<ObjectKey>>>) {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let sink = woken.clone();
        (ManagedSecrets::new(move |key| sink.lock().expect("lock").push(key.clone())), woken)
    }

    #[test]
    fn intact_secret_wakes_nobody_and_an_edited_one_does() {
        let (secrets, woken) = watched();
        secrets.applied(secret(1, "dmFsdWUx", HASH));
        assert!(secrets.find(&ObjectKey::new("n", "s")).expect("there").intact);
        assert!(woken.lock().expect("lock").is_empty());
        secrets.applied(secret(2, "ZWRpdGVk", HASH));
        assert_eq!(woken.lock().expect("lock").len(), 1);
    }

    #[test]
    fn event_older_than_our_write_is_ignored() {
        let (secrets, woken) = watched();
        secrets.applied(secret(5, "dmFsdWUx", HASH));
        secrets.applied(secret(4, "ZWRpdGVk", HASH));
        assert!(woken.lock().expect("lock").is_empty());
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
        secrets.applied(secret(5, "dmFsdWUx", HASH));
        secrets.deleted(secret(6, "dmFsdWUx", HASH));
        secrets.record(&answer(5), Some(1));
        assert_eq!(secrets.find(&ObjectKey::new("n", "s")), None);
        assert_eq!(woken.lock().expect("lock").len(), 1);
    }

    #[test]
    fn metadata_is_settled_by_our_write_until_somebody_changes_it() {
        let (secrets, _) = watched();
        let settled = || secrets.find(&ObjectKey::new("n", "s")).expect("there").settled_as;
        secrets.applied(secret(5, "dmFsdWUx", HASH));
        assert_eq!(settled(), None, "nobody has looked at it");
        secrets.record(&answer(5), Some(1));
        assert_eq!(settled(), Some(1));
        let mut relabelled = answer(6);
        relabelled.metadata.labels = None;
        secrets.applied(serde_json::from_value(json!(relabelled)).expect("secret"));
        assert_eq!(settled(), None);
    }

    #[test]
    fn secret_that_left_the_list_wakes_and_leaves_the_index() {
        let (secrets, woken) = watched();
        secrets.applied(secret(1, "dmFsdWUx", HASH));
        assert_eq!(secrets.created_by("n", "creator").len(), 1);
        assert!(secrets.created_by("other", "creator").is_empty(), "an index never crosses namespaces");
        secrets.listing();
        secrets.listed();
        assert_eq!(woken.lock().expect("lock").len(), 1);
        assert!(secrets.created_by("n", "creator").is_empty());
    }
}
