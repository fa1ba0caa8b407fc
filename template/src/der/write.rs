//! Making DER.

/// An element with that tag byte.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().take_while(|&&digit| digit == 0).count()..];
    let mut out = Vec::with_capacity(content.len() + 2 + digits.len());
    out.push(tag);
    if content.len() < 0x80 {
        out.push(u8::try_from(content.len()).unwrap_or_default());
    } else {
        out.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
        out.extend_from_slice(digits);
    }
    out.extend_from_slice(content);
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// A set of elements, which DER wants sorted.
pub(crate) fn set(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    element(0x31, &parts.concat())
}

pub(crate) fn oid(content: &[u8]) -> Vec<u8> {
    element(6, content)
}

pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    element(4, content)
}

/// A bit string of whole bytes.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    element(3, &[&[0], content].concat())
}

pub(crate) fn null() -> Vec<u8> {
    element(5, &[])
}

/// A small number.
pub(crate) fn int(number: u32) -> Vec<u8> {
    unsigned(&number.to_be_bytes())
}

/// A number that is not negative, from its bytes in big-endian order.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let digits = &bytes[zeros..];
    let pad: &[u8] = if digits.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    element(2, &[pad, digits].concat())
}

/// A number of either sign.
pub(crate) fn signed(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    // A leading byte says nothing when it repeats the sign of the next one.
    let surplus = bytes.windows(2).take_while(|pair| matches!((pair[0], pair[1] >> 7), (0, 0) | (0xff, 1))).count();
    element(2, &bytes[surplus..])
}

/// What stands inside an explicit context tag.
pub(crate) fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}
