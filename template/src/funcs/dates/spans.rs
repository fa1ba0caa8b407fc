//! What durations, months and weekdays answer to `.Name`.

use super::super::Type::{Float, Int64, Str};
use super::super::{Function, doc};
use super::{DURATION, SECOND, object, rounded_to, span};
use crate::object::Object;
use crate::time::duration_text;
use crate::value::Value;

const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What a month or weekday answers.
pub(in crate::funcs) const NAMED_NUMBER_METHODS: &[Function] = &[Function::new(
    "String",
    &[],
    Str,
    doc("The English name.", r#"{{ (toDate "2006-01-02" "2026-03-01").Month.String | upper }}"#, "MARCH"),
    |_, args| {
        Ok(match args.value(0) {
            Value::Object(object) => Value::text(&object.to_string()),
            _ => Value::text(""),
        })
    },
)];

/// What a duration answers.
pub(in crate::funcs) const DURATION_METHODS: &[Function] = &[
    Function::new(
        "String",
        &[],
        Str,
        doc(
            "The duration as text.",
            r#"{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).String }}"#,
            "1h30m0s",
        ),
        |context, args| Ok(Value::text(&duration_text(span(context, args.value(0))))),
    ),
    Function::new(
        "Nanoseconds",
        &[],
        Int64,
        doc(
            "The duration in nanoseconds.",
            r#"{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).Nanoseconds }}"#,
            "5400000000000",
        ),
        |context, args| Ok(Value::int64(span(context, args.value(0)))),
    ),
    Function::new(
        "Milliseconds",
        &[],
        Int64,
        doc(
            "The duration in milliseconds, cut.",
            r#"{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).Milliseconds }}"#,
            "5400000",
        ),
        |context, args| Ok(Value::int64(span(context, args.value(0)) / 1_000_000)),
    ),
    Function::new(
        "Hours",
        &[],
        Float,
        doc("The duration in hours.", r#"{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).Hours }}"#, "1.5"),
        |context, args| Ok(in_units(span(context, args.value(0)), HOUR)),
    ),
    Function::new(
        "Minutes",
        &[],
        Float,
        doc(
            "The duration in minutes.",
            r#"{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).Minutes }}"#,
            "90",
        ),
        |context, args| Ok(in_units(span(context, args.value(0)), MINUTE)),
    ),
    Function::new(
        "Seconds",
        &[],
        Float,
        doc(
            "The duration in seconds.",
            r#"{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).Seconds }}"#,
            "5400",
        ),
        |context, args| Ok(in_units(span(context, args.value(0)), SECOND)),
    ),
    Function::new(
        "Microseconds",
        &[],
        Int64,
        doc(
            "The duration in microseconds, cut.",
            r#"{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).Microseconds }}"#,
            "5400000000",
        ),
        |context, args| Ok(Value::int64(span(context, args.value(0)) / 1_000)),
    ),
    Function::new(
        "Abs",
        &[],
        DURATION,
        doc("The duration without its sign.", r#"{{ ((toDate "15" "1").Sub (toDate "15" "3")).Abs }}"#, "2h0m0s"),
        |context, args| Ok(object(Object::Duration(span(context, args.value(0)).saturating_abs()))),
    ),
    Function::new(
        "Truncate",
        &[DURATION],
        DURATION,
        doc(
            "The duration cut to a multiple of another.",
            r#"{{ $hour := (toDate "15" "2").Sub (toDate "15" "1") }}{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).Truncate $hour }}"#,
            "1h0m0s",
        ),
        |context, args| {
            let (duration, unit) = (span(context, args.value(0)), span(context, args.value(1)));
            let rest = if unit <= 0 { 0 } else { duration % unit };
            Ok(object(Object::Duration(duration - rest)))
        },
    ),
    Function::new(
        "Round",
        &[DURATION],
        DURATION,
        doc(
            "The nearest multiple of another duration.",
            r#"{{ $hour := (toDate "15" "2").Sub (toDate "15" "1") }}{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "09:00")).Round $hour }}"#,
            "2h0m0s",
        ),
        |context, args| {
            let (duration, unit) = (span(context, args.value(0)), span(context, args.value(1)));
            Ok(object(Object::Duration(if unit <= 0 { duration } else { rounded_to(duration, unit) })))
        },
    ),
];

/// A duration as a number of units, whole and fraction added as Go adds them.
fn in_units(nanoseconds: i64, unit: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "Go rounds the same way")]
    let value = (nanoseconds / unit) as f64 + (nanoseconds % unit) as f64 / unit as f64;
    Value::Float(value)
}
