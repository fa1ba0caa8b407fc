//! AWS Secrets Manager.
//!
//! What enters is a store's `spec.provider.aws` and the references it may follow; what leaves is a [`Store`] whose
//! credentials are obtained once and shared. Nothing is taken from this process's environment except by a store that
//! configures no credentials at all (the SDK's default chain) and the endpoints, which are read once at start.
//!
//! RBAC: `get` on secrets and serviceaccounts, `create` on serviceaccounts/token.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use api::{
    duration::GoDuration,
    provider::{Aws as Spec, AwsService, SessionTagsPolicy},
    store::RetrySettings,
};
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
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnectorSettings, SharedHttpClient},
    runtime_components::RuntimeComponents,
};

use super::{identity::StoreHandle, metrics::ProviderMetrics, reads::Reads};
use crate::{
    error::{Code, Error},
    http::REQUEST_TIMEOUT,
    resolve::Access,
};

pub mod auth;
mod fault;
mod find;
mod secrets_manager;

#[cfg(test)]
mod tests;

pub use secrets_manager::{Asked, Found, SecretsManager};

/// Where the block stands in a store.
const FIELD: &str = "spec.provider.aws";

/// How the operator names itself to AWS, as the Go operator does.
const APP_NAME: &str = "external-secrets";

/// Addresses that replace those of AWS.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Endpoints {
    pub secrets_manager: Option<String>,
    pub sts: Option<String>,
}

impl Endpoints {
    /// From `AWS_SECRETSMANAGER_ENDPOINT` and `AWS_STS_ENDPOINT`, the names that the Go operator reads.
    pub fn from_env() -> Self {
        let read = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
        Self { secrets_manager: read("AWS_SECRETSMANAGER_ENDPOINT"), sts: read("AWS_STS_ENDPOINT") }
    }
}

/// What the environment says of this process's own Pod.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pod {
    /// Whether it was given an identity of its own: IRSA or Pod Identity.
    pub has_identity: bool,
    /// Whether callers of STS go to the endpoint of their region even where there is a global one.
    pub regional_sts: bool,
}

impl Pod {
    /// From the variables that EKS sets in Pods with an identity.
    pub fn from_env() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let has_role = is_set("AWS_ROLE_ARN") && is_set("AWS_WEB_IDENTITY_TOKEN_FILE");
        let regional = std::env::var("AWS_STS_REGIONAL_ENDPOINTS").is_ok_and(|kind| kind == "regional");
        Self { has_identity: has_role || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI"), regional_sts: regional }
    }
}

/// What all stores at AWS share, and those elsewhere that need an identity of AWS.
pub struct Shared {
    endpoints: Endpoints,
    pod: Pod,
    call_timeout: Duration,
    /// Made when first used: most clusters have no store at AWS, and certificates take memory.
    http: OnceLock<SharedHttpClient>,
}

impl Shared {
    pub const fn new(endpoints: Endpoints, pod: Pod) -> Self {
        Self { endpoints, pod, call_timeout: REQUEST_TIMEOUT, http: OnceLock::new() }
    }

    /// The same, with another bound on a whole call.
    #[must_use]
    pub fn with_call_timeout(self, call_timeout: Duration) -> Self {
        Self { call_timeout, ..self }
    }

    pub const fn pod(&self) -> Pod {
        self.pod
    }

    fn http(&self) -> SharedHttpClient {
        let connect = |settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>| {
            let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build()
        };
        self.http.get_or_init(|| Builder::new().build_with_connector_fn(connect)).clone()
    }

    /// Makes credentials of AWS for other backends than AWS. `field`: where the spec has the region.
    pub fn sts(&self, field: &str, region: &str, retry: Option<&RetrySettings>) -> Result<auth::Sts, Error> {
        Ok(auth::Sts::new(&self.config(field, region, retry)?, self.endpoints.sts.as_deref()))
    }

    /// What every client of a store is built from; credentials come on top.
    fn config(&self, field: &str, region: &str, retry: Option<&RetrySettings>) -> Result<SdkConfig, Error> {
        let timeouts = TimeoutConfig::builder().operation_timeout(self.call_timeout).build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SystemTimeSource::new())
            .region(checked_region(field, region)?)
            .retry_config(retries(retry)?)
            .timeout_config(timeouts)
            // `auth::Credentials` caches, and knows when a refusal means that what it cached is no good.
            .identity_cache(IdentityCache::no_cache());
        config.set_app_name(AppName::new(APP_NAME).ok());
        Ok(config.build())
    }
}

/// Opens the store that `spec` describes. Calls AWS only where a token or role has to be exchanged, on first use.
pub async fn open(
    spec: &Spec,
    store: &StoreHandle,
    access: Arc<Access>,
    shared: &Shared,
    metrics: &ProviderMetrics,
    reads: Reads<Asked, Found>,
) -> Result<SecretsManager, Error> {
    if spec.service != AwsService::SecretsManager {
        let problem = format!("{FIELD}.service: {:?} is not part of this build yet; use SecretsManager", spec.service);
        return Err(Error::fix(Code::NotSupported, problem));
    }
    let config = shared.config(&format!("{FIELD}.region"), &spec.region, store.spec.retry_settings.as_ref())?;
    let credentials = auth::credentials(spec, store, access, &config, shared.endpoints.sts.as_deref()).await?;
    Ok(SecretsManager::new(
        &config,
        shared.endpoints.secrets_manager.as_deref(),
        credentials,
        spec.prefix.clone(),
        metrics,
        reads,
    ))
}

/// Whether anything that is looked up beside the ExternalSecret, or the namespace itself, is part of the identity when
/// the store is a ClusterSecretStore.
pub fn is_referent(spec: &Spec) -> bool {
    if spec.session_tags_policy != SessionTagsPolicy::None {
        return true;
    }
    let account = spec.auth.jwt.as_ref().and_then(|jwt| jwt.service_account_ref.as_ref());
    if let Some(account) = account {
        return account.namespace.is_none();
    }
    spec.auth.secret_ref.as_ref().is_some_and(|keys| {
        let selectors =
            [&keys.access_key_id_secret_ref, &keys.secret_access_key_secret_ref, &keys.session_token_secret_ref];
        selectors.into_iter().flatten().any(|selector| selector.namespace.is_none())
    })
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

fn retries(settings: Option<&RetrySettings>) -> Result<RetryConfig, Error> {
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
