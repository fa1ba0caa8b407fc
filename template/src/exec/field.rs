//! `.a.b`: entries of maps, fields and methods of objects.

use super::{At, Machine, Operand};
use crate::ast::Expr;
use crate::error::Message;
use crate::fmt::quote::quoted_text;
use crate::limits::MissingKey;
use crate::value::Value;

impl<'p> Machine<'p, '_, '_> {
    /// Follows `names` from `receiver`; arguments go to the last of them.
    pub(super) fn fields(
        &mut self,
        expr: &'p Expr,
        mut receiver: Operand,
        names: &[String],
        args: &'p [Expr],
        last: Option<Operand>,
    ) -> Result<Operand, Message> {
        let Some((name, before)) = names.split_last() else { return Ok(receiver) };
        for name in before {
            receiver = self.field(expr, &receiver, name, &[], None)?;
        }
        self.field(expr, &receiver, name, args, last)
    }

    fn field(
        &mut self,
        expr: &'p Expr,
        receiver: &Operand,
        name: &str,
        args: &'p [Expr],
        last: Option<Operand>,
    ) -> Result<Operand, Message> {
        let has_args = !args.is_empty() || last.is_some();
        match &receiver.value {
            Value::Nil if receiver.any => Err(Message::plain("nil pointer evaluating interface {}.").source(name)),
            Value::Nil => match self.context.options().missing_key {
                MissingKey::Error => Err(no_entry("nil data; no entry for key ", name)),
                MissingKey::Default => Ok(Operand::absent()),
            },
            Value::Map(_) if has_args => {
                Err(Message::default().source(name).text(" is not a method but has arguments"))
            }
            Value::Map(map) => match (map.find(name.as_bytes()), self.context.options().missing_key) {
                (Some(value), _) => Ok(Operand { value, any: !map.has_strings() }),
                (None, MissingKey::Default) => Ok(Operand::absent()),
                (None, MissingKey::Error) => Err(no_entry("map has no entry for key ", name)),
            },
            Value::Object(object) => match object.method(name) {
                Some(method) => self.call(method, At::Expr(expr), Some(receiver.value.clone()), args, last),
                None if object.hides(name) => {
                    let start = Message::default().source(name).text(" is an unexported field of struct type ");
                    Err(start.words(receiver.type_name()))
                }
                None if object.refusal(name).is_some_and(|_| has_args) => {
                    let given = args.len() + usize::from(last.is_some());
                    Err(format!("wrong number of args for {name}: want 0 got {given}").into())
                }
                None => match object.fields().into_iter().flatten().find(|(known, _)| *known == name) {
                    Some(_) if has_args => {
                        Err(format!("{name} has arguments but cannot be invoked as function").into())
                    }
                    Some((_, value)) => Ok(Operand::typed(Value::Str(value.clone()))),
                    None => Err(object.refusal(name).map_or_else(|| cannot_evaluate(name, receiver), Message::from)),
                },
            },
            _ => Err(cannot_evaluate(name, receiver)),
        }
    }
}

fn no_entry(problem: &'static str, name: &str) -> Message {
    Message::plain(problem).source(quoted_text(name.as_bytes()))
}

fn cannot_evaluate(name: &str, receiver: &Operand) -> Message {
    Message::plain("can't evaluate field ").source(name).text(" in type ").words(receiver.type_name())
}
