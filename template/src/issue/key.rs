//! Private keys as PEM, and signing with them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _,
};

use super::dsa;
use crate::der::{oid, write};
use crate::error::Message;
use crate::keys::{Curve, EcKey, PrivateKey, RsaKey};
use crate::pem;

const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const ECDSA_WITH_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];

/// Longest RSA key whose signatures take a few milliseconds.
const FAST_RSA_BITS: u64 = 4096;

/// A private key of a kind that PEM has a type for.
pub(crate) enum Key {
    Known(PrivateKey),
    /// Read and made, but good for no certificate.
    Dsa,
}

impl Key {
    /// The key in the first PEM block.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Message> {
        let Some((block, _)) = pem::decode(text) else { return Err("no PEM data in input".into()) };
        let within = |form: &'static str| move |problem: Message| Message::plain(form).then(&problem);
        if block.kind == b"PRIVATE KEY" {
            return PrivateKey::parse_pkcs8(&block.bytes).map(Self::Known).map_err(within("decoding PEM as PKCS#8: "));
        }
        match block.kind.strip_suffix(b" PRIVATE KEY") {
            Some(b"RSA") => RsaKey::parse(&block.bytes)
                .map(|key| Self::Known(PrivateKey::Rsa(key)))
                .map_err(within("parsing RSA private key from PEM: ")),
            Some(b"EC") => EcKey::parse(&block.bytes, None)
                .map(|key| Self::Known(PrivateKey::Ec(key)))
                .map_err(within("parsing EC private key from PEM: ")),
            Some(b"DSA") => {
                dsa::check(&block.bytes).map(|()| Self::Dsa).map_err(within("parsing DSA private key from PEM: "))
            }
            Some(_) => Err(Message::plain("invalid private key type ").data(&block.kind)),
            None => Err(Message::plain("no private key data in PEM block of type ").data(&block.kind)),
        }
    }

    /// The key as PEM, in the form that is older where there are two.
    pub(crate) fn to_pem(&self) -> Result<Vec<u8>, Message> {
        match self {
            Self::Known(PrivateKey::Rsa(key)) => Ok(pem::encode("RSA PRIVATE KEY", &key.to_pkcs1())),
            Self::Known(PrivateKey::Ec(key)) => Ok(pem::encode("EC PRIVATE KEY", &key.to_named_sec1())),
            Self::Known(key @ PrivateKey::Ed25519(_)) => Ok(pem::encode("PRIVATE KEY", &key.to_pkcs8())),
            Self::Known(PrivateKey::X25519(_)) | Self::Dsa => Err(no_signer()),
        }
    }

    /// Whether signing takes as long as some password hashes do.
    pub(crate) fn signs_slowly(&self) -> bool {
        matches!(self, Self::Known(PrivateKey::Rsa(key)) if key.bits() > FAST_RSA_BITS)
    }

    /// The public key with its algorithm, in DER.
    pub(super) fn to_public(&self) -> Result<Vec<u8>, Message> {
        let (algorithm, public) = match self {
            Self::Known(PrivateKey::Rsa(key)) => {
                (write::sequence(&[&write::oid(oid::RSA), &write::null()]), key.to_public_pkcs1())
            }
            Self::Known(PrivateKey::Ec(key)) => {
                (write::sequence(&[&write::oid(oid::EC), &write::oid(key.curve().oid())]), key.public().to_vec())
            }
            Self::Known(PrivateKey::Ed25519(seed)) => {
                (write::sequence(&[&write::oid(oid::ED25519)]), ed25519(seed)?.public_key().as_ref().to_vec())
            }
            Self::Known(PrivateKey::X25519(_)) => {
                return Err("x509: unsupported public key type: *ecdh.PublicKey".into());
            }
            Self::Dsa => return Err("x509: unsupported public key type: *dsa.PublicKey".into()),
        };
        Ok(write::sequence(&[&algorithm, &write::bits(&public)]))
    }

    /// The algorithm of the signatures of this key, in DER.
    pub(super) fn signature_algorithm(&self) -> Result<Vec<u8>, Message> {
        let without_parameters = |oid: &[u8]| Ok(write::sequence(&[&write::oid(oid)]));
        match self {
            Self::Known(PrivateKey::Rsa(_)) => Ok(write::sequence(&[&write::oid(SHA256_WITH_RSA), &write::null()])),
            Self::Known(PrivateKey::Ec(key)) => without_parameters(match key.curve() {
                Curve::P224 | Curve::P256 => ECDSA_WITH_SHA256,
                Curve::P384 => ECDSA_WITH_SHA384,
                Curve::P521 => ECDSA_WITH_SHA512,
            }),
            Self::Known(PrivateKey::Ed25519(_)) => without_parameters(oid::ED25519),
            Self::Known(PrivateKey::X25519(_)) | Self::Dsa => Err(no_signer()),
        }
    }

    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Message> {
        match self {
            Self::Known(PrivateKey::Rsa(key)) => key.sign(text),
            Self::Known(PrivateKey::Ec(key)) => sign_with_ec(key, text),
            Self::Known(PrivateKey::Ed25519(seed)) => Ok(ed25519(seed)?.sign(text).as_ref().to_vec()),
            Self::Known(PrivateKey::X25519(_)) | Self::Dsa => Err(no_signer()),
        }
    }
}

fn no_signer() -> Message {
    "x509: certificate private key does not implement crypto.Signer".into()
}

fn sign_with_ec(key: &EcKey, text: &[u8]) -> Result<Vec<u8>, Message> {
    let algorithm = match key.curve() {
        Curve::P224 => return Err("keys on P-224 cannot sign; use P-256".into()),
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
    };
    let failed = || Message::plain("ECDSA key cannot sign; use another key");
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, key.secret(), key.public()).map_err(|_| failed())?;
    let signature = pair.sign(&SystemRandom::new(), text).map_err(|_| failed())?;
    Ok(signature.as_ref().to_vec())
}

pub(super) fn ed25519(seed: &[u8; 32]) -> Result<Ed25519KeyPair, Message> {
    Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| "Ed25519 key cannot sign; use another key".into())
}
