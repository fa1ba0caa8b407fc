//! RSA-OAEP decryption.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA512_MGF1SHA512, OaepAlgorithm, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use num_bigint::BigUint;

use super::rsa::LIBRARY_BITS;
use super::{PrivateKey, RsaKey};
use crate::error::Message;

/// The hash function of the padding and of its mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OaepHash {
    Sha1,
    Sha256,
    Sha512,
}

impl OaepHash {
    fn library(self) -> &'static OaepAlgorithm {
        match self {
            Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
            Self::Sha512 => &OAEP_SHA512_MGF1SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl RsaKey {
    /// Whether decrypting takes milliseconds: the library has the length, or it is short.
    pub(crate) fn is_fast(&self) -> bool {
        self.bits() <= *LIBRARY_BITS.start() || self.is_for_library()
    }

    fn is_for_library(&self) -> bool {
        LIBRARY_BITS.contains(&self.bits()) && self.bits().is_multiple_of(8)
    }

    /// The text under the key, without a label. Refuses keys below 1024 bits, as Go does, and those that would take
    /// seconds.
    pub(crate) fn decrypt_oaep(self, hash: OaepHash, sealed: &[u8]) -> Result<Vec<u8>, Message> {
        self.check_length()?;
        let (bits, most) = (self.bits(), LIBRARY_BITS.end());
        if bits > *most {
            return Err(Message::plain(format!("RSA keys of more than {most} bits cannot decrypt; use a shorter one")));
        }
        let bytes = usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX);
        let plain = if sealed.len() != bytes {
            None
        } else if self.is_for_library() {
            self.decrypt_in_library(hash, sealed)
        } else {
            self.decrypt_here(hash, sealed, bytes)
        };
        plain.ok_or_else(|| "crypto/rsa: decryption error".into())
    }

    fn decrypt_in_library(self, hash: OaepHash, sealed: &[u8]) -> Option<Vec<u8>> {
        let der = PrivateKey::Rsa(self.canonical()).to_pkcs8();
        let key = PrivateDecryptingKey::from_pkcs8(&der).and_then(|key| {
            OaepPrivateDecryptingKey::new(key)
                .map_err(|_| aws_lc_rs::error::KeyRejected::from(aws_lc_rs::error::Unspecified))
        });
        let key = key.ok()?;
        let mut plain = vec![0; key.min_output_size()];
        let length = key.decrypt(hash.library(), sealed, &mut plain, None).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    fn decrypt_here(&self, hash: OaepHash, sealed: &[u8], bytes: usize) -> Option<Vec<u8>> {
        let sealed = BigUint::from_bytes_be(sealed);
        let digits = self.power(&sealed)?.to_bytes_be();
        let mut block = vec![0; bytes.checked_sub(digits.len())?];
        block.extend_from_slice(&digits);
        let algorithm = hash.digest();
        let size = algorithm.output_len();
        if bytes < 2 * size + 2 {
            return None;
        }
        let (head, masked) = block.split_at(1 + size);
        let seed = masked_with(&head[1..], masked, algorithm);
        let data = masked_with(masked, &seed, algorithm);
        let (label, rest) = data.split_at(size);
        let start = rest.iter().position(|&byte| byte != 0)?;
        let fits = head[0] == 0 && label == digest::digest(algorithm, b"").as_ref() && rest[start] == 1;
        fits.then(|| rest[start + 1..].to_vec())
    }
}

/// `bytes` under the mask that MGF1 makes of `seed`.
fn masked_with(bytes: &[u8], seed: &[u8], algorithm: &'static digest::Algorithm) -> Vec<u8> {
    let block = |counter: u32| -> Digest {
        let mut context = digest::Context::new(algorithm);
        context.update(seed);
        context.update(&counter.to_be_bytes());
        context.finish()
    };
    let mut out = Vec::with_capacity(bytes.len());
    for (counter, chunk) in (0..).zip(bytes.chunks(algorithm.output_len())) {
        out.extend(chunk.iter().zip(block(counter).as_ref()).map(|(byte, mask)| byte ^ mask));
    }
    out
}
