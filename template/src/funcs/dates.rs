//! Dates and durations.

use std::rc::Rc;

use super::Type::{Any, Bool, Int, Int64, Object as ObjectType, Str};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::number::parse_int;
use crate::object::Object;
use crate::text::lossy;
use crate::time::{Time, ZERO, Zone, duration_text, parse, parse_duration};
use crate::value::Value;

const TIME: super::Type = ObjectType("time.Time");
const DURATION: super::Type = ObjectType("time.Duration");
const MONTH: super::Type = ObjectType("time.Month");
const WEEKDAY: super::Type = ObjectType("time.Weekday");

/// The layout of HTML's date fields.
const HTML: &[u8] = b"2006-01-02";
const SECOND: i64 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("now", &[], TIME, doc("The time of the render.", "", ""), |context, _| {
        Ok(wrap(Time::from_system(context.now())))
    }),
    Function::new("date", &[Str, Any], Str, doc("A time in a layout.", "", ""), |context, args| {
        Ok(Value::str(moment(context, args.value(1)).in_zone(Zone::Utc).format(args.str(0))))
    }),
    Function::new("dateInZone", &[Str, Any, Str], Str, doc("A time in a layout and zone.", "", ""), date_in_zone),
    Function::new("date_in_zone", &[Str, Any, Str], Str, doc("Same as dateInZone.", "", ""), date_in_zone),
    Function::new("htmlDate", &[Any], Str, doc("A time as `2006-01-02`.", "", ""), |context, args| {
        Ok(Value::str(moment(context, args.value(0)).in_zone(Zone::Utc).format(HTML)))
    }),
    Function::new(
        "htmlDateInZone",
        &[Any, Str],
        Str,
        doc("A time in a zone as `2006-01-02`.", "", ""),
        |context, args| {
            let zone = Zone::named(&lossy(args.str(1)));
            Ok(Value::str(moment(context, args.value(0)).in_zone(zone).format(HTML)))
        },
    ),
    Function::new("dateModify", &[Str, TIME], TIME, doc("The time a duration later.", "", ""), date_modify),
    Function::new("date_modify", &[Str, TIME], TIME, doc("Same as dateModify.", "", ""), date_modify),
    Function::new("mustDateModify", &[Str, TIME], TIME, doc("The time a duration later.", "", ""), must_date_modify),
    Function::new("must_date_modify", &[Str, TIME], TIME, doc("Same as mustDateModify.", "", ""), must_date_modify),
    Function::new(
        "toDate",
        &[Str, Str],
        TIME,
        doc("The time that a text names in a layout, or year 1.", "", ""),
        |_, args| Ok(wrap(parse(args.str(0), args.str(1)).unwrap_or_else(|_| Time::unix(ZERO)))),
    ),
    Function::new(
        "mustToDate",
        &[Str, Str],
        TIME,
        doc("The time that a text names in a layout.", "", ""),
        |_, args| parse(args.str(0), args.str(1)).map(wrap),
    ),
    Function::new("unixEpoch", &[TIME], Str, doc("Seconds since 1970.", "", ""), |_, args| {
        Ok(Value::text(&time(args, 0).seconds.to_string()))
    }),
    Function::new("ago", &[Any], Str, doc("The time passed, to the second.", "", ""), |context, args| {
        let passed = Time::from_system(context.now()).since(&moment(context, args.value(0)));
        Ok(Value::text(&duration_text(rounded(passed))))
    }),
    Function::new("duration", &[Any], Str, doc("Seconds as a duration.", "", ""), |_, args| {
        let seconds = match args.value(0) {
            Value::Str(text) => parse_int(text, 10).unwrap_or(0),
            Value::Int(crate::value::IntKind::Int64, seconds) => *seconds,
            _ => 0,
        };
        Ok(Value::text(&duration_text(seconds.wrapping_mul(SECOND))))
    }),
    Function::new("durationRound", &[Any], Str, doc("A duration in its largest unit.", "", ""), |context, args| {
        Ok(Value::text(&in_largest_unit(span(context, args.value(0)))))
    }),
];

/// What a time answers.
pub(super) const TIME_METHODS: &[Function] = &[
    Function::new("Year", &[], Int, doc("The year.", "", ""), |_, args| Ok(Value::int(time(args, 0).civil().year))),
    Function::new("Month", &[], MONTH, doc("The month.", "", ""), |_, args| {
        Ok(object(Object::Month(time(args, 0).civil().month)))
    }),
    Function::new("Day", &[], Int, doc("The day of the month.", "", ""), |_, args| Ok(int(time(args, 0).civil().day))),
    Function::new("Hour", &[], Int, doc("The hour.", "", ""), |_, args| Ok(int(time(args, 0).civil().hour))),
    Function::new("Minute", &[], Int, doc("The minute.", "", ""), |_, args| Ok(int(time(args, 0).civil().minute))),
    Function::new("Second", &[], Int, doc("The second.", "", ""), |_, args| Ok(int(time(args, 0).civil().second))),
    Function::new("Nanosecond", &[], Int, doc("The nanosecond.", "", ""), |_, args| {
        Ok(Value::int(i64::from(time(args, 0).nanoseconds)))
    }),
    Function::new("Weekday", &[], WEEKDAY, doc("The day of the week.", "", ""), |_, args| {
        Ok(object(Object::Weekday(time(args, 0).civil().weekday)))
    }),
    Function::new("YearDay", &[], Int, doc("The day of the year.", "", ""), |_, args| {
        Ok(int(time(args, 0).civil().year_day))
    }),
    Function::new("Unix", &[], Int64, doc("Seconds since 1970.", "", ""), |_, args| {
        Ok(Value::int64(time(args, 0).seconds))
    }),
    Function::new("UnixMilli", &[], Int64, doc("Milliseconds since 1970.", "", ""), |_, args| {
        let time = time(args, 0);
        Ok(Value::int64(time.seconds.wrapping_mul(1_000) + i64::from(time.nanoseconds / 1_000_000)))
    }),
    Function::new("UnixNano", &[], Int64, doc("Nanoseconds since 1970.", "", ""), |_, args| {
        let time = time(args, 0);
        Ok(Value::int64(time.seconds.wrapping_mul(SECOND).wrapping_add(i64::from(time.nanoseconds))))
    }),
    Function::new("Format", &[Str], Str, doc("The time in a layout.", "", ""), |_, args| {
        Ok(Value::str(time(args, 0).format(args.str(1))))
    }),
    Function::new("String", &[], Str, doc("The time with its zone.", "", ""), |_, args| {
        Ok(Value::text(&time(args, 0).to_string()))
    }),
    Function::new("Add", &[DURATION], TIME, doc("The time a duration later.", "", ""), |context, args| {
        Ok(wrap(time(args, 0).plus(span(context, args.value(1)))))
    }),
    Function::new(
        "AddDate",
        &[Int, Int, Int],
        TIME,
        doc("The time years, months and days later.", "", ""),
        |_, args| Ok(wrap(time(args, 0).plus_date(args.int(1), args.int(2), args.int(3)))),
    ),
    Function::new("Sub", &[TIME], DURATION, doc("The duration since another time.", "", ""), |_, args| {
        Ok(object(Object::Duration(time(args, 0).since(&time(args, 1)))))
    }),
    Function::new("Before", &[TIME], Bool, doc("Whether it comes before.", "", ""), |_, args| {
        Ok(Value::Bool(time(args, 0).order(&time(args, 1)).is_lt()))
    }),
    Function::new("After", &[TIME], Bool, doc("Whether it comes after.", "", ""), |_, args| {
        Ok(Value::Bool(time(args, 0).order(&time(args, 1)).is_gt()))
    }),
    Function::new("Equal", &[TIME], Bool, doc("Whether it is the same instant.", "", ""), |_, args| {
        Ok(Value::Bool(time(args, 0).order(&time(args, 1)).is_eq()))
    }),
    Function::new("IsZero", &[], Bool, doc("Whether it is Go's zero time.", "", ""), |_, args| {
        Ok(Value::Bool(time(args, 0).is_zero()))
    }),
    Function::new("UTC", &[], TIME, doc("The time in UTC.", "", ""), |_, args| {
        Ok(wrap(time(args, 0).in_zone(Zone::Utc)))
    }),
    Function::new("Local", &[], TIME, doc("The time in the operator's zone, UTC.", "", ""), |_, args| {
        Ok(wrap(time(args, 0).in_zone(Zone::Utc)))
    }),
];

/// What a duration answers.
pub(super) const DURATION_METHODS: &[Function] = &[
    Function::new("String", &[], Str, doc("As `1h2m3s`.", "", ""), |context, args| {
        Ok(Value::text(&duration_text(span(context, args.value(0)))))
    }),
    Function::new("Nanoseconds", &[], Int64, doc("As nanoseconds.", "", ""), |context, args| {
        Ok(Value::int64(span(context, args.value(0))))
    }),
    Function::new("Milliseconds", &[], Int64, doc("As milliseconds, cut.", "", ""), |context, args| {
        Ok(Value::int64(span(context, args.value(0)) / 1_000_000))
    }),
];

fn wrap(time: Time) -> Value {
    object(Object::Time(time))
}

fn object(object: Object) -> Value {
    Value::Object(Rc::new(object))
}

fn int(value: impl Into<i64>) -> Value {
    Value::int(value.into())
}

/// A parameter of type time; the executor gives no other.
fn time(args: &Args, index: usize) -> Time {
    as_time(args.value(index)).unwrap_or_else(|| Time::unix(ZERO))
}

fn as_time(value: &Value) -> Option<Time> {
    match value {
        Value::Object(object) => match object.as_ref() {
            Object::Time(time) => Some(time.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// A time, or seconds since 1970; anything else is now.
fn moment(context: &Context, value: &Value) -> Time {
    match value {
        Value::Int(_, seconds) => Time::unix(*seconds),
        other => as_time(other).unwrap_or_else(|| Time::from_system(context.now())),
    }
}

/// A duration in nanoseconds: a number, a text, a duration, or the time since a time.
fn span(context: &Context, value: &Value) -> i64 {
    match value {
        Value::Str(text) => parse_duration(&lossy(text)).unwrap_or(0),
        Value::Int(crate::value::IntKind::Int64, nanoseconds) => *nanoseconds,
        Value::Object(object) => match object.as_ref() {
            Object::Duration(nanoseconds) => *nanoseconds,
            Object::Time(time) => Time::from_system(context.now()).since(time),
            _ => 0,
        },
        _ => 0,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a row")]
fn date_in_zone(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let zone = Zone::named(&lossy(args.str(2)));
    Ok(Value::str(moment(context, args.value(1)).in_zone(zone).format(args.str(0))))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a row")]
fn date_modify(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let nanoseconds = parse_duration(&lossy(args.str(0))).unwrap_or(0);
    Ok(wrap(time(args, 1).plus(nanoseconds)))
}

fn must_date_modify(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let nanoseconds = parse_duration(&lossy(args.str(0))).ok_or_else(|| {
        let shown = crate::fmt::quote::quote(args.str(0), false);
        Message::plain("time: invalid duration ").data(shown)
    })?;
    Ok(wrap(time(args, 1).plus(nanoseconds)))
}

/// To the nearest second, half a second away from zero.
fn rounded(nanoseconds: i64) -> i64 {
    let rest = nanoseconds % SECOND;
    let cut = nanoseconds - rest;
    if rest.abs() * 2 >= SECOND { cut.saturating_add(SECOND * rest.signum()) } else { cut }
}

fn in_largest_unit(nanoseconds: i64) -> String {
    const HOUR: u64 = 3_600_000_000_000;
    const UNITS: [(u64, &str); 6] = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
    ];
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    match UNITS.iter().find(|(unit, _)| total > *unit) {
        Some((unit, name)) => format!("{sign}{}{name}", total / unit),
        None => "0s".to_owned(),
    }
}
