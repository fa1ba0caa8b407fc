//! What a condition said before it told of a failure, to be said again when the failure is over and nothing was fetched:
//! a list of entries that are missing is as true as it was, and so are deletions that are held.
//!
//! Known to this process alone; whoever knows nothing has the values fetched, which tells anew.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use api::condition::Condition;

use crate::{engine::ObjectKey, error::Code, reconcile::guard::served::says};

/// Only ExternalSecrets that fail take a place, of about the size of their condition.
#[derive(Default)]
pub struct Said(Mutex<HashMap<ObjectKey, Before>>);

#[derive(Default)]
struct Before {
    /// Of the last refresh that came to its end.
    end: Option<Condition>,
    /// What is held since then.
    held: Option<Condition>,
}

impl Said {
    /// A failure is told in place of `ready`.
    pub fn note(&self, key: &ObjectKey, ready: Option<&Condition>) {
        let Some(ready) = ready else { return };
        // Of several failures in a row, the first one knows.
        if ready.is_true() {
            self.conditions().insert(key.clone(), Before { end: Some(ready.clone()), held: None });
        } else if says(ready, Code::DeletionsHeld) {
            self.conditions().entry(key.clone()).or_default().held = Some(ready.clone());
        }
    }

    /// Of the last refresh that came to its end.
    pub fn last(&self, key: &ObjectKey) -> Option<Condition> {
        self.conditions().get(key)?.end.clone()
    }

    /// That deletions are held, where this was said before another failure.
    pub fn held(&self, key: &ObjectKey) -> Option<Condition> {
        self.conditions().get(key)?.held.clone()
    }

    /// Something else is said now.
    pub fn forget(&self, key: &ObjectKey) {
        self.conditions().remove(key);
    }

    fn conditions(&self) -> MutexGuard<'_, HashMap<ObjectKey, Before>> {
        // Map operations only.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use api::names::condition_type::READY;

    use super::*;

    #[test]
    fn what_was_said_before_the_first_failure_is_known_until_something_else_is_said() {
        let (said, key) = (Said::default(), ObjectKey::new("n", "es"));
        let good = Condition::new(READY, true, "SecretSynced", "secret synced; one is missing");
        said.note(&key, None);
        assert_eq!(said.last(&key), None);
        said.note(&key, Some(&good));
        said.note(&key, Some(&Condition::new(READY, false, "SecretSyncedError", "StoreNotAllowed: no")));
        assert_eq!((said.last(&key), said.held(&key)), (Some(good.clone()), None));
        let held = Condition::new(READY, false, "SecretSyncedError", "DeletionsHeld: 3 of the 12");
        said.note(&key, Some(&held));
        said.note(&key, Some(&Condition::new(READY, false, "SecretSyncedError", "StoreNotAllowed: no")));
        assert_eq!((said.last(&key), said.held(&key)), (Some(good.clone()), Some(held.clone())));
        said.note(&key, Some(&good));
        assert_eq!(said.held(&key), None, "a refresh that came to its end holds nothing");
        said.note(&key, Some(&held));
        said.forget(&key);
        assert_eq!((said.last(&key), said.held(&key)), (None, None));
    }
}
