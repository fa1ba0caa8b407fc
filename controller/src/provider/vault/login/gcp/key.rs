//! The key of a Google service account, as Google hands it out: JSON with a PEM in it.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::invalid;
use crate::error::Error;

pub struct Key {
    pub email: String,
    id: String,
    pair: RsaKeyPair,
}

#[derive(Deserialize)]
struct Written {
    client_email: String,
    #[serde(default)]
    private_key_id: String,
    private_key: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    kid: &'a str,
}

impl Key {
    /// `shown`: how messages name the key. They never quote it.
    pub fn parse(field: &str, shown: &str, json: &[u8]) -> Result<Self, Error> {
        let advice = "write the JSON file that Google made for the service account's key";
        let problem = |what: &str| invalid(format!("{field}: {shown} {what}; {advice}"));
        let written: Written =
            serde_json::from_slice(json).map_err(|_| problem("is no JSON with client_email and private_key"))?;
        let pem = Zeroizing::new(written.private_key);
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes());
        let pair = der.ok().and_then(|der| match &der {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
            _ => None,
        });
        let pair = pair.ok_or_else(|| problem("has a private_key that is no RSA key in PEM"))?;
        Ok(Self { email: written.client_email, id: written.private_key_id, pair })
    }

    /// A JSON Web Token with these claims.
    pub fn sign(&self, field: &str, claims: &impl Serialize) -> Result<String, Error> {
        let problem = || invalid(format!("{field}: the key cannot sign; make a new one"));
        let encode = |json: Result<Vec<u8>, serde_json::Error>| json.map(|json| URL_SAFE_NO_PAD.encode(json));
        let header = Header { alg: "RS256", typ: "JWT", kid: &self.id };
        let header = encode(serde_json::to_vec(&header)).map_err(|_| problem())?;
        let claims = encode(serde_json::to_vec(claims)).map_err(|_| problem())?;
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        self.pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).map_err(|_| problem())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
