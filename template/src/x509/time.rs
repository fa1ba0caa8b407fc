//! The times between which a certificate is valid. They are checked for being times and then dropped.

use super::malformed;
use crate::der::cursor::Cursor;
use crate::error::Message;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Checks both times.
pub(super) fn check_validity(mut validity: Cursor) -> Result<(), Message> {
    check(&mut validity)?;
    check(&mut validity)
}

fn check(times: &mut Cursor) -> Result<(), Message> {
    if times.next_is(UTC_TIME) {
        let text = times.read(UTC_TIME).ok_or_else(|| malformed("malformed UTCTime"))?;
        return if is_utc_time(text.0) { Ok(()) } else { Err(malformed("malformed UTCTime")) };
    }
    if times.next_is(GENERALIZED_TIME) {
        let text = times.read(GENERALIZED_TIME).ok_or_else(|| malformed("malformed GeneralizedTime"))?;
        return if is_generalized_time(text.0) { Ok(()) } else { Err(malformed("malformed GeneralizedTime")) };
    }
    Err(malformed("unsupported time format"))
}

/// `YYMMDDhhmm`, seconds or not, and a zone.
fn is_utc_time(text: &[u8]) -> bool {
    let Some((year, rest)) = number(text, 2) else { return false };
    // Years from 50 are of the last century.
    let year = if year < 50 { 2000 + year } else { 1900 + year };
    let Some((month, day, hour, minute, rest)) = to_minute(rest) else { return false };
    let (second, zone) = number(rest, 2).unwrap_or((0, rest));
    is_moment(year, month, day, [hour, minute, second]) && is_zone(zone)
}

/// `YYYYMMDDhhmmss` and a zone.
fn is_generalized_time(text: &[u8]) -> bool {
    let Some((year, rest)) = number(text, 4) else { return false };
    let Some((month, day, hour, minute, rest)) = to_minute(rest) else { return false };
    let Some((second, zone)) = number(rest, 2) else { return false };
    is_moment(year, month, day, [hour, minute, second]) && is_zone(zone)
}

type ToMinute<'a> = (u32, u32, u32, u32, &'a [u8]);

fn to_minute(text: &[u8]) -> Option<ToMinute<'_>> {
    let (month, rest) = number(text, 2)?;
    let (day, rest) = number(rest, 2)?;
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest, 2)?;
    Some((month, day, hour, minute, rest))
}

fn is_moment(year: u32, month: u32, day: u32, [hour, minute, second]: [u32; 3]) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60
}

/// `Z`, or hours and minutes with a sign; zero is only written `Z`.
fn is_zone(text: &[u8]) -> bool {
    if text == b"Z" {
        return true;
    }
    let Some((b'+' | b'-', rest)) = text.split_first() else { return false };
    let Some((hours, rest)) = number(rest, 2) else { return false };
    let Some((minutes, rest)) = number(rest, 2) else { return false };
    rest.is_empty() && hours <= 24 && minutes < 60 && (hours, minutes) != (0, 0)
}

fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let mut number = 0;
    for &digit in head {
        number = number * 10 + char::from(digit).to_digit(10)?;
    }
    Some((number, rest))
}
