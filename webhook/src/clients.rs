//! Who may ask: with `--client-ca-file`, clients whose certificate an authority in that file signed, and of those, with
//! `--client-allowed-names`, the named ones.
//!
//! Without the flags everybody who reaches the port may ask, as with the Go operator: a verdict gives nothing away that
//! the asker did not send. The API server shows a certificate when its AdmissionConfiguration gives it a kubeconfig for
//! webhooks. The file is read again and again, as the serving certificate is; while it cannot be used, what it said last
//! holds, and before it was ever used nobody may ask.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::{dns_names, read};

/// Decides by the file's latest usable content.
#[derive(Debug)]
pub struct Clients {
    file: PathBuf,
    /// Common names or DNS names; empty: every name.
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was read last, or why it was not.
    seen: Option<Result<Vec<u8>, String>>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl Clients {
    pub fn new(file: PathBuf, names: &str, provider: Arc<CryptoProvider>) -> Self {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { file, names, provider, state: RwLock::default() }
    }

    /// Looks at the file every `interval`, for ever.
    pub async fn watch(self: Arc<Self>, interval: Duration) {
        loop {
            let clients = self.clone();
            let look = tokio::task::spawn_blocking(move || clients.look());
            if let Ok(Err(problem)) = look.await {
                tracing::warn!(%problem, "--client-ca-file not taken into use");
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Whether anybody can be let in.
    pub fn ready(&self) -> Result<(), String> {
        let usable = self.state.read().unwrap_or_else(PoisonError::into_inner).verifier.is_some();
        if usable { Ok(()) } else { Err(format!("{} holds no usable authority yet", self.file.display())) }
    }

    /// Reads the file; a problem is told once.
    pub fn look(&self) -> Result<(), String> {
        let read = read(&self.file);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.seen.as_ref() == Some(&read) {
            return Ok(());
        }
        state.seen = Some(read.clone());
        state.verifier = Some(self.verifier(&read?)?);
        Ok(())
    }

    fn verifier(&self, pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(pem) {
            let authority = authority.map_err(|error| format!("{} is not PEM: {error}", self.file.display()))?;
            roots.add(authority).map_err(|error| format!("{}: {error}", self.file.display()))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), self.provider.clone());
        let verifier = builder.build().map_err(|error| format!("{}: {error}", self.file.display()))?;
        Ok(verifier)
    }

    fn is_allowed(&self, certificate: &CertificateDer<'_>) -> bool {
        if self.names.is_empty() {
            return true;
        }
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok().map(str::to_owned));
        common.chain(dns_names(&certificate)).any(|name| self.names.contains(&name))
    }
}

impl ClientCertVerifier for Clients {
    /// None: a client shows what it has, also when the authorities change.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verifier = self.state.read().unwrap_or_else(PoisonError::into_inner).verifier.clone();
        let verifier = verifier.ok_or(CertificateError::UnknownIssuer)?;
        let trusted = verifier.verify_client_cert(certificate, intermediates, now)?;
        if self.is_allowed(certificate) {
            return Ok(trusted);
        }
        tracing::warn!("a client with a good certificate was refused: --client-allowed-names does not have its name");
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::*;
    use crate::certificate::tests::{Folder, provider};

    fn authority() -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn client(authority: &CertifiedIssuer<'static, KeyPair>, common_name: &str) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.signed_by(&KeyPair::generate().unwrap(), authority).unwrap().der().clone()
    }

    fn lets_in(clients: &Clients, certificate: &CertificateDer<'_>) -> bool {
        clients.verify_client_cert(certificate, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn file_decides_who_may_ask_and_the_last_usable_one_holds() {
        let (folder, ours, theirs) = (Folder::new(), authority(), authority());
        let file = folder.0.join("ca.crt");
        let clients = Clients::new(file.clone(), "", provider());
        let (api_server, stranger) = (client(&ours, "api"), client(&theirs, "api"));
        assert!(clients.look().unwrap_err().contains("ca.crt"));
        assert!(clients.ready().is_err() && !lets_in(&clients, &api_server), "nobody before there is a file");

        std::fs::write(&file, ours.pem()).unwrap();
        assert_eq!((clients.look(), clients.ready()), (Ok(()), Ok(())));
        assert!(lets_in(&clients, &api_server) && !lets_in(&clients, &stranger));

        std::fs::write(&file, "garbage").unwrap();
        assert!(clients.look().is_err());
        assert_eq!(clients.look(), Ok(()), "told once");
        assert!(lets_in(&clients, &api_server));

        std::fs::write(&file, theirs.pem()).unwrap();
        assert_eq!(clients.look(), Ok(()));
        assert!(!lets_in(&clients, &api_server) && lets_in(&clients, &stranger));
    }

    #[test]
    fn only_the_named_may_ask() {
        let (folder, ours) = (Folder::new(), authority());
        let file = folder.0.join("ca.crt");
        std::fs::write(&file, ours.pem()).unwrap();
        let clients = Clients::new(file, "front-proxy-client, kube-apiserver", provider());
        clients.look().unwrap();
        assert!(lets_in(&clients, &client(&ours, "kube-apiserver")));
        assert!(!lets_in(&clients, &client(&ours, "kubelet")));
    }
}
