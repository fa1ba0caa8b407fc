//! How fast names come, and how long a batch waits for more of them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::MOMENT;

/// The longest that a batch waits for more: where so many come, each of them has waited longer for others already.
const LONGEST: Duration = Duration::from_secs(1);

/// How soon names come one after the other, at the least, for which a batch waits that will not be full: a quarter of
/// the calls that they would cost alone.
const WORTHWHILE: Duration = Duration::from_millis(250);

/// Names from whose times it is told how fast they come: more than what one ExternalSecret most often asks.
const REMEMBERED_NAMES: usize = 8;

/// When the last names came.
#[derive(Default)]
pub struct Recent(VecDeque<Instant>);

impl Recent {
    pub fn count(&mut self, now: Instant) {
        if self.0.len() == REMEMBERED_NAMES {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    /// How long to wait until a batch is full, if names go on coming as they did; a moment if that would be long. Where nobody
    /// is in a hurry, also for a batch that is not full.
    pub fn wait(&self, most: usize, is_hurried: bool) -> Duration {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else { return MOMENT };
        if self.0.len() < REMEMBERED_NAMES {
            return MOMENT;
        }
        let between = last.saturating_duration_since(*first) / u32::try_from(REMEMBERED_NAMES - 1).unwrap_or(1);
        let until_full = between * u32::try_from(most).unwrap_or(u32::MAX);
        if until_full <= LONGEST || (!is_hurried && between <= WORTHWHILE) {
            until_full.clamp(MOMENT, LONGEST)
        } else {
            MOMENT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_waits_for_more_only_where_it_will_be_full_soon() {
        let start = Instant::now();
        let mut recent = Recent::default();
        let mut waits_after = |millis: &[u64]| {
            for millis in millis {
                recent.count(start + Duration::from_millis(*millis));
            }
            [true, false].map(|is_hurried| recent.wait(20, is_hurried).as_millis())
        };
        assert_eq!(waits_after(&[0, 10, 20, 30, 40, 50, 60]), [5, 5], "too few to tell");
        assert_eq!(waits_after(&[70]), [200, 200], "one each 10 ms");
        assert_eq!(waits_after(&[120, 170, 220, 270, 320, 370, 420, 470]), [1000, 1000], "20 in a second");
        assert_eq!(waits_after(&[600, 800, 1000, 1200, 1400, 1600, 1800, 2000]), [5, 1000], "five in a second");
        assert_eq!(waits_after(&[3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000]), [5, 5], "one in a second");
        assert_eq!(waits_after(&[11_000; 8]), [5, 5], "all at once");
    }
}
