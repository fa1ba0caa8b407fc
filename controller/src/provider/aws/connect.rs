//! Connections to AWS, and what every client is configured with.
//!
//! What enters is what the environment said at start and a store's region and `retrySettings`; what leaves are
//! configurations for clients. All share one pool of connections. Proxies are taken from the environment.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use api::{duration::GoDuration, store::RetrySettings};
use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::SystemTimeSource,
};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnectorSettings, SharedHttpClient},
    runtime_components::RuntimeComponents,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::{Endpoints, Pod, Reach, auth, pace::Rates};
use crate::{
    error::{Code, Error},
    http::REQUEST_TIMEOUT,
};

/// How the operator names itself to AWS, as the Go operator does.
pub const APP_NAME: &str = "external-secrets";

/// Regions whose default credentials are kept: more than AWS has.
const KEPT: usize = 64;

/// What all stores at AWS share, and those elsewhere that need an identity of AWS.
pub struct Shared {
    pub(super) endpoints: Endpoints,
    pub(super) reach: Reach,
    pub(super) rates: Rates,
    pod: Pod,
    call_timeout: Duration,
    /// Made when first used: most clusters have no store at AWS, and certificates take memory.
    http: OnceLock<Result<SharedHttpClient, String>>,
    /// What the SDK finds around this process, by region.
    default_credentials: Mutex<HashMap<String, auth::Credentials>>,
}

impl Shared {
    pub fn new(endpoints: Endpoints, pod: Pod) -> Self {
        Self {
            endpoints,
            pod,
            call_timeout: REQUEST_TIMEOUT,
            reach: Reach::default(),
            rates: Rates::default(),
            http: OnceLock::new(),
            default_credentials: Mutex::default(),
        }
    }

    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    #[must_use]
    pub fn with_rates(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }

    /// The same, with another bound on a whole call.
    #[must_use]
    pub fn with_call_timeout(self, call_timeout: Duration) -> Self {
        Self { call_timeout, ..self }
    }

    pub const fn pod(&self) -> Pod {
        self.pod
    }

    /// Makes credentials of AWS for other backends than AWS. `field`: where the spec has the region.
    pub fn sts(&self, field: &str, region: &str, retry: Option<&RetrySettings>) -> Result<auth::Sts, Error> {
        Ok(auth::Sts::new(&self.config(field, region, retry)?, self.endpoints.sts.as_deref()))
    }

    /// What every client of a store is built from; credentials come on top.
    pub(super) fn config(&self, field: &str, region: &str, retry: Option<&RetrySettings>) -> Result<SdkConfig, Error> {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http()?)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SystemTimeSource::new())
            .region(checked_region(field, region)?)
            .retry_config(retries(retry)?)
            .timeout_config(TimeoutConfig::builder().operation_timeout(self.call_timeout).build())
            .use_fips(self.reach.fips)
            .use_dual_stack(self.reach.dual_stack)
            // `auth::Credentials` caches, and knows when a refusal means that what it cached is no good.
            .identity_cache(IdentityCache::no_cache());
        config.set_app_name(AppName::new(APP_NAME).ok());
        Ok(config.build())
    }

    /// The credentials of this process's surroundings, shared by all stores of a region that have none of their own.
    pub(super) async fn default_credentials(&self, config: &SdkConfig) -> Result<auth::Credentials, Error> {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let kept = || self.default_credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept().get(&region).cloned();
        if let Some(found) = found {
            return Ok(found);
        }
        let made = auth::surroundings(config).await?;
        let mut kept = kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        // Somebody else may have been faster: one is kept, so that there is one exchange.
        Ok(kept.entry(region).or_insert(made).clone())
    }

    fn http(&self) -> Result<SharedHttpClient, Error> {
        let client = self.http.get_or_init(|| {
            let context = context(&self.reach)?;
            let connect = move |settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>| {
                let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
                builder.set_connector_settings(settings.cloned());
                builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
                builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context.clone()).build()
            };
            Ok(Builder::new().build_with_connector_fn(connect))
        });
        client.clone().map_err(|problem| Error::fix(Code::StoreInvalid, problem))
    }
}

/// Whom connections believe. What is wrong with the certificates is told here: the SDK would panic.
fn context(reach: &Reach) -> Result<TlsContext, String> {
    let store = match &reach.authorities {
        None => TrustStore::default(),
        Some(pem) => {
            let pem = pem.as_ref().map_err(Clone::clone)?;
            let problem = |what: &str| format!("AWS_CA_BUNDLE: {what}; the file must hold certificates in PEM");
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| problem("it is no PEM"))?;
                roots.add(certificate).map_err(|_| problem("one of its certificates cannot be read"))?;
            }
            if roots.is_empty() {
                return Err(problem("there is no certificate in it"));
            }
            TrustStore::empty().with_pem_certificate(pem.clone())
        }
    };
    TlsContext::builder().with_trust_store(store).build().map_err(|error| format!("AWS_CA_BUNDLE: {error}"))
}

/// The region becomes part of a host name, so nothing but a region may stand there.
fn checked_region(field: &str, region: &str) -> Result<Region, Error> {
    let is_region =
        !region.is_empty() && region.len() <= 63 && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_region {
        return Ok(Region::new(region.to_owned()));
    }
    let problem = format!("{field}: {region:?} is not a region; write one like eu-central-1");
    Err(Error::fix(Code::StoreInvalid, problem))
}

pub(super) fn retries(settings: Option<&RetrySettings>) -> Result<RetryConfig, Error> {
    let Some(settings) = settings else { return Ok(RetryConfig::standard()) };
    // The Go operator's default is three repeats. The bound keeps a typing error from outliving the deadline.
    let repeats = u32::try_from(settings.max_retries.unwrap_or(3)).unwrap_or_default().min(30);
    let config = RetryConfig::standard().with_max_attempts(repeats + 1);
    let Some(interval) = &settings.retry_interval else { return Ok(config) };
    let interval: GoDuration = interval.parse().map_err(|error| {
        Error::fix(Code::StoreInvalid, format!("spec.retrySettings.retryInterval: {error}; write 5s or so"))
    })?;
    let interval = interval.as_std().max(Duration::from_millis(1));
    Ok(config.with_initial_backoff(interval).with_max_backoff(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_cannot_be_read_are_an_error_and_no_panic() {
        let made = rcgen::generate_simple_self_signed(vec!["aws".to_owned()]).unwrap().cert.pem();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let opened = |authorities| {
            let reach = Reach { authorities, ..Reach::default() };
            Shared::new(Endpoints::default(), Pod::default()).reaching(reach).config("region", "eu-west-1", None)
        };
        for pem in ["", "nonsense", broken] {
            let error = opened(Some(Ok(pem.into()))).unwrap_err();
            assert_eq!(error.code(), Code::StoreInvalid);
            assert!(error.to_string().contains("AWS_CA_BUNDLE"), "{error}");
        }
        assert!(opened(Some(Err("AWS_CA_BUNDLE: gone".into()))).is_err());
        assert!(opened(Some(Ok(made.into_bytes()))).is_ok());
        assert!(opened(None).is_ok());
    }
}
