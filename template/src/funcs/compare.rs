//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use super::Type::{Bool, Reflect};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::fmt::print_verb;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic(
        "eq",
        &[Reflect],
        Reflect,
        Bool,
        doc(
            "Whether the first argument equals any other. Fails for different kinds (numbers of JSON and YAML are \
             fractions: compare them with `5432.0`) and for lists and maps, which `deepEqual` compares.",
            r#"{{ if eq .user "app" "admin" }}known{{ end }}"#,
            "known",
        ),
        eq,
    ),
    Function::new(
        "ne",
        &[Reflect, Reflect],
        Bool,
        doc("Whether the two arguments differ. Fails where `eq` does.", r#"{{ ne .user "admin" }}"#, "true"),
        |context, args| equal(context, args.value(0), args.value(1)).map(|equal| Value::Bool(!equal)),
    ),
    Function::new(
        "lt",
        &[Reflect, Reflect],
        Bool,
        doc(
            "Whether the first argument is less than the second: numbers, or texts by their bytes. Fails for \
             different kinds.",
            "{{ if lt (len .user) 8 }}short{{ end }}",
            "short",
        ),
        |_, args| order(args, |order| order == Ordering::Less),
    ),
    Function::new(
        "le",
        &[Reflect, Reflect],
        Bool,
        doc(
            "Whether the first argument is less than or equal to the second. Fails where `lt` does.",
            "{{ le 1 1 }}",
            "true",
        ),
        |_, args| order(args, |order| order != Ordering::Greater),
    ),
    Function::new(
        "gt",
        &[Reflect, Reflect],
        Bool,
        doc(
            "Whether the first argument is greater than the second. Fails where `lt` does.",
            "{{ gt (len .hosts) 100 }}",
            "false",
        ),
        |_, args| order(args, |order| order == Ordering::Greater),
    ),
    Function::new(
        "ge",
        &[Reflect, Reflect],
        Bool,
        doc(
            "Whether the first argument is greater than or equal to the second. Fails where `lt` does.",
            "{{ ge (int .port) 1024 }}",
            "true",
        ),
        |_, args| order(args, |order| order != Ordering::Less),
    ),
];

fn eq(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let others = args.rest(1);
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal(context, args.value(0), other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn equal(context: &Context, left: &Value, right: &Value) -> Result<bool, Message> {
    Ok(match (&*bare(left), &*bare(right)) {
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(_, left), Value::Int(_, right)) => left == right,
        (Value::Uint(_, left), Value::Uint(_, right)) => left == right,
        (Value::Int(_, int), Value::Uint(_, uint)) | (Value::Uint(_, uint), Value::Int(_, int)) => {
            u64::try_from(*int) == Ok(*uint)
        }
        #[expect(clippy::float_cmp, reason = "Go compares exactly")]
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Complex(a, b), Value::Complex(c, d)) => (a, b) == (c, d),
        (Value::Str(left), Value::Str(right)) => left == right,
        (Value::Nil, other) | (other, Value::Nil) => is_nil(other),
        _ if is_basic(left) || is_basic(right) => return Err(incompatible(left, right)),
        _ if left.kind_name() != right.kind_name() => {
            let mut message = Message::plain("non-comparable types ");
            message.append(&shown(context, left, 's')?);
            let mut message = message.words(format!(": {}, {}: ", left.type_name(), right.type_name()));
            message.append(&shown(context, right, 'v')?);
            return Err(message);
        }
        _ if is_nil(left) || is_nil(right) => is_nil(left) && is_nil(right),
        (Value::Object(left), Value::Object(right)) => Rc::ptr_eq(left, right) || left.equals(right),
        _ => {
            let mut message = Message::plain("non-comparable type ");
            message.append(&shown(context, right, 's')?);
            return Err(message.words(format!(": {}", right.type_name())));
        }
    })
}

/// A value in an error, as the verb that Go uses there shows it.
fn shown(context: &Context, value: &Value, verb: char) -> Result<Message, Message> {
    Ok(Message::default().data(print_verb(value, verb, context.value_bytes())?))
}

fn order(args: &Args, wanted: fn(Ordering) -> bool) -> Result<Value, Message> {
    let (left, right) = (args.value(0), args.value(1));
    let ordering = match (&*bare(left), &*bare(right)) {
        (Value::Int(_, left), Value::Int(_, right)) => Some(left.cmp(right)),
        (Value::Uint(_, left), Value::Uint(_, right)) => Some(left.cmp(right)),
        (Value::Int(_, left), Value::Uint(_, right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
        (Value::Uint(_, left), Value::Int(_, right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Str(left), Value::Str(right)) => Some(left.cmp(right)),
        _ if !is_basic(left) || !is_basic(right) => return Err("invalid type for comparison".into()),
        (Value::Bool(_), Value::Bool(_)) | (Value::Complex(..), Value::Complex(..)) => {
            return Err("invalid type for comparison".into());
        }
        _ => return Err(incompatible(left, right)),
    };
    Ok(Value::Bool(ordering.is_some_and(wanted)))
}

/// Nil itself, or a list or map that is nil.
fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

/// Months and their like as the integers they are made of.
fn bare(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Object(object) => object.number().map_or(Cow::Borrowed(value), |number| Cow::Owned(Value::int(number))),
        _ => Cow::Borrowed(value),
    }
}

fn is_basic(value: &Value) -> bool {
    !matches!(*bare(value), Value::Nil | Value::List(_) | Value::Map(_) | Value::Object(_))
}

fn incompatible(left: &Value, right: &Value) -> Message {
    Message::ours(format!("incompatible types for comparison: {} and {}", left.type_name(), right.type_name()))
}
