//! Algorithms and public keys. They are checked and then dropped.

use super::malformed;
use crate::der::cursor::{Cursor, tag};
use crate::der::oid;
use crate::error::Message;
use crate::keys::Curve;

/// An algorithm's identifier, and its parameters as they stand if there are any.
pub(super) fn algorithm(mut fields: Cursor<'_>) -> Result<(&[u8], &[u8]), Message> {
    let oid = fields.oid().ok_or_else(|| malformed("malformed OID"))?;
    if fields.is_empty() {
        return Ok((oid, &[]));
    }
    let (_, _, parameters) = fields.any().ok_or_else(|| malformed("malformed parameters"))?;
    Ok((oid, parameters))
}

/// Checks the public key of a certificate. One of an unknown algorithm may be anything.
pub(super) fn check(mut info: Cursor) -> Result<(), Message> {
    let fields = info.read(tag::SEQUENCE).ok_or_else(|| malformed("malformed public key algorithm identifier"))?;
    let (oid, parameters) = algorithm(fields)?;
    let key = info.bits(false).ok_or_else(|| malformed("malformed subjectPublicKey"))?;
    let problem = match oid {
        oid::RSA => rsa(parameters, key),
        oid::EC => return ec(parameters, key),
        oid::ED25519 => ed25519(parameters, key),
        oid::DSA => dsa(parameters, key),
        _ => None,
    };
    problem.map_or(Ok(()), |problem| Err(malformed(problem)))
}

fn rsa(parameters: &[u8], key: &[u8]) -> Option<&'static str> {
    // RFC 3279 wants the parameters to be there and to say nothing.
    if parameters != [tag::NULL, 0] {
        return Some("RSA key missing NULL parameters");
    }
    let Some(mut fields) = Cursor(key).read(tag::SEQUENCE) else { return Some("invalid RSA public key") };
    let Some(modulus) = fields.integer() else { return Some("invalid RSA modulus") };
    let Some(exponent) = fields.int() else { return Some("invalid RSA public exponent") };
    if !is_positive(modulus) {
        return Some("RSA modulus is not a positive number");
    }
    (exponent <= 0).then_some("RSA public exponent is not a positive number")
}

fn ec(parameters: &[u8], key: &[u8]) -> Result<(), Message> {
    let oid = Cursor(parameters).oid().ok_or_else(|| malformed("invalid ECDSA parameters"))?;
    let curve = Curve::of_oid(oid).ok_or_else(|| malformed("unsupported elliptic curve"))?;
    curve.check_point(key)
}

fn ed25519(parameters: &[u8], key: &[u8]) -> Option<&'static str> {
    if !parameters.is_empty() {
        return Some("Ed25519 key encoded with illegal parameters");
    }
    (key.len() != 32).then_some("wrong Ed25519 public key size")
}

fn dsa(parameters: &[u8], key: &[u8]) -> Option<&'static str> {
    let Some(public) = Cursor(key).integer() else { return Some("invalid DSA public key") };
    let Some(mut fields) = Cursor(parameters).read(tag::SEQUENCE) else { return Some("invalid DSA parameters") };
    let mut numbers = vec![public];
    for _ in 0..3 {
        let Some(number) = fields.integer() else { return Some("invalid DSA parameters") };
        numbers.push(number);
    }
    (!numbers.into_iter().all(is_positive)).then_some("zero or negative DSA parameter")
}

fn is_positive(integer: &[u8]) -> bool {
    integer.first().is_some_and(|first| first & 0x80 == 0) && integer.iter().any(|&byte| byte != 0)
}
