//! A target that somebody else made: whether it is one, and which of its keys go when this ExternalSecret writes to it.
//! Pure.
//!
//! Upstream takes such a Secret over without a word. Here it is told by name what is lost, or refused where the operator
//! runs with `--refuse-adoption`. Names of keys only: never a value.

use std::fmt::Write as _;

use api::{
    external_secret::CreationPolicy,
    hash::owner_label,
    names::{DATA_HASH_ANNOTATION, FIELD_MANAGER_PREFIX, MANAGED_LABEL, MANAGED_VALUE, OWNER_LABEL, field_manager},
};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::desired::{Desired, WrittenBy};
use crate::error::{Code, Error};

/// What becomes of somebody else's Secret.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Adoption {
    /// Whether it becomes this ExternalSecret's as a whole (creationPolicy Owner or Orphan), not only some of its keys.
    pub whole: bool,
    /// Keys that are there and will not be.
    pub removed: Vec<String>,
    /// Keys that get another value.
    pub replaced: Vec<String>,
}

/// Keys named in one event; an event's note is short.
const NAMED: usize = 10;

impl Adoption {
    /// What writing `desired` takes from whoever made `existing`; `None` where it is ours, or nothing of theirs goes.
    pub fn of(desired: &Desired, existing: &Secret) -> Option<Self> {
        if !is_foreign(desired, existing) {
            return None;
        }
        let whole = matches!(desired.creation, CreationPolicy::Owner | CreationPolicy::Orphan);
        let after = &desired.content.data;
        let mut adoption = Self { whole, ..Self::default() };
        let frozen = desired.immutable && existing.immutable == Some(true);
        for (key, value) in existing.data.iter().flatten().filter(|_| !frozen) {
            match after.get(key) {
                None if whole => adoption.removed.push(key.clone()),
                Some(new) if new.expose() != value.0 => adoption.replaced.push(key.clone()),
                None | Some(_) => {}
            }
        }
        (whole || !adoption.replaced.is_empty()).then_some(adoption)
    }

    /// The note of the event.
    pub fn note(&self, target: &str) -> String {
        let mut note = if self.whole {
            format!("secret \"{target}\" was not made by this ExternalSecret and is taken over")
        } else {
            format!("secret \"{target}\" was not made by this ExternalSecret and is written to")
        };
        for (what, keys) in [("keys removed", &self.removed), ("keys replaced", &self.replaced)] {
            if !keys.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(note, "; {what}: {}", listed(keys));
            }
        }
        note
    }

    /// The error in its place where nothing may be taken over; `None` where the policy asks for writing to it.
    pub fn refusal(&self, namespace: &str, target: &str) -> Option<Error> {
        let message = format!(
            "secret {namespace}/{target} was not made by this ExternalSecret, and --refuse-adoption leaves it as it is; \
             delete it, choose another spec.target.name, or creationPolicy=CreateOrMerge to add keys to it"
        );
        self.whole.then(|| Error::wait(Code::AdoptionRefused, message))
    }
}

fn listed(keys: &[String]) -> String {
    let named = keys.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match keys.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Whether nothing says that this ExternalSecret wrote it: neither owner nor label nor the managed fields. The managed
/// label alone says nothing: upstream puts it on every target before it writes to it.
fn is_foreign(desired: &Desired, existing: &Secret) -> bool {
    let author = &desired.author;
    let owned = existing.owner_references().iter().any(|owner| desired.is_me(owner));
    let created = existing.labels().get(OWNER_LABEL) == Some(&owner_label(&author.namespace, &author.name));
    let written = WrittenBy::manager(&field_manager(&author.name), existing);
    let wrote = !written.data.is_empty() || written.annotations.contains(DATA_HASH_ANNOTATION);
    !(owned || created || wrote || is_of_some_external_secret(existing))
}

/// Written by an ExternalSecret whose traces are lost, as after a restore from a backup; not by another one.
fn is_of_some_external_secret(existing: &Secret) -> bool {
    let marked = existing.labels().get(MANAGED_LABEL).is_some_and(|value| value == MANAGED_VALUE)
        && existing.annotations().contains_key(DATA_HASH_ANNOTATION);
    let managers = existing.managed_fields().iter().filter_map(|entry| entry.manager.as_deref());
    let mut others = managers.filter(|manager| manager.starts_with(FIELD_MANAGER_PREFIX));
    marked && !others.any(|manager| !WrittenBy::manager(manager, existing).data.is_empty())
}

#[cfg(test)]
mod tests;
