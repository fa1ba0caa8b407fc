//! Undoing the encryption of a file's parts.

use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use des::cipher::array::{Array, ArraySize};
use des::cipher::{BlockCipherDecrypt, KeyInit as _};

use super::Password;
use super::algorithms::{Hash, PBES2, PBKDF2, SHA1_RC2_40, SHA1_RC2_128, SHA1_TRIPLE_DES, aes_key_bytes};
use super::kdf::{self, Purpose};
use super::mac::{Pbkdf2, unsupported};
use super::read::{Algorithm, only};
use crate::context::Context;
use crate::der::fields::{Fields, Kind};
use crate::error::Message;

/// Bytes of a block of Triple DES and RC2.
const OLD_BLOCK: usize = 8;
/// Bytes of a block of AES.
const AES_BLOCK: usize = 16;

/// What `sealed` holds, without its padding.
pub(super) fn decrypt(
    context: &Context,
    algorithm: &Algorithm,
    password: &Password,
    sealed: &[u8],
) -> Result<Vec<u8>, Message> {
    context.spend_on_bytes(sealed.len().saturating_mul(OLD_BLOCK))?;
    let (plain, block) = match algorithm.oid {
        PBES2 => (pbes2(context, algorithm, password, sealed)?, AES_BLOCK),
        SHA1_TRIPLE_DES | SHA1_RC2_128 | SHA1_RC2_40 => (old(context, algorithm, password, sealed)?, OLD_BLOCK),
        other => return Err(unsupported("pbe algorithm ", other, " is not supported")),
    };
    unpadded(plain, block)
}

/// The encryption of RFC 8018 with AES.
fn pbes2(context: &Context, algorithm: &Algorithm, password: &Password, sealed: &[u8]) -> Result<Vec<u8>, Message> {
    let mut fields = only(algorithm.parameters.whole, |outer| outer.structure("pbes2Params"))?;
    let (derivation, scheme) = (Algorithm::read(&mut fields)?, Algorithm::read(&mut fields)?);
    if derivation.oid != PBKDF2 {
        return Err(unsupported("pbes2 kdf algorithm ", derivation.oid, " is not supported"));
    }
    let parameters = Pbkdf2::read(derivation.parameters.whole)?;
    let salt = parameters.salt().ok_or("pkcs12: only octet string salts are supported for pbes2/pbkdf2")?;
    let hash = parameters.hash().map_err(|oid| unsupported("pbes2 prf ", oid, " is not supported"))?;
    let length =
        aes_key_bytes(scheme.oid).ok_or_else(|| unsupported("pbes2 algorithm ", scheme.oid, " is not supported"))?;
    let key = kdf::pbkdf2(context, hash, password, salt, parameters.iterations, length)?;
    let iv: [u8; AES_BLOCK] =
        scheme.parameters.content.try_into().map_err(|_| {
            Message::plain(format!("pkcs12: the initialization vector of AES must have {AES_BLOCK} bytes"))
        })?;
    check_length(sealed, AES_BLOCK)?;
    aes(&key, iv, sealed).ok_or_else(wrong_padding)
}

fn aes(key: &[u8], iv: [u8; AES_BLOCK], sealed: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        _ => &AES_256,
    };
    let key = DecryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let mut plain = sealed.to_vec();
    let length = key.decrypt(&mut plain, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

/// The three ciphers of PKCS#12 itself.
fn old(context: &Context, algorithm: &Algorithm, password: &Password, sealed: &[u8]) -> Result<Vec<u8>, Message> {
    let mut fields = only(algorithm.parameters.whole, |outer| outer.structure("pbeParams"))?;
    let salt = fields.content(Kind::OCTETS)?;
    let count = fields.int()?;
    let derived = |purpose, length| kdf::pkcs12(context, Hash::Sha1, purpose, password, salt, count, length);
    let length = match algorithm.oid {
        SHA1_TRIPLE_DES => 24,
        SHA1_RC2_128 => 16,
        _ => 5,
    };
    let key = derived(Purpose::Key, length)?;
    let iv = derived(Purpose::Iv, OLD_BLOCK)?;
    check_length(sealed, OLD_BLOCK)?;
    let plain = if algorithm.oid == SHA1_TRIPLE_DES {
        des::TdesEde3::new_from_slice(&key).ok().map(|cipher| chained(&cipher, &iv, sealed))
    } else {
        // As many bits count as the key has.
        Some(chained(&rc2::Rc2::new_with_eff_key_len(&key, key.len() * 8), &iv, sealed))
    };
    plain.ok_or_else(wrong_padding)
}

/// CBC mode over whole blocks.
fn chained<C: BlockCipherDecrypt>(cipher: &C, iv: &[u8], sealed: &[u8]) -> Vec<u8>
where
    C::BlockSize: ArraySize,
{
    let mut out = Vec::with_capacity(sealed.len());
    let mut before = iv;
    for block in sealed.chunks_exact(OLD_BLOCK) {
        let Ok(array) = Array::<u8, C::BlockSize>::try_from(block) else { break };
        let mut plain = array;
        cipher.decrypt_block(&mut plain);
        out.extend(plain.iter().zip(before).map(|(byte, mask)| byte ^ mask));
        before = block;
    }
    out
}

fn check_length(sealed: &[u8], block: usize) -> Result<(), Message> {
    if sealed.is_empty() {
        return Err("pkcs12: empty encrypted data".into());
    }
    if !sealed.len().is_multiple_of(block) {
        return Err("pkcs12: input is not a multiple of the block size".into());
    }
    Ok(())
}

/// The text without the bytes at its end that each tell their number.
fn unpadded(mut plain: Vec<u8>, block: usize) -> Result<Vec<u8>, Message> {
    let count = plain.last().copied().map_or(0, usize::from);
    let padding = plain.len().checked_sub(count).and_then(|start| plain.get(start..));
    let fits = (1..=block).contains(&count)
        && padding.is_some_and(|padding| padding.iter().all(|&byte| usize::from(byte) == count));
    if !fits {
        return Err(wrong_padding());
    }
    plain.truncate(plain.len() - count);
    Ok(plain)
}

fn wrong_padding() -> Message {
    "pkcs12: decryption error, incorrect padding".into()
}

/// What an encrypted part of a file holds.
pub(super) struct Sealed<'a> {
    pub(super) algorithm: Algorithm<'a>,
    pub(super) bytes: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Certificates and other bags.
    pub(super) fn of_data(der: &'a [u8]) -> Result<Self, Message> {
        let mut fields = only(der, |outer| outer.structure("encryptedData"))?;
        let version = fields.int()?;
        let mut info = fields.structure("encryptedContentInfo")?;
        info.oid()?;
        let algorithm = Algorithm::read(&mut info)?;
        let bytes = info.tagged(0)?.map_or(&[][..], |element| element.content);
        if version != 0 {
            return Err("pkcs12: only version 0 of EncryptedData is supported".into());
        }
        Ok(Self { algorithm, bytes })
    }

    /// A key.
    pub(super) fn of_key(der: &'a [u8]) -> Result<Self, Message> {
        let mut fields: Fields = only(der, |outer| outer.structure("encryptedPrivateKeyInfo"))?;
        Ok(Self { algorithm: Algorithm::read(&mut fields)?, bytes: fields.content(Kind::OCTETS)? })
    }
}
