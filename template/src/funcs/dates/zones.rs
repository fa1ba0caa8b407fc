//! What times answer about their zone, and what zones answer.

use super::super::Type::{Bool, Object as ObjectType, Str};
use super::super::{Function, doc};
use super::{TIME, object, time, wrap};
use crate::object::Object;
use crate::time::Zone;
use crate::value::Value;

const LOCATION: super::super::Type = ObjectType("*time.Location");

/// What a time answers about its zone.
pub(in crate::funcs) const ZONE_METHODS: &[Function] = &[
    Function::new(
        "UTC",
        &[],
        TIME,
        doc(
            "The time in UTC.",
            r#"{{ ((toDate "2006-01-02T15:04:05Z07:00" "2026-03-01T10:30:00+02:00").UTC).Hour }}"#,
            "8",
        ),
        |_, args| Ok(wrap(time(args, 0).in_zone(Zone::Utc))),
    ),
    Function::new(
        "Local",
        &[],
        TIME,
        doc(
            "The time in the zone of the operator, which is UTC.",
            r#"{{ ((toDate "2006-01-02T15:04:05Z07:00" "2026-03-01T10:30:00+02:00").Local).Hour }}"#,
            "8",
        ),
        |_, args| Ok(wrap(time(args, 0).in_zone(Zone::Local))),
    ),
    Function::new(
        "Location",
        &[],
        LOCATION,
        doc(
            "The zone, for `.In`. A mere offset has no name.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").Location }}"#,
            "UTC",
        ),
        |_, args| Ok(object(Object::Location(time(args, 0).zone))),
    ),
    Function::new(
        "In",
        &[LOCATION],
        TIME,
        doc(
            "The time in the zone of another.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").In (toDate "-07:00" "+02:00").Location }}"#,
            "2026-03-01 02:00:00 +0200 +0200",
        ),
        |_, args| match args.value(1) {
            Value::Object(zone) => match zone.as_ref() {
                Object::Location(zone) => Ok(wrap(time(args, 0).in_zone(zone.clone()))),
                _ => Err("not a zone".into()),
            },
            _ => Err("time: missing Location in call to Time.In".into()),
        },
    ),
    Function::new(
        "IsDST",
        &[],
        Bool,
        doc(
            "Whether its zone is on summer time. Zones that templates can have are not.",
            r#"{{ (toDate "2006-01-02" "2026-07-01").IsDST }}"#,
            "false",
        ),
        |_, _| Ok(Value::Bool(false)),
    ),
];

/// What a zone answers.
pub(in crate::funcs) const LOCATION_METHODS: &[Function] = &[Function::new(
    "String",
    &[],
    Str,
    doc("Its name.", r#"{{ (toDate "2006-01-02" "2026-03-01").Location.String }}"#, "UTC"),
    |_, args| {
        Ok(match args.value(0) {
            Value::Object(zone) => Value::text(&zone.to_string()),
            _ => Value::text(""),
        })
    },
)];
