//! Instants, zones and durations as Go has them.

use std::fmt;
use std::rc::Rc;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

mod duration;
mod encode;
mod format;
mod layout;
mod parse;

use duration::quoted;
pub(crate) use duration::{duration_text, parse_duration};
pub(crate) use parse::parse;

/// Seconds from Go's zero time, the first of January of year 1, to 1970.
pub(crate) const ZERO: i64 = -62_135_596_800;
const DAY: i64 = 86_400;
/// The least time that Go can show, in seconds from 1970.
const FIRST: i128 = -9_223_372_028_741_760_000;

/// The layout of a time's own text.
const DEFAULT_LAYOUT: &[u8] = b"2006-01-02 15:04:05.999999999 -0700 MST";

/// An instant seen from a zone.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
    pub(crate) zone: Zone,
}

/// Where a time is seen from.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    Utc,
    /// The zone of the operator, which is UTC under another name.
    Local,
    Fixed(Rc<FixedZone>),
    /// A zone of the tz database, which is part of the program.
    Named(TimeZone),
}

/// An offset in seconds; without a name it is shown as the offset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FixedZone {
    offset: i32,
    name: String,
}

/// Date and clock of a time in its zone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    /// Sunday is 0.
    pub(crate) weekday: u8,
    pub(crate) year_day: u16,
}

/// The tz database of the program itself; the system's, which is made of files, is never asked.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl Zone {
    /// The zone of that name; an unknown one is UTC.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "" | "UTC" => Self::Utc,
            "Local" => Self::Local,
            // The database finds names in any case, Go only in their own.
            name => match ZONES.get(name) {
                Ok(zone) if zone.iana_name() == Some(name) => Self::Named(zone),
                _ => Self::Utc,
            },
        }
    }

    /// UTC without a name.
    pub(crate) fn unnamed() -> Self {
        Self::fixed(0, String::new())
    }

    fn fixed(offset: i32, name: String) -> Self {
        Self::Fixed(Rc::new(FixedZone { offset, name }))
    }

    /// Whether Go keeps both zones in one place: its own two, a zone and itself, and whole hours without a name.
    pub(crate) fn is_shared_with(&self, other: &Self) -> bool {
        const HOURS: std::ops::RangeInclusive<i32> = -12..=14;
        match (self, other) {
            (Self::Utc, Self::Utc) | (Self::Local, Self::Local) => true,
            (Self::Fixed(one), Self::Fixed(other)) => {
                let is_kept = one.name.is_empty() && one.offset % 3600 == 0 && HOURS.contains(&(one.offset / 3600));
                Rc::ptr_eq(one, other) || (is_kept && one == other)
            }
            _ => false,
        }
    }

    /// Whether both zones hold the same rules under the same name.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Utc | Self::Local, Self::Utc | Self::Local) => true,
            (Self::Fixed(one), Self::Fixed(other)) => one == other,
            (Self::Named(one), Self::Named(other)) => one == other,
            _ => false,
        }
    }

    /// The name of the zone; none for a mere offset.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Utc | Self::Local => "UTC",
            Self::Fixed(zone) => &zone.name,
            Self::Named(zone) => zone.iana_name().unwrap_or_default(),
        }
    }

    /// The zone as Go source.
    fn source(&self) -> String {
        match self {
            Self::Utc => "time.UTC".to_owned(),
            Self::Local => "time.Local".to_owned(),
            Self::Fixed(_) | Self::Named(_) => format!("time.Location({:?})", self.name()),
        }
    }

    /// Offset in seconds and abbreviation at an instant.
    fn at(&self, seconds: i64) -> (i64, String) {
        match self {
            Self::Utc | Self::Local => (0, "UTC".to_owned()),
            Self::Fixed(zone) => (i64::from(zone.offset), zone.name.clone()),
            Self::Named(zone) => {
                let info = zone.to_offset_info(timestamp(seconds));
                (i64::from(info.offset().seconds()), info.abbreviation().to_owned())
            }
        }
    }
}

/// The instant, or one for which every zone has the same offset: the first known for what lies before all rules, and one of
/// the same place in the calendar's cycle of 400 years for what lies far ahead.
fn timestamp(seconds: i64) -> Timestamp {
    const CYCLE: i64 = 146_097 * DAY;
    /// The year 2400.
    const START: i64 = 13_569_465_600;
    let near = if seconds < 0 { seconds } else { START + (seconds - START).rem_euclid(CYCLE) };
    Timestamp::from_second(seconds).or_else(|_| Timestamp::from_second(near)).unwrap_or(Timestamp::MIN)
}

impl Time {
    /// Go's zero time, the first instant of year 1.
    pub(crate) fn zero() -> Self {
        Self { zone: Zone::Utc, ..Self::unix(ZERO) }
    }

    /// So many seconds after 1970, in the operator's zone.
    pub(crate) fn unix(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0, zone: Zone::Local }
    }

    /// The time a system clock shows.
    pub(crate) fn from_system(time: std::time::SystemTime) -> Self {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => Self {
                seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                nanoseconds: since.subsec_nanos(),
                zone: Zone::Local,
            },
            Err(_) => Self::unix(0),
        }
    }

    /// The same instant from another zone.
    pub(crate) fn in_zone(&self, zone: Zone) -> Self {
        Self { zone, ..self.clone() }
    }

    /// The time so many nanoseconds later.
    pub(crate) fn plus(&self, nanoseconds: i64) -> Self {
        const BILLION: i64 = 1_000_000_000;
        let sum = i64::from(self.nanoseconds) + nanoseconds.rem_euclid(BILLION);
        Self {
            seconds: self.seconds.saturating_add(nanoseconds.div_euclid(BILLION)).saturating_add(sum / BILLION),
            nanoseconds: u32::try_from(sum % BILLION).unwrap_or_default(),
            zone: self.zone.clone(),
        }
    }

    /// Nanoseconds from another time to this one, as far as a duration reaches.
    pub(crate) fn since(&self, other: &Self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanoseconds = i128::from(self.nanoseconds) - i128::from(other.nanoseconds);
        let total = seconds * 1_000_000_000 + nanoseconds;
        i64::try_from(total.clamp(i128::from(i64::MIN), i128::from(i64::MAX))).unwrap_or_default()
    }

    /// The same clock on a date that many years, months and days later; days beyond a month run into the next.
    pub(crate) fn plus_date(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        let (offset, _) = self.zone.at(self.seconds);
        let month = i64::from(civil.month) - 1 + months.clamp(-1_000_000, 1_000_000);
        let year = civil.year.saturating_add(years.clamp(-1_000_000, 1_000_000)) + month.div_euclid(12);
        let first = days_from_civil(year, month.rem_euclid(12) + 1, 1);
        let day = first + i64::from(civil.day) - 1 + days.clamp(-1_000_000_000, 1_000_000_000);
        let clock = (self.seconds + offset).rem_euclid(DAY);
        Self { seconds: day.saturating_mul(DAY).saturating_add(clock - offset), ..self.clone() }
    }

    /// Nanoseconds that have passed since the last multiple of `unit` after Go's zero time.
    pub(crate) fn beyond_multiple(&self, unit: i64) -> i64 {
        if unit <= 0 {
            return 0;
        }
        let total = (i128::from(self.seconds) - i128::from(ZERO)) * 1_000_000_000 + i128::from(self.nanoseconds);
        i64::try_from(total.rem_euclid(i128::from(unit))).unwrap_or_default()
    }

    /// The time as Go source.
    pub(crate) fn source(&self) -> String {
        let Civil { year, month, day, hour, minute, second, .. } = self.civil();
        let month = MONTHS.get(usize::from(month).wrapping_sub(1)).copied().unwrap_or_default();
        let (nanoseconds, zone) = (self.nanoseconds, self.zone.source());
        format!("time.Date({year}, time.{month}, {day}, {hour}, {minute}, {second}, {nanoseconds}, {zone})")
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.seconds == ZERO && self.nanoseconds == 0
    }

    /// Order of the instants.
    pub(crate) fn order(&self, other: &Self) -> std::cmp::Ordering {
        (self.seconds, self.nanoseconds).cmp(&(other.seconds, other.nanoseconds))
    }

    pub(crate) fn civil(&self) -> Civil {
        let (offset, _) = self.zone.at(self.seconds);
        let local = i128::from(self.seconds) + i128::from(offset);
        // Times before the first that Go can hold turn up at the other end.
        let local = if local < FIRST { local + (1 << 64) } else { local };
        let days = i64::try_from(local.div_euclid(DAY.into())).unwrap_or_default();
        let clock = i64::try_from(local.rem_euclid(DAY.into())).unwrap_or_default();
        let (year, month, day) = civil_from_days(days);
        let small = |value: i64| u8::try_from(value).unwrap_or_default();
        Civil {
            year,
            month: small(month),
            day: small(day),
            hour: small(clock / 3600),
            minute: small(clock / 60 % 60),
            second: small(clock % 60),
            weekday: small((days + 4).rem_euclid(7)),
            year_day: u16::try_from(days - days_from_civil(year, 1, 1) + 1).unwrap_or_default(),
        }
    }

    /// Whether both are the same instant, seen from zones that are alike.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        let are_one = matches!(self.zone, Zone::Utc) == matches!(other.zone, Zone::Utc);
        self.order(other).is_eq() && are_one && self.zone.is_alike(&other.zone)
    }

    /// The text of a layout.
    pub(crate) fn format(&self, layout: &[u8]) -> Vec<u8> {
        format::format(self, layout)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::lossy(&self.format(DEFAULT_LAYOUT)))
    }
}

/// Days from 1970 to a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days of a month.
fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The months' names.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The days' names, from Sunday on.
pub(crate) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
