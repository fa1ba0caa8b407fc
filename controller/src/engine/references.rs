//! Who refers to which objects of one kind, and whether they have seen those as they are now.
//!
//! Users (`U`: whoever refers) name objects, all at once or one by one as they come upon them; the watch brings a [`Stamp`] of every object of the kind. What nobody names
//! is dropped at once, so memory is bounded by the references, not by the cluster. For each pair of user and object is
//! known which version the user worked with last: an object with a newer one wakes its users, and [`is_outdated`]
//! tells until [`settle`] says that the user has caught up. A list after a break wakes nobody whose objects stayed the
//! same; of users that were last served by an earlier process, the times of change and of service decide.
//!
//! [`is_outdated`]: References::is_outdated
//! [`settle`]: References::settle

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use tokio::sync::watch;

use super::{ObjectKey, object::version_number, stamp::Stamp, watch::Sink};

/// Objects and the versions in which they were worked with.
pub type Versions = Vec<(ObjectKey, u64)>;

/// See the module documentation.
pub struct References<U> {
    index: Mutex<Index<U>>,
    in_use: watch::Sender<bool>,
    /// Called with a user when an object that it names is not what it worked with.
    wake: Box<dyn Fn(&U) + Send + Sync>,
    /// When a user was served last, by this or an earlier process.
    served_at: Box<ServedAt<U>>,
}

type ServedAt<U> = dyn Fn(&U) -> Option<Served> + Send + Sync;

/// A user as it was served last.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// In whole seconds, as its status says.
    pub at: Timestamp,
    /// Its resource version: that of the status, or newer.
    pub version: u64,
}

struct Index<U> {
    objects: HashMap<ObjectKey, Object<U>>,
    users: HashMap<U, Vec<ObjectKey>>,
    /// Whether a list is being received.
    listing: bool,
}

struct Object<U> {
    /// As the watch has shown it.
    current: Option<Current>,
    /// The version that each user worked with last; `None` while nothing is known of it.
    worked: HashMap<U, Option<u64>>,
}

#[derive(Clone, Copy)]
struct Current {
    version: u64,
    changed_at: Timestamp,
}

/// Older than every version.
const NEVER: u64 = 0;

/// Whatever version the watch shows first.
const ANY: u64 = u64::MAX;

impl<U: Clone + Eq + Hash + Send + Sync + 'static> References<U> {
    pub fn new(
        wake: impl Fn(&U) + Send + Sync + 'static,
        served_at: impl Fn(&U) -> Option<Served> + Send + Sync + 'static,
    ) -> Self {
        let index = Index { objects: HashMap::new(), users: HashMap::new(), listing: false };
        Self {
            index: Mutex::new(index),
            in_use: watch::Sender::new(false),
            wake: Box::new(wake),
            served_at: Box::new(served_at),
        }
    }

    /// Turns true, for good, when the first user names an object: there is something to watch.
    pub fn in_use(&self) -> watch::Receiver<bool> {
        self.in_use.subscribe()
    }

    /// `user` names these objects and no others.
    pub fn set(&self, user: &U, mut objects: Vec<ObjectKey>) {
        objects.sort_unstable();
        objects.dedup();
        let mut index = self.index();
        let former = index.users.remove(user).unwrap_or_default();
        for gone in former.iter().filter(|object| !objects.contains(object)) {
            index.unlink(user, gone);
        }
        if objects.is_empty() {
            return;
        }
        for new in objects.iter().filter(|object| !former.contains(object)) {
            self.link(&mut index, user, new);
        }
        index.users.insert(user.clone(), objects);
        drop(index);
        self.is_used();
    }

    /// `user` names one more object. Before it is read: what becomes of the object from now on is not missed.
    pub fn add(&self, user: &U, object: &ObjectKey) {
        let mut index = self.index();
        if index.users.get(user).is_some_and(|objects| objects.contains(object)) {
            return;
        }
        self.link(&mut index, user, object);
        index.users.entry(user.clone()).or_default().push(object.clone());
        drop(index);
        self.is_used();
    }

    /// `user` is gone.
    pub fn forget(&self, user: &U) {
        self.set(user, Vec::new());
    }

    /// Users of that description are gone.
    pub fn forget_all(&self, are_gone: impl Fn(&U) -> bool) {
        let gone: Vec<U> = self.index().users.keys().filter(|user| are_gone(user)).cloned().collect();
        for user in gone {
            self.forget(&user);
        }
    }

    /// Whether an object that `user` names is newer than what it worked with.
    pub fn is_outdated(&self, user: &U) -> bool {
        let index = self.index();
        let mut objects = index.users.get(user).into_iter().flatten().filter_map(|key| index.objects.get(key));
        objects.any(|object| match (object.current, object.worked.get(user)) {
            (Some(current), Some(Some(worked))) => current.version > *worked,
            _ => false,
        })
    }

    /// What `user` names, as far as the watch has shown it: taken before the work, given to [`settle`](Self::settle)
    /// after it.
    pub fn current(&self, user: &U) -> Versions {
        let index = self.index();
        let objects = index.users.get(user).into_iter().flatten();
        objects.filter_map(|key| Some((key.clone(), index.objects.get(key)?.current?.version))).collect()
    }

    /// `user` has worked with these versions.
    pub fn settle(&self, user: &U, versions: Versions) {
        let mut index = self.index();
        for (key, version) in versions {
            if let Some(worked) = index.objects.get_mut(&key).and_then(|object| object.worked.get_mut(user)) {
                *worked = Some(worked.unwrap_or(NEVER).max(version));
            }
        }
    }

    /// `user` has worked with the object, in a version that it does not know.
    pub fn accept(&self, user: &U, key: &ObjectKey) {
        if let Some(object) = self.index().objects.get_mut(key)
            && let Some(worked) = object.worked.get_mut(user)
        {
            *worked = Some(object.current.map_or(ANY, |current| current.version));
        }
    }

    /// The object is gone, which makes it another one for those who worked with it. Wakes nobody: it may be about to be
    /// created anew, which does.
    pub fn outdate(&self, key: &ObjectKey, gone_at: u64) {
        if let Some(object) = self.index().objects.get_mut(key) {
            let unseen = Current { version: NEVER, changed_at: Timestamp::MIN };
            let current = object.current.get_or_insert(unseen);
            current.version = current.version.max(gone_at);
        }
    }

    /// The objects that `user` names, sorted.
    #[cfg(test)]
    pub fn named(&self, user: &U) -> Vec<ObjectKey> {
        self.index().users.get(user).cloned().unwrap_or_default()
    }

    fn link(&self, index: &mut Index<U>, user: &U, key: &ObjectKey) {
        let object =
            index.objects.entry(key.clone()).or_insert_with(|| Object { current: None, worked: HashMap::new() });
        let worked = object.current.map(|current| self.known(user, current));
        object.worked.insert(user.clone(), worked);
    }

    fn is_used(&self) {
        self.in_use.send_if_modified(|in_use| !std::mem::replace(in_use, true));
    }

    /// What a user knew of an object before this process told it anything.
    /// What a user knew of an object before this process told it anything. Within one second the versions decide: an edit
    /// just after the service must not be lost when the process that was told of it dies.
    fn known(&self, user: &U, current: Current) -> u64 {
        let was_served_since = (self.served_at)(user)
            .is_some_and(|served| (served.at, served.version) > (current.changed_at, current.version));
        if was_served_since { current.version } else { NEVER }
    }

    /// Takes note of an object; returns whom it concerns.
    fn note(&self, key: &ObjectKey, now: Current) -> Vec<U> {
        let mut index = self.index();
        let listing = index.listing;
        let Some(object) = index.objects.get_mut(key) else { return Vec::new() };
        if !listing && object.current.is_some_and(|current| current.version >= now.version) {
            return Vec::new();
        }
        object.current = Some(now);
        let mut behind = Vec::new();
        for (user, worked) in &mut object.worked {
            *worked = match *worked {
                // Live, it has just changed, or come into being.
                None if !listing => Some(NEVER),
                None => Some(self.known(user, now)),
                Some(ANY) => Some(now.version),
                // A restored cluster starts from older versions.
                Some(worked) if listing && worked > now.version => Some(NEVER),
                worked => worked,
            };
            if worked.is_some_and(|worked| worked < now.version) {
                behind.push(user.clone());
            }
        }
        behind
    }

    fn index(&self) -> MutexGuard<'_, Index<U>> {
        // Map operations and a lookup in the cache run under the lock; each leaves the maps fit for use.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<U: Eq + Hash> Index<U> {
    fn unlink(&mut self, user: &U, key: &ObjectKey) {
        if let Some(object) = self.objects.get_mut(key) {
            object.worked.remove(user);
            if object.worked.is_empty() {
                self.objects.remove(key);
            }
        }
    }
}

impl<U, K> Sink<Stamp<K>> for References<U>
where
    U: Clone + Eq + Hash + Send + Sync + 'static,
    K: Resource<DynamicType = ()> + 'static,
{
    fn listing(&self) {
        self.index().listing = true;
    }

    fn applied(&self, stamp: Stamp<K>) {
        let version = version_number(stamp.resource_version().as_deref());
        for user in self.note(&ObjectKey::of(&stamp), Current { version, changed_at: stamp.changed_at }) {
            (self.wake)(&user);
        }
    }

    /// Wakes nobody: what was made from the object is still right, and it may be about to be created anew, which does.
    fn deleted(&self, _: Stamp<K>) {}

    fn listed(&self) {
        self.index().listing = false;
    }
}

#[cfg(test)]
mod tests;
