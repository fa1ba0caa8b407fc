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
use crate::funcs::Member;
use crate::value::Value;

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
        let fields = Fields::read(kind, members).map_err(|problem| {
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
    kty: &'static str,
    bytes: &'static [&'static str],
    required: &'static [&'static str],
}

const RSA_PUBLIC: Kind = Kind { name: "rsaPublicKey", kty: "RSA", bytes: &["e", "n"], required: &["e", "n"] };
const RSA_PRIVATE: Kind = Kind {
    name: "rsaPrivateKey",
    kty: "RSA",
    bytes: &["d", "dp", "dq", "e", "n", "p", "q", "qi"],
    required: &["d", "e", "n"],
};
const EC_PUBLIC: Kind = Kind { name: "ecdsaPublicKey", kty: "EC", bytes: &["x", "y"], required: &["crv", "x", "y"] };
const EC_PRIVATE: Kind =
    Kind { name: "ecdsaPrivateKey", kty: "EC", bytes: &["d", "x", "y"], required: &["crv", "d", "x", "y"] };
const OKP_PUBLIC: Kind = Kind { name: "okpPublicKey", kty: "OKP", bytes: &["x"], required: &["crv", "x"] };
const OKP_PRIVATE: Kind = Kind { name: "okpPrivateKey", kty: "OKP", bytes: &["d", "x"], required: &["crv", "d", "x"] };
const OCTETS: Kind = Kind { name: "symmetricKey", kty: "oct", bytes: &["k"], required: &["k"] };

/// The members of a key, checked one by one.
struct Fields<'m> {
    members: &'m [Member],
}

impl<'m> Fields<'m> {
    fn read(kind: &Kind, members: &'m [Member]) -> Result<Self, Message> {
        for member in members {
            let Ok(name) = std::str::from_utf8(&member.name) else { continue };
            check_member(kind, name, member)?;
        }
        let fields = Self { members };
        match kind.required.iter().find(|name| fields.find(name).is_none()) {
            Some(name) => Err(Message::plain(format!("required field {name} is missing"))),
            None => Ok(fields),
        }
    }

    /// The last value of that name.
    fn find(&self, name: &str) -> Option<&'m Value> {
        self.members.iter().rfind(|member| *member.name == *name.as_bytes()).map(|member| &member.value)
    }

    /// The bytes of a member; none for null and for what is absent.
    fn bytes(&self, name: &str) -> Vec<u8> {
        match self.find(name) {
            Some(Value::Str(text)) => decoded(text).unwrap_or_default(),
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
        match self.find("crv") {
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

/// Refuses a member that does not have the type that its name asks for.
fn check_member(kind: &Kind, name: &str, member: &Member) -> Result<(), Message> {
    if name == "kty" {
        let own = if let Value::Str(own) = &member.value { own } else { b"".as_slice() };
        // Go speaks of RSA whatever the kind.
        let wrong = || Message::plain("invalid kty value for RSAPublicKey (").data(own).text(")");
        return if own == kind.kty.as_bytes() { Ok(()) } else { Err(wrong()) };
    }
    match member_type(kind, name, &member.value) {
        Some(Ok(())) => Ok(()),
        Some(Err(problem)) => Err(Message::plain(format!("failed to decode value for key {name}: ")).then(&problem)),
        None => member.overflow.as_ref().map_or(Ok(()), |problem| {
            Err(Message::plain(format!("could not decode field {name}: failed to decode field {name}: ")).then(problem))
        }),
    }
}

/// Whether a member that the kind knows has its type.
fn member_type(kind: &Kind, name: &str, value: &Value) -> Option<Result<(), Message>> {
    let wanted = |what: &str, value: &Value| {
        Message::plain(format!("json: cannot unmarshal {} into Go value of type {what}", json_kind(value)))
    };
    let text = |before: &'static str| match value {
        Value::Str(_) | Value::Nil => Ok(()),
        _ => Err(Message::plain(before).then(&wanted("string", value))),
    };
    let texts = |list: &str, element: &str| match value {
        Value::Nil => Ok(()),
        Value::List(items) => match items.items().iter().find(|item| !matches!(item, Value::Str(_) | Value::Nil)) {
            Some(item) => Err(wanted(element, item)),
            None => Ok(()),
        },
        _ => Err(wanted(list, value)),
    };
    let known = match name {
        "alg" => text(""),
        "kid" | "use" | "x5u" | "x5t" | "x5t#S256" => text("error reading next value: "),
        "key_ops" => texts("jwk.KeyOperationList", "jwk.KeyOperation"),
        "x5c" => texts("[]string", "string")
            .map_err(|problem| Message::plain("failed to unmarshal certificate chain: ").then(&problem)),
        "crv" if kind.required.contains(&"crv") => match value {
            Value::Str(_) | Value::Nil => Ok(()),
            _ => Err(wanted("jwa.EllipticCurveAlgorithm", value)),
        },
        _ if kind.bytes.contains(&name) => match value {
            Value::Str(text) if decoded(text).is_none() => Err("expected base64 encoded []byte (string)".into()),
            _ => text("error reading next value: "),
        },
        _ => return None,
    };
    Some(known)
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
