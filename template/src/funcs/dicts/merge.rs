//! `merge` and `mergeOverwrite`.

use std::collections::BTreeMap;

use super::put;
use crate::context::Context;
use crate::error::Message;
use crate::funcs::Args;
use crate::value::{Map, Value};

/// Whether a value that is there already gives way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Only when it is empty.
    Fill,
    /// Always.
    Overwrite,
}

pub(super) fn fill(context: &mut Context, args: &Args) -> Result<Value, Message> {
    merge_all(context, args, Rule::Fill)
}

pub(super) fn overwrite(context: &mut Context, args: &Args) -> Result<Value, Message> {
    merge_all(context, args, Rule::Overwrite)
}

fn merge_all(context: &mut Context, args: &Args, rule: Rule) -> Result<Value, Message> {
    let mut target = args.map(0);
    for source in args.rest(1) {
        if let Value::Map(source) = source {
            // A map that is none becomes one as soon as there is something to merge, were it empty.
            if target.is_nil() && !source.is_nil() {
                target = Map::empty();
            }
            merge(context, &target, source, rule)?;
        }
    }
    Ok(Value::Map(target))
}

/// Merges `source` into `target`; maps on both sides of a key are merged in place.
fn merge(context: &mut Context, target: &Map, source: &Map, rule: Rule) -> Result<(), Message> {
    let _nested = context.nest()?;
    for (key, value) in source.entries() {
        context.spend(1)?;
        match (target.find(&key), &value) {
            (Some(Value::Map(inner)), Value::Map(outer)) if inner.has_strings() => {
                if let Some(merged) = merged_strings(&inner, outer, rule)? {
                    put(context, target, &key, merged)?;
                }
            }
            (Some(Value::Map(inner)), Value::Map(outer)) => merge(context, &inner, outer, rule)?,
            (Some(present), _) if rule == Rule::Fill && present.is_true() => {}
            (_, Value::Nil) if rule == Rule::Fill => {}
            _ => put(context, target, &key, value)?,
        }
    }
    Ok(())
}

/// A map of strings merged with another map; nothing where that is empty. Values of any type do not fit into it.
fn merged_strings(target: &Map, source: &Map, rule: Rule) -> Result<Option<Value>, Message> {
    if source.is_empty() {
        return Ok(None);
    }
    if !source.has_strings() {
        return Err("reflect.Value.SetMapIndex: value of type interface {} is not assignable to type string".into());
    }
    let strings = |map: &Map| {
        let entries = map.entries().into_iter().filter_map(|(key, value)| match value {
            Value::Str(text) => Some((key, text)),
            _ => None,
        });
        entries.collect::<BTreeMap<_, _>>()
    };
    let mut merged = strings(target);
    for (key, value) in strings(source) {
        let present = merged.get(&key).is_some_and(|present| !present.is_empty());
        if rule == Rule::Overwrite || !present {
            merged.insert(key, value);
        }
    }
    Ok(Some(Value::Map(Map::of_strings(merged))))
}
