//! Text as a time, with Go's messages.

use super::layout::{Element, Shape, next_chunk};
use super::quoted;
use super::{MONTHS, Time, WEEKDAYS, Zone, civil_from_days, days_from_civil, days_in};
use crate::error::Message;
use crate::number::parse_int;

/// Parses a text by a layout; a time without zone is in the operator's.
pub(crate) fn parse(layout: &[u8], text: &[u8]) -> Result<Time, Message> {
    let mut fields = Fields::default();
    let (mut rest_layout, mut rest) = (layout, text);
    loop {
        let (before, element, own, behind) = next_chunk(rest_layout);
        rest = skip(rest, before).map_err(|at| mismatch(layout, text, before, at))?;
        let Some(element) = element else {
            if rest.is_empty() {
                break;
            }
            let shown = quoted(rest);
            return Err(Message::plain("parsing time ").data(quoted(text)).text(": extra text: ").data(shown));
        };
        rest_layout = behind;
        let hold = rest;
        match fields.read(element, rest, behind) {
            Ok(tail) => rest = tail,
            Err(Mistake::Syntax) => return Err(mismatch(layout, text, own, hold)),
            Err(Mistake::Range(what)) => return Err(unfit(text, &format!("{what} out of range"))),
        }
    }
    fields.time().map_err(|problem| unfit(text, problem))
}

fn mismatch(layout: &[u8], text: &[u8], element: &[u8], rest: &[u8]) -> Message {
    Message::plain("parsing time ")
        .data(quoted(text))
        .text(" as ")
        .data(quoted(layout))
        .text(": cannot parse ")
        .data(quoted(rest))
        .text(" as ")
        .data(quoted(element))
}

fn unfit(text: &[u8], problem: &str) -> Message {
    Message::plain("parsing time ").data(quoted(text)).text(": ").words(problem)
}

enum Mistake {
    Syntax,
    Range(&'static str),
}

/// What has been read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    afternoon: Option<bool>,
    offset: Option<i32>,
    /// It says `Z` or `UTC`, and no offset counts.
    is_utc: bool,
    zone_name: Option<String>,
}

impl Fields {
    fn read<'t>(&mut self, element: Element, text: &'t [u8], behind: &[u8]) -> Result<&'t [u8], Mistake> {
        match element {
            Element::LongYear => {
                let (year, rest) = digits(text, 4)?;
                self.year = year;
                Ok(rest)
            }
            Element::Year => {
                // One digit may be a sign.
                let (year, rest) = match text {
                    [sign @ (b'+' | b'-'), rest @ ..] => {
                        let (year, rest) = digits(rest, 1)?;
                        (if *sign == b'-' { -year } else { year }, rest)
                    }
                    _ => digits(text, 2)?,
                };
                self.year = year + if year >= 69 { 1900 } else { 2000 };
                Ok(rest)
            }
            Element::LongMonth => self.month_name(text, usize::MAX),
            Element::Month => self.month_name(text, 3),
            Element::NumericMonth | Element::ZeroMonth => {
                let (month, rest) = number(text, element == Element::ZeroMonth)?;
                self.month = Some(within(month, 1, 12, "month")?);
                Ok(rest)
            }
            Element::LongWeekday => name(text, &WEEKDAYS, usize::MAX).map(|(_, rest)| rest),
            Element::Weekday => name(text, &WEEKDAYS, 3).map(|(_, rest)| rest),
            Element::Day | Element::SpaceDay | Element::ZeroDay => {
                let text = if element == Element::SpaceDay { text.strip_prefix(b" ").unwrap_or(text) } else { text };
                let (day, rest) = number(text, element == Element::ZeroDay)?;
                self.day = Some(day);
                Ok(rest)
            }
            Element::SpaceYearDay | Element::ZeroYearDay => {
                let fixed = element == Element::ZeroYearDay;
                let blanks = text.iter().take(2).take_while(|&&byte| byte == b' ').count();
                let text = if fixed { text } else { &text[blanks..] };
                let count = text.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
                let (day, rest) = digits(text, if fixed { 3 } else { count.max(1) })?;
                self.year_day = Some(day);
                Ok(rest)
            }
            Element::Upper => self.half_day(text, [b"AM", b"PM"]),
            Element::Lower => self.half_day(text, [b"am", b"pm"]),
            Element::ZoneName => self.zone_name(text),
            Element::Offset { iso: true, .. } if text.first() == Some(&b'Z') => {
                self.is_utc = true;
                Ok(&text[1..])
            }
            Element::Offset { shape, .. } => self.offset(text, shape),
            Element::Fraction { digits, trims, .. } => self.fraction(text, digits, trims),
            _ => self.clock(element, text, behind),
        }
    }

    fn clock<'t>(&mut self, element: Element, text: &'t [u8], behind: &[u8]) -> Result<&'t [u8], Mistake> {
        let two_digits = matches!(element, Element::ZeroHour12 | Element::ZeroMinute | Element::ZeroSecond);
        let (value, rest) = number(text, two_digits)?;
        match element {
            Element::Hour => self.hour = within(value, 0, 23, "hour")?,
            Element::Hour12 | Element::ZeroHour12 => self.hour = within(value, 0, 12, "hour")?,
            Element::Minute | Element::ZeroMinute => self.minute = within(value, 0, 59, "minute")?,
            _ => {
                self.second = within(value, 0, 59, "second")?;
                // A fraction may follow that the layout does not mention.
                let announced = matches!(next_chunk(behind), ([], Some(Element::Fraction { .. }), ..));
                if !announced && matches!(rest, [b'.' | b',', b'0'..=b'9', ..]) {
                    let count = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    return self.fraction(rest, count, false);
                }
            }
        }
        Ok(rest)
    }

    fn month_name<'t>(&mut self, text: &'t [u8], length: usize) -> Result<&'t [u8], Mistake> {
        let (index, rest) = name(text, &MONTHS, length)?;
        self.month = i64::try_from(index + 1).ok();
        Ok(rest)
    }

    fn half_day<'t>(&mut self, text: &'t [u8], names: [&[u8]; 2]) -> Result<&'t [u8], Mistake> {
        for (name, afternoon) in names.into_iter().zip([false, true]) {
            if let Some(rest) = text.strip_prefix(name) {
                self.afternoon = Some(afternoon);
                return Ok(rest);
            }
        }
        Err(Mistake::Syntax)
    }

    /// GMT, with hours or without and whatever follows, or three to five capitals, or a sign with hours.
    fn zone_name<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], Mistake> {
        if let Some(rest) = text.strip_prefix(b"UTC") {
            self.is_utc = true;
            return Ok(rest);
        }
        if let Some(rest) = [b"ChST", b"MeST"].iter().find_map(|name| text.strip_prefix(name.as_slice())) {
            self.zone_name = Some(crate::text::lossy(&text[..4]));
            return Ok(rest);
        }
        let capitals = text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count();
        let signed = |text: &[u8]| match text {
            [b'+' | b'-', rest @ ..] => {
                let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                match parse_int(&rest[..count], 10) {
                    Some(0..=23) => 1 + count,
                    _ => 0,
                }
            }
            _ => 0,
        };
        let length = match capitals {
            3.. if text.starts_with(b"GMT") => 3 + Some(signed(&text[3..])).filter(|&length| length > 1).unwrap_or(0),
            3 => 3,
            4 if text[3] == b'T' || text.starts_with(b"WITA") => 4,
            5 if text[4] == b'T' => 5,
            0 if signed(text) >= 3 => signed(text),
            _ => return Err(Mistake::Syntax),
        };
        self.zone_name = Some(crate::text::lossy(&text[..length]));
        Ok(&text[length..])
    }

    fn offset<'t>(&mut self, text: &'t [u8], shape: Shape) -> Result<&'t [u8], Mistake> {
        let (groups, colons) = match shape {
            Shape::Hours => (1, false),
            Shape::Minutes => (2, false),
            Shape::ColonMinutes => (2, true),
            Shape::Seconds => (3, false),
            Shape::ColonSeconds => (3, true),
        };
        let step = if colons { 3 } else { 2 };
        let length = 1 + step * groups - usize::from(colons);
        let Some((own, rest)) = text.split_at_checked(length) else { return Err(Mistake::Syntax) };
        if (1..groups).any(|group| colons && own[step * group] != b':') {
            return Err(Mistake::Syntax);
        }
        let mut values = [0; 3];
        let mut is_number = true;
        for (group, value) in values.iter_mut().enumerate().take(groups) {
            match digits(&own[1 + step * group..], 2) {
                Ok((read, _)) if is_number => *value = read,
                _ => is_number = false,
            }
        }
        // Ranges are complained about before everything else.
        let [hours, minutes, seconds] = values;
        within(seconds, 0, 60, "time zone offset second")?;
        within(minutes, 0, 60, "time zone offset minute")?;
        within(hours, 0, 24, "time zone offset hour")?;
        let offset = i32::try_from(hours * 3600 + minutes * 60 + seconds).unwrap_or_default();
        self.offset = Some(match own[0] {
            b'+' if is_number => offset,
            b'-' if is_number => -offset,
            _ => return Err(Mistake::Syntax),
        });
        Ok(rest)
    }

    fn fraction<'t>(&mut self, text: &'t [u8], count: usize, trims: bool) -> Result<&'t [u8], Mistake> {
        let count = if trims {
            match text {
                // Nothing to read is fine where trailing zeros are left out.
                [b'.' | b',', b'0'..=b'9', ..] => text[1..].iter().take_while(|b| b.is_ascii_digit()).count(),
                _ => return Ok(text),
            }
        } else {
            count
        };
        let (Some(b'.' | b','), Some(digits)) = (text.first(), text.get(1..=count)) else {
            return Err(Mistake::Syntax);
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Mistake::Syntax);
        }
        let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        self.nanoseconds = padded.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        Ok(&text[count + 1..])
    }

    fn time(self) -> Result<Time, &'static str> {
        let hour = match (self.afternoon, self.hour) {
            (Some(true), hour) if hour < 12 => hour + 12,
            (Some(false), 12) => 0,
            (_, hour) => hour,
        };
        let seconds = self.days()? * 86_400 + hour * 3600 + self.minute * 60 + self.second;
        let (offset, zone) = match (self.offset, self.zone_name) {
            _ if self.is_utc => (0, Zone::Utc),
            (None | Some(0), None) => (0, Zone::Local),
            (Some(offset), name) => (offset, Zone::fixed(offset, name.unwrap_or_default())),
            (None, Some(name)) => {
                // A name alone says nothing, except behind GMT, and even then the clock is read as if it were UTC.
                let hours = name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok()).unwrap_or(0);
                (0, Zone::fixed(hours * 3600, name))
            }
        };
        Ok(Time { seconds: seconds - i64::from(offset), nanoseconds: self.nanoseconds, zone })
    }

    /// Days from 1970 to the date.
    fn days(&self) -> Result<i64, &'static str> {
        if let Some(day) = self.year_day {
            let days_of_year = 365 + days_in(self.year, 2) - 28;
            if !(1..=days_of_year).contains(&day) {
                return Err("day-of-year out of range");
            }
            let days = days_from_civil(self.year, 1, 1) + day - 1;
            let (_, month, day) = civil_from_days(days);
            return match (self.month, self.day) {
                (Some(other), _) if other != month => Err("day-of-year does not match month"),
                (_, Some(other)) if other != day => Err("day-of-year does not match day"),
                _ => Ok(days),
            };
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if (1..=days_in(self.year, month)).contains(&day) {
            Ok(days_from_civil(self.year, month, day))
        } else {
            Err("day out of range")
        }
    }
}

/// Behind the literal text, of which a space stands for any number of spaces.
fn skip<'t>(mut text: &'t [u8], mut prefix: &[u8]) -> Result<&'t [u8], &'t [u8]> {
    while let Some((&expected, rest)) = prefix.split_first() {
        if expected == b' ' {
            if text.first().is_some_and(|&byte| byte != b' ') {
                return Err(text);
            }
            prefix = prefix.trim_ascii_start();
            text = text.iter().position(|&byte| byte != b' ').map_or(&[], |at| &text[at..]);
            continue;
        }
        match text.split_first() {
            Some((&byte, tail)) if byte == expected => (text, prefix) = (tail, rest),
            _ => return Err(text),
        }
    }
    Ok(text)
}

/// One or two digits.
fn number(text: &[u8], two: bool) -> Result<(i64, &[u8]), Mistake> {
    let count = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 || (two && count == 1) { Err(Mistake::Syntax) } else { digits(text, count) }
}

/// Exactly so many digits.
fn digits(text: &[u8], count: usize) -> Result<(i64, &[u8]), Mistake> {
    let own = text.get(..count).filter(|own| own.iter().all(u8::is_ascii_digit)).ok_or(Mistake::Syntax)?;
    Ok((own.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), &text[count..]))
}

/// A name, cut to a length, in any case.
fn name<'t>(text: &'t [u8], names: &[&str], length: usize) -> Result<(usize, &'t [u8]), Mistake> {
    for (index, name) in names.iter().enumerate() {
        let name = &name.as_bytes()[..name.len().min(length)];
        if text.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name)) {
            return Ok((index, &text[name.len()..]));
        }
    }
    Err(Mistake::Syntax)
}

fn within(value: i64, least: i64, most: i64, what: &'static str) -> Result<i64, Mistake> {
    if (least..=most).contains(&value) { Ok(value) } else { Err(Mistake::Range(what)) }
}
