//! Places for the slow: an ExternalSecret whose templates took long last time renders only while few others of its kind
//! do. The rest of the cores is for those that are quick, or not known yet. A namespace with several slow ones counts as
//! slow as a whole, so that it cannot take all cores by ever new objects.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::ObjectKey;

/// Templates that take longer than this are slow: a thousand times what an ordinary one takes.
const LONG: Duration = Duration::from_millis(250);

/// So many slow ones make a slow namespace: more than somebody has who makes a key pair or two.
const CROWD: usize = 4;

/// Who was slow last time, by namespace. Bounded by the number of ExternalSecrets.
pub struct Slow {
    places: Arc<Semaphore>,
    users: Mutex<HashMap<Box<str>, HashSet<ObjectKey>>>,
}

/// The right to render. Given back when its last copy is dropped.
#[derive(Clone)]
pub struct Place {
    user: ObjectKey,
    slow: Arc<Slow>,
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Slow {
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), users: Mutex::default() }
    }

    /// Nothing: `user` is slow and all places for such are taken.
    pub fn place(self: &Arc<Self>, user: &ObjectKey) -> Option<Place> {
        let permit =
            if self.is_slow(user) { Some(Arc::new(self.places.clone().try_acquire_owned().ok()?)) } else { None };
        Some(Place { user: user.clone(), slow: self.clone(), _permit: permit })
    }

    pub fn forget(&self, user: &ObjectKey) {
        let mut users = self.users();
        if let Some(slow) = users.get_mut(user.namespace()) {
            slow.remove(user);
            if slow.is_empty() {
                users.remove(user.namespace());
            }
        }
    }

    fn is_slow(&self, user: &ObjectKey) -> bool {
        self.users().get(user.namespace()).is_some_and(|slow| slow.contains(user) || slow.len() >= CROWD)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<Box<str>, HashSet<ObjectKey>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Takes note of how long the work took, for the next time.
    pub fn worked(&self, span: Duration) {
        if span > LONG {
            self.slow.users().entry(self.user.namespace().into()).or_default().insert(self.user.clone());
        } else {
            self.slow.forget(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("team", name)
    }

    #[test]
    fn slow_ones_share_few_places_and_quick_ones_always_have_one() {
        let slow = Arc::new(Slow::new(1));
        for name in ["a", "b"] {
            slow.place(&key(name)).expect("not known to be slow").worked(LONG * 2);
        }
        let held = slow.place(&key("a")).expect("the first of the slow");
        assert!(slow.place(&key("b")).is_none());
        assert!(slow.place(&key("quick")).is_some());
        drop(held);
        assert!(slow.place(&key("b")).is_some());
    }

    #[test]
    fn namespace_with_a_crowd_of_slow_ones_is_slow_as_a_whole() {
        let slow = Arc::new(Slow::new(0));
        for number in 0..CROWD {
            assert!(slow.place(&key("new")).is_some(), "{number}");
            slow.place(&key(&number.to_string())).expect("not known yet").worked(LONG * 2);
        }
        assert!(slow.place(&key("new")).is_none());
        assert!(slow.place(&ObjectKey::new("another-team", "new")).is_some());
        slow.forget(&key("0"));
        assert!(slow.place(&key("new")).is_some());
    }

    #[test]
    fn abandoned_work_keeps_its_place() {
        let slow = Arc::new(Slow::new(1));
        for name in ["a", "b"] {
            slow.place(&key(name)).expect("a place").worked(LONG * 2);
        }
        let waiting = slow.place(&key("a")).expect("a place");
        let working = waiting.clone();
        drop(waiting);
        assert!(slow.place(&key("b")).is_none());
        drop(working);
        assert!(slow.place(&key("b")).is_some());
    }

    #[test]
    fn who_was_quick_again_or_is_gone_is_not_slow() {
        let slow = Arc::new(Slow::new(0));
        let was_slow = |name: &str| slow.place(&key(name)).expect("a place").worked(LONG * 2);
        was_slow("a");
        assert!(slow.place(&key("a")).is_none());
        slow.forget(&key("a"));
        let place = slow.place(&key("a")).expect("forgotten");
        place.worked(LONG * 2);
        place.worked(Duration::ZERO);
        assert!(slow.place(&key("a")).is_some());
    }
}
