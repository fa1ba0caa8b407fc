//! What is known of one store: what it lost, how much its searches brought, and whether its deletions are held.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{Lost, Seen, Served, WINDOW};

/// How long a scan of the cache counts: deletions come in bursts.
const SCAN_COUNTS: SignedDuration = SignedDuration::from_secs(5);

/// Time between two wakes of those that wait while a store recovers entry by entry.
const PROBE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// See the module documentation.
#[derive(Default)]
pub struct Store {
    /// Of the last [`WINDOW`], or of the incident because of which deletions are held.
    lost: HashMap<u64, Loss>,
    /// Named entries that are missing for longer, or whose loss was accepted: they are served no more.
    absent: HashSet<u64>,
    /// How many keys each ExternalSecret that searches had of it when its target was in step.
    brought: HashMap<u64, usize>,
    pub held: Option<Held>,
    scan: Option<(Timestamp, Arc<Served>)>,
    pub woken: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Loss {
    at: Timestamp,
    by: Option<u64>,
    count: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Something waits for it.
    Waiting,
    /// What depends on it may go.
    Passed,
    /// It went, and what the search brought is counted without it.
    Gone,
}

pub struct Held {
    pub text: String,
    /// By an earlier process: which losses it let pass is not known.
    restored: bool,
}

impl Store {
    /// What an earlier process left in the conditions.
    pub fn restored(seen: &Seen<'_, impl Fn() -> Served>) -> Self {
        let mut store = Self::default();
        let Some(said) = seen.said else { return store };
        store.held = Some(Held { text: said.text.to_owned(), restored: true });
        let served = store.served(seen);
        // What was missing long before is not what it waits for.
        let began = said.since.and_then(|since| since.checked_sub(WINDOW).ok());
        let recent = served.missing.iter().filter(|(_, since)| began.is_none_or(|began| **since >= began));
        for key in recent.map(|(key, _)| key).chain(&served.held) {
            let by = served.searchers.contains(key).then_some(*key);
            store.lost.insert(*key, Loss { at: seen.now, by, count: 1, state: State::Waiting });
        }
        store
    }

    pub fn served(&mut self, seen: &Seen<'_, impl Fn() -> Served>) -> Arc<Served> {
        match &self.scan {
            Some((at, served)) if seen.now.duration_since(*at) < SCAN_COUNTS => served.clone(),
            _ => {
                let served = Arc::new((seen.served)());
                self.brought.retain(|by, _| served.searchers.contains(by));
                self.absent.retain(|key| served.keys.contains(key) || served.deleted.contains(key));
                self.scan = Some((seen.now, served.clone()));
                served
            }
        }
    }

    /// Whether a loss is no news.
    pub fn knows(&self, lost: &Lost) -> bool {
        self.lost.contains_key(&lost.key) || self.absent.contains(&lost.key)
    }

    /// Something waits for these. Of several, those that were missing before do not count again.
    pub fn note(&mut self, lost: &[Lost], at: Timestamp) {
        let all_old = lost.iter().all(|lost| self.absent.contains(&lost.key));
        for lost in lost {
            if self.absent.contains(&lost.key) && !all_old {
                continue;
            }
            self.absent.remove(&lost.key);
            let known = lost.by.filter(|by| *by == lost.key).map(|by| self.size(by));
            let count = lost.count.max(known.unwrap_or_default());
            let waiting = Loss { at, by: lost.by, count, state: State::Waiting };
            self.lost.entry(lost.key).and_modify(|known| known.state = State::Waiting).or_insert(waiting);
        }
    }

    /// These are not what it waits for.
    pub fn unnote<'a>(&mut self, lost: impl Iterator<Item = &'a Lost>) {
        for lost in lost {
            self.lost.remove(&lost.key);
        }
    }

    pub fn pass(&mut self, lost: &[Lost]) {
        for lost in lost {
            if let Some(loss) = self.lost.get_mut(&lost.key) {
                loss.state = State::Passed;
            }
        }
    }

    /// These are served no more, and were not of late.
    pub fn forgo(&mut self, lost: &[Lost]) {
        self.absent.extend(lost.iter().filter(|lost| lost.by.is_none()).map(|lost| lost.key));
    }

    /// What is missing is meant to be.
    pub fn accept(&mut self, lost: &[Lost]) {
        self.held = None;
        self.absent.extend(self.lost.drain().filter(|(_, loss)| loss.by.is_none()).map(|(key, _)| key));
        self.forgo(lost);
    }

    /// These are there. Whether that leaves less to wait for.
    pub fn find(&mut self, keys: &[u64]) -> bool {
        let mut fewer = false;
        for key in keys {
            fewer |= self.lost.remove(key).is_some_and(|loss| loss.state == State::Waiting);
            self.absent.remove(key);
        }
        fewer
    }

    /// The target of an ExternalSecret has so many keys of its searches. Whether that leaves less to wait for.
    pub fn brought(&mut self, by: u64, keys: usize) -> bool {
        self.brought.insert(by, keys);
        let before = self.lost.len();
        self.lost.retain(|_, loss| loss.by != Some(by) || loss.state != State::Waiting);
        for loss in self.lost.values_mut().filter(|loss| loss.by == Some(by)) {
            loss.state = State::Gone;
        }
        self.lost.len() < before
    }

    /// The same of a target that was looked at just now, and may not be in step.
    pub fn holds_at_least(&mut self, by: u64, keys: usize) {
        let brought = self.brought.entry(by).or_default();
        *brought = keys.max(*brought);
    }

    /// Of a search that this process has not seen succeed, only that it is there is known.
    fn size(&self, by: u64) -> usize {
        self.brought.get(&by).copied().unwrap_or(1)
    }

    /// Lets go of losses that are not of the same incident any more.
    pub fn age(&mut self, now: Timestamp) {
        if self.held.is_some() {
            return;
        }
        let Self { lost, absent, .. } = self;
        lost.retain(|key, loss| {
            let counts = now.duration_since(loss.at) < WINDOW;
            if !counts && loss.by.is_none() {
                absent.insert(*key);
            }
            counts
        });
    }

    /// How many are lost, and of how many. `now`: of an ExternalSecret that the scan need not show yet.
    pub fn count(&mut self, served: &Served, now: &[Lost]) -> (usize, usize) {
        let is_now = |key: &u64| now.iter().any(|lost| lost.key == *key);
        self.lost.retain(|key, loss| is_referred(served, *key, loss) || is_now(key));
        let gone = self.lost.values().map(|loss| loss.count).sum();
        let searchers: HashSet<u64> =
            now.iter().filter_map(|lost| lost.by).chain(served.searchers.iter().copied()).collect();
        let searched: usize = searchers.iter().map(|by| self.size(*by)).sum();
        let named = served.keys.iter().filter(|key| !self.absent.contains(*key)).count();
        // What went is not among what is there.
        let went = self.lost.iter().filter(|(key, loss)| match loss.by {
            None => !served.keys.contains(*key),
            Some(_) => loss.state == State::Gone,
        });
        let went: usize = went.map(|(_, loss)| loss.count).sum();
        (gone, (named + searched + went).max(gone))
    }

    pub fn hold(&mut self, text: String) {
        self.held = Some(Held { text, restored: false });
    }

    /// Ends the holding when nobody waits for an entry that is missing, or so little is missing that it would not begin.
    pub fn settle(&mut self, served: &Served, percent: usize) {
        let Some(held) = &self.held else { return };
        let restored = held.restored;
        let (gone, all) = self.count(served, &[]);
        let waits = self.lost.values().any(|loss| loss.state == State::Waiting);
        if !waits || (!restored && gone * 100 <= all * percent) {
            self.held = None;
        }
    }

    pub fn may_wake(&self, now: Timestamp) -> bool {
        self.woken.is_none_or(|at| now.duration_since(at) >= PROBE_EVERY)
    }
}

fn is_referred(served: &Served, key: u64, loss: &Loss) -> bool {
    match loss.by {
        None => served.keys.contains(&key) || served.deleted.contains(&key),
        Some(by) => served.searchers.contains(&by) || served.deleted.contains(&by),
    }
}
