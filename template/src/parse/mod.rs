//! From tokens to a [`Program`].
//!
//! Open blocks are kept on a stack of our own, not in native recursion, so their depth is a plain number to compare
//! with [`Limits::block_depth`]. Messages and their line follow Go.

use std::collections::BTreeMap;

use crate::ast::{Call, Command, Expr, Node, Program, Span};
use crate::data::Bytes;
use crate::error::Message;
use crate::lex::{Kind, Lexer, Token};
use crate::limits::{Delimiters, Limits};
use crate::unquote::unquote;

mod blocks;
mod expression;
mod number;
mod table;
mod tokens;

use blocks::{Closing, Control, Open, Purpose};
use table::Table;
use tokens::Tokens;

/// Actions in one text. Each takes some hundred bytes once parsed, so that the shortest ones, of which a text of 1 MiB could
/// hold two hundred thousand, would take a hundred times their length.
const MAX_ACTIONS: usize = 50_000;

/// Bytes of text to one statement, about: tables begin with as much room.
const BYTES_PER_ROW: usize = 16;
/// Rows for which tables make room ahead, a few kilobytes each: text without actions is to cost little memory.
const MOST_ROWS_AHEAD: usize = 32;

/// A refusal with the line it is about.
pub(crate) struct Refusal {
    pub(crate) line: usize,
    pub(crate) message: Message,
}

/// Parses `text`; `name` is the name of the outermost template.
pub(crate) fn parse(name: &str, text: &[u8], delimiters: &Delimiters, limits: &Limits) -> Result<Program, Refusal> {
    let most = limits.text_bytes.min(Span::MAX);
    if text.len() > most {
        let message = Message::ours(format!("template is longer than {most} bytes; split it"));
        return Err(Refusal { line: 1, message });
    }
    let mut parser = Parser::new(name, Lexer::new(text, delimiters), limits);
    match parser.run() {
        Ok(root) => Ok(parser.finish(root, text)),
        Err(message) => Err(Refusal { line: parser.tokens.line(), message }),
    }
}

/// Variables and loops that the current template can see. `$` can be seen always.
#[derive(Default)]
struct Scope<'t> {
    variables: Vec<&'t [u8]>,
    loops: usize,
}

struct Parser<'t> {
    name: &'t str,
    tokens: Tokens<'t>,
    limits: &'t Limits,
    defined: BTreeMap<Bytes, Span>,
    nodes: Table<Node>,
    commands: Table<Command>,
    exprs: Table<Expr>,
    scope: Scope<'t>,
    open: Vec<Open<'t>>,
    /// Open blocks, a chain of `{{else if}}` counted once: it nests by grammar only.
    blocks: usize,
    parens: usize,
    /// Where the action began that an error may be blamed on.
    action: Option<usize>,
    actions: usize,
}

impl<'t> Parser<'t> {
    fn new(name: &'t str, lexer: Lexer<'t>, limits: &'t Limits) -> Self {
        let rows = (lexer.text().len() / BYTES_PER_ROW).min(MOST_ROWS_AHEAD);
        Self {
            name,
            tokens: Tokens::new(lexer),
            limits,
            defined: BTreeMap::new(),
            nodes: Table::with_capacity(rows),
            commands: Table::with_capacity(rows),
            exprs: Table::with_capacity(rows),
            scope: Scope::default(),
            open: Vec::new(),
            actions: 0,
            blocks: 0,
            parens: 0,
            action: None,
        }
    }

    fn finish(self, root: Span, text: &[u8]) -> Program {
        Program {
            text: text.into(),
            root,
            defined: self.defined,
            nodes: self.nodes.finish(),
            commands: self.commands.finish(),
            exprs: self.exprs.finish(),
        }
    }

    /// Reads the whole text and answers its list.
    fn run(&mut self) -> Result<Span, Message> {
        self.push(Purpose::Root)?;
        loop {
            // Only the outermost list sees space tokens here, and it has none outside actions.
            let token = self.tokens.next_non_space();
            match token.kind {
                Kind::Eof if self.open.len() == 1 => {
                    let list = self.nodes.end(0);
                    return self.choose(self.name.as_bytes(), list);
                }
                Kind::Eof => return Err("unexpected EOF".into()),
                Kind::Text => self.nodes.push(Node::Text(token.span())),
                Kind::LeftDelim => {
                    self.actions += 1;
                    if self.actions > MAX_ACTIONS {
                        return Err(format!("template has more than {MAX_ACTIONS} actions; split it").into());
                    }
                    self.action(token.pos)?;
                }
                _ => return Err(self.unexpected(&token, "input")),
            }
        }
    }

    /// Everything between two delimiters.
    fn action(&mut self, pos: usize) -> Result<(), Message> {
        let token = self.tokens.next_non_space();
        if token.kind == Kind::Define && self.open.len() == 1 {
            return self.define();
        }
        self.action = Some(pos);
        match token.kind {
            Kind::If | Kind::With | Kind::Range => return self.control(token.kind, false),
            Kind::Block => return self.block(),
            Kind::Else => {
                let next = self.tokens.peek_non_space();
                if !matches!(next.kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                self.action = None;
                self.close(Closing::Else)?;
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                self.action = None;
                self.close(Closing::End)?;
            }
            Kind::Break => self.jump(Node::Break, "{{break}}")?,
            Kind::Continue => self.jump(Node::Continue, "{{continue}}")?,
            Kind::Template => self.template()?,
            _ => {
                self.tokens.back();
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                self.nodes.push(Node::Action(pipe));
            }
        }
        self.action = None;
        Ok(())
    }

    fn control(&mut self, keyword: Kind, chained: bool) -> Result<(), Message> {
        let variables = self.scope.variables.len();
        let context = match keyword {
            Kind::If => "if",
            Kind::With => "with",
            _ => "range",
        };
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        self.scope.loops += usize::from(keyword == Kind::Range);
        self.push(Purpose::Control(Control { keyword, pipe, first: None, variables, chained }))
    }

    fn jump(&mut self, node: Node, context: &str) -> Result<(), Message> {
        self.expect(Kind::RightDelim, context)?;
        if self.scope.loops == 0 {
            return Err(Message::ours(format!("{context} outside {{{{range}}}}")));
        }
        self.nodes.push(node);
        Ok(())
    }

    fn template(&mut self) -> Result<(), Message> {
        const CONTEXT: &str = "template clause";
        let token = self.tokens.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = if self.tokens.next_non_space().kind == Kind::RightDelim {
            None
        } else {
            self.tokens.back();
            Some(self.pipeline(CONTEXT, Kind::RightDelim)?)
        };
        self.nodes.push(Node::Template(Call { pos: token.pos, name, pipe }));
        Ok(())
    }

    fn block(&mut self) -> Result<(), Message> {
        const CONTEXT: &str = "block clause";
        let token = self.tokens.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        let call = Call { pos: token.pos, name, pipe: Some(pipe) };
        let outer = std::mem::take(&mut self.scope);
        self.push(Purpose::Block { call, outer })
    }

    fn define(&mut self) -> Result<(), Message> {
        const CONTEXT: &str = "define clause";
        let token = self.tokens.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let outer = std::mem::take(&mut self.scope);
        self.push(Purpose::Define { name, outer })
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Result<Bytes, Message> {
        match token.kind {
            Kind::Str | Kind::RawStr => unquote(token.text),
            _ => Err(self.unexpected(token, context)),
        }
    }

    fn define_as(&mut self, name: Bytes, list: Span) -> Result<(), Message> {
        let list = self.choose(&name, list)?;
        self.defined.insert(name, list);
        Ok(())
    }

    /// Of two templates of one name, the one that is not blank.
    fn choose(&self, name: &[u8], list: Span) -> Result<Span, Message> {
        match self.defined.get(name) {
            Some(&before) if !self.is_blank(before) => {
                if self.is_blank(list) {
                    return Ok(before);
                }
                let name = crate::fmt::quote::quoted_text(name);
                Err(Message::plain("template: multiple definition of template ").source(name))
            }
            _ => Ok(list),
        }
    }

    /// Whether a list prints nothing but space.
    fn is_blank(&self, list: Span) -> bool {
        let is_blank = |text: &Span| self.tokens.text(*text).trim_ascii().is_empty();
        list.of(self.nodes.complete()).iter().all(|node| matches!(node, Node::Text(text) if is_blank(text)))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<(), Message> {
        let token = self.tokens.next_non_space();
        if token.kind == kind { Ok(()) } else { Err(self.unexpected(&token, context)) }
    }

    fn unexpected(&self, token: &Token, context: &str) -> Message {
        if token.kind != Kind::Error {
            return Message::plain("unexpected ").then(&token.describe()).text(" in ").words(context);
        }
        let message = self.tokens.failure();
        let line = self.action.map(|pos| self.tokens.line_of(pos));
        let Some(line) = line.filter(|&line| line != self.tokens.line_of(token.pos)) else { return message };
        // Some messages end in "action" already.
        let joint = if message.exact().ends_with(" action") { " started at " } else { " in action started at " };
        message.text(joint).source(self.name).words(format!(":{line}"))
    }
}
