//! What an object that is no Secret must look like, and the smallest patch that makes it so. Pure.
//!
//! Keys of data go to `.data` of a ConfigMap and to `.spec.data` of any other kind; all else goes where its path leads.
//! Under Owner and Orphan that map holds our keys only. Elsewhere, fields that others have set or that the API server
//! has filled in are left; those that this ExternalSecret wrote earlier and does not want any more are found in the
//! managed fields. Patches carry `uid` and `resourceVersion`: a change in between is a conflict, never an overwrite.

use std::hash::{DefaultHasher, Hash, Hasher};

use api::names::{DATA_HASH_ANNOTATION, OWNER_LABEL};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{
    ResourceExt,
    api::{ApiResource, DynamicObject},
};
use serde_json::{Map, Value, json};

use super::place;
use crate::{
    error::{Code, Error},
    reconcile::{
        external_secret::{desired::Desired, render::Content},
        managed::hashed::hash_of,
    },
};

/// What one ExternalSecret wants of an object of this kind.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    pub desired: &'a Desired,
    pub kind: &'a ApiResource,
}

impl Shape<'_> {
    /// What it is called in messages.
    fn name(&self) -> String {
        let Desired { author, target, .. } = self.desired;
        format!("{} {}/{target}", self.kind.kind.to_lowercase(), author.namespace)
    }

    /// The same for equal wishes.
    pub fn fingerprint(&self) -> u64 {
        let Content { data, labels, annotations, finalizers, type_: _, placed } = &self.desired.content;
        let mut hasher = DefaultHasher::new();
        (labels, annotations, finalizers, self.desired.immutable, self.desired.creation.as_str()).hash(&mut hasher);
        for (key, value) in data {
            (key, value.expose()).hash(&mut hasher);
        }
        for placed in placed {
            (placed.path.to_string(), placed.value.to_string()).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The object to create where none exists.
    pub fn object(&self) -> Result<Value, Error> {
        let mut object = json!({
            "apiVersion": self.kind.api_version, "kind": self.kind.kind,
            "metadata": {"name": self.desired.target, "namespace": self.desired.author.namespace},
        });
        let owner = self.desired.is_owner().then(|| self.desired.owner_reference());
        self.fill(&mut object, owner.as_slice(), false)?;
        Ok(object)
    }

    /// The patch that turns `existing` into what is wanted; `None` when it is so already. `prune`: fields that were
    /// wanted earlier may be there still.
    pub fn patch(&self, existing: &DynamicObject, prune: bool) -> Result<Option<Value>, Error> {
        let owners = self.desired.owners(&existing.metadata, &self.name())?;
        let going = existing.metadata.deletion_timestamp.is_some();
        let before = json!(existing);
        let mut after = before.clone();
        self.fill(&mut after, &owners, going)?;
        if !prune && after == before {
            return Ok(None);
        }
        let mut after = before.clone();
        self.withdraw(&mut after, existing);
        self.fill(&mut after, &owners, going)?;
        self.check_immutability(&before, &mut after)?;
        let Some(mut patch) = place::difference(&before, &after) else { return Ok(None) };
        let identity = json!({"uid": existing.metadata.uid, "resourceVersion": existing.metadata.resource_version});
        merge(&mut patch, "metadata", identity);
        Ok(Some(patch))
    }

    fn is_config_map(&self) -> bool {
        is_config_map(self.kind)
    }

    /// Adds everything that is wanted, and the bookkeeping.
    fn fill(&self, object: &mut Value, owners: &[OwnerReference], going: bool) -> Result<(), Error> {
        self.fill_data(object)?;
        for placed in &self.desired.content.placed {
            place::put(object, &placed.path, placed.value.clone());
        }
        if self.desired.immutable && self.is_config_map() {
            merge(object, "immutable", Value::Bool(true));
        }
        let hash = hash_of(object.get("spec"), object.get("data"));
        let mut metadata = object.get_mut("metadata").map(Value::take).unwrap_or_default();
        let mut labels = json!(self.desired.content.labels);
        for (name, value) in self.desired.bookkeeping_labels() {
            merge(&mut labels, &name, json!(value));
        }
        if !self.desired.is_owner()
            && let Some(there) = metadata.get_mut("labels").and_then(Value::as_object_mut)
        {
            there.remove(OWNER_LABEL);
        }
        merge(&mut metadata, "labels", labels);
        let mut annotations = json!(self.desired.content.annotations);
        merge(&mut annotations, DATA_HASH_ANNOTATION, json!(hash));
        merge(&mut metadata, "annotations", annotations);
        self.fill_lists(&mut metadata, owners, going);
        merge(object, "metadata", metadata);
        Ok(())
    }

    fn fill_data(&self, object: &mut Value) -> Result<(), Error> {
        if self.desired.is_whole()
            && let Some(data) = object.pointer_mut(data_path(self.kind)).and_then(Value::as_object_mut)
        {
            data.clear();
        }
        if self.desired.content.data.is_empty() {
            return Ok(());
        }
        let mut data = Map::new();
        for (key, value) in &self.desired.content.data {
            let text = std::str::from_utf8(value.expose()).map_err(|_| {
                let message = format!(
                    "the value of \"{key}\" is not UTF-8, which texts of {} must be; encode it with a template, such as \
                     {{{{ .{key} | b64enc }}}}",
                    self.name()
                );
                Error::fix(Code::TargetInvalid, message)
            })?;
            data.insert(key.clone(), json!(text));
        }
        if self.is_config_map() {
            merge(object, "data", Value::Object(data));
        } else {
            merge(object, "spec", json!({ "data": data }));
        }
        Ok(())
    }

    /// Owners, and finalizers, which are only ever added, and not to an object that is going.
    fn fill_lists(&self, metadata: &mut Value, owners: &[OwnerReference], going: bool) {
        let Some(metadata) = metadata.as_object_mut() else { return };
        if owners.is_empty() {
            metadata.remove("ownerReferences");
        } else {
            metadata.insert("ownerReferences".to_owned(), json!(owners));
        }
        if !self.desired.content.finalizers.is_empty() && !going {
            let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
            for name in &self.desired.content.finalizers {
                if let Some(list) = finalizers.as_array_mut().filter(|list| !list.contains(&json!(name))) {
                    list.push(json!(name));
                }
            }
        }
    }

    /// Takes out what this ExternalSecret wrote earlier, by the name under which it writes.
    fn withdraw(&self, object: &mut Value, existing: &DynamicObject) {
        let manager = self.desired.manager();
        let paths: Vec<_> = self.desired.content.placed.iter().map(|placed| &placed.path).collect();
        for entry in existing.metadata.managed_fields.iter().flatten() {
            let is_ours = entry.manager.as_deref() == Some(&manager) && entry.subresource.is_none();
            if let (true, Some(fields)) = (is_ours, &entry.fields_v1) {
                place::withdraw(object, &fields.0, &paths);
            }
        }
    }

    /// An immutable ConfigMap keeps its data: by our own wish, or else its change is refused here.
    fn check_immutability(&self, before: &Value, after: &mut Value) -> Result<(), Error> {
        if !self.is_config_map() || before.get("immutable") != Some(&Value::Bool(true)) {
            return Ok(());
        }
        if before.get("data") == after.get("data") {
            return Ok(());
        }
        if !self.desired.immutable {
            let message =
                format!("{} is immutable and its data would change; delete it to have it created anew", self.name());
            return Err(Error::fix(Code::TargetImmutable, message));
        }
        let hash = hash_of(before.get("spec"), before.get("data"));
        if let Some(after) = after.as_object_mut() {
            match before.get("data") {
                Some(data) => drop(after.insert("data".to_owned(), data.clone())),
                None => drop(after.remove("data")),
            }
        }
        merge(after, "metadata", json!({"annotations": {DATA_HASH_ANNOTATION: hash}}));
        Ok(())
    }
}

/// The map that keys of data go to.
pub fn data_path(kind: &ApiResource) -> &'static str {
    if is_config_map(kind) { "/data" } else { "/spec/data" }
}

fn is_config_map(kind: &ApiResource) -> bool {
    kind.api_version == "v1" && kind.kind == "ConfigMap"
}

/// The patch that makes the annotation tell the hash of what the API server made of the object, if it does not.
pub fn correction(answer: &DynamicObject) -> Option<Value> {
    let hash = hash_of(answer.data.get("spec"), answer.data.get("data"));
    let told = answer.annotations().get(DATA_HASH_ANNOTATION);
    (told != Some(&hash)).then(|| {
        json!({"metadata": {
            "uid": answer.metadata.uid, "resourceVersion": answer.metadata.resource_version,
            "annotations": {DATA_HASH_ANNOTATION: hash},
        }})
    })
}

/// Sets a field; where both are maps, the entries of the new one are set in the one that is there.
fn merge(object: &mut Value, field: &str, value: Value) {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(map) = object.as_object_mut() else { return };
    match (map.get_mut(field), value) {
        (Some(there @ Value::Object(_)), Value::Object(new)) => {
            for (name, value) in new {
                merge(there, &name, value);
            }
        }
        (_, value) => drop(map.insert(field.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests;
