//! Breaking lines at words.

use super::Type::{Int, Str};
use super::{Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "wrap",
        &[Int, Str],
        Str,
        doc(
            "The text with line ends at spaces, so that lines have so many bytes at most: number, text. Long words \
             stay whole.",
            r#"{{ wrap 24 "rotate before the first of March" }}"#,
            "rotate before the first\nof March",
        ),
        |context, args| wrap(context, args.str(1), args.int(0), b"\n", false).map(Value::str),
    ),
    Function::new(
        "wrapWith",
        &[Int, Str, Str],
        Str,
        doc(
            "As `wrap`, with a separator in place of line ends, and long words cut: number, separator, text.",
            r#"{{ wrapWith 4 "-" "9F3A77C1D2E0" }}"#,
            "9F3A-77C1-D2E0",
        ),
        |context, args| wrap(context, args.str(2), args.int(0), args.str(1), true).map(Value::str),
    ),
];

/// Breaks at spaces; `cut` says whether a word longer than the width is broken too. Widths count bytes.
fn wrap(context: &Context, text: &[u8], width: i64, separator: &[u8], cut: bool) -> Result<Vec<u8>, Message> {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let separator = if separator.is_empty() { b"\n" } else { separator };
    let mut out = Vec::new();
    let mut rest = text;
    while rest.len() > width {
        context.spend(1)?;
        context.check_bytes(out.len() + separator.len() + width)?;
        if let Some(tail) = rest.strip_prefix(b" ") {
            rest = tail;
            continue;
        }
        let within = rest[..=width].iter().rposition(|&byte| byte == b' ');
        let behind = || rest.iter().skip(width).position(|&byte| byte == b' ').map(|at| at + width);
        let (end, next) = match within {
            Some(space) => (space, space + 1),
            None if cut => (width, width),
            None => match behind() {
                Some(space) => (space, space + 1),
                None => break,
            },
        };
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(separator);
        rest = &rest[next..];
    }
    out.extend_from_slice(rest);
    context.check_bytes(out.len())?;
    Ok(out)
}
