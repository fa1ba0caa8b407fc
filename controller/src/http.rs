//! The one outbound HTTP client of the process, AWS excepted, whose SDK brings its own.
//!
//! What enters is the set of certificates to trust and the certificate to present; what leaves is a client with deadlines
//! that follows no redirect (headers with credentials would travel along). Proxies are taken from the environment
//! (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`). Clients are shared by what they trust and present: a client owns
//! connections and a parsed certificate pool, which hundreds of stores on one server should not repeat, and stores that
//! present different certificates must never share.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Certificate, Client, ClientBuilder, redirect::Policy};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{Code, Error};

/// Longest wait for a connection unless a flag says otherwise: a silently dropped packet should not use up the whole deadline.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest request, body included, unless a flag says otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long what was sent may stay unacknowledged: a server that vanished without a word (a lost node, a firewall that forgot
/// the connection) is noticed then, and not at the end of the request. A server that only takes long acknowledges at once.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// Connections kept open per server while idle: as many as reconciles usually run at once.
const IDLE_CONNECTIONS: usize = 16;

/// Longest wait for a connection to a server on the same machine.
const DIRECT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Different clients remembered. Past it all are forgotten: stores that are open keep theirs.
const KEPT: usize = 64;

/// A certificate to present, with its private key: PEM.
pub struct Identity {
    pem: Zeroizing<Vec<u8>>,
}

impl Identity {
    pub fn new(certificate: &[u8], key: &[u8]) -> Self {
        Self { pem: Zeroizing::new([certificate, b"\n", key].concat()) }
    }
}

/// What a client trusts and presents, by digest: private keys are not kept to compare with.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Key {
    ca: Option<[u8; 32]>,
    identity: Option<[u8; 32]>,
}

/// How long calls of backends may take: `--provider-connect-timeout` and `--provider-call-timeout`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For a whole call, its repeats included.
    pub call: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, call: REQUEST_TIMEOUT }
    }
}

/// Clients by what they trust and present.
#[derive(Default)]
pub struct Clients {
    timeouts: Timeouts,
    kept: Mutex<HashMap<Key, Client>>,
}

impl Clients {
    pub fn new(timeouts: Timeouts) -> Self {
        Self { timeouts, kept: Mutex::default() }
    }

    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// A client that trusts `ca` (PEM) and nothing else, or the system's certificates when there is none, and presents
    /// `identity` to servers that ask for a certificate.
    ///
    /// # Errors
    /// `StoreInvalid` when the PEM holds no readable certificate, or certificate and key do not belong together. The
    /// message names `field`, or the field that comes with `identity`.
    pub fn client(&self, field: &str, ca: Option<&[u8]>, identity: Option<(&str, &Identity)>) -> Result<Client, Error> {
        let digest = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
        let key = Key { ca: ca.map(digest), identity: identity.map(|(_, identity)| digest(&identity.pem)) };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = kept.get(&key) {
            return Ok(client.clone());
        }
        let client = build(self.timeouts, field, ca, identity)?;
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, client.clone());
        Ok(client)
    }
}

/// A client for servers on the same machine, which uses no proxy.
pub fn direct() -> Result<Client, Error> {
    let timeouts = Timeouts { connect: DIRECT_CONNECT_TIMEOUT, ..Timeouts::default() };
    let builder = builder(timeouts).no_proxy();
    builder.build().map_err(|error| Error::bug(Code::StoreInvalid, format!("no HTTP client: {}", causes(&error))))
}

fn builder(timeouts: Timeouts) -> ClientBuilder {
    Client::builder()
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.call)
        .tcp_user_timeout(ACKNOWLEDGED_WITHIN)
        .redirect(Policy::none())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
}

fn build(
    timeouts: Timeouts,
    field: &str,
    ca: Option<&[u8]>,
    identity: Option<(&str, &Identity)>,
) -> Result<Client, Error> {
    let mut builder = builder(timeouts);
    if let Some(pem) = ca {
        builder = builder.tls_certs_only(certificates(field, pem)?);
    }
    let Some((identity_field, identity)) = identity else {
        return builder.build().map_err(|error| {
            let problem = format!("{field}: these certificates cannot be used: {}", causes(&error));
            Error::fix(Code::StoreInvalid, problem)
        });
    };
    let advice = "write the certificate with its chain, and the private key that belongs to it, in PEM";
    let problem = |error: &dyn std::error::Error| {
        let problem = format!("{identity_field}: the client certificate cannot be used: {}; {advice}", causes(error));
        Error::fix(Code::StoreInvalid, problem)
    };
    let identity = reqwest::Identity::from_pem(&identity.pem).map_err(|error| problem(&error))?;
    builder.identity(identity).build().map_err(|error| problem(&error))
}

fn certificates(field: &str, pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    let problem = |what: String| Error::fix(Code::StoreInvalid, format!("{field}: {what}; write PEM certificates"));
    let found = Certificate::from_pem_bundle(pem).map_err(|error| problem(causes(&error)))?;
    if found.is_empty() { Err(problem("no certificate in it".into())) } else { Ok(found) }
}

/// An error with what caused it, innermost last, without the URL that reqwest would add.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_present_different_certificates_are_different() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let made = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let (one, other) = (made("one"), made("other"));
        let identity = |cert: &rcgen::CertifiedKey<rcgen::KeyPair>, key: &rcgen::CertifiedKey<rcgen::KeyPair>| {
            Identity::new(cert.cert.pem().as_bytes(), key.signing_key.serialize_pem().as_bytes())
        };
        let clients = Clients::default();
        let ca = one.cert.pem();
        for (ca, identity) in [
            (None, None),
            (None, Some(identity(&one, &one))),
            (None, Some(identity(&other, &other))),
            (Some(ca.as_bytes()), Some(identity(&other, &other))),
            (Some(ca.as_bytes()), None),
        ] {
            let identity = identity.as_ref().map(|identity| ("spec.x.tls", identity));
            clients.client("spec.x", ca, identity).unwrap();
            clients.client("spec.x", ca, identity).unwrap();
        }
        assert_eq!(clients.kept.lock().unwrap().len(), 5);
        let broken = [
            identity(&one, &other),
            Identity::new(ca.as_bytes(), b""),
            Identity::new(b"", one.signing_key.serialize_pem().as_bytes()),
            Identity::new(b"canary", b"canary"),
        ];
        for (number, identity) in broken.iter().enumerate() {
            let error = clients.client("spec.x", None, Some(("spec.x.tls", identity))).unwrap_err();
            assert_eq!(error.code(), Code::StoreInvalid, "{number}");
            let text = error.to_string();
            assert!(text.contains("spec.x.tls: ") && !text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn clients_are_shared_and_bad_certificates_are_refused() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let clients = Clients::default();
        clients.client("spec.x", None, None).unwrap();
        clients.client("spec.x", None, None).unwrap();
        assert_eq!(clients.kept.lock().unwrap().len(), 1);
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in [&broken[..], b"", b"nonsense"] {
            let error = clients.client("spec.x.caBundle", Some(pem), None).unwrap_err();
            assert_eq!(error.code(), Code::StoreInvalid);
            assert!(error.to_string().contains("spec.x.caBundle"), "{error}");
        }
    }
}
