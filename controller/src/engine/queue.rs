//! The work queue, with client-go's promises and two lanes.
//!
//! * A key is processed by one worker at a time; added while processing, it runs once more afterwards.
//! * Adding a key that waits already changes nothing, except that the better lane wins.
//! * Workers take from the interactive lane first: periodic work delays interactive work by at most the item that each
//!   worker has in hand.
//! * Failures are counted per item; [`retry`](super::retry) turns the count into a delay. Success and any [`Queue::add`], which
//!   means that something changed, reset it; a timer does not.
//!
//! Memory is bounded by the number of keys: each has at most one place in a lane, one timer and one counter.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    ObjectKey,
    metrics::QueueMetrics,
    retry::{self, Failures},
    timers::Timers,
};
use crate::error::Error;

/// How soon a key must be looked at.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Lane {
    /// Nobody waits for it: an interval elapsed, a failure is tried again, a start-up check.
    Periodic,
    /// Somebody waits: created, changed, drifted, its store repaired.
    Interactive,
}

/// A key in the hands of one worker. Give it back with [`Queue::done`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Work {
    pub key: ObjectKey,
    pub lane: Lane,
    /// When the key was last asked for: an answer read from a backend since then is fresh enough.
    pub since: Instant,
}

/// What becomes of a key that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    /// Until the next try.
    pub delay: Duration,
    /// In a row of its kind, this one included.
    pub failures: u32,
    /// The failure before said the same.
    pub is_repeat: bool,
}

/// See the module documentation.
pub struct Queue {
    state: Mutex<State>,
    ready: Notify,
    timers: Timers,
    metrics: QueueMetrics,
}

#[derive(Default)]
struct State {
    interactive: VecDeque<ObjectKey>,
    periodic: VecDeque<ObjectKey>,
    items: HashMap<ObjectKey, Item>,
    /// Keys with a place in a lane. The lanes may be longer: a promoted key leaves its old place behind.
    waiting: usize,
    closed: bool,
}

#[derive(Default)]
struct Item {
    waiting: Option<Waiting>,
    /// In a worker's hands since.
    running: Option<Instant>,
    failures: Failures,
}

#[derive(Clone, Copy)]
struct Waiting {
    lane: Lane,
    /// Asked for first, which is how long it has waited.
    first: Instant,
    /// Asked for last, which is how fresh an answer must be.
    last: Instant,
}

impl Queue {
    /// Must be called inside a tokio runtime: a task drives the timers until the queue is dropped.
    pub fn new(metrics: QueueMetrics) -> std::sync::Arc<Self> {
        std::sync::Arc::new_cyclic(|queue| Self {
            state: Mutex::default(),
            ready: Notify::new(),
            timers: Timers::start(queue.clone()),
            metrics,
        })
    }

    /// Whether the key that is taken next in either lane was last asked for at that moment or before it.
    pub fn waits_since(&self, moment: Instant) -> bool {
        let state = self.state();
        let waits = |lane: &VecDeque<ObjectKey>| {
            let next = lane.iter().find_map(|key| state.items.get(key)?.waiting);
            next.is_some_and(|waiting| waiting.last <= moment)
        };
        waits(&state.interactive) || waits(&state.periodic)
    }

    /// Keys that wait for a worker, at most `most` of them, what is taken next first, each with how fresh an answer must be.
    pub fn next(&self, most: usize) -> Vec<(ObjectKey, Instant)> {
        let state = self.state();
        let keys = state.interactive.iter().map(|key| (key, Lane::Interactive));
        let keys = keys.chain(state.periodic.iter().map(|key| (key, Lane::Periodic)));
        let waiting = keys.filter_map(|(key, lane)| {
            let item = state.items.get(key)?;
            // Left behind by a promotion, or in a worker's hands.
            let waiting = item.waiting.filter(|waiting| waiting.lane == lane && item.running.is_none())?;
            Some((key.clone(), waiting.last))
        });
        waiting.take(most).collect()
    }

    /// Asks for a key now, because something changed: failures before it do not count any more.
    pub fn add(&self, key: &ObjectKey, lane: Lane) {
        self.add_since(key, lane, Instant::now());
    }

    /// The same, because of something that was known at `since`, which is how fresh an answer must be. Whoever wakes many
    /// keys for one event says when that came: reads of the first of them will do for the last.
    pub fn add_since(&self, key: &ObjectKey, lane: Lane, since: Instant) {
        self.ask(key, lane, |item| {
            item.failures = Failures::default();
            item.waiting.map_or(since, |waiting| waiting.last.max(since))
        });
    }

    /// Asks for a key now, because its time has come: failures before it count, and to a key that waits for a worker already
    /// it is no news.
    pub fn remind(&self, key: &ObjectKey, lane: Lane) {
        self.ask(key, lane, |item| item.waiting.map_or_else(Instant::now, |waiting| waiting.last));
    }

    /// `note` takes note of the request; returns since when an answer is fresh enough for the key.
    fn ask(&self, key: &ObjectKey, lane: Lane, note: impl FnOnce(&mut Item) -> Instant) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        let item = state.items.entry(key.clone()).or_default();
        let last = note(item);
        let running = item.running.is_some();
        let previous = item.waiting;
        let better = previous.is_none_or(|waiting| waiting.lane < lane);
        item.waiting = Some(Waiting {
            lane: previous.map_or(lane, |waiting| waiting.lane.max(lane)),
            first: previous.map_or_else(Instant::now, |waiting| waiting.first),
            last,
        });
        if running || !better {
            return;
        }
        // A key promoted from the periodic lane leaves its old place behind; `take` skips it there.
        state.lane(lane).push_back(key.clone());
        if previous.is_none() {
            state.waiting += 1;
            self.metrics.added();
        }
        self.metrics.depth(state.waiting);
        drop(state);
        self.ready.notify_one();
    }

    /// Asks for a key after `delay`, replacing an earlier such request.
    pub fn add_after(&self, key: &ObjectKey, delay: Duration, lane: Lane) {
        self.timers.set(key.clone(), delay, lane);
    }

    /// Counts a failure and asks for the key again when its class says, see [`retry::after`].
    pub fn retry(&self, key: &ObjectKey, error: &Error, interval: Option<Duration>) -> Retry {
        let counted = self.state().items.entry(key.clone()).or_default().failures.count(error);
        self.metrics.retried();
        let delay = retry::after(error.class(), error.code(), counted.failures, interval, key);
        self.add_after(key, delay, Lane::Periodic);
        Retry { delay, failures: counted.failures, is_repeat: counted.is_repeat }
    }

    /// The last attempt succeeded: the next failure starts from the shortest delay again.
    pub fn reset(&self, key: &ObjectKey) {
        if let Some(item) = self.state().items.get_mut(key) {
            item.failures = Failures::default();
        }
    }

    /// The object is gone: no timer and no count stays behind.
    pub fn forget(&self, key: &ObjectKey) {
        self.timers.cancel(key.clone());
        let mut state = self.state();
        if let Some(item) = state.items.get_mut(key) {
            item.failures = Failures::default();
            if item.running.is_none() && item.waiting.is_none() {
                state.items.remove(key);
            }
        }
    }

    /// The next key; `None` once the queue is closed.
    pub async fn take(&self) -> Option<Work> {
        loop {
            let notified = self.ready.notified();
            {
                let mut state = self.state();
                if state.closed {
                    return None;
                }
                if let Some((work, first)) = state.pop() {
                    self.metrics.taken(first.elapsed(), state.waiting);
                    // One permit may stand for several keys: pass it on while there is more.
                    if state.waiting > 0 {
                        self.ready.notify_one();
                    }
                    return Some(work);
                }
            }
            notified.await;
        }
    }

    /// Gives a key back; if it was added meanwhile, it waits again.
    pub fn done(&self, work: &Work) {
        let mut state = self.state();
        let Some(item) = state.items.get_mut(&work.key) else { return };
        if let Some(started) = item.running.take() {
            self.metrics.finished(started.elapsed());
        }
        match item.waiting {
            Some(waiting) => {
                state.lane(waiting.lane).push_back(work.key.clone());
                state.waiting += 1;
                self.metrics.added();
                self.metrics.depth(state.waiting);
                drop(state);
                self.ready.notify_one();
            }
            None if item.failures.is_empty() => {
                state.items.remove(&work.key);
            }
            None => {}
        }
    }

    /// No key is handed out any more; waiting workers end.
    pub fn close(&self) {
        self.state().closed = true;
        self.ready.notify_waiters();
        self.ready.notify_one();
    }

    /// The longest time a worker has held one key, for the watchdog and the metrics.
    pub fn longest_running(&self) -> Option<(ObjectKey, Duration)> {
        let state = self.state();
        let oldest = state.items.iter().filter_map(|(key, item)| item.running.map(|at| (key, at))).min_by_key(|x| x.1);
        oldest.map(|(key, at)| (key.clone(), at.elapsed()))
    }

    /// Seconds of work in progress, summed and longest, as the workqueue metrics want them.
    pub fn publish_running(&self) {
        let state = self.state();
        let spans = state.items.values().filter_map(|item| item.running.map(|at| at.elapsed().as_secs_f64()));
        let (sum, longest) = spans.fold((0.0, 0.0_f64), |(sum, longest), span| (sum + span, longest.max(span)));
        self.metrics.running(sum, longest);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the maps half-changed: no user code runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<ObjectKey> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Periodic => &mut self.periodic,
        }
    }

    fn pop(&mut self) -> Option<(Work, Instant)> {
        for lane in [Lane::Interactive, Lane::Periodic] {
            while let Some(key) = self.lane(lane).pop_front() {
                let Some(item) = self.items.get_mut(&key) else { continue };
                // Left behind by a promotion: the key has its place in the other lane, or is running.
                let Some(waiting) = item.waiting.filter(|waiting| waiting.lane == lane && item.running.is_none())
                else {
                    continue;
                };
                item.waiting = None;
                item.running = Some(Instant::now());
                self.waiting = self.waiting.saturating_sub(1);
                return Some((Work { key, lane, since: waiting.last }, waiting.first));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
