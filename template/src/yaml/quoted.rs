//! Quoted scalars over several lines, which Go reads wherever their lines begin, and the parser only where they are indented.

/// The text with the lines of the quoted scalar behind `start` indented, by spaces that mean nothing, if one is next and any
/// of its lines needs it. It ends early where it is longer than `most` bytes.
pub(super) fn indented_behind(text: &str, start: usize, most: usize) -> Option<String> {
    let open = opening_quote(text, start)?;
    let column = text.get(..open)?.rsplit('\n').next().unwrap_or_default().chars().count();
    let pad = " ".repeat(column + 1);
    let mut out = text.get(..=open)?.to_owned();
    let mut rest = text.get(open + 1..)?;
    let quote = text.as_bytes().get(open).copied().map(char::from)?;
    let mut changed = false;
    loop {
        let is_mark = |char: char| char == quote || char == '\n' || (char == '\\' && quote == '"');
        let Some(at) = rest.find(is_mark) else {
            out.push_str(rest);
            break;
        };
        let mark = rest.get(at..)?.chars().next()?;
        out.push_str(rest.get(..at)?);
        out.push(mark);
        rest = rest.get(at + 1..)?;
        if mark == quote {
            match rest.strip_prefix('\'') {
                Some(behind) if quote == '\'' => {
                    out.push('\'');
                    rest = behind;
                }
                _ => {
                    out.push_str(rest);
                    break;
                }
            }
        } else if mark == '\\' {
            if let Some(escaped) = rest.chars().next().filter(|&escaped| escaped != '\n') {
                out.push(escaped);
                rest = rest.get(escaped.len_utf8()..)?;
            }
        } else if !rest.starts_with(&pad) && !rest.starts_with(['\n', '\r']) && !is_document_mark(rest) {
            out.push_str(&pad);
            changed = true;
            if out.len() > most {
                break;
            }
        }
    }
    changed.then_some(out)
}

/// The quote that opens the next scalar: nothing but marks, tags, anchors and comments stand before it.
fn opening_quote(text: &str, start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = text.get(at..)?;
        let char = rest.chars().next()?;
        at += match char {
            '\'' | '"' => return Some(at),
            '#' => rest.find('\n')?,
            '!' | '&' => rest.find(char::is_whitespace)?,
            ' ' | '\t' | '\n' | '\r' | '-' | '?' | ':' | ',' | '[' | '{' => 1,
            _ => return None,
        };
    }
}

/// Whether a line begins or ends a document, which it may not do within quotes.
fn is_document_mark(line: &str) -> bool {
    let behind = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
    behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(char::is_whitespace))
}
