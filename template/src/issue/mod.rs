//! Making keys and certificates, laid out as Go lays them out.
//!
//! [`generate`] makes private keys, [`Key`] reads and writes them as PEM and signs, and [`Request::issue`] makes a
//! certificate that is signed by its own key or that of a parent. Everything else about a certificate is settled:
//! version 3, a random serial number of 128 bits, usable for TLS servers and clients.

use std::net::IpAddr;

use crate::der::write;
use crate::error::Message;
use crate::fmt::quote::quoted_text;
use crate::time::Time;
use crate::x509::Certificate;

mod dsa;
mod extensions;
pub(crate) mod generate;
mod key;

pub(crate) use key::Key;

/// `commonName`
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const PRINTABLE_STRING: u8 = 0x13;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The third version, counted from 0.
const VERSION: u32 = 2;
const SERIAL_BYTES: usize = 16;

/// What a certificate shall say.
pub(crate) struct Request<'a> {
    /// The common name of the subject; empty for a subject without any name.
    pub(crate) name: &'a [u8],
    pub(crate) hosts: Vec<&'a [u8]>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether it may sign others.
    pub(crate) is_ca: bool,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
}

impl Request<'_> {
    /// The certificate in DER, for the key `subject`. Without a parent it is signed by that key.
    pub(crate) fn issue(&self, subject: &Key, parent: Option<(&Certificate, &Key)>) -> Result<Vec<u8>, Message> {
        let signer = parent.map_or(subject, |(_, key)| key);
        let algorithm = signer.signature_algorithm()?;
        let public = subject.to_public()?;
        let own_name = self.subject()?;
        let issuer = parent.map_or(own_name.as_slice(), |(parent, _)| &parent.raw_subject);
        if let Some((parent, key)) = parent
            && parent.public_key != key.to_public()?
        {
            return Err("x509: provided PrivateKey doesn't match parent's PublicKey".into());
        }
        let key_of_issuer = parent
            .map(|(parent, _)| parent.subject_key_id.as_slice())
            .filter(|key_id| !key_id.is_empty() && issuer != own_name);
        let mut serial = [0; SERIAL_BYTES];
        generate::fill(&mut serial)?;
        let body = write::sequence(&[
            &write::explicit(0, &write::int(VERSION)),
            &write::unsigned(&serial),
            &algorithm,
            issuer,
            &write::sequence(&[&instant(&self.not_before), &instant(&self.not_after)]),
            &own_name,
            &public,
            &write::explicit(3, &extensions::of(self, &public, key_of_issuer)?),
        ]);
        let signature = signer.sign(&body)?;
        Ok(write::sequence(&[&body, &algorithm, &write::bits(&signature)]))
    }

    /// Bytes of the names, which are the only part of a certificate that has no bound of its own.
    pub(crate) fn bytes(&self) -> usize {
        let hosts = self.hosts.iter().fold(0usize, |sum, host| sum.saturating_add(host.len()));
        self.name.len().saturating_add(hosts)
    }

    fn subject(&self) -> Result<Vec<u8>, Message> {
        if self.name.is_empty() {
            return Ok(write::sequence(&[]));
        }
        if std::str::from_utf8(self.name).is_err() {
            return Err("asn1: string not valid UTF-8".into());
        }
        let tag = if self.name.iter().all(|&byte| is_printable(byte)) { PRINTABLE_STRING } else { UTF8_STRING };
        let attribute = write::sequence(&[&write::oid(COMMON_NAME), &write::element(tag, self.name)]);
        Ok(write::sequence(&[&write::set(vec![attribute])]))
    }
}

/// Whether Go writes the character in a `PrintableString`.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// A time in whole seconds of UTC, in the short form for the years that it covers.
fn instant(time: &Time) -> Vec<u8> {
    let civil = time.civil();
    let (tag, layout): (u8, &[u8]) = match civil.year {
        1950..2050 => (UTC_TIME, b"060102150405Z"),
        _ => (GENERALIZED_TIME, b"20060102150405Z"),
    };
    write::element(tag, &time.format(layout))
}

/// The text as ASCII, which names in certificates are limited to.
fn ascii(text: &[u8]) -> Result<&[u8], Message> {
    if text.is_ascii() {
        return Ok(text);
    }
    Err(Message::plain("x509: ").data(quoted_text(text)).text(" cannot be encoded as an IA5String"))
}

#[cfg(test)]
mod tests;
