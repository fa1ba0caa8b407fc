//! Places for the slow: an ExternalSecret whose templates took long last time renders only while few others of its kind
//! do. The rest of the cores is for the others. In a namespace with several slow ones, what was never rendered as it is
//! counts as slow too, so that nobody can take all cores by ever new objects.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::ObjectKey;

/// Templates that take longer than this are slow: a thousand times what an ordinary one takes.
const LONG: Duration = Duration::from_millis(250);

/// So many slow ones make newcomers in their namespace suspect: more than somebody has who makes a key pair or two.
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

    /// Nothing: `user` is slow and all places for such are taken. `is_new`: as it is now, it was never rendered.
    pub fn place(self: &Arc<Self>, user: &ObjectKey, is_new: bool) -> Option<Place> {
        let permit = if self.is_slow(user, is_new) {
            Some(Arc::new(self.places.clone().try_acquire_owned().ok()?))
        } else {
            None
        };
        Some(Place { user: user.clone(), slow: self.clone(), _permit: permit })
    }

    pub fn forget(&self, user: &ObjectKey) {
        let mut namespaces = self.users();
        if let Some(users) = namespaces.get_mut(user.namespace()) {
            users.remove(user);
            if users.is_empty() {
                namespaces.remove(user.namespace());
            }
        }
    }

    fn is_slow(&self, user: &ObjectKey, is_new: bool) -> bool {
        let namespaces = self.users();
        let users = namespaces.get(user.namespace());
        users.is_some_and(|users| users.contains(user) || (is_new && users.len() >= CROWD))
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
            slow.place(&key(name), false).expect("not known to be slow").worked(LONG * 2);
        }
        let held = slow.place(&key("a"), false).expect("the first of the slow");
        assert!(slow.place(&key("b"), false).is_none());
        assert!(slow.place(&key("quick"), false).is_some());
        drop(held);
        assert!(slow.place(&key("b"), false).is_some());
    }

    #[test]
    fn newcomer_among_a_crowd_of_slow_ones_is_suspect() {
        let slow = Arc::new(Slow::new(0));
        for number in 0..CROWD {
            let slow_one = slow.place(&key(&number.to_string()), true).expect("too few to be a crowd");
            slow_one.worked(LONG * 2);
        }
        assert!(slow.place(&key("a"), true).is_none());
        assert!(slow.place(&key("a"), false).is_some(), "it was rendered as it is, and was not slow");
        assert!(slow.place(&ObjectKey::new("another-team", "a"), true).is_some());
        for number in 0..CROWD {
            slow.forget(&key(&number.to_string()));
        }
        assert!(slow.users().is_empty(), "nothing is kept of a namespace without slow ones");
    }

    #[test]
    fn abandoned_work_keeps_its_place() {
        let slow = Arc::new(Slow::new(1));
        for name in ["a", "b"] {
            slow.place(&key(name), false).expect("a place").worked(LONG * 2);
        }
        let waiting = slow.place(&key("a"), false).expect("a place");
        let working = waiting.clone();
        drop(waiting);
        assert!(slow.place(&key("b"), false).is_none());
        drop(working);
        assert!(slow.place(&key("b"), false).is_some());
    }

    #[test]
    fn who_was_quick_again_or_is_gone_is_not_slow() {
        let slow = Arc::new(Slow::new(0));
        let was_slow = |name: &str| slow.place(&key(name), false).expect("a place").worked(LONG * 2);
        was_slow("a");
        assert!(slow.place(&key("a"), false).is_none());
        slow.forget(&key("a"));
        let place = slow.place(&key("a"), false).expect("forgotten");
        place.worked(LONG * 2);
        place.worked(Duration::ZERO);
        assert!(slow.place(&key("a"), false).is_some());
    }
}
