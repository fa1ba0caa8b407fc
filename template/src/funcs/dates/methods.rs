//! What times answer to `.Name`.

use super::super::Type::{self, Bool, Int, Int64, Object as ObjectType, Str};
use super::super::{Function, doc};
use super::{DURATION, SECOND, TIME, object, span, time, wrap};
use crate::object::Object;
use crate::value::Value;

const MONTH: Type = ObjectType("time.Month");
const WEEKDAY: Type = ObjectType("time.Weekday");

/// What a time answers.
pub(in crate::funcs) const TIME_METHODS: &[Function] = &[
    Function::new(
        "Year",
        &[],
        Int,
        doc("The year.", r#"{{ (toDate "2006-01-02" "2026-03-01").Year }}"#, "2026"),
        |_, args| Ok(Value::int(time(args, 0).civil().year)),
    ),
    Function::new(
        "Month",
        &[],
        MONTH,
        doc(
            "The month; prints as its English name, `int` gives its number.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").Month }}"#,
            "March",
        ),
        |_, args| Ok(object(Object::Month(time(args, 0).civil().month))),
    ),
    Function::new(
        "Day",
        &[],
        Int,
        doc("The day of the month.", r#"{{ (toDate "2006-01-02" "2026-03-01").Day }}"#, "1"),
        |_, args| Ok(int(time(args, 0).civil().day)),
    ),
    Function::new(
        "Hour",
        &[],
        Int,
        doc("The hour, 0 to 23.", r#"{{ (toDate "2006-01-02T15:04:05Z07:00" .created).Hour }}"#, "10"),
        |_, args| Ok(int(time(args, 0).civil().hour)),
    ),
    Function::new(
        "Minute",
        &[],
        Int,
        doc("The minute.", r#"{{ (toDate "2006-01-02T15:04:05Z07:00" .created).Minute }}"#, "30"),
        |_, args| Ok(int(time(args, 0).civil().minute)),
    ),
    Function::new(
        "Second",
        &[],
        Int,
        doc("The second.", r#"{{ (toDate "2006-01-02T15:04:05Z07:00" .created).Second }}"#, "0"),
        |_, args| Ok(int(time(args, 0).civil().second)),
    ),
    Function::new(
        "Nanosecond",
        &[],
        Int,
        doc(
            "The nanosecond within the second.",
            r#"{{ (toDate "2006-01-02T15:04:05Z07:00" .created).Nanosecond }}"#,
            "0",
        ),
        |_, args| Ok(Value::int(i64::from(time(args, 0).nanoseconds))),
    ),
    Function::new(
        "Weekday",
        &[],
        WEEKDAY,
        doc(
            "The day of the week; prints as its English name, `int` gives its number from 0 for Sunday.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").Weekday }}"#,
            "Sunday",
        ),
        |_, args| Ok(object(Object::Weekday(time(args, 0).civil().weekday))),
    ),
    Function::new(
        "YearDay",
        &[],
        Int,
        doc("The day of the year, from 1.", r#"{{ (toDate "2006-01-02" "2026-03-01").YearDay }}"#, "60"),
        |_, args| Ok(int(time(args, 0).civil().year_day)),
    ),
    Function::new(
        "Unix",
        &[],
        Int64,
        doc("Seconds since 1970.", r#"{{ (toDate "2006-01-02" "2026-03-01").Unix }}"#, "1772323200"),
        |_, args| Ok(Value::int64(time(args, 0).seconds)),
    ),
    Function::new(
        "UnixMilli",
        &[],
        Int64,
        doc("Milliseconds since 1970.", r#"{{ (toDate "2006-01-02" "2026-03-01").UnixMilli }}"#, "1772323200000"),
        |_, args| {
            let time = time(args, 0);
            Ok(Value::int64(time.seconds.wrapping_mul(1_000) + i64::from(time.nanoseconds / 1_000_000)))
        },
    ),
    Function::new(
        "UnixNano",
        &[],
        Int64,
        doc("Nanoseconds since 1970.", r#"{{ (toDate "2006-01-02" "2026-03-01").UnixNano }}"#, "1772323200000000000"),
        |_, args| {
            let time = time(args, 0);
            Ok(Value::int64(time.seconds.wrapping_mul(SECOND).wrapping_add(i64::from(time.nanoseconds))))
        },
    ),
    Function::new(
        "Format",
        &[Str],
        Str,
        doc(
            "The time in a layout, in its own zone.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").Format "Jan 2" }}"#,
            "Mar 1",
        ),
        |_, args| Ok(Value::str(time(args, 0).format(args.str(1)))),
    ),
    Function::new(
        "String",
        &[],
        Str,
        doc(
            "The time with its zone.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").String }}"#,
            "2026-03-01 00:00:00 +0000 UTC",
        ),
        |_, args| Ok(Value::text(&time(args, 0).to_string())),
    ),
    Function::new(
        "Add",
        &[DURATION],
        TIME,
        doc(
            "The time a duration later. Durations come from `.Sub`.",
            "{{ $d := (toDate \"15:04\" \"10:30\").Sub (toDate \"15:04\" \"09:00\") }}{{ ((toDate \"2006-01-02\" \
             \"2026-03-01\").Add $d).Hour }}",
            "1",
        ),
        |context, args| Ok(wrap(time(args, 0).plus(span(context, args.value(1))))),
    ),
    Function::new(
        "AddDate",
        &[Int, Int, Int],
        TIME,
        doc(
            "The time so many years, months and days later.",
            r#"{{ ((toDate "2006-01-02" "2026-03-01").AddDate 0 3 -1).Format "2006-01-02" }}"#,
            "2026-05-31",
        ),
        |_, args| Ok(wrap(time(args, 0).plus_date(args.int(1), args.int(2), args.int(3)))),
    ),
    Function::new(
        "Sub",
        &[TIME],
        DURATION,
        doc(
            "The duration since another time.",
            r#"{{ (toDate "15:04" "10:30").Sub (toDate "15:04" "09:00") }}"#,
            "1h30m0s",
        ),
        |_, args| Ok(object(Object::Duration(time(args, 0).since(&time(args, 1))))),
    ),
    Function::new(
        "Before",
        &[TIME],
        Bool,
        doc(
            "Whether it comes before another time.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").Before (toDate "2006-01-02" "2026-04-01") }}"#,
            "true",
        ),
        |_, args| Ok(Value::Bool(time(args, 0).order(&time(args, 1)).is_lt())),
    ),
    Function::new(
        "After",
        &[TIME],
        Bool,
        doc(
            "Whether it comes after another time.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").After (toDate "2006-01-02" "2026-04-01") }}"#,
            "false",
        ),
        |_, args| Ok(Value::Bool(time(args, 0).order(&time(args, 1)).is_gt())),
    ),
    Function::new(
        "Equal",
        &[TIME],
        Bool,
        doc(
            "Whether it is the same instant as another time.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").Equal (toDate "2006-01-02" "2026-03-01") }}"#,
            "true",
        ),
        |_, args| Ok(Value::Bool(time(args, 0).order(&time(args, 1)).is_eq())),
    ),
    Function::new(
        "IsZero",
        &[],
        Bool,
        doc(
            "Whether it is the first instant of year 1, which `toDate` gives for a text that does not fit.",
            r#"{{ (toDate "2006-01-02" "soon").IsZero }}"#,
            "true",
        ),
        |_, args| Ok(Value::Bool(time(args, 0).is_zero())),
    ),
    Function::new(
        "UnixMicro",
        &[],
        Int64,
        doc("Microseconds since 1970.", r#"{{ (toDate "2006-01-02" "2026-03-01").UnixMicro }}"#, "1772323200000000"),
        |_, args| {
            let time = time(args, 0);
            let whole = time.seconds.wrapping_mul(1_000_000);
            Ok(Value::int64(whole.wrapping_add(i64::from(time.nanoseconds / 1_000))))
        },
    ),
    Function::new(
        "Compare",
        &[TIME],
        Int,
        doc(
            "-1, 0 or 1, as it is before, at or after another time.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").Compare (toDate "2006-01-02" "2026-04-01") }}"#,
            "-1",
        ),
        |_, args| Ok(Value::int(time(args, 0).order(&time(args, 1)) as i64)),
    ),
    Function::new(
        "Truncate",
        &[DURATION],
        TIME,
        doc(
            "The multiple of a duration before it, counted from the year 1.",
            r#"{{ $hour := (toDate "15" "2").Sub (toDate "15" "1") }}{{ ((toDate "15:04" "10:45").Truncate $hour).Format "15:04" }}"#,
            "10:00",
        ),
        |context, args| {
            let time = time(args, 0);
            let rest = time.beyond_multiple(span(context, args.value(1)));
            Ok(wrap(time.plus(-rest)))
        },
    ),
    Function::new(
        "Round",
        &[DURATION],
        TIME,
        doc(
            "The nearest multiple of a duration, counted from the year 1.",
            r#"{{ $hour := (toDate "15" "2").Sub (toDate "15" "1") }}{{ ((toDate "15:04" "10:45").Round $hour).Format "15:04" }}"#,
            "11:00",
        ),
        |context, args| {
            let (time, unit) = (time(args, 0), span(context, args.value(1)));
            let rest = time.beyond_multiple(unit);
            Ok(wrap(time.plus(if rest < unit.saturating_sub(rest) || unit <= 0 { -rest } else { unit - rest })))
        },
    ),
];

fn int(value: impl Into<i64>) -> Value {
    Value::int(value.into())
}
