//! Reading a file that holds one key and its certificates.

use super::Password;
use super::algorithms::{CERTIFICATE_BAG, DATA, ENCRYPTED_DATA, KEY_BAG, SHROUDED_KEY_BAG, X509_CERTIFICATE};
use super::decrypt::{Sealed, decrypt};
use super::mac::Mac;
use crate::context::Context;
use crate::der::fields::{Element, Fields, Kind, list};
use crate::error::Message;
use crate::keys::PrivateKey;
use crate::x509::Certificate;

/// What a file holds.
pub(crate) struct Contents {
    pub(crate) key: PrivateKey,
    /// In the order of the file, at least one.
    pub(crate) certificates: Vec<Certificate>,
}

/// The key and certificates of a file. Exactly one key and at least one certificate must be there.
pub(crate) fn read(context: &Context, der: &[u8], password: &[u8]) -> Result<Contents, Message> {
    let password = Password::new(password)?;
    let file = File::read(der).map_err(|problem| Message::plain("pkcs12: error reading P12 data: ").then(&problem))?;
    let (safe, password) = file.opened(context, password)?;
    let parts: Vec<Part> = only(safe, |outer| {
        list(outer.content(Kind::LIST)?, Kind::structure("contentInfo"))?.into_iter().map(Part::of_fields).collect()
    })?;
    if !(1..=2).contains(&parts.len()) {
        let count = parts.len();
        return Err(Message::plain(format!(
            "pkcs12: expected between 1 and 2 items in the authenticated safe, but this file has {count}"
        )));
    }
    // The bags of all parts must be well formed before any is looked into.
    let mut opened = Vec::new();
    for part in &parts {
        let bytes = part.opened(context, &password)?;
        bags(&bytes)?;
        opened.push(bytes);
    }
    let bags: Result<Vec<Vec<Bag>>, Message> = opened.iter().map(|bytes| bags(bytes)).collect();
    contents(context, &password, &bags?.concat())
}

fn bags(der: &[u8]) -> Result<Vec<Bag<'_>>, Message> {
    only(der, |outer| {
        list(outer.content(Kind::LIST)?, Kind::structure("safeBag"))?.into_iter().map(Bag::read).collect()
    })
}

/// An algorithm with its parameters.
#[derive(Clone, Copy)]
pub(super) struct Algorithm<'a> {
    pub(super) oid: &'a [u8],
    pub(super) parameters: Element<'a>,
}

impl<'a> Algorithm<'a> {
    /// The next field.
    pub(super) fn read(fields: &mut Fields<'a>) -> Result<Self, Message> {
        Self::of_fields(fields.structure("AlgorithmIdentifier")?)
    }

    pub(super) fn of_fields(mut fields: Fields<'a>) -> Result<Self, Message> {
        Ok(Self { oid: fields.oid()?, parameters: fields.optional_element()?.unwrap_or_default() })
    }
}

/// What `read` finds in `der`, which must hold nothing else.
pub(super) fn only<'a, T>(
    der: &'a [u8],
    read: impl FnOnce(&mut Fields<'a>) -> Result<T, Message>,
) -> Result<T, Message> {
    let mut outer = Fields::new(der);
    let found = read(&mut outer)?;
    if outer.is_empty() { Ok(found) } else { Err("pkcs12: trailing data found".into()) }
}

/// The outside of a file.
struct File<'a> {
    version: i64,
    safe: Part<'a>,
    mac: Option<Mac<'a>>,
}

impl<'a> File<'a> {
    fn read(der: &'a [u8]) -> Result<Self, Message> {
        let mut outer = Fields::new(der);
        let mut fields = outer.structure("pfxPdu")?;
        let version = fields.int()?;
        let safe = Part::of_fields(fields.structure("contentInfo")?)?;
        let mac = match fields.optional(Kind::LIST)? {
            Some(content) => Some(Mac::read(Fields::new(content))?),
            None => None,
        };
        if !outer.is_empty() {
            return Err("pkcs12: trailing data found".into());
        }
        Ok(Self { version, safe, mac })
    }

    /// The content, found to be whole, and the form of the password that it is made with.
    fn opened(&self, context: &Context, password: Password) -> Result<(&'a [u8], Password), Message> {
        if self.version != 3 {
            return Err("pkcs12: can only decode v3 PFX PDU's".into());
        }
        if self.safe.kind != DATA {
            return Err("pkcs12: only password-protected PFX is implemented".into());
        }
        let safe = only(self.safe.content, Fields::element)?.content;
        let Some(mac) = &self.mac else {
            return if password.is_empty() { Ok((safe, password)) } else { Err("pkcs12: no MAC in data".into()) };
        };
        if mac.verifies(context, &password, safe)? {
            return Ok((safe, password));
        }
        let other = Password::without_end();
        if password.is_empty() && mac.verifies(context, &other, safe)? {
            return Ok((safe, other));
        }
        Err("pkcs12: decryption password incorrect".into())
    }
}

/// A part of a file: a kind of content, and the content.
struct Part<'a> {
    kind: &'a [u8],
    content: &'a [u8],
}

impl<'a> Part<'a> {
    fn of_fields(mut fields: Fields<'a>) -> Result<Self, Message> {
        let kind = fields.oid()?;
        let content = fields.explicit_element(0, true)?.unwrap_or_default().content;
        Ok(Self { kind, content })
    }

    /// The bags inside, as DER.
    fn opened(&self, context: &Context, password: &Password) -> Result<Vec<u8>, Message> {
        match self.kind {
            DATA => only(self.content, |outer| outer.content(Kind::OCTETS)).map(<[u8]>::to_vec),
            ENCRYPTED_DATA => {
                let sealed = Sealed::of_data(self.content)?;
                decrypt(context, &sealed.algorithm, password, sealed.bytes)
            }
            _ => Err("pkcs12: only data and encryptedData content types are supported in authenticated safe".into()),
        }
    }
}

/// One thing that a file holds.
#[derive(Clone, Copy)]
struct Bag<'a> {
    kind: &'a [u8],
    value: &'a [u8],
}

impl<'a> Bag<'a> {
    fn read(mut fields: Fields<'a>) -> Result<Self, Message> {
        let kind = fields.oid()?;
        let value = fields.explicit_element(0, false)?.unwrap_or_default().content;
        // Names and identifiers of bags mean nothing to us, but must be well formed.
        for mut attribute in list(fields.optional(Kind::SET)?.unwrap_or_default(), Kind::structure("pkcs12Attribute"))?
        {
            attribute.oid()?;
            attribute.element()?;
        }
        Ok(Self { kind, value })
    }

    fn certificate(&self) -> Result<Certificate, Message> {
        let mut fields =
            only(self.value, |outer| outer.structure("certBag")).map_err(|problem| bad_certificate(&problem))?;
        let kind = fields.oid().map_err(|problem| bad_certificate(&problem))?;
        let der = fields.explicit(0, Kind::OCTETS, false).map_err(|problem| bad_certificate(&problem))?;
        if kind != X509_CERTIFICATE {
            return Err("pkcs12: only X509 certificates are supported in cert bags".into());
        }
        let mut found = Certificate::parse_all(der.unwrap_or_default())?;
        match (found.pop(), found.is_empty()) {
            (Some(certificate), true) => Ok(certificate),
            _ => Err("pkcs12: expected exactly one certificate in the certBag".into()),
        }
    }

    fn shrouded_key(&self, context: &Context, password: &Password) -> Result<PrivateKey, Message> {
        let failed = |verb: &str, problem: &Message| {
            Message::plain(format!("pkcs12: error {verb} PKCS#8 shrouded key bag: ")).then(problem)
        };
        let sealed = Sealed::of_key(self.value).map_err(|problem| failed("decoding", &problem))?;
        let der = decrypt(context, &sealed.algorithm, password, sealed.bytes)
            .map_err(|problem| failed("decrypting", &problem))?;
        PrivateKey::parse_pkcs8(&der)
            .map_err(|problem| Message::plain("pkcs12: error parsing PKCS#8 private key: ").then(&problem))
    }
}

fn bad_certificate(problem: &Message) -> Message {
    Message::plain("pkcs12: error decoding cert bag: ").then(problem)
}

fn contents(context: &Context, password: &Password, bags: &[Bag]) -> Result<Contents, Message> {
    let (mut key, mut certificates) = (None, Vec::new());
    for bag in bags {
        match bag.kind {
            CERTIFICATE_BAG => certificates.push(bag.certificate()?),
            KEY_BAG | SHROUDED_KEY_BAG if key.is_some() => return Err("pkcs12: expected exactly one key bag".into()),
            KEY_BAG => key = Some(PrivateKey::parse_pkcs8(bag.value)?),
            SHROUDED_KEY_BAG => key = Some(bag.shrouded_key(context, password)?),
            _ => {}
        }
    }
    if certificates.is_empty() {
        return Err("pkcs12: certificate missing".into());
    }
    let key = key.ok_or("pkcs12: private key missing")?;
    Ok(Contents { key, certificates })
}
