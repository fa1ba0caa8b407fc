//! Lists. They never change; functions make new ones.

use super::Type::{Any, Bool, Int, List as ListType};
use super::types::deep_equal;
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::value::{Elem, List, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("list", &[], Any, ListType, doc("The arguments as a list.", "", ""), |_, args| {
        list(args.all().to_vec())
    }),
    Function::variadic("tuple", &[], Any, ListType, doc("Same as list.", "", ""), |_, args| list(args.all().to_vec())),
    Function::new("first", &[Any], Any, doc("The first element.", "", ""), |_, args| first(args, "first")),
    Function::new("mustFirst", &[Any], Any, doc("The first element.", "", ""), |_, args| first(args, "first")),
    Function::new("last", &[Any], Any, doc("The last element.", "", ""), |_, args| last(args, "last")),
    Function::new("mustLast", &[Any], Any, doc("The last element.", "", ""), |_, args| last(args, "last")),
    Function::new("rest", &[Any], ListType, doc("All but the first element.", "", ""), rest),
    Function::new("mustRest", &[Any], ListType, doc("All but the first element.", "", ""), rest),
    Function::new("initial", &[Any], ListType, doc("All but the last element.", "", ""), initial),
    Function::new("mustInitial", &[Any], ListType, doc("All but the last element.", "", ""), initial),
    Function::new("append", &[Any, Any], ListType, doc("The list with one element more.", "", ""), append),
    Function::new("mustAppend", &[Any, Any], ListType, doc("The list with one element more.", "", ""), append),
    Function::new("push", &[Any, Any], ListType, doc("Same as append.", "", ""), append),
    Function::new("mustPush", &[Any, Any], ListType, doc("Same as append.", "", ""), append),
    Function::new("prepend", &[Any, Any], ListType, doc("The list with one element before it.", "", ""), prepend),
    Function::new("mustPrepend", &[Any, Any], ListType, doc("The list with one element before it.", "", ""), prepend),
    Function::variadic("concat", &[], Any, ListType, doc("The elements of all lists.", "", ""), concat),
    Function::new("reverse", &[Any], ListType, doc("The elements from the last to the first.", "", ""), reverse),
    Function::new("mustReverse", &[Any], ListType, doc("The elements from the last to the first.", "", ""), reverse),
    Function::new("uniq", &[Any], ListType, doc("The elements without repetitions.", "", ""), uniq),
    Function::new("mustUniq", &[Any], ListType, doc("The elements without repetitions.", "", ""), uniq),
    Function::variadic(
        "without",
        &[Any],
        Any,
        ListType,
        doc("The elements that equal no other argument.", "", ""),
        without,
    ),
    Function::variadic(
        "mustWithout",
        &[Any],
        Any,
        ListType,
        doc("The elements that equal no other argument.", "", ""),
        without,
    ),
    Function::new("has", &[Any, Any], Bool, doc("Whether the list has the element.", "", ""), has),
    Function::new("mustHas", &[Any, Any], Bool, doc("Whether the list has the element.", "", ""), has),
    Function::new("compact", &[Any], ListType, doc("The elements that are not empty.", "", ""), compact),
    Function::new("mustCompact", &[Any], ListType, doc("The elements that are not empty.", "", ""), compact),
    Function::variadic("slice", &[Any], Any, Any, doc("The elements from start to end.", "", ""), slice),
    Function::variadic("mustSlice", &[Any], Any, Any, doc("The elements from start to end.", "", ""), slice),
    Function::new("chunk", &[Int, Any], Any, doc("Lists of so many elements each.", "", ""), chunk),
    Function::new("mustChunk", &[Int, Any], Any, doc("Lists of so many elements each.", "", ""), chunk),
];

/// A list of anything.
pub(super) fn list(items: Vec<Value>) -> Result<Value, Message> {
    List::new(Elem::Any, items).map(Value::List)
}

/// The list given, or the complaint that the function does not work on it.
fn list_at<'a>(args: &'a Args, index: usize, verb: &str) -> Result<&'a List, Message> {
    match args.value(index) {
        Value::List(list) => Ok(list),
        Value::Nil => Err("runtime error: invalid memory address or nil pointer dereference".into()),
        other => Err(format!("Cannot {verb} type {}", other.kind_name()).into()),
    }
}

fn first(args: &Args, name: &str) -> Result<Value, Message> {
    Ok(list_at(args, 0, &format!("find {name} on"))?.items().first().cloned().unwrap_or(Value::Nil))
}

fn last(args: &Args, name: &str) -> Result<Value, Message> {
    Ok(list_at(args, 0, &format!("find {name} on"))?.items().last().cloned().unwrap_or(Value::Nil))
}

fn rest(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let items = list_at(args, 0, "find rest on")?.items();
    list(items.get(1..).unwrap_or_default().to_vec())
}

fn initial(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let items = list_at(args, 0, "find initial on")?.items();
    list(items.split_last().map_or(Vec::new(), |(_, before)| before.to_vec()))
}

fn append(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut items = list_at(args, 0, "push on")?.items().to_vec();
    items.push(args.value(1).clone());
    list(items)
}

fn prepend(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let before = list_at(args, 0, "prepend on")?.items();
    list(std::iter::once(args.value(1)).chain(before).cloned().collect())
}

fn concat(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut items = Vec::new();
    for value in args.all() {
        let Value::List(list) = value else {
            return Err(format!("Cannot concat type {} as list", value.kind_name()).into());
        };
        context.check_elements(items.len() + list.len())?;
        items.extend_from_slice(list.items());
    }
    list(items)
}

fn reverse(_: &mut Context, args: &Args) -> Result<Value, Message> {
    list(list_at(args, 0, "find reverse on")?.items().iter().rev().cloned().collect())
}

fn uniq(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut kept: Vec<Value> = Vec::new();
    for item in list_at(args, 0, "find uniq on")?.items() {
        if !contains(context, &kept, item)? {
            kept.push(item.clone());
        }
    }
    list(kept)
}

fn without(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut kept = Vec::new();
    for item in list_at(args, 0, "find without on")?.items() {
        if !contains(context, args.rest(1), item)? {
            kept.push(item.clone());
        }
    }
    list(kept)
}

fn has(context: &mut Context, args: &Args) -> Result<Value, Message> {
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

fn compact(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let items = list_at(args, 0, "compact on")?.items();
    list(items.iter().filter(|item| item.is_true()).cloned().collect())
}

fn slice(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let list = match args.value(0) {
        Value::List(list) => list,
        Value::Nil => return Err("runtime error: invalid memory address or nil pointer dereference".into()),
        other => return Err(format!("list should be type of slice or array but {}", other.kind_name()).into()),
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

fn chunk(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let source = list_at(args, 1, "chunk")?;
    let Some(size) = usize::try_from(args.int(0)).ok().filter(|&size| size > 0) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    let chunks: Result<Vec<Value>, Message> = source.items().chunks(size).map(|part| list(part.to_vec())).collect();
    Ok(Value::List(List::new(Elem::List, chunks?)?))
}
