//! `merge` and `mergeOverwrite`.

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
    let target = args.map(0);
    for source in args.rest(1) {
        if let Value::Map(source) = source {
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
            (Some(Value::Map(inner)), Value::Map(outer)) if !inner.has_strings() && !outer.has_strings() => {
                merge(context, &inner, outer, rule)?;
            }
            (Some(present), _) if rule == Rule::Fill && present.is_true() => {}
            (_, Value::Nil) if rule == Rule::Fill => {}
            _ => put(context, target, &key, value)?,
        }
    }
    Ok(())
}
