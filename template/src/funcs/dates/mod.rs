//! Dates and durations.

use std::rc::Rc;

use super::Type::{Any, Object as ObjectType, Str};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::number::parse_int_or_limit;
use crate::object::Object;
use crate::text::lossy;
use crate::time::{Time, Zone, duration_text, parse, parse_duration};
use crate::value::Value;

mod encodings;
mod methods;
mod spans;
mod zones;

pub(super) use encodings::ENCODING_METHODS;
pub(super) use methods::TIME_METHODS;
pub(super) use spans::{DURATION_METHODS, NAMED_NUMBER_METHODS};
pub(super) use zones::{LOCATION_METHODS, ZONE_METHODS};

const TIME: super::Type = ObjectType("time.Time");
const DURATION: super::Type = ObjectType("time.Duration");

/// The layout of HTML's date fields.
const HTML: &[u8] = b"2006-01-02";
const SECOND: i64 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "now",
        &[],
        TIME,
        doc(
            "The time of the render, the same throughout. The text changes with every refresh, and so does the \
             Secret.",
            r#"{{ now | date "2006" | len }} digits"#,
            "4 digits",
        ),
        |context, _| Ok(wrap(Time::from_system(context.now()))),
    ),
    Function::new(
        "date",
        &[Str, Any],
        Str,
        doc(
            "A time in a layout, in UTC: first the layout, then the time. A layout writes Go's reference time, \
             `Mon Jan 2 15:04:05 MST 2006`. A whole number counts as seconds since 1970; anything else that is no \
             time counts as now.",
            r#"{{ .created | toDate "2006-01-02T15:04:05Z07:00" | date "02 Jan 2006" }}"#,
            "01 Mar 2026",
        ),
        |context, args| Ok(Value::str(moment(context, args.value(1)).in_zone(Zone::Utc).format(args.str(0)))),
    ),
    Function::new(
        "dateInZone",
        &[Str, Any, Str],
        Str,
        doc(
            "A time in a layout and a zone: layout, time, zone (`Europe/Berlin`). An unknown zone counts as UTC.",
            r#"{{ dateInZone "15:04 MST" (toDate "2006-01-02T15:04:05Z07:00" .created) "Europe/Berlin" }}"#,
            "11:30 CET",
        ),
        date_in_zone,
    ),
    Function::new(
        "date_in_zone",
        &[Str, Any, Str],
        Str,
        doc("Same as `dateInZone`.", r#"{{ date_in_zone "15:04 MST" 0 "Asia/Tokyo" }}"#, "09:00 JST"),
        date_in_zone,
    ),
    Function::new(
        "htmlDate",
        &[Any],
        Str,
        doc(
            "A time as `2006-01-02`, in UTC. What is no time is read as by `date`.",
            "{{ htmlDate 86400 }}",
            "1970-01-02",
        ),
        |context, args| Ok(Value::str(moment(context, args.value(0)).in_zone(Zone::Utc).format(HTML))),
    ),
    Function::new(
        "htmlDateInZone",
        &[Any, Str],
        Str,
        doc(
            "A time in a zone as `2006-01-02`: time, zone.",
            r#"{{ htmlDateInZone 86400 "America/New_York" }}"#,
            "1970-01-01",
        ),
        |context, args| {
            let zone = Zone::named(&lossy(args.str(1)));
            Ok(Value::str(moment(context, args.value(0)).in_zone(zone).format(HTML)))
        },
    ),
    Function::new(
        "dateModify",
        &[Str, TIME],
        TIME,
        doc(
            "A time moved by a duration: first the duration (`-1.5h`, `90m`), then the time. A bad duration moves \
             nothing.",
            r#"{{ toDate "2006-01-02" "2026-03-01" | dateModify "-24h" | htmlDate }}"#,
            "2026-02-28",
        ),
        date_modify,
    ),
    Function::new(
        "date_modify",
        &[Str, TIME],
        TIME,
        doc(
            "Same as `dateModify`.",
            r#"{{ toDate "2006-01-02" "2026-03-01" | date_modify "36h" | htmlDate }}"#,
            "2026-03-02",
        ),
        date_modify,
    ),
    Function::new(
        "mustDateModify",
        &[Str, TIME],
        TIME,
        doc(
            "As `dateModify`; a bad duration fails.",
            r#"{{ toDate "2006-01-02" "2026-03-01" | mustDateModify "24h" | htmlDate }}"#,
            "2026-03-02",
        ),
        must_date_modify,
    ),
    Function::new(
        "must_date_modify",
        &[Str, TIME],
        TIME,
        doc(
            "Same as `mustDateModify`.",
            r#"{{ toDate "2006-01-02" "2026-03-01" | must_date_modify "48h" | htmlDate }}"#,
            "2026-03-03",
        ),
        must_date_modify,
    ),
    Function::new(
        "toDate",
        &[Str, Str],
        TIME,
        doc(
            "The time that a text names: first the layout, then the text. A text that does not fit gives 1 January \
             of year 1.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").Unix }}"#,
            "1772323200",
        ),
        |_, args| Ok(wrap(parse(args.str(0), args.str(1)).unwrap_or_else(|_| Time::zero()))),
    ),
    Function::new(
        "mustToDate",
        &[Str, Str],
        TIME,
        doc(
            "As `toDate`; a text that does not fit fails.",
            r#"{{ mustToDate "2006-01-02T15:04:05Z07:00" .created | unixEpoch }}"#,
            "1772361000",
        ),
        |_, args| parse(args.str(0), args.str(1)).map(wrap),
    ),
    Function::new(
        "unixEpoch",
        &[TIME],
        Str,
        doc("A time as seconds since 1970.", r#"{{ toDate "2006-01-02" "2026-03-01" | unixEpoch }}"#, "1772323200"),
        |_, args| Ok(Value::text(&time(args, 0).seconds.to_string())),
    ),
    Function::new(
        "ago",
        &[Any],
        Str,
        doc(
            "The time passed since a time, to the second. What is no time is read as by `date`.",
            r#"{{ now | dateModify "-90m" | ago }}"#,
            "1h30m0s",
        ),
        |context, args| {
            let passed = Time::from_system(context.now()).since(&moment(context, args.value(0)));
            Ok(Value::text(&duration_text(rounded_to(passed, SECOND))))
        },
    ),
    Function::new(
        "duration",
        &[Any],
        Str,
        doc(
            "Seconds as a duration. Takes a text or an `int64`; anything else, also a number in the template, \
             gives `0s`.",
            r#"{{ duration "5400" }}"#,
            "1h30m0s",
        ),
        |_, args| {
            let seconds = match args.value(0) {
                Value::Str(text) => parse_int_or_limit(text, 10),
                Value::Int(crate::value::IntKind::Int64, seconds) => *seconds,
                _ => 0,
            };
            Ok(Value::text(&duration_text(seconds.wrapping_mul(SECOND))))
        },
    ),
    Function::new(
        "durationRound",
        &[Any],
        Str,
        doc(
            "A duration in its largest unit (`y`, `mo`, `d`, `h`, `m`, `s`), cut and without its sign. Takes a text, nanoseconds as \
             `int64`, or a time, of which it takes the age; anything else \
             is no time at all, even a duration.",
            r#"{{ durationRound "49h10m" }}"#,
            "2d",
        ),
        |context, args| {
            let span = match args.value(0) {
                Value::Object(object) if matches!(object.as_ref(), Object::Duration(_)) => 0,
                value => span(context, value),
            };
            Ok(Value::text(&in_largest_unit(span)))
        },
    ),
];

fn wrap(time: Time) -> Value {
    object(Object::Time(time))
}

fn object(object: Object) -> Value {
    Value::Object(Rc::new(object))
}

/// A parameter of type time; the executor gives no other.
fn time(args: &Args, index: usize) -> Time {
    as_time(args.value(index)).unwrap_or_else(Time::zero)
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
        Value::Str(text) => parse_duration(text).unwrap_or(0),
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
    let nanoseconds = parse_duration(args.str(0)).unwrap_or(0);
    Ok(wrap(time(args, 1).plus(nanoseconds)))
}

fn must_date_modify(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let nanoseconds = parse_duration(args.str(0))?;
    Ok(wrap(time(args, 1).plus(nanoseconds)))
}

/// To the nearest multiple, half of it away from zero.
fn rounded_to(nanoseconds: i64, unit: i64) -> i64 {
    let rest = nanoseconds % unit;
    let cut = nanoseconds - rest;
    if rest.abs() >= unit - rest.abs() { cut.saturating_add(unit * rest.signum()) } else { cut }
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
    match UNITS.iter().find(|(unit, _)| total > *unit) {
        Some((unit, name)) => format!("{}{name}", total / unit),
        None => "0s".to_owned(),
    }
}
