//! JSON web keys (RFC 7517), as Go's jwx reads them: RSA, three NIST curves, Ed25519, X25519 and plain bytes.

use aws_lc_rs::{
    agreement,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use num_bigint::BigUint;

use super::rsa::Numbers;
use super::{Curve, EcKey, PrivateKey, RsaKey};
use crate::der::{oid, write};
use crate::error::Message;
use crate::value::{Map, Value};

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
    /// The key in an object whose keys came in that order. Infinity stands in it for numbers that are too large, of which
    /// the first has that complaint.
    pub(crate) fn of_object(
        object: &Map,
        order: &[impl AsRef<[u8]>],
        overflow: Option<&Message>,
    ) -> Result<Self, Message> {
        let kind = hint(object)?;
        // The hint finds names in any letters, the key only in small ones.
        let private = any_case(object, order, b"d");
        let kind = match (kind.as_slice(), private) {
            (b"RSA", true) => &RSA_PRIVATE,
            (b"RSA", false) => &RSA_PUBLIC,
            (b"EC", true) => &EC_PRIVATE,
            (b"EC", false) => &EC_PUBLIC,
            (b"OKP", true) => &OKP_PRIVATE,
            (b"OKP", false) => &OKP_PUBLIC,
            (b"oct", _) => &OCTETS,
            _ => return Err(Message::plain("invalid key type from JSON (").data(&kind).text(")")),
        };
        let fields = Fields::read(kind, object, order, overflow).map_err(|problem| {
            Message::plain(format!("failed to unmarshal JSON into key (*jwk.{}): ", kind.name)).then(&problem)
        })?;
        fields.key(kind)
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

/// A kind of key: Go's type, its members in base 64, and the members that must be there.
struct Kind {
    name: &'static str,
    bytes: &'static [&'static str],
    required: &'static [&'static str],
}

const RSA_PUBLIC: Kind = Kind { name: "rsaPublicKey", bytes: &["e", "n"], required: &["e", "n"] };
const RSA_PRIVATE: Kind =
    Kind { name: "rsaPrivateKey", bytes: &["d", "dp", "dq", "e", "n", "p", "q", "qi"], required: &["d", "e", "n"] };
const EC_PUBLIC: Kind = Kind { name: "ecdsaPublicKey", bytes: &["x", "y"], required: &["crv", "x", "y"] };
const EC_PRIVATE: Kind = Kind { name: "ecdsaPrivateKey", bytes: &["d", "x", "y"], required: &["crv", "d", "x", "y"] };
const OKP_PUBLIC: Kind = Kind { name: "okpPublicKey", bytes: &["x"], required: &["crv", "x"] };
const OKP_PRIVATE: Kind = Kind { name: "okpPrivateKey", bytes: &["d", "x"], required: &["crv", "d", "x"] };
const OCTETS: Kind = Kind { name: "symmetricKey", bytes: &["k"], required: &["k"] };

/// The members of a key, checked one by one.
struct Fields<'o> {
    object: &'o Map,
}

impl<'o> Fields<'o> {
    fn read(
        kind: &Kind,
        object: &'o Map,
        order: &[impl AsRef<[u8]>],
        overflow: Option<&Message>,
    ) -> Result<Self, Message> {
        for name in order {
            let Ok(name) = std::str::from_utf8(name.as_ref()) else { continue };
            let value = object.find(name.as_bytes()).unwrap_or(Value::Nil);
            check_member(kind, name, &value)
                .map_err(|problem| Message::plain(format!("failed to decode value for key {name}: ")).then(&problem))?;
            // No member that is known has numbers.
            if let Some(problem) = overflow.filter(|_| has_infinity(&value)) {
                let start = Message::plain("could not decode field ").data(name);
                return Err(start.text(": failed to decode field ").data(name).text(": ").then(problem));
            }
        }
        let missing = kind.required.iter().find(|name| object.find(name.as_bytes()).is_none());
        match missing {
            Some(name) => Err(Message::plain(format!("required field {name} is missing"))),
            None => Ok(Self { object }),
        }
    }

    /// The bytes of a member; none for null and for what is absent.
    fn bytes(&self, name: &str) -> Vec<u8> {
        match self.object.find(name.as_bytes()) {
            Some(Value::Str(text)) => decoded(&text).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    fn number(&self, name: &str) -> BigUint {
        BigUint::from_bytes_be(&self.bytes(name))
    }

    fn key(&self, kind: &Kind) -> Result<Jwk, Message> {
        match kind.name {
            "rsaPublicKey" => Ok(Jwk::RsaPublic { n: self.number("n"), e: self.exponent() }),
            "rsaPrivateKey" => Ok(Jwk::RsaPrivate(self.rsa())),
            "ecdsaPublicKey" => Ok(Jwk::EcPublic { curve: self.curve()?, x: self.number("x"), y: self.number("y") }),
            "ecdsaPrivateKey" => {
                let (d, x, y) = (self.number("d"), self.number("x"), self.number("y"));
                Ok(Jwk::EcPrivate { curve: self.curve()?, d, x, y })
            }
            "okpPublicKey" => match self.curve_name().as_slice() {
                b"Ed25519" => Ok(Jwk::Ed25519Public(self.bytes("x"))),
                b"X25519" => Ok(Jwk::X25519Public),
                other => Err(invalid_curve(other)),
            },
            "okpPrivateKey" => self.okp_private(),
            _ => Ok(Jwk::Bytes),
        }
    }

    /// The lowest 64 bits, as Go takes them.
    fn exponent(&self) -> i64 {
        let bytes = self.bytes("e");
        bytes.iter().skip(bytes.len().saturating_sub(8)).fold(0, |number, &byte| (number << 8) | i64::from(byte))
    }

    fn rsa(&self) -> Numbers {
        let crt = ["dp", "dq", "qi"].map(|name| self.bytes(name));
        let crt = (!crt.iter().any(Vec::is_empty)).then(|| crt.map(|bytes| BigUint::from_bytes_be(&bytes)));
        let [n, d, p, q] = ["n", "d", "p", "q"].map(|name| self.number(name));
        Numbers { n, e: self.exponent(), d, p, q, crt }
    }

    fn curve_name(&self) -> Vec<u8> {
        match self.object.find(b"crv") {
            Some(Value::Str(name)) => name.to_vec(),
            _ => Vec::new(),
        }
    }

    fn curve(&self) -> Result<Curve, Message> {
        let name = self.curve_name();
        let curve = std::str::from_utf8(&name).ok().and_then(Curve::of_name);
        curve.filter(|curve| *curve != Curve::P224).ok_or_else(|| invalid_curve(&name))
    }

    fn okp_private(&self) -> Result<Jwk, Message> {
        let name = self.curve_name();
        let is_signing = name == b"Ed25519";
        if !is_signing && name != b"X25519" {
            return Err(invalid_curve(&name));
        }
        let (d, x) = (self.bytes("d"), self.bytes("x"));
        if d.is_empty() {
            return Err(unbuilt("cannot use empty seed"));
        }
        let d = <[u8; 32]>::try_from(d).map_err(|_| unbuilt("wrong private key size"))?;
        let public = if is_signing { ed25519_public(&d) } else { x25519_public(&d) };
        if public.is_none_or(|public| public != x) {
            return Err(unbuilt("invalid x value given d value"));
        }
        Ok(if is_signing { Jwk::Ed25519Private(d) } else { Jwk::X25519Private })
    }
}

/// The kind that an object says it is, looked for in any letters.
fn hint(object: &Map) -> Result<Vec<u8>, Message> {
    let entries = object.entries();
    let mut found = entries.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"kty"));
    match found.next_back().map(|(_, value)| value) {
        None | Some(Value::Nil) => Ok(Vec::new()),
        Some(Value::Str(kind)) => Ok(kind.to_vec()),
        Some(other) => Err(Message::plain(format!(
            "failed to unmarshal JSON into key hint: json: cannot unmarshal {} into Go struct field .kty of type string",
            json_kind(other)
        ))),
    }
}

fn any_case(object: &Map, order: &[impl AsRef<[u8]>], wanted: &[u8]) -> bool {
    object.find(wanted).is_some() || order.iter().any(|name| name.as_ref().eq_ignore_ascii_case(wanted))
}

/// Whether an infinite number is in what JSON gave, whose depth is bounded.
fn has_infinity(value: &Value) -> bool {
    match value {
        Value::Float(number) => number.is_infinite(),
        Value::List(list) => list.items().iter().any(has_infinity),
        Value::Map(map) => map.entries().iter().any(|(_, value)| has_infinity(value)),
        _ => false,
    }
}

/// Whether a member has the type that its name asks for.
fn check_member(kind: &Kind, name: &str, value: &Value) -> Result<(), Message> {
    let wanted = |what: &str, value: &Value| {
        Message::plain(format!("json: cannot unmarshal {} into Go value of type {what}", json_kind(value)))
    };
    let text = |before: &'static str| match value {
        Value::Str(_) | Value::Nil => Ok(()),
        _ => {
            let mut message = Message::plain(before);
            message.append(&wanted("string", value));
            Err(message)
        }
    };
    let texts = |list: &str, element: &str| match value {
        Value::Nil => Ok(()),
        Value::List(items) => match items.items().iter().find(|item| !matches!(item, Value::Str(_) | Value::Nil)) {
            Some(item) => Err(wanted(element, item)),
            None => Ok(()),
        },
        _ => Err(wanted(list, value)),
    };
    match name {
        "alg" => text(""),
        "kid" | "use" | "x5u" | "x5t" | "x5t#S256" => text("error reading next value: "),
        "key_ops" => texts("jwk.KeyOperationList", "jwk.KeyOperation"),
        "x5c" => texts("[]string", "string")
            .map_err(|problem| Message::plain("failed to unmarshal certificate chain: ").then(&problem)),
        "crv" if kind.required.contains(&"crv") => match value {
            Value::Str(_) | Value::Nil => Ok(()),
            _ => Err(wanted("jwa.EllipticCurveAlgorithm", value)),
        },
        _ if kind.bytes.contains(&name) => {
            text("error reading next value: ")?;
            match value {
                Value::Str(text) if decoded(text).is_none() => Err("expected base64 encoded []byte (string)".into()),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
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

/// Base 64 of either alphabet, with padding or without; line ends in it are ignored.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let is_padded = text.ends_with(b"=");
    let alphabet = if text.iter().any(|byte| matches!(byte, b'+' | b'/')) { STANDARD } else { URL_SAFE };
    let padding = if is_padded { DecodePaddingMode::RequireCanonical } else { DecodePaddingMode::RequireNone };
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(padding);
    let plain: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    // Line ends behind the padding make it look like none; then it is one character too many.
    GeneralPurpose::new(&alphabet, config).decode(plain).ok()
}

/// The point in uncompressed form, if it is one.
fn point(curve: Curve, x: &BigUint, y: &BigUint) -> Result<Vec<u8>, Message> {
    let bits = u64::try_from(curve.bytes() * 8).unwrap_or(u64::MAX);
    if x.bits() > bits || y.bits() > bits {
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

fn ed25519_public(seed: &[u8; 32]) -> Option<Vec<u8>> {
    Ed25519KeyPair::from_seed_unchecked(seed).ok().map(|pair| pair.public_key().as_ref().to_vec())
}

fn x25519_public(key: &[u8; 32]) -> Option<Vec<u8>> {
    let key = agreement::PrivateKey::from_private_key(&agreement::X25519, key).ok()?;
    key.compute_public_key().ok().map(|public| public.as_ref().to_vec())
}

fn invalid_curve(name: &[u8]) -> Message {
    Message::plain("failed to build public key: invalid curve algorithm ").data(name)
}

fn unbuilt(problem: &'static str) -> Message {
    Message::plain("failed to build public key: ").text(problem)
}
