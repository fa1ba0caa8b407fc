//! What a condition said before it told of a failure, to be said again when the failure is over and nothing was fetched:
//! a list of entries that are missing is as true as it was.
//!
//! Known to this process alone; whoever knows nothing has the values fetched, which tells anew.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use api::condition::Condition;

use crate::engine::ObjectKey;

/// Only ExternalSecrets that fail take a place, of about the size of their condition.
#[derive(Default)]
pub struct Said(Mutex<HashMap<ObjectKey, Condition>>);

impl Said {
    /// A failure is told in place of `ready`.
    pub fn note(&self, key: &ObjectKey, ready: Option<&Condition>) {
        // Of several failures in a row, the first one knows.
        if let Some(ready) = ready.filter(|ready| ready.is_true()) {
            self.conditions().insert(key.clone(), ready.clone());
        }
    }

    pub fn last(&self, key: &ObjectKey) -> Option<Condition> {
        self.conditions().get(key).cloned()
    }

    /// Something else is said now.
    pub fn forget(&self, key: &ObjectKey) {
        self.conditions().remove(key);
    }

    fn conditions(&self) -> MutexGuard<'_, HashMap<ObjectKey, Condition>> {
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
        assert_eq!(said.last(&key), Some(good));
        said.forget(&key);
        assert_eq!(said.last(&key), None);
    }
}
