//! What one ExternalSecret wants of its target, of whatever kind, and who else has a claim to it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use api::{
    external_secret::{CreationPolicy, ExternalSecret},
    hash::owner_label,
    names::{MANAGED_LABEL, MANAGED_VALUE, OWNER_LABEL, field_manager},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};
use kube::Resource;
use serde_json::Value;

use super::{
    ours::{is_external_secret, is_me},
    render::Content,
};
use crate::error::{Code, Error};

/// The ExternalSecret as far as its target knows it.
#[derive(Clone, Debug)]
pub struct Author {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Desired {
    pub author: Author,
    pub target: String,
    pub creation: CreationPolicy,
    pub immutable: bool,
    pub content: Content,
}

impl Desired {
    /// Whether what others put into the data goes.
    pub const fn is_whole(&self) -> bool {
        matches!(self.creation, CreationPolicy::Owner | CreationPolicy::Orphan)
    }

    pub fn is_owner(&self) -> bool {
        self.creation == CreationPolicy::Owner
    }

    pub fn bookkeeping_labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([(MANAGED_LABEL.to_owned(), MANAGED_VALUE.to_owned())]);
        if self.is_owner() {
            labels.insert(OWNER_LABEL.to_owned(), owner_label(&self.author.namespace, &self.author.name));
        }
        labels
    }

    /// The name under which the ExternalSecret writes.
    pub fn manager(&self) -> String {
        field_manager(&self.author.name)
    }

    pub fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: ExternalSecret::api_version(&()).into_owned(),
            kind: ExternalSecret::kind(&()).into_owned(),
            name: self.author.name.clone(),
            uid: self.author.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// The owner references as they must be, or why this ExternalSecret may not write here. `what`: the target's name in
    /// messages.
    pub fn owners(&self, existing: &ObjectMeta, what: &str) -> Result<Vec<OwnerReference>, Error> {
        let owners = existing.owner_references.clone().unwrap_or_default();
        if let Some(other) = owners.iter().find(|owner| owner.controller == Some(true) && !is_me(&self.author, owner)) {
            if is_external_secret(other) {
                let message =
                    format!("{what} belongs to externalsecret \"{}\"; choose another spec.target.name", other.name);
                return Err(Error::fix(Code::TargetOwnedByAnother, message));
            }
            if self.is_owner() {
                let message = format!(
                    "{what} is controlled by {} \"{}\"; choose another spec.target.name, or creationPolicy Merge to add \
                     keys to it",
                    other.kind, other.name
                );
                return Err(Error::fix(Code::TargetNotOurs, message));
            }
        }
        if self.is_owner() && owners.contains(&self.owner_reference()) {
            return Ok(owners);
        }
        let mut owners: Vec<_> = owners.into_iter().filter(|owner| !is_me(&self.author, owner)).collect();
        if self.is_owner() {
            owners.push(self.owner_reference());
        }
        Ok(owners)
    }
}

/// What a field manager wrote, by the managed fields of an object.
#[derive(Debug, Default)]
pub struct WrittenBy {
    /// Anything but metadata.
    pub content: bool,
    /// A part of the object as such, not only something in it: of a Secret its type, which comes with the creation; of
    /// other kinds also their first data.
    pub made: bool,
    /// Keys of the data of a Secret or ConfigMap, or of `spec.data`.
    pub data: BTreeSet<String>,
    pub labels: BTreeSet<String>,
    pub annotations: BTreeSet<String>,
    /// All of it, as the API server notes it.
    fields: Vec<Value>,
}

/// The API server gives every Secret a type, in the name of whoever creates it. It cannot be changed.
const TYPE: &str = "f:type";

impl WrittenBy {
    pub fn manager(manager: &str, meta: &ObjectMeta) -> Self {
        let mut written = Self::default();
        let entries = meta.managed_fields.iter().flatten();
        let is_typed = entries.clone().flat_map(parts).any(|(name, _)| name == TYPE);
        let makes = |name: &str| if is_typed { name == TYPE } else { name != "f:metadata" };
        for entry in entries.filter(|entry| entry.manager.as_deref() == Some(manager)) {
            written.content |= fields(entry, "").any(|field| field != "metadata");
            written.made |= parts(entry).any(|(name, part)| makes(name) && is_whole(part));
            written.data.extend(fields(entry, "/f:data"));
            written.data.extend(fields(entry, "/f:spec/f:data"));
            written.labels.extend(fields(entry, "/f:metadata/f:labels"));
            written.annotations.extend(fields(entry, "/f:metadata/f:annotations"));
            written.fields.extend(entry.fields_v1.as_ref().map(|fields| fields.0.clone()));
        }
        written
    }

    /// Whether it wrote what [`Changes`] calls by this name: a key of the data, or a field by its path (`spec.db.host`).
    /// A list that is noted as a whole counts for all that is in it.
    ///
    /// [`Changes`]: super::kind::Changes
    pub fn wrote(&self, name: &str) -> bool {
        self.data.contains(name) || self.fields.iter().any(|fields| notes(fields, name))
    }
}

/// Whether the fields of a manager have this path. Names with dots are tried as one: a path does not tell them apart.
fn notes(fields: &Value, path: &str) -> bool {
    let Some(fields) = fields.as_object() else { return false };
    fields.iter().any(|(noted, within)| {
        let Some(rest) = noted.strip_prefix("f:").and_then(|name| path.strip_prefix(name)) else { return false };
        match rest.chars().next() {
            None => true,
            Some('[') => within.as_object().is_none_or(serde_json::Map::is_empty),
            Some('.') => notes(within, &rest[1..]),
            Some(_) => false,
        }
    })
}

fn fields<'a>(entry: &'a ManagedFieldsEntry, pointer: &str) -> impl Iterator<Item = String> + use<'a> {
    let owned = entry.fields_v1.as_ref().and_then(|fields| fields.0.pointer(pointer)).and_then(Value::as_object);
    owned.into_iter().flatten().filter_map(|(field, _)| field.strip_prefix("f:")).map(str::to_owned)
}

fn parts(entry: &ManagedFieldsEntry) -> impl Iterator<Item = (&String, &Value)> {
    entry.fields_v1.as_ref().and_then(|fields| fields.0.as_object()).into_iter().flatten()
}

/// A map that its writer made has a field `.`; a plain value has no fields.
fn is_whole(part: &Value) -> bool {
    part.as_object().is_some_and(|fields| fields.is_empty() || fields.contains_key("."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_found_wherever_the_kind_has_them() {
        for (fields, keys) in [
            (json!({"f:data": {"f:a": {}}}), vec!["a"]),
            (json!({"f:spec": {"f:data": {"f:a": {}}, "f:other": {}}}), vec!["a"]),
            (json!({"f:spec": {"f:other": {}}}), vec![]),
        ] {
            let meta = json!({"managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": fields}]});
            let meta: ObjectMeta = serde_json::from_value(meta).expect("metadata");
            let written = WrittenBy::manager("m", &meta);
            assert_eq!(written.data.iter().collect::<Vec<_>>(), keys, "{fields}");
            assert!(written.content && WrittenBy::manager("other", &meta).data.is_empty());
        }
    }

    #[test]
    fn fields_are_known_by_their_paths() {
        let fields = json!({"f:spec": {"f:db": {".": {}, "f:host": {}}, "f:rules": {}, "f:a.b": {"f:c": {}}, "f:data": {"f:k": {}}}});
        let meta = json!({"managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": fields}]});
        let written = WrittenBy::manager("m", &serde_json::from_value(meta).expect("metadata"));
        for (name, wrote) in [
            ("spec.db.host", true),
            ("spec.db.port", false),
            ("spec.db.hosts", false),
            ("spec.rules[0].from", true),
            ("spec.rules[1]", true),
            ("spec.a.b.c", true),
            ("spec.a.c", false),
            ("k", true),
            ("other", false),
        ] {
            assert_eq!(written.wrote(name), wrote, "{name}");
        }
    }
}
