//! How often a store calls AWS: within the quotas that AWS documents, so that others of the same account are left some.
//!
//! One token bucket per store's identity and kind of call. A bucket holds a second's worth of calls; who finds it empty
//! waits for its turn, and fails with `AwsThrottled` when that would take longer than [`PATIENCE`]. The decision is pure:
//! it takes `now`.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::error::{Code, Error};

/// Longest wait for one's turn: a reconcile has two minutes for all of its calls.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calls per second that a rate can be set to: the highest quota of AWS is 40,000.
const MOST: u32 = 1_000_000;

/// Calls that one quota of AWS counts together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Quota {
    GetSecretValue,
    BatchGetSecretValue,
    DescribeSecret,
    ListSecrets,
    /// `GetParameter`, `GetParameters` and `GetParametersByPath`.
    GetParameter,
    DescribeParameters,
    ListTagsForResource,
}

/// The quotas, with what AWS grants an account and region by default. For the last two AWS names no number: theirs are low
/// enough not to be throttled.
const QUOTAS: [(Quota, &str, u32); 7] = [
    (Quota::GetSecretValue, "GetSecretValue", 10_000),
    (Quota::BatchGetSecretValue, "BatchGetSecretValue", 100),
    (Quota::DescribeSecret, "DescribeSecret", 40_000),
    (Quota::ListSecrets, "ListSecrets", 100),
    (Quota::GetParameter, "GetParameter", 40),
    (Quota::DescribeParameters, "DescribeParameters", 10),
    (Quota::ListTagsForResource, "ListTagsForResource", 10),
];

/// Calls per second of each quota.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rates([u32; QUOTAS.len()]);

impl Default for Rates {
    fn default() -> Self {
        Self(QUOTAS.map(|(_, _, rate)| rate))
    }
}

impl Rates {
    /// The default with these changes; the last of equal names counts.
    #[must_use]
    pub fn with(changes: &[Rate]) -> Self {
        let mut rates = Self::default();
        for change in changes {
            rates.0[change.quota as usize] = change.per_second;
        }
        rates
    }
}

/// One rate as it is written in a flag: `GetParameter=100`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    quota: Quota,
    per_second: u32,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rate) = text.split_once('=').ok_or("write NAME=CALLS_PER_SECOND")?;
        let found = QUOTAS.iter().find(|(_, known, _)| *known == name);
        let (quota, ..) = found.ok_or_else(|| format!("there is no {name:?}; the names are {}", names()))?;
        let per_second = rate.parse().ok().filter(|rate| (1..=MOST).contains(rate));
        let per_second = per_second.ok_or_else(|| format!("{rate:?} is no number of calls from 1 to {MOST}"))?;
        Ok(Self { quota: *quota, per_second })
    }
}

fn names() -> String {
    QUOTAS.map(|(_, name, _)| name).join(", ")
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}={}", self.quota, self.per_second)
    }
}

/// The buckets of one identity.
pub struct Pace {
    buckets: Mutex<[Bucket; QUOTAS.len()]>,
}

impl Pace {
    pub fn new(rates: &Rates) -> Self {
        Self { buckets: Mutex::new(rates.0.map(Bucket::new)) }
    }

    /// Waits for one's turn to make a call. `act`: what is to be done.
    pub async fn turn(&self, quota: Quota, act: &str) -> Result<(), Error> {
        let now = tokio::time::Instant::now();
        let at = self.buckets.lock().unwrap_or_else(PoisonError::into_inner)[quota as usize].take(now.into_std());
        let Some(at) = at else {
            let problem = format!(
                "{act}: more than {} s of calls are waiting already; raise --aws-rate {quota:?}=N with the quota of the \
                 account, or refreshInterval",
                PATIENCE.as_secs()
            );
            return Err(Error::retry(Code::AwsThrottled, problem));
        };
        tokio::time::sleep_until(at.into()).await;
        Ok(())
    }
}

/// When the next call may be made, reckoned as if calls came evenly (the "generic cell rate" form of a token bucket).
#[derive(Clone, Copy)]
struct Bucket {
    interval: Duration,
    /// When the bucket is full again.
    full_at: Option<Instant>,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), full_at: None }
    }

    /// When the call may be made; none if that is too long away, and then nothing is taken.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let room = Duration::from_secs(1).saturating_sub(self.interval);
        let at = full_at.checked_sub(room).map_or(now, |at| at.max(now));
        if at > now + PATIENCE {
            return None;
        }
        self.full_at = Some(full_at + self.interval);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_s_worth_is_at_once_and_the_rest_evenly_until_patience_ends() {
        let now = Instant::now();
        let mut bucket = Bucket::new(40);
        let waits: Vec<_> = std::iter::from_fn(|| bucket.take(now)).map(|at| (at - now).as_millis()).collect();
        assert!(waits[..40].iter().all(|wait| *wait == 0), "{waits:?}");
        assert_eq!(waits[40..43], [25, 50, 75]);
        assert_eq!(waits.last(), Some(&20_000));
        assert!(bucket.take(now).is_none());
        // What refused calls asked for is not taken: a second later there is a second's worth again.
        let later = now + Duration::from_secs(1);
        assert_eq!(std::iter::from_fn(|| bucket.take(later)).count(), 40);
        let long_after = now + Duration::from_mins(1);
        assert_eq!(bucket.take(long_after), Some(long_after));
    }

    #[test]
    fn rates_are_read_by_the_name_of_the_call() {
        assert_eq!("GetParameter=1000".parse::<Rate>().unwrap().to_string(), "GetParameter=1000");
        let rates = Rates::with(&["GetParameter=7".parse().unwrap(), "GetParameter=9".parse().unwrap()]);
        assert_eq!(rates.0[Quota::GetParameter as usize], 9);
        assert_eq!(rates.0[Quota::BatchGetSecretValue as usize], 100);
        for wrong in ["", "GetParameter", "getparameter=1", "GetParameter=0", "GetParameter=-1", "GetParameter=x"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        for (index, (quota, name, _)) in QUOTAS.iter().enumerate() {
            assert_eq!((*quota as usize, format!("{quota:?}").as_str()), (index, *name));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn kinds_of_calls_wait_for_themselves_only() {
        let pace = Pace::new(&Rates::with(&["ListSecrets=1".parse().unwrap()]));
        let started = tokio::time::Instant::now();
        for _ in 0..3 {
            pace.turn(Quota::ListSecrets, "x").await.unwrap();
        }
        assert_eq!(started.elapsed().as_secs(), 2);
        pace.turn(Quota::GetSecretValue, "x").await.unwrap();
        assert_eq!(started.elapsed().as_secs(), 2);
    }
}
