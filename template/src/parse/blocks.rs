//! Blocks: what an open one will become, and what happens at its `{{else}}` and `{{end}}`.

use super::{Parser, Scope};
use crate::ast::{Branch, Call, Node, Pipe, Span};
use crate::data::Bytes;
use crate::error::Message;
use crate::lex::Kind;

/// The `{{else}}` or `{{end}}` that closes a list.
#[derive(Clone, Copy)]
pub(super) enum Closing {
    Else,
    End,
}

impl Closing {
    fn source(self) -> &'static str {
        match self {
            Self::Else => "{{else}}",
            Self::End => "{{end}}",
        }
    }
}

/// What an open block becomes when it ends.
pub(super) enum Purpose<'t> {
    /// The text itself.
    Root,
    /// `{{define}}`: a template of its own.
    Define { name: Bytes, outer: Scope<'t> },
    /// `{{block}}`: a template of its own and a call to it.
    Block { call: Call, outer: Scope<'t> },
    /// `if`, `with` or `range`.
    Control(Control),
}

/// An `if`, `with` or `range` whose end is still to come.
pub(super) struct Control {
    pub(super) keyword: Kind,
    pub(super) pipe: Pipe,
    /// The list before the `{{else}}`, once that is read.
    pub(super) first: Option<Span>,
    /// How many variables could be seen before.
    pub(super) variables: usize,
    /// Came from an `{{else if}}`, and ends together with the block around.
    pub(super) chained: bool,
}

/// A block whose end is still to come.
pub(super) struct Open<'t> {
    purpose: Purpose<'t>,
    /// Where its list begins.
    begin: usize,
}

impl<'t> Parser<'t> {
    /// Opens a block; the lists that follow belong to it.
    pub(super) fn push(&mut self, purpose: Purpose<'t>) -> Result<(), Message> {
        if !matches!(purpose, Purpose::Control(Control { chained: true, .. })) {
            self.blocks += 1;
            if self.blocks > self.limits.block_depth {
                return Err(Message::ours(format!("blocks nest more than {} deep", self.limits.block_depth)));
            }
        }
        self.open.push(Open { purpose, begin: self.nodes.begin() });
        Ok(())
    }

    /// Ends the innermost list.
    pub(super) fn close(&mut self, closing: Closing) -> Result<(), Message> {
        let Some(Open { purpose, begin }) = self.open.pop() else { return Err("unexpected EOF".into()) };
        let list = self.nodes.end(begin);
        match purpose {
            Purpose::Root => Err(Message::ours(format!("unexpected {}", closing.source()))),
            Purpose::Define { name, outer } => {
                must_end(closing, "define clause")?;
                self.blocks -= 1;
                self.scope = outer;
                self.define_as(name, list)
            }
            Purpose::Block { call, outer } => {
                must_end(closing, "block clause")?;
                self.blocks -= 1;
                self.scope = outer;
                self.define_as(call.name.clone(), list)?;
                self.nodes.push(Node::Template(call));
                Ok(())
            }
            Purpose::Control(control) => self.close_control(control, list, closing),
        }
    }

    fn close_control(&mut self, mut control: Control, list: Span, closing: Closing) -> Result<(), Message> {
        let keyword = control.keyword;
        if control.first.is_none() {
            self.scope.loops -= usize::from(keyword == Kind::Range);
        }
        match (closing, control.first) {
            (Closing::Else, Some(_)) => return Err("expected end; found {{else}}".into()),
            (Closing::Else, None) => {
                control.first = Some(list);
                self.open.push(Open { purpose: Purpose::Control(control), begin: self.nodes.begin() });
                if keyword != Kind::Range && self.tokens.peek().kind == keyword {
                    self.tokens.next();
                    return self.control(keyword, true);
                }
            }
            (Closing::End, _) => {
                let mut chained = control.chained;
                self.finish_control(control, list);
                // One `{{end}}` ends a whole chain of `{{else if}}`.
                while chained {
                    let Some(Open { purpose: Purpose::Control(control), begin }) = self.open.pop() else { break };
                    chained = control.chained;
                    let list = self.nodes.end(begin);
                    self.finish_control(control, list);
                }
                self.blocks -= 1;
            }
        }
        Ok(())
    }

    /// Appends a control block, all of which is read, to the list around it.
    fn finish_control(&mut self, control: Control, list: Span) {
        let Control { keyword, pipe, first, variables, .. } = control;
        self.scope.variables.truncate(variables);
        let branch = match first {
            Some(first) => Branch { pipe, list: first, otherwise: Some(list) },
            None => Branch { pipe, list, otherwise: None },
        };
        self.nodes.push(match keyword {
            Kind::If => Node::If(branch),
            Kind::With => Node::With(branch),
            _ => Node::Range(branch),
        });
    }
}

fn must_end(closing: Closing, context: &str) -> Result<(), Message> {
    match closing {
        Closing::End => Ok(()),
        Closing::Else => Err(Message::ours(format!("unexpected {} in {context}", closing.source()))),
    }
}
