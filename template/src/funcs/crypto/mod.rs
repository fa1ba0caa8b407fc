//! Passwords, encryption, keys and certificates.
//!
//! What takes long is charged, by the table in [`cost`], before it starts, so that a render stays within
//! [`Limits::expensive_calls`](crate::Limits::expensive_calls) and its deadline.

use aws_lc_rs::digest;

mod aes;
mod certificates;
mod passwords;

pub(super) use aes::FUNCTIONS as AES;
pub(super) use certificates::FUNCTIONS as CERTIFICATES;
pub(super) use passwords::FUNCTIONS as PASSWORDS;

/// What functions cost in units of the limit: one unit is a `bcrypt`, about 60 ms of one core.
pub(super) mod cost {
    pub(in crate::funcs) const BCRYPT: usize = 1;
    /// Memory-hard: it also holds 32 MiB while it runs.
    pub(in crate::funcs) const SCRYPT: usize = 3;
    /// Finding primes takes now less, now more; these are means.
    pub(in crate::funcs) const RSA_2048: usize = 2;
    pub(in crate::funcs) const RSA_4096: usize = 8;
    /// With an RSA key of more than 4096 bits.
    pub(in crate::funcs) const LONG_SIGNATURE: usize = 5;
}

/// SHA-1 of the bytes. For formats that ask for it; it is broken as a signature.
pub(super) fn sha1(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes)
}
