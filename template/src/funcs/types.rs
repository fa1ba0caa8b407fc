//! Defaults, conditions and questions about types.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Type::{Any, Bool, Str};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::object::Object;
use crate::semver::Version;
use crate::time::Zone;
use crate::value::{List, Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic(
        "default",
        &[Any],
        Any,
        Any,
        doc(
            "The second argument, or the first if that is empty. An absent key of the data fails before it gets \
             here: write `index . \"key\"`, which gives an empty text.",
            r#"{{ .empty | default "none" }}, {{ index . "absent" | default "none" }}"#,
            "none, none",
        ),
        |_, args| {
            let given = args.all().get(1).filter(|given| given.is_true());
            Ok(given.unwrap_or(args.value(0)).clone())
        },
    ),
    Function::new(
        "empty",
        &[Any],
        Bool,
        doc("Whether the argument is empty: false, 0, nil, or of length 0.", "{{ empty .empty }}", "true"),
        |_, args| Ok(Value::Bool(!args.value(0).is_true())),
    ),
    Function::variadic(
        "coalesce",
        &[],
        Any,
        Any,
        doc(
            "The first argument that is not empty, or nil.",
            r#"{{ coalesce .empty .host "localhost" }}"#,
            "db.example.com",
        ),
        |_, args| Ok(args.all().iter().find(|value| value.is_true()).cloned().unwrap_or(Value::Nil)),
    ),
    Function::variadic(
        "all",
        &[],
        Any,
        Bool,
        doc("Whether no argument is empty.", "{{ all .user .password .empty }}", "false"),
        |_, args| Ok(Value::Bool(args.all().iter().all(Value::is_true))),
    ),
    Function::variadic(
        "any",
        &[],
        Any,
        Bool,
        doc("Whether some argument is not empty.", "{{ any .user .empty }}", "true"),
        |_, args| Ok(Value::Bool(args.all().iter().any(Value::is_true))),
    ),
    Function::new(
        "ternary",
        &[Any, Any, Bool],
        Any,
        doc(
            "The first argument if the third is true, else the second. All three are evaluated. Fails unless the \
             third is a Boolean.",
            r#"{{ eq .port "5432" | ternary "postgres" "other" }}"#,
            "postgres",
        ),
        |_, args| Ok(args.value(usize::from(!args.bool(2))).clone()),
    ),
    Function::new(
        "fail",
        &[Str],
        Str,
        doc(
            "Ends the render with a message, in which status and events hide what is not written in the template.",
            r#"{{ if not .user }}{{ fail "user is empty" }}{{ end }}{{ .user }}"#,
            "app",
        ),
        |_, args| Err(Message::default().data(args.str(0))),
    ),
    Function::new("hello", &[], Str, doc("The text `Hello!`.", "{{ hello }}", "Hello!"), |_, _| {
        Ok(Value::text("Hello!"))
    }),
    Function::new(
        "typeOf",
        &[Any],
        Str,
        doc("Go's name of the type.", "{{ typeOf (fromJson .json).db.port }}", "float64"),
        |_, args| Ok(Value::text(args.value(0).type_name())),
    ),
    Function::new(
        "typeIs",
        &[Str, Any],
        Bool,
        doc("Whether Go's name of the type is this: name, value.", r#"{{ typeIs "string" .port }}"#, "true"),
        |_, args| Ok(Value::Bool(args.str(0) == args.value(1).type_name().as_bytes())),
    ),
    Function::new(
        "typeIsLike",
        &[Str, Any],
        Bool,
        doc(
            "As `typeIs`, also true for a pointer to that type.",
            r#"{{ typeIsLike "semver.Version" (semver .version) }}"#,
            "true",
        ),
        |_, args| {
            let name = args.value(1).type_name().as_bytes();
            Ok(Value::Bool(args.str(0) == name || name.strip_prefix(b"*") == Some(args.str(0))))
        },
    ),
    Function::new(
        "kindOf",
        &[Any],
        Str,
        doc(
            "Go's name of the kind: `string`, `slice`, `map`, `float64`.",
            "{{ kindOf (fromJson .json).tags }}",
            "slice",
        ),
        |_, args| Ok(Value::text(args.value(0).kind_name())),
    ),
    Function::new(
        "kindIs",
        &[Str, Any],
        Bool,
        doc("Whether Go's name of the kind is this: name, value.", r#"{{ kindIs "map" (fromJson .json) }}"#, "true"),
        |_, args| Ok(Value::Bool(args.str(0) == args.value(1).kind_name().as_bytes())),
    ),
    Function::new(
        "deepEqual",
        &[Any, Any],
        Bool,
        doc(
            "Whether type and content of two values are equal. Never fails for different kinds.",
            r#"{{ deepEqual (fromJson .json).tags (list "blue" "green") }}"#,
            "true",
        ),
        |context, args| deep_equal(context, args.value(0), args.value(1)).map(Value::Bool),
    ),
    Function::new(
        "deepCopy",
        &[Any],
        Any,
        doc(
            "A copy that shares no map with the value, so that `set` on it leaves the value alone.",
            r#"{{ $c := deepCopy (fromJson .json).db }}{{ $_ := set $c "user" "admin" }}{{ $c.user }}"#,
            "admin",
        ),
        deep_copy,
    ),
    Function::new(
        "mustDeepCopy",
        &[Any],
        Any,
        doc("Same as `deepCopy`.", r#"{{ mustDeepCopy (fromJson .json).tags | join "," }}"#, "blue,green"),
        deep_copy,
    ),
];

/// Whether type and content are equal. Charges a step for each element visited.
pub(super) fn deep_equal(context: &Context, left: &Value, right: &Value) -> Result<bool, Message> {
    context.spend(1)?;
    if left.type_name() != right.type_name() {
        return Ok(false);
    }
    Ok(match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(_, left), Value::Int(_, right)) => left == right,
        (Value::Uint(_, left), Value::Uint(_, right)) => left == right,
        #[expect(clippy::float_cmp, reason = "Go compares exactly")]
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Complex(a, b), Value::Complex(c, d)) => (a, b) == (c, d),
        (Value::Str(left), Value::Str(right)) => {
            context.spend_on_bytes(left.len().min(right.len()))?;
            left == right
        }
        (Value::List(left), Value::List(right)) => equal_lists(context, left, right)?,
        (Value::Map(left), Value::Map(right)) => equal_maps(context, left, right)?,
        (Value::Object(left), Value::Object(right)) => Rc::ptr_eq(left, right) || left.deep_equals(right),
        _ => false,
    })
}

fn equal_lists(context: &Context, left: &List, right: &List) -> Result<bool, Message> {
    if left.len() != right.len() || left.is_nil() != right.is_nil() {
        return Ok(false);
    }
    for (left, right) in left.items().iter().zip(right.items()) {
        if !deep_equal(context, left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(context: &Context, left: &Map, right: &Map) -> Result<bool, Message> {
    if left.is_same(right) {
        return Ok(true);
    }
    if left.len() != right.len() || left.is_nil() != right.is_nil() {
        return Ok(false);
    }
    let _nested = context.nest()?;
    for (key, value) in left.entries() {
        let Some(other) = right.find(&key) else { return Ok(false) };
        if !deep_equal(context, &value, &other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn deep_copy(context: &mut Context, args: &Args) -> Result<Value, Message> {
    if matches!(args.value(0), Value::Nil) {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    copied(context, args.value(0))
}

/// A copy that shares no map.
pub(crate) fn copied(context: &Context, value: &Value) -> Result<Value, Message> {
    context.spend(1)?;
    match value {
        Value::List(list) if list.is_nil() => Ok(value.clone()),
        Value::List(list) => {
            context.account(value)?;
            let items: Result<_, _> = list.items().iter().map(|item| copied(context, item)).collect();
            Ok(Value::List(List::new(list.elem, items?)?))
        }
        Value::Map(map) if !map.has_strings() => {
            let _nested = context.nest()?;
            context.account(value)?;
            let mut entries = BTreeMap::new();
            for (key, value) in map.entries() {
                entries.insert(key, copied(context, &value)?);
            }
            Ok(Value::Map(Map::new(entries)?))
        }
        // Go's copy leaves out what versions and zones keep to themselves, which is everything.
        Value::Object(object) => Ok(match object.as_ref() {
            Object::Version { pointer, .. } => {
                Value::Object(Rc::new(Object::Version { version: Version::default(), pointer: *pointer }))
            }
            Object::Location(_) => Value::Object(Rc::new(Object::Location(Zone::unnamed()))),
            _ => value.clone(),
        }),
        other => Ok(other.clone()),
    }
}
