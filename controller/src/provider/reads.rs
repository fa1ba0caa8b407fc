//! Equal reads become one call.
//!
//! A caller says which moment its answer must not be older than (`since`, when it was triggered) and gets the result of
//! any read of the same key that *started* at or after that moment: one that runs, or one that ended less than
//! [`LINGER`] ago. So five properties of one path cost one call, whether a reconcile asks for them together or one
//! after the other, and a change made before the trigger is always seen.
//!
//! A read runs in a task of its own: a caller that gives up does not take it away from the others. What lingers is
//! bounded in time, number and bytes; past a bound a result is handed to those who wait for it and not kept. While keys
//! wait for a worker that were triggered before a read started ([`Demand`]), its result lingers on: a thousand objects
//! of fifty paths that are found at start-up cost fifty reads, however long they take to be written.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture, future::Shared};

use crate::error::{Code, Error};

/// How long a finished read can be shared: about as long as one reconcile takes to ask for all of its entries. It is no
/// cache, since `since` of the next trigger is later.
const LINGER: Duration = Duration::from_secs(1);

/// How often a result can linger on because somebody waits.
const MOST_LINGERS: u32 = 60;

/// Finished results kept at once: those of a second at more reads than a backend has been seen to answer.
const KEPT: usize = 4096;

/// Bytes of finished results kept at once, per identity.
const KEPT_BYTES: usize = 4 << 20;

/// How much memory a result takes, about.
pub trait Weigh {
    fn weigh(&self) -> usize;
}

/// Whether somebody waits for a worker who could use a read that started at a moment.
#[derive(Clone, Default)]
pub struct Demand(Option<Arc<dyn Fn(Instant) -> bool + Send + Sync>>);

impl Demand {
    pub fn new(waits: impl Fn(Instant) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(waits)))
    }

    fn is_there(&self, started: Instant) -> bool {
        self.0.as_ref().is_some_and(|waits| waits(started))
    }
}

/// A result that is on its way to everybody who waits for it.
pub type Pending<V> = Shared<BoxFuture<'static, Result<Arc<V>, Error>>>;

/// See the module documentation.
pub struct Reads<K, V> {
    inner: Arc<Mutex<Inner<K, V>>>,
    demand: Demand,
}

struct Inner<K, V> {
    reads: HashMap<K, Read<V>>,
    next_id: u64,
    kept: usize,
    kept_bytes: usize,
}

struct Read<V> {
    id: u64,
    started: Instant,
    result: Pending<V>,
}

impl<K, V> Reads<K, V> {
    pub fn new(demand: Demand) -> Self {
        let inner = Inner { reads: HashMap::new(), next_id: 0, kept: 0, kept_bytes: 0 };
        Self { inner: Arc::new(Mutex::new(inner)), demand }
    }
}

impl<K, V> Reads<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Weigh + Send + Sync + 'static,
{
    /// The result of a read of `key` that started at or after `since`; `start` makes a new one if there is none.
    pub async fn read<F>(&self, key: K, since: Instant, start: impl FnOnce() -> F) -> Result<Arc<V>, Error>
    where
        F: Future<Output = Result<V, Error>> + Send + 'static,
    {
        self.join(key, since, start).0.await
    }

    /// The same, begun at once; also says whether it is a new one.
    pub fn join<F>(&self, key: K, since: Instant, start: impl FnOnce() -> F) -> (Pending<V>, bool)
    where
        F: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let mut inner = lock(&self.inner);
        match inner.reads.get(&key).filter(|read| read.started >= since) {
            Some(read) => (read.result.clone(), false),
            None => (self.start(&mut inner, key, start()), true),
        }
    }

    fn start<F>(&self, inner: &mut Inner<K, V>, key: K, work: F) -> Pending<V>
    where
        F: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let id = inner.next_id;
        inner.next_id += 1;
        let (send, receive) = futures::channel::oneshot::channel();
        let result = receive.map(|sent| sent.unwrap_or_else(|_| Err(lost()))).boxed().shared();
        let started = tokio::time::Instant::now().into_std();
        inner.reads.insert(key.clone(), Read { id, started, result: result.clone() });
        let end = End { inner: self.inner.clone(), key, id };
        let demand = self.demand.clone();
        tokio::spawn(async move {
            let result = work.await.map(Arc::new);
            let weight = result.as_ref().map_or(0, |value| value.weigh());
            // Nobody waits any more: nobody will ask for the rest of this reconcile either, but the next one might.
            let _ = send.send(result);
            if end.keep(weight) {
                for _ in 0..MOST_LINGERS {
                    tokio::time::sleep(LINGER).await;
                    if !demand.is_there(started) {
                        break;
                    }
                }
                end.release(weight);
            }
        });
        result
    }
}

/// Takes a read out of the map when its task ends, however it ends.
struct End<K: Eq + Hash, V> {
    inner: Arc<Mutex<Inner<K, V>>>,
    key: K,
    id: u64,
}

impl<K: Eq + Hash, V> End<K, V> {
    fn keep(&self, weight: usize) -> bool {
        let mut inner = lock(&self.inner);
        let keep = inner.kept < KEPT && weight <= KEPT_BYTES - inner.kept_bytes;
        if keep {
            inner.kept += 1;
            inner.kept_bytes += weight;
        }
        keep
    }

    fn release(&self, weight: usize) {
        let mut inner = lock(&self.inner);
        inner.kept -= 1;
        inner.kept_bytes -= weight;
    }
}

impl<K: Eq + Hash, V> Drop for End<K, V> {
    fn drop(&mut self) {
        let mut inner = lock(&self.inner);
        if inner.reads.get(&self.key).is_some_and(|read| read.id == self.id) {
            inner.reads.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task ended without a result: it panicked, or the process is stopping.
fn lost() -> Error {
    Error::bug(
        Code::Panicked,
        "a read of the backend ended without an answer; please report this with the log around it",
    )
}

#[cfg(test)]
mod tests;
