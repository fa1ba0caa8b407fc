//! The conformance cases, to make variants of.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::oracle::Case;

/// Words of functions that are random, depend on the clock, or that the Go program lacks: cases that contain one stay out.
const LEFT_OUT: &[&str] = &[
    "now",
    "ago",
    "rand",
    "shuffle",
    "uuid",
    "gen",
    "bcrypt",
    "htpasswd",
    "encryptAES",
    "derivePassword",
    "buildCustomCert",
    "pkcs12",
    "Pkcs12",
    "PKCS12",
    "filterPEM",
    "filterCertChain",
    "certSANs",
    "jwk",
    "rsaDecrypt",
];

#[derive(Deserialize)]
struct File {
    fixtures: BTreeMap<String, Fixture>,
    cases: Vec<Known>,
}

#[derive(Deserialize)]
struct Fixture {
    text: Option<String>,
    b64: Option<String>,
}

#[derive(Deserialize)]
struct Known {
    template: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    data_fixtures: BTreeMap<String, String>,
}

/// The cases that a comparison makes sense for.
pub fn cases() -> Vec<Case> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates.json");
    let text = std::fs::read(&path).expect("the conformance cases");
    let file: File = serde_json::from_slice(&text).expect("the cases file is JSON of the known shape");
    let known = file.cases.into_iter().filter(|known| !LEFT_OUT.iter().any(|word| known.template.contains(word)));
    known
        .map(|known| {
            let mut data: BTreeMap<String, Vec<u8>> =
                known.data.into_iter().map(|(key, value)| (key, value.into_bytes())).collect();
            for (key, name) in known.data_fixtures {
                let fixture = &file.fixtures[&name];
                let text = fixture.text.as_ref().map(|text| text.clone().into_bytes());
                data.insert(
                    key,
                    text.unwrap_or_else(|| {
                        STANDARD.decode(fixture.b64.as_deref().unwrap_or_default()).expect("base 64")
                    }),
                );
            }
            Case { template: known.template.into_bytes(), data }
        })
        .collect()
}
