//! Places for the slow: an ExternalSecret whose templates took long last time renders only while few others of its kind
//! do. The rest of the cores is for those that are quick, or not known yet.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::ObjectKey;

/// Templates that take longer than this are slow: a thousand times what an ordinary one takes.
const LONG: Duration = Duration::from_millis(250);

/// Who was slow last time. Bounded by the number of ExternalSecrets.
pub struct Slow {
    places: Arc<Semaphore>,
    users: Mutex<HashSet<ObjectKey>>,
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
        let permit = if self.users().contains(user) {
            Some(Arc::new(self.places.clone().try_acquire_owned().ok()?))
        } else {
            None
        };
        Some(Place { user: user.clone(), slow: self.clone(), _permit: permit })
    }

    pub fn forget(&self, user: &ObjectKey) {
        self.users().remove(user);
    }

    fn users(&self) -> MutexGuard<'_, HashSet<ObjectKey>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Takes note of how long the work took, for the next time.
    pub fn worked(&self, span: Duration) {
        let mut users = self.slow.users();
        if span > LONG {
            users.insert(self.user.clone());
        } else {
            users.remove(&self.user);
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
