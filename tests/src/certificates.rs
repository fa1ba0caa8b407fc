//! The certificates of the bed's own servers: one authority per bed, one leaf for 127.0.0.1.
//!
//! Made here instead of by the servers, because their clients need the authority before they run.

use std::{fs, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::{failure::Result, folder::Folder};

/// Files of PEM text, readable by every server of the bed.
pub struct Certificates {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Signs ServiceAccount tokens.
    pub service_account_key: PathBuf,
    /// Verifies them.
    pub service_account_public_key: PathBuf,
    pub ca_pem: String,
}

/// Names under which the bed's servers are reached.
const NAMES: [&str; 4] = ["127.0.0.1", "localhost", "kubernetes.default.svc", "kubernetes.default"];

impl Certificates {
    pub fn create(folder: &Folder) -> Result<Self> {
        let path = folder.inside("certificates")?;
        let authority_key = KeyPair::generate()?;
        let authority = authority()?;
        let ca_pem = authority.self_signed(&authority_key)?.pem();

        let mut leaf = CertificateParams::new(NAMES.map(str::to_owned))?;
        leaf.distinguished_name.push(DnType::CommonName, "test bed server");
        leaf.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        let leaf_key = KeyPair::generate()?;
        let leaf = leaf.signed_by(&leaf_key, &Issuer::from_params(&authority, &authority_key))?;

        let service_account_key = KeyPair::generate()?;

        let written = |name: &str, text: &str| -> Result<PathBuf> {
            let file = path.join(name);
            fs::write(&file, text)?;
            Ok(file)
        };
        Ok(Self {
            ca: written("ca.crt", &ca_pem)?,
            certificate: written("server.crt", &leaf.pem())?,
            key: written("server.key", &leaf_key.serialize_pem())?,
            service_account_key: written("service-account.key", &service_account_key.serialize_pem())?,
            service_account_public_key: written("service-account.pub", &service_account_key.public_key_pem())?,
            ca_pem,
        })
    }
}

fn authority() -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "test bed authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
}
