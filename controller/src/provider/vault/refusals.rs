//! Paths to which a new token gave no access: asking for another one each time would cost two calls per try, and help as
//! little. Pure.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How long a path is remembered. A policy that is bound to a role reaches new tokens only, so that once a day is not too
/// often for one more; a token that lives shorter is replaced sooner anyway.
const REMEMBERED: Duration = Duration::from_hours(20);

/// Paths remembered at once. Past it a refusal costs a login, as it would without this.
const MOST: usize = 1024;

/// See the module documentation.
#[derive(Debug, Default)]
pub struct Refusals(HashMap<String, Instant>);

impl Refusals {
    /// Whether another token is worth a login.
    pub fn is_another_worth_it(&self, path: &str, now: Instant) -> bool {
        self.0.get(path).is_none_or(|at| now.saturating_duration_since(*at) >= REMEMBERED)
    }

    /// The path was refused to a token that was just obtained.
    pub fn remember(&mut self, path: &str, now: Instant) {
        if self.0.len() >= MOST {
            self.0.retain(|_, at| now.saturating_duration_since(*at) < REMEMBERED);
        }
        if self.0.len() < MOST {
            self.0.insert(path.to_owned(), now);
        }
    }

    /// Somebody may have done something about these paths, or it is known that they have.
    pub fn forget(&mut self, which: impl Fn(&str) -> bool) {
        self.0.retain(|path, _| !which(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_token_is_worth_it_once_a_day_and_after_a_change() {
        let mut refusals = Refusals::default();
        let start = Instant::now();
        assert!(refusals.is_another_worth_it("a", start));
        refusals.remember("a", start);
        refusals.remember("b", start);
        assert!(!refusals.is_another_worth_it("a", start + REMEMBERED / 2));
        assert!(refusals.is_another_worth_it("a", start + REMEMBERED));
        refusals.forget(|path| path == "a");
        assert!(refusals.is_another_worth_it("a", start) && !refusals.is_another_worth_it("b", start));
    }

    #[test]
    fn memory_is_bounded() {
        let mut refusals = Refusals::default();
        let start = Instant::now();
        for number in 0..=MOST {
            refusals.remember(&number.to_string(), start);
        }
        assert_eq!(refusals.0.len(), MOST);
        refusals.remember("new", start + REMEMBERED);
        assert!(!refusals.is_another_worth_it("new", start + REMEMBERED) && refusals.0.len() == 1);
    }
}
