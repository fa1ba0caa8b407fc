//! Whose refresh comes next at a backend that answers many questions in one call.
//!
//! What enters is the time until which an ExternalSecret rests; what leaves are the next ones of an identity, so that a call
//! with room takes them along. Whoever is in here is at rest: the beginning of its turn takes it out. Memory is bounded by
//! the number of ExternalSecrets that read from nothing else.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use crate::{engine::ObjectKey, provider::identity::Identity};

/// See the module documentation.
#[derive(Default)]
pub struct Schedule(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    resting: HashMap<Arc<Identity>, BTreeSet<(Timestamp, ObjectKey)>>,
    places: HashMap<ObjectKey, Place>,
}

enum Place {
    Resting {
        identity: Arc<Identity>,
        until: Timestamp,
    },
    /// Its turn was asked for before its time.
    BroughtForward,
}

impl Schedule {
    /// `key` reads as `identity`, and rests until then.
    pub fn rest(&self, key: &ObjectKey, identity: Identity, until: Timestamp) {
        let mut inner = self.lock();
        inner.take(key);
        let identity = match inner.resting.get_key_value(&identity) {
            Some((known, _)) => known.clone(),
            None => Arc::new(identity),
        };
        inner.resting.entry(identity.clone()).or_default().insert((until, key.clone()));
        inner.places.insert(key.clone(), Place::Resting { identity, until });
    }

    /// Its turn begins, or it is gone. Whether the turn was brought forward.
    pub fn begin(&self, key: &ObjectKey) -> bool {
        matches!(self.lock().take(key), Some(Place::BroughtForward))
    }

    /// Those of an identity that rest, at most `most` of them, what comes first first.
    pub fn next(&self, identity: &Identity, most: usize) -> Vec<ObjectKey> {
        let inner = self.lock();
        let resting = inner.resting.get(identity).into_iter().flatten();
        resting.take(most).map(|(_, key)| key.clone()).collect()
    }

    /// Takes it out of its rest; false if it does not rest any more.
    pub fn bring_forward(&self, key: &ObjectKey) -> bool {
        let mut inner = self.lock();
        if !matches!(inner.places.get(key), Some(Place::Resting { .. })) {
            return false;
        }
        inner.take(key);
        inner.places.insert(key.clone(), Place::BroughtForward);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take(&mut self, key: &ObjectKey) -> Option<Place> {
        let place = self.places.remove(key)?;
        if let Place::Resting { identity, until } = &place
            && let Some(resting) = self.resting.get_mut(identity)
        {
            resting.remove(&(*until, key.clone()));
            if resting.is_empty() {
                self.resting.remove(identity);
            }
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests;
