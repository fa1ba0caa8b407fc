//! The TLS side of the server: which versions, suites and protocols are offered.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

use crate::certificate::Current;
use crate::clients::Clients;

static ONLY_13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// Choices of `--tls-min-version` and `--enable-http2`.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    pub min_version: &'a str,
    pub http2: bool,
}

/// The provider that is left when only the named TLS 1.2 suites (and all of TLS 1.3) are wanted.
///
/// Names that this build does not have (Go still knows CBC suites) are reported and left out.
pub fn provider(ciphers: &str) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let wanted: Vec<&str> = ciphers.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if wanted.is_empty() {
        return provider;
    }
    let known = |name: &str| provider.cipher_suites.iter().any(|suite| is_named(suite.suite(), name));
    for name in wanted.iter().filter(|name| !known(name)) {
        tracing::warn!(suite = %name, "--tls-ciphers names a suite that this build does not have; it is left out");
    }
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some() || wanted.iter().any(|name| is_named(suite.suite(), name)));
    provider
}

/// Go also accepts the ChaCha20 suites without their `_SHA256`.
fn is_named(suite: rustls::CipherSuite, name: &str) -> bool {
    suite.as_str().is_some_and(|own| own == name || own.strip_suffix("_SHA256") == Some(name))
}

/// An acceptor that serves whatever certificate `current` holds when a client connects, to all or to those `clients`
/// lets in.
pub fn acceptor(
    options: &Options<'_>,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    clients: Option<Arc<Clients>>,
) -> Result<TlsAcceptor, String> {
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(options.min_version)?)
        .map_err(|error| format!("--tls-ciphers and --tls-min-version leave nothing to offer: {error}"))?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(current);
    config.alpn_protocols =
        if options.http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    // API servers keep connections open and do not resume sessions: storage and tickets would only cost.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn versions(min: &str) -> Result<&'static [&'static SupportedProtocolVersion], String> {
    match min {
        // Nothing below 1.2 exists in this build: asking for less is answered with the lowest there is.
        "" | "1.0" | "1.1" | "1.2" => Ok(rustls::ALL_VERSIONS),
        "1.3" => Ok(ONLY_13),
        other => Err(format!("--tls-min-version {other:?} is not 1.2 or 1.3")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_tls12_suites_and_all_of_tls13_are_left() {
        let all = provider("").cipher_suites.len();
        let some = provider(
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305,TLS_RSA_WITH_AES_128_CBC_SHA",
        );
        let tls12: Vec<_> = some.cipher_suites.iter().filter(|suite| suite.tls13().is_none()).collect();
        assert_eq!(tls12.len(), 2);
        assert!(some.cipher_suites.len() > 2 && some.cipher_suites.len() < all);
    }

    #[test]
    fn unknown_version_is_refused_by_name() {
        let options = Options { min_version: "2", ..Options::default() };
        let error = acceptor(&options, Arc::new(provider("")), Arc::default(), None).err().unwrap();
        assert!(error.contains("\"2\""), "{error}");
    }
}
