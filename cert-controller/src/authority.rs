//! What the webhook's certificate and its authority must look like, and how they are made. Pure, except for the random
//! numbers in a new key.
//!
//! Keys are ECDSA P-256. The authority lives ten years, the certificate ninety days, unless flags say otherwise; both are
//! replaced when two thirds of that are over, so that a month without this process hurts nobody. Serial numbers are a hash of the fresh key.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

use crate::certificate::{Pair, Unusable};

/// Certificates are valid from an hour ago: clocks of nodes differ.
pub const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// How long new certificates live from the moment they are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    pub leaf: SignedDuration,
    pub authority: SignedDuration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { leaf: SignedDuration::from_hours(90 * 24), authority: SignedDuration::from_hours(10 * 365 * 24) }
    }
}

/// Why something new is issued. The name is a metric label.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    Missing,
    Unreadable,
    KeyDoesNotFit,
    /// The authority's certificate may not sign.
    NotAnAuthority,
    /// Made under a clock that was ahead, or ours is behind.
    NotYetValid,
    Expired,
    /// Two thirds of its life are over.
    Due,
    /// A name by which the webhook is called is not in the certificate.
    WrongName,
    /// Signed by another authority than the current one.
    ForeignAuthority,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::KeyDoesNotFit => "key does not fit",
            Self::NotAnAuthority => "not an authority",
            Self::NotYetValid => "not yet valid",
            Self::Expired => "expired",
            Self::Due => "due",
            Self::WrongName => "wrong name",
            Self::ForeignAuthority => "foreign authority",
        }
    }
}

impl From<Unusable> for Reason {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Missing => Self::Missing,
            Unusable::Unreadable => Self::Unreadable,
            Unusable::KeyDoesNotFit => Self::KeyDoesNotFit,
        }
    }
}

/// What is to become of a pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Keep,
    Issue(Reason),
}

impl Verdict {
    fn from_checks(checks: impl IntoIterator<Item = Option<Reason>>) -> Self {
        checks.into_iter().flatten().next().map_or(Self::Keep, Self::Issue)
    }
}

/// Whether the authority may go on signing. The first failing check is the reason.
pub fn assess_authority(authority: &Result<Pair, Unusable>, now: Timestamp) -> Verdict {
    match authority {
        Err(unusable) => Verdict::Issue((*unusable).into()),
        Ok(pair) => {
            Verdict::from_checks([may_not_sign(pair), not_yet_valid(pair, now), expired(pair, now), due(pair, now)])
        }
    }
}

/// Whether the webhook's certificate may stay. The first failing check is the reason.
pub fn assess_leaf(leaf: &Result<Pair, Unusable>, authority: &Pair, names: &[String], now: Timestamp) -> Verdict {
    match leaf {
        Err(unusable) => Verdict::Issue((*unusable).into()),
        Ok(pair) => Verdict::from_checks([
            not_yet_valid(pair, now),
            expired(pair, now),
            foreign(pair, authority),
            wrong_name(pair, names),
            due(pair, now),
        ]),
    }
}

fn may_not_sign(pair: &Pair) -> Option<Reason> {
    (!pair.certificate.is_authority).then_some(Reason::NotAnAuthority)
}

fn not_yet_valid(pair: &Pair, now: Timestamp) -> Option<Reason> {
    (now < pair.certificate.not_before).then_some(Reason::NotYetValid)
}

fn expired(pair: &Pair, now: Timestamp) -> Option<Reason> {
    (now >= pair.certificate.not_after).then_some(Reason::Expired)
}

fn foreign(pair: &Pair, authority: &Pair) -> Option<Reason> {
    (!authority.certificate.has_signed(&pair.certificate)).then_some(Reason::ForeignAuthority)
}

/// The long form of a Service's name, which API servers do not call: the Go operator's certificates lack it and serve.
const LONG_FORM: &str = ".svc.cluster.local";

fn wrong_name(pair: &Pair, names: &[String]) -> Option<Reason> {
    let has = |wanted: &String| pair.certificate.names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    let mut called = names.iter().filter(|name| !name.ends_with(LONG_FORM));
    (!called.all(has)).then_some(Reason::WrongName)
}

fn due(pair: &Pair, now: Timestamp) -> Option<Reason> {
    (now >= pair.certificate.renew_at()).then_some(Reason::Due)
}

/// A new authority, which lives so long.
pub fn issue_authority(life: SignedDuration, now: Timestamp) -> Result<Pair, String> {
    let mut params = CertificateParams::default();
    // The name differs between generations, so that a client holding two finds the right one at once.
    params.distinguished_name = called(&format!("external-secrets webhook CA {}", now.as_second()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    lasting(&mut params, now, now.checked_add(life).map_err(|error| error.to_string())?);
    let key = new_key()?;
    let certificate = params.self_signed(&key).map_err(|error| format!("signing the authority: {error}"))?;
    read_back(&certificate.pem(), &key)
}

/// A new certificate for `names`, the first of which becomes its common name. It ends with its authority at the latest.
pub fn issue_leaf(authority: &Pair, names: &[String], life: SignedDuration, now: Timestamp) -> Result<Pair, String> {
    let signing = |error: rcgen::Error| format!("signing the webhook's certificate: {error}");
    let mut params = CertificateParams::new(names).map_err(signing)?;
    params.distinguished_name = called(names.first().map_or("webhook", String::as_str));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let end = now.checked_add(life).map_err(|error| error.to_string())?;
    lasting(&mut params, now, end.min(authority.certificate.not_after));
    let key = new_key()?;
    let authority_key = KeyPair::from_pem(authority.key_pem()).map_err(signing)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate.pem(), authority_key).map_err(signing)?;
    let certificate = params.signed_by(&key, &issuer).map_err(signing)?;
    read_back(&certificate.pem(), &key)
}

/// At most 64 characters of a name: X.509's bound for a common name, which nobody reads any more.
fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    called
}

fn lasting(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    params.not_before = std::time::SystemTime::from(from.saturating_sub(BACKDATED).unwrap_or(from)).into();
    params.not_after = std::time::SystemTime::from(until).into();
}

fn new_key() -> Result<KeyPair, String> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| format!("generating a key: {error}"))
}

/// What was made is read like anything else, so that nothing is written that would not be accepted later.
fn read_back(certificate: &str, key: &KeyPair) -> Result<Pair, String> {
    Pair::read(Some(certificate.as_bytes()), Some(key.serialize_pem().as_bytes()))
        .map_err(|unusable| format!("a certificate just made is unusable: {unusable:?}"))
}

/// Certificates of the usual lives.
#[cfg(test)]
pub mod usual {
    use super::{Lifetimes, Pair, Timestamp};

    pub fn issue_authority(now: Timestamp) -> Result<Pair, String> {
        super::issue_authority(Lifetimes::default().authority, now)
    }

    pub fn issue_leaf(authority: &Pair, names: &[String], now: Timestamp) -> Result<Pair, String> {
        super::issue_leaf(authority, names, Lifetimes::default().leaf, now)
    }
}

#[cfg(test)]
mod tests;
