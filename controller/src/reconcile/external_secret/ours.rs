//! What "ours" means of a target. Pure.
//!
//! A target tells in three ways whose it is, and each question needs an answer of its own:
//!
//! * *Owned*: its controlling owner has the UID of this ExternalSecret ([`Identity::owns`]). The one proof that does not
//!   survive the ExternalSecret. What is not owned is never deleted.
//! * *Labelled*: its owner label names this ExternalSecret ([`Identity::labels`]), or one of the same name before it.
//! * *Made*: this ExternalSecret's field manager created it ([`WrittenBy::made`]), whatever marks it carries.
//!
//! A former target goes if it is [owned and labelled](Identity::owns_wholly) and no [copy](is_written); one with less is
//! repaired. News of it concern
//! whoever [owns or is on the label](Identity::has_a_claim). It is not taken from anybody if [any trace](is_ours) is there.
//! An owner reference is this ExternalSecret's also [by name](is_me): one that was deleted and created again keeps its
//! target.

use std::collections::BTreeMap;

use api::{
    hash::owner_label,
    names::{
        DATA_HASH_ANNOTATION, FIELD_MANAGER_PREFIX, GROUP, MANAGED_LABEL, MANAGED_VALUE, OWNER_LABEL, field_manager,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::desired::{Author, Desired, WrittenBy};
use crate::reconcile::managed::Managed;

/// An ExternalSecret as its targets name it.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub uid: &'a str,
    /// The owner label of what it creates.
    pub label: &'a str,
}

impl Identity<'_> {
    /// Its controlling owner is this ExternalSecret, and none of the same name before it.
    pub fn owns(&self, target: &Managed) -> bool {
        target.owner_uid.as_deref() == Some(self.uid)
    }

    pub fn labels(&self, target: &Managed) -> bool {
        target.created_by.as_deref() == Some(self.label)
    }

    pub fn owns_wholly(&self, target: &Managed) -> bool {
        self.owns(target) && self.labels(target)
    }

    pub fn has_a_claim(&self, target: &Managed) -> bool {
        self.owns(target) || self.labels(target)
    }
}

/// Whether an owner reference names the author: by UID or by name.
pub fn is_me(author: &Author, owner: &OwnerReference) -> bool {
    owner.uid == author.uid || (is_external_secret(owner) && owner.name == author.name)
}

pub fn is_external_secret(owner: &OwnerReference) -> bool {
    owner.kind == "ExternalSecret" && owner.api_version.split('/').next() == Some(GROUP)
}

/// Whether all of it is this ExternalSecret's: by its controlling owner, or because it was created under its name. Labels
/// travel with every copy that a user makes, so its own label counts only on what it wrote to, or what holds what the
/// annotation says. The managed label alone says nothing: upstream puts it on every target before it writes to it. Nor do
/// some fields: they are written by whoever merges keys into somebody else's Secret, too.
pub fn is_ours(desired: &Desired, existing: &ObjectMeta, mine: &WrittenBy, intact: bool) -> bool {
    is_owned(desired, existing)
        || mine.made
        || (is_labelled(desired, existing) && (mine.content || intact))
        || (intact && is_of_some_external_secret(existing))
}

/// Whether it was made with a policy that keeps what others write, or leaves it there: only its owner is marked.
pub fn is_new_owner(desired: &Desired, existing: &ObjectMeta, mine: &WrittenBy) -> bool {
    desired.is_owner() && mine.made && !is_owned(desired, existing) && !is_labelled(desired, existing)
}

/// Whether what is under another name than the target's was written by this ExternalSecret, and is no copy of what it wrote:
/// a copy has its owner and its label, too.
pub fn is_written(author: &Author, existing: &ObjectMeta) -> bool {
    let mine = WrittenBy::manager(&field_manager(&author.name), existing);
    mine.made || mine.content
}

/// By its controlling owner, also by one of the same name before it.
fn is_owned(desired: &Desired, existing: &ObjectMeta) -> bool {
    let mut owners = existing.owner_references.iter().flatten();
    owners.any(|owner| owner.controller == Some(true) && is_me(&desired.author, owner))
}

fn is_labelled(desired: &Desired, existing: &ObjectMeta) -> bool {
    let author = &desired.author;
    text(existing.labels.as_ref(), OWNER_LABEL) == Some(&owner_label(&author.namespace, &author.name))
}

/// Written by an ExternalSecret whose traces are lost, as after a restore from a backup; not by another one, and not edited.
/// Whoever restores it writes the marks with the data. Where an ExternalSecret put the marks on what somebody else holds,
/// they tell nothing.
fn is_of_some_external_secret(existing: &ObjectMeta) -> bool {
    let marked = text(existing.labels.as_ref(), MANAGED_LABEL).is_some_and(|value| value == MANAGED_VALUE)
        && text(existing.annotations.as_ref(), DATA_HASH_ANNOTATION).is_some()
        && text(existing.labels.as_ref(), OWNER_LABEL).is_none();
    let managers = existing.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
    let (external_secrets, others): (Vec<_>, Vec<_>) =
        managers.partition(|manager| manager.starts_with(FIELD_MANAGER_PREFIX));
    let written = |managers: &[&str], what: fn(&WrittenBy) -> bool| {
        managers.iter().any(|manager| what(&WrittenBy::manager(manager, existing)))
    };
    let is_restored = !written(&external_secrets, |mark| mark.annotations.contains(DATA_HASH_ANNOTATION))
        || !written(&others, |other| other.content);
    marked && !written(&external_secrets, |other| other.content) && is_restored
}

fn text<'a>(texts: Option<&'a BTreeMap<String, String>>, key: &str) -> Option<&'a String> {
    texts.and_then(|texts| texts.get(key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_sense_of_ours_looks_at_marks_of_its_own() {
        let me = Identity { uid: "me", label: "l" };
        for (owner, label, owns, labels) in [
            ("me", Some("l"), true, true),
            ("me", None, true, false),
            ("former", Some("l"), false, true),
            ("other", Some("other"), false, false),
        ] {
            let owner = json!({"apiVersion": "v1", "kind": "K", "name": "n", "uid": owner, "controller": true});
            let labels_of = label.map(|label| json!({OWNER_LABEL: label}));
            let meta = json!({"uid": "s", "ownerReferences": [owner], "labels": labels_of});
            let meta: ObjectMeta = serde_json::from_value(meta).expect("metadata");
            let target = Managed::new(&meta, String::new(), || {
                crate::reconcile::managed::digests::Digests::new(&BTreeMap::<String, Vec<u8>>::new())
            });
            assert_eq!((me.owns(&target), me.labels(&target)), (owns, labels), "{meta:?}");
            assert_eq!(me.owns_wholly(&target), owns && labels);
            assert_eq!(me.has_a_claim(&target), owns || labels);
        }
    }

    #[test]
    fn owner_is_me_by_uid_or_by_name_and_kind() {
        let author = Author { namespace: "n".into(), name: "es".into(), uid: "me".into() };
        for (version, kind, name, uid, expected) in [
            ("external-secrets.io/v1", "ExternalSecret", "es", "former", true),
            ("external-secrets.io/v1", "ExternalSecret", "other", "me", true),
            ("external-secrets.io/v1", "ExternalSecret", "other", "other", false),
            ("example.com/v1", "ExternalSecret", "es", "other", false),
            ("external-secrets.io/v1", "SecretStore", "es", "other", false),
        ] {
            let owner = json!({"apiVersion": version, "kind": kind, "name": name, "uid": uid});
            let owner: OwnerReference = serde_json::from_value(owner).expect("an owner");
            assert_eq!(is_me(&author, &owner), expected, "{owner:?}");
        }
    }
}
