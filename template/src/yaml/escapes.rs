//! Escapes in double-quoted scalars, of which Go's parser knows others than ours.

/// Characters that an escape may consist of, besides the backslash, and that stand for themselves or a fixed character.
const KNOWN: &str = "0abt\tnvfre \"'\\N_LP\n\r";

/// The first escape that Go refuses in the double-quoted scalar that opens at `open`: where it is, and what is wrong with it.
pub(super) fn wrong(text: &str, open: usize) -> Option<(usize, &'static str)> {
    escapes(text, open).find_map(|(at, char)| {
        let digits = match char {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            known if KNOWN.contains(known) => return None,
            _ => return Some((at, "found unknown escape character")),
        };
        let behind = at + '\\'.len_utf8() + char.len_utf8();
        let code =
            text.get(behind..behind + digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = code.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Some((at, "did not find expected hexdecimal number"));
        };
        // Half of a pair is no character, and Go knows no pairs.
        char::from_u32(code).is_none().then_some((at, "found invalid Unicode character escape code"))
    })
}

/// The text with apostrophes instead of the escapes for them in that scalar, which the parser does not know.
pub(super) fn without_apostrophes(text: &str, open: usize) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in escapes(text, open).filter(|(_, char)| *char == '\'') {
        out.push_str(text.get(done..at)?);
        done = at + '\\'.len_utf8();
    }
    out.push_str(text.get(done..)?);
    (done > 0).then_some(out)
}

/// Where the backslashes are, and the characters behind them.
fn escapes(text: &str, open: usize) -> impl Iterator<Item = (usize, char)> {
    let content = text.get(open..).and_then(|rest| rest.strip_prefix('"')).unwrap_or_default();
    let mut chars = content.char_indices();
    std::iter::from_fn(move || {
        loop {
            match chars.next()? {
                (_, '"') => return None,
                (at, '\\') => return Some((open + 1 + at, chars.next()?.1)),
                _ => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_escape_that_go_refuses_is_found() {
        for (text, expected) in [
            (r#""\x41\u00e9\U0001F600\N\_\'\"" \q"#, None),
            (r#""a\/b""#, Some((2, "found unknown escape character"))),
            (r#""\\\ud83d\ude00""#, Some((3, "found invalid Unicode character escape code"))),
            (r#""\u12"#, Some((1, "did not find expected hexdecimal number"))),
            (r#""\x+1""#, Some((1, "did not find expected hexdecimal number"))),
            (r"'\/'", None),
        ] {
            let expected =
                if text.starts_with(r#""a\/b" "#) { Some((2, "found unknown escape character")) } else { expected };
            assert_eq!(wrong(text, 0), expected, "{text}");
        }
        assert_eq!(without_apostrophes(r#"a: "\\\'\'" \'"#, 3).as_deref(), Some(r#"a: "\\''" \'"#));
        assert_eq!(without_apostrophes(r#""a" "\'""#, 0), None);
    }
}
