//! Pipelines, commands and operands. Native recursion happens only here, once per open parenthesis.

use super::Parser;
use super::number::parse_number;
use crate::ast::{Command, Declared, Expr, Pipe, Span, Term};
use crate::error::Message;
use crate::fmt::quote::quoted_text;
use crate::funcs;
use crate::lex::{Kind, Token};
use crate::unquote::unquote;

/// Variables that can be seen at once. Looking one up takes time in proportion.
const MAX_VARIABLES: usize = 1_000;

impl<'t> Parser<'t> {
    /// A pipeline up to and with the token `end`.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Message> {
        let pos = self.tokens.peek_non_space().pos;
        let mut pipe = Pipe { pos, decl: Declared::default(), assigns: false, commands: Span::default() };
        self.declarations(&mut pipe, context)?;
        let begin = self.commands.begin();
        loop {
            let token = self.tokens.next_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawStr
                | Kind::Str
                | Kind::Variable
                | Kind::LeftParen => {
                    self.tokens.back();
                    let command = self.command()?;
                    self.commands.push(command);
                }
                _ => return Err(self.unexpected(&token, context)),
            }
        }
        self.check_commands(begin, context)?;
        pipe.commands = self.commands.end(begin);
        Ok(pipe)
    }

    /// The variables before `:=` or `=`, if there are any.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Message> {
        loop {
            let variable = self.tokens.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            self.tokens.next();
            let after = self.tokens.peek();
            let next = self.tokens.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assigns = next.kind == Kind::Assign;
                    self.tokens.next_non_space();
                    return self.declare(pipe, &variable);
                }
                Kind::Char if next.text == b"," => {
                    self.tokens.next_non_space();
                    self.declare(pipe, &variable)?;
                    if context != "range" || pipe.decl.names().len() >= 2 {
                        return Err(Message::ours(format!("too many declarations in {context}")));
                    }
                    let following = self.tokens.peek_non_space().kind;
                    if !matches!(following, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                        return Err("range can only initialize variables".into());
                    }
                }
                _ if after.kind == Kind::Space => {
                    self.tokens.back_to_both(variable, after);
                    return Ok(());
                }
                _ => {
                    self.tokens.back_to(variable);
                    return Ok(());
                }
            }
        }
    }

    fn declare(&mut self, pipe: &mut Pipe, variable: &Token<'t>) -> Result<(), Message> {
        if self.scope.variables.len() >= MAX_VARIABLES {
            return Err(Message::ours(format!("more than {MAX_VARIABLES} variables in scope; use a dict")));
        }
        pipe.decl.push(variable.span());
        self.scope.variables.push(variable.text);
        Ok(())
    }

    /// Operands up to a pipe, which is consumed, or an end, which is not.
    fn command(&mut self) -> Result<Command, Message> {
        let pos = self.tokens.peek_non_space().pos;
        let begin = self.exprs.begin();
        loop {
            self.tokens.peek_non_space();
            if let Some(operand) = self.operand()? {
                self.exprs.push(operand);
            }
            let token = self.tokens.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.tokens.back();
                    break;
                }
                Kind::Pipe => break,
                _ => return Err(self.unexpected(&token, "operand")),
            }
        }
        let args = self.exprs.end(begin);
        if args.is_empty() { Err("empty command".into()) } else { Ok(Command { pos, args }) }
    }

    /// A term with the fields behind it.
    fn operand(&mut self) -> Result<Option<Expr>, Message> {
        let Some(base) = self.term()? else { return Ok(None) };
        if self.tokens.peek().kind != Kind::Field {
            return Ok(Some(base));
        }
        let mut fields = self.tokens.next().span();
        let pos = fields.start();
        while self.tokens.peek().kind == Kind::Field {
            fields = fields.up_to(self.tokens.next().span());
        }
        let term = match base.term {
            Term::Field(first) => Term::Field(first.up_to(fields)),
            Term::Variable { name, .. } => Term::Variable { name, fields },
            Term::Bool(_) | Term::Str { .. } | Term::Number(_) | Term::Nil | Term::Dot => {
                let term = self.tokens.text(Span::new(base.pos, pos));
                return Err(Message::plain("unexpected . after term ").source(quoted_text(term)));
            }
            _ => Term::Chain { base: self.exprs.push_alone(base), fields },
        };
        Ok(Some(Expr { pos, term }))
    }

    fn term(&mut self) -> Result<Option<Expr>, Message> {
        let token = self.tokens.next_non_space();
        let pos = token.pos;
        let term = match token.kind {
            Kind::Identifier => match funcs::find(token.text) {
                Some(function) => Term::Function(function),
                None => return Err(Message::plain("function ").source(quoted_text(token.text)).text(" not defined")),
            },
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Variable => self.variable(&token)?,
            Kind::Field => Term::Field(token.span()),
            Kind::Bool => Term::Bool(token.text == b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => Term::Number(parse_number(&token)?),
            Kind::LeftParen => Term::Pipe(self.parenthesized()?),
            Kind::Str | Kind::RawStr => {
                let value = unquote(token.text)?;
                Term::Str { literal: token.span(), value }
            }
            _ => {
                self.tokens.back();
                return Ok(None);
            }
        };
        Ok(Some(Expr { pos, term }))
    }

    fn variable(&self, token: &Token) -> Result<Term, Message> {
        if token.text == b"$" || self.scope.variables.contains(&token.text) {
            return Ok(Term::Variable { name: token.span(), fields: Span::default() });
        }
        Err(Message::plain("undefined variable ").source(quoted_text(token.text)))
    }

    fn parenthesized(&mut self) -> Result<Pipe, Message> {
        if self.parens >= self.limits.paren_depth {
            return Err("max expression depth exceeded".into());
        }
        self.parens += 1;
        let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen);
        self.parens -= 1;
        pipe
    }
    /// Refuses a pipeline without commands, and constants that are to take the value of the command before.
    fn check_commands(&self, begin: usize, context: &str) -> Result<(), Message> {
        let commands = self.commands.since(begin);
        if commands.is_empty() {
            return Err(Message::ours(format!("missing value for {context}")));
        }
        for (index, command) in commands.iter().enumerate().skip(1) {
            let first = command.args.of(self.exprs.complete()).first().map(|arg| &arg.term);
            if matches!(first, Some(Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Str { .. })) {
                return Err(Message::ours(format!("non executable command in pipeline stage {}", index + 1)));
            }
        }
        Ok(())
    }
}
