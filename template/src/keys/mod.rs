//! Private keys in the three forms that OpenSSL and Go write: PKCS#1, PKCS#8 and SEC 1.
//!
//! DER enters, a key that was checked as Go checks it leaves, and [`PrivateKey::to_pkcs8`] turns it back into DER.
//! RSA from 2 primes, ECDSA on the four NIST curves, Ed25519 and X25519.

use crate::der::fields::{Element, Fields, Kind};
use crate::der::{oid, write};
use crate::error::Message;

pub(crate) mod curve;
pub(crate) mod ec;
pub(crate) mod jwk;
mod oaep;
mod pkcs1;
pub(crate) mod rsa;

pub(crate) use curve::Curve;
pub(crate) use ec::EcKey;
pub(crate) use oaep::OaepHash;
pub(crate) use rsa::RsaKey;

/// A private key.
pub(crate) enum PrivateKey {
    Rsa(RsaKey),
    Ec(EcKey),
    /// The seed.
    Ed25519([u8; 32]),
    X25519([u8; 32]),
}

impl PrivateKey {
    /// A key in whichever of the three forms it is.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Message> {
        RsaKey::parse(der)
            .map(Self::Rsa)
            .or_else(|_| Self::parse_pkcs8(der))
            .or_else(|_| EcKey::parse(der, None).map(Self::Ec))
            .map_err(|_| "unable to parse private key type".into())
    }

    /// A key in PKCS#8. What follows it is ignored.
    pub(crate) fn parse_pkcs8(der: &[u8]) -> Result<Self, Message> {
        let wrapped = Wrapped::read(der).map_err(|problem| {
            if ec::read(der).is_ok() {
                other_form("ParseECPrivateKey")
            } else if rsa::read(der).is_ok() {
                other_form("ParsePKCS1PrivateKey")
            } else {
                problem
            }
        })?;
        let embedded = |name: &str, problem: &Message| {
            Message::plain(format!("x509: failed to parse {name} private key embedded in PKCS#8: ")).then(problem)
        };
        match wrapped.algorithm {
            oid::RSA => RsaKey::parse(wrapped.key).map(Self::Rsa).map_err(|problem| embedded("RSA", &problem)),
            oid::EC => {
                let curve = Fields::new(wrapped.parameters.whole).oid().ok();
                EcKey::parse(wrapped.key, curve).map(Self::Ec).map_err(|problem| embedded("EC", &problem))
            }
            oid::ED25519 => {
                let seed = wrapped.raw("Ed25519")?;
                let wrong = || Message::plain(format!("x509: invalid Ed25519 private key length: {}", seed.len()));
                seed.try_into().map(Self::Ed25519).map_err(|_| wrong())
            }
            oid::X25519 => {
                let key = wrapped.raw("X25519")?;
                key.try_into().map(Self::X25519).map_err(|_| "crypto/ecdh: invalid private key size".into())
            }
            other => Err(Message::plain("x509: PKCS#8 wrapping contained private key with unknown algorithm: ")
                .data(oid::dotted(other))),
        }
    }

    /// The key in PKCS#8.
    pub(crate) fn to_pkcs8(&self) -> Vec<u8> {
        let wrapped = |algorithm: &[u8], key: &[u8]| write::sequence(&[&write::int(0), algorithm, &write::octets(key)]);
        let short =
            |algorithm: &[u8], key: &[u8]| wrapped(&write::sequence(&[&write::oid(algorithm)]), &write::octets(key));
        match self {
            Self::Rsa(key) => wrapped(&write::sequence(&[&write::oid(oid::RSA), &write::null()]), &key.to_pkcs1()),
            Self::Ec(key) => {
                let algorithm = write::sequence(&[&write::oid(oid::EC), &write::oid(key.curve().oid())]);
                wrapped(&algorithm, &key.to_sec1())
            }
            Self::Ed25519(seed) => short(oid::ED25519, seed),
            Self::X25519(key) => short(oid::X25519, key),
        }
    }
}

/// The outside of PKCS#8.
struct Wrapped<'a> {
    algorithm: &'a [u8],
    parameters: Element<'a>,
    key: &'a [u8],
}

impl<'a> Wrapped<'a> {
    fn read(der: &'a [u8]) -> Result<Self, Message> {
        let mut fields = Fields::new(der).structure("pkcs8")?;
        fields.int()?;
        let mut algorithm = fields.structure("AlgorithmIdentifier")?;
        Ok(Self {
            algorithm: algorithm.oid()?,
            parameters: algorithm.optional_element()?.unwrap_or_default(),
            key: fields.content(Kind::OCTETS)?,
        })
    }

    /// The bytes of a key of an algorithm that has no parameters.
    fn raw(&self, name: &str) -> Result<&'a [u8], Message> {
        if !self.parameters.whole.is_empty() {
            return Err(Message::plain(format!("x509: invalid {name} private key parameters")));
        }
        Fields::new(self.key)
            .content(Kind::OCTETS)
            .map_err(|problem| Message::plain(format!("x509: invalid {name} private key: ")).then(&problem))
    }
}

/// Whether the bytes look like PKCS#8 from outside.
fn is_pkcs8(der: &[u8]) -> bool {
    Wrapped::read(der).is_ok()
}

/// Go's hint when a key is in another of the three forms.
fn other_form(function: &str) -> Message {
    Message::plain(format!("x509: failed to parse private key (use {function} instead for this key format)"))
}

#[cfg(test)]
mod tests;
