//! What ExternalSecrets have in targets that others write to, too (creationPolicy Merge and CreateOrMerge), as this process
//! last saw it there.
//!
//! It tells an edit of what is ours from one of what is theirs, which asks no store for anything. After a restart nothing is
//! known until the first write. Digests only, never a value.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    engine::ObjectKey,
    reconcile::managed::{Managed, digests::Digests},
};

/// See the module documentation.
#[derive(Default)]
pub struct Shares(Mutex<HashMap<ObjectKey, Share>>);

struct Share {
    target: ObjectKey,
    holds: Digests,
}

/// What became of what an ExternalSecret has in a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// All of it is there as it was written.
    Whole,
    /// Some of it has another value.
    Changed,
    /// Some of it is not there any more.
    Gone,
}

impl Shares {
    /// `user` has written to `target`, which is now as given; `wanted` names what is its own.
    pub fn set(&self, user: &ObjectKey, target: &ObjectKey, written: &Managed, wanted: &Digests) {
        let Some(there) = &written.digests else { return self.forget(user) };
        let share = Share { target: target.clone(), holds: there.under_names_of(wanted) };
        self.shares().insert(user.clone(), share);
    }

    /// `user` shares no target any more.
    pub fn forget(&self, user: &ObjectKey) {
        self.shares().remove(user);
    }

    /// What became of the part of `user`; none if that is not known.
    pub fn part(&self, user: &ObjectKey, target: &ObjectKey, now: &Managed) -> Option<Part> {
        let shares = self.shares();
        let share = shares.get(user).filter(|share| share.target == *target)?;
        let Some(there) = now.digests.as_ref().filter(|there| there.has_names_of(&share.holds)) else {
            return Some(Part::Gone);
        };
        Some(if there.has(&share.holds) { Part::Whole } else { Part::Changed })
    }

    /// Whether `user` has written to `target`.
    pub fn is_known(&self, user: &ObjectKey, target: &ObjectKey) -> bool {
        self.shares().get(user).is_some_and(|share| share.target == *target)
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<ObjectKey, Share>> {
        // Map operations only run under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
