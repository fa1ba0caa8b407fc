//! Pipelines, commands and operands.

use std::rc::Rc;

use super::{At, Machine, Operand, constant};
use crate::ast::{Command, Expr, Number, Numeric, Pipe, Span, Term};
use crate::error::Message;
use crate::funcs::Type;
use crate::object::Object;
use crate::text::lossy;
use crate::value::{UintKind, Value};

impl<'p> Machine<'p, '_, '_> {
    /// The value of a pipeline, whose variables it sets.
    pub(super) fn pipeline(&mut self, pipe: &'p Pipe) -> Result<Operand, Message> {
        self.at = At::Pipe(pipe);
        let mut last: Option<Operand> = None;
        for command in self.program.commands(pipe) {
            let mut value = self.command(command, last.take())?;
            // What lies in an interface stands for itself from here on.
            value.any = false;
            last = Some(value);
        }
        let value = last.unwrap_or_else(Operand::absent);
        for &name in pipe.decl.names() {
            let name = self.program.text(name);
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// Gives a visible variable a new value.
    pub(super) fn assign(&mut self, name: &[u8], value: Operand) -> Result<(), Message> {
        match self.variables[self.base..].iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => Err(undefined(name)),
        }
    }

    fn variable(&self, name: Span) -> Result<Operand, Message> {
        let name = self.program.text(name);
        let found = self.variables[self.base..].iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| undefined(name))
    }

    fn command(&mut self, command: &'p Command, last: Option<Operand>) -> Result<Operand, Message> {
        self.context.spend(1)?;
        let Some((first, args)) = self.program.args(command).split_first() else { return Err("empty command".into()) };
        match &first.term {
            Term::Field(_) | Term::Chain { .. } => return self.path(first, args, last),
            Term::Function(function) => {
                self.at = At::Expr(first);
                return self.call(function, At::Command(command), None, args, last);
            }
            Term::Pipe(pipe) => {
                self.no_arguments(first, args, last.as_ref())?;
                return self.pipeline(pipe);
            }
            Term::Variable { fields, .. } if !fields.is_empty() => return self.path(first, args, last),
            _ => {}
        }
        self.at = At::Expr(first);
        if let Term::Variable { name, .. } = &first.term {
            let value = self.variable(*name)?;
            self.no_arguments(first, args, last.as_ref())?;
            return Ok(value);
        }
        self.no_arguments(first, args, last.as_ref())?;
        match &first.term {
            Term::Nil => Err("nil is not a command".into()),
            _ => self.plain(first),
        }
    }

    /// A field, or fields behind a variable or chain; the last may be a method that takes arguments.
    fn path(&mut self, expr: &'p Expr, args: &'p [Expr], last: Option<Operand>) -> Result<Operand, Message> {
        self.at = At::Expr(expr);
        match &expr.term {
            Term::Field(fields) => self.fields(expr, self.dot.clone(), self.program.text(*fields), args, last),
            Term::Variable { name, fields } => {
                let value = self.variable(*name)?;
                self.fields(expr, value, self.program.text(*fields), args, last)
            }
            Term::Chain { base, fields } => {
                let Some(base) = self.program.base(*base) else { return Err("empty command".into()) };
                if matches!(base.term, Term::Nil) {
                    return Err(
                        Message::plain("indirection through explicit nil in ").source(self.program.expr_source(expr))
                    );
                }
                let value = self.operand(base)?;
                self.fields(expr, value, self.program.text(*fields), args, last)
            }
            _ => self.plain(expr),
        }
    }

    /// An argument whose type does not matter, with its static type.
    fn operand(&mut self, expr: &'p Expr) -> Result<Operand, Message> {
        self.at = At::Expr(expr);
        match &expr.term {
            Term::Field(_) | Term::Chain { .. } => self.path(expr, &[], None),
            Term::Variable { fields, .. } if !fields.is_empty() => self.path(expr, &[], None),
            Term::Variable { name, .. } => self.variable(*name),
            Term::Pipe(pipe) => self.pipeline(pipe),
            Term::Function(function) => self.call(function, At::Expr(expr), None, &[], None),
            _ => self.plain(expr),
        }
    }

    /// An argument of the type `wanted`.
    pub(super) fn argument(&mut self, wanted: Type, expr: &'p Expr) -> Result<Value, Message> {
        self.at = At::Expr(expr);
        match &expr.term {
            Term::Nil if wanted.can_be_nil() => Ok(Value::Nil),
            Term::Nil => Err(Message::ours(format!("cannot assign nil to {}", wanted.name()))),
            Term::Bool(_) | Term::Number(_) | Term::Str { .. } => self.literal(wanted, expr),
            _ => {
                let operand = self.operand(expr)?;
                check(operand, wanted)
            }
        }
    }

    /// A constant of the type `wanted`.
    fn literal(&self, wanted: Type, expr: &'p Expr) -> Result<Value, Message> {
        let expected = |what: &str| {
            Err(Message::plain("expected ").words(what).text("; found ").source(self.program.expr_source(expr)))
        };
        match (wanted, &expr.term) {
            (Type::Any | Type::Reflect, _) => self.plain(expr).map(|operand| operand.value),
            (Type::Bool, Term::Bool(value)) => Ok(Value::Bool(*value)),
            (Type::Bool, _) => expected("bool"),
            (Type::Str, Term::Str { value, .. }) => Ok(Value::Str(value.clone())),
            (Type::Str, _) => expected("string"),
            (Type::Int | Type::Int64 | Type::Object("time.Duration"), Term::Number(number)) => {
                match (wanted, number.value.int()) {
                    (_, None) => expected("integer"),
                    (Type::Int, Some(value)) => Ok(Value::int(value)),
                    (Type::Int64, Some(value)) => Ok(Value::int64(value)),
                    (_, Some(value)) => Ok(Value::Object(Rc::new(Object::Duration(value)))),
                }
            }
            (Type::Int | Type::Int64 | Type::Object("time.Duration"), _) => expected("integer"),
            (Type::Uint32, Term::Number(number)) => match number.value.uint() {
                // Go keeps the low bits of what does not fit.
                Some(value) => Ok(Value::Uint(UintKind::Uint64, value & u64::from(u32::MAX))),
                None => expected("unsigned integer"),
            },
            (Type::Uint32, _) => expected("unsigned integer"),
            (Type::Float, Term::Number(number)) => {
                number.value.float().map_or_else(|| expected("float"), |value| Ok(Value::Float(value)))
            }
            (Type::Float, _) => expected("float"),
            _ => Err(Message::plain("can't handle ")
                .source(self.program.expr_source(expr))
                .text(" for arg of type ")
                .words(wanted.name())),
        }
    }

    /// A constant or the dot.
    fn plain(&self, expr: &Expr) -> Result<Operand, Message> {
        match &expr.term {
            Term::Dot => Ok(self.dot.clone()),
            Term::Bool(value) => Ok(Operand::typed(Value::Bool(*value))),
            Term::Str { value, .. } => Ok(constant(value)),
            Term::Number(number) => self.ideal(number).map(Operand::typed),
            _ => Err(Message::plain("can't evaluate ").source(self.program.expr_source(expr))),
        }
    }

    /// What a number means where no type is asked for.
    fn ideal(&self, number: &Number) -> Result<Value, Message> {
        match (number.value, number.value.int()) {
            (Numeric::Complex(real, imaginary), _) => Ok(Value::Complex(real, imaginary)),
            (value, Some(int)) => {
                let float = value.float().filter(|_| number.looks_float);
                Ok(float.map_or(Value::int(int), Value::Float))
            }
            (Numeric::Float(float), None) if number.looks_float => Ok(Value::Float(float)),
            _ => Err(Message::default().source(lossy(self.program.text(number.literal))).text(" overflows int")),
        }
    }

    fn no_arguments(&self, expr: &Expr, args: &[Expr], last: Option<&Operand>) -> Result<(), Message> {
        if args.is_empty() && last.is_none() {
            return Ok(());
        }
        Err(Message::plain("can't give argument to non-function ").source(self.program.expr_source(expr)))
    }
}

/// A value as an argument of the type `wanted`.
pub(super) fn check(operand: Operand, wanted: Type) -> Result<Value, Message> {
    if matches!(operand.value, Value::Nil) && !operand.any {
        return match wanted {
            wanted if wanted.can_be_nil() => Ok(Value::Nil),
            wanted => Err(Message::ours(format!("invalid value; expected {}", wanted.name()))),
        };
    }
    if matches!(wanted, Type::Any | Type::Reflect) {
        return Ok(operand.value);
    }
    if matches!(operand.value, Value::Nil) {
        return Err(Message::ours(format!("wrong type for value; expected {}; got interface {{}}", wanted.name())));
    }
    if wanted.accepts(&operand.value) {
        return Ok(operand.value);
    }
    let got = operand.value.type_name();
    Err(Message::ours(format!("wrong type for value; expected {}; got {got}", wanted.name())))
}

fn undefined(name: &[u8]) -> Message {
    Message::plain("undefined variable: ").source(lossy(name))
}
