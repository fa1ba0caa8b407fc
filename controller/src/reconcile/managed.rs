//! The objects of one kind that this operator manages: who they are and whether their content is what was written.
//!
//! Enters: a watch selected by the managed label. Each object is [hashed](hashed) while it is decoded and its content
//! dropped at once; kept are identity, version, two hashes and the owner. So one edited while the operator was down is
//! noticed at start-up, without a read per object and without a value staying in memory. RBAC: `list`, `watch` of the kind.

pub mod digests;
pub mod hashed;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use api::{
    hash::{data_hash, metadata_hash},
    names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, OWNER_LABEL},
};
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::api::DynamicObject;

use self::{
    digests::Digests,
    hashed::{Content, Hashed, digests_of, hash_of},
};
use crate::engine::{
    ObjectKey,
    cache::{Before, Cache, Versioned},
    object::version_number,
    watch::Sink,
};

/// What is remembered of a managed object.
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
    /// Deleted, and kept by finalizers.
    pub is_going: bool,
    metadata_hash: String,
    /// What it holds, where it may hold what others wrote, too: that is, where no ExternalSecret owns it.
    pub digests: Option<Arc<Digests>>,
    /// What this process last wanted beside what the hash tells, as a hash of it, if it is known to be there.
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
        Self::new(meta, data_hash(&bytes), || Digests::new(&bytes))
    }
}

impl From<&DynamicObject> for Managed {
    fn from(object: &DynamicObject) -> Self {
        let (spec, data) = (object.data.get("spec"), object.data.get("data"));
        Self::new(&object.metadata, hash_of(spec, data), || digests_of(spec, data))
    }
}

impl Managed {
    fn is_same_version(&self, other: &Self) -> bool {
        self.uid == other.uid && self.version == other.version
    }

    /// Whether it is another object, or somebody else's, than it was.
    pub fn has_another_owner_than(&self, before: &Self) -> bool {
        let whose = |object: &Self| (object.uid.clone(), object.owner_uid.clone(), object.created_by.clone());
        whose(self) != whose(before)
    }

    /// Whether something went of what it held, as far as that was noted.
    fn lacks_some_of(&self, before: &Self) -> bool {
        before.digests.as_ref().is_some_and(|before| self.digests.as_ref().is_none_or(|now| !now.has_names_of(before)))
    }

    /// The same, found as it should be.
    #[must_use]
    pub fn settled_as(self, wanted: u64) -> Self {
        Self { settled_as: Some(wanted), ..self }
    }

    /// `data_hash` and `digests`: of what the object holds.
    pub fn new(meta: &ObjectMeta, data_hash: String, digests: impl FnOnce() -> Digests) -> Self {
        let recorded = meta.annotations.as_ref().and_then(|annotations| annotations.get(DATA_HASH_ANNOTATION));
        let owners = meta.owner_references.iter().flatten();
        let none = BTreeMap::new();
        let (labels, annotations) = (meta.labels.as_ref(), meta.annotations.as_ref());
        let created_by = labels.and_then(|labels| labels.get(OWNER_LABEL)).cloned();
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            version: version_number(meta.resource_version.as_deref()),
            intact: recorded == Some(&data_hash),
            data_hash,
            digests: created_by.is_none().then(|| Arc::new(digests())),
            created_by,
            metadata_hash: metadata_hash(labels.unwrap_or(&none), annotations.unwrap_or(&none)),
            settled_as: None,
            is_going: meta.deletion_timestamp.is_some(),
            owner_uid: owners.into_iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone()),
        }
    }
}

/// The selector of the watch.
pub fn selector() -> String {
    format!("{MANAGED_LABEL}=true")
}

/// A managed object that is not what was written, or not what it was.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// As it was known.
    pub before: Option<&'a Managed>,
    /// None: it is gone, or not managed any more.
    pub now: Option<&'a Managed>,
}

type Drifted = dyn Fn(&ObjectKey, Change<'_>) + Send + Sync;

/// All managed objects of a kind, and whom to wake when one of them drifts.
pub struct ManagedObjects {
    cache: Cache<Managed>,
    by_creator: Mutex<HashMap<String, HashSet<ObjectKey>>>,
    /// The newest version that the watch has brought, of any object; held while it is being acted on.
    brought: Mutex<u64>,
    /// Called with an object's key when its content or owner is not what was written, when it is gone, or when something in it
    /// is.
    drifted: Box<Drifted>,
}

impl ManagedObjects {
    pub fn new(drifted: impl Fn(&ObjectKey, Change<'_>) + Send + Sync + 'static) -> Self {
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

    /// Remembers an object from the API server's answer, ahead of the watch.
    ///
    /// The watch brings versions in order. One that it has passed is not news: the object may be gone again by now.
    pub fn record(&self, key: &ObjectKey, managed: Managed) {
        let brought = self.brought();
        let is_there = || self.cache.find(key).is_some_and(|there| there.is_same_version(&managed));
        if managed.version > *brought {
            if let Before::Older(before) = self.put(key.clone(), managed.clone())
                && managed.lacks_some_of(&before)
            {
                (self.drifted)(key, Change { before: Some(&before), now: Some(&managed) });
            }
        } else if is_there() {
            self.cache.remove(key);
            self.put(key.clone(), managed);
        }
    }

    /// Forgets an object that was deleted by us, ahead of the watch. Others who write to it are told.
    pub fn deleted_by_us(&self, key: &ObjectKey) {
        if let Some(gone) = self.forget(key) {
            (self.drifted)(key, Change { before: Some(&gone), now: None });
        }
    }

    fn forget(&self, key: &ObjectKey) -> Option<Arc<Managed>> {
        let gone = self.cache.remove(key)?;
        self.unlink(key, &gone);
        Some(gone)
    }

    /// The objects in a namespace that carry an owner label.
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

/// What the watch brings, of objects of any kind.
impl ManagedObjects {
    pub fn begin_list(&self) {
        self.cache.begin_list();
    }

    /// An object is there, new or changed or just listed again.
    pub fn arrived(&self, key: &ObjectKey, mut now: Managed) {
        let mut brought = self.brought();
        *brought = now.version.max(*brought);
        let there = self.cache.find(key);
        let same = there.filter(|there| there.uid == now.uid && there.metadata_hash == now.metadata_hash);
        now.settled_as = same.and_then(|there| there.settled_as);
        let (before, changed) = match self.put(key.clone(), now.clone()) {
            Before::Newer => (None, false),
            Before::Nothing => (None, !now.intact),
            Before::Older(before) => {
                let changed = !now.intact || now.has_another_owner_than(&before) || now.lacks_some_of(&before);
                (Some(before), changed)
            }
        };
        if changed {
            (self.drifted)(key, Change { before: before.as_deref(), now: Some(&now) });
        }
    }

    /// An object is gone, or has lost the managed label.
    pub fn left(&self, key: &ObjectKey, last: &Managed) {
        let mut brought = self.brought();
        *brought = last.version.max(*brought);
        if let Some(before) = self.cache.find(key).filter(|there| there.uid == last.uid) {
            self.forget(key);
            (self.drifted)(key, Change { before: Some(&before), now: None });
        }
    }

    pub fn end_list(&self) {
        for (key, gone) in self.cache.end_list() {
            self.unlink(&key, &gone);
            (self.drifted)(&key, Change { before: Some(&gone), now: None });
        }
    }
}

/// Every kind that is watched arrives hashed.
impl<C: Content> Sink<Hashed<C>> for ManagedObjects {
    fn listing(&self) {
        self.begin_list();
    }

    fn applied(&self, object: Hashed<C>) {
        self.arrived(&ObjectKey::of(&object), object.managed);
    }

    fn deleted(&self, object: Hashed<C>) {
        self.left(&ObjectKey::of(&object), &object.managed);
    }

    fn listed(&self) {
        self.end_list();
    }
}

#[cfg(test)]
mod tests;
