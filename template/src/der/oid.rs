//! Object identifiers, kept as the content bytes of their DER.

use std::fmt::Write as _;

pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
pub(crate) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
pub(crate) const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
pub(crate) const X25519: &[u8] = &[0x2b, 0x65, 0x6e];
pub(crate) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The usual dotted notation; the empty text for what is no identifier.
pub(crate) fn dotted(content: &[u8]) -> String {
    let Some(arcs) = arcs(content) else { return String::new() };
    let mut out = String::new();
    for (index, arc) in arcs.iter().enumerate() {
        let dot = if index == 0 { "" } else { "." };
        let _ = write!(out, "{dot}{arc}");
    }
    out
}

/// The numbers of an identifier. None when one of them is padded, cut off or beyond 31 bits, which Go refuses.
pub(crate) fn arcs(content: &[u8]) -> Option<Vec<u32>> {
    let mut out = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let (number, behind) = base128(rest).ok()?;
        rest = behind;
        if out.is_empty() {
            // The first two numbers share one, the first being 0, 1 or 2.
            let first = (number / 40).min(2);
            out.extend([first, number - first * 40]);
        } else {
            out.push(number);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// What is wrong with a number in base 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadNumber {
    Truncated,
    Padded,
    TooLarge,
}

/// A number in base 128 of at most 31 bits, and what stands behind it.
pub(crate) fn base128(bytes: &[u8]) -> Result<(u32, &[u8]), BadNumber> {
    let mut number = 0u64;
    for (index, &byte) in bytes.iter().enumerate() {
        // Five groups hold 35 bits; a sixth cannot be needed.
        if index == 5 {
            return Err(BadNumber::TooLarge);
        }
        if index == 0 && byte == 0x80 {
            return Err(BadNumber::Padded);
        }
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            let number = u32::try_from(number).ok().filter(|&number| number <= i32::MAX.unsigned_abs());
            return number.map(|number| (number, &bytes[index + 1..])).ok_or(BadNumber::TooLarge);
        }
    }
    Err(BadNumber::Truncated)
}
