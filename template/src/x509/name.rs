//! Names of subjects and issuers.

use std::fmt;

use super::malformed;
use crate::der::cursor::{Cursor, tag};
use crate::der::{oid, write};
use crate::error::Message;

const T61: u8 = 20;
const PRINTABLE: u8 = 19;
const UTF8: u8 = 12;
const BMP: u8 = 30;
const IA5: u8 = 22;
const NUMERIC: u8 = 18;

/// What an identifier of a name starts with; one number follows, which says what it is.
const PREFIX: [u8; 3] = [0x55, 4, 0];
const COMMON_NAME: u8 = 3;
const SERIAL_NUMBER: u8 = 5;
/// The attributes that Go groups by kind, in the order in which it writes them.
const GROUPED: [(u8, &str); 7] =
    [(6, "C"), (8, "ST"), (7, "L"), (9, "STREET"), (17, "POSTALCODE"), (10, "O"), (11, "OU")];

/// A name: identifiers and texts in the order of the certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Name(Vec<(Vec<u8>, String)>);

impl Name {
    /// The name that comes next.
    pub(super) fn read(input: &mut Cursor) -> Result<Self, Message> {
        let wrong = |what: &str| malformed(format!("invalid RDNSequence{what}"));
        let mut sets = input.read(tag::SEQUENCE).ok_or_else(|| wrong(""))?;
        let mut parts = Vec::new();
        while !sets.is_empty() {
            let mut set = sets.read(tag::SET).ok_or_else(|| wrong(""))?;
            while !set.is_empty() {
                let mut pair = set.read(tag::SEQUENCE).ok_or_else(|| wrong(": invalid attribute"))?;
                let oid = pair.oid().ok_or_else(|| wrong(": invalid attribute type"))?;
                let (kind, value, _) = pair.any().ok_or_else(|| wrong(": invalid attribute value"))?;
                let text = text(kind, value.0).map_err(|problem| wrong(": invalid attribute value: ").text(problem))?;
                parts.push((oid.to_vec(), text));
            }
        }
        Ok(Self(parts))
    }

    /// The last text of that kind; empty when there is none.
    fn last(&self, kind: u8) -> &str {
        self.0.iter().rev().find(|(oid, _)| known(oid) == Some(kind)).map_or("", |(_, text)| text)
    }

    /// All texts of that kind.
    fn all(&self, kind: u8) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(oid, _)| known(oid) == Some(kind)).map(|(_, text)| text.as_str())
    }
}

/// Go prints the groups from the last to the first, and what it does not know behind them.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        for (kind, label) in [(SERIAL_NUMBER, "SERIALNUMBER"), (COMMON_NAME, "CN")] {
            let text = self.last(kind);
            if !text.is_empty() {
                parts.push(format!("{label}={}", escaped(text)));
            }
        }
        for (kind, label) in GROUPED.into_iter().rev() {
            let group: Vec<String> = self.all(kind).map(|text| format!("{label}={}", escaped(text))).collect();
            if !group.is_empty() {
                parts.push(group.join("+"));
            }
        }
        let others = self.0.iter().rev().filter(|(oid, _)| known(oid).is_none());
        parts.extend(others.map(|(oid, text)| format!("{}=#{}", oid::dotted(oid), crate::funcs::hex(&encoded(text)))));
        f.write_str(&parts.join(","))
    }
}

/// The kind of an attribute that Go has a field for.
fn known(oid: &[u8]) -> Option<u8> {
    let [first, second, kind] = <[u8; 3]>::try_from(oid).ok()?;
    let is_known = [COMMON_NAME, SERIAL_NUMBER].contains(&kind) || GROUPED.iter().any(|(known, _)| *known == kind);
    (first == PREFIX[0] && second == PREFIX[1] && is_known).then_some(kind)
}

/// The text with a backslash before what has a meaning in names.
fn escaped(text: &str) -> String {
    let last = text.len().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (at, char) in text.char_indices() {
        let special = match char {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

/// The text as DER, which Go shows of attributes that it has no name for.
fn encoded(text: &str) -> Vec<u8> {
    // Go reads `*` and `&` in the plainer form but does not write them so.
    let plain = text.bytes().all(|byte| is_printable(byte) && !matches!(byte, b'*' | b'&'));
    write::element(if plain { PRINTABLE } else { UTF8 }, text.as_bytes())
}

/// A text of any of the kinds that names are written in.
fn text(kind: u8, value: &[u8]) -> Result<String, String> {
    let checked = |fits: bool, name: &str| {
        if fits { Ok(crate::text::lossy(value)) } else { Err(format!("invalid {name}")) }
    };
    match kind {
        // Latin 1, as everyone writes it.
        T61 => Ok(value.iter().copied().map(char::from).collect()),
        PRINTABLE => checked(value.iter().copied().all(is_printable), "PrintableString"),
        UTF8 => checked(std::str::from_utf8(value).is_ok(), "UTF-8 string"),
        BMP => bmp(value).ok_or_else(|| "invalid BMPString".to_owned()),
        IA5 => checked(value.is_ascii(), "IA5String"),
        NUMERIC => checked(value.iter().all(|byte| byte.is_ascii_digit() || *byte == b' '), "NumericString"),
        other => Err(format!("unsupported string type: {other}")),
    }
}

fn bmp(value: &[u8]) -> Option<String> {
    let (units, []) = value.as_chunks::<2>() else { return None };
    // Some writers end the text with a zero.
    let units = units.strip_suffix(&[[0, 0]]).unwrap_or(units);
    units.iter().map(|unit| char::from_u32(u16::from_be_bytes(*unit).into())).collect()
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte)
}
