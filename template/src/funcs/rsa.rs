//! Decryption with RSA.

use super::Type::Str;
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::keys::{OaepHash, PrivateKey};
use crate::pem;
use crate::value::Value;

/// What a decryption is charged as, in steps: about as long as it takes with a key of 4096 bits.
const STEPS_PER_DECRYPTION: usize = 50_000;

/// What a decryption is charged as besides, in units of expensive calls, with a key of a length that nobody chooses: it
/// takes up to a second.
const UNITS_PER_SLOW_DECRYPTION: usize = 14;

pub(super) const FUNCTIONS: &[Function] = &[Function::new(
    "rsaDecrypt",
    &[Str, Str, Str, Str],
    Str,
    doc(
        "The text under an RSA key: scheme, hash function, ciphertext as bytes, private key in PEM. The scheme is \
         `RSA-OAEP`, or `None` for a text that is not encrypted; the hash function `SHA1`, `SHA256` or `SHA512`, and \
         anything else means `SHA256`. Fails for a wrong key and for keys below 1024 or above 8192 bits.",
        r#"{{ rsaDecrypt "None" "" .password "" }}"#,
        "p@ss&\"w0rd\"",
    ),
    decrypt,
)];

fn decrypt(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let (scheme, sealed) = (args.str(0), args.str(2));
    match scheme {
        b"None" => return Ok(Value::str(sealed)),
        b"RSA-OAEP" => {}
        _ => return Err(Message::plain("decryption scheme ").data(scheme).text(" is not supported")),
    }
    context.spend(STEPS_PER_DECRYPTION)?;
    context.spend_on_bytes(args.str(3).len())?;
    let hash = match args.str(1) {
        b"SHA1" => OaepHash::Sha1,
        b"SHA512" => OaepHash::Sha512,
        _ => OaepHash::Sha256,
    };
    let (block, _) = pem::decode(args.str(3)).ok_or("failed to decode PEM block")?;
    let key = PrivateKey::parse(&block.bytes)
        .map_err(|problem| Message::plain("could not parse private key: ").then(&problem))?;
    let PrivateKey::Rsa(key) = key else { return Err("could not parse RSA private key".into()) };
    if !key.is_fast() {
        context.spend_expensive(UNITS_PER_SLOW_DECRYPTION)?;
    }
    let plain = key.decrypt_oaep(hash, sealed);
    plain.map(Value::str).map_err(|problem| Message::plain("error decrypting data with RSA: ").then(&problem))
}
