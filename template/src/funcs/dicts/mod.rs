//! Maps. `set`, `unset` and `merge` change the map they are given, and everyone who holds it sees that.

use std::collections::BTreeMap;

use super::Type::{Any, Bool, List as ListType, Map as MapType, Str, Strings};
use super::strings::to_text;
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::value::{List, Map, Value};

mod merge;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("dict", &[], Any, MapType, doc("A map of keys and values in turn.", "", ""), dict),
    Function::new("get", &[MapType, Str], Any, doc("The value of a key, or an empty text.", "", ""), |_, args| {
        Ok(args.map(0).find(args.str(1)).unwrap_or_else(|| Value::text("")))
    }),
    Function::new("set", &[MapType, Str, Any], MapType, doc("The map, now with that value.", "", ""), set),
    Function::new("unset", &[MapType, Str], MapType, doc("The map, now without that key.", "", ""), |_, args| {
        let map = args.map(0);
        map.remove(args.str(1));
        Ok(Value::Map(map))
    }),
    Function::new("hasKey", &[MapType, Str], Bool, doc("Whether the map has the key.", "", ""), |_, args| {
        Ok(Value::Bool(args.map(0).find(args.str(1)).is_some()))
    }),
    Function::variadic("keys", &[], MapType, Strings, doc("The keys of all maps.", "", ""), keys),
    Function::new("values", &[MapType], ListType, doc("The values.", "", ""), |_, args| {
        super::lists::list(args.map(0).entries().into_iter().map(|(_, value)| value).collect())
    }),
    Function::variadic(
        "pluck",
        &[Str],
        MapType,
        ListType,
        doc("The key's value in each map that has it.", "", ""),
        |_, args| {
            let maps = args.rest(1).iter().filter_map(|value| match value {
                Value::Map(map) => map.find(args.str(0)),
                _ => None,
            });
            super::lists::list(maps.collect())
        },
    ),
    Function::variadic("pick", &[MapType], Str, MapType, doc("A map of those keys only.", "", ""), pick),
    Function::variadic("omit", &[MapType], Str, MapType, doc("A map without those keys.", "", ""), omit),
    Function::variadic("dig", &[], Any, Any, doc("The value under nested keys, or a default.", "", ""), dig),
    Function::variadic(
        "merge",
        &[MapType],
        MapType,
        Any,
        doc("The first map, filled from the others.", "", ""),
        merge::fill,
    ),
    Function::variadic(
        "mustMerge",
        &[MapType],
        MapType,
        Any,
        doc("The first map, filled from the others.", "", ""),
        merge::fill,
    ),
    Function::variadic(
        "mergeOverwrite",
        &[MapType],
        MapType,
        Any,
        doc("The first map, overwritten by the others.", "", ""),
        merge::overwrite,
    ),
    Function::variadic(
        "mustMergeOverwrite",
        &[MapType],
        MapType,
        Any,
        doc("The first map, overwritten by the others.", "", ""),
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
    for key in before {
        match map.find(as_str(key)?) {
            Some(value) => map = as_map(&value)?,
            None => return Ok(default.clone()),
        }
    }
    Ok(map.find(as_str(last)?).unwrap_or_else(|| default.clone()))
}

fn as_map(value: &Value) -> Result<Map, Message> {
    match value {
        Value::Map(map) if !map.of_strings => Ok(map.clone()),
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
    format!("interface conversion: interface {{}} is {got}, not {wanted}").into()
}
