//! A parsed template.
//!
//! Statement lists lie in one arena and refer to each other by number, so that a deeply nested template is dropped
//! and executed without recursion. Expressions nest only by parentheses, whose depth the parser bounds.

use std::collections::BTreeMap;

use crate::data::Bytes;
use crate::fmt::quote::quoted_text;
use crate::funcs::Function;
use crate::number::parse_uint;
use crate::text::lossy;

/// The number of a statement list in [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListId(pub(crate) usize);

/// All templates of one text.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) lists: Vec<Vec<Node>>,
    pub(crate) trees: BTreeMap<Vec<u8>, ListId>,
}

impl Program {
    pub(crate) fn list(&self, id: ListId) -> &[Node] {
        self.lists.get(id.0).map_or(&[], Vec::as_slice)
    }

    /// Whether a list prints nothing but space.
    pub(crate) fn is_blank(&self, id: ListId) -> bool {
        self.list(id).iter().all(|node| matches!(node, Node::Text(text) if text.trim_ascii().is_empty()))
    }
}

/// A statement.
pub(crate) enum Node {
    Text(Bytes),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Call),
    Break,
    Continue,
}

/// A pipeline that decides between two lists.
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) list: ListId,
    pub(crate) otherwise: Option<ListId>,
}

/// `{{template "name" pipe}}`.
pub(crate) struct Call {
    pub(crate) pos: usize,
    pub(crate) name: Vec<u8>,
    pub(crate) pipe: Option<Pipe>,
}

/// Commands joined by `|`, with the variables they set.
pub(crate) struct Pipe {
    pub(crate) pos: usize,
    pub(crate) decl: Vec<String>,
    /// `=` instead of `:=`.
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Command>,
}

/// An operand with its arguments; never empty.
pub(crate) struct Command {
    pub(crate) pos: usize,
    pub(crate) args: Vec<Expr>,
}

/// An operand.
pub(crate) struct Expr {
    pub(crate) pos: usize,
    pub(crate) term: Term,
}

/// What an operand is.
pub(crate) enum Term {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Str {
        literal: Bytes,
        value: Bytes,
    },
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`, of which `fields` may be empty.
    Variable {
        name: String,
        fields: Vec<String>,
    },
    Function(&'static Function),
    Pipe(Box<Pipe>),
    /// `(pipe).a.b` or `function.a.b`
    Chain {
        base: Box<Expr>,
        fields: Vec<String>,
    },
}

/// A numeric literal with every type it can take.
#[derive(Clone)]
pub(crate) struct Number {
    pub(crate) literal: String,
    pub(crate) int: Option<i64>,
    pub(crate) float: Option<f64>,
    /// Written with an imaginary part, which may be 0.
    pub(crate) complex: Option<(f64, f64)>,
}

impl Number {
    /// The literal as `uint64`.
    pub(crate) fn unsigned(&self) -> Option<u64> {
        match self.int {
            Some(int) => u64::try_from(int).ok(),
            None => parse_uint(self.literal.as_bytes(), 0),
        }
    }
}

impl Call {
    /// The call as errors quote it.
    pub(crate) fn source(&self) -> String {
        let name = quoted_text(&self.name);
        match &self.pipe {
            Some(pipe) => format!("{{{{template {name} {}}}}}", pipe.source()),
            None => format!("{{{{template {name}}}}}"),
        }
    }
}

impl Pipe {
    /// The pipeline as errors quote it.
    pub(crate) fn source(&self) -> String {
        let mut text = self.decl.join(", ");
        if !text.is_empty() {
            text.push_str(if self.assigns { " = " } else { " := " });
        }
        let commands: Vec<String> = self.commands.iter().map(Command::source).collect();
        text + &commands.join(" | ")
    }
}

impl Command {
    /// The command as errors quote it.
    pub(crate) fn source(&self) -> String {
        let args: Vec<String> = self.args.iter().map(Expr::source_in_parens).collect();
        args.join(" ")
    }
}

impl Expr {
    /// The operand as errors quote it.
    pub(crate) fn source(&self) -> String {
        match &self.term {
            Term::Dot => ".".to_owned(),
            Term::Nil => "nil".to_owned(),
            Term::Bool(value) => value.to_string(),
            Term::Number(number) => number.literal.clone(),
            Term::Str { literal, .. } => lossy(literal),
            Term::Field(names) => dotted(String::new(), names),
            Term::Variable { name, fields } => dotted(name.clone(), fields),
            Term::Function(function) => function.name.to_owned(),
            Term::Pipe(pipe) => pipe.source(),
            Term::Chain { base, fields } => dotted(base.source_in_parens(), fields),
        }
    }

    /// The operand as one of several in a command.
    pub(crate) fn source_in_parens(&self) -> String {
        match &self.term {
            Term::Pipe(pipe) => format!("({})", pipe.source()),
            _ => self.source(),
        }
    }
}

fn dotted(mut text: String, names: &[String]) -> String {
    for name in names {
        text.push('.');
        text.push_str(name);
    }
    text
}
