//! PKCS#12, the files (`.p12`, `.pfx`) that hold a key with its certificates.
//!
//! [`read`] takes what Go's go-pkcs12 takes, with its complaints: the modern encryption (PBES2), Triple DES and RC2 of
//! old, none at all, and integrity by a MAC of SHA-1, SHA-256, SHA-512 or PBMAC1. [`write`] makes what it calls
//! `Modern2023`. How often a file may make us hash is bounded by [`MAX_ITERATIONS`] and charged to the render.

use crate::context::Context;
use crate::error::Message;

mod algorithms;
mod decrypt;
mod kdf;
mod mac;
mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::{key_store, trust_store};

/// The most iterations of a key derivation; a core does about as many within a render's deadline. Files in use have 2048
/// to 600000.
const MAX_ITERATIONS: i64 = 5_000_000;

/// The iterations to do, charged to the render. A number below 1 counts as 1, as in Go.
fn iterations(context: &Context, number: i64) -> Result<u32, Message> {
    if number > MAX_ITERATIONS {
        return Err(Message::plain(format!(
            "pkcs12: the file asks for more than {MAX_ITERATIONS} iterations of its key derivation; write it with fewer"
        )));
    }
    let number = u32::try_from(number.max(1)).unwrap_or(1);
    context.spend(usize::try_from(number).unwrap_or(usize::MAX))?;
    Ok(number)
}

/// A password in both forms that files are made with.
pub(crate) struct Password {
    text: String,
    /// Two bytes for each character and two zeros at the end, or nothing at all for the other kind of empty password.
    wide: Vec<u8>,
}

impl Password {
    /// Fails on characters beyond U+FFFF. A byte that is not UTF-8 counts as U+FFFD.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Message> {
        let text = crate::text::lossy(bytes);
        let mut wide = wide(&text)?;
        wide.extend([0, 0]);
        Ok(Self { text, wide })
    }

    /// The empty password as some programs have it: no characters and no end of the text.
    fn without_end() -> Self {
        Self { text: String::new(), wide: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// Two bytes for each character.
fn wide(text: &str) -> Result<Vec<u8>, Message> {
    let mut out = Vec::with_capacity(text.len() * 2);
    for char in text.chars() {
        let unit = u16::try_from(u32::from(char))
            .map_err(|_| Message::plain("pkcs12: string contains characters that cannot be encoded in UCS-2"))?;
        out.extend(unit.to_be_bytes());
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
