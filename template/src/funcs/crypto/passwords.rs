//! Password hashes, and passwords that are derived instead of stored.
//!
//! `bcrypt` and `htpasswd` give some errors as their text, as sprig has it.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::Type::{Str, Uint32};
use super::super::{Args, Function, doc};
use super::{cost, sha1};
use crate::context::Context;
use crate::error::Message;
use crate::issue::generate::fill;
use crate::value::Value;

/// Go's default: 2^10 rounds.
const BCRYPT_COST: u32 = 10;
/// The algorithm ignores what is longer, so longer passwords are refused.
const BCRYPT_BYTES: usize = 72;

pub(in crate::funcs) const FUNCTIONS: &[Function] = &[
    Function::new(
        "bcrypt",
        &[Str],
        Str,
        doc(
            "The bcrypt hash of a password, with cost 10 and a random salt: another text at every refresh. **A \
             password of more than 72 bytes gives the error text as the result.**",
            "{{ bcrypt .password | trunc 7 }}",
            "$2a$10$",
        ),
        |context, args| bcrypt_hash(context, args.str(0)).map(Value::str),
    ),
    Function::new(
        "htpasswd",
        &[Str, Str, Str],
        Str,
        doc(
            "A line of an htpasswd file for user, password and algorithm: `sha`, which has no salt and is for servers \
             that know nothing better, or `bcrypt`, which any other text means too. **A colon in the user gives the \
             error text as the result.**",
            r#"{{ htpasswd .user "hunter2" "sha" }}"#,
            "app:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=",
        ),
        htpasswd,
    ),
    Function::new(
        "derivePassword",
        &[Uint32, Str, Str, Str, Str],
        Str,
        doc(
            "The password that follows from counter, kind, master password, user and site, always the same; count up \
             to change it. Kinds are `maximum`, `long`, `medium`, `short`, `basic` and `pin`; **any other gives an \
             error text as the result**.",
            r#"{{ derivePassword 1 "long" "password" "user" "example.com" }}"#,
            "ZedaFaxcZaso9*",
        ),
        derive_password,
    ),
];

fn bcrypt_hash(context: &Context, password: &[u8]) -> Result<Vec<u8>, Message> {
    if password.len() > BCRYPT_BYTES {
        let text =
            format!("failed to encrypt string with bcrypt: bcrypt: password length exceeds {BCRYPT_BYTES} bytes");
        return Ok(text.into_bytes());
    }
    context.spend_expensive(cost::BCRYPT)?;
    let mut salt = [0; 16];
    fill(&mut salt)?;
    let hash = bcrypt::hash_with_salt(password, BCRYPT_COST, salt);
    let hash = hash.map_err(|_| Message::plain("bcrypt failed; please report this"))?;
    Ok(hash.format_for_version(bcrypt::Version::TwoA).into_bytes())
}

fn htpasswd(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let (user, password) = (args.str(0), args.str(1));
    if user.contains(&b':') {
        return Ok(Value::str([b"invalid username: ", user].concat()));
    }
    let hash = match args.str(2) {
        b"sha" => format!("{{SHA}}{}", STANDARD.encode(sha1(password))).into_bytes(),
        _ => bcrypt_hash(context, password)?,
    };
    Ok(Value::str([user, b":", &hash].concat()))
}

/// Names the algorithm inside its salts, and keeps it apart from others.
const SCOPE: &[u8] = b"com.lyndir.masterpassword";

/// The shapes of derived passwords: which class of characters stands where. The first byte of the seed chooses one.
const SHAPES: &[(&str, &[&str])] = &[
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

/// The characters of a class.
fn class(name: u8) -> &'static [u8] {
    match name {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn derive_password(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let (counter, kind) = (args.u32(0), args.str(1));
    let (password, user, site) = (args.str(2), args.str(3), args.str(4));
    let Some((_, shapes)) = SHAPES.iter().find(|(name, _)| name.as_bytes() == kind) else {
        return Ok(Value::str([b"cannot find password template ", kind].concat()));
    };
    context.spend_expensive(cost::SCRYPT)?;
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let key = scrypt_key(password, &[SCOPE, &length(user), user].concat())?;
    let message = [SCOPE, &length(site), site, &counter.to_be_bytes()].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &message);
    let Some((&first, seed)) = tag.as_ref().split_first() else { return Ok(Value::text("")) };
    let pick = |from: usize, seed: u8| usize::from(seed) % from.max(1);
    let shape = shapes.get(pick(shapes.len(), first)).copied().unwrap_or_default();
    let chars: Vec<u8> = shape
        .bytes()
        .zip(seed)
        .filter_map(|(name, &seed)| class(name).get(pick(class(name).len(), seed)).copied())
        .collect();
    Ok(Value::str(chars))
}

/// scrypt with N = 2^15, r = 8, p = 2, and a key of 64 bytes.
fn scrypt_key(password: &[u8], salt: &[u8]) -> Result<[u8; 64], Message> {
    let mut key = [0; 64];
    let params = scrypt::Params::new(15, 8, 2).map_err(|_| Message::plain("scrypt refuses its parameters"))?;
    scrypt::scrypt(password, salt, &params, &mut key).map_err(|_| Message::plain("scrypt refuses the key length"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use crate::data::Data;
    use crate::limits::{Limits, Options};
    use crate::template::Template;

    fn render(text: &str) -> String {
        let template = Template::parse("k", text.as_bytes(), &Limits::default()).unwrap();
        String::from_utf8(template.render(&Data::default(), &Options::default()).unwrap()).unwrap()
    }

    #[test]
    fn hashes_hold_for_their_password_only() {
        let longest = "x".repeat(72);
        for password in ["", "hunter2", longest.as_str()] {
            let hash = render(&format!("{{{{ bcrypt \"{password}\" }}}}"));
            assert!(bcrypt::verify(password, &hash).unwrap());
            assert!(!bcrypt::verify("other", &hash).unwrap());
        }
        let line = render("{{ htpasswd \"bob\" \"hunter2\" \"bcrypt\" }}");
        assert!(bcrypt::verify("hunter2", line.strip_prefix("bob:").unwrap()).unwrap());
    }

    #[test]
    fn a_hash_has_a_salt_of_its_own() {
        assert_ne!(render("{{ bcrypt \"p\" }}"), render("{{ bcrypt \"p\" }}"));
    }

    #[test]
    fn derived_passwords_are_those_of_sprig() {
        for (call, password) in [
            ("1 \"long\" \"password\" \"user\" \"example.com\"", "ZedaFaxcZaso9*"),
            ("0 \"long\" \"password\" \"user\" \"example.com\"", "KezpWado2+Fazo"),
            ("4294967295 \"long\" \"password\" \"user\" \"example.com\"", "HiqwSats7@Suwe"),
            ("4294967296 \"long\" \"password\" \"user\" \"example.com\"", "KezpWado2+Fazo"),
            ("1 \"maximum\" \"a\" \"\" \"\"", "HcTQw)UouAse^FR#f03,"),
        ] {
            assert_eq!(render(&format!("{{{{ derivePassword {call} }}}}")), password);
        }
    }
}
