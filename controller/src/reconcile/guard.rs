//! The mass-deletion guard: a store that suddenly has nothing must not empty the cluster.
//!
//! Enters: what a store does not have any more, as soon as that is seen, and again each time something would really be
//! deleted or dropped because of it. Leaves: leave, or a refusal with the text that the store's condition and the held
//! ExternalSecrets show. When more than a share of what a store served is lost within [`WINDOW`], its deletions are held
//! until the entries are found again or its owner allows them. Pure but for a lock: `now` and the looks at the cache come
//! from the caller, [`wiring`] brings them.
//!
//! Entries are known by a hash of their name. What a search brought counts by the keys that it has in a Secret, and is
//! lost key by key. Memory is bounded by the entries that are missing, one number for each ExternalSecret that searches,
//! and the keys of those that search [several stores](origins).
//!
//! What survives a restart is in the API server: the condition of the store says that it is held, the conditions of the
//! ExternalSecrets which of them wait or miss entries, and since when. Losses that were let pass do not survive it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

pub mod going;
pub mod origins;
pub mod served;
mod store;
pub mod wiring;

use self::{origins::Origins, store::Store};

/// Losses further apart than this are not one incident.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Stores that serve less are not guarded: a share of so few says nothing.
const LEAST: usize = 10;

/// What ExternalSecrets of one store refer to. Entries by hash of the name at the provider, ExternalSecrets by hash of
/// theirs.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Entries of ExternalSecrets that have synced and have a target.
    pub keys: HashSet<u64>,
    /// Entries and searchers of those whose target was deleted because nothing was left.
    pub deleted: HashSet<u64>,
    /// ExternalSecrets that search, have synced and have a target.
    pub searchers: HashSet<u64>,
    /// Entries and searchers whose condition says that they are held.
    pub held: HashSet<u64>,
    /// Entries and searchers whose condition says that entries are missing, and since when.
    pub missing: HashMap<u64, Timestamp>,
}

/// Something that is not there any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lost {
    key: u64,
    /// The ExternalSecret whose search brought it; its entries are known to nobody else.
    by: Option<u64>,
    /// How many secrets it stands for, at least.
    count: usize,
    /// An edit may be why it goes: this alone says nothing of the store.
    pub explained: bool,
}

impl Lost {
    /// An entry that is named.
    pub const fn named(key: u64) -> Self {
        Self { key, by: None, count: 1, explained: false }
    }

    /// A key that the search of an ExternalSecret brought.
    pub const fn found(by: u64, key: u64, explained: bool) -> Self {
        Self { key, by: Some(by), count: 1, explained }
    }

    /// All that it brought: `count`, or what is known of it if that is more.
    pub const fn search(by: u64, count: usize) -> Self {
        Self { key: by, by: Some(by), count, explained: false }
    }
}

/// The text of a store's condition, where that says that its deletions are held, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub text: &'a str,
    pub since: Option<Timestamp>,
}

/// A store as a decision needs it.
pub struct Seen<'a, F> {
    pub uid: &'a str,
    pub said: Option<Said<'a>>,
    /// Whether its owner allows deletions now.
    pub allowed: bool,
    pub now: Timestamp,
    /// Looks at the cache.
    pub served: F,
}

/// Whether something may go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    Free,
    /// Because of `text`; `news` when it was not held before.
    Held {
        text: String,
        news: bool,
    },
}

/// What a store's users should know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum News {
    None,
    /// Those that wait should try again.
    TryAgain,
}

/// See the module documentation.
pub struct Guard {
    /// Of what a store served, in percent; more must not be lost.
    percent: usize,
    stores: Mutex<HashMap<String, Store>>,
    pub origins: Origins,
}

impl Guard {
    /// `percent` of what a store served may be lost within [`WINDOW`]; 0 and 100 and more turn the guard off.
    pub fn new(percent: u8) -> Self {
        Self { percent: usize::from(percent), stores: Mutex::default(), origins: Origins::default() }
    }

    const fn is_off(&self) -> bool {
        self.percent == 0 || self.percent >= 100
    }

    /// Whether what depends on `lost` may be removed. `holds`: an ExternalSecret that searches, and how many keys its
    /// target has of it.
    pub fn may_remove(
        &self,
        seen: &Seen<'_, impl Fn() -> Served>,
        lost: &[Lost],
        holds: Option<(u64, usize)>,
    ) -> Verdict {
        if self.is_off() {
            return Verdict::Free;
        }
        let mut stores = self.lock();
        let store = entry(&mut stores, seen);
        if seen.allowed {
            store.accept(lost);
            return Verdict::Free;
        }
        let served = store.served(seen);
        if let Some((by, keys)) = holds {
            store.holds_at_least(by, keys);
        }
        if store.held.is_some() {
            store.note(lost, seen.now);
            store.settle(&served, self.percent);
            if let Some(held) = &store.held {
                return Verdict::Held { text: held.text.clone(), news: false };
            }
            store.unnote(lost.iter().filter(|lost| lost.explained));
        }
        let lost: Vec<Lost> = lost.iter().filter(|lost| !lost.explained).copied().collect();
        if lost.is_empty() {
            return Verdict::Free;
        }
        store.age(seen.now);
        store.note(&lost, seen.now);
        if let Some(text) = self.begin(store, &served, &lost) {
            return Verdict::Held { text, news: true };
        }
        store.pass(&lost);
        Verdict::Free
    }

    /// The provider does not have these since then, and nothing goes because of it. The text when that makes it hold
    /// deletions.
    pub fn missing(&self, seen: &Seen<'_, impl Fn() -> Served>, lost: &[Lost], since: Timestamp) -> Option<String> {
        if self.is_off() || lost.is_empty() {
            return None;
        }
        let mut stores = self.lock();
        let store = entry(&mut stores, seen);
        if seen.allowed {
            store.accept(lost);
            return None;
        }
        let new: Vec<Lost> = lost.iter().filter(|lost| !store.knows(lost)).copied().collect();
        if new.is_empty() {
            return None;
        }
        if seen.now.duration_since(since) >= WINDOW {
            store.forgo(&new);
            return None;
        }
        let served = store.served(seen);
        store.age(seen.now);
        store.note(&new, since);
        if store.held.is_some() { None } else { self.begin(store, &served, &[]) }
    }

    /// The provider has these entries.
    pub fn found(&self, seen: &Seen<'_, impl Fn() -> Served>, keys: &[u64]) -> News {
        let mut stores = self.lock();
        if self.is_off() || (seen.said.is_none() && !stores.contains_key(seen.uid)) {
            return News::None;
        }
        let store = entry(&mut stores, seen);
        let fewer = store.find(keys);
        self.recovered(store, seen, fewer)
    }

    /// The target of an ExternalSecret is as its entries are now. `searched`: the ExternalSecret, if it searches, and
    /// how many keys that brought. `missing`: entries that the provider does not have.
    pub fn in_step(
        &self,
        seen: &Seen<'_, impl Fn() -> Served>,
        searched: Option<(u64, usize)>,
        missing: &[Lost],
    ) -> News {
        if self.is_off() {
            return News::None;
        }
        let mut stores = self.lock();
        let store = entry(&mut stores, seen);
        let new: Vec<Lost> = missing.iter().filter(|lost| !store.knows(lost)).copied().collect();
        store.forgo(&new);
        let fewer = searched.is_some_and(|(by, keys)| store.brought(by, keys));
        self.recovered(store, seen, fewer)
    }

    /// Why deletions of the store are held now, for its condition; and whether that has just ended.
    pub fn standing(&self, seen: &Seen<'_, impl Fn() -> Served>) -> (Option<String>, News) {
        let mut stores = self.lock();
        if self.is_off() || (seen.said.is_none() && !stores.contains_key(seen.uid)) {
            return (None, News::None);
        }
        let store = entry(&mut stores, seen);
        if store.held.is_none() {
            return (None, News::None);
        }
        if seen.allowed {
            store.accept(&[]);
        } else {
            let served = store.served(seen);
            store.settle(&served, self.percent);
        }
        match &store.held {
            Some(held) => (Some(held.text.clone()), News::None),
            None => (None, News::TryAgain),
        }
    }

    /// The store is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Begins to hold when too much is lost now.
    fn begin(&self, store: &mut Store, served: &Served, now: &[Lost]) -> Option<String> {
        let (gone, all) = store.count(served, now);
        if all < LEAST || gone.saturating_mul(100) <= all.saturating_mul(self.percent) {
            return None;
        }
        let text = self.text(gone, all);
        store.hold(text.clone());
        Some(text)
    }

    fn recovered(&self, store: &mut Store, seen: &Seen<'_, impl Fn() -> Served>, fewer: bool) -> News {
        if store.held.is_none() {
            return News::None;
        }
        let served = store.served(seen);
        store.settle(&served, self.percent);
        if store.held.is_none() || (fewer && store.may_wake(seen.now)) {
            store.woken = Some(seen.now);
            return News::TryAgain;
        }
        News::None
    }

    fn text(&self, gone: usize, all: usize) -> String {
        format!(
            "\"not found\" for {gone} of the {all} secrets that the store served, more than {} %: nothing is deleted or \
             dropped until they are found again; if they are meant to be gone, annotate the store with {}=TIME \
             (RFC 3339, at most 24 h ahead)",
            self.percent,
            api::names::ALLOW_DELETIONS_ANNOTATION,
        )
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Store>> {
        // No code that can panic changes it half-way.
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What this process knows of the store; at first, what an earlier one left in the conditions.
fn entry<'a>(stores: &'a mut HashMap<String, Store>, seen: &Seen<'_, impl Fn() -> Served>) -> &'a mut Store {
    stores.entry(seen.uid.to_owned()).or_insert_with(|| Store::restored(seen))
}

#[cfg(test)]
mod tests;
