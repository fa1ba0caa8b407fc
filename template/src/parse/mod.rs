//! From tokens to a [`Program`].
//!
//! Open blocks are kept on a stack of our own, not in native recursion, so their depth is a plain number to compare
//! with [`Limits::block_depth`]. Messages and their line follow Go.

use crate::ast::{Branch, Call, ListId, Node, Pipe, Program};
use crate::error::Message;
use crate::lex::{Kind, Lexer, Token};
use crate::limits::{Delimiters, Limits};
use crate::unquote::unquote;

mod expression;
mod number;
mod tokens;

use tokens::Tokens;

/// Actions in one text. Each takes some hundred bytes once parsed, so that the shortest ones, of which a text of 1 MiB could
/// hold two hundred thousand, would take a hundred times their length.
const MAX_ACTIONS: usize = 50_000;

/// A refusal with the line it is about.
pub(crate) struct Refusal {
    pub(crate) line: usize,
    pub(crate) message: Message,
}

/// Parses `text`; `name` is the name of the outermost template.
pub(crate) fn parse(name: &str, text: &[u8], delimiters: &Delimiters, limits: &Limits) -> Result<Program, Refusal> {
    if text.len() > limits.text_bytes {
        let message = Message::ours(format!("template is longer than {} bytes; split it", limits.text_bytes));
        return Err(Refusal { line: 1, message });
    }
    let mut parser = Parser::new(name, Lexer::new(text, delimiters), limits);
    parser.run().map_err(|message| Refusal { line: parser.tokens.line(), message })?;
    Ok(parser.program)
}

/// The `{{else}}` or `{{end}}` that closes a list.
#[derive(Clone, Copy)]
enum Closing {
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
enum Purpose {
    /// The text itself.
    Root,
    /// `{{define}}`: a template of its own.
    Define { name: Vec<u8>, outer: Scope },
    /// `{{block}}`: a template of its own and a call to it.
    Block { call: Call, outer: Scope },
    /// `if`, `with` or `range`. `chained` blocks came from `{{else if}}` and end together with the one around.
    Control { keyword: Kind, pipe: Pipe, first: Option<ListId>, variables: usize, chained: bool },
}

/// A block whose end is still to come.
struct Open {
    purpose: Purpose,
    list: ListId,
}

/// Variables and loops that the current template can see.
struct Scope {
    variables: Vec<String>,
    loops: usize,
}

impl Scope {
    fn new() -> Self {
        Self { variables: vec!["$".to_owned()], loops: 0 }
    }
}

struct Parser<'t> {
    name: &'t str,
    tokens: Tokens<'t>,
    limits: &'t Limits,
    program: Program,
    scope: Scope,
    open: Vec<Open>,
    /// Open blocks, a chain of `{{else if}}` counted once: it nests by grammar only.
    blocks: usize,
    parens: usize,
    action_line: usize,
    actions: usize,
}

impl<'t> Parser<'t> {
    fn new(name: &'t str, lexer: Lexer<'t>, limits: &'t Limits) -> Self {
        Self {
            name,
            tokens: Tokens::new(lexer),
            limits,
            program: Program::default(),
            scope: Scope::new(),
            open: Vec::new(),
            actions: 0,
            blocks: 0,
            parens: 0,
            action_line: 0,
        }
    }

    fn run(&mut self) -> Result<(), Message> {
        self.push(Purpose::Root)?;
        loop {
            // Only the outermost list sees space tokens here, and it has none outside actions.
            let token = self.tokens.next_non_space();
            match token.kind {
                Kind::Eof if self.open.len() == 1 => {
                    let root = self.current();
                    return self.add_tree(self.name.as_bytes().to_vec(), root);
                }
                Kind::Eof => return Err("unexpected EOF".into()),
                Kind::Text => self.append(Node::Text(token.text.into())),
                Kind::LeftDelim => {
                    self.actions += 1;
                    if self.actions > MAX_ACTIONS {
                        return Err(format!("template has more than {MAX_ACTIONS} actions; split it").into());
                    }
                    self.action(token.line)?;
                }
                _ => return Err(self.unexpected(&token, "input")),
            }
        }
    }

    /// Everything between two delimiters.
    fn action(&mut self, line: usize) -> Result<(), Message> {
        let token = self.tokens.next_non_space();
        if token.kind == Kind::Define && self.open.len() == 1 {
            return self.define();
        }
        self.action_line = line;
        match token.kind {
            Kind::If | Kind::With | Kind::Range => return self.control(token.kind, false),
            Kind::Block => return self.block(),
            Kind::Else => {
                let next = self.tokens.peek_non_space();
                if !matches!(next.kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                self.action_line = 0;
                self.close(Closing::Else)?;
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                self.action_line = 0;
                self.close(Closing::End)?;
            }
            Kind::Break => self.jump(Node::Break, "{{break}}")?,
            Kind::Continue => self.jump(Node::Continue, "{{continue}}")?,
            Kind::Template => self.template()?,
            _ => {
                self.tokens.back();
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                self.append(Node::Action(pipe));
            }
        }
        self.action_line = 0;
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
        self.push(Purpose::Control { keyword, pipe, first: None, variables, chained })
    }

    fn jump(&mut self, node: Node, context: &str) -> Result<(), Message> {
        self.expect(Kind::RightDelim, context)?;
        if self.scope.loops == 0 {
            return Err(Message::ours(format!("{context} outside {{{{range}}}}")));
        }
        self.append(node);
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
        self.append(Node::Template(Call { pos: token.pos, name, pipe }));
        Ok(())
    }

    fn block(&mut self) -> Result<(), Message> {
        const CONTEXT: &str = "block clause";
        let token = self.tokens.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        let call = Call { pos: token.pos, name, pipe: Some(pipe) };
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        self.push(Purpose::Block { call, outer })
    }

    fn define(&mut self) -> Result<(), Message> {
        const CONTEXT: &str = "define clause";
        let token = self.tokens.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        self.push(Purpose::Define { name, outer })
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Result<Vec<u8>, Message> {
        match token.kind {
            Kind::Str | Kind::RawStr => unquote(token.text),
            _ => Err(self.unexpected(token, context)),
        }
    }

    /// Ends the innermost list.
    fn close(&mut self, closing: Closing) -> Result<(), Message> {
        let Some(Open { purpose, list }) = self.open.pop() else { return Err("unexpected EOF".into()) };
        match purpose {
            Purpose::Root => Err(Message::ours(format!("unexpected {}", closing.source()))),
            Purpose::Define { name, outer } => {
                must_end(closing, "define clause")?;
                self.blocks -= 1;
                self.scope = outer;
                self.add_tree(name, list)
            }
            Purpose::Block { call, outer } => {
                must_end(closing, "block clause")?;
                self.blocks -= 1;
                self.scope = outer;
                self.add_tree(call.name.clone(), list)?;
                self.append(Node::Template(call));
                Ok(())
            }
            Purpose::Control { keyword, pipe, first, variables, chained } => {
                let control = Purpose::Control { keyword, pipe, first, variables, chained };
                self.close_control(control, list, closing)
            }
        }
    }

    fn close_control(&mut self, control: Purpose, list: ListId, closing: Closing) -> Result<(), Message> {
        let Purpose::Control { keyword, pipe, first, variables, mut chained } = control else { return Ok(()) };
        if first.is_none() {
            self.scope.loops -= usize::from(keyword == Kind::Range);
        }
        match (closing, first) {
            (Closing::Else, Some(_)) => return Err("expected end; found {{else}}".into()),
            (Closing::Else, None) => {
                let otherwise = self.new_list();
                let purpose = Purpose::Control { keyword, pipe, first: Some(list), variables, chained };
                self.open.push(Open { purpose, list: otherwise });
                if keyword != Kind::Range && self.tokens.peek().kind == keyword {
                    self.tokens.next();
                    return self.control(keyword, true);
                }
            }
            (Closing::End, _) => {
                self.finish(keyword, pipe, first, variables, list);
                // One `{{end}}` ends a whole chain of `{{else if}}`.
                while chained {
                    let Some(Open { purpose, list }) = self.open.pop() else { break };
                    let Purpose::Control { keyword, pipe, first, variables, chained: more } = purpose else { break };
                    self.finish(keyword, pipe, first, variables, list);
                    chained = more;
                }
                self.blocks -= 1;
            }
        }
        Ok(())
    }

    /// Appends a control block, all of which is read, to the list around it.
    fn finish(&mut self, keyword: Kind, pipe: Pipe, first: Option<ListId>, variables: usize, list: ListId) {
        self.scope.variables.truncate(variables);
        let branch = match first {
            Some(first) => Branch { pipe, list: first, otherwise: Some(list) },
            None => Branch { pipe, list, otherwise: None },
        };
        self.append(match keyword {
            Kind::If => Node::If(branch),
            Kind::With => Node::With(branch),
            _ => Node::Range(branch),
        });
    }

    fn add_tree(&mut self, name: Vec<u8>, list: ListId) -> Result<(), Message> {
        match self.program.trees.get(&name) {
            Some(&before) if !self.program.is_blank(before) => {
                if self.program.is_blank(list) {
                    return Ok(());
                }
                let name = crate::fmt::quote::quoted_text(&name);
                Err(Message::plain("template: multiple definition of template ").source(name))
            }
            _ => {
                self.program.trees.insert(name, list);
                Ok(())
            }
        }
    }

    fn push(&mut self, purpose: Purpose) -> Result<(), Message> {
        if !matches!(purpose, Purpose::Control { chained: true, .. }) {
            self.blocks += 1;
            if self.blocks > self.limits.block_depth {
                return Err(Message::ours(format!("blocks nest more than {} deep", self.limits.block_depth)));
            }
        }
        let list = self.new_list();
        self.open.push(Open { purpose, list });
        Ok(())
    }

    fn new_list(&mut self) -> ListId {
        self.program.lists.push(Vec::new());
        ListId(self.program.lists.len() - 1)
    }

    fn current(&self) -> ListId {
        self.open.last().map_or(ListId(0), |open| open.list)
    }

    fn append(&mut self, node: Node) {
        let ListId(index) = self.current();
        if let Some(list) = self.program.lists.get_mut(index) {
            list.push(node);
        }
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
        if self.action_line == 0 || self.action_line == token.line {
            return message;
        }
        // Some messages end in "action" already.
        let joint = if message.exact().ends_with(" action") { " started at " } else { " in action started at " };
        message.text(joint).source(self.name).words(format!(":{}", self.action_line))
    }
}

fn must_end(closing: Closing, context: &str) -> Result<(), Message> {
    match closing {
        Closing::End => Ok(()),
        Closing::Else => Err(Message::ours(format!("unexpected {} in {context}", closing.source()))),
    }
}
