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
        return Ok(Number { literal, int: Some(code), float: Some(as_float(code)), imaginary: false });
    }
    if token.kind == Kind::Complex || literal.ends_with('i') {
        return Ok(Number { literal, int: None, float: None, imaginary: true });
    }
    let int = parse_int(token.text, 0);
    let float = int.map(as_float).or_else(|| parse_uint(token.text, 0).map(as_unsigned_float));
    if float.is_some() {
        return Ok(Number { literal, int, float, imaginary: false });
    }
    let Some(float) = parse_float(token.text) else {
        return Err(Message::plain("illegal number syntax: ").source(quoted_text(token.text)));
    };
    if !literal.contains(['.', 'e', 'E', 'p', 'P']) {
        return Err(Message::plain("integer overflow: ").source(quoted_text(token.text)));
    }
    Ok(Number { literal, int: whole(float), float: Some(float), imaginary: false })
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
