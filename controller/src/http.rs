//! The one outbound HTTP client of the process, AWS excepted, whose SDK brings its own.
//!
//! What enters is the set of certificates to trust; what leaves is a client with deadlines that follows no redirect
//! (headers with credentials would travel along). Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`).
//! Clients are shared by what they trust: a client owns connections and a parsed certificate pool, which hundreds of
//! stores on one server should not repeat.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Certificate, Client, redirect::Policy};

use crate::error::{Code, Error};

/// Longest wait for a connection: a silently dropped packet should not use up the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest request, body included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections kept open per server while idle: as many as reconciles usually run at once.
const IDLE_CONNECTIONS: usize = 16;

/// Different CA bundles remembered. Past it all are forgotten: stores that are open keep theirs.
const KEPT: usize = 64;

/// Clients by the CA bundle that they trust.
#[derive(Default)]
pub struct Clients {
    kept: Mutex<HashMap<Option<Vec<u8>>, Client>>,
}

impl Clients {
    /// A client that trusts `ca` (PEM) and nothing else, or the system's certificates when there is none.
    ///
    /// # Errors
    /// `StoreInvalid` when the PEM holds no readable certificate. The message leaves the naming of the field to `field`.
    pub fn client(&self, field: &str, ca: Option<&[u8]>) -> Result<Client, Error> {
        let key = ca.map(<[u8]>::to_vec);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = kept.get(&key) {
            return Ok(client.clone());
        }
        let client = build(field, ca)?;
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, client.clone());
        Ok(client)
    }
}

fn build(field: &str, ca: Option<&[u8]>) -> Result<Client, Error> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(Policy::none())
        .pool_max_idle_per_host(IDLE_CONNECTIONS);
    if let Some(pem) = ca {
        builder = builder.tls_certs_only(certificates(field, pem)?);
    }
    builder.build().map_err(|error| {
        Error::fix(Code::StoreInvalid, format!("{field}: these certificates cannot be used: {}", causes(&error)))
    })
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
    fn clients_are_shared_and_bad_certificates_are_refused() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let clients = Clients::default();
        clients.client("spec.x", None).unwrap();
        clients.client("spec.x", None).unwrap();
        assert_eq!(clients.kept.lock().unwrap().len(), 1);
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in [&broken[..], b"", b"nonsense"] {
            let error = clients.client("spec.x.caBundle", Some(pem)).unwrap_err();
            assert_eq!(error.code(), Code::StoreInvalid);
            assert!(error.to_string().contains("spec.x.caBundle"), "{error}");
        }
    }
}
