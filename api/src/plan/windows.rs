//! Sync windows: when a fetch that only time has made due may happen.
//!
//! A window is open from each firing of its schedule for its duration, both ends included. `allow` permits while one is
//! open, `deny` while none is. A schedule that cannot be read opens nothing, as in the Go operator: it is refused on
//! admission ([`faults`]), but an object that was admitted elsewhere keeps what else it says.

use jiff::{SignedDuration, Timestamp};

use super::duration;
use crate::external_secret::{ExternalSecretSpec, RefreshPolicy, SyncWindow, SyncWindowKind, SyncWindows};
use crate::problem::{Problem, Problems};
use crate::schedule::{SCHEDULE_ADVICE, Schedule};

#[cfg(test)]
mod tests;

/// See the module documentation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Windows {
    kind: SyncWindowKind,
    /// Those whose schedule can be read.
    windows: Vec<Window>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Window {
    schedule: Schedule,
    /// Less than zero: never open.
    duration: SignedDuration,
}

/// When fetches become permitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opening {
    /// From when on.
    pub at: Timestamp,
    /// The last moment at which they surely still are; `None`: for good.
    pub until: Option<Timestamp>,
}

/// Closings that follow each other without a gap are followed this far. Beyond, the end of the last one is told, from
/// which to look further.
const CLOSINGS: usize = 100;

/// The least time by which a moment is later than another.
const TICK: SignedDuration = SignedDuration::from_nanos(1);

impl Windows {
    /// What the windows of a spec mean.
    ///
    /// # Errors
    /// A duration that is none.
    pub fn new(spec: &SyncWindows) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut windows = Vec::with_capacity(spec.windows.len());
        for (path, window) in paths(spec) {
            match duration(&format!("{path}.duration"), &window.duration) {
                Ok(duration) => windows.extend(window.schedule.parse().ok().map(|schedule| {
                    let duration = SignedDuration::from_nanos(duration.as_nanos());
                    Window { schedule, duration }
                })),
                Err(problem) => problems.push(problem),
            }
        }
        Problems(problems).none_or(|| Self { kind: spec.kind, windows })
    }

    /// Whether a fetch is permitted at this moment.
    pub fn permit(&self, at: Timestamp) -> bool {
        let is_open = self.windows.iter().any(|window| window.open_until(at).is_some());
        is_open == (self.kind == SyncWindowKind::Allow)
    }

    /// When fetches become permitted, while they are not; `None`: not within five years.
    pub fn opening_after(&self, at: Timestamp) -> Option<Opening> {
        match self.kind {
            SyncWindowKind::Allow => {
                self.windows.iter().filter_map(|window| window.opening_after(at)).min_by_key(|opening| opening.at)
            }
            SyncWindowKind::Deny => {
                let at = self.end_of_denial(at)?;
                Some(Opening { at, until: self.windows.iter().filter_map(|window| window.opens_after(at)).min() })
            }
        }
    }

    /// The first moment from `at` on at which no window is open, as far as that is found.
    fn end_of_denial(&self, mut at: Timestamp) -> Option<Timestamp> {
        for _ in 0..CLOSINGS {
            let ends = self.windows.iter().filter_map(|window| window.open_until(at));
            let Some(end) = ends.max() else { return Some(at) };
            at = end.checked_add(TICK).ok()?;
        }
        Some(at)
    }
}

impl Window {
    /// The last moment of the window that is open at `at`, if one is.
    fn open_until(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.schedule {
            // It has always just fired so long ago, whenever one asks.
            Schedule::Every(span) => (*span <= self.duration).then_some(Timestamp::MAX),
            schedule @ Schedule::Fields(_) => {
                let end = schedule.last_by(at)?.checked_add(self.duration).unwrap_or(Timestamp::MAX);
                (end >= at).then_some(end)
            }
        }
    }

    fn opens_after(&self, at: Timestamp) -> Option<Timestamp> {
        let fires = !matches!(self.schedule, Schedule::Every(_)) && !self.duration.is_negative();
        fires.then(|| self.schedule.next_after(at)).flatten()
    }

    fn opening_after(&self, at: Timestamp) -> Option<Opening> {
        let at = self.opens_after(at)?;
        Some(Opening { at, until: at.checked_add(self.duration).ok() })
    }
}

/// Schedules that cannot be read. Asked on admission only: see the module documentation.
pub fn faults(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let fault = |(path, window): (String, &SyncWindow)| {
        let fault = window.schedule.parse::<Schedule>().err()?;
        Some(Problem::new(format!("{path}.schedule"), fault.to_string(), SCHEDULE_ADVICE))
    };
    spec.sync_windows.iter().flat_map(paths).filter_map(fault).collect()
}

/// Windows that do not do what they seem to.
pub fn warnings(spec: &ExternalSecretSpec) -> Vec<Problem> {
    const PATH: &str = "spec.syncWindows";
    let mut warnings = Vec::new();
    let Some(windows) = &spec.sync_windows else { return warnings };
    if spec.refresh_policy != RefreshPolicy::Periodic {
        let advice = "remove it; windows are for refreshPolicy: Periodic";
        warnings.push(Problem::new(PATH, "has no effect under this refreshPolicy", advice));
    }
    for (path, window) in paths(windows) {
        let Ok(duration) = window.duration.parse::<crate::duration::GoDuration>() else { continue };
        let duration = SignedDuration::from_nanos(duration.as_nanos());
        let (what, advice) = match window.schedule.parse() {
            Ok(Schedule::Every(span)) if span <= duration => {
                ("is open all the time: @every counts from whenever one asks", "write cron fields")
            }
            Ok(Schedule::Every(_)) => (
                "is never open: @every counts from whenever one asks, and is longer than duration",
                "write cron fields",
            ),
            Ok(schedule) if !schedule.ever_fires() => ("is never open: there is no such day", "correct the schedule"),
            Ok(_) if duration <= SignedDuration::ZERO => ("is hardly ever open", "write a duration such as 2h"),
            _ => continue,
        };
        warnings.push(Problem::new(path, what, advice));
    }
    warnings
}

fn paths(spec: &SyncWindows) -> impl Iterator<Item = (String, &SyncWindow)> {
    spec.windows.iter().enumerate().map(|(index, window)| (format!("spec.syncWindows.windows[{index}]"), window))
}
