//! The check that a file is whole and the password right.

use aws_lc_rs::hmac;

use super::algorithms::{Hash, PBKDF2, PBMAC1};
use super::kdf::{self, Purpose};
use super::{Password, read::Algorithm};
use crate::context::Context;
use crate::der::fields::{Element, Fields, Kind};
use crate::der::oid;
use crate::error::Message;

/// What a file says of its integrity.
pub(super) struct Mac<'a> {
    pub(super) algorithm: Algorithm<'a>,
    pub(super) digest: &'a [u8],
    pub(super) salt: &'a [u8],
    pub(super) iterations: i64,
}

impl<'a> Mac<'a> {
    pub(super) fn read(mut fields: Fields<'a>) -> Result<Self, Message> {
        let mut info = fields.structure("digestInfo")?;
        let algorithm = Algorithm::read(&mut info)?;
        let digest = info.content(Kind::OCTETS)?;
        let salt = fields.content(Kind::OCTETS)?;
        let iterations = fields.optional(Kind::INT)?.map_or(Ok(1), crate::der::fields::int)?;
        Ok(Self { algorithm, digest, salt, iterations })
    }

    /// Whether `message` has this MAC under the password.
    pub(super) fn verifies(&self, context: &Context, password: &Password, message: &[u8]) -> Result<bool, Message> {
        let (hash, key) = if self.algorithm.oid == PBMAC1 {
            self.pbmac1_key(context, password)?
        } else {
            let hash = Hash::of_digest(self.algorithm.oid)
                .ok_or_else(|| unsupported("MAC digest algorithm not supported: ", self.algorithm.oid, ""))?;
            let length = hash.digest().output_len();
            (hash, kdf::pkcs12(context, hash, Purpose::Mac, password, self.salt, self.iterations, length)?)
        };
        context.spend_on_bytes(message.len())?;
        Ok(hmac::verify(&hmac::Key::new(hash.hmac(), &key), message, self.digest).is_ok())
    }

    fn pbmac1_key(&self, context: &Context, password: &Password) -> Result<(Hash, Vec<u8>), Message> {
        let (derivation, scheme) = pbmac1_parameters(self.algorithm.parameters.whole)
            .map_err(|problem| Message::plain("error decoding PBMAC1 parameters: ").then(&problem))?;
        if derivation.oid != PBKDF2 {
            return Err(unsupported("PBMAC1 KDF algorithm ", derivation.oid, " is not supported"));
        }
        let parameters = Pbkdf2::read(derivation.parameters.whole)?;
        let salt = parameters.salt().ok_or("pkcs12: only octet string salts are supported for PBMAC1/PBKDF2")?;
        let prf = parameters.hash().map_err(|oid| unsupported("PBMAC1 PRF ", oid, " is not supported"))?;
        let hash = Hash::of_hmac(scheme.oid)
            .ok_or_else(|| unsupported("PBMAC1 MAC algorithm ", scheme.oid, " is not supported"))?;
        let length = usize::try_from(parameters.key_length).ok().filter(|&length| length > 0);
        let length = length.ok_or("pkcs12: PBMAC1 requires explicit KeyLength parameter in PBKDF2 parameters")?;
        let key = kdf::pbkdf2(context, prf, password, salt, parameters.iterations, length)?;
        Ok((hash, key))
    }
}

/// What PBKDF2 is to be done with.
pub(super) struct Pbkdf2<'a> {
    salt: Element<'a>,
    pub(super) iterations: i64,
    /// Zero when the file does not say.
    pub(super) key_length: i64,
    prf: Option<&'a [u8]>,
}

impl<'a> Pbkdf2<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Message> {
        let mut fields = super::read::only(der, |outer| outer.structure("pbkdf2Params"))?;
        let salt = fields.element()?;
        let iterations = fields.int()?;
        let key_length = fields.optional(Kind::INT)?.map_or(Ok(0), crate::der::fields::int)?;
        let prf = match fields.optional(Kind::LIST)? {
            Some(content) => Some(Algorithm::of_fields(Fields::new(content))?.oid),
            None => None,
        };
        Ok(Self { salt, iterations, key_length, prf })
    }

    /// The salt, if it is one and not an algorithm that makes one.
    pub(super) fn salt(&self) -> Option<&'a [u8]> {
        (self.salt.class == 0 && self.salt.tag == 4).then_some(self.salt.content)
    }

    /// The hash function, SHA-1 by default; or the identifier that we do not know.
    pub(super) fn hash(&self) -> Result<Hash, &'a [u8]> {
        self.prf.map_or(Ok(Hash::Sha1), |oid| Hash::of_hmac(oid).ok_or(oid))
    }
}

fn pbmac1_parameters(der: &[u8]) -> Result<(Algorithm<'_>, Algorithm<'_>), Message> {
    let mut fields = super::read::only(der, |outer| outer.structure("pbmac1Params"))?;
    Ok((Algorithm::read(&mut fields)?, Algorithm::read(&mut fields)?))
}

/// The refusal of an algorithm.
pub(super) fn unsupported(before: &'static str, oid: &[u8], after: &'static str) -> Message {
    Message::plain("pkcs12: ").text(before).data(oid::dotted(oid)).text(after)
}
