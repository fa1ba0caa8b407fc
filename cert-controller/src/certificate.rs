//! Reading certificates and keys: PEM in, what the decisions need out.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PublicKeyData};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Width of the lines of a PEM block.
const PEM_LINE: usize = 64;

/// One certificate, read.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    public_key: Vec<u8>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// DNS names and IP addresses.
    pub names: Vec<String>,
    /// Whether it may sign others.
    pub is_authority: bool,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Certificate {
    /// Every certificate in `pem`, in its order; `None` when one cannot be read or there is none.
    pub fn read_all(pem: &[u8]) -> Option<Vec<Self>> {
        let all = CertificateDer::pem_slice_iter(pem).map(|der| Self::read(der.ok()?)).collect::<Option<Vec<_>>>()?;
        (!all.is_empty()).then_some(all)
    }

    fn read(der: CertificateDer<'static>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let validity = parsed.validity();
        let names = match parsed.subject_alternative_name() {
            Ok(Some(extension)) => extension.value.general_names.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        Some(Self {
            public_key: parsed.public_key().raw.to_vec(),
            not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
            names,
            is_authority: parsed.is_ca(),
            der,
        })
    }

    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let lines: String = text
            .as_bytes()
            .chunks(PEM_LINE)
            .flat_map(|line| line.iter().copied().map(char::from).chain(std::iter::once('\n')))
            .collect();
        format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    }

    /// When two thirds of its life are over.
    pub fn renew_at(&self) -> Timestamp {
        let life = self.not_after.duration_since(self.not_before);
        self.not_before.checked_add(SignedDuration::from_secs(life.as_secs() / 3 * 2)).unwrap_or(self.not_after)
    }

    /// Whether a client that trusts only this certificate accepts `leaf`, at a time when both may be valid.
    pub fn has_signed(&self, leaf: &Self) -> bool {
        self.verify(leaf).is_some()
    }

    fn verify(&self, leaf: &Self) -> Option<()> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).ok()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
        let name = ServerName::try_from(leaf.names.first()?.as_str()).ok()?;
        // Whether it is valid *now* is another question with another answer.
        let within = u64::try_from(leaf.not_before.as_second()).ok()?;
        let within = UnixTime::since_unix_epoch(std::time::Duration::from_secs(within));
        verifier.verify_server_cert(&leaf.der, &[], &name, &[], within).ok().map(|_| ())
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok()?;
            Some(address.to_string())
        }
        _ => None,
    }
}

/// A certificate and its private key, which fits. No `Debug`: it would print the key.
#[derive(Clone)]
pub struct Pair {
    pub certificate: Certificate,
    key: String,
}

/// Why two texts are no pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unusable {
    Missing,
    Unreadable,
    KeyDoesNotFit,
}

impl Pair {
    /// Reads PEM texts; of a chain the first certificate counts. An absent and an empty text are both missing.
    pub fn read(certificate: Option<&[u8]>, key: Option<&[u8]>) -> Result<Self, Unusable> {
        let present = |text: Option<&'_ [u8]>| text.filter(|text| !text.is_empty()).map(<[u8]>::to_vec);
        let (Some(certificate), Some(key)) = (present(certificate), present(key)) else {
            return Err(Unusable::Missing);
        };
        let certificates = Certificate::read_all(&certificate).ok_or(Unusable::Unreadable)?;
        let certificate = certificates.into_iter().next().ok_or(Unusable::Unreadable)?;
        let key = String::from_utf8(key).map_err(|_| Unusable::Unreadable)?;
        let pair = KeyPair::from_pem(&key).map_err(|_| Unusable::Unreadable)?;
        if pair.subject_public_key_info() != certificate.public_key {
            return Err(Unusable::KeyDoesNotFit);
        }
        Ok(Self { certificate, key })
    }

    /// The private key in PEM, for writing it into a Secret or signing with it.
    pub fn key_pem(&self) -> &str {
        &self.key
    }
}
