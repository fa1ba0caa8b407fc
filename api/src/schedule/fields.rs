//! The five fields of cron as sets of numbers.

use std::str::FromStr;

use jiff::civil::Date;

use super::ScheduleError;

/// Minutes, hours, days, months and weekdays on which something happens; each a set of bits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Days or weekdays are not restricted: then a day must be in both sets, else in one of them.
    both: bool,
}

/// What a field may say.
struct Bounds {
    what: &'static str,
    least: u64,
    most: u64,
    /// Names of the numbers from `least` on.
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds { what: "minute", least: 0, most: 59, names: &[] };
const HOURS: Bounds = Bounds { what: "hour", least: 0, most: 23, names: &[] };
const DAYS: Bounds = Bounds { what: "day of month", least: 1, most: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    what: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAYS: Bounds =
    Bounds { what: "weekday", least: 0, most: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// The days of the months, in a leap year.
const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl FromStr for Fields {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = words[..] else {
            return Err(ScheduleError(format!("there must be 5 fields, not {}", words.len())));
        };
        let (minutes, _) = MINUTES.set(minute)?;
        let (hours, _) = HOURS.set(hour)?;
        let (days, every_day) = DAYS.set(day)?;
        let (months, _) = MONTHS.set(month)?;
        let (weekdays, every_weekday) = WEEKDAYS.set(weekday)?;
        Ok(Self { minutes, hours, days, months, weekdays, both: every_day || every_weekday })
    }
}

impl Fields {
    /// Whether there is a day and a minute that they name.
    pub fn ever_match(&self) -> bool {
        let some_minute = self.minutes != 0 && self.hours != 0;
        let day_in = |month: u32, length: u32| has(self.months, month) && self.days & upto(length) != 0;
        let some_day = LENGTHS.iter().zip(1..).any(|(length, month)| day_in(month, *length));
        let some_weekday = self.months != 0 && self.weekdays != 0;
        some_minute && if self.both { some_day && some_weekday } else { some_day || some_weekday }
    }

    pub fn in_month(&self, date: Date) -> bool {
        has(self.months, number(date.month()))
    }

    pub fn on_day(&self, date: Date) -> bool {
        let day = has(self.days, number(date.day()));
        let weekday = has(self.weekdays, number(date.weekday().to_sunday_zero_offset()));
        if self.both { day && weekday } else { day || weekday }
    }

    /// The first minute of a day that is not before `from`, counted from midnight.
    pub fn first_minute(&self, from: u16) -> Option<u16> {
        (from / 60..24).filter(|hour| has(self.hours, u32::from(*hour))).find_map(|hour| {
            let earliest = if hour == from / 60 { from % 60 } else { 0 };
            let minutes = self.minutes >> earliest << earliest;
            (minutes != 0).then(|| hour * 60 + bit(minutes.trailing_zeros()))
        })
    }

    /// The last minute of a day that is not after `by`, counted from midnight.
    pub fn last_minute(&self, by: u16) -> Option<u16> {
        (0..=by / 60).rev().filter(|hour| has(self.hours, u32::from(*hour))).find_map(|hour| {
            let latest = if hour == by / 60 { by % 60 } else { 59 };
            let minutes = self.minutes & upto(u32::from(latest));
            (minutes != 0).then(|| hour * 60 + bit(minutes.ilog2()))
        })
    }
}

impl Bounds {
    /// The numbers that a field names, and whether it says that any will do. Empty parts of a list are nothing.
    fn set(&self, field: &str) -> Result<(u64, bool), ScheduleError> {
        let mut all = (0, false);
        for range in field.split(',').filter(|range| !range.is_empty()) {
            let (numbers, any) = self.range(range)?;
            all = (all.0 | numbers, all.1 || any);
        }
        Ok(all)
    }

    fn range(&self, text: &str) -> Result<(u64, bool), ScheduleError> {
        let (range, step) = match text.split('/').collect::<Vec<_>>()[..] {
            [range] => (range, None),
            [range, step] => (range, Some(self.number(step)?)),
            _ => return Err(self.fault(text, "has more than one '/'")),
        };
        let ends: Vec<&str> = range.split('-').collect();
        let any = matches!(ends[0], "*" | "?");
        let (first, last) = match ends[..] {
            _ if any => (self.least, self.most),
            // With a step, a single number is the first of all that follow.
            [first] if step.is_some() => (self.named(first)?, self.most),
            [only] => (self.named(only)?, self.named(only)?),
            [first, last] => (self.named(first)?, self.named(last)?),
            _ => return Err(self.fault(text, "has more than one '-'")),
        };
        if first < self.least || last > self.most {
            return Err(self.fault(text, &format!("is not within {} and {}", self.least, self.most)));
        }
        if first > last {
            return Err(self.fault(text, "ends before it begins"));
        }
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(self.fault(text, "has a step of zero"));
        }
        let numbers =
            (first..=last).filter(|number| (number - first) % step == 0).fold(0, |set, number| set | 1 << number);
        Ok((numbers, any && step == 1))
    }

    fn named(&self, text: &str) -> Result<u64, ScheduleError> {
        match self.names.iter().zip(self.least..).find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, number)) => Ok(number),
            None => self.number(text),
        }
    }

    fn number(&self, text: &str) -> Result<u64, ScheduleError> {
        let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| self.fault(text, "is not understood"))
    }

    fn fault(&self, text: &str, what: &str) -> ScheduleError {
        ScheduleError(format!("{} {text:?} {what}", self.what))
    }
}

fn has(set: u64, number: u32) -> bool {
    set >> number & 1 == 1
}

/// The numbers from zero to `last`, at most 62.
fn upto(last: u32) -> u64 {
    (2 << last) - 1
}

/// Parts of dates are small and positive.
fn number(part: i8) -> u32 {
    u32::from(part.unsigned_abs())
}

/// Bits of minutes are below 60.
fn bit(position: u32) -> u16 {
    u16::try_from(position).unwrap_or_default()
}
