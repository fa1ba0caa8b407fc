//! PEM as Go reads and writes it.
//!
//! Reading is lenient: text between blocks is skipped, lines may end in CRLF or blanks, and what looks like a block but
//! is not whole is passed over. It takes time linear in the text. Writing gives lines of 64 columns.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::funcs::base64_decoded;
use crate::text::find;

const BEGIN: &[u8] = b"-----BEGIN ";
/// The line end belongs to the mark: dashes inside a line end nothing.
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";
/// Columns of a line of base 64.
const COLUMNS: usize = 64;
/// The header that stands first, as RFC 1421 wants it.
const FIRST_HEADER: &[u8] = b"Proc-Type";

type Headers = BTreeMap<Vec<u8>, Vec<u8>>;

/// One block: `-----BEGIN kind-----` with what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) kind: Vec<u8>,
    pub(crate) headers: Headers,
    pub(crate) bytes: Vec<u8>,
}

/// The first whole block of `text`, and the text behind it. Without one, nothing was read.
pub(crate) fn decode(text: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = text;
    loop {
        let end = find(rest, END)?;
        match block_before(rest, end) {
            Ok(found) => return Some(found),
            Err(Miss::Malformed) => rest = &rest[end + END.len()..],
            Err(Miss::Swallowed) => return None,
        }
    }
}

/// The block of these bytes, without headers.
pub(crate) fn encode(kind: &str, bytes: &[u8]) -> Vec<u8> {
    Block { kind: kind.as_bytes().to_vec(), headers: Headers::new(), bytes: bytes.to_vec() }.encode()
}

impl Block {
    /// The text of the block: headers sorted by name, a line end at the end.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() / 3 * 4 + self.bytes.len() / 48 + 100);
        let mark = |out: &mut Vec<u8>, mark: &[u8]| {
            for part in [mark, &self.kind, b"-----\n"] {
                out.extend_from_slice(part);
            }
        };
        mark(&mut out, BEGIN);
        let (first, others): (Vec<_>, Vec<_>) = self.headers.iter().partition(|(name, _)| *name == FIRST_HEADER);
        for (name, value) in first.into_iter().chain(others) {
            for part in [name, b": ".as_slice(), value, b"\n"] {
                out.extend_from_slice(part);
            }
        }
        if !self.headers.is_empty() {
            out.push(b'\n');
        }
        for line in STANDARD.encode(&self.bytes).as_bytes().chunks(COLUMNS) {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        mark(&mut out, &END[1..]);
        out
    }
}

/// Why an end mark closes no block.
enum Miss {
    /// A later block may still be whole.
    Malformed,
    /// The end mark has a colon and reads as a header of the block. Go looks no further, so neither do we.
    Swallowed,
}

/// The block that the end mark at `end` closes, if all of it is well formed.
fn block_before(text: &[u8], end: usize) -> Result<(Block, &[u8]), Miss> {
    let begin = memchr::memmem::rfind(&text[..end], BEGIN).ok_or(Miss::Malformed)?;
    if begin > 0 && text[begin - 1] != b'\n' {
        return Err(Miss::Malformed);
    }
    let (line, at) = line_at(text, begin + BEGIN.len());
    let kind = line.strip_suffix(DASHES).ok_or(Miss::Malformed)?;
    let (headers, at) = headers_at(text, at);
    if at > end + END.len() {
        return Err(Miss::Swallowed);
    }
    // The line end of the mark may be the one that ends the first line.
    let body = if headers.is_empty() && at == end + 1 { Some(&[][..]) } else { text.get(at..end) };
    let body: Vec<u8> =
        body.ok_or(Miss::Malformed)?.iter().copied().filter(|byte| !matches!(byte, b' ' | b'\t')).collect();
    let closing = text[end + END.len()..].strip_prefix(kind).and_then(|rest| rest.strip_prefix(DASHES));
    let (remainder, next) = line_at(text, text.len() - closing.ok_or(Miss::Malformed)?.len());
    match base64_decoded(&body) {
        Ok(bytes) if remainder.is_empty() => Ok((Block { kind: kind.to_vec(), headers, bytes }, &text[next..])),
        _ => Err(Miss::Malformed),
    }
}

/// The headers whose first line starts at `at`, and where the text behind them starts.
fn headers_at(text: &[u8], mut at: usize) -> (Headers, usize) {
    let mut headers = Headers::new();
    while at < text.len() {
        let (line, next) = line_at(text, at);
        let Some(colon) = memchr::memchr(b':', line) else { break };
        headers.insert(trimmed(&line[..colon]).to_vec(), trimmed(&line[colon + 1..]).to_vec());
        at = next;
    }
    (headers, at)
}

/// The line that starts at `at`, without its end and trailing blanks, and where the next one starts.
fn line_at(text: &[u8], at: usize) -> (&[u8], usize) {
    let rest = &text[at..];
    let (line, next) = match memchr::memchr(b'\n', rest) {
        Some(end) => (&rest[..end], at + end + 1),
        None => (rest, text.len()),
    };
    let line = if next > at + line.len() { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    (&line[..line.len() - blanks], next)
}

/// `bytes` without white space of Unicode at both ends.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let Some(rune) = crate::text::first_rune(bytes).filter(|rune| rune.valid && rune.char.is_whitespace()) {
        bytes = &bytes[rune.width..];
    }
    while let Some(rune) = crate::text::last_rune(bytes).filter(|rune| rune.valid && rune.char.is_whitespace()) {
        bytes = &bytes[..bytes.len() - rune.width];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Block, decode, encode};

    fn kinds_and_bytes(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rest = text;
        let mut found = Vec::new();
        while let Some((block, behind)) = decode(rest) {
            found.push((block.kind, block.bytes));
            rest = behind;
        }
        found
    }

    #[test]
    fn a_block_reads_back_as_written() {
        for length in [0, 1, 2, 47, 48, 49, 96, 1_000] {
            let bytes = vec![0xa5; length];
            let text = encode("CERTIFICATE", &bytes);
            let (block, rest) = decode(&text).unwrap();
            assert_eq!((block.bytes, rest), (bytes, &b""[..]));
        }
    }

    #[test]
    fn lines_have_64_columns() {
        let text = encode("X", &[0; 49]);
        let zeros = "A".repeat(64);
        assert_eq!(text, format!("-----BEGIN X-----\n{zeros}\nAA==\n-----END X-----\n").into_bytes());
        assert_eq!(encode("X", b""), b"-----BEGIN X-----\n-----END X-----\n");
    }

    #[test]
    fn headers_are_kept_and_sorted_behind_proc_type() {
        let text = b"-----BEGIN X-----\nB: 2\nProc-Type:4,ENCRYPTED\nA :1 \n\naGk=\n-----END X-----\n";
        let (block, _) = decode(text).unwrap();
        assert_eq!(block.encode(), b"-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\nA: 1\nB: 2\n\naGk=\n-----END X-----\n");
    }

    #[test]
    fn text_around_blocks_is_skipped() {
        let text = b"intro\n-----BEGIN A-----\r\naG k=\r\n-----END A----- \t\r\nmiddle\n-----BEGIN B-----\naG8=\n-----END B-----";
        assert_eq!(kinds_and_bytes(text), [(b"A".to_vec(), b"hi".to_vec()), (b"B".to_vec(), b"ho".to_vec())]);
    }

    #[test]
    fn malformed_blocks_are_passed_over() {
        for broken in [
            "-----BEGIN X-----\naGk\n-----END X-----\n",
            "-----BEGIN X-----\naGk=\n-----END Y-----\n",
            "-----BEGIN X----\naGk=\n-----END X-----\n",
            "-----BEGIN X-----\naGk=\n-----END X----- x\n",
            "x-----BEGIN X-----\naGk=\n-----END X-----\n",
            "-----BEGIN X-----\naGk=\n",
        ] {
            let text = format!("{broken}-----BEGIN Z-----\naG8=\n-----END Z-----\n");
            assert_eq!(kinds_and_bytes(text.as_bytes()), [(b"Z".to_vec(), b"ho".to_vec())], "{broken}");
            assert_eq!(decode(broken.as_bytes()), None);
        }
    }

    #[test]
    fn many_marks_are_read_in_time() {
        let text = "-----BEGIN X-----\n".repeat(200_000) + &"\n-----END X----- x".repeat(200_000);
        assert_eq!(decode(text.as_bytes()).map(|(block, _): (Block, _)| block), None);
    }
}
