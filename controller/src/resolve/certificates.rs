//! CA certificates as users write them: PEM, or base64 of PEM because a field is a byte string in the API, or base64 of
//! that because a tool encoded once more.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::error::{Code, Error};

const PEM_BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Adds the certificates of `bundle`, which `field` gave, to `pem`.
pub fn append(pem: &mut Vec<u8>, field: &str, bundle: &[u8]) -> Result<(), Error> {
    let mut decoded = bundle.to_vec();
    for _ in 0..2 {
        if !holds_pem(&decoded) {
            decoded = decode(&decoded).unwrap_or_default();
        }
    }
    if !holds_pem(&decoded) {
        let problem = format!("{field}: holds no PEM certificate; write the CA's certificate, not a key or a path");
        return Err(Error::fix(Code::StoreInvalid, problem));
    }
    pem.extend_from_slice(&decoded);
    pem.push(b'\n');
    Ok(())
}

fn holds_pem(bytes: &[u8]) -> bool {
    bytes.windows(PEM_BEGIN.len()).any(|window| window == PEM_BEGIN)
}

fn decode(bundle: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = bundle.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn pem_is_taken_as_it_is_and_base64_of_pem_is_decoded() {
        for bundle in
            [PEM.to_vec(), STANDARD.encode(PEM).into_bytes(), STANDARD.encode(STANDARD.encode(PEM)).into_bytes()]
        {
            let mut pem = Vec::new();
            append(&mut pem, "spec.x", &bundle).unwrap();
            assert_eq!(pem.trim_ascii(), PEM.trim_ascii());
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_its_field() {
        for bundle in [&b"/etc/ssl/ca.pem"[..], b"-----BEGIN PRIVATE KEY-----", b"\xff\xfe"] {
            let error = append(&mut Vec::new(), "spec.x.caBundle", bundle).unwrap_err();
            assert_eq!(error.code(), Code::StoreInvalid);
            assert!(error.to_string().contains("spec.x.caBundle"));
        }
    }
}
