//! Private keys of elliptic curves.

use aws_lc_rs::agreement;

use super::{Curve, is_pkcs8, other_form, rsa};
use crate::der::fields::{Fields, Kind, bits, check_oid};
use crate::der::write;
use crate::error::Message;

/// A key with its public point, uncompressed.
pub(crate) struct EcKey {
    curve: Curve,
    secret: Vec<u8>,
    public: Vec<u8>,
}

impl EcKey {
    /// A key in SEC 1. `curve` is the identifier that stands outside of it, which counts before the one inside.
    pub(crate) fn parse(der: &[u8], curve: Option<&[u8]>) -> Result<Self, Message> {
        let inner = read(der).map_err(|problem| {
            if is_pkcs8(der) {
                return other_form("ParsePKCS8PrivateKey");
            }
            if rsa::read(der).is_ok() {
                return other_form("ParsePKCS1PrivateKey");
            }
            Message::plain("x509: failed to parse EC private key: ").then(&problem)
        })?;
        if inner.version != 1 {
            return Err(Message::plain("x509: unknown EC private key version ").data(inner.version.to_string()));
        }
        let curve = curve.or(inner.curve).and_then(Curve::of_oid).ok_or("x509: unknown elliptic curve")?;
        let zeros = inner.secret.len().saturating_sub(curve.bytes());
        if inner.secret.iter().take(zeros).any(|&byte| byte != 0) {
            return Err("x509: invalid private key length".into());
        }
        Self::new(curve, &inner.secret[zeros..]).ok_or_else(|| "ecdsa: invalid public key encoding".into())
    }

    /// The key of that number, which must be from 1 to below the order of the curve.
    pub(crate) fn new(curve: Curve, secret: &[u8]) -> Option<Self> {
        let missing = curve.bytes().checked_sub(secret.len())?;
        let secret = [&vec![0; missing], secret].concat();
        let algorithm = match curve {
            Curve::P224 => {
                let public = curve.multiple(&secret)?;
                return Some(Self { curve, secret, public });
            }
            Curve::P256 => &agreement::ECDH_P256,
            Curve::P384 => &agreement::ECDH_P384,
            Curve::P521 => &agreement::ECDH_P521,
        };
        let key = agreement::PrivateKey::from_private_key(algorithm, &secret).ok()?;
        let public = key.compute_public_key().ok()?.as_ref().to_vec();
        Some(Self { curve, secret, public })
    }

    /// The key with a public point that is taken as given.
    pub(super) fn with_point(curve: Curve, secret: &[u8], public: Vec<u8>) -> Self {
        let missing = curve.bytes().saturating_sub(secret.len());
        Self { curve, secret: [&vec![0; missing], secret].concat(), public }
    }

    pub(crate) fn curve(&self) -> Curve {
        self.curve
    }

    /// The public point, uncompressed.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The number of the key, as long as a coordinate.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The key in SEC 1, with the curve.
    pub(crate) fn to_named_sec1(&self) -> Vec<u8> {
        let curve = write::explicit(0, &write::oid(self.curve.oid()));
        let point = write::explicit(1, &write::bits(&self.public));
        write::sequence(&[&write::int(1), &write::octets(&self.secret), &curve, &point])
    }

    /// The key in SEC 1, without the curve.
    pub(crate) fn to_sec1(&self) -> Vec<u8> {
        let point = write::explicit(1, &write::bits(&self.public));
        write::sequence(&[&write::int(1), &write::octets(&self.secret), &point])
    }
}

/// The fields of a key in SEC 1.
pub(super) struct Inner<'a> {
    version: i64,
    secret: &'a [u8],
    curve: Option<&'a [u8]>,
}

/// Reads SEC 1. The public point inside is read and forgotten: it follows from the secret.
pub(super) fn read(der: &[u8]) -> Result<Inner<'_>, Message> {
    let mut fields = Fields::new(der).structure("ecPrivateKey")?;
    let version = fields.int()?;
    let secret = fields.content(Kind::OCTETS)?;
    let curve = fields.explicit(0, Kind::OID, true)?;
    curve.map_or(Ok(()), check_oid)?;
    fields.explicit(1, Kind::BITS, true)?.map_or(Ok(&[][..]), bits)?;
    Ok(Inner { version, secret, curve })
}
