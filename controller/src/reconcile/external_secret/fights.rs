//! Others who change a target each time it is put right.
//!
//! Drift is repaired at once. Whoever answers a repair within seconds, again and again, is no user who made a mistake but a
//! program: it would have stores and the API server asked without end. From the fifth repair on, the repairs wait, twice as
//! long each time up to a minute, and the user is told once whom to stop. Whoever gives up is forgotten.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{desired::WrittenBy, kind::Changes};
use crate::engine::ObjectKey;

/// A change that comes sooner after a repair is an answer to it: four in a minute.
const ANSWER: Duration = Duration::from_secs(15);

/// Repairs that are made at once.
const AT_ONCE: u32 = 4;

/// The first wait, and the longest.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(1);

/// The targets that others have changed; one that came to rest takes no place for longer than until its next drift.
#[derive(Default)]
pub struct Fights(Mutex<HashMap<ObjectKey, Fight>>);

#[derive(Clone, Debug)]
struct Fight {
    /// Spec and metadata that were repaired.
    version: String,
    repairs: u32,
    /// When the last repair was begun, and in which version the target was then.
    last: Instant,
    seen: u64,
    /// Whether that repair has failed so far.
    is_pending: bool,
    /// Whether somebody has changed the target since then, sooner than [`ANSWER`].
    answered: bool,
    /// Whether the user knows of the fight.
    is_told: bool,
}

/// What to do about a drift.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Repair,
    /// The same, and the user is to be told that there is a fight.
    RepairAndTell,
    Wait(Duration),
}

impl Fights {
    /// The target of `user`, an ExternalSecret in this version, is found changed, in the version `seen` (0: it is missing).
    pub fn judge(&self, user: &ObjectKey, version: &str, seen: u64, now: Instant) -> Verdict {
        let mut fights = self.fights();
        if let Some(fight) = fights.get_mut(user).filter(|fight| fight.version == version) {
            return fight.judge(seen, now);
        }
        fights.insert(user.clone(), Fight::first(version, seen, now));
        Verdict::Repair
    }

    /// The target of `user` is put right. `told`: and the user of whom it was put right against.
    pub fn repaired(&self, user: &ObjectKey, told: bool) {
        if let Some(fight) = self.fights().get_mut(user) {
            fight.is_pending = false;
            fight.is_told |= told;
        }
    }

    pub fn forget(&self, user: &ObjectKey) {
        self.fights().remove(user);
    }

    fn fights(&self) -> MutexGuard<'_, HashMap<ObjectKey, Fight>> {
        // Map operations only run under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fight {
    fn first(version: &str, seen: u64, now: Instant) -> Self {
        let version = version.to_owned();
        Self { version, repairs: 1, last: now, seen, is_pending: true, answered: false, is_told: false }
    }

    fn judge(&mut self, seen: u64, now: Instant) -> Verdict {
        // A failed repair that is tried again is nobody's answer.
        if !self.is_pending || self.seen != seen {
            let since = now.saturating_duration_since(self.last);
            self.answered |= since < ANSWER;
            let wait = wait_after(self.repairs);
            if since < wait {
                return Verdict::Wait(wait.saturating_sub(since));
            }
            if self.answered {
                self.repairs = self.repairs.saturating_add(1);
            } else {
                (self.repairs, self.is_told) = (1, false);
            }
            (self.last, self.seen, self.is_pending, self.answered) = (now, seen, true, false);
        }
        if self.repairs > AT_ONCE && !self.is_told { Verdict::RepairAndTell } else { Verdict::Repair }
    }
}

fn wait_after(repairs: u32) -> Duration {
    let Some(doublings) = repairs.checked_sub(AT_ONCE) else { return Duration::ZERO };
    SHORTEST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST)
}

/// Who wrote what a repair puts right.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Opponents {
    managers: BTreeSet<String>,
    keys: BTreeSet<String>,
}

/// Names in one event; an event's note is short.
const NAMED: usize = 10;

impl Opponents {
    /// `added`: keys that are not there and will be.
    pub fn of(own: &str, existing: &ObjectMeta, changes: &Changes, added: impl IntoIterator<Item = String>) -> Self {
        let keys: BTreeSet<String> = changes.removed.iter().chain(&changes.replaced).cloned().chain(added).collect();
        let managers = existing.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
        let wrote =
            |manager: &&str| *manager != own && keys.iter().any(|key| WrittenBy::manager(manager, existing).wrote(key));
        let managers = managers.filter(wrote).map(str::to_owned).collect();
        Self { managers, keys }
    }

    /// The note of the event. `what`: `secret "db"`.
    pub fn note(&self, what: &str) -> String {
        let who = if self.managers.is_empty() { "another writer".to_owned() } else { listed(&self.managers) };
        let which = if self.keys.is_empty() { String::new() } else { format!(" (keys: {})", listed(&self.keys)) };
        format!(
            "{who} changes {what}{which} each time it is put right; it is repaired once a minute at most until that stops. \
             Stop the other writer, or let creationPolicy=Merge leave its keys alone"
        )
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Verdicts on a target that is changed `answer` after each repair, for `span`; a wait is sat out.
    fn verdicts(answer: Duration, span: Duration) -> Vec<(u64, Verdict)> {
        let (fights, key, begin) = (Fights::default(), ObjectKey::new("n", "es"), Instant::now());
        let (mut at, mut seen, mut verdicts) = (Duration::ZERO, 1, Vec::new());
        while at < span {
            let verdict = fights.judge(&key, "1-x", seen, begin + at);
            if let Verdict::Wait(wait) = verdict {
                at += wait;
                continue;
            }
            fights.repaired(&key, verdict == Verdict::RepairAndTell);
            verdicts.push((at.as_secs(), verdict));
            (at, seen) = (at + answer, seen + 1);
        }
        verdicts
    }

    #[test]
    fn opponent_who_answers_at_once_is_repaired_once_a_minute_and_told_of_once() {
        let verdicts = verdicts(Duration::from_millis(1), Duration::from_mins(10));
        let times: Vec<_> = verdicts.iter().take(12).map(|(at, _)| *at).collect();
        assert_eq!(times, [0, 0, 0, 0, 2, 6, 14, 30, 62, 122, 182, 242]);
        let told: Vec<_> = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::RepairAndTell).collect();
        assert_eq!(told, [&(2, Verdict::RepairAndTell)]);
    }

    #[test]
    fn user_who_edits_now_and_then_is_repaired_at_once() {
        let verdicts = verdicts(Duration::from_secs(20), Duration::from_mins(10));
        assert!(verdicts.len() == 30 && verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Repair));
    }

    #[test]
    fn fight_that_stopped_is_forgotten_and_another_spec_begins_anew() {
        let (fights, key, begin) = (Fights::default(), ObjectKey::new("n", "es"), Instant::now());
        let judge = |version: &str, seconds: u64| {
            let verdict = fights.judge(&key, version, 0, begin + Duration::from_secs(seconds));
            fights.repaired(&key, false);
            verdict
        };
        for _ in 0..4 {
            assert_eq!(judge("1-x", 0), Verdict::Repair);
        }
        assert_eq!(judge("1-x", 1), Verdict::Wait(Duration::from_secs(1)));
        assert_eq!(judge("2-x", 1), Verdict::Repair, "the user has changed something");
        for _ in 0..3 {
            assert_eq!(judge("2-x", 1), Verdict::Repair);
        }
        assert_eq!(judge("2-x", 300), Verdict::Repair);
        assert_eq!(judge("2-x", 301), Verdict::Repair);
    }

    #[test]
    fn repair_that_fails_is_tried_again_without_counting() {
        let (fights, key, begin) = (Fights::default(), ObjectKey::new("n", "es"), Instant::now());
        let judge = |seen: u64, seconds: u64| fights.judge(&key, "1-x", seen, begin + Duration::from_secs(seconds));
        for second in 0..20 {
            assert_eq!(judge(1, second), Verdict::Repair);
        }
        for seen in 2..5 {
            assert_eq!(judge(seen, 0), Verdict::Repair, "somebody goes on changing it meanwhile");
        }
        assert_eq!(judge(5, 0), Verdict::Wait(SHORTEST));
        assert_eq!(judge(5, 2), Verdict::RepairAndTell);
        assert_eq!(judge(5, 3), Verdict::RepairAndTell, "nothing was told yet");
        fights.repaired(&key, true);
        assert_eq!(judge(6, 6), Verdict::Repair);
    }

    #[test]
    fn opponents_are_those_who_wrote_what_is_put_right() {
        let wrote = |manager: &str, key: &str| json!({"manager": manager, "operation": "Update", "fieldsV1": {"f:data": {format!("f:{key}"): {}}}});
        let meta = json!({"managedFields": [wrote("us", "a"), wrote("rogue", "b"), wrote("other", "c")]});
        let meta: ObjectMeta = serde_json::from_value(meta).expect("metadata");
        let changes = Changes { replaced: vec!["b".to_owned()], ..Changes::default() };
        let note = Opponents::of("us", &meta, &changes, ["gone".to_owned()]).note("secret \"db\"");
        assert!(note.starts_with("rogue changes secret \"db\" (keys: b, gone) each"), "{note}");
        let nobody = Opponents::of("us", &ObjectMeta::default(), &Changes::default(), []).note("secret \"db\"");
        assert!(nobody.starts_with("another writer changes secret \"db\" each"), "{nobody}");
    }
}
