//! DER as Go's encoding/asn1 reads it: the fields of a structure one by one, with that package's complaints.
//!
//! Elements behind the known fields of a structure are ignored. Complaints quote tags and lengths of the input, which
//! may come from a secret, and hide them in the redacted text.

use super::oid::{self, BadNumber};
use crate::error::Message;

/// What a field must be: Go's universal tag, whether it has elements inside, and Go's name of the type.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    tag: u32,
    compound: bool,
    name: &'static str,
    set: bool,
}

impl Kind {
    pub(crate) const INT: Self = Self { tag: 2, compound: false, name: "int", set: false };
    /// An integer of any size.
    pub(crate) const BIG: Self = Self { tag: 2, compound: false, name: "", set: false };
    pub(crate) const BITS: Self = Self { tag: 3, compound: false, name: "BitString", set: false };
    pub(crate) const OCTETS: Self = Self { tag: 4, compound: false, name: "", set: false };
    pub(crate) const OID: Self = Self { tag: 6, compound: false, name: "ObjectIdentifier", set: false };
    /// A sequence of like elements.
    pub(crate) const LIST: Self = Self { tag: 16, compound: true, name: "", set: false };
    /// A set of like elements.
    pub(crate) const SET: Self = Self { tag: 17, compound: true, name: "", set: true };

    /// A structure with Go's name.
    pub(crate) const fn structure(name: &'static str) -> Self {
        Self { tag: 16, compound: true, name, set: false }
    }
}

/// One element of any kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Element<'a> {
    pub(crate) class: u8,
    pub(crate) tag: u32,
    pub(crate) content: &'a [u8],
    /// The element with its tag and length.
    pub(crate) whole: &'a [u8],
}

/// The class of tags that mean something only where they stand.
pub(crate) const CONTEXT: u8 = 2;

struct Header {
    class: u8,
    tag: u32,
    compound: bool,
    length: usize,
}

/// The elements of a structure that are still to be read.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// What was not read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The content of the next element, which must be of that kind.
    pub(crate) fn content(&mut self, kind: Kind) -> Result<&'a [u8], Message> {
        let (header, at) = self.header()?;
        if header.class != 0 || header.tag != kind.tag || header.compound != kind.compound {
            return Err(mismatch(kind, &header, at));
        }
        self.take(&header, at).map(|element| element.content)
    }

    /// The content of the next element if it is of that kind; otherwise the element is left for the next field.
    pub(crate) fn optional(&mut self, kind: Kind) -> Result<Option<&'a [u8]>, Message> {
        if self.is_empty() {
            return Ok(None);
        }
        let (header, at) = self.header()?;
        if header.class != 0 || header.tag != kind.tag || header.compound != kind.compound {
            return Ok(None);
        }
        self.take(&header, at).map(|element| Some(element.content))
    }

    /// The next structure.
    pub(crate) fn structure(&mut self, name: &'static str) -> Result<Self, Message> {
        self.content(Kind::structure(name)).map(Self::new)
    }

    /// The next element, whatever it is.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, Message> {
        let (header, at) = self.header()?;
        self.take(&header, at)
    }

    /// The next element if there is one.
    pub(crate) fn optional_element(&mut self) -> Result<Option<Element<'a>>, Message> {
        if self.is_empty() { Ok(None) } else { self.element().map(Some) }
    }

    /// The element with that context tag and no elements inside, if it comes next; another is left for the next field.
    pub(crate) fn tagged(&mut self, tag: u32) -> Result<Option<Element<'a>>, Message> {
        if self.is_empty() {
            return Ok(None);
        }
        let (header, at) = self.header()?;
        if header.class != CONTEXT || header.tag != tag || header.compound {
            return Ok(None);
        }
        self.take(&header, at).map(Some)
    }

    /// The element that stands inside an explicit context tag. Its content is not read yet: Go keeps the outer one whole.
    pub(crate) fn explicit_element(&mut self, tag: u32, optional: bool) -> Result<Option<Element<'a>>, Message> {
        if self.is_empty() {
            return if optional { Ok(None) } else { Err(syntax("sequence truncated")) };
        }
        let (header, at) = self.header()?;
        if at == self.bytes.len() {
            return Err(structure("explicit tag has no child"));
        }
        if header.class == CONTEXT && header.tag == tag && (header.length == 0 || header.compound) {
            return self.take(&header, at).map(Some);
        }
        if optional { Ok(None) } else { Err(structure("explicitly tagged member didn't match")) }
    }

    /// The content of an element of that kind inside an explicit context tag.
    pub(crate) fn explicit(&mut self, tag: u32, kind: Kind, optional: bool) -> Result<Option<&'a [u8]>, Message> {
        if self.is_empty() {
            return if optional { Ok(None) } else { Err(syntax("sequence truncated")) };
        }
        let (outer, at) = self.header()?;
        if at == self.bytes.len() {
            return Err(structure("explicit tag has no child"));
        }
        let fits = outer.class == CONTEXT && outer.tag == tag && (outer.length == 0 || outer.compound);
        if !fits {
            return if optional { Ok(None) } else { Err(structure("explicitly tagged member didn't match")) };
        }
        if outer.length == 0 {
            return Err(structure("zero length explicit tag was not an asn1.Flag"));
        }
        // Go does not hold the inner length against the outer one.
        let mut inner = Self { bytes: self.bytes, at };
        let (header, at) = inner.header()?;
        if header.class != 0 || header.tag != kind.tag || header.compound != kind.compound {
            return if optional { Ok(None) } else { Err(mismatch(kind, &header, at)) };
        }
        let content = inner.take(&header, at)?.content;
        self.at = inner.at;
        Ok(Some(content))
    }

    /// An integer of 64 bits.
    pub(crate) fn int(&mut self) -> Result<i64, Message> {
        int(self.content(Kind::INT)?)
    }

    /// An identifier, as the content of its DER.
    pub(crate) fn oid(&mut self) -> Result<&'a [u8], Message> {
        let content = self.content(Kind::OID)?;
        check_oid(content)?;
        Ok(content)
    }

    /// The content of an integer that may be larger than 64 bits.
    pub(crate) fn big(&mut self) -> Result<&'a [u8], Message> {
        let content = self.content(Kind::BIG)?;
        check_integer(content)?;
        Ok(content)
    }

    fn header(&self) -> Result<(Header, usize), Message> {
        if self.is_empty() {
            return Err(syntax("sequence truncated"));
        }
        header(self.bytes, self.at)
    }

    fn take(&mut self, header: &Header, at: usize) -> Result<Element<'a>, Message> {
        let end = at.checked_add(header.length).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| syntax("data truncated"))?;
        let element = Element {
            class: header.class,
            tag: header.tag,
            content: &self.bytes[at..end],
            whole: &self.bytes[self.at..end],
        };
        self.at = end;
        Ok(element)
    }
}

/// The elements of a list of structures or other elements of one kind.
pub(crate) fn list(content: &[u8], kind: Kind) -> Result<Vec<Fields<'_>>, Message> {
    let mut fields = Fields::new(content);
    let mut elements = Vec::new();
    // Go looks at all tags before it reads any element.
    while !fields.is_empty() {
        let (header, at) = header(fields.bytes, fields.at)?;
        if header.class != 0 || header.tag != kind.tag || header.compound != kind.compound {
            return Err(structure("sequence tag mismatch"));
        }
        if at.checked_add(header.length).is_none_or(|end| end > fields.bytes.len()) {
            return Err(syntax("truncated sequence"));
        }
        elements.push(Fields::new(fields.take(&header, at)?.content));
    }
    Ok(elements)
}

/// An integer of 64 bits from its content.
pub(crate) fn int(content: &[u8]) -> Result<i64, Message> {
    check_integer(content)?;
    if content.len() > 8 {
        return Err(structure("integer too large"));
    }
    let sign = if content[0] & 0x80 == 0 { 0 } else { -1 };
    Ok(content.iter().fold(sign, |number, &byte| (number << 8) | i64::from(byte)))
}

/// The bits of a bit string, whose number must be what its first byte says; the unused bits must be zero.
pub(crate) fn bits(content: &[u8]) -> Result<&[u8], Message> {
    let Some((&unused, bits)) = content.split_first() else { return Err(syntax("zero length BIT STRING")) };
    let last = bits.last().copied();
    let fits = match last {
        None => unused == 0,
        Some(last) => unused <= 7 && last & ((1 << unused) - 1) == 0,
    };
    if fits { Ok(bits) } else { Err(syntax("invalid padding bits in BIT STRING")) }
}

/// Refuses an integer that is empty or padded.
pub(crate) fn check_integer(content: &[u8]) -> Result<(), Message> {
    match content {
        [] => Err(structure("empty integer")),
        [0, next, ..] if next & 0x80 == 0 => Err(structure("integer not minimally-encoded")),
        [0xff, next, ..] if next & 0x80 != 0 => Err(structure("integer not minimally-encoded")),
        _ => Ok(()),
    }
}

/// Refuses what is no identifier.
pub(crate) fn check_oid(content: &[u8]) -> Result<(), Message> {
    if content.is_empty() {
        return Err(syntax("zero length OBJECT IDENTIFIER"));
    }
    let mut rest = content;
    while !rest.is_empty() {
        rest = oid::base128(rest).map_err(bad_number)?.1;
    }
    Ok(())
}

fn header(bytes: &[u8], start: usize) -> Result<(Header, usize), Message> {
    let mut at = start;
    let mut next = || {
        let byte = bytes.get(at).copied().ok_or_else(|| syntax("truncated tag or length"));
        at += 1;
        byte
    };
    let first = next()?;
    let mut tag = u32::from(first & 0x1f);
    if tag == 0x1f {
        let (number, rest) = oid::base128(bytes.get(at..).unwrap_or_default()).map_err(bad_number)?;
        if number < 0x1f {
            return Err(syntax("non-minimal tag"));
        }
        tag = number;
        at = bytes.len() - rest.len();
    }
    let mut next = || {
        let byte = bytes.get(at).copied().ok_or_else(|| syntax("truncated tag or length"));
        at += 1;
        byte
    };
    let short = next()?;
    let mut length = usize::from(short & 0x7f);
    if short & 0x80 != 0 {
        let count = length;
        if count == 0 {
            return Err(syntax("indefinite length found (not DER)"));
        }
        length = 0;
        for _ in 0..count {
            let byte = next()?;
            // Another byte would take the length beyond what Go counts in 31 bits.
            if length >= 1 << 23 {
                return Err(structure("length too large"));
            }
            length = (length << 8) | usize::from(byte);
            if length == 0 {
                return Err(structure("superfluous leading zeros in length"));
            }
        }
        if length < 0x80 {
            return Err(structure("non-minimal length"));
        }
    }
    Ok((Header { class: first >> 6, tag, compound: first & 0x20 != 0, length }, at))
}

fn bad_number(problem: BadNumber) -> Message {
    match problem {
        BadNumber::Truncated => syntax("truncated base 128 integer"),
        BadNumber::Padded => syntax("integer is not minimally encoded"),
        BadNumber::TooLarge => structure("base 128 integer too large"),
    }
}

pub(crate) fn syntax(problem: &'static str) -> Message {
    Message::plain("asn1: syntax error: ").text(problem)
}

pub(crate) fn structure(problem: &'static str) -> Message {
    Message::plain("asn1: structure error: ").text(problem)
}

fn mismatch(kind: Kind, header: &Header, at: usize) -> Message {
    let Header { class, tag, compound, length } = header;
    let found = format!("{{class:{class} tag:{tag} length:{length} isCompound:{compound}}}");
    structure("tags don't match (").words(format!("{} vs ", kind.tag)).data(found).words(format!(
        ") {{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 \
         timeType:0 set:{} omitEmpty:false}} {} @{at}",
        kind.set, kind.name
    ))
}

#[cfg(test)]
mod tests {
    use super::{Fields, Kind, bits, int};
    use crate::der::write;
    use crate::error::Message;

    fn problem<T>(result: Result<T, Message>) -> String {
        result.err().map(|message| message.exact().to_owned()).unwrap_or_default()
    }

    #[test]
    fn lengths_must_be_the_shortest_and_within_the_input() {
        for (bytes, wanted) in [
            (&b""[..], "syntax error: sequence truncated"),
            (b"\x04", "syntax error: truncated tag or length"),
            (b"\x04\x80", "syntax error: indefinite length found (not DER)"),
            (b"\x04\x81\x05hello", "structure error: non-minimal length"),
            (b"\x04\x82\x00\x81", "structure error: superfluous leading zeros in length"),
            (b"\x04\x85\x01\x01\x01\x01\x01", "structure error: length too large"),
            (b"\x04\x05hell", "syntax error: data truncated"),
            (b"\x1f\x80\x01", "syntax error: integer is not minimally encoded"),
            (b"\x1f\x1e\x00", "syntax error: non-minimal tag"),
        ] {
            let found = problem(Fields::new(bytes).content(Kind::OCTETS));
            assert_eq!(found, format!("asn1: {wanted}"), "{bytes:?}");
        }
    }

    #[test]
    fn integers_must_be_the_shortest() {
        assert_eq!(int(&[0xff]).ok(), Some(-1));
        assert_eq!(int(&[0x7f, 0xff]).ok(), Some(0x7fff));
        assert_eq!(problem(int(&[])), "asn1: structure error: empty integer");
        assert_eq!(problem(int(&[0, 1])), "asn1: structure error: integer not minimally-encoded");
        assert_eq!(problem(int(&[1; 9])), "asn1: structure error: integer too large");
    }

    #[test]
    fn unused_bits_must_be_zero() {
        assert_eq!(bits(&[4, 0xf0]).ok(), Some(&[0xf0][..]));
        for wrong in [&[8, 0][..], &[1, 1], &[1]] {
            assert_eq!(problem(bits(wrong)), "asn1: syntax error: invalid padding bits in BIT STRING");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![5; length];
            assert_eq!(Fields::new(&write::octets(&content)).content(Kind::OCTETS).ok(), Some(content.as_slice()));
        }
        for number in [0, 1, 127, 128, -1, -128, -129, i64::MAX, i64::MIN] {
            assert_eq!(Fields::new(&write::signed(number)).int().ok(), Some(number));
        }
    }
}
