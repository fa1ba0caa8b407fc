//! What the target Secret must look like, and the smallest patch that makes it so. Pure.
//!
//! Patches are JSON merge patches that carry the `resourceVersion` they were computed against: a change by another
//! writer in between is a conflict, never an overwrite. Keys, labels and annotations that this ExternalSecret wrote
//! earlier and does not want any more are found in the Secret's managed fields under upstream's manager name, so that
//! what upstream wrote is pruned too.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use api::{
    external_secret::{CreationPolicy, ExternalSecret},
    hash::{data_hash, owner_label},
    names::{DATA_HASH_ANNOTATION, GROUP, MANAGED_LABEL, MANAGED_VALUE, OWNER_LABEL, field_manager},
};
use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference},
};
use kube::Resource;
use serde_json::{Map, Value, json};

use super::render::Content;
use crate::error::{Code, Error};

/// The ExternalSecret as far as its Secret knows it.
#[derive(Clone, Debug)]
pub struct Author {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// What one ExternalSecret wants of its target.
#[derive(Clone, Debug)]
pub struct Desired {
    pub author: Author,
    pub target: String,
    pub creation: CreationPolicy,
    pub immutable: bool,
    pub content: Content,
}

impl Desired {
    /// A hash of everything but the data: what it was when the Secret was found right, it need not be compared again.
    pub fn beside_data(&self) -> u64 {
        let Content { data: _, labels, annotations, finalizers, type_ } = &self.content;
        let mut hasher = DefaultHasher::new();
        (labels, annotations, finalizers, type_, self.immutable).hash(&mut hasher);
        hasher.finish()
    }

    /// The Secret to create where none exists.
    pub fn secret(&self) -> Secret {
        let mut labels = self.content.labels.clone();
        labels.extend(self.bookkeeping_labels());
        let mut annotations = self.content.annotations.clone();
        annotations.insert(DATA_HASH_ANNOTATION.to_owned(), data_hash(&self.content.data));
        let data = &self.content.data;
        Secret {
            metadata: ObjectMeta {
                name: Some(self.target.clone()),
                namespace: Some(self.author.namespace.clone()),
                labels: Some(labels),
                annotations: Some(annotations),
                finalizers: (!self.content.finalizers.is_empty()).then(|| self.content.finalizers.clone()),
                owner_references: (self.creation == CreationPolicy::Owner).then(|| vec![self.owner_reference()]),
                ..ObjectMeta::default()
            },
            data: Some(data.iter().map(|(key, value)| (key.clone(), ByteString(value.expose().to_vec()))).collect()),
            type_: self.content.type_.clone(),
            immutable: self.immutable.then_some(true),
            ..Secret::default()
        }
    }

    /// The patch that turns `existing` into what is wanted; `None` when it is so already.
    pub fn patch(&self, existing: &Secret) -> Result<Option<Value>, Error> {
        let what = format!("secret {}/{}", self.author.namespace, self.target);
        let owners = self.owners(existing, &what)?;
        let mine = WrittenBy::manager(&field_manager(&self.author.name), existing);
        let now = before(existing.data.as_ref(), |value| value.0.as_slice());
        // Written once and for all, as the spec asks: new values at the provider change nothing and are no failure.
        let frozen = self.immutable && existing.immutable == Some(true);
        let data = if frozen { now.clone() } else { self.data(existing, &mine) };
        let data_patch = difference(&now, &data);
        if !frozen {
            self.check_type_and_immutability(existing, data_patch.is_some(), &what)?;
        }
        let mut metadata = self.metadata_patch(existing, &mine, data_hash(&data));
        if owners != *existing.metadata.owner_references.as_deref().unwrap_or_default() {
            metadata.insert("ownerReferences".to_owned(), json!(owners));
        }
        let mut patch = Map::new();
        put(&mut patch, "data", data_patch);
        if self.immutable && existing.immutable != Some(true) {
            patch.insert("immutable".to_owned(), Value::Bool(true));
        }
        if metadata.is_empty() && patch.is_empty() {
            return Ok(None);
        }
        metadata.insert("resourceVersion".to_owned(), json!(existing.metadata.resource_version));
        metadata.insert("uid".to_owned(), json!(existing.metadata.uid));
        patch.insert("metadata".to_owned(), Value::Object(metadata));
        Ok(Some(Value::Object(patch)))
    }

    /// What changes of labels, annotations and finalizers.
    fn metadata_patch(&self, existing: &Secret, mine: &WrittenBy, hash: String) -> Map<String, Value> {
        let mut labels = pruned(existing.metadata.labels.as_ref(), &mine.labels);
        if self.creation != CreationPolicy::Owner {
            labels.remove(OWNER_LABEL);
        }
        labels.extend(self.content.labels.clone());
        labels.extend(self.bookkeeping_labels());
        let mut annotations = pruned(existing.metadata.annotations.as_ref(), &mine.annotations);
        annotations.extend(self.content.annotations.clone());
        annotations.insert(DATA_HASH_ANNOTATION.to_owned(), hash);
        let mut patch = Map::new();
        put(&mut patch, "labels", texts_difference(existing.metadata.labels.as_ref(), &labels));
        put(&mut patch, "annotations", texts_difference(existing.metadata.annotations.as_ref(), &annotations));
        put(&mut patch, "finalizers", self.finalizers(existing));
        patch
    }

    fn bookkeeping_labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([(MANAGED_LABEL.to_owned(), MANAGED_VALUE.to_owned())]);
        if self.creation == CreationPolicy::Owner {
            labels.insert(OWNER_LABEL.to_owned(), owner_label(&self.author.namespace, &self.author.name));
        }
        labels
    }

    fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: ExternalSecret::api_version(&()).into_owned(),
            kind: ExternalSecret::kind(&()).into_owned(),
            name: self.author.name.clone(),
            uid: self.author.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// The owner references as they must be, or why this ExternalSecret may not write here.
    fn owners(&self, existing: &Secret, what: &str) -> Result<Vec<OwnerReference>, Error> {
        let owners = existing.metadata.owner_references.clone().unwrap_or_default();
        let controller = owners.iter().find(|owner| owner.controller == Some(true) && !self.is_me(owner));
        if let Some(other) = controller {
            if is_external_secret(other) {
                return Err(Error::fix(
                    Code::TargetOwnedByAnother,
                    format!("{what} belongs to externalsecret \"{}\"; choose another spec.target.name", other.name),
                ));
            }
            if self.creation == CreationPolicy::Owner {
                return Err(Error::fix(
                    Code::TargetNotOurs,
                    format!(
                        "{what} is controlled by {} \"{}\"; choose another spec.target.name, or creationPolicy Merge to \
                         add keys to it",
                        other.kind, other.name
                    ),
                ));
            }
        }
        if self.creation == CreationPolicy::Owner && owners.contains(&self.owner_reference()) {
            return Ok(owners);
        }
        let mut owners: Vec<_> = owners.into_iter().filter(|owner| !self.is_me(owner)).collect();
        if self.creation == CreationPolicy::Owner {
            owners.push(self.owner_reference());
        }
        Ok(owners)
    }

    /// By name: an ExternalSecret that was deleted and created again keeps its Secret.
    pub fn is_me(&self, owner: &OwnerReference) -> bool {
        owner.uid == self.author.uid || (is_external_secret(owner) && owner.name == self.author.name)
    }

    /// The data as it must be: everything under Owner and Orphan, our part of it under Merge and CreateOrMerge.
    fn data<'a>(&'a self, existing: &'a Secret, mine: &WrittenBy) -> BTreeMap<String, &'a [u8]> {
        let mut data: BTreeMap<String, &[u8]> = BTreeMap::new();
        if matches!(self.creation, CreationPolicy::Merge | CreationPolicy::CreateOrMerge) {
            let kept = existing.data.iter().flatten().filter(|(key, _)| !mine.data.contains(*key));
            data.extend(kept.map(|(key, value)| (key.clone(), value.0.as_slice())));
        }
        data.extend(self.content.data.iter().map(|(key, value)| (key.clone(), value.expose())));
        data
    }

    fn check_type_and_immutability(&self, existing: &Secret, data_changes: bool, what: &str) -> Result<(), Error> {
        let now = existing.type_.as_deref().unwrap_or("Opaque");
        if let Some(wanted) = self.content.type_.as_deref().filter(|wanted| *wanted != now) {
            return Err(Error::fix(
                Code::TargetImmutable,
                format!(
                    "{what} has type \"{now}\" and Kubernetes lets nobody change that to \"{wanted}\"; delete the secret to have it created anew"
                ),
            ));
        }
        if existing.immutable == Some(true) && data_changes {
            return Err(Error::fix(
                Code::TargetImmutable,
                format!("{what} is immutable and its data would change; delete the secret to have it created anew"),
            ));
        }
        Ok(())
    }

    /// Finalizers are only ever added, and not to a Secret that is going.
    fn finalizers(&self, existing: &Secret) -> Option<Value> {
        if existing.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let mut finalizers = existing.metadata.finalizers.clone().unwrap_or_default();
        let missing: Vec<_> =
            self.content.finalizers.iter().filter(|name| !finalizers.contains(name)).cloned().collect();
        if missing.is_empty() {
            return None;
        }
        finalizers.extend(missing);
        Some(json!(finalizers))
    }
}

/// The keys of the data that a patch takes away.
pub fn dropped(patch: &Value) -> Vec<String> {
    let data = patch.get("data").and_then(Value::as_object);
    data.into_iter().flatten().filter(|(_, value)| value.is_null()).map(|(key, _)| key.clone()).collect()
}

fn is_external_secret(owner: &OwnerReference) -> bool {
    owner.kind == "ExternalSecret" && owner.api_version.split('/').next() == Some(GROUP)
}

/// What a field manager wrote, by its managed fields.
#[derive(Debug, Default)]
pub struct WrittenBy {
    pub data: BTreeSet<String>,
    pub labels: BTreeSet<String>,
    pub annotations: BTreeSet<String>,
}

impl WrittenBy {
    pub fn manager(manager: &str, secret: &Secret) -> Self {
        let mut written = Self::default();
        let entries = secret.metadata.managed_fields.iter().flatten();
        for entry in entries.filter(|entry| entry.manager.as_deref() == Some(manager)) {
            written.data.extend(fields(entry, "/f:data"));
            written.labels.extend(fields(entry, "/f:metadata/f:labels"));
            written.annotations.extend(fields(entry, "/f:metadata/f:annotations"));
        }
        written
    }
}

fn fields<'a>(entry: &'a ManagedFieldsEntry, pointer: &str) -> impl Iterator<Item = String> + use<'a> {
    let owned = entry.fields_v1.as_ref().and_then(|fields| fields.0.pointer(pointer)).and_then(Value::as_object);
    owned.into_iter().flatten().filter_map(|(field, _)| field.strip_prefix("f:")).map(str::to_owned)
}

fn pruned(texts: Option<&BTreeMap<String, String>>, mine: &BTreeSet<String>) -> BTreeMap<String, String> {
    let texts = texts.into_iter().flatten();
    texts.filter(|(key, _)| !mine.contains(*key)).map(|(key, text)| (key.clone(), text.clone())).collect()
}

fn before<T>(map: Option<&BTreeMap<String, T>>, bytes: impl Fn(&T) -> &[u8]) -> BTreeMap<String, &[u8]> {
    map.into_iter().flatten().map(|(key, value)| (key.clone(), bytes(value))).collect()
}

/// Data keys that change, base64; keys that go, null. `None` when nothing does.
fn difference(before: &BTreeMap<String, &[u8]>, after: &BTreeMap<String, &[u8]>) -> Option<Value> {
    let changed = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    let mut patch: Map<String, Value> =
        changed.map(|(key, value)| (key.clone(), json!(ByteString(value.to_vec())))).collect();
    patch.extend(before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn texts_difference(before: Option<&BTreeMap<String, String>>, after: &BTreeMap<String, String>) -> Option<Value> {
    let none = BTreeMap::new();
    let before = before.unwrap_or(&none);
    let changed = after.iter().filter(|(key, text)| before.get(*key) != Some(text));
    let mut patch: Map<String, Value> = changed.map(|(key, text)| (key.clone(), json!(text))).collect();
    patch.extend(before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn put(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
