//! Times as text.

use super::layout::{Element, Shape, next_chunk};
use super::{MONTHS, Time, WEEKDAYS};

/// The text of a layout.
pub(super) fn format(time: &Time, layout: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = layout;
    loop {
        let (before, element, _, behind) = next_chunk(rest);
        out.extend_from_slice(before);
        let Some(element) = element else { return out };
        out.extend_from_slice(text(time, element).as_bytes());
        rest = behind;
    }
}

fn text(time: &Time, element: Element) -> String {
    let civil = time.civil();
    let month = MONTHS.get(usize::from(civil.month).saturating_sub(1)).copied().unwrap_or_default();
    let weekday = WEEKDAYS.get(usize::from(civil.weekday)).copied().unwrap_or_default();
    let hour12 = (civil.hour + 11) % 12 + 1;
    match element {
        Element::LongMonth => month.to_owned(),
        Element::Month => month.chars().take(3).collect(),
        Element::NumericMonth => civil.month.to_string(),
        Element::ZeroMonth => format!("{:02}", civil.month),
        Element::LongWeekday => weekday.to_owned(),
        Element::Weekday => weekday.chars().take(3).collect(),
        Element::Day => civil.day.to_string(),
        Element::SpaceDay => format!("{:2}", civil.day),
        Element::ZeroDay => format!("{:02}", civil.day),
        Element::SpaceYearDay => format!("{:3}", civil.year_day),
        Element::ZeroYearDay => format!("{:03}", civil.year_day),
        Element::Hour => format!("{:02}", civil.hour),
        Element::Hour12 => hour12.to_string(),
        Element::ZeroHour12 => format!("{hour12:02}"),
        Element::Minute => civil.minute.to_string(),
        Element::ZeroMinute => format!("{:02}", civil.minute),
        Element::Second => civil.second.to_string(),
        Element::ZeroSecond => format!("{:02}", civil.second),
        Element::LongYear if civil.year < 0 => format!("-{:04}", civil.year.unsigned_abs()),
        Element::LongYear => format!("{:04}", civil.year),
        Element::Year => format!("{:02}", civil.year.unsigned_abs() % 100),
        Element::Upper => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        Element::Lower => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
        Element::ZoneName => zone_name(time),
        Element::Offset { iso, shape } => {
            let (offset, _) = time.zone.at(time.seconds);
            if iso && offset == 0 { "Z".to_owned() } else { offset_text(offset, shape) }
        }
        Element::Fraction { separator, digits, trims } => fraction(time.nanoseconds, separator, digits, trims),
    }
}

fn zone_name(time: &Time) -> String {
    let (offset, name) = time.zone.at(time.seconds);
    if name.is_empty() { offset_text(offset, Shape::Minutes) } else { name }
}

fn offset_text(offset: i64, shape: Shape) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match shape {
        Shape::Hours => format!("{sign}{hours:02}"),
        Shape::Minutes => format!("{sign}{hours:02}{minutes:02}"),
        Shape::ColonMinutes => format!("{sign}{hours:02}:{minutes:02}"),
        Shape::Seconds => format!("{sign}{hours:02}{minutes:02}{seconds:02}"),
        Shape::ColonSeconds => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

fn fraction(nanoseconds: u32, separator: u8, digits: usize, trims: bool) -> String {
    let all = format!("{nanoseconds:09}");
    let cut = &all[..digits.min(all.len())];
    let cut = if trims { cut.trim_end_matches('0') } else { cut };
    if cut.is_empty() { String::new() } else { format!("{}{cut}", char::from(separator)) }
}
