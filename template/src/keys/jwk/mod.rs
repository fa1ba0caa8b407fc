//! JSON web keys (RFC 7517), as Go's jwx reads them: RSA, three NIST curves, Ed25519, X25519 and plain bytes.

use num_bigint::BigUint;

use super::rsa::Numbers;
use super::{Curve, EcKey, PrivateKey, RsaKey};
use crate::der::{oid, write};
use crate::error::Message;
use crate::funcs::Member;
use crate::value::Value;

mod members;

use members::{EC_PRIVATE, EC_PUBLIC, Members, OCTETS, OKP_PRIVATE, OKP_PUBLIC, RSA_PRIVATE, RSA_PUBLIC};

/// A key in Go's terms: which Go type it becomes decides what can be done with it.
pub(crate) enum Jwk {
    RsaPrivate(Numbers),
    RsaPublic {
        n: BigUint,
        e: i64,
    },
    EcPrivate {
        curve: Curve,
        d: BigUint,
        x: BigUint,
        y: BigUint,
    },
    EcPublic {
        curve: Curve,
        x: BigUint,
        y: BigUint,
    },
    Ed25519Private([u8; 32]),
    /// Not checked for its length, as in Go.
    Ed25519Public(Vec<u8>),
    X25519Private,
    X25519Public,
    Bytes,
}

impl Jwk {
    /// The key in an object of these members.
    pub(crate) fn of_members(members: &[Member]) -> Result<Self, Message> {
        let kind = hint(members)?;
        // The hint finds names in any letters, the key only in small ones.
        let private = members.iter().any(|member| is_hint(&member.name, "d"));
        let kind = match (kind, private) {
            (b"RSA", true) => &RSA_PRIVATE,
            (b"RSA", false) => &RSA_PUBLIC,
            (b"EC", true) => &EC_PRIVATE,
            (b"EC", false) => &EC_PUBLIC,
            (b"OKP", true) => &OKP_PRIVATE,
            (b"OKP", false) => &OKP_PUBLIC,
            (b"oct", _) => &OCTETS,
            _ => return Err(Message::plain("invalid key type from JSON (").data(kind).text(")")),
        };
        let members = Members::read(kind, members).map_err(|problem| {
            Message::plain(format!("failed to unmarshal JSON into key (*jwk.{}): ", kind.name)).then(&problem)
        })?;
        members.key(kind)
    }

    /// The public key as DER.
    pub(crate) fn to_public_der(&self) -> Result<Vec<u8>, Message> {
        let info = |algorithm: &[&[u8]], key: &[u8]| write::sequence(&[&write::sequence(algorithm), &write::bits(key)]);
        match self {
            Self::RsaPublic { n, e } => {
                let key = write::sequence(&[&write::unsigned(&n.to_bytes_be()), &write::signed(*e)]);
                Ok(info(&[&write::oid(oid::RSA), &write::null()], &key))
            }
            Self::EcPublic { curve, x, y } => {
                let point = point(*curve, x, y)?;
                Ok(info(&[&write::oid(oid::EC), &write::oid(curve.oid())], &point))
            }
            Self::Ed25519Public(key) => Ok(info(&[&write::oid(oid::ED25519)], key)),
            other => Err(Message::plain("x509: unsupported public key type: ").text(other.go_type())),
        }
    }

    /// The private key as PKCS#8.
    pub(crate) fn into_private_der(self) -> Result<Vec<u8>, Message> {
        let key = match self {
            Self::RsaPrivate(numbers) => PrivateKey::Rsa(RsaKey::new(numbers)?),
            Self::EcPrivate { curve, d, x, y } => {
                ec_private(curve, &d, &x, &y).map(PrivateKey::Ec).map_err(|problem| {
                    Message::plain("x509: failed to marshal EC private key while building PKCS#8: ").then(&problem)
                })?
            }
            Self::Ed25519Private(seed) => PrivateKey::Ed25519(seed),
            other => {
                let text = "x509: unknown key type while marshaling PKCS#8: ";
                return Err(Message::plain(text).text(other.go_type()));
            }
        };
        Ok(key.to_pkcs8())
    }

    fn go_type(&self) -> &'static str {
        match self {
            Self::RsaPrivate(_) => "*rsa.PrivateKey",
            Self::RsaPublic { .. } => "*rsa.PublicKey",
            Self::EcPrivate { .. } => "*ecdsa.PrivateKey",
            Self::EcPublic { .. } => "*ecdsa.PublicKey",
            Self::Ed25519Private(_) => "ed25519.PrivateKey",
            Self::Ed25519Public(_) => "ed25519.PublicKey",
            Self::X25519Private => "x25519.PrivateKey",
            Self::X25519Public => "x25519.PublicKey",
            Self::Bytes => "[]uint8",
        }
    }
}

/// The kind that an object says it is: the last one, null aside, looked for in any letters.
fn hint(members: &[Member]) -> Result<&[u8], Message> {
    let mut found = b"".as_slice();
    for member in members.iter().filter(|member| is_hint(&member.name, "kty")) {
        match &member.value {
            Value::Nil => {}
            Value::Str(kind) => found = kind,
            other => {
                let kind = json_kind(other);
                return Err(Message::plain(format!(
                    "failed to unmarshal JSON into key hint: json: cannot unmarshal {kind} into Go struct field .kty of \
                     type string"
                )));
            }
        }
    }
    Ok(found)
}

/// Whether a name is the wanted one in any letters, of which the sign of Kelvin is one.
fn is_hint(name: &[u8], wanted: &str) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| name.chars().flat_map(char::to_lowercase).eq(wanted.chars()))
}

/// Go's name for what a value is in JSON.
pub(crate) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "number",
    }
}

/// The point in uncompressed form, if it is one.
fn point(curve: Curve, x: &BigUint, y: &BigUint) -> Result<Vec<u8>, Message> {
    if x.bits() > curve.bits() || y.bits() > curve.bits() {
        return Err("overflowing coordinate".into());
    }
    curve.check_coordinates(x, y)?;
    Ok(curve.uncompressed(x, y))
}

fn ec_private(curve: Curve, d: &BigUint, x: &BigUint, y: &BigUint) -> Result<EcKey, Message> {
    if *d == BigUint::ZERO {
        return Err("ecdsa: private key scalar is zero or negative".into());
    }
    let secret = d.to_bytes_be();
    if secret.len() > curve.bytes() {
        return Err("ecdsa: private key scalar too large".into());
    }
    let point = point(curve, x, y)?;
    if !curve.is_secret(d) {
        return Err("input overflows the modulus".into());
    }
    Ok(EcKey::with_point(curve, &secret, point))
}
