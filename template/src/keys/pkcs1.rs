//! RSA signatures as certificates carry them: PKCS#1 v1.5 over SHA-256.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use num_bigint::BigUint;

use super::RsaKey;
use super::rsa::LIBRARY_BITS;
use crate::error::Message;

/// What stands before a SHA-256 in a signature: DER that names the hash function.
const SHA256_PREFIX: [u8; 19] = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];

impl RsaKey {
    /// The signature of `text`. Refuses keys below 1024 bits, as Go does, and those that would take seconds.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Message> {
        self.check_length()?;
        let most = LIBRARY_BITS.end();
        if self.bits() > *most {
            return Err(Message::plain(format!("RSA keys of more than {most} bits cannot sign; use a shorter one")));
        }
        let signature = if LIBRARY_BITS.contains(&self.bits()) && self.bits().is_multiple_of(8) {
            self.sign_in_library(text)
        } else {
            self.sign_here(text)
        };
        signature.ok_or_else(|| "RSA key cannot sign; use another key".into())
    }

    fn sign_in_library(&self, text: &[u8]) -> Option<Vec<u8>> {
        let pair = RsaKeyPair::from_der(&self.clone().canonical().to_pkcs1()).ok()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
        Some(signature)
    }

    fn sign_here(&self, text: &[u8]) -> Option<Vec<u8>> {
        let bytes = usize::try_from(self.bits().div_ceil(8)).ok()?;
        let hash = digest::digest(&digest::SHA256, text);
        let end = [&[0], &SHA256_PREFIX[..], hash.as_ref()].concat();
        let padding = vec![0xff; bytes.checked_sub(end.len() + 2)?];
        let block = [&[0, 1], padding.as_slice(), &end].concat();
        let digits = self.power(&BigUint::from_bytes_be(&block))?.to_bytes_be();
        let mut signature = vec![0; bytes.checked_sub(digits.len())?];
        signature.extend_from_slice(&digits);
        Some(signature)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

    use crate::issue::{Key, generate};
    use crate::keys::PrivateKey;

    #[test]
    fn both_ways_of_signing_give_the_one_signature_that_the_key_has() {
        let Key::Known(PrivateKey::Rsa(key)) = generate::rsa(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap() else {
            panic!("an RSA key was asked for")
        };
        let signature = key.sign_here(b"text").unwrap();
        assert_eq!(Some(&signature), key.sign_in_library(b"text").as_ref());
        let public = UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, key.to_public_pkcs1());
        assert!(public.verify(b"text", &signature).is_ok());
        assert!(public.verify(b"other", &signature).is_err());
    }
}
