//! A parsed template.
//!
//! Parts of one kind lie in one table. They refer to each other by their places there, and to names and literals by
//! their places in the text, so that a template costs few allocations however many parts it has, and is dropped and
//! executed without recursion. Expressions nest only by parentheses, whose depth the parser bounds.

use std::collections::BTreeMap;

use crate::data::Bytes;
use crate::funcs::Function;

mod number;
mod source;

pub(crate) use number::{Number, Numeric};

/// Neighbours in one table of a [`Program`], or a stretch of its text in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Places beyond [`Span::MAX`] count as that.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let place = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        Self { start: place(start), end: place(end) }
    }

    /// The last place that a span reaches.
    pub(crate) const MAX: usize = u32::MAX as usize;

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// What the span covers.
    pub(crate) fn of<T>(self, table: &[T]) -> &[T] {
        table.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// From the start of this span to the end of another.
    pub(crate) fn up_to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// All templates of one text.
pub(crate) struct Program {
    /// The text, overwritten when the program goes.
    pub(crate) text: Bytes,
    /// The template that the text itself is, without those it defines.
    pub(crate) root: Span,
    /// Those that it defines, by name.
    pub(crate) defined: BTreeMap<Bytes, Span>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) commands: Vec<Command>,
    pub(crate) exprs: Vec<Expr>,
}

impl Program {
    /// The statements of a list.
    pub(crate) fn list(&self, list: Span) -> &[Node] {
        list.of(&self.nodes)
    }

    pub(crate) fn commands(&self, pipe: &Pipe) -> &[Command] {
        pipe.commands.of(&self.commands)
    }

    /// The operands of a command.
    pub(crate) fn args(&self, command: &Command) -> &[Expr] {
        command.args.of(&self.exprs)
    }

    /// The operand that stands before the fields of a chain.
    pub(crate) fn base(&self, base: Span) -> Option<&Expr> {
        base.of(&self.exprs).first()
    }

    pub(crate) fn text(&self, span: Span) -> &[u8] {
        span.of(&self.text)
    }
}

/// A statement.
pub(crate) enum Node {
    Text(Span),
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
    pub(crate) list: Span,
    pub(crate) otherwise: Option<Span>,
}

/// `{{template "name" pipe}}`.
pub(crate) struct Call {
    pub(crate) pos: usize,
    pub(crate) name: Bytes,
    pub(crate) pipe: Option<Pipe>,
}

/// Commands joined by `|`, with the variables they set.
pub(crate) struct Pipe {
    pub(crate) pos: usize,
    pub(crate) decl: Declared,
    /// `=` instead of `:=`.
    pub(crate) assigns: bool,
    pub(crate) commands: Span,
}

/// The names of the variables that a pipeline sets, of which the grammar allows two.
#[derive(Clone, Copy, Default)]
pub(crate) struct Declared {
    names: [Span; 2],
    count: u8,
}

impl Declared {
    pub(crate) fn names(&self) -> &[Span] {
        self.names.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Adds a name; one too many is left out.
    pub(crate) fn push(&mut self, name: Span) {
        if let Some(slot) = self.names.get_mut(usize::from(self.count)) {
            *slot = name;
            self.count += 1;
        }
    }
}

/// An operand with its arguments; never empty.
pub(crate) struct Command {
    pub(crate) pos: usize,
    pub(crate) args: Span,
}

/// An operand.
pub(crate) struct Expr {
    pub(crate) pos: usize,
    pub(crate) term: Term,
}

/// What an operand is. Fields are spans of text as they are written, `.a.b`.
pub(crate) enum Term {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Str {
        literal: Span,
        value: Bytes,
    },
    Field(Span),
    /// `$x.a.b`, of which `fields` may be empty.
    Variable {
        name: Span,
        fields: Span,
    },
    Function(&'static Function),
    Pipe(Pipe),
    /// `(pipe).a.b` or `function.a.b`
    Chain {
        base: Span,
        fields: Span,
    },
}
