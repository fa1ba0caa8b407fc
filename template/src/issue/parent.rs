//! What a certificate needs to know of the one that signs it.

use crate::der::cursor::{Cursor, tag};
use crate::error::Message;

const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 14];

/// The issuing certificate.
pub(crate) struct Parent {
    /// The name, in DER.
    pub(crate) subject: Vec<u8>,
    /// The public key with its algorithm, in DER.
    pub(crate) public: Vec<u8>,
    /// What names the key.
    pub(crate) key_id: Option<Vec<u8>>,
}

impl Parent {
    /// Reads a certificate in DER.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Message> {
        let body = Cursor(der).read(tag::SEQUENCE).ok_or("x509: malformed certificate")?;
        Self::read({ body }.read(tag::SEQUENCE)).ok_or_else(|| "x509: malformed tbs certificate".into())
    }

    fn read(body: Option<Cursor>) -> Option<Self> {
        let mut fields = body?;
        fields.optional(tag::explicit(0))?;
        fields.integer()?;
        for _algorithm_issuer_validity in 0..3 {
            fields.read(tag::SEQUENCE)?;
        }
        let subject = fields.whole(tag::SEQUENCE)?.to_vec();
        let public = fields.whole(tag::SEQUENCE)?.to_vec();
        let mut key_id = None;
        while let Some((found, content, _)) = fields.any() {
            if found == tag::explicit(3) {
                key_id = key_id_in({ content }.read(tag::SEQUENCE)?)?;
            }
        }
        Some(Self { subject, public, key_id })
    }
}

#[expect(clippy::option_option, reason = "malformed and absent are different answers")]
fn key_id_in(mut extensions: Cursor) -> Option<Option<Vec<u8>>> {
    while !extensions.is_empty() {
        let mut extension = extensions.read(tag::SEQUENCE)?;
        let oid = extension.oid()?;
        extension.optional(tag::BOOLEAN)?;
        let mut content = extension.read(tag::OCTETS)?;
        if oid == SUBJECT_KEY {
            return Some(Some(content.read(tag::OCTETS)?.0.to_vec()));
        }
    }
    Some(None)
}
