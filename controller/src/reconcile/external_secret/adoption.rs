//! A target that somebody else made: whether it is one, and what of it goes when this ExternalSecret writes to it.
//! Pure.
//!
//! Upstream takes such a target over without a word. Here it is told by name what is lost, or refused where the operator
//! runs with `--refuse-adoption`. Names only: never a value.

use std::{collections::BTreeSet, fmt::Write as _};

use api::names::{DATA_HASH_ANNOTATION, FIELD_MANAGER_PREFIX};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    desired::{Desired, WrittenBy},
    kind::Changes,
    ours::{is_new_owner, is_ours},
};
use crate::error::{Code, Error};

/// What becomes of what somebody else made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Adoption {
    /// Whether it becomes this ExternalSecret's as a whole (creationPolicy Owner or Orphan), not only some of its keys.
    pub whole: bool,
    /// Whether this ExternalSecret has written to it before.
    pub known: bool,
    /// What goes of theirs.
    pub changes: Changes,
}

/// What is known of a target beside what it carries.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Whether its annotation tells what it holds.
    pub intact: bool,
    /// Whether spec and metadata of the ExternalSecret are as they were when the target was last in step.
    pub settled: bool,
    /// Whether the ExternalSecret was seen to share it with others until now.
    pub shared: bool,
}

/// Keys named in one event; an event's note is short.
const NAMED: usize = 10;

impl Adoption {
    /// What writing `desired` with these changes takes from whoever made `existing`, or wrote into it; `None` where nothing of
    /// theirs goes.
    pub fn of(desired: &Desired, existing: &ObjectMeta, state: State, changes: Changes) -> Option<Self> {
        let (whole, mine) = (desired.is_whole(), WrittenBy::manager(&desired.manager(), existing));
        let known = mine.content || mine.annotations.contains(DATA_HASH_ANNOTATION);
        // It was in step as a whole, and managed fields go with the object: whatever marks are gone, edits took them off.
        let was_ours = whole && state.settled && known;
        if was_ours || is_ours(desired, existing, &mine, state.intact) {
            // What others put into a Secret of ours is drift, unless it was shared, or another ExternalSecret was asked to put
            // it there.
            let shares = if whole { state.shared || is_new_owner(desired, existing, &mine) } else { mine.made };
            let changes = if shares && !state.settled {
                not_written_by(&mine, changes)
            } else {
                let others = written_by_others(desired, existing);
                let removed = changes.removed.into_iter().filter(|key| others.contains(key)).collect();
                Changes { removed, ..Changes::default() }
            };
            return (changes != Changes::default()).then_some(Self { whole, known: true, changes });
        }
        // It asks for the same keys as before: whoever edited them since, they are its own to write.
        if !whole && known && state.settled {
            return None;
        }
        let changes = if known { not_written_by(&mine, changes) } else { changes };
        let takes = changes != Changes::default() || (whole && !known);
        takes.then_some(Self { whole, known, changes })
    }

    /// The note of the event. `what`: `secret "db"`.
    pub fn note(&self, what: &str) -> String {
        let fate = if self.whole { "taken over" } else { "written to" };
        let whose = if self.known { "holds what others wrote" } else { "was not made by this ExternalSecret" };
        let mut note = format!("{what} {whose} and is {fate}");
        for (what, names) in self.lost() {
            // Writing to a String cannot fail.
            let _ = write!(note, "; {what}: {}", listed(names));
        }
        if self.changes.freezes {
            note.push_str("; made immutable");
        }
        note
    }

    /// The error in its place where nothing may be taken over; `None` where the policy asks for writing to it.
    /// `what`: `secret team/db`.
    pub fn refusal(&self, what: &str) -> Option<Error> {
        let whose = if self.known {
            let mut names: Vec<_> = self.lost().flat_map(|(_, names)| names).cloned().collect();
            names.extend(self.changes.freezes.then(|| "immutable".to_owned()));
            format!("holds what others wrote ({})", listed(&names))
        } else {
            "was not made by this ExternalSecret".to_owned()
        };
        let message = format!(
            "{what} {whose}, and --refuse-adoption leaves it as it is; \
             delete it, choose another spec.target.name, or creationPolicy=CreateOrMerge to add keys to it"
        );
        self.whole.then(|| Error::wait(Code::AdoptionRefused, message))
    }

    /// What goes, by what it is.
    fn lost(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        let Changes { removed, replaced, labels, annotations, freezes: _ } = &self.changes;
        let kinds = [
            ("keys removed", removed),
            ("keys replaced", replaced),
            ("labels replaced", labels),
            ("annotations replaced", annotations),
        ];
        kinds.into_iter().map(|(what, names)| (what, names.as_slice())).filter(|(_, names)| !names.is_empty())
    }
}

fn listed(keys: &[String]) -> String {
    let named = keys.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match keys.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn not_written_by(mine: &WrittenBy, changes: Changes) -> Changes {
    let theirs = |keys: Vec<String>| keys.into_iter().filter(|key| !mine.wrote(key)).collect();
    let besides = |names: Vec<String>, mine: &BTreeSet<String>| -> Vec<String> {
        names.into_iter().filter(|name| !mine.contains(name)).collect()
    };
    Changes {
        removed: theirs(changes.removed),
        replaced: theirs(changes.replaced),
        labels: besides(changes.labels, &mine.labels),
        annotations: besides(changes.annotations, &mine.annotations),
        // Whoever wrote some of it has a say in all of it only where it made it.
        freezes: changes.freezes && !mine.made,
    }
}

/// The keys that other ExternalSecrets wrote.
fn written_by_others(desired: &Desired, existing: &ObjectMeta) -> BTreeSet<String> {
    let own = desired.manager();
    let managers = existing.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
    let others = managers.filter(|manager| manager.starts_with(FIELD_MANAGER_PREFIX) && *manager != own);
    others.flat_map(|manager| WrittenBy::manager(manager, existing).data).collect()
}

#[cfg(test)]
mod tests;
