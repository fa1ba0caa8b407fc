//! Making private keys.

use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use super::Key;
use crate::error::Message;
use crate::keys::{Curve, EcKey, PrivateKey};

pub(crate) use super::dsa::generate as dsa;

/// Fills a buffer from the randomness of the system.
pub(crate) fn fill(buffer: &mut [u8]) -> Result<(), Message> {
    getrandom::fill(buffer).map_err(|error| format!("system has no randomness: {error}").into())
}

/// An RSA key. One of 4096 bits takes 0.2 to 2.6 s ([`Limits::expensive_calls`](crate::Limits::expensive_calls)).
///
/// The time is the library's tests of numbers that may be prime. A search of our own could halve the candidates with a
/// larger sieve, but without the library's assembly each test took longer by a third, so that little was won for the price
/// of key generation that nobody else has examined.
pub(crate) fn rsa(size: KeySize) -> Result<Key, Message> {
    let pair = KeyPair::generate(size).map_err(|_| failed("RSA"))?;
    let der = pair.as_der().map_err(|_| failed("RSA"))?;
    PrivateKey::parse_pkcs8(der.as_ref()).map(Key::Known)
}

/// An ECDSA key on P-256.
pub(crate) fn ecdsa() -> Result<Key, Message> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| failed("ECDSA"))?;
    let secret = pair.private_key().as_be_bytes().map_err(|_| failed("ECDSA"))?;
    let key = EcKey::new(Curve::P256, secret.as_ref()).ok_or_else(|| failed("ECDSA"))?;
    Ok(Key::Known(PrivateKey::Ec(key)))
}

pub(crate) fn ed25519() -> Result<Key, Message> {
    let mut seed = [0; 32];
    fill(&mut seed)?;
    Ok(Key::Known(PrivateKey::Ed25519(seed)))
}

fn failed(kind: &str) -> Message {
    format!("no {kind} key could be made; try again").into()
}
