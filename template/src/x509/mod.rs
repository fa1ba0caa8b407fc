//! X.509 certificates as far as templates need them: the bytes, the subject, the identifiers that link a chain, and the
//! alternative names.
//!
//! A certificate is refused exactly when Go's crypto/x509 refuses it, with the same words; what Go reads and we do not
//! need is checked and dropped. Signatures are not verified.

use std::net::IpAddr;

use crate::der::cursor::{Cursor, tag};
use crate::error::{Message, Piece};

mod chain;
mod constraints;
mod extensions;
mod name;
mod names;
mod public_key;
mod time;

pub(crate) use chain::ordered;

use name::Name;

/// A certificate.
#[derive(Clone)]
pub(crate) struct Certificate {
    /// The DER that it was read from.
    pub(crate) raw: Vec<u8>,
    /// The subject in DER.
    pub(crate) raw_subject: Vec<u8>,
    /// The public key with its algorithm, in DER.
    pub(crate) public_key: Vec<u8>,
    subject: Name,
    /// Which key signed it; None when the certificate does not say.
    pub(crate) authority_key_id: Option<Vec<u8>>,
    /// Empty when the certificate does not say.
    pub(crate) subject_key_id: Vec<u8>,
    pub(crate) names: AlternativeNames,
}

/// What a certificate stands for besides its subject.
#[derive(Clone, Default)]
pub(crate) struct AlternativeNames {
    pub(crate) dns: Vec<Vec<u8>>,
    pub(crate) ips: Vec<IpAddr>,
    pub(crate) emails: Vec<Vec<u8>>,
    pub(crate) uris: Vec<Vec<u8>>,
}

impl Certificate {
    /// The one certificate in `der`.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Message> {
        let mut rest = Cursor(der);
        let certificate = Self::read(&mut rest)?;
        if rest.is_empty() { Ok(certificate) } else { Err(malformed("trailing data")) }
    }

    /// All certificates in `der`, one behind the other.
    pub(crate) fn parse_all(der: &[u8]) -> Result<Vec<Self>, Message> {
        let mut rest = Cursor(der);
        let mut found = Vec::new();
        while !rest.is_empty() {
            found.push(Self::read(&mut rest)?);
        }
        Ok(found)
    }

    /// The subject in the notation of RFC 2253, as Go prints it.
    pub(crate) fn subject(&self) -> String {
        self.subject.to_string()
    }

    /// Whether it signed itself, going by the identifiers of keys.
    pub(crate) fn is_root(&self) -> bool {
        self.authority_key_id.as_ref().is_none_or(|id| *id == self.subject_key_id)
    }

    fn read(input: &mut Cursor) -> Result<Self, Message> {
        let raw = input.whole(tag::SEQUENCE).ok_or_else(|| malformed("malformed certificate"))?;
        let mut outer = content(raw);
        let tbs = outer.whole(tag::SEQUENCE).ok_or_else(|| malformed("malformed tbs certificate"))?;
        let mut tbs = content(tbs);
        let version = version(&mut tbs)?;
        let serial = tbs.integer().ok_or_else(|| malformed("malformed serial number"))?;
        if serial.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(malformed("negative serial number"));
        }
        let algorithm = tbs.read(tag::SEQUENCE);
        let algorithm = algorithm.ok_or_else(|| malformed("malformed signature algorithm identifier"))?;
        let outer_algorithm = outer.read(tag::SEQUENCE).ok_or_else(|| malformed("malformed algorithm identifier"))?;
        if algorithm.0 != outer_algorithm.0 {
            return Err(malformed("inner and outer signature algorithm identifiers don't match"));
        }
        public_key::algorithm(algorithm)?;
        // Go words a missing subject like a missing issuer.
        let part = |tbs: &mut Cursor| tbs.whole(tag::SEQUENCE).map(|_| ());
        let mut issuer = tbs;
        part(&mut tbs).ok_or_else(|| malformed("malformed issuer"))?;
        Name::read(&mut issuer)?;
        let validity = tbs.read(tag::SEQUENCE).ok_or_else(|| malformed("malformed validity"))?;
        time::check_validity(validity)?;
        let raw_subject = tbs.whole(tag::SEQUENCE).ok_or_else(|| malformed("malformed issuer"))?;
        let subject = Name::read(&mut Cursor(raw_subject))?;
        let public_key = tbs.whole(tag::SEQUENCE).ok_or_else(|| malformed("malformed spki"))?;
        public_key::check(content(public_key))?;
        let mut certificate = Self {
            raw: raw.to_vec(),
            raw_subject: raw_subject.to_vec(),
            public_key: public_key.to_vec(),
            subject,
            authority_key_id: None,
            subject_key_id: Vec::new(),
            names: AlternativeNames::default(),
        };
        if version > 1 {
            tbs.optional(tag::context(1)).ok_or_else(|| malformed("malformed issuerUniqueID"))?;
            tbs.optional(tag::context(2)).ok_or_else(|| malformed("malformed subjectUniqueID"))?;
        }
        if version == 3 {
            extensions::read(&mut tbs, &mut certificate)?;
        }
        outer.bits(false).ok_or_else(|| malformed("malformed signature"))?;
        Ok(certificate)
    }
}

/// The version, from 1 to 3.
fn version(tbs: &mut Cursor) -> Result<i64, Message> {
    let wrong = || malformed("malformed version");
    let version = match tbs.optional(tag::explicit(0)).ok_or_else(wrong)? {
        None => 0,
        Some(mut inner) => inner.int().filter(|_| inner.is_empty()).ok_or_else(wrong)?,
    };
    match version {
        ..0 => Err(wrong()),
        0..=2 => Ok(version + 1),
        _ => Err(malformed("invalid version")),
    }
}

/// The content of an element that was found well formed.
fn content(whole: &[u8]) -> Cursor<'_> {
    Cursor(whole).any().map_or(Cursor(&[]), |(_, content, _)| content)
}

/// Go's complaint.
fn malformed(problem: impl Into<Piece>) -> Message {
    Message::plain("x509: ").text(problem)
}

#[cfg(test)]
mod tests;
