//! The value of number literals.

use crate::ast::Number;
use crate::error::Message;
use crate::fmt::quote::quoted_text;
use crate::lex::{Kind, Token};
use crate::number::{parse_float, parse_int, parse_uint};
use crate::text::lossy;
use crate::unquote::unquote_char_constant;

/// Every type that the literal can take.
pub(super) fn parse_number(token: &Token) -> Result<Number, Message> {
    let literal = lossy(token.text);
    if token.kind == Kind::CharConstant {
        let code = unquote_char_constant(token.text)?;
        return Ok(Number { literal, int: Some(code), float: Some(as_float(code)), complex: None });
    }
    if let Some((real, imaginary)) = parse_complex(token) {
        let float = if imaginary == 0.0 { Some(real) } else { None };
        return Ok(Number { literal, int: float.and_then(whole), float, complex: Some((real, imaginary)) });
    }
    if token.kind == Kind::Complex {
        return Err("syntax error scanning complex number".into());
    }
    let int = parse_int(token.text, 0);
    let float = int.map(as_float).or_else(|| parse_uint(token.text, 0).map(as_unsigned_float));
    if float.is_some() {
        return Ok(Number { literal, int, float, complex: None });
    }
    let Some(float) = parse_float(token.text) else {
        return Err(Message::plain("illegal number syntax: ").source(quoted_text(token.text)));
    };
    if !literal.contains(['.', 'e', 'E', 'p', 'P']) {
        return Err(Message::plain("integer overflow: ").source(quoted_text(token.text)));
    }
    Ok(Number { literal, int: whole(float), float: Some(float), complex: None })
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

/// The integer that a float equals, if there is one.
fn whole(float: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and the comparison rejects what did")]
    let int = float as i64;
    #[expect(clippy::float_cmp, reason = "exactness is the question")]
    (as_float(int) == float && int != i64::MAX).then_some(int)
}

#[expect(clippy::cast_precision_loss, reason = "Go rounds the same way")]
fn as_float(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "Go rounds the same way")]
fn as_unsigned_float(value: u64) -> f64 {
    value as f64
}
