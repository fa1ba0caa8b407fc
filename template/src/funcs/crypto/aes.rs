//! `encryptAES` and `decryptAES`: AES-256 in CBC mode, the random first block in front, all in base 64.
//!
//! Nothing authenticates the text, so decrypting with another key or a changed text gives rubbish or an error.

use aws_lc_rs::cipher::{
    AES_256, AES_256_KEY_LEN, DecryptingKey, DecryptionContext, EncryptionContext, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::Type::Str;
use super::super::encoding::base64_decoded;
use super::super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::issue::generate::fill;
use crate::value::Value;

const BLOCK_BYTES: usize = 16;

pub(in crate::funcs) const FUNCTIONS: &[Function] = &[
    Function::new(
        "encryptAES",
        &[Str, Str],
        Str,
        doc(
            "The second text encrypted with the password that comes first: AES-256-CBC, the random first block in \
             front, in base 64. The password itself, cut or filled with zeros to 32 bytes, is the key, so use a long \
             random one. **Nothing notices a changed text.** Empty for the empty text.",
            r#"{{ encryptAES .password "hello" | decryptAES .password }}"#,
            "hello",
        ),
        encrypt,
    ),
    Function::new(
        "decryptAES",
        &[Str, Str],
        Str,
        doc(
            "The text that `encryptAES` encrypted with the password that comes first. Fails, or gives rubbish, for \
             another password.",
            r#"{{ "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=" | decryptAES "secretkey" }}"#,
            "plaintext",
        ),
        decrypt,
    ),
];

fn encrypt(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let text = args.str(1);
    if text.is_empty() {
        return Ok(Value::text(""));
    }
    // The first block, the padding, and a third more for base 64.
    context.check_bytes(text.len().saturating_add(2 * BLOCK_BYTES).saturating_mul(4) / 3)?;
    let mut first = [0; BLOCK_BYTES];
    fill(&mut first)?;
    Ok(Value::text(&STANDARD.encode(encrypted(args.str(0), first, text).map_err(failed)?)))
}

fn decrypt(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let text = args.str(1);
    if text.is_empty() {
        return Ok(Value::text(""));
    }
    let bytes = base64_decoded(text).map_err(Message::from)?;
    let Some((first, blocks)) = bytes.split_first_chunk::<BLOCK_BYTES>() else {
        return Err(too_short(bytes.len(), text.len() / 4 * 3));
    };
    if blocks.len() % BLOCK_BYTES != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let mut plain = decrypted(args.str(0), *first, blocks).map_err(failed)?;
    let Some(&padding) = plain.last() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    let Some(length) = plain.len().checked_sub(padding.into()) else {
        let missing = usize::from(padding).saturating_sub(plain.len()).to_string();
        return Err(Message::plain("runtime error: slice bounds out of range [:-").data(missing).text("]"));
    };
    plain.truncate(length);
    Ok(Value::str(plain))
}

/// Go's words for a text without a whole first block: it cuts the block out of a buffer that may be longer than the
/// text.
fn too_short(length: usize, capacity: usize) -> Message {
    if capacity < BLOCK_BYTES {
        format!("runtime error: slice bounds out of range [:{BLOCK_BYTES}] with capacity {capacity}").into()
    } else {
        format!("runtime error: slice bounds out of range [{BLOCK_BYTES}:{length}]").into()
    }
}

fn encrypted(password: &[u8], first: [u8; BLOCK_BYTES], text: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key(password)?)?;
    let mut blocks = text.to_vec();
    key.less_safe_encrypt(&mut blocks, EncryptionContext::Iv128((&first).into()))?;
    Ok([&first[..], &blocks].concat())
}

/// The plain text with its padding.
fn decrypted(password: &[u8], first: [u8; BLOCK_BYTES], blocks: &[u8]) -> Result<Vec<u8>, Unspecified> {
    if blocks.is_empty() {
        return Ok(Vec::new());
    }
    let key = DecryptingKey::cbc(key(password)?)?;
    let mut blocks = blocks.to_vec();
    key.decrypt(&mut blocks, DecryptionContext::Iv128((&first).into()))?;
    Ok(blocks)
}

/// The password itself, cut or filled with zeros.
fn key(password: &[u8]) -> Result<UnboundCipherKey, Unspecified> {
    let mut key = [0; AES_256_KEY_LEN];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    UnboundCipherKey::new(&AES_256, &key)
}

fn failed(_: Unspecified) -> Message {
    "AES failed; please report this".into()
}
