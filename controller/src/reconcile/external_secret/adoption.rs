//! A target that somebody else made: whether it is one, and which of its keys go when this ExternalSecret writes to it.
//! Pure.
//!
//! Upstream takes such a target over without a word. Here it is told by name what is lost, or refused where the operator
//! runs with `--refuse-adoption`. Names of keys only: never a value.

use std::{collections::BTreeMap, fmt::Write as _};

use api::{
    hash::owner_label,
    names::{DATA_HASH_ANNOTATION, FIELD_MANAGER_PREFIX, MANAGED_LABEL, MANAGED_VALUE, OWNER_LABEL},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    desired::{Desired, WrittenBy},
    kind::Changes,
};
use crate::error::{Code, Error};

/// What becomes of somebody else's object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Adoption {
    /// Whether it becomes this ExternalSecret's as a whole (creationPolicy Owner or Orphan), not only some of its keys.
    pub whole: bool,
    /// What goes of theirs.
    pub changes: Changes,
}

/// Keys named in one event; an event's note is short.
const NAMED: usize = 10;

impl Adoption {
    /// What writing `desired` with these changes takes from whoever made `existing`; `None` where it is ours, or nothing of
    /// theirs goes.
    pub fn of(desired: &Desired, existing: &ObjectMeta, changes: Changes) -> Option<Self> {
        let whole = desired.is_whole();
        let takes = whole || changes != Changes::default();
        (takes && is_foreign(desired, existing)).then_some(Self { whole, changes })
    }

    /// The note of the event.
    /// `what`: `secret "db"`.
    pub fn note(&self, what: &str) -> String {
        let fate = if self.whole { "taken over" } else { "written to" };
        let mut note = format!("{what} was not made by this ExternalSecret and is {fate}");
        let Changes { removed, replaced } = &self.changes;
        for (what, keys) in [("keys removed", removed), ("keys replaced", replaced)] {
            if !keys.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(note, "; {what}: {}", listed(keys));
            }
        }
        note
    }

    /// The error in its place where nothing may be taken over; `None` where the policy asks for writing to it.
    /// `what`: `secret team/db`.
    pub fn refusal(&self, what: &str) -> Option<Error> {
        let message = format!(
            "{what} was not made by this ExternalSecret, and --refuse-adoption leaves it as it is; \
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
fn is_foreign(desired: &Desired, existing: &ObjectMeta) -> bool {
    let author = &desired.author;
    let owned = existing.owner_references.iter().flatten().any(|owner| desired.is_me(owner));
    let created = text(existing.labels.as_ref(), OWNER_LABEL) == Some(&owner_label(&author.namespace, &author.name));
    let written = WrittenBy::manager(&desired.manager(), existing);
    let wrote = written.content || written.annotations.contains(DATA_HASH_ANNOTATION);
    !(owned || created || wrote || is_of_some_external_secret(existing))
}

/// Written by an ExternalSecret whose traces are lost, as after a restore from a backup; not by another one.
fn is_of_some_external_secret(existing: &ObjectMeta) -> bool {
    let marked = text(existing.labels.as_ref(), MANAGED_LABEL).is_some_and(|value| value == MANAGED_VALUE)
        && text(existing.annotations.as_ref(), DATA_HASH_ANNOTATION).is_some();
    let managers = existing.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
    let mut others = managers.filter(|manager| manager.starts_with(FIELD_MANAGER_PREFIX));
    marked && !others.any(|manager| WrittenBy::manager(manager, existing).content)
}

fn text<'a>(texts: Option<&'a BTreeMap<String, String>>, key: &str) -> Option<&'a String> {
    texts.and_then(|texts| texts.get(key))
}

#[cfg(test)]
mod tests;
