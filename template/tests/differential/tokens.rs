//! A template in pieces small enough to leave one out.

/// The pieces; together they are the template.
pub fn split(template: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut inside = false;
    while at < template.len() {
        let rest = &template[at..];
        let length = if inside { length_inside(rest) } else { length_outside(rest) };
        let piece = &rest[..length.clamp(1, rest.len())];
        if piece.starts_with(b"{{") {
            inside = true;
        } else if piece.ends_with(b"}}") && inside {
            inside = false;
        }
        pieces.push(piece.to_vec());
        at += piece.len();
    }
    pieces
}

fn length_outside(rest: &[u8]) -> usize {
    if rest.starts_with(b"{{- ") {
        return 4;
    }
    if rest.starts_with(b"{{") {
        return 2;
    }
    rest.windows(2).position(|pair| pair == b"{{").unwrap_or(rest.len())
}

fn length_inside(rest: &[u8]) -> usize {
    if rest.starts_with(b" -}}") {
        return 4;
    }
    if rest.starts_with(b"}}") || rest.starts_with(b":=") {
        return 2;
    }
    if rest.starts_with(b"/*") {
        return rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 2);
    }
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let word_after = |start: usize| start + rest[start..].iter().take_while(|byte| is_word(byte)).count();
    match rest[0] {
        quote @ (b'"' | b'\'') => quoted(rest, quote),
        b'`' => rest[1..].iter().position(|&byte| byte == b'`').map_or(rest.len(), |end| end + 2),
        b'.' | b'$' => word_after(1),
        byte if is_word(&byte) => word_after(0),
        _ => 1,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            b'\n' => return at,
            _ => at += 1,
        }
    }
    rest.len()
}
