//! Executing a program.
//!
//! Statements run on a stack of our own, so neither nested blocks nor recursive templates touch the native stack;
//! expressions recurse once per parenthesis, which the parser bounds.

use zeroize::Zeroizing;

use crate::ast::{Branch, Call, Command, Expr, Node, Pipe, Program, Span};
use crate::bytes::Buffer;
use crate::context::Context;
use crate::data::{Bytes, Data};
use crate::error::{Error, Message, Phase, Position};
use crate::fmt::quote::quoted_text;
use crate::fmt::{Decimal, sprint};
use crate::limits::Options;
use crate::text::{line_ends, lossy};
use crate::value::{Map, Value};

mod call;
mod eval;
mod field;
mod range;

use range::Turns;

/// Variables at the same time in most templates.
const USUAL_VARIABLES: usize = 8;
/// Shown of a value in the exact text of an error; the rest would help nobody.
const SHOWN_BYTES: usize = 1 << 16;

/// A value with what its static type says: Go words errors by it.
#[derive(Clone)]
pub(crate) struct Operand {
    pub(crate) value: Value,
    /// The static type is `interface {}`; with [`Value::Nil`] that is a nil interface, else no value at all.
    pub(crate) any: bool,
}

impl Operand {
    fn typed(value: Value) -> Self {
        Self { value, any: false }
    }

    fn any(value: Value) -> Self {
        Self { value, any: true }
    }

    /// No value at all.
    fn absent() -> Self {
        Self::typed(Value::Nil)
    }

    fn type_name(&self) -> &'static str {
        if self.any { "interface {}" } else { self.value.type_name() }
    }
}

/// The part of the template that errors point at.
#[derive(Clone, Copy)]
enum At<'p> {
    Nothing,
    Expr(&'p Expr),
    Command(&'p Command),
    Pipe(&'p Pipe),
    Call(&'p Call),
}

/// A statement list, loop or call under way.
enum Frame<'p> {
    /// The next statement of a list, and the variables to keep when it ends.
    List { nodes: &'p [Node], next: usize },
    /// Ends a block: drops its variables and restores the dot.
    Block { variables: usize, dot: Operand, of_loop: bool },
    /// Turns of a loop that are left.
    Range { branch: &'p Branch, turns: Turns, variables: usize, dot: Operand },
    /// Ends a template call.
    Call { name: &'p [u8], base: usize, dot: Operand, at: At<'p> },
}

/// Runs `program`, which errors and the template itself call `name`.
pub(crate) fn execute(program: &Program, name: &str, data: &Data, options: &Options) -> Result<Vec<u8>, Error> {
    let mut context = Context::new(options);
    let dot = Operand::typed(Value::Map(Map::of_data(data)));
    let mut machine = Machine {
        program,
        context: &mut context,
        name: name.as_bytes(),
        template: name.as_bytes(),
        at: At::Nothing,
        variables: Vec::with_capacity(USUAL_VARIABLES),
        base: 0,
        dot,
        stack: Vec::new(),
        frames: Vec::new(),
        calls: 0,
        output: Buffer::with_capacity(program.text.len().min(options.limits.output_bytes)),
    };
    machine.variables.push((b"$", machine.dot.clone()));
    match machine.run() {
        Ok(()) => Ok(machine.output.finish()),
        Err(message) => {
            let (prefix, position) = machine.place(name);
            Err(Error::new(Phase::Execute, prefix, position, &message))
        }
    }
}

struct Machine<'p, 'c, 'o> {
    program: &'p Program,
    context: &'c mut Context<'o>,
    /// The name of the outermost template.
    name: &'p [u8],
    /// The name of the template that runs.
    template: &'p [u8],
    at: At<'p>,
    variables: Vec<(&'p [u8], Operand)>,
    /// Where the variables of the running template begin.
    base: usize,
    dot: Operand,
    /// The arguments of the calls under way, those of the innermost last.
    stack: Vec<Value>,
    frames: Vec<Frame<'p>>,
    calls: usize,
    output: Buffer,
}

impl<'p> Machine<'p, '_, '_> {
    fn run(&mut self) -> Result<(), Message> {
        self.enter(self.program.root);
        while let Some(frame) = self.frames.last_mut() {
            match frame {
                Frame::List { nodes, next } => {
                    let nodes: &'p [Node] = nodes;
                    let index = *next;
                    *next += 1;
                    match nodes.get(index) {
                        Some(node) => self.statement(node)?,
                        None => self.leave(),
                    }
                }
                Frame::Range { .. } => self.turn()?,
                Frame::Block { .. } | Frame::Call { .. } => self.leave(),
            }
        }
        Ok(())
    }

    fn statement(&mut self, node: &'p Node) -> Result<(), Message> {
        self.context.spend(1)?;
        match node {
            Node::Text(text) => self.write(self.program.text(*text)),
            Node::Action(pipe) => {
                let value = self.pipeline(pipe)?;
                if pipe.decl.names().is_empty() { self.print(pipe, value.value) } else { Ok(()) }
            }
            Node::If(branch) => {
                let variables = self.variables.len();
                let value = self.pipeline(&branch.pipe)?;
                self.block(variables, false);
                self.choose(branch, value.value.is_true());
                Ok(())
            }
            Node::With(branch) => {
                let variables = self.variables.len();
                let value = self.pipeline(&branch.pipe)?;
                self.block(variables, false);
                let holds = value.value.is_true();
                if holds {
                    self.dot = value;
                }
                self.choose(branch, holds);
                Ok(())
            }
            Node::Range(branch) => self.range(branch),
            Node::Template(call) => self.call_template(call),
            Node::Break => {
                self.unwind(true);
                self.leave();
                Ok(())
            }
            Node::Continue => {
                self.unwind(false);
                Ok(())
            }
        }
    }

    /// Begins a block that ends with the variables and the dot of now; `of_loop` is the `{{else}}` of a loop.
    fn block(&mut self, variables: usize, of_loop: bool) {
        let dot = self.dot.clone();
        self.frames.push(Frame::Block { variables, dot, of_loop });
    }

    fn choose(&mut self, branch: &Branch, holds: bool) {
        if let Some(list) = if holds { Some(branch.list) } else { branch.otherwise } {
            self.enter(list);
        }
    }

    fn enter(&mut self, list: Span) {
        self.frames.push(Frame::List { nodes: self.program.list(list), next: 0 });
    }

    /// Ends the innermost frame.
    fn leave(&mut self) {
        match self.frames.pop() {
            Some(Frame::Block { variables, dot, .. } | Frame::Range { variables, dot, .. }) => {
                self.variables.truncate(variables);
                self.dot = dot;
            }
            Some(Frame::Call { name, base, dot, at }) => {
                self.variables.truncate(self.base);
                self.calls -= 1;
                (self.template, self.base, self.dot, self.at) = (name, base, dot, at);
            }
            Some(Frame::List { .. }) | None => {}
        }
    }

    /// Ends frames up to the innermost loop. To `break`, the `{{else}}` of a loop is part of it.
    fn unwind(&mut self, breaks: bool) {
        loop {
            match self.frames.last() {
                Some(Frame::Range { .. }) | None => return,
                Some(Frame::Block { of_loop: true, .. }) if breaks => return,
                Some(_) => self.leave(),
            }
        }
    }

    fn call_template(&mut self, call: &'p Call) -> Result<(), Message> {
        self.at = At::Call(call);
        let own = (*call.name == *self.name).then_some(self.program.root);
        let Some(list) = own.or_else(|| self.program.defined.get(&call.name).copied()) else {
            return Err(Message::plain("template ").source(quoted_text(&call.name)).text(" not defined"));
        };
        let limit = self.context.options().limits.call_depth;
        if self.calls >= limit {
            return Err(Message::ours(format!("exceeded maximum template depth ({limit})")));
        }
        let dot = match &call.pipe {
            Some(pipe) => self.pipeline(pipe)?,
            None => Operand::absent(),
        };
        self.calls += 1;
        let caller = Frame::Call { name: self.template, base: self.base, dot: self.dot.clone(), at: self.at };
        self.frames.push(caller);
        self.template = &call.name;
        self.base = self.variables.len();
        self.variables.push((b"$", dot.clone()));
        self.dot = dot;
        self.enter(list);
        Ok(())
    }

    fn print(&mut self, pipe: &'p Pipe, value: Value) -> Result<(), Message> {
        match value {
            Value::Nil => self.write(b"<no value>"),
            Value::Str(bytes) => self.write(&bytes),
            Value::Int(_, number) => {
                self.at = At::Pipe(pipe);
                self.write(if number < 0 { b"-" } else { b"" })?;
                self.write(Decimal::new(number.unsigned_abs()).as_bytes())
            }
            value => {
                self.at = At::Pipe(pipe);
                let text = Zeroizing::new(sprint(&[value], self.context.options().limits.output_bytes)?);
                self.write(&text)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Message> {
        let limit = self.context.options().limits.output_bytes;
        if self.output.len().saturating_add(bytes.len()) > limit {
            return Err(Message::ours(format!("output is longer than {limit} bytes; make it smaller")));
        }
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    /// Where the error is, also in Go's words: `template: k:1:3: executing "k" at <.x>: `.
    fn place(&self, parse_name: &str) -> (String, Option<Position>) {
        let template = quoted_text(self.template);
        let (pos, source) = match self.at {
            At::Nothing => return (format!("template: {}: ", lossy(self.template)), None),
            At::Expr(expr) => (expr.pos, self.program.expr_source(expr)),
            At::Command(command) => (command.pos, self.program.command_source(command)),
            At::Pipe(pipe) => (pipe.pos, self.program.pipe_source(pipe)),
            At::Call(call) => (call.pos, self.program.call_source(call)),
        };
        let text = &self.program.text;
        let before = &text[..pos.min(text.len())];
        let line = 1 + line_ends(before);
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count();
        let prefix = format!("template: {parse_name}:{line}:{column}: executing {template} at <{source}>: ");
        (prefix, Some(Position { line, column: Some(column) }))
    }
}

/// A string constant of the template as a value.
fn constant(bytes: &Bytes) -> Operand {
    Operand::typed(Value::Str(bytes.clone()))
}
