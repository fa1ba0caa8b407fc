//! What an object that is no Secret must look like, and the smallest patch that makes it so. Pure.
//!
//! Keys of data go to `.data` of a ConfigMap and to `.spec.data` of any other kind; all else goes where its path leads.
//! Under Owner and Orphan that map holds our keys only. Elsewhere, fields that others have set or that the API server
//! has filled in are left; those that this ExternalSecret wrote earlier and does not want any more are found in the
//! managed fields. Patches carry `uid` and `resourceVersion`: a change in between is a conflict, never an overwrite.

use std::hash::{DefaultHasher, Hash, Hasher};

use api::{
    external_secret::{CreationPolicy, ExternalSecret},
    hash::{content_hash, owner_label},
    names::{DATA_HASH_ANNOTATION, GROUP, MANAGED_LABEL, MANAGED_VALUE, OWNER_LABEL, field_manager},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{
    Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
};
use serde_json::{Map, Value, json};

use super::place;
use crate::{
    error::{Code, Error},
    reconcile::external_secret::{desired::Author, render::Content},
};

/// What one ExternalSecret wants of its target.
#[derive(Clone, Debug)]
pub struct Desired {
    pub author: Author,
    pub target: String,
    pub kind: ApiResource,
    pub creation: CreationPolicy,
    pub immutable: bool,
    pub content: Content,
}

/// What the hash is made of.
pub fn hash_of(spec: Option<&Value>, data: Option<&Value>) -> String {
    content_hash(spec.or(data).unwrap_or(&Value::Null))
}

impl Desired {
    /// What it is called in messages.
    pub fn name(&self) -> String {
        format!("{} {}/{}", self.kind.kind.to_lowercase(), self.author.namespace, self.target)
    }

    /// The same for equal wishes.
    pub fn fingerprint(&self) -> u64 {
        let Content { data, labels, annotations, finalizers, type_: _, placed } = &self.content;
        let mut hasher = DefaultHasher::new();
        (labels, annotations, finalizers, self.immutable, self.creation.as_str()).hash(&mut hasher);
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
            "metadata": {"name": self.target, "namespace": self.author.namespace},
        });
        let owner = self.is_owner().then(|| self.owner_reference());
        self.fill(&mut object, owner.as_slice(), false)?;
        Ok(object)
    }

    /// The patch that turns `existing` into what is wanted; `None` when it is so already. `prune`: fields that were
    /// wanted earlier may be there still.
    pub fn patch(&self, existing: &DynamicObject, prune: bool) -> Result<Option<Value>, Error> {
        let owners = self.owners(existing)?;
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

    fn is_owner(&self) -> bool {
        self.creation == CreationPolicy::Owner
    }

    fn is_config_map(&self) -> bool {
        self.kind.api_version == "v1" && self.kind.kind == "ConfigMap"
    }

    /// The map that keys of data go to.
    fn data_path(&self) -> &'static str {
        if self.is_config_map() { "/data" } else { "/spec/data" }
    }

    /// Adds everything that is wanted, and the bookkeeping.
    fn fill(&self, object: &mut Value, owners: &[OwnerReference], going: bool) -> Result<(), Error> {
        self.fill_data(object)?;
        for placed in &self.content.placed {
            place::put(object, &placed.path, placed.value.clone());
        }
        if self.immutable && self.is_config_map() {
            merge(object, "immutable", Value::Bool(true));
        }
        let hash = hash_of(object.get("spec"), object.get("data"));
        let mut metadata = object.get_mut("metadata").map(Value::take).unwrap_or_default();
        let mut labels = json!(self.content.labels);
        merge(&mut labels, MANAGED_LABEL, json!(MANAGED_VALUE));
        if self.is_owner() {
            merge(&mut labels, OWNER_LABEL, json!(owner_label(&self.author.namespace, &self.author.name)));
        } else if let Some(there) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            there.remove(OWNER_LABEL);
        }
        merge(&mut metadata, "labels", labels);
        let mut annotations = json!(self.content.annotations);
        merge(&mut annotations, DATA_HASH_ANNOTATION, json!(hash));
        merge(&mut metadata, "annotations", annotations);
        self.fill_lists(&mut metadata, owners, going);
        merge(object, "metadata", metadata);
        Ok(())
    }

    fn fill_data(&self, object: &mut Value) -> Result<(), Error> {
        let rebuilt = matches!(self.creation, CreationPolicy::Owner | CreationPolicy::Orphan);
        if rebuilt && let Some(data) = object.pointer_mut(self.data_path()).and_then(Value::as_object_mut) {
            data.clear();
        }
        if self.content.data.is_empty() {
            return Ok(());
        }
        let mut data = Map::new();
        for (key, value) in &self.content.data {
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
        if !self.content.finalizers.is_empty() && !going {
            let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
            for name in &self.content.finalizers {
                if let Some(list) = finalizers.as_array_mut().filter(|list| !list.contains(&json!(name))) {
                    list.push(json!(name));
                }
            }
        }
    }

    /// Takes out what this ExternalSecret wrote earlier, by the name under which it writes.
    fn withdraw(&self, object: &mut Value, existing: &DynamicObject) {
        let manager = field_manager(&self.author.name);
        let paths: Vec<_> = self.content.placed.iter().map(|placed| &placed.path).collect();
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
        if !self.immutable {
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
    fn owners(&self, existing: &DynamicObject) -> Result<Vec<OwnerReference>, Error> {
        let owners = existing.metadata.owner_references.clone().unwrap_or_default();
        let other = owners.iter().find(|owner| owner.controller == Some(true) && !self.is_me(owner));
        if let Some(other) = other {
            let what = self.name();
            if is_external_secret(other) {
                let message =
                    format!("{what} belongs to externalsecret \"{}\"; choose another spec.target.name", other.name);
                return Err(Error::fix(Code::TargetOwnedByAnother, message));
            }
            if self.is_owner() {
                let message = format!(
                    "{what} is controlled by {} \"{}\"; choose another spec.target.name, or creationPolicy Merge",
                    other.kind, other.name
                );
                return Err(Error::fix(Code::TargetNotOurs, message));
            }
        }
        if self.is_owner() && owners.contains(&self.owner_reference()) {
            return Ok(owners);
        }
        let mut owners: Vec<_> = owners.into_iter().filter(|owner| !self.is_me(owner)).collect();
        if self.is_owner() {
            owners.push(self.owner_reference());
        }
        Ok(owners)
    }

    /// By name: an ExternalSecret that was deleted and created again keeps its target.
    fn is_me(&self, owner: &OwnerReference) -> bool {
        owner.uid == self.author.uid || (is_external_secret(owner) && owner.name == self.author.name)
    }
}

fn is_external_secret(owner: &OwnerReference) -> bool {
    owner.kind == "ExternalSecret" && owner.api_version.split('/').next() == Some(GROUP)
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
