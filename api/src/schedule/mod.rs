//! When something happens again and again: the five fields of cron, in UTC, or a descriptor.
//!
//! Enters: a text in the dialect of the Go library that the Go operator uses (robfig/cron v3, its standard parser).
//! Leaves: the time of the next or of the last firing. Lists, ranges, steps, `?`, names of months and weekdays; of day
//! of month and weekday one is enough when both are restricted; no firing within five years counts as none at all.
//! Time zones are not understood: the schema of sync windows lets none pass.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::duration::{DURATION_ADVICE, GoDuration};

mod fields;

#[cfg(test)]
mod tests;

use fields::Fields;

/// See the module documentation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Schedule {
    /// At the minutes that the fields name.
    Fields(Fields),
    /// `@every`: so long after whenever one asks, in whole seconds, at least one. It has no beginning to count from.
    Every(SignedDuration),
}

/// A text that is no schedule: what is wrong with it, in lower case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScheduleError(String);

impl fmt::Display for ScheduleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ScheduleError {}

/// What to write instead of something that is not a schedule.
pub const SCHEDULE_ADVICE: &str = "write minute, hour, day of month, month and weekday in UTC, such as \"0 22 * * 1-5\", or @hourly, @daily, @weekly, \
                                   @monthly, @yearly";

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let fields = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => match text.strip_prefix("@every ") {
                Some(span) => return every(span),
                None if text.starts_with('@') => {
                    return Err(ScheduleError(format!("{text:?} is no descriptor that is known here")));
                }
                None if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") => {
                    return Err(ScheduleError("a time zone cannot be named; times are in UTC".to_owned()));
                }
                None => text,
            },
        };
        fields.parse().map(Self::Fields)
    }
}

fn every(span: &str) -> Result<Schedule, ScheduleError> {
    let span: GoDuration =
        span.parse().map_err(|error| ScheduleError(format!("@every: {error}; {DURATION_ADVICE}")))?;
    let seconds = i64::try_from(span.as_std().as_secs()).unwrap_or(i64::MAX);
    Ok(Schedule::Every(SignedDuration::from_secs(seconds.max(1))))
}

impl Schedule {
    /// The first firing after `at`, if there is one within five years.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Fields(fields) => next(fields, at),
            Self::Every(span) => whole_seconds(at).checked_add(*span).ok(),
        }
    }

    /// The last firing at or before `at`, if there was one within five years. `@every` has none: it fires after being
    /// asked.
    pub fn last_by(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Fields(fields) => last(fields, at),
            Self::Every(_) => None,
        }
    }

    /// Whether it fires at all: there is no 30 February.
    pub fn ever_fires(&self) -> bool {
        match self {
            Self::Fields(fields) => fields.ever_match(),
            Self::Every(_) => true,
        }
    }
}

/// How far the search goes: enough for every 29 February but those around the years that are no leap years by exception.
const YEARS: i16 = 5;

const MINUTES_OF_A_DAY: u16 = 24 * 60;

fn next(fields: &Fields, at: Timestamp) -> Option<Timestamp> {
    if !fields.ever_match() {
        return None;
    }
    let start = whole_seconds(at).checked_add(SignedDuration::from_secs(1)).ok()?;
    let start = TimeZone::UTC.to_datetime(start);
    let limit = start.year().checked_add(YEARS)?;
    // Minutes are left out whose first second has passed.
    let begun = u16::from(start.second() > 0);
    let mut from = minute_of_day(start.hour(), start.minute()) + begun;
    let mut date = start.date();
    while date.year() <= limit {
        if !fields.in_month(date) {
            (date, from) = (date.last_of_month().tomorrow().ok()?, 0);
            continue;
        }
        if fields.on_day(date)
            && let Some(minute) = fields.first_minute(from)
        {
            return moment(date, minute);
        }
        (date, from) = (date.tomorrow().ok()?, 0);
    }
    None
}

fn last(fields: &Fields, at: Timestamp) -> Option<Timestamp> {
    if !fields.ever_match() {
        return None;
    }
    let end = TimeZone::UTC.to_datetime(at);
    let limit = end.year().checked_sub(YEARS)?;
    let mut by = minute_of_day(end.hour(), end.minute());
    let mut date = end.date();
    while date.year() >= limit {
        if !fields.in_month(date) {
            (date, by) = (date.first_of_month().yesterday().ok()?, MINUTES_OF_A_DAY - 1);
            continue;
        }
        if fields.on_day(date)
            && let Some(minute) = fields.last_minute(by)
        {
            return moment(date, minute);
        }
        (date, by) = (date.yesterday().ok()?, MINUTES_OF_A_DAY - 1);
    }
    None
}

/// Without the part of a second.
fn whole_seconds(at: Timestamp) -> Timestamp {
    let fraction = i64::from(at.subsec_nanosecond()).rem_euclid(1_000_000_000);
    at.checked_sub(SignedDuration::from_nanos(fraction)).unwrap_or(Timestamp::MIN)
}

fn minute_of_day(hour: i8, minute: i8) -> u16 {
    u16::from(hour.unsigned_abs()) * 60 + u16::from(minute.unsigned_abs())
}

fn moment(date: Date, minute: u16) -> Option<Timestamp> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    TimeZone::UTC.to_timestamp(date.at(hour, minute, 0, 0)).ok()
}
