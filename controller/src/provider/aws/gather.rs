//! Concurrent reads of one identity become batches.
//!
//! What enters are names, one by one; what leaves is what the backend says of each. The first name of a batch opens it; it
//! is asked when it is full, or a moment later: [`MOMENT`] where reads are few, up to a second where they come so fast
//! that the batch will be full by then, or that others will come and nobody is in a [hurry](Gather::hurry). Before one is
//! asked that is not full, what will be asked soon may fill it.
//!
//! Promised: an error of one entry reaches only those who asked for it. Where the backend refuses a batch, each of its
//! names is read alone; where it refuses batches altogether, that is remembered for [`REMEMBERED`], and found out by one
//! call, for which all others wait. What a batch says nothing of is read alone, too.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::oneshot;

use crate::{
    error::{Class, Code, Error},
    secret_bytes::SecretBytes,
};

mod recent;

use recent::Recent;

/// How long a batch waits for more where nobody knows of more: what a reconcile asks side by side comes within it, and
/// nobody notices it.
const MOMENT: Duration = Duration::from_millis(5);

/// How long after somebody was in a hurry batches wait for nobody's sake but their own.
const HURRY: Duration = Duration::from_secs(1);

/// How often a batch waits another moment for names that were expected: on a busy machine tasks take their time to start.
const MOST_MOMENTS: usize = 20;

/// How long it is remembered that batches are refused: a policy that was extended counts within the hour.
const REMEMBERED: Duration = Duration::from_hours(1);

/// Names remembered that spoil batches. Past it all are forgotten, and found out anew.
const MOST_SPOILERS: usize = 10_000;

/// What one read found; none if there is no such entry.
pub type Found = Option<SecretBytes>;

/// Reads of one identity.
#[async_trait]
pub trait Batch: Send + Sync + 'static {
    /// Names that one call takes.
    const MOST: usize;

    /// Whether one forbidden name has a whole call refused, so that a refusal says nothing of the others.
    const ONE_SPOILS_ALL: bool;

    /// What no two names of a call may have in common; none: the name cannot be in a batch at all.
    fn place<'a>(&self, name: &'a str) -> Option<&'a str>;

    /// Whether there is an identity to ask as: what is wrong with that says nothing of batches.
    async fn ready(&self) -> Result<(), Error>;

    /// At most [`Self::MOST`] names. What the answer says nothing of is left out.
    async fn many(&self, names: &[String]) -> Result<HashMap<String, Result<Found, Error>>, Error>;

    async fn one(&self, name: &str) -> Result<Found, Error>;
}

/// See the module documentation. Cheap to clone.
pub struct Gather<B>(Arc<Shared<B>>);

struct Shared<B> {
    batch: B,
    state: Mutex<State>,
    /// Begins reads of what will be asked soon.
    fill: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Held by whoever finds out whether batches are permitted.
    finding_out: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    open: Vec<Waiter>,
    /// Names that will come at once.
    expected: usize,
    /// Counts batches, so that a timer knows whether its own is still open.
    number: u64,
    recent: Recent,
    /// When somebody waited for an answer last.
    hurried: Option<Instant>,
    permitted: Permitted,
    spoilers: HashSet<String>,
    /// The last call came to nothing for want of a backend.
    is_failing: bool,
}

/// A name that will come at once, or not at all.
pub struct Expected<B>(Arc<Shared<B>>);

impl<B> Drop for Expected<B> {
    fn drop(&mut self) {
        self.0.state().expected -= 1;
    }
}

struct Waiter {
    name: String,
    send: oneshot::Sender<Result<Found, Error>>,
}

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Permitted {
    #[default]
    Unknown,
    Yes,
    /// Until then.
    No(Instant),
}

impl<B> Clone for Gather<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: Batch> Gather<B> {
    pub fn new(batch: B) -> Self {
        let finding_out = tokio::sync::Mutex::default();
        Self(Arc::new(Shared { batch, state: Mutex::default(), fill: OnceLock::new(), finding_out }))
    }

    /// `fill`: called before a batch is asked that is not full, to begin what will be asked soon.
    pub fn fill_with(&self, fill: impl Fn() + Send + Sync + 'static) {
        // A second time says the same.
        let _ = self.0.fill.set(Box::new(fill));
    }

    /// Somebody waits: batches that would not be full are not waited for.
    pub fn hurry(&self) {
        self.0.state().hurried = Some(now());
    }

    /// Says that a name will come at once.
    pub fn expect(&self) -> Expected<B> {
        self.0.state().expected += 1;
        Expected(self.0.clone())
    }

    /// Reads an entry, with others if it can be.
    pub async fn get(&self, name: &str, expected: Expected<B>) -> Result<Found, Error> {
        if let Some(answer) = self.enter(name, expected) {
            return answer.await.unwrap_or_else(|_| Err(lost()));
        }
        let result = self.0.batch.one(name).await;
        if result.is_ok() {
            self.0.state().spoilers.remove(name);
        }
        result
    }

    /// How many more names the last batch has room for once all that is expected has come, as far as batches are permitted.
    pub fn room(&self) -> usize {
        let state = self.0.state();
        let rest = (state.open.len() + state.expected) % B::MOST;
        if rest == 0 || state.is_refused(now()) { 0 } else { B::MOST - rest }
    }

    /// Whether a batch may hold that name.
    pub fn takes(&self, name: &str) -> bool {
        self.0.batch.place(name).is_some() && !self.0.state().spoilers.contains(name)
    }

    /// Whether the backend has answered the last call, or nobody has called yet.
    pub fn is_answered(&self) -> bool {
        !self.0.state().is_failing
    }

    /// Takes a place in the open batch; none where the name is to be read alone.
    fn enter(&self, name: &str, expected: Expected<B>) -> Option<oneshot::Receiver<Result<Found, Error>>> {
        // It has come, whatever becomes of it.
        drop(expected);
        let place = self.0.batch.place(name)?;
        let mut state = self.0.state();
        let now = now();
        let is_taken = |waiter: &Waiter| waiter.name != name && self.0.batch.place(&waiter.name) == Some(place);
        if state.is_refused(now) || state.spoilers.contains(name) || state.open.iter().any(is_taken) {
            return None;
        }
        let (send, receive) = oneshot::channel();
        state.open.push(Waiter { name: name.to_owned(), send });
        state.recent.count(now);
        if state.open.len() == 1 {
            let is_hurried = state.hurried.is_some_and(|at| now < at + HURRY);
            let (wait, number) = (state.recent.wait(B::MOST, is_hurried), state.number);
            tokio::spawn(close_later(self.0.clone(), wait, number));
        }
        // Two who ask for one name take two places: that they do at all is rare, `Reads` sees to it.
        if state.open.len() == B::MOST {
            tokio::spawn(self.0.clone().ask(state.close()));
        }
        Some(receive)
    }
}

/// Asks for an open batch once it has waited long enough, for what was expected and for what comes with it.
async fn close_later<B: Batch>(shared: Arc<Shared<B>>, wait: Duration, number: u64) {
    tokio::time::sleep(wait).await;
    if shared.state().number == number
        && let Some(fill) = shared.fill.get()
    {
        fill();
    }
    for _ in 0..MOST_MOMENTS {
        if shared.state().expected == 0 {
            break;
        }
        tokio::time::sleep(MOMENT).await;
    }
    let waiters = {
        let mut state = shared.state();
        if state.number == number { state.close() } else { return }
    };
    shared.ask(waiters).await;
}

impl State {
    fn close(&mut self) -> Vec<Waiter> {
        self.number += 1;
        std::mem::take(&mut self.open)
    }

    fn is_refused(&self, now: Instant) -> bool {
        matches!(self.permitted, Permitted::No(until) if now < until)
    }
}

impl<B: Batch> Shared<B> {
    /// Asks for what a batch is to bring, and tells everybody.
    async fn ask(self: Arc<Self>, waiters: Vec<Waiter>) {
        if let Err(error) = self.batch.ready().await {
            self.state().is_failing = true;
            return tell_all(waiters, &error);
        }
        let finding_out = match self.permitted() {
            Permitted::Yes => None,
            _ => Some(self.finding_out.lock().await),
        };
        // Somebody else may have found out meanwhile.
        if matches!(self.permitted(), Permitted::No(until) if now() < until) {
            drop(finding_out);
            self.singly(waiters).await;
            return;
        }
        let mut names: Vec<String> = waiters.iter().map(|waiter| waiter.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        if let [_] = &*names {
            // A batch of one costs as much as a read and needs another permission.
            drop(finding_out);
            self.singly(waiters).await;
            return;
        }
        let result = self.batch.many(&names).await;
        self.note(&result);
        match result {
            Ok(found) => {
                self.permit(Permitted::Yes);
                drop(finding_out);
                self.tell(waiters, found).await;
            }
            Err(error) if error.code() == Code::AwsAccessDenied => self.refused(waiters, finding_out).await,
            // Which of the names it cannot be, only each of them alone can tell.
            Err(error) if error.code() == Code::AwsRequestInvalid => {
                drop(finding_out);
                self.singly(waiters).await;
            }
            Err(error) => tell_all(waiters, &error),
        }
    }

    /// Reads alone what was refused together, and learns from it.
    async fn refused(&self, waiters: Vec<Waiter>, finding_out: Option<tokio::sync::MutexGuard<'_, ()>>) {
        let no = Permitted::No(now() + REMEMBERED);
        if !B::ONE_SPOILS_ALL {
            self.permit(no);
            drop(finding_out);
            self.singly(waiters).await;
            return;
        }
        // If each may be read, it was the batch that may not; else those that may not were the reason.
        let spoilers = self.singly(waiters).await;
        if spoilers.is_empty() {
            self.permit(no);
        } else {
            let mut state = self.state();
            if state.spoilers.len() + spoilers.len() > MOST_SPOILERS {
                state.spoilers.clear();
            }
            state.spoilers.extend(spoilers);
        }
    }

    /// Tells each what was found, and reads alone what the answer says nothing of.
    async fn tell(&self, waiters: Vec<Waiter>, found: HashMap<String, Result<Found, Error>>) {
        let mut rest = Vec::new();
        for waiter in waiters {
            match found.get(&waiter.name) {
                // Whoever asked may have given up.
                Some(result) => drop(waiter.send.send(result.clone())),
                None => rest.push(waiter),
            }
        }
        self.singly(rest).await;
    }

    /// Reads each alone; returns the names that are forbidden.
    async fn singly(&self, waiters: Vec<Waiter>) -> Vec<String> {
        let reads = waiters.into_iter().map(|waiter| async move {
            let result = self.batch.one(&waiter.name).await;
            self.note(&result);
            let is_forbidden = result.as_ref().is_err_and(|error| error.code() == Code::AwsAccessDenied);
            // Whoever asked may have given up.
            let _ = waiter.send.send(result);
            is_forbidden.then_some(waiter.name)
        });
        join_all(reads).await.into_iter().flatten().collect()
    }

    /// Takes note of whether the backend answers.
    fn note<T>(&self, result: &Result<T, Error>) {
        self.state().is_failing = result.as_ref().is_err_and(|error| error.class() != Class::Fix);
    }

    fn permitted(&self) -> Permitted {
        self.state().permitted
    }

    fn permit(&self, permitted: Permitted) {
        self.state().permitted = permitted;
    }
}

impl<B> Shared<B> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_all(waiters: Vec<Waiter>, error: &Error) {
    for waiter in waiters {
        // Whoever asked may have given up.
        let _ = waiter.send.send(Err(error.clone()));
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The task ended without a result: it panicked, or the process is stopping.
fn lost() -> Error {
    let problem = "a batch of reads ended without an answer; please report this with the log around it";
    Error::bug(Code::Panicked, problem)
}
