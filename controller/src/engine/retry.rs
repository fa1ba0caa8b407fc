//! When to try again after a failure, by who can end it. Pure.
//!
//! What passes by itself is tried again soon and often. What waits for something named is woken by it; the poll beneath
//! is for a watch that is not permitted. What a user must mend is tried quickly a few times, since they may be at it right
//! now, and then seldom: 10 times in the first day and 5 in any later one, so that a day has at most 12 calls of one path with
//! a login and its second read; or once per refresh interval if that
//! is more. Whoever changes the object, its store or their credentials starts anew at once (see [`Queue::add`]).
//!
//! [`Queue::add`]: super::Queue::add

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use super::{ObjectKey, spread::fraction};
use crate::error::{Class, Code, Error};

/// Failures in a row of one item. Each kind counts for itself: an outage in between does not start a user's error anew.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Failures {
    /// That the breaker of a store is open is nobody's failure: the backend was not asked.
    breaker: u16,
    passing: u16,
    waiting: u16,
    lasting: u16,
    /// Digest of the last one; zero if there was none.
    last: u64,
}

/// A failure that has been counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counted {
    /// How many in a row could be ended by the same party, this one included.
    pub failures: u32,
    /// Whether the one before said the same.
    pub is_repeat: bool,
}

impl Failures {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn count(&mut self, error: &Error) -> Counted {
        let mut hasher = DefaultHasher::new();
        error.to_string().hash(&mut hasher);
        let digest = hasher.finish().max(1);
        let is_repeat = std::mem::replace(&mut self.last, digest) == digest;
        let counter = match error.class() {
            _ if error.code() == Code::BreakerOpen => &mut self.breaker,
            Class::Outage | Class::Retry | Class::Bug => &mut self.passing,
            Class::Wait => &mut self.waiting,
            Class::Fix => &mut self.lasting,
        };
        *counter = counter.saturating_add(1);
        Counted { failures: u32::from(*counter), is_repeat }
    }
}

/// The time until the next try after the `failures`-th failure of its kind in a row.
///
/// `interval`: the time between two turns of the object when all is well; none if it takes no turns by itself.
pub fn after(class: Class, code: Code, failures: u32, interval: Option<Duration>, key: &ObjectKey) -> Duration {
    let within = |delay: Duration| interval.map_or(delay, |interval| delay.min(interval.max(SHORTEST)));
    // Never less than what the promise of so many tries a day rests on.
    let spread = |delay: Duration| delay.mul_f64(1.0 + SPREAD * fraction((key, failures)));
    match class {
        _ if code == Code::BreakerOpen => spread(step(&BREAKER, BREAKER_POLL, failures)),
        Class::Outage => backoff(failures, OUTAGE, key),
        Class::Retry | Class::Bug => backoff(failures, LONGEST, key),
        Class::Wait => within(spread(step(&WAITING, WAITING_POLL, failures))),
        Class::Fix => within(spread(step(&LASTING, LASTING_POLL, failures))),
    }
}

/// So that objects that failed together do not return together.
const SPREAD: f64 = 0.1;

/// The least delay, and the first after what passes by itself.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest delay after what passes by itself: upstream's.
const LONGEST: Duration = Duration::from_mins(7);

/// The longest delay after an outage, which costs no call while the store's breaker is open.
const OUTAGE: Duration = Duration::from_secs(30);

/// Recovery wakes whoever waits for a backend, and the breaker sees to it that somebody asks. This is for a wake-up that
/// was missed.
const BREAKER: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];
const BREAKER_POLL: Duration = Duration::from_mins(1);

/// What is applied together arrives within these; afterwards whatever comes wakes its users.
const WAITING: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
const WAITING_POLL: Duration = Duration::from_mins(10);

/// About six times as long each time: quick while somebody is likely to be at it.
const LASTING: [Duration; 6] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(6),
    Duration::from_mins(36),
    Duration::from_mins(216),
];
const LASTING_POLL: Duration = Duration::from_hours(5);

fn step(steps: &[Duration], then: Duration, failures: u32) -> Duration {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    steps.get(index).copied().unwrap_or(then)
}

/// 1 s (upstream's figure) doubling to `longest`, less up to a tenth.
fn backoff(failures: u32, longest: Duration, key: &ObjectKey) -> Duration {
    let doubled = SHORTEST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let delay = doubled.min(longest);
    delay.mul_f64(1.0 - SPREAD * fraction((key, failures)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("team", name)
    }

    /// Tries in each of `days` days of an object that fails like this each time.
    fn tries(error: &Error, interval: Option<Duration>, days: usize, key: &ObjectKey) -> Vec<usize> {
        let (mut failures, mut now, mut tries) = (Failures::default(), Duration::ZERO, vec![0; days]);
        while let Some(day) = tries.get_mut(usize::try_from(now.as_secs() / DAY.as_secs()).expect("days")) {
            *day += 1;
            let counted = failures.count(error);
            now += after(error.class(), error.code(), counted.failures, interval, key);
        }
        tries
    }

    #[test]
    fn user_who_does_not_act_costs_ten_tries_in_the_first_day_and_five_in_each_later_one() {
        let broken = Error::fix(Code::RemoteSecretMissing, "no such entry");
        for name in 0..200 {
            let key = key(&name.to_string());
            for interval in [None, Some(DAY)] {
                let tries = tries(&broken, interval, 5, &key);
                assert!(tries[0] <= 10 && tries[1..].iter().all(|day| *day <= 5), "{tries:?}");
            }
            let often = Duration::from_mins(10);
            let tries = tries(&broken, Some(often), 2, &key);
            assert!((144..=144 + 12).contains(&tries[0]) && tries[1] <= 144, "{tries:?}");
        }
    }

    #[test]
    fn delays_grow_as_the_class_says() {
        let grows = |class, code, interval, steps: [u64; 8]| {
            for (failures, step) in (1..).zip(steps.map(Duration::from_secs)) {
                let delay = after(class, code, failures, interval, &key("a"));
                assert!(delay >= step && delay <= step.mul_f64(1.0 + SPREAD), "{failures}: {delay:?}");
            }
        };
        grows(Class::Fix, Code::SpecInvalid, None, [2, 10, 60, 360, 2160, 12960, 18000, 18000]);
        grows(Class::Wait, Code::StoreNotFound, None, [2, 30, 600, 600, 600, 600, 600, 600]);
        grows(Class::Outage, Code::BreakerOpen, None, [2, 10, 30, 60, 60, 60, 60, 60]);
        let minute = Some(Duration::from_mins(1));
        grows(Class::Wait, Code::StoreNotFound, minute, [2, 30, 60, 60, 60, 60, 60, 60]);
        assert_eq!(after(Class::Fix, Code::SpecInvalid, 7, minute, &key("a")), Duration::from_mins(1));
    }

    #[test]
    fn what_passes_by_itself_is_never_left_alone_for_long() {
        for class in [Class::Outage, Class::Retry, Class::Bug] {
            for failures in [1, 2, 9, 10, 31, 32, 33, u32::MAX] {
                let delay = after(class, Code::VaultThrottled, failures, None, &key("a"));
                assert!(delay >= Duration::from_millis(900) && delay <= LONGEST, "{failures}: {delay:?}");
            }
        }
    }

    #[test]
    fn interval_of_no_length_does_not_make_a_loop() {
        for class in [Class::Wait, Class::Fix] {
            assert!(after(class, Code::SpecInvalid, 9, Some(Duration::from_nanos(1)), &key("a")) >= SHORTEST);
        }
    }

    #[test]
    fn kinds_count_apart() {
        let mut failures = Failures::default();
        let fix = Error::fix(Code::SpecInvalid, "a");
        let outage = Error::outage(Code::VaultUnreachable, "b");
        assert_eq!(failures.count(&fix), Counted { failures: 1, is_repeat: false });
        assert_eq!(failures.count(&fix), Counted { failures: 2, is_repeat: true });
        assert_eq!(failures.count(&outage).failures, 1);
        assert_eq!(failures.count(&Error::outage(Code::BreakerOpen, "c")).failures, 1);
        assert_eq!(failures.count(&fix), Counted { failures: 3, is_repeat: false });
        assert_eq!(failures.count(&outage).failures, 2);
    }
}
