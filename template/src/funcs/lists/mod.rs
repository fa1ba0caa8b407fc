//! Lists. They never change; functions make new ones.

use super::Type::{Any, Bool, Int, List as ListType};
use super::types::deep_equal;
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::value::{Elem, List, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic(
        "list",
        &[],
        Any,
        ListType,
        doc("The arguments as a list.", r#"{{ list .host .port | join ":" }}"#, "db.example.com:5432"),
        |_, args| list(args.all().to_vec()),
    ),
    Function::variadic(
        "tuple",
        &[],
        Any,
        ListType,
        doc("Same as `list`.", r#"{{ tuple .user .host | join "@" }}"#, "app@db.example.com"),
        |_, args| list(args.all().to_vec()),
    ),
    Function::new(
        "first",
        &[Any],
        Any,
        doc(
            "The first element, or nil of an empty list. Fails for what is no list.",
            r#"{{ splitList "," .hosts | first }}"#,
            "db-1.example.com",
        ),
        |_, args| first(args, "first"),
    ),
    Function::new(
        "mustFirst",
        &[Any],
        Any,
        doc("Same as `first`.", r#"{{ mustFirst (splitList "," .hosts) }}"#, "db-1.example.com"),
        |_, args| first(args, "first"),
    ),
    Function::new(
        "last",
        &[Any],
        Any,
        doc(
            "The last element, or nil of an empty list. Fails for what is no list.",
            r#"{{ splitList "." .host | last }}"#,
            "com",
        ),
        |_, args| last(args, "last"),
    ),
    Function::new(
        "mustLast",
        &[Any],
        Any,
        doc("Same as `last`.", r#"{{ splitList "." .host | mustLast }}"#, "com"),
        |_, args| last(args, "last"),
    ),
    Function::new(
        "rest",
        &[Any],
        ListType,
        doc(
            "All elements but the first. Fails for what is no list.",
            r#"{{ splitList "." .host | rest | join "." }}"#,
            "example.com",
        ),
        rest,
    ),
    Function::new(
        "mustRest",
        &[Any],
        ListType,
        doc("Same as `rest`.", r#"{{ splitList "." .host | mustRest | join "." }}"#, "example.com"),
        rest,
    ),
    Function::new(
        "initial",
        &[Any],
        ListType,
        doc(
            "All elements but the last. Fails for what is no list.",
            r#"{{ splitList "." .host | initial | join "." }}"#,
            "db.example",
        ),
        initial,
    ),
    Function::new(
        "mustInitial",
        &[Any],
        ListType,
        doc("Same as `initial`.", r#"{{ splitList "." .host | mustInitial | join "." }}"#, "db.example"),
        initial,
    ),
    Function::new(
        "append",
        &[Any, Any],
        ListType,
        doc(
            "A new list with one element behind: list, element. Fails for what is no list.",
            r#"{{ append (splitList "," .hosts) "db-3.example.com" | last }}"#,
            "db-3.example.com",
        ),
        append,
    ),
    Function::new(
        "mustAppend",
        &[Any, Any],
        ListType,
        doc("Same as `append`.", r#"{{ mustAppend (list .user) "admin" | join "," }}"#, "app,admin"),
        append,
    ),
    Function::new(
        "push",
        &[Any, Any],
        ListType,
        doc("Same as `append`.", r#"{{ push (list .user) "admin" | join "," }}"#, "app,admin"),
        append,
    ),
    Function::new(
        "mustPush",
        &[Any, Any],
        ListType,
        doc("Same as `append`.", r#"{{ mustPush (list .user) "admin" | join "," }}"#, "app,admin"),
        append,
    ),
    Function::new(
        "prepend",
        &[Any, Any],
        ListType,
        doc(
            "A new list with one element before: list, element. Fails for what is no list.",
            r#"{{ prepend (list .user) "admin" | join "," }}"#,
            "admin,app",
        ),
        prepend,
    ),
    Function::new(
        "mustPrepend",
        &[Any, Any],
        ListType,
        doc("Same as `prepend`.", r#"{{ mustPrepend (list .user) "admin" | join "," }}"#, "admin,app"),
        prepend,
    ),
    Function::variadic(
        "concat",
        &[],
        Any,
        Any,
        doc(
            "The elements of all lists, in one. Fails for what is no list.",
            r#"{{ concat (splitList "," .hosts) (list .host) | len }} hosts"#,
            "4 hosts",
        ),
        concat,
    ),
    Function::new(
        "reverse",
        &[Any],
        ListType,
        doc(
            "The elements from the last to the first. Fails for what is no list.",
            r#"{{ splitList "." .host | reverse | join "." }}"#,
            "com.example.db",
        ),
        reverse,
    ),
    Function::new(
        "mustReverse",
        &[Any],
        ListType,
        doc("Same as `reverse`.", r#"{{ splitList "." .host | mustReverse | join "." }}"#, "com.example.db"),
        reverse,
    ),
    Function::new(
        "uniq",
        &[Any],
        ListType,
        doc(
            "The elements without repetitions, in the order of their first occurrence. Fails for what is no list.",
            r#"{{ splitList "," .hosts | uniq | join "," }}"#,
            "db-1.example.com,db-2.example.com",
        ),
        uniq,
    ),
    Function::new(
        "mustUniq",
        &[Any],
        ListType,
        doc("Same as `uniq`.", r#"{{ splitList "," .hosts | mustUniq | len }} hosts"#, "2 hosts"),
        uniq,
    ),
    Function::variadic(
        "without",
        &[Any],
        Any,
        ListType,
        doc(
            "The elements of the first argument that equal none of the others. Fails for what is no list.",
            r#"{{ without (splitList "," .hosts) "db-1.example.com" | join "," }}"#,
            "db-2.example.com",
        ),
        without,
    ),
    Function::variadic(
        "mustWithout",
        &[Any],
        Any,
        ListType,
        doc("Same as `without`.", r#"{{ mustWithout (list .user .empty) "" | join "," }}"#, "app"),
        without,
    ),
    Function::new(
        "has",
        &[Any, Any],
        Bool,
        doc(
            "Whether a list has an element: first the element, then the list. False for nil; fails for what else \
             is no list.",
            r#"{{ has "db-2.example.com" (splitList "," .hosts) }}"#,
            "true",
        ),
        has,
    ),
    Function::new(
        "mustHas",
        &[Any, Any],
        Bool,
        doc("Same as `has`.", r#"{{ splitList "," .hosts | mustHas .host }}"#, "false"),
        has,
    ),
    Function::new(
        "compact",
        &[Any],
        ListType,
        doc(
            "The elements that are not empty. Fails for what is no list.",
            r#"{{ list .user .empty .host | compact | join "@" }}"#,
            "app@db.example.com",
        ),
        compact,
    ),
    Function::new(
        "mustCompact",
        &[Any],
        ListType,
        doc("Same as `compact`.", "{{ list .user .empty .host | mustCompact | len }}", "2"),
        compact,
    ),
    Function::variadic(
        "slice",
        &[Any],
        Any,
        Any,
        doc(
            "The elements from a start, which defaults to 0, to before an end, which defaults to all: list, start, \
             end. Fails outside of the list and for a text, which `substr` cuts.",
            r#"{{ slice (splitList "," .hosts) 0 2 | join "," }}"#,
            "db-1.example.com,db-2.example.com",
        ),
        slice,
    ),
    Function::variadic(
        "mustSlice",
        &[Any],
        Any,
        Any,
        doc(
            "Same as `slice`.",
            r#"{{ mustSlice (splitList "," .hosts) 1 | join "," }}"#,
            "db-2.example.com,db-1.example.com",
        ),
        slice,
    ),
    Function::new(
        "chunk",
        &[Int, Any],
        Any,
        doc(
            "A list of lists of so many elements each, the last one of what is left: number, list. Fails for a \
             number below 1.",
            r#"{{ range chunk 2 (splitList "," .hosts) }}{{ join "," . }};{{ end }}"#,
            "db-1.example.com,db-2.example.com;db-1.example.com;",
        ),
        chunk,
    ),
    Function::new(
        "mustChunk",
        &[Int, Any],
        Any,
        doc("Same as `chunk`.", "{{ mustChunk 2 (list 1 2 3) | toJson }}", "[[1,2],[3]]"),
        chunk,
    ),
];

/// A list of anything.
pub(super) fn list(items: Vec<Value>) -> Result<Value, Message> {
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

fn first(args: &Args, name: &str) -> Result<Value, Message> {
    Ok(list_at(args, 0, &format!("find {name} on"))?.items().first().cloned().unwrap_or(Value::Nil))
}

fn last(args: &Args, name: &str) -> Result<Value, Message> {
    Ok(list_at(args, 0, &format!("find {name} on"))?.items().last().cloned().unwrap_or(Value::Nil))
}

fn rest(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let items = list_at(args, 0, "find rest on")?.items();
    items.get(1..).map_or_else(|| Ok(nil()), |rest| list(rest.to_vec()))
}

fn initial(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let items = list_at(args, 0, "find initial on")?.items();
    items.split_last().map_or_else(|| Ok(nil()), |(_, before)| list(before.to_vec()))
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
            return Err(Message::ours(format!("Cannot concat type {} as list", value.kind_name())));
        };
        context.check_elements(items.len() + list.len())?;
        items.extend_from_slice(list.items());
    }
    if items.is_empty() { Ok(nil()) } else { list(items) }
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

fn chunk(_: &mut Context, args: &Args) -> Result<Value, Message> {
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
