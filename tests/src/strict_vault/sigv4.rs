//! Signature Version 4 of AWS, checked as AWS does.

use std::collections::BTreeMap;

use aws_lc_rs::{
    digest::{self, SHA256},
    hmac::{self, HMAC_SHA256},
};

use super::{Verdict, must};

/// A key as its owner has it.
#[derive(Clone, Debug)]
pub struct AccessKey {
    pub id: String,
    pub secret: String,
    pub session_token: Option<String>,
}

/// A signed request. Header names are in lower case; `host` is among them.
pub struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: &'a BTreeMap<String, String>,
    pub body: &'a [u8],
}

/// The claim in the Authorization header.
struct Claim<'a> {
    key_id: &'a str,
    scope: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    /// The id of the key that the request says it is signed with.
    pub fn key_id(&self) -> Verdict<&'a str> {
        Ok(self.claim()?.key_id)
    }

    /// Whether `key` signed this for STS, within a quarter of an hour, `needed` headers included.
    pub fn verify(&self, key: &AccessKey, needed: &[&str]) -> Verdict<()> {
        let claim = self.claim()?;
        let [date, region, service, end] = claim.scope.splitn(4, '/').collect::<Vec<_>>()[..] else {
            return Err("the credential scope has not four parts".to_owned());
        };
        must(service == "sts" && end == "aws4_request" && !region.is_empty(), "the scope is not that of STS")?;
        let names: Vec<&str> = claim.signed_headers.split(';').collect();
        for name in [&["host", "x-amz-date"], needed].concat() {
            must(names.contains(&name), &format!("header {name} is not signed"))?;
        }
        let token = self.headers.get("x-amz-security-token");
        must(token == key.session_token.as_ref(), "the session token is not that of the key")?;
        must(token.is_none() || names.contains(&"x-amz-security-token"), "the session token is not signed")?;
        let time = self.headers.get("x-amz-date").map_or("", String::as_str);
        must(time.starts_with(date) && is_recent(time), &format!("the time {time} is not now"))?;

        let mut lines = vec![self.method.to_owned(), self.path.to_owned(), String::new()];
        for name in &names {
            let Some(value) = self.headers.get(*name) else {
                return Err(format!("header {name} is signed but not there"));
            };
            lines.push(format!("{name}:{}", value.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        let digest_of_body = hex(digest::digest(&SHA256, self.body).as_ref());
        lines.extend([String::new(), claim.signed_headers.to_owned(), digest_of_body]);
        let canonical = lines.join("\n");
        let digest = hex(digest::digest(&SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{}\n{digest}", claim.scope);
        let mut signing = format!("AWS4{}", key.secret).into_bytes();
        for part in [date, region, service, end] {
            signing = mac(&signing, part.as_bytes());
        }
        let expected = hex(&mac(&signing, to_sign.as_bytes()));
        must(expected == claim.signature, "SignatureDoesNotMatch")
    }

    fn claim(&self) -> Verdict<Claim<'a>> {
        let written = self.headers.get("authorization").map_or("", String::as_str);
        let fields =
            written.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("the request is not signed with AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            let found = fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| format!("Authorization has no {name}"))
        };
        let (key_id, scope) = field("Credential")?.split_once('/').ok_or("the credential has no scope")?;
        Ok(Claim { key_id, scope, signed_headers: field("SignedHeaders")?, signature: field("Signature")? })
    }
}

fn is_recent(time: &str) -> bool {
    let Ok(time) = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time) else { return false };
    let Ok(time) = time.to_zoned(jiff::tz::TimeZone::UTC) else { return false };
    (jiff::Timestamp::now().as_second() - time.timestamp().as_second()).abs() < 15 * 60
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(HMAC_SHA256, key), data).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
