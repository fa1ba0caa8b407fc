//! What the proxy knows and what a test has asked of it. Shared by both sides of a proxy; no I/O.

use std::collections::{BTreeMap, BTreeSet};

use tokio::{sync::watch, time::Instant};

use super::call::Call;

/// A moment at which a controller dies.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CrashPoint {
    pub call: Call,
    /// How many of the same call come before.
    pub after: usize,
    pub moment: Moment,
}

/// On which side of a request.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Moment {
    /// The server never hears of it.
    BeforeRequest,
    /// The server has done it, and the controller never hears of that.
    AfterAnswer,
}

impl std::fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = match self.moment {
            Moment::BeforeRequest => "before",
            Moment::AfterAnswer => "after the answer of",
        };
        write!(f, "killed {side} {} (number {})", self.call, self.after + 1)
    }
}

/// How a watch ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WatchEnd {
    /// The API server has forgotten the version (410): the controller must list.
    Gone,
    /// The connection breaks: the controller may go on where it was.
    Dropped,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Pass,
    /// Never answered, and never forwarded.
    Hold,
    /// Forwarded; the line is cut when the answer is there.
    CutAfterAnswer,
}

#[derive(Debug)]
struct State {
    /// Since the recording began.
    calls: Vec<Call>,
    armed: Option<CrashPoint>,
    /// The crash point was reached: nothing passes any more.
    cut: bool,
    frozen: BTreeSet<String>,
    /// How often the watches of a plural were ended, and how the last time.
    ended: BTreeMap<String, (u64, WatchEnd)>,
    in_flight: usize,
    last_change: Instant,
}

/// See the module documentation.
pub struct Line(watch::Sender<State>);

impl Line {
    pub fn new() -> Self {
        Self(watch::Sender::new(State {
            calls: Vec::new(),
            armed: None,
            cut: false,
            frozen: BTreeSet::new(),
            ended: BTreeMap::new(),
            in_flight: 0,
            last_change: Instant::now(),
        }))
    }

    /// Forgets what was recorded, and stops the line at `point`, if there is one.
    pub fn record(&self, point: Option<CrashPoint>) {
        self.0.send_modify(|state| {
            state.calls.clear();
            state.armed = point;
            state.cut = false;
        });
    }

    pub fn calls(&self) -> Vec<Call> {
        self.0.borrow().calls.clone()
    }

    /// A request of work has come.
    pub fn arrived(&self, call: &Call) -> Verdict {
        let mut verdict = Verdict::Hold;
        self.0.send_modify(|state| {
            if state.cut {
                return;
            }
            let before = state.calls.iter().filter(|other| *other == call).count();
            state.calls.push(call.clone());
            state.last_change = Instant::now();
            let hit = state.armed.as_ref().filter(|point| point.call == *call && point.after == before);
            verdict = match hit.map(|point| point.moment) {
                None => Verdict::Pass,
                Some(Moment::AfterAnswer) => Verdict::CutAfterAnswer,
                Some(Moment::BeforeRequest) => {
                    state.cut = true;
                    Verdict::Hold
                }
            };
        });
        verdict
    }

    /// Its answer has come. Whether it may be given back.
    pub fn answered(&self, verdict: Verdict) -> bool {
        let mut passes = false;
        self.0.send_modify(|state| {
            state.cut |= verdict == Verdict::CutAfterAnswer;
            passes = !state.cut;
        });
        passes
    }

    /// Held while an answer is awaited.
    pub fn in_flight(&self) -> InFlight<'_> {
        self.0.send_modify(|state| state.in_flight += 1);
        InFlight(self)
    }

    /// Ends when the crash point was reached.
    pub async fn is_cut(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|state| state.cut).await;
    }

    /// Ends when no answer is awaited.
    pub async fn is_drained(&self) {
        let _ = self.0.subscribe().wait_for(|state| state.in_flight == 0).await;
    }

    /// Since when nothing has come or gone; `None` while an answer is awaited.
    pub fn quiet_since(&self) -> Option<Instant> {
        let state = self.0.borrow();
        (state.in_flight == 0).then_some(state.last_change)
    }

    /// As if something had come.
    pub fn stirred(&self) {
        self.0.send_modify(|state| state.last_change = Instant::now());
    }

    pub fn freeze(&self, plural: &str) {
        self.0.send_modify(|state| {
            state.frozen.insert(plural.to_owned());
        });
    }

    pub fn thaw(&self, plural: &str) {
        self.0.send_modify(|state| {
            state.frozen.remove(plural);
        });
    }

    pub fn end_watches(&self, plural: &str, how: WatchEnd) {
        self.0.send_modify(|state| {
            let times = state.ended.get(plural).map_or(0, |(times, _)| *times);
            state.ended.insert(plural.to_owned(), (times + 1, how));
        });
    }

    /// Ends when news of a plural may pass.
    pub async fn flows(&self, plural: &str) {
        let _ = self.0.subscribe().wait_for(|state| !state.cut && !state.frozen.contains(plural)).await;
    }

    /// How often the watches of a plural have been ended.
    pub fn ends(&self, plural: &str) -> u64 {
        self.0.borrow().ended.get(plural).map_or(0, |(times, _)| *times)
    }

    /// Ends when the watches of a plural are ended more often than `before`.
    pub async fn ended(&self, plural: &str, before: u64) -> WatchEnd {
        let mut state = self.0.subscribe();
        let newer = |state: &State| state.ended.get(plural).is_some_and(|(times, _)| *times > before);
        let how = state.wait_for(newer).await.ok().and_then(|state| state.ended.get(plural).map(|(_, how)| *how));
        match how {
            Some(how) => how,
            None => std::future::pending().await,
        }
    }
}

/// A request that was handed on, until its answer.
pub struct InFlight<'a>(&'a Line);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| {
            state.in_flight = state.in_flight.saturating_sub(1);
            state.last_change = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::call::Server;

    fn call(name: &str) -> Call {
        Call {
            server: Server::Kubernetes,
            method: "PATCH".to_owned(),
            resource: "secrets".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn line_is_cut_at_the_point_and_nothing_passes_after_it() {
        let line = Line::new();
        line.record(Some(CrashPoint { call: call("a"), after: 1, moment: Moment::BeforeRequest }));
        assert_eq!(line.arrived(&call("a")), Verdict::Pass);
        assert!(line.answered(Verdict::Pass));
        assert_eq!(line.arrived(&call("b")), Verdict::Pass);
        assert_eq!(line.arrived(&call("a")), Verdict::Hold);
        assert_eq!(line.arrived(&call("c")), Verdict::Hold);
        assert!(!line.answered(Verdict::Pass), "what was under way is not answered any more");
        line.record(None);
        assert_eq!(line.arrived(&call("a")), Verdict::Pass);
    }

    #[test]
    fn answer_is_what_cuts_the_line_behind_a_request() {
        let line = Line::new();
        line.record(Some(CrashPoint { call: call("a"), after: 0, moment: Moment::AfterAnswer }));
        let verdict = line.arrived(&call("a"));
        assert_eq!(verdict, Verdict::CutAfterAnswer);
        assert_eq!(line.arrived(&call("b")), Verdict::Pass);
        assert!(!line.answered(verdict));
        assert_eq!(line.arrived(&call("c")), Verdict::Hold);
    }

    #[tokio::test]
    async fn frozen_news_flow_after_the_thaw() {
        let line = Line::new();
        line.freeze("secrets");
        line.flows("externalsecrets").await;
        tokio::select! {
            () = line.flows("secrets") => panic!("frozen"),
            () = std::future::ready(()) => line.thaw("secrets"),
        }
        line.flows("secrets").await;
    }
}
