//! Loops.

use zeroize::Zeroizing;

use super::{Frame, Machine, Operand, SHOWN_BYTES};
use crate::ast::{Branch, Span};
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::print_verb;
use crate::value::{Elem, List, Value};

/// The turns of a loop that are left.
pub(super) enum Turns {
    List {
        list: List,
        next: usize,
    },
    /// Entries in reverse, so that the next one is at the end.
    Map {
        entries: Vec<(Bytes, Value)>,
        any: bool,
    },
    Count {
        next: u64,
        end: u64,
        like: Value,
    },
}

impl Turns {
    /// Index and element of the next turn.
    fn next(&mut self) -> Option<(Operand, Operand)> {
        match self {
            Self::List { list, next } => {
                let value = list.items().get(*next)?.clone();
                let index = Value::length(*next);
                *next += 1;
                Some((Operand::typed(index), Operand { value, any: list.elem == Elem::Any }))
            }
            Self::Map { entries, any } => {
                let (key, value) = entries.pop()?;
                Some((Operand::typed(Value::Str(key)), Operand { value, any: *any }))
            }
            Self::Count { next, end, like } => {
                if next >= end {
                    return None;
                }
                let element = match like {
                    Value::Uint(kind, _) => Value::Uint(*kind, *next),
                    Value::Int(kind, _) => Value::Int(*kind, i64::try_from(*next).unwrap_or(i64::MAX)),
                    Value::Object(object) => object.with_number(*next),
                    _ => Value::Nil,
                };
                *next += 1;
                Some((Operand::absent(), Operand::typed(element)))
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::List { list, .. } => list.is_empty(),
            Self::Map { entries, .. } => entries.is_empty(),
            Self::Count { end, .. } => *end == 0,
        }
    }
}

impl<'p> Machine<'p, '_, '_> {
    /// Begins a loop, or its `{{else}}` when there is nothing to iterate.
    pub(super) fn range(&mut self, branch: &'p Branch) -> Result<(), Message> {
        let variables = self.variables.len();
        let value = self.pipeline(&branch.pipe)?.value;
        let turns = match &value {
            Value::List(list) => Some(Turns::List { list: list.clone(), next: 0 }),
            Value::Map(map) => {
                let mut entries = map.entries();
                self.context.spend(entries.len())?;
                entries.reverse();
                Some(Turns::Map { entries, any: !map.has_strings() })
            }
            Value::Int(_, end) => Some(count(branch, u64::try_from(*end).unwrap_or(0), &value)?),
            Value::Uint(_, end) => Some(count(branch, *end, &value)?),
            Value::Object(object) if object.number().is_some() => {
                let end = object.number().and_then(|end| u64::try_from(end).ok()).unwrap_or(0);
                Some(count(branch, end, &value)?)
            }
            Value::Nil => None,
            other => {
                return Err(Message::plain("range can't iterate over ").data(Zeroizing::new(print_verb(
                    other,
                    'v',
                    SHOWN_BYTES,
                )?)));
            }
        };
        if let Some(turns) = turns.filter(|turns| !turns.is_empty()) {
            let dot = self.dot.clone();
            self.frames.push(Frame::Range { branch, turns, variables, dot });
        } else {
            self.block(variables, true);
            self.choose(branch, false);
        }
        Ok(())
    }

    /// Runs the next turn of the innermost loop, or ends it.
    pub(super) fn turn(&mut self) -> Result<(), Message> {
        self.context.spend(1)?;
        let Some(Frame::Range { branch, turns, variables, .. }) = self.frames.last_mut() else { return Ok(()) };
        let branch: &'p Branch = branch;
        // The variables of the loop itself stay, those of the turn before go.
        let own = if branch.pipe.assigns { 0 } else { branch.pipe.decl.names().len() };
        let kept = *variables + own;
        let Some((index, element)) = turns.next() else {
            self.leave();
            return Ok(());
        };
        self.variables.truncate(kept);
        match *branch.pipe.decl.names() {
            [] => {}
            [only] => self.bind(branch, only, 1, element.clone())?,
            [first, second, ..] => {
                self.bind(branch, first, 2, index)?;
                self.bind(branch, second, 1, element.clone())?;
            }
        }
        self.dot = element;
        self.enter(branch.list);
        Ok(())
    }

    /// Sets a loop variable: an outer one by `=`, or the one `from_top`.
    fn bind(&mut self, branch: &Branch, name: Span, from_top: usize, value: Operand) -> Result<(), Message> {
        if branch.pipe.assigns {
            return self.assign(self.program.text(name), value);
        }
        let index = self.variables.len().checked_sub(from_top);
        if let Some((_, slot)) = index.and_then(|index| self.variables.get_mut(index)) {
            *slot = value;
        }
        Ok(())
    }
}

fn count(branch: &Branch, end: u64, like: &Value) -> Result<Turns, Message> {
    if branch.pipe.decl.names().len() > 1 {
        let value = print_verb(like, 'v', SHOWN_BYTES)?;
        return Err(Message::plain("can't use ").data(value).text(" to iterate over more than one variable"));
    }
    Ok(Turns::Count { next: 0, end, like: like.clone() })
}
