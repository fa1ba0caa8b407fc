//! What a target Secret must look like, and the smallest patch that makes it so.
//!
//! Patches are JSON merge patches that carry the `resourceVersion` they were computed against: a change by another
//! writer in between is a conflict, never an overwrite. Keys, labels and annotations that this ExternalSecret wrote
//! earlier and does not want any more are found in the Secret's managed fields under upstream's manager name, so that
//! what upstream wrote is pruned too. Pure but for what [`Kind`] asks. RBAC: secrets `get`, `patch`.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use api::{
    external_secret::CreationPolicy,
    hash::data_hash,
    names::{DATA_HASH_ANNOTATION, OWNER_LABEL},
};
use async_trait::async_trait;
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::ApiResource};
use serde_json::{Map, Value, json};

use super::{
    claim,
    desired::{Author, Desired, WrittenBy},
    kind::{Changes, Kind},
    render::Content,
};
use crate::{
    ctx::Ctx,
    engine::ObjectKey,
    error::{Code, Error},
    provider::Values,
    reconcile::managed::{Managed, ManagedObjects, digests::Digests},
    secret_bytes::SecretBytes,
};

/// The Secrets of a namespace as targets.
pub struct Secrets<'a> {
    pub ctx: &'a Ctx,
    pub namespace: &'a str,
}

#[async_trait]
impl Kind for Secrets<'_> {
    type Object = Secret;

    const SYNCED: &'static str = "secret synced";
    const RETAINED: &'static str = "the secret is retained as deletionPolicy=Retain says";
    const BINDS: bool = true;
    const TAKES_LAST_APPLIED: bool = true;

    fn ctx(&self) -> &Ctx {
        self.ctx
    }

    fn resource(&self) -> Option<&ApiResource> {
        None
    }

    fn namespace(&self) -> &str {
        self.namespace
    }

    fn noun(&self) -> String {
        "secret".to_owned()
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.ctx.client.clone(), self.namespace)
    }

    fn objects(&self) -> &ManagedObjects {
        &self.ctx.managed
    }

    async fn find(&self, name: &str) -> Result<Option<Arc<Managed>>, Error> {
        Ok(self.ctx.managed.find(&self.key(name)))
    }

    fn managed(&self, secret: &Secret) -> Managed {
        Managed::from(secret)
    }

    fn wanted(&self, desired: &Desired) -> u64 {
        desired.beside_data()
    }

    fn is_met(&self, desired: &Desired, wanted: u64, known: &Managed) -> bool {
        let owned = !desired.is_owner()
            || (known.owner_uid.as_ref() == Some(&desired.author.uid) && known.created_by.is_some());
        desired.is_whole()
            && owned
            && known.intact
            && known.settled_as == Some(wanted)
            && known.data_hash == data_hash(&desired.content.data)
    }

    fn content(&self, desired: &Desired) -> Digests {
        Digests::new(&desired.content.data)
    }

    fn make(&self, desired: &Desired) -> Result<Secret, Error> {
        Ok(desired.secret())
    }

    fn patch(&self, desired: &Desired, existing: &Secret, _: bool) -> Result<Option<Value>, Error> {
        desired.patch(existing)
    }

    fn changes(&self, existing: &Secret, patch: &Value) -> Changes {
        let mut changes = Changes::default();
        for (key, value) in patch.get("data").and_then(Value::as_object).into_iter().flatten() {
            if value.is_null() {
                changes.removed.push(key.clone());
            } else if existing.data.as_ref().is_some_and(|data| data.contains_key(key)) {
                changes.replaced.push(key.clone());
            }
        }
        changes.with_metadata(&existing.metadata, existing.immutable == Some(true), patch)
    }

    fn values(&self, existing: &Secret, keys: &[String]) -> Option<Values> {
        let data = existing.data.iter().flatten().filter(|(key, _)| keys.contains(key));
        Some(data.map(|(key, ByteString(value))| (key.clone(), SecretBytes::new(value.clone()))).collect())
    }

    fn correction(&self, _: &Secret) -> Option<Value> {
        None
    }

    async fn claim(&self, author: &Author, name: &str) -> Result<(), Error> {
        if self.ctx.managed.find(&self.key(name)).is_some() {
            return Ok(());
        }
        claim::claim(self, author, name).await
    }

    async fn has_appeared(&self, user: &ObjectKey, name: &str) -> bool {
        self.ctx.awaited.add(user, &self.key(name));
        self.api().get_metadata_opt(name).await.is_ok_and(|found| found.is_some())
    }
}

impl Desired {
    /// A hash of everything but the data: what it was when the Secret was found right, it need not be compared again.
    pub fn beside_data(&self) -> u64 {
        let Content { data: _, labels, annotations, finalizers, type_, placed: _ } = &self.content;
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
        let owners = self.owners(&existing.metadata, &what)?;
        let mine = WrittenBy::manager(&self.manager(), &existing.metadata);
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
