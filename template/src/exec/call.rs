//! Calling functions: arity, argument types, and the two operators that do not evaluate all arguments.

use super::eval::check;
use super::{At, Machine, Operand, SHOWN_BYTES};
use crate::ast::{Expr, Term};
use crate::error::Message;
use crate::fmt::print_verb;
use crate::funcs::{Function, Type};
use crate::text::lossy;
use crate::value::Value;

impl<'p> Machine<'p, '_, '_> {
    /// Calls `function` with `args` and the value of the pipeline so far. Errors of the function itself are about
    /// `node`. A method gets its object as first argument.
    pub(super) fn call(
        &mut self,
        function: &'static Function,
        node: At<'p>,
        object: Option<Value>,
        args: &'p [Expr],
        last: Option<Operand>,
    ) -> Result<Operand, Message> {
        check_count(function, args.len(), last.is_some())?;
        if matches!(function.name, "and" | "or") && object.is_none() {
            return self.short_circuit(function.name == "or", args, last);
        }
        let begin = self.stack.len();
        self.stack.extend(object);
        for (index, arg) in args.iter().enumerate() {
            let value = self.argument(function.param(index), arg)?;
            self.stack.push(value);
        }
        if let Some(last) = last {
            self.stack.push(check(last, function.param(args.len()))?);
        }
        let values = self.stack.get(begin..).unwrap_or_default();
        for value in values {
            if let Value::Str(bytes) = value {
                self.context.spend_on_bytes(bytes.len())?;
            }
        }
        let result = if function.name == "call" {
            Err(not_callable(args.first().map(|arg| self.program.expr_source(arg)), values.first()))
        } else {
            function.call(self.context, values).and_then(|value| self.context.account(&value).map(|()| value))
        };
        self.stack.truncate(begin);
        match result {
            Ok(value) => Ok(Operand { value, any: function.returns_any() }),
            Err(message) => {
                let message = if function.name == "fail" { written(args).unwrap_or(message) } else { message };
                self.at = node;
                let mut whole = Message::ours(format!("error calling {}: ", function.name));
                whole.append(&message);
                Err(whole)
            }
        }
    }

    /// `and` and `or`: the first argument that decides, or the last.
    fn short_circuit(&mut self, stop_at: bool, args: &'p [Expr], last: Option<Operand>) -> Result<Operand, Message> {
        let mut value = Value::Nil;
        for arg in args {
            value = self.argument(Type::Reflect, arg)?;
            if value.is_true() == stop_at {
                return Ok(Operand::any(value));
            }
        }
        Ok(Operand::any(last.map_or(value, |last| last.value)))
    }
}

fn check_count(function: &Function, given: usize, piped: bool) -> Result<(), Message> {
    let total = given + usize::from(piped);
    let (name, required) = (function.name, function.required());
    if function.is_variadic() {
        if total < required {
            return Err(Message::ours(format!(
                "wrong number of args for {name}: want at least {required} got {given}"
            )));
        }
    } else if total != required {
        return Err(Message::ours(format!("wrong number of args for {name}: want {required} got {total}")));
    }
    Ok(())
}

/// The message that `fail` is given in the template itself, and which may therefore be shown.
fn written(args: &[Expr]) -> Option<Message> {
    match args {
        [Expr { term: Term::Str { value, .. }, .. }] => Some(Message::default().source(lossy(value))),
        _ => None,
    }
}

/// No value that a template can hold is a function.
fn not_callable(arg: Option<String>, value: Option<&Value>) -> Message {
    match value {
        None | Some(Value::Nil) => "call of nil".into(),
        Some(value) => {
            // Piped in, it has no source, and Go shows a text, but only the type of anything else.
            let start = Message::plain("non-function ");
            let named = match (arg, value) {
                (Some(arg), _) => start.source(arg),
                (None, Value::Str(_)) => start.data(print_verb(value, 'v', SHOWN_BYTES).unwrap_or_default()),
                (None, _) => start.words(format!("<{} Value>", value.type_name())),
            };
            named.text(" of type ").words(value.type_name())
        }
    }
}
