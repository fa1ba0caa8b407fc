//! The serving certificate: read from its files again and again, swapped while serving, never a reason to exit.
//!
//! Files are compared by content: the kubelet updates a Secret volume by swapping a symbolic link, which leaves file
//! names and often times as they were. A pair that cannot be used (unreadable, key of another certificate, expired while
//! the current one is not) is reported once and the current one kept.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Chains are a few KiB; a Secret holds at most 1 MiB.
const FILE_MAX: u64 = 1024 * 1024;
/// Ready means: still valid after this long, so that a certificate about to expire takes the Pod out of service before
/// the API server meets it.
const READY_MARGIN: Duration = Duration::from_hours(1);

/// Until the first certificate arrives nothing can be judged, and applies fail: it is taken into use at once.
const FIRST_LOOKS_EVERY: Duration = Duration::from_secs(1);

/// A usable key pair.
#[derive(Debug)]
pub struct Pair {
    key: Arc<CertifiedKey>,
    not_before: SystemTime,
    not_after: SystemTime,
    names: Vec<String>,
}

impl Pair {
    /// Parses PEM texts. The error is for people and holds nothing of the key.
    pub fn parse(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<Self, String> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("tls.crt is not PEM: {error}"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "tls.key holds no private key in PEM".to_owned())?;
        let leaf = chain.first().ok_or("tls.crt holds no certificate")?.clone();
        let (_, leaf) = X509Certificate::from_der(&leaf).map_err(|error| format!("tls.crt: {error}"))?;
        let validity = leaf.validity();
        let (not_before, not_after) = (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
        let names = dns_names(&leaf);
        let key = CertifiedKey::from_der(chain, key, provider)
            .map_err(|error| format!("tls.key does not belong to tls.crt: {error}"))?;
        Ok(Self { key: Arc::new(key), not_before, not_after, names })
    }

    /// Whether the pair serves from `now` to the end of the margin.
    fn ready(&self, now: SystemTime) -> Result<(), String> {
        if now < self.not_before {
            return Err("the certificate is not valid yet; compare the clocks".to_owned());
        }
        if now + READY_MARGIN > self.not_after {
            return Err(
                "the certificate has expired or expires within the hour; is the cert-controller running?".to_owned()
            );
        }
        Ok(())
    }
}

/// The DNS names of a certificate.
pub fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let dns = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    dns.collect()
}

fn time(seconds: i64) -> SystemTime {
    let seconds = u64::try_from(seconds).unwrap_or_default(); // before 1970 is as expired as 1970
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}

/// The pair in use, shared by every handshake.
#[derive(Debug, Default)]
pub struct Current {
    pair: RwLock<Option<Arc<Pair>>>,
}

impl Current {
    /// Whether the server can be called now and for the next hour; the text says why not.
    pub fn ready(&self, now: SystemTime) -> Result<(), String> {
        self.pair().ok_or("no usable certificate in --cert-dir yet")?.ready(now)
    }

    fn pair(&self) -> Option<Arc<Pair>> {
        self.pair.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes `next` into use unless that would replace a valid certificate by an expired one.
    fn replace(&self, next: Pair, now: SystemTime) -> Result<(), String> {
        let mut pair = self.pair.write().unwrap_or_else(PoisonError::into_inner);
        if next.not_after <= now && pair.as_ref().is_some_and(|current| current.not_after > now) {
            return Err("the new certificate has expired, the current one has not".to_owned());
        }
        *pair = Some(Arc::new(next));
        Ok(())
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.pair().map(|pair| pair.key.clone())
    }
}

/// Reads the files and keeps [`Current`] up to date.
pub struct Files {
    folder: PathBuf,
    dns_name: String,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    /// A keyed digest of what was read last, so that the private key is not kept twice.
    seen: Option<u64>,
    digest: RandomState,
}

/// What one look at the files led to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Look {
    Unchanged,
    Swapped,
    Kept(String),
}

impl Files {
    pub fn new(folder: &Path, dns_name: &str, provider: Arc<CryptoProvider>, current: Arc<Current>) -> Self {
        let (folder, dns_name) = (folder.to_owned(), dns_name.to_owned());
        Self { folder, dns_name, provider, current, seen: None, digest: RandomState::new() }
    }

    /// Looks every `interval`, more often while there is no certificate, for ever.
    pub async fn watch(mut self, interval: Duration) {
        loop {
            let look = tokio::task::spawn_blocking(move || {
                let look = self.look(SystemTime::now());
                (self, look)
            });
            // A panic while parsing would end the watch; the certificate in use stays.
            let Ok((files, look)) = look.await else { return tracing::error!("watching the certificate ended") };
            self = files;
            match look {
                Look::Unchanged => {}
                Look::Swapped => self.report_swap(),
                Look::Kept(problem) => {
                    tracing::warn!(folder = %self.folder.display(), %problem, "certificate files not taken into use");
                }
            }
            let serves = self.current.pair().is_some();
            tokio::time::sleep(if serves { interval } else { interval.min(FIRST_LOOKS_EVERY) }).await;
        }
    }

    /// Reads the files; only a content that differs from the last look is parsed, or reported.
    pub fn look(&mut self, now: SystemTime) -> Look {
        let read =
            read(&self.folder.join("tls.crt")).and_then(|chain| Ok((chain, read(&self.folder.join("tls.key"))?)));
        let seen = Some(self.digest.hash_one(&read));
        if seen == self.seen {
            return Look::Unchanged;
        }
        self.seen = seen;
        let swapped = read
            .and_then(|(chain, key)| Pair::parse(&chain, &key, &self.provider))
            .and_then(|next| self.current.replace(next, now));
        swapped.map_or_else(Look::Kept, |()| Look::Swapped)
    }

    fn report_swap(&self) {
        let Some(pair) = self.current.pair() else { return };
        let expires = pair.not_after.duration_since(SystemTime::now()).unwrap_or_default();
        tracing::info!(
            names = pair.names.join(" "),
            days_left = expires.as_secs() / 86_400,
            "certificate taken into use"
        );
        if !pair.names.iter().any(|name| name.eq_ignore_ascii_case(&self.dns_name)) {
            tracing::warn!(dns_name = %self.dns_name, names = pair.names.join(" "), "the certificate does not name --dns-name");
        }
    }
}

/// The content of a file, as far as certificates go.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes))
        .map_err(|error| format!("reading {}: {error}", path.display()))?;
    Ok(bytes)
}

#[cfg(test)]
pub mod tests;
