//! What functions make of the elements of lists.

use crate::context::Context;
use crate::error::Message;
use crate::funcs::Args;
use crate::funcs::types::deep_equal;
use crate::value::{Elem, List, Value};

/// A list of anything.
pub(in crate::funcs) fn list(items: Vec<Value>) -> Result<Value, Message> {
    List::new(Elem::Any, items).map(Value::List)
}

/// What Go gives where it makes no list at all.
fn nil() -> Value {
    Value::List(List::nil(Elem::Any))
}

/// The list given, or the complaint that the function does not work on it.
fn list_at<'a>(args: &'a Args, index: usize, verb: &str) -> Result<&'a List, Message> {
    match args.value(index) {
        Value::List(list) => Ok(list),
        Value::Nil => Err("runtime error: invalid memory address or nil pointer dereference".into()),
        other => Err(Message::ours(format!("Cannot {verb} type {}", other.kind_name()))),
    }
}

pub(super) fn first(args: &Args, name: &str) -> Result<Value, Message> {
    Ok(list_at(args, 0, &format!("find {name} on"))?.items().first().cloned().unwrap_or(Value::Nil))
}

pub(super) fn last(args: &Args, name: &str) -> Result<Value, Message> {
    Ok(list_at(args, 0, &format!("find {name} on"))?.items().last().cloned().unwrap_or(Value::Nil))
}

pub(super) fn rest(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let items = list_at(args, 0, "find rest on")?.items();
    items.get(1..).map_or_else(|| Ok(nil()), |rest| list(rest.to_vec()))
}

pub(super) fn initial(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let items = list_at(args, 0, "find initial on")?.items();
    items.split_last().map_or_else(|| Ok(nil()), |(_, before)| list(before.to_vec()))
}

pub(super) fn append(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut items = list_at(args, 0, "push on")?.items().to_vec();
    items.push(args.value(1).clone());
    list(items)
}

pub(super) fn prepend(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let before = list_at(args, 0, "prepend on")?.items();
    list(std::iter::once(args.value(1)).chain(before).cloned().collect())
}

pub(super) fn concat(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut items = Vec::new();
    for value in args.all() {
        let Value::List(list) = value else {
            return Err(Message::ours(format!("Cannot concat type {} as list", value.kind_name())));
        };
        context.check_elements(items.len() + list.len())?;
        items.extend_from_slice(list.items());
    }
    if items.is_empty() { Ok(nil()) } else { list(items) }
}

pub(super) fn reverse(_: &mut Context, args: &Args) -> Result<Value, Message> {
    list(list_at(args, 0, "find reverse on")?.items().iter().rev().cloned().collect())
}

pub(super) fn uniq(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut kept: Vec<Value> = Vec::new();
    for item in list_at(args, 0, "find uniq on")?.items() {
        if !contains(context, &kept, item)? {
            kept.push(item.clone());
        }
    }
    list(kept)
}

pub(super) fn without(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut kept = Vec::new();
    for item in list_at(args, 0, "find without on")?.items() {
        if !contains(context, args.rest(1), item)? {
            kept.push(item.clone());
        }
    }
    list(kept)
}

pub(super) fn has(context: &mut Context, args: &Args) -> Result<Value, Message> {
    if matches!(args.value(1), Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let list = list_at(args, 1, "find has on")?;
    contains(context, list.items(), args.value(0)).map(Value::Bool)
}

fn contains(context: &Context, items: &[Value], wanted: &Value) -> Result<bool, Message> {
    for item in items {
        if deep_equal(context, item, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn compact(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let items = list_at(args, 0, "compact on")?.items();
    list(items.iter().filter(|item| item.is_true()).cloned().collect())
}

pub(super) fn slice(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let list = match args.value(0) {
        Value::List(list) => list,
        Value::Nil => return Err("runtime error: invalid memory address or nil pointer dereference".into()),
        other => return Err(Message::ours(format!("list should be type of slice or array but {}", other.kind_name()))),
    };
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |index: usize, usual: usize| match args.all().get(index) {
        Some(value) => usize::try_from(crate::cast::to_int(value)).unwrap_or(usize::MAX),
        None => usual,
    };
    let part = list.items().get(bound(1, 0)..bound(2, list.len()));
    match part {
        Some(part) => Ok(Value::List(List::new(list.elem, part.to_vec())?)),
        None => Err("reflect.Value.Slice: slice index out of bounds".into()),
    }
}

pub(super) fn chunk(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let source = list_at(args, 1, "chunk")?;
    let count = i64::try_from(source.len()).unwrap_or(i64::MAX);
    let chunks = match (args.int(0), count) {
        (1.., _) => {
            let size = usize::try_from(args.int(0)).unwrap_or(usize::MAX);
            source.items().chunks(size).map(|part| list(part.to_vec())).collect::<Result<_, _>>()?
        }
        // What Go's arithmetic makes of negative sizes.
        (..=-2, 1) => vec![list(source.items().to_vec())?],
        (size @ ..=-1, 2..) if count - 1 <= size.saturating_neg() => Vec::new(),
        _ => return Err("runtime error: makeslice: len out of range".into()),
    };
    Ok(Value::List(List::new(Elem::List, chunks)?))
}
