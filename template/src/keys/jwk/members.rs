//! The members of a JSON web key: what their types must be, and what they hold.

use aws_lc_rs::{
    agreement,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use num_bigint::BigUint;

use super::{Jwk, json_kind};
use crate::error::Message;
use crate::funcs::Member;
use crate::keys::Curve;
use crate::keys::rsa::Numbers;
use crate::value::Value;

/// A kind of key: Go's type, its members in base 64, and the members that must be there.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// What they call it themselves.
    kty: &'static str,
    bytes: &'static [&'static str],
    required: &'static [&'static str],
}

pub(super) const RSA_PUBLIC: Kind =
    Kind { name: "rsaPublicKey", kty: "RSA", bytes: &["e", "n"], required: &["e", "n"] };
pub(super) const RSA_PRIVATE: Kind = Kind {
    name: "rsaPrivateKey",
    kty: "RSA",
    bytes: &["d", "dp", "dq", "e", "n", "p", "q", "qi"],
    required: &["d", "e", "n"],
};
pub(super) const EC_PUBLIC: Kind =
    Kind { name: "ecdsaPublicKey", kty: "EC", bytes: &["x", "y"], required: &["crv", "x", "y"] };
pub(super) const EC_PRIVATE: Kind =
    Kind { name: "ecdsaPrivateKey", kty: "EC", bytes: &["d", "x", "y"], required: &["crv", "d", "x", "y"] };
pub(super) const OKP_PUBLIC: Kind = Kind { name: "okpPublicKey", kty: "OKP", bytes: &["x"], required: &["crv", "x"] };
pub(super) const OKP_PRIVATE: Kind =
    Kind { name: "okpPrivateKey", kty: "OKP", bytes: &["d", "x"], required: &["crv", "d", "x"] };
pub(super) const OCTETS: Kind = Kind { name: "symmetricKey", kty: "oct", bytes: &["k"], required: &["k"] };

/// The members of a key, checked one by one.
pub(super) struct Members<'m> {
    members: &'m [Member],
}

impl<'m> Members<'m> {
    pub(super) fn read(kind: &Kind, members: &'m [Member]) -> Result<Self, Message> {
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

    /// The key that they make.
    pub(super) fn key(&self, kind: &Kind) -> Result<Jwk, Message> {
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
            let start = Message::plain("could not decode field ").data(name).text(": failed to decode field ");
            Err(start.data(name).text(": ").then(problem))
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
