//! Keys from passwords: PBKDF2, and the derivation of PKCS#12 itself (RFC 7292, appendix B).

use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};

use super::Password;
use super::algorithms::Hash;
use super::iterations;
use crate::context::Context;
use crate::error::Message;

/// What a derived value is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// `length` bytes of PBKDF2.
pub(super) fn pbkdf2(
    context: &Context,
    hash: Hash,
    password: &Password,
    salt: &[u8],
    count: i64,
    length: usize,
) -> Result<Vec<u8>, Message> {
    context.check_bytes(length)?;
    context.spend_on_bytes(salt.len())?;
    // Each block of output does all iterations anew.
    let blocks = length.div_ceil(hash.digest().output_len()).max(1);
    let mut rounds = 1;
    for _ in 0..blocks {
        rounds = iterations(context, count)?;
    }
    let mut out = vec![0; length];
    if length > 0 {
        let rounds = NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN);
        pbkdf2::derive(hash.pbkdf2(), rounds, salt, password.text.as_bytes(), &mut out);
    }
    Ok(out)
}

/// `length` bytes of the derivation of PKCS#12.
pub(super) fn pkcs12(
    context: &Context,
    hash: Hash,
    purpose: Purpose,
    password: &Password,
    salt: &[u8],
    count: i64,
    length: usize,
) -> Result<Vec<u8>, Message> {
    let algorithm = hash.digest();
    let block = algorithm.block_len();
    context.spend_on_bytes(salt.len().saturating_add(password.wide.len()))?;
    let mut input = repeated(salt, block);
    input.extend(repeated(&password.wide, block));
    let diversifier = vec![purpose as u8; block];
    let mut out = Vec::with_capacity(length + algorithm.output_len());
    while out.len() < length {
        let rounds = iterations(context, count)?;
        let mut hashing = digest::Context::new(algorithm);
        hashing.update(&diversifier);
        hashing.update(&input);
        let mut part = hashing.finish();
        for _ in 1..rounds {
            part = digest::digest(algorithm, part.as_ref());
        }
        out.extend_from_slice(part.as_ref());
        let addend: Vec<u8> = part.as_ref().iter().copied().cycle().take(block).collect();
        for chunk in input.chunks_mut(block) {
            add_with_one(chunk, &addend);
        }
    }
    out.truncate(length);
    Ok(out)
}

/// The bytes over and over, up to the next multiple of `block`.
fn repeated(bytes: &[u8], block: usize) -> Vec<u8> {
    let length = bytes.len().div_ceil(block) * block;
    bytes.iter().copied().cycle().take(length).collect()
}

/// Adds `addend + 1` to a number in big-endian order, dropping what runs over.
fn add_with_one(number: &mut [u8], addend: &[u8]) {
    let mut carry = 1u16;
    for (digit, &other) in number.iter_mut().zip(addend).rev() {
        let sum = u16::from(*digit) + u16::from(other) + carry;
        let [high, low] = sum.to_be_bytes();
        *digit = low;
        carry = u16::from(high);
    }
}
