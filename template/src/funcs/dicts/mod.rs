//! Maps. `set`, `unset` and `merge` change the map they are given, and everyone who holds it sees that.

use std::collections::BTreeMap;

use super::Type::{Any, Bool, List as ListType, Map as MapType, Str, Strings};
use super::parts::to_text;
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::value::{List, Map, Value};

mod merge;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic(
        "dict",
        &[],
        Any,
        MapType,
        doc(
            "A map of keys and values in turn. A key without a value gets an empty text; what is no text becomes \
             one as a key.",
            r#"{{ dict "user" .user "port" .port | toJson }}"#,
            r#"{"port":"5432","user":"app"}"#,
        ),
        dict,
    ),
    Function::new(
        "get",
        &[MapType, Str],
        Any,
        doc(
            "The value of a key, or an empty text: map, key. The data itself is a map of texts, which this and the \
             other functions for maps refuse; `index . \"key\"` reads from it.",
            r#"{{ get (fromJson .json).db "user" }}"#,
            "app",
        ),
        |_, args| Ok(args.map(0).find(args.str(1)).unwrap_or_else(|| Value::text(""))),
    ),
    Function::new(
        "set",
        &[MapType, Str, Any],
        MapType,
        doc(
            "Puts a value into the map itself, and gives the map: map, key, value. Every variable that holds the \
             map sees it.",
            r#"{{ $db := (fromJson .json).db }}{{ $_ := set $db "host" .host }}{{ toJson $db }}"#,
            r#"{"host":"db.example.com","port":5432,"user":"app"}"#,
        ),
        set,
    ),
    Function::new(
        "unset",
        &[MapType, Str],
        MapType,
        doc(
            "Takes a key out of the map itself, and gives the map: map, key.",
            r#"{{ unset (fromJson .json).db "port" | toJson }}"#,
            r#"{"user":"app"}"#,
        ),
        |_, args| {
            let map = args.map(0);
            map.remove(args.str(1));
            Ok(Value::Map(map))
        },
    ),
    Function::new(
        "hasKey",
        &[MapType, Str],
        Bool,
        doc(
            "Whether the map has the key, be it nil or empty: map, key.",
            r#"{{ hasKey (fromJson .json) "expires" }}"#,
            "true",
        ),
        |_, args| Ok(Value::Bool(args.map(0).find(args.str(1)).is_some())),
    ),
    Function::variadic(
        "keys",
        &[],
        MapType,
        Strings,
        doc(
            "The keys of all maps, in order here and in no order in Go.",
            r#"{{ fromJson .json | keys | sortAlpha | join "," }}"#,
            "db,expires,tags",
        ),
        keys,
    ),
    Function::new(
        "values",
        &[MapType],
        ListType,
        doc(
            "The values of a map, in the order of their keys here and in no order in Go.",
            r#"{{ (fromJson .json).db | values | sortAlpha | join "," }}"#,
            "5432,app",
        ),
        |_, args| super::lists::list(args.map(0).entries().into_iter().map(|(_, value)| value).collect()),
    ),
    Function::variadic(
        "pluck",
        &[Str],
        MapType,
        ListType,
        doc(
            "The value of a key in each map that has it: key, maps.",
            r#"{{ pluck "user" (fromJson .json).db (dict "user" "admin") | join "," }}"#,
            "app,admin",
        ),
        |_, args| {
            let maps = args.rest(1).iter().filter_map(|value| match value {
                Value::Map(map) => map.find(args.str(0)),
                _ => None,
            });
            super::lists::list(maps.collect())
        },
    ),
    Function::variadic(
        "pick",
        &[MapType],
        Str,
        MapType,
        doc(
            "A new map of the given keys only: map, keys.",
            r#"{{ pick (fromJson .json) "tags" | toJson }}"#,
            r#"{"tags":["blue","green"]}"#,
        ),
        pick,
    ),
    Function::variadic(
        "omit",
        &[MapType],
        Str,
        MapType,
        doc(
            "A new map without the given keys: map, keys.",
            r#"{{ omit (fromJson .json) "db" "tags" | toJson }}"#,
            r#"{"expires":null}"#,
        ),
        omit,
    ),
    Function::variadic(
        "dig",
        &[],
        Any,
        Any,
        doc(
            "The value under nested keys: the keys from the outermost on, the default, the map. The default stands \
             for an absent key; a value on the way that is no map fails.",
            r#"{{ fromJson .json | dig "db" "sslmode" "require" }}"#,
            "require",
        ),
        dig,
    ),
    Function::variadic(
        "merge",
        &[MapType],
        MapType,
        Any,
        doc(
            "Fills the first map from the others and gives it: what it lacks or has empty is taken from the next \
             map that has it. Nested maps are merged alike, in place.",
            r#"{{ merge (dict "user" "admin") (fromJson .json).db | toJson }}"#,
            r#"{"port":5432,"user":"admin"}"#,
        ),
        merge::fill,
    ),
    Function::variadic(
        "mustMerge",
        &[MapType],
        MapType,
        Any,
        doc(
            "Same as `merge`.",
            r#"{{ mustMerge (dict "port" "") (fromJson .json).db | toJson }}"#,
            r#"{"port":5432,"user":"app"}"#,
        ),
        merge::fill,
    ),
    Function::variadic(
        "mergeOverwrite",
        &[MapType],
        MapType,
        Any,
        doc(
            "Overwrites the first map with the others, the last one winning, and gives it. Nested maps are merged \
             alike, in place; empty values overwrite too.",
            r#"{{ mergeOverwrite (fromJson .json).db (dict "user" "admin") | toJson }}"#,
            r#"{"port":5432,"user":"admin"}"#,
        ),
        merge::overwrite,
    ),
    Function::variadic(
        "mustMergeOverwrite",
        &[MapType],
        MapType,
        Any,
        doc(
            "Same as `mergeOverwrite`.",
            r#"{{ mustMergeOverwrite (fromJson .json).db (dict "port" 6432) | toJson }}"#,
            r#"{"port":6432,"user":"app"}"#,
        ),
        merge::overwrite,
    ),
];

fn dict(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut entries = BTreeMap::new();
    for pair in args.all().chunks(2) {
        let key = to_text(context, pair.first().unwrap_or(&Value::Nil))?;
        entries.insert(key, pair.get(1).cloned().unwrap_or_else(|| Value::text("")));
    }
    Map::new(entries).map(Value::Map)
}

fn set(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let map = args.map(0);
    if map.is_nil() {
        return Err("assignment to entry in nil map".into());
    }
    put(context, &map, args.str(1), args.value(2).clone())?;
    Ok(Value::Map(map))
}

/// Stores a value in a map that others hold.
pub(super) fn put(context: &mut Context, map: &Map, key: &[u8], value: Value) -> Result<(), Message> {
    context.account(&Value::str(key))?;
    if matches!(value, Value::List(_) | Value::Map(_)) {
        context.changed(map);
    }
    map.insert(key.into(), value)
}

fn keys(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut keys = Vec::new();
    for value in args.all() {
        if let Value::Map(map) = value {
            context.spend(map.len())?;
            context.check_elements(keys.len() + map.len())?;
            keys.extend(map.entries().into_iter().map(|(key, _)| key));
        }
    }
    Ok(Value::List(List::of_strings(keys)))
}

fn pick(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let map = args.map(0);
    let mut entries = BTreeMap::new();
    for key in args.rest(1) {
        if let Value::Str(key) = key
            && let Some(value) = map.find(key)
        {
            entries.insert(key.clone(), value);
        }
    }
    Map::new(entries).map(Value::Map)
}

fn omit(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut entries: BTreeMap<_, _> = args.map(0).entries().into_iter().collect();
    context.spend(entries.len())?;
    for key in args.rest(1) {
        if let Value::Str(key) = key {
            entries.remove(key);
        }
    }
    Map::new(entries).map(Value::Map)
}

fn dig(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let [keys @ .., default, source] = args.all() else {
        return Err("dig needs at least three arguments".into());
    };
    let [before @ .., last] = keys else { return Err("dig needs at least three arguments".into()) };
    let mut map = as_map(source)?;
    let last = as_str(last)?;
    let before: Vec<&[u8]> = before.iter().map(as_str).collect::<Result<_, _>>()?;
    for key in before {
        match map.find(key) {
            Some(value) => map = as_map(&value)?,
            None => return Ok(default.clone()),
        }
    }
    Ok(map.find(last).unwrap_or_else(|| default.clone()))
}

fn as_map(value: &Value) -> Result<Map, Message> {
    match value {
        Value::Map(map) if !map.has_strings() => Ok(map.clone()),
        other => Err(conversion(other, "map[string]interface {}")),
    }
}

fn as_str(value: &Value) -> Result<&[u8], Message> {
    match value {
        Value::Str(bytes) => Ok(bytes),
        other => Err(conversion(other, "string")),
    }
}

fn conversion(value: &Value, wanted: &str) -> Message {
    let got = if matches!(value, Value::Nil) { "nil" } else { value.type_name() };
    Message::ours(format!("interface conversion: interface {{}} is {got}, not {wanted}"))
}
