//! `.a.b`: entries of maps, fields and methods of objects.

use super::{At, Machine, Operand};
use crate::ast::Expr;
use crate::error::Message;
use crate::fmt::quote::quoted_text;
use crate::limits::MissingKey;
use crate::text::lossy;
use crate::value::Value;

impl<'p> Machine<'p, '_, '_> {
    /// Follows `fields`, which are written `.a.b`, from `receiver`; arguments go to the last of them.
    pub(super) fn fields(
        &mut self,
        expr: &'p Expr,
        mut receiver: Operand,
        fields: &[u8],
        args: &'p [Expr],
        last: Option<Operand>,
    ) -> Result<Operand, Message> {
        let Some(last_dot) = fields.iter().rposition(|&byte| byte == b'.') else { return Ok(receiver) };
        let (before, name) = (&fields[..last_dot], &fields[last_dot + 1..]);
        for name in before.split(|&byte| byte == b'.').skip(1) {
            receiver = self.field(expr, &receiver, name, &[], None)?;
        }
        self.field(expr, &receiver, name, args, last)
    }

    fn field(
        &mut self,
        expr: &'p Expr,
        receiver: &Operand,
        name: &[u8],
        args: &'p [Expr],
        last: Option<Operand>,
    ) -> Result<Operand, Message> {
        let has_args = !args.is_empty() || last.is_some();
        let object = match &receiver.value {
            Value::Object(object) => object,
            Value::Map(_) if has_args => {
                return Err(Message::default().source(lossy(name)).text(" is not a method but has arguments"));
            }
            Value::Map(map) => {
                return match (map.find(name), self.context.options().missing_key) {
                    (Some(value), _) => Ok(Operand { value, any: !map.has_strings() }),
                    (None, MissingKey::Default) => Ok(Operand::absent()),
                    (None, MissingKey::Error) => Err(no_entry("map has no entry for key ", name)),
                };
            }
            Value::Nil if receiver.any => {
                return Err(Message::plain("nil pointer evaluating interface {}.").source(lossy(name)));
            }
            Value::Nil => {
                return match self.context.options().missing_key {
                    MissingKey::Error => Err(no_entry("nil data; no entry for key ", name)),
                    MissingKey::Default => Ok(Operand::absent()),
                };
            }
            _ => return Err(cannot_evaluate(name, receiver)),
        };
        let text = lossy(name);
        match object.method(&text) {
            Some(method) => self.call(method, At::Expr(expr), Some(receiver.value.clone()), args, last),
            None if object.hides(&text) => {
                let start = Message::default().source(text).text(" is an unexported field of struct type ");
                Err(start.words(receiver.type_name()))
            }
            None if object.refusal(&text).is_some_and(|_| has_args) => {
                let given = args.len() + usize::from(last.is_some());
                Err(format!("wrong number of args for {text}: want 0 got {given}").into())
            }
            None => match object.fields().into_iter().flatten().find(|(known, _)| *known == text) {
                Some(_) if has_args => Err(format!("{text} has arguments but cannot be invoked as function").into()),
                Some((_, value)) => Ok(Operand::typed(Value::Str(value.clone()))),
                None => Err(object.refusal(&text).map_or_else(|| cannot_evaluate(name, receiver), Message::from)),
            },
        }
    }
}

fn no_entry(problem: &'static str, name: &[u8]) -> Message {
    Message::plain(problem).source(quoted_text(name))
}

fn cannot_evaluate(name: &[u8], receiver: &Operand) -> Message {
    Message::plain("can't evaluate field ").source(lossy(name)).text(" in type ").words(receiver.type_name())
}
