//! DER as Go reads certificates: an element is there and well formed, or it is not; the caller words the complaint.

/// Tags, with class and the mark of elements inside.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 1;
    pub(crate) const INTEGER: u8 = 2;
    pub(crate) const BITS: u8 = 3;
    pub(crate) const OCTETS: u8 = 4;
    pub(crate) const NULL: u8 = 5;
    pub(crate) const OID: u8 = 6;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// A context tag without elements inside.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// A context tag with elements inside.
    pub(crate) const fn explicit(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The elements that are still to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn next_is(self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The content of the next element if it has that tag. On None, nothing was read.
    pub(crate) fn read(&mut self, tag: u8) -> Option<Self> {
        if self.next_is(tag) { self.any().map(|(_, content, _)| content) } else { None }
    }

    /// The next element with that tag, whole.
    pub(crate) fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.next_is(tag) { self.any().map(|(_, _, whole)| whole) } else { None }
    }

    /// The next element: tag, content, and all of it.
    pub(crate) fn any(&mut self) -> Option<(u8, Self, &'a [u8])> {
        let (&tag, &short) = (self.0.first()?, self.0.get(1)?);
        // Tags beyond 30 stand in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, start) = if short & 0x80 == 0 {
            (usize::from(short), 2)
        } else {
            let count = usize::from(short & 0x7f);
            let digits = self.0.get(2..2 + count).filter(|_| (1..=4).contains(&count))?;
            let length = digits.iter().fold(0u64, |length, &digit| (length << 8) | u64::from(digit));
            if length < 0x80 || digits[0] == 0 {
                return None;
            }
            (usize::try_from(length).ok()?, 2 + count)
        };
        let end = start.checked_add(length).filter(|&end| end <= self.0.len())?;
        let (whole, rest) = self.0.split_at(end);
        *self = Self(rest);
        Some((tag, Self(&whole[start..]), whole))
    }

    /// Reads an element that may be absent. None when it is there and malformed.
    #[expect(clippy::option_option, reason = "malformed and absent are different answers")]
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Option<Self>> {
        if self.next_is(tag) { self.read(tag).map(Some) } else { Some(None) }
    }

    /// The content of an integer.
    pub(crate) fn integer(&mut self) -> Option<&'a [u8]> {
        let mut after = *self;
        let content = after.read(tag::INTEGER)?.0;
        super::fields::check_integer(content).ok()?;
        *self = after;
        Some(content)
    }

    /// An integer that fits 64 bits.
    pub(crate) fn int(&mut self) -> Option<i64> {
        let mut after = *self;
        let number = super::fields::int(after.integer()?).ok()?;
        *self = after;
        Some(number)
    }

    pub(crate) fn boolean(&mut self) -> Option<bool> {
        match self.read(tag::BOOLEAN)?.0 {
            [0] => Some(false),
            [0xff] => Some(true),
            _ => None,
        }
    }

    /// The content of an identifier.
    pub(crate) fn oid(&mut self) -> Option<&'a [u8]> {
        let content = self.read(tag::OID)?.0;
        super::oid::arcs(content).map(|_| content)
    }

    /// The bits of a bit string; `whole_bytes` asks for a multiple of eight of them.
    pub(crate) fn bits(&mut self, whole_bytes: bool) -> Option<&'a [u8]> {
        let content = self.read(tag::BITS)?.0;
        let bits = super::fields::bits(content).ok()?;
        (!whole_bytes || content[0] == 0).then_some(bits)
    }
}
