//! Parts of a template as errors quote them.

use super::{Call, Command, Expr, Pipe, Program, Span, Term};
use crate::fmt::quote::quoted_text;
use crate::text::lossy;

impl Program {
    pub(crate) fn call_source(&self, call: &Call) -> String {
        let name = quoted_text(&call.name);
        match &call.pipe {
            Some(pipe) => format!("{{{{template {name} {}}}}}", self.pipe_source(pipe)),
            None => format!("{{{{template {name}}}}}"),
        }
    }

    pub(crate) fn pipe_source(&self, pipe: &Pipe) -> String {
        let names: Vec<String> = pipe.decl.names().iter().map(|&name| self.written(name)).collect();
        let mut text = names.join(", ");
        if !text.is_empty() {
            text.push_str(if pipe.assigns { " = " } else { " := " });
        }
        let commands: Vec<String> = self.commands(pipe).iter().map(|command| self.command_source(command)).collect();
        text + &commands.join(" | ")
    }

    pub(crate) fn command_source(&self, command: &Command) -> String {
        let args: Vec<String> = self.args(command).iter().map(|arg| self.source_in_parens(arg)).collect();
        args.join(" ")
    }

    pub(crate) fn expr_source(&self, expr: &Expr) -> String {
        match &expr.term {
            Term::Dot => ".".to_owned(),
            Term::Nil => "nil".to_owned(),
            Term::Bool(value) => value.to_string(),
            Term::Number(number) => self.written(number.literal),
            Term::Str { literal, .. } => self.written(*literal),
            Term::Field(fields) => self.written(*fields),
            Term::Variable { name, fields } => self.written(*name) + &self.written(*fields),
            Term::Function(function) => function.name.to_owned(),
            Term::Pipe(pipe) => self.pipe_source(pipe),
            Term::Chain { base, fields } => {
                let base = self.base(*base).map(|base| self.source_in_parens(base)).unwrap_or_default();
                base + &self.written(*fields)
            }
        }
    }

    /// The operand as one of several in a command.
    fn source_in_parens(&self, expr: &Expr) -> String {
        match &expr.term {
            Term::Pipe(pipe) => format!("({})", self.pipe_source(pipe)),
            _ => self.expr_source(expr),
        }
    }

    fn written(&self, span: Span) -> String {
        lossy(self.text(span))
    }
}
