//! The value of number literals.

use crate::ast::{Number, Numeric};
use crate::error::Message;
use crate::fmt::quote::quoted_text;
use crate::lex::{Kind, Token};
use crate::number::{parse_float, parse_int, parse_uint};
use crate::unquote::unquote_char_constant;

/// What the literal is worth.
pub(super) fn parse_number(token: &Token) -> Result<Number, Message> {
    let value = parse_numeric(token)?;
    let text = token.text;
    let is_hex = (text.starts_with(b"0x") || text.starts_with(b"0X")) && !text.iter().any(|byte| b"pP".contains(byte));
    let looks_float = !is_hex && !text.starts_with(b"'") && has_float_mark(text);
    Ok(Number { literal: token.span(), value, looks_float })
}

fn parse_numeric(token: &Token) -> Result<Numeric, Message> {
    if token.kind == Kind::CharConstant {
        return unquote_char_constant(token.text).map(Numeric::Int);
    }
    if let Some((real, imaginary)) = parse_complex(token) {
        return Ok(Numeric::Complex(real, imaginary));
    }
    if token.kind == Kind::Complex {
        return Err("syntax error scanning complex number".into());
    }
    if let Some(int) = parse_int(token.text, 0) {
        return Ok(Numeric::Int(int));
    }
    if let Some(uint) = parse_uint(token.text, 0) {
        return Ok(Numeric::Uint(uint));
    }
    let Some(float) = parse_float(token.text) else {
        return Err(Message::plain("illegal number syntax: ").source(quoted_text(token.text)));
    };
    if !has_float_mark(token.text) {
        return Err(Message::plain("integer overflow: ").source(quoted_text(token.text)));
    }
    Ok(Numeric::Float(float))
}

/// Whether a point or exponent is written, or a hexadecimal digit that looks like one.
fn has_float_mark(text: &[u8]) -> bool {
    text.iter().any(|byte| b".eEpP".contains(byte))
}

/// The parts of `1i` or `1+2i`.
fn parse_complex(token: &Token) -> Option<(f64, f64)> {
    let body = token.text.strip_suffix(b"i")?;
    if token.kind != Kind::Complex {
        return Some((0.0, parse_float(body)?));
    }
    // The sign between the parts is the last one that no exponent owns.
    let is_sign = |at: &usize| matches!(body[*at], b'+' | b'-') && !matches!(body[at - 1], b'e' | b'E' | b'p' | b'P');
    let sign = (1..body.len()).rev().find(is_sign)?;
    Some((parse_float(&body[..sign])?, parse_float(&body[sign..])?))
}
