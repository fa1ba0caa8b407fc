//! The mass-deletion guard: a store that suddenly has nothing must not empty the cluster.
//!
//! Enters: what a store does not have any more, each time something would really be deleted or dropped because of it.
//! Leaves: leave, or a refusal with the text that the store's condition and the held ExternalSecrets show. When more than
//! a share of what a store served is lost within [`WINDOW`], its deletions are held until the entries are found again or
//! its owner allows them. Pure but for a lock: `now` and the looks at the cache come from the caller, [`wiring`] brings
//! them. Entries are known by a hash of their name; memory is bounded by the entries that were lost.
//!
//! What survives a restart is in the API server: the condition of the store says that it is held, the conditions of the
//! ExternalSecrets which of them wait. Losses that were let pass do not survive it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

pub mod served;
pub mod wiring;

/// Losses further apart than this are not one incident.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Stores that serve less are not guarded: a share of so few says nothing.
const LEAST: usize = 10;

/// How long a scan of the cache counts: deletions come in bursts.
const SCAN_COUNTS: SignedDuration = SignedDuration::from_secs(5);

/// Time between two wakes of those that wait while a store recovers entry by entry.
const PROBE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// What ExternalSecrets of one store refer to, by hash of the name at the provider.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Of those that have synced.
    pub keys: HashSet<u64>,
    /// Of those whose condition says that they are held.
    pub held: HashSet<u64>,
}

/// A store as a decision needs it.
pub struct Seen<'a, F> {
    pub uid: &'a str,
    /// The text of its condition, where that says that its deletions are held.
    pub said: Option<&'a str>,
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
}

#[derive(Default)]
struct Store {
    lost: HashMap<u64, Timestamp>,
    held: Option<Held>,
    scan: Option<(Timestamp, Arc<Served>)>,
    woken: Option<Timestamp>,
}

struct Held {
    text: String,
    /// By an earlier process: which losses it let pass is not known.
    restored: bool,
    waiting: HashSet<u64>,
}

impl Guard {
    /// `percent` of what a store served may be lost within [`WINDOW`]; 0 and 100 and more turn the guard off.
    pub fn new(percent: u8) -> Self {
        Self { percent: usize::from(percent), stores: Mutex::default() }
    }

    const fn is_off(&self) -> bool {
        self.percent == 0 || self.percent >= 100
    }

    /// Whether what depends on `lost` may be removed.
    pub fn may_remove(&self, seen: &Seen<'_, impl Fn() -> Served>, lost: &[u64]) -> Verdict {
        if self.is_off() {
            return Verdict::Free;
        }
        let mut stores = self.lock();
        let store = entry(&mut stores, seen);
        if seen.allowed {
            store.release();
            return Verdict::Free;
        }
        let served = store.served(seen);
        if let Some(held) = &mut store.held {
            held.waiting.extend(lost);
            store.lost.extend(lost.iter().map(|key| (*key, seen.now)));
            store.settle(&served, self.percent);
            if let Some(held) = &store.held {
                return Verdict::Held { text: held.text.clone(), news: false };
            }
        }
        let (gone, all) = store.count(&served, lost, seen.now);
        if all < LEAST || !self.is_too_much(gone, all) {
            return Verdict::Free;
        }
        let text = self.text(gone, all);
        store.held = Some(Held { text: text.clone(), restored: false, waiting: lost.iter().copied().collect() });
        Verdict::Held { text, news: true }
    }

    /// The provider has these.
    pub fn found(&self, seen: &Seen<'_, impl Fn() -> Served>, keys: &[u64]) -> News {
        let mut stores = self.lock();
        if self.is_off() || (seen.said.is_none() && !stores.contains_key(seen.uid)) {
            return News::None;
        }
        let store = entry(&mut stores, seen);
        for key in keys {
            store.lost.remove(key);
        }
        let Some(held) = &mut store.held else { return News::None };
        let waited = held.waiting.len();
        held.waiting.retain(|key| !keys.contains(key));
        let fewer = held.waiting.len() < waited;
        let served = store.served(seen);
        store.settle(&served, self.percent);
        let woken = store.woken.is_some_and(|at| seen.now.duration_since(at) < PROBE_EVERY);
        if store.held.is_none() || (fewer && !woken) {
            store.woken = Some(seen.now);
            return News::TryAgain;
        }
        News::None
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
            store.release();
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

    const fn is_too_much(&self, gone: usize, all: usize) -> bool {
        gone.saturating_mul(100) > all.saturating_mul(self.percent)
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
    stores.entry(seen.uid.to_owned()).or_insert_with(|| {
        let mut store = Store::default();
        if let Some(text) = seen.said {
            let waiting = store.served(seen).held.clone();
            store.held = Some(Held { text: text.to_owned(), restored: true, waiting });
        }
        store
    })
}

impl Store {
    fn served(&mut self, seen: &Seen<'_, impl Fn() -> Served>) -> Arc<Served> {
        match &self.scan {
            Some((at, served)) if seen.now.duration_since(*at) < SCAN_COUNTS => served.clone(),
            _ => {
                let served = Arc::new((seen.served)());
                self.scan = Some((seen.now, served.clone()));
                served
            }
        }
    }

    /// How many are lost within the window now that `lost` are, and of how many.
    fn count(&mut self, served: &Served, lost: &[u64], now: Timestamp) -> (usize, usize) {
        self.lost.retain(|_, at| now.duration_since(*at) < WINDOW);
        self.lost.extend(lost.iter().map(|key| (*key, now)));
        let is_known = |key: &&u64| served.keys.contains(*key);
        // Of an ExternalSecret that the scan did not show yet.
        let unknown = lost.iter().filter(|key| !is_known(key)).collect::<HashSet<_>>().len();
        (self.lost.keys().filter(is_known).count() + unknown, served.keys.len() + unknown)
    }

    /// What is missing is meant to be.
    fn release(&mut self) {
        self.held = None;
        self.lost.clear();
    }

    /// Ends the holding when nobody waits for an entry that is missing, or so little is missing that it would not begin.
    fn settle(&mut self, served: &Served, percent: usize) {
        let Some(held) = &mut self.held else { return };
        held.waiting.retain(|key| served.keys.contains(key));
        let lost = self.lost.keys().filter(|key| served.keys.contains(key)).count();
        let is_little = !held.restored && lost * 100 <= served.keys.len() * percent;
        if held.waiting.is_empty() || is_little {
            self.held = None;
        }
    }
}

#[cfg(test)]
mod tests;
