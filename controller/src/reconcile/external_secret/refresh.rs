//! Whether an ExternalSecret is due, as a list of named checks. Pure: values and a `now` in, a verdict out.
//!
//! Source of the rules: upstream 2.9 (`refreshPolicy`, `refreshInterval`, its drift check). Periodic refreshes are
//! spread over the last part of the interval by a hash of the UID, so that objects created together do not return
//! together, and never later than the interval says. Sync windows hold up these refreshes and those because of a changed
//! store, and no others; those that waited for an opening are spread over its beginning.

use std::time::Duration;

use api::{
    condition::{self, Condition},
    external_secret::{CreationPolicy, ExternalSecretStatus, RefreshPolicy},
    names::{
        condition_reason::{RESOURCE_DELETED, RESOURCE_MISSING, SECRET_DELETED, SECRET_MISSING},
        condition_type::READY,
    },
    plan::{Plan, Refresh},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    engine::spread::fraction,
    error::Code,
    reconcile::{
        external_secret::{ours::Identity, shares::Part, status::REFUSED_BY_TARGET},
        guard::served::says,
        managed::Managed,
    },
};

/// What the decision looks at.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and they come in all combinations")]
pub struct Seen<'a> {
    pub me: Identity<'a>,
    /// `<generation>-<hash of labels and annotations>` as it would be written now.
    pub version: &'a str,
    pub status: &'a ExternalSecretStatus,
    /// The target as far as it is managed.
    pub target: Option<&'a Managed>,
    /// What became of what is this ExternalSecret's in it, where others write to it, too; none if that is not known.
    pub part: Option<Part>,
    /// Whether the status names the target once it was written.
    pub binds: bool,
    /// What the condition says, among others, of a target that was left as it was because there was nothing for it.
    pub retained: &'a str,
    /// A ConfigMap or Secret with templates changed since they were rendered.
    pub templates_are_newer: bool,
    /// A store may serve other values than when they were fetched.
    pub stores_are_newer: bool,
    /// A call to its store has room for what it reads.
    pub is_brought_forward: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    NeverSynced,
    SpecOrMetadataChanged,
    TemplatesChanged,
    StoreChanged,
    TargetMissing,
    TargetDrifted,
    /// There was nothing to merge into, and now there is.
    TargetAppeared,
    /// It is there under a new name, and the status does not say so.
    TargetUnrecorded,
    RefreshTimeInFuture,
    IntervalElapsed,
    /// It will soon be over, and what is read is read with what others read.
    BroughtForward,
    /// The last refresh found entries missing, and kept what they gave to the target.
    DeletionsHeld,
}

impl Reason {
    /// Whether somebody else changed or removed the target.
    pub const fn is_drift(self) -> bool {
        matches!(self, Self::TargetMissing | Self::TargetDrifted)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    Now(Reason),
    /// Not before this time.
    At(Timestamp),
    /// Only when something changes.
    Never,
    /// As one of the two above. What failed last was no refresh, or one that is not wanted any more, such as of a spec that
    /// was put back: all is as it was synced.
    Over(Option<Timestamp>),
}

/// First check that applies wins.
pub fn due(plan: &Plan, seen: &Seen<'_>, now: Timestamp) -> Due {
    let refresh = &plan.refresh;
    let synced_at = seen.status.refresh_time.as_ref().map(|time| time.0);
    let synced_version = seen.status.synced_resource_version.as_deref().unwrap_or_default();
    let (Some(synced_at), false) = (synced_at, synced_version.is_empty()) else {
        return Due::Now(Reason::NeverSynced);
    };
    if let Some(reason) = target_problem(plan, seen) {
        return Due::Now(reason);
    }
    let changed = synced_version != seen.version;
    match (refresh.policy, refresh.interval) {
        (RefreshPolicy::CreatedOnce, _) | (RefreshPolicy::Periodic, None) => resting(plan, seen, None),
        (_, _) if changed => Due::Now(Reason::SpecOrMetadataChanged),
        (_, _) if seen.templates_are_newer => templates_changed(synced_at, now),
        (RefreshPolicy::OnChange, _) => resting(plan, seen, None),
        (RefreshPolicy::Periodic, Some(interval)) if seen.stores_are_newer => {
            elapsed(refresh, seen.me.uid, interval, Reason::StoreChanged, now)
        }
        (RefreshPolicy::Periodic, Some(_)) if synced_at > now => Due::Now(Reason::RefreshTimeInFuture),
        (RefreshPolicy::Periodic, Some(interval)) => match next_refresh(seen.me.uid, synced_at, interval) {
            at if at <= now => elapsed(refresh, seen.me.uid, interval, Reason::IntervalElapsed, now),
            at => match resting(plan, seen, Some(at)) {
                Due::At(_) if seen.is_brought_forward && may_be_early(refresh, seen, now) => {
                    Due::Now(Reason::BroughtForward)
                }
                due => due,
            },
        },
    }
}

/// The part of the interval by which a refresh may come before its time so that it shares a call with others: a backend that
/// takes twenty names at a time is asked in full batches even where few ExternalSecrets use it, and none of these is
/// refreshed more than half as often again as its interval says.
const AHEAD: f64 = 0.25;

/// Whether a refresh would change nothing but the time, the time has nearly come, and the sync windows permit it.
fn may_be_early(refresh: &Refresh, seen: &Seen<'_>, now: Timestamp) -> bool {
    may_be_brought_forward(refresh, seen.me.uid, seen.version, seen.status, now)
}

/// The same, of one whose target nobody has looked at.
pub fn may_be_brought_forward(
    refresh: &Refresh,
    uid: &str,
    version: &str,
    status: &ExternalSecretStatus,
    now: Timestamp,
) -> bool {
    let interval = refresh.interval.filter(|_| refresh.policy == RefreshPolicy::Periodic);
    let (Some(interval), Some(synced_at)) = (interval, &status.refresh_time) else { return false };
    status.synced_resource_version.as_deref() == Some(version)
        && condition::find(&status.conditions, READY).is_some_and(Condition::is_true)
        && next_refresh(uid, synced_at.0, interval) <= later(now, interval.mul_f64(AHEAD))
        && refresh.windows.as_ref().is_none_or(|windows| windows.permit(now))
}

/// Whether the last refresh found nothing to merge into, and nothing that is managed came since.
pub fn awaits_target(plan: &Plan, seen: &Seen<'_>) -> bool {
    let missing = [SECRET_MISSING, RESOURCE_MISSING];
    plan.target.creation == CreationPolicy::Merge && seen.target.is_none() && last_said(seen, missing)
}

/// Nothing is due until `at`, and the target is as it was written.
fn resting(plan: &Plan, seen: &Seen<'_>, at: Option<Timestamp>) -> Due {
    let was_written = !seen.binds || plan.target.creation != CreationPolicy::Merge || seen.status.binding.is_some();
    match condition::find(&seen.status.conditions, READY) {
        // Also when drift was why it looked, and is repaired by now.
        Some(ready) if !ready.is_true() && says(ready, Code::DeletionsHeld) => Due::Now(Reason::DeletionsHeld),
        // It was not there when it was synced, and when it appeared it could not be written: then it is bound all the same.
        Some(ready)
            if !ready.is_true()
                && seen
                    .target
                    .is_some_and(|target| !was_written || was_refused(ready) || is_of_another(seen, target)) =>
        {
            Due::Now(Reason::TargetAppeared)
        }
        _ if is_unrecorded(plan, seen) => Due::Now(Reason::TargetUnrecorded),
        Some(ready) if !ready.is_true() => Due::Over(at),
        _ => at.map_or(Due::Never, Due::At),
    }
}

/// Whether the last refresh came as far as the target, which took nothing.
fn was_refused(ready: &Condition) -> bool {
    REFUSED_BY_TARGET.iter().any(|code| says(ready, *code))
}

/// Whether it takes nothing because it is controlled by somebody else.
fn is_of_another(seen: &Seen<'_>, target: &Managed) -> bool {
    target.owner_uid.is_some() && !seen.me.owns(target)
}

/// The target was written under a new name, and nothing tells that the refresh came to its end: what was there under the
/// former name may still be.
fn is_unrecorded(plan: &Plan, seen: &Seen<'_>) -> bool {
    let is_ours = seen.target.is_some_and(|target| seen.me.owns(target));
    let former = seen.status.binding.as_ref().filter(|binding| binding.name != plan.target.name);
    let is_settled = seen.status.synced_resource_version.as_deref() == Some(seen.version);
    plan.target.creation == CreationPolicy::Owner && seen.binds && is_ours && former.is_some() && !is_settled
}

/// Something else than the ExternalSecret asks for a refresh: now, or when the sync windows permit.
fn elapsed(refresh: &Refresh, uid: &str, interval: Duration, reason: Reason, now: Timestamp) -> Due {
    let Some(windows) = refresh.windows.as_ref().filter(|windows| !windows.permit(now)) else {
        return Due::Now(reason);
    };
    let Some(opening) = windows.opening_after(now) else { return Due::Never };
    let lasts = opening.until.and_then(|until| Duration::try_from(until.duration_since(opening.at)).ok());
    let spread = lasts.map_or(interval, |lasts| lasts.min(interval)).mul_f64(SPREAD);
    Due::At(later(opening.at, spread.mul_f64(fraction(uid))))
}

/// The least time between two refreshes because of templates: an object that changes all the time, such as one that holds
/// a lock, must not have stores asked all the time.
const TEMPLATES_SETTLE: SignedDuration = SignedDuration::from_secs(3);

fn templates_changed(synced_at: Timestamp, now: Timestamp) -> Due {
    match synced_at.checked_add(TEMPLATES_SETTLE) {
        Ok(at) if synced_at <= now && now < at => Due::At(at),
        _ => Due::Now(Reason::TemplatesChanged),
    }
}

/// When to look again after a refresh at `synced_at`; `None`: only when something changes.
pub fn next_after(refresh: &Refresh, uid: &str, synced_at: Timestamp) -> Option<Timestamp> {
    let interval = refresh.interval.filter(|_| refresh.policy == RefreshPolicy::Periodic)?;
    Some(next_refresh(uid, synced_at, interval))
}

/// Whether the target is there with the data that was written. Policies differ in what they promise about it.
fn target_problem(plan: &Plan, seen: &Seen<'_>) -> Option<Reason> {
    let Some(target) = seen.target else { return is_missing(plan, seen).then_some(Reason::TargetMissing) };
    let is_owned = seen.me.owns(target);
    let has_drifted = match plan.target.creation {
        CreationPolicy::Orphan | CreationPolicy::None => false,
        // There was nothing to write, and it is another's.
        _ if !is_owned && was_retained(seen) => false,
        // Made by another ExternalSecret, or written by this one before it could say so.
        CreationPolicy::Merge if last_said(seen, [SECRET_MISSING, RESOURCE_MISSING]) => {
            return Some(Reason::TargetAppeared);
        }
        // Without its own owner label, a Secret would stay behind when the target is renamed.
        CreationPolicy::Owner => !target.intact || !seen.me.owns_wholly(target),
        CreationPolicy::Merge | CreationPolicy::CreateOrMerge => match seen.part {
            Some(Part::Whole) => false,
            // A value that another ExternalSecret has put there stays: both would write it in turns for ever.
            Some(Part::Changed) | None => !target.intact,
            Some(Part::Gone) => true,
        },
    };
    has_drifted.then_some(Reason::TargetDrifted)
}

/// Whether there should be a target.
fn is_missing(plan: &Plan, seen: &Seen<'_>) -> bool {
    match plan.target.creation {
        CreationPolicy::Orphan | CreationPolicy::None => false,
        _ if was_retained(seen) => false,
        CreationPolicy::Merge => !awaits_target(plan, seen),
        CreationPolicy::Owner | CreationPolicy::CreateOrMerge => !last_said(seen, [SECRET_DELETED, RESOURCE_DELETED]),
    }
}

/// What the Go operator says of a target that it retained.
const RETAINED_BY_GO: &str = "secret retained due to DeletionPolicy=Retain";

/// Whether the last refresh of this very spec found nothing at the provider, and left the target as it was.
fn was_retained(seen: &Seen<'_>) -> bool {
    let says = |message: &str| message.contains(seen.retained) || message == RETAINED_BY_GO;
    seen.status.synced_resource_version.as_deref() == Some(seen.version)
        && condition::find(&seen.status.conditions, READY).is_some_and(|ready| ready.is_true() && says(&ready.message))
}

fn last_said(seen: &Seen<'_>, reasons: [&str; 2]) -> bool {
    seen.status.conditions.iter().any(|condition| reasons.contains(&condition.reason.as_str()))
}

/// The share of the interval over which refreshes are spread: wide enough to part thousands of objects of one second,
/// small enough that nobody notices the shorter interval.
const SPREAD: f64 = 0.05;

fn next_refresh(uid: &str, synced_at: Timestamp, interval: Duration) -> Timestamp {
    later(synced_at, interval.mul_f64(1.0 - SPREAD * fraction(uid)))
}

fn later(at: Timestamp, wait: Duration) -> Timestamp {
    // Whole milliseconds; a time past the end of time never comes.
    let wait = i64::try_from(wait.as_millis()).map_or(SignedDuration::MAX, SignedDuration::from_millis);
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
