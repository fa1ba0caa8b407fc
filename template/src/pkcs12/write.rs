//! Making files as go-pkcs12's `Modern2023` does: AES-256 under PBKDF2 with HMAC-SHA-256, and a MAC of SHA-256.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{digest, hmac};

use super::algorithms::{
    AES_256_CBC, ANY_PURPOSE, CERTIFICATE_BAG, DATA, ENCRYPTED_DATA, FRIENDLY_NAME, HMAC_SHA256, Hash, JAVA_TRUST,
    LOCAL_KEY_ID, PBES2, PBKDF2, SHA256, SHROUDED_KEY_BAG, X509_CERTIFICATE,
};
use super::kdf::{self, Purpose};
use super::{Password, wide};
use crate::context::Context;
use crate::der::write;
use crate::error::Message;
use crate::keys::PrivateKey;
use crate::x509::Certificate;

/// Iterations of each key derivation, as go-pkcs12 has them.
const ITERATIONS: u32 = 2048;
/// Bytes of a salt, and of an initialization vector.
const SALT_BYTES: usize = 16;
const IV_BYTES: usize = 16;

/// A file with a key, its certificate, and the certificates that vouch for it.
pub(crate) fn key_store(
    context: &Context,
    key: &PrivateKey,
    certificates: &[Certificate],
    password: &[u8],
) -> Result<Vec<u8>, Message> {
    let password = Password::new(password)?;
    let own = certificates.first().map_or(&[][..], |certificate| &certificate.raw);
    let id = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, own);
    let key_id = attribute(LOCAL_KEY_ID, &write::octets(id.as_ref()));
    let mut bags = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let attributes = if index == 0 { vec![key_id.clone()] } else { Vec::new() };
        bags.extend(certificate_bag(certificate, attributes));
    }
    let certificates = encrypted_part(context, &password, &bags)?;
    let (algorithm, sealed) = encrypted(context, &password, &key.to_pkcs8())?;
    let shrouded = write::sequence(&[&algorithm, &write::octets(&sealed)]);
    let key = plain_part(&write::element(0x30, &bag(SHROUDED_KEY_BAG, &shrouded, vec![key_id])));
    file(context, &password, &[&certificates, &key])
}

/// A file with certificates to trust, in one part and marked as Java wants it.
pub(crate) fn trust_store(
    context: &Context,
    certificates: &[Certificate],
    password: &[u8],
) -> Result<Vec<u8>, Message> {
    let password = Password::new(password)?;
    let mut bags = Vec::new();
    for certificate in certificates {
        let name = write::element(BMP_STRING, &wide(&certificate.subject())?);
        let trust = attribute(JAVA_TRUST, &write::oid(ANY_PURPOSE));
        bags.extend(certificate_bag(certificate, vec![attribute(FRIENDLY_NAME, &name), trust]));
    }
    let part = encrypted_part(context, &password, &bags)?;
    file(context, &password, &[&part])
}

/// The tag of a text with two bytes for each character.
const BMP_STRING: u8 = 0x1e;

fn certificate_bag(certificate: &Certificate, attributes: Vec<Vec<u8>>) -> Vec<u8> {
    let content = write::explicit(0, &write::octets(&certificate.raw));
    bag(CERTIFICATE_BAG, &write::sequence(&[&write::oid(X509_CERTIFICATE), &content]), attributes)
}

fn bag(kind: &[u8], value: &[u8], attributes: Vec<Vec<u8>>) -> Vec<u8> {
    let attributes = if attributes.is_empty() { Vec::new() } else { write::set(attributes) };
    write::sequence(&[&write::oid(kind), &write::explicit(0, value), &attributes])
}

fn attribute(kind: &[u8], value: &[u8]) -> Vec<u8> {
    write::sequence(&[&write::oid(kind), &write::set(vec![value.to_vec()])])
}

/// A part with bags that are not encrypted.
fn plain_part(bags: &[u8]) -> Vec<u8> {
    write::sequence(&[&write::oid(DATA), &write::explicit(0, &write::octets(bags))])
}

/// A part with bags that are encrypted.
fn encrypted_part(context: &Context, password: &Password, bags: &[u8]) -> Result<Vec<u8>, Message> {
    let (algorithm, sealed) = encrypted(context, password, &write::element(0x30, bags))?;
    let info = write::sequence(&[&write::oid(DATA), &algorithm, &write::element(0x80, &sealed)]);
    let data = write::sequence(&[&write::int(0), &info]);
    Ok(write::sequence(&[&write::oid(ENCRYPTED_DATA), &write::explicit(0, &data)]))
}

/// The algorithm with all its parameters, and what it makes of the text.
fn encrypted(context: &Context, password: &Password, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Message> {
    context.spend_on_bytes(plain.len())?;
    let (salt, iv) = (random::<SALT_BYTES>()?, random::<IV_BYTES>()?);
    let key = kdf::pbkdf2(context, Hash::Sha256, password, &salt, ITERATIONS.into(), 32)?;
    let count = IV_BYTES - plain.len() % IV_BYTES;
    let mut sealed = plain.to_vec();
    sealed.resize(plain.len() + count, u8::try_from(count).unwrap_or_default());
    UnboundCipherKey::new(&AES_256, &key)
        .and_then(EncryptingKey::cbc)
        .and_then(|key| key.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(FixedLength::from(iv))))
        .map_err(|_| Message::plain("pkcs12: encryption with AES failed; try again"))?;
    let prf = write::sequence(&[&write::oid(HMAC_SHA256)]);
    let derivation = write::sequence(&[&write::octets(&salt), &write::int(ITERATIONS), &prf]);
    let derivation = write::sequence(&[&write::oid(PBKDF2), &derivation]);
    let scheme = write::sequence(&[&write::oid(AES_256_CBC), &write::octets(&iv)]);
    let algorithm = write::sequence(&[&write::oid(PBES2), &write::sequence(&[&derivation, &scheme])]);
    Ok((algorithm, sealed))
}

/// The whole file over its parts.
fn file(context: &Context, password: &Password, parts: &[&[u8]]) -> Result<Vec<u8>, Message> {
    let safe = write::sequence(parts);
    context.spend_on_bytes(safe.len())?;
    let salt = random::<SALT_BYTES>()?;
    let key = kdf::pkcs12(context, Hash::Sha256, Purpose::Mac, password, &salt, ITERATIONS.into(), 32)?;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &safe);
    let info = write::sequence(&[&write::sequence(&[&write::oid(SHA256)]), &write::octets(tag.as_ref())]);
    let mac = write::sequence(&[&info, &write::octets(&salt), &write::int(ITERATIONS)]);
    Ok(write::sequence(&[&write::int(3), &plain_part(&safe), &mac]))
}

fn random<const N: usize>() -> Result<[u8; N], Message> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Message::plain("the system gives no random bytes; try again"))?;
    Ok(bytes)
}
