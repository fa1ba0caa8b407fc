//! Semantic versions.

use std::rc::Rc;

use super::Type::{Any, Bool, Bytes, Int, Object as ObjectType, Str, Uint64};
use super::{Args, Function, doc};
use crate::error::Message;
use crate::object::Object;
use crate::semver::{Constraints, Version};
use crate::text::lossy;
use crate::value::{List, UintKind, Value};

/// Go's name of the type that `semver` returns.
const POINTER: super::Type = ObjectType("*semver.Version");
/// The type that methods return.
const VALUE: super::Type = ObjectType("semver.Version");

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "semver",
        &[Str],
        POINTER,
        doc(
            "The version that a text names, with or without `v`, missing numbers as 0. Fails for what is none. Its \
             methods are below.",
            "{{ (semver .version).Minor }}",
            "24",
        ),
        |_, args| parse(args.str(0)).map(|version| wrap(version, true)),
    ),
    Function::new(
        "semverCompare",
        &[Str, Str],
        Bool,
        doc(
            "Whether a version fits a constraint: constraint, version. Constraints have `=`, `!=`, `<`, `>`, `~`, \
             `^`, `x`, ` - `, `,` and `||`; one without pre-release fits no pre-release. Fails for a bad one of \
             either.",
            r#"{{ semverCompare ">=1.24-0" .version }}"#,
            "true",
        ),
        |_, args| {
            let constraints = Constraints::parse(&lossy(args.str(0)))?;
            Ok(Value::Bool(constraints.hold_for(&parse(args.str(1))?)))
        },
    ),
];

/// What a version answers.
pub(super) const METHODS: &[Function] = &[
    Function::new("Major", &[], Uint64, doc("The first number.", "{{ (semver .version).Major }}", "1"), |_, args| {
        field(args, |v| unsigned(v.major))
    }),
    Function::new("Minor", &[], Uint64, doc("The second number.", "{{ (semver .version).Minor }}", "24"), |_, args| {
        field(args, |v| unsigned(v.minor))
    }),
    Function::new("Patch", &[], Uint64, doc("The third number.", "{{ (semver .version).Patch }}", "3"), |_, args| {
        field(args, |v| unsigned(v.patch))
    }),
    Function::new(
        "Prerelease",
        &[],
        Str,
        doc("What stands behind the minus.", "{{ (semver .version).Prerelease }}", "rc.1"),
        |_, args| field(args, |v| Value::text(&v.prerelease)),
    ),
    Function::new(
        "Metadata",
        &[],
        Str,
        doc("What stands behind the plus.", r#"{{ (semver "1.2.3+build.5").Metadata }}"#, "build.5"),
        |_, args| field(args, |v| Value::text(&v.metadata)),
    ),
    Function::new(
        "Original",
        &[],
        Str,
        doc("The text that was given to `semver`.", "{{ (semver .version).Original }}", "v1.24.3-rc.1"),
        |_, args| field(args, |v| Value::text(&v.original)),
    ),
    Function::new(
        "String",
        &[],
        Str,
        doc("The version with all three numbers, without `v`.", "{{ (semver .version).String }}", "1.24.3-rc.1"),
        |_, args| field(args, |v| Value::text(&v.to_string())),
    ),
    Function::new(
        "Value",
        &[],
        Any,
        doc("Same as `.String`.", "{{ (semver .version).Value }}", "1.24.3-rc.1"),
        |_, args| field(args, |v| Value::text(&v.to_string())),
    ),
    Function::new(
        "MarshalText",
        &[],
        Bytes,
        doc("As `.String`, as bytes.", "{{ (semver .version).MarshalText | toString }}", "1.24.3-rc.1"),
        |_, args| field(args, |v| Value::List(List::of_bytes(v.to_string().as_bytes()))),
    ),
    Function::new(
        "MarshalJSON",
        &[],
        Bytes,
        doc("The version as in JSON, as bytes.", "{{ (semver .version).MarshalJSON | toString }}", "\"1.24.3-rc.1\""),
        |_, args| field(args, |v| Value::List(List::of_bytes(format!("\"{v}\"").as_bytes()))),
    ),
    Function::new(
        "IncMajor",
        &[],
        VALUE,
        doc("The next major version.", "{{ (semver .version).IncMajor }}", "2.0.0"),
        |_, args| field(args, |v| wrap(v.with_numbers(v.major.saturating_add(1), 0, 0), false)),
    ),
    Function::new(
        "IncMinor",
        &[],
        VALUE,
        doc("The next minor version.", "{{ (semver .version).IncMinor }}", "1.25.0"),
        |_, args| field(args, |v| wrap(v.with_numbers(v.major, v.minor.saturating_add(1), 0), false)),
    ),
    Function::new(
        "IncPatch",
        &[],
        VALUE,
        doc(
            "The next patch version, which of a pre-release is its release.",
            "{{ (semver .version).IncPatch }}",
            "1.24.3",
        ),
        |_, args| field(args, |v| wrap(v.next_patch(), false)),
    ),
    Function::new(
        "Compare",
        &[POINTER],
        Int,
        doc(
            "-1, 0 or 1, as it is less than, equal to or greater than another version.",
            r#"{{ (semver .version).Compare (semver "1.25.0") }}"#,
            "-1",
        ),
        |_, args| with_both(args, |left, right| Value::int(left.order(right) as i64)),
    ),
    Function::new(
        "Equal",
        &[POINTER],
        Bool,
        doc(
            "Whether it is the same version as another, whatever stands behind the plus.",
            r#"{{ (semver .version).Equal (semver "1.25.0") }}"#,
            "false",
        ),
        |_, args| match args.value(1) {
            Value::Nil => Ok(Value::Bool(false)),
            _ => with_both(args, |left, right| Value::Bool(left.order(right).is_eq())),
        },
    ),
    Function::new(
        "LessThan",
        &[POINTER],
        Bool,
        doc(
            "Whether it comes before another version.",
            r#"{{ (semver .version).LessThan (semver "1.25.0") }}"#,
            "true",
        ),
        |_, args| with_both(args, |left, right| Value::Bool(left.order(right).is_lt())),
    ),
    Function::new(
        "GreaterThan",
        &[POINTER],
        Bool,
        doc(
            "Whether it comes after another version.",
            r#"{{ (semver .version).GreaterThan (semver "1.25.0") }}"#,
            "false",
        ),
        |_, args| with_both(args, |left, right| Value::Bool(left.order(right).is_gt())),
    ),
    Function::new(
        "LessThanEqual",
        &[POINTER],
        Bool,
        doc(
            "Whether it does not come after another version.",
            r#"{{ (semver .version).LessThanEqual (semver "1.25.0") }}"#,
            "true",
        ),
        |_, args| with_both(args, |left, right| Value::Bool(left.order(right).is_le())),
    ),
    Function::new(
        "GreaterThanEqual",
        &[POINTER],
        Bool,
        doc(
            "Whether it does not come before another version.",
            r#"{{ (semver .version).GreaterThanEqual (semver "1.25.0") }}"#,
            "false",
        ),
        |_, args| with_both(args, |left, right| Value::Bool(left.order(right).is_ge())),
    ),
    Function::new(
        "SetPrerelease",
        &[Str],
        VALUE,
        doc(
            "The version with another pre-release; an empty text takes it off.",
            r#"{{ (semver .version).SetPrerelease "rc.2" }}"#,
            "1.24.3-rc.2",
        ),
        |_, args| version(args, 0)?.with_prerelease(args.str(1)).map(|version| wrap(version, false)),
    ),
    Function::new(
        "SetMetadata",
        &[Str],
        VALUE,
        doc(
            "The version with something else behind the plus; an empty text takes it off.",
            r#"{{ (semver .version).SetMetadata "eu" }}"#,
            "1.24.3-rc.1+eu",
        ),
        |_, args| version(args, 0)?.with_metadata(args.str(1)).map(|version| wrap(version, false)),
    ),
];

fn parse(text: &[u8]) -> Result<Version, Message> {
    Version::parse(text)
}

fn wrap(version: Version, pointer: bool) -> Value {
    Value::Object(Rc::new(Object::Version { version, pointer }))
}

fn unsigned(number: u64) -> Value {
    Value::Uint(UintKind::Uint64, number)
}

fn version<'a>(args: &'a Args, index: usize) -> Result<&'a Version, Message> {
    match args.value(index) {
        Value::Object(object) => match object.as_ref() {
            Object::Version { version, .. } => Ok(version),
            _ => Err("not a version".into()),
        },
        _ => Err("runtime error: invalid memory address or nil pointer dereference".into()),
    }
}

fn field(args: &Args, read: impl Fn(&Version) -> Value) -> Result<Value, Message> {
    version(args, 0).map(read)
}

fn with_both(args: &Args, combine: impl Fn(&Version, &Version) -> Value) -> Result<Value, Message> {
    Ok(combine(version(args, 0)?, version(args, 1)?))
}
