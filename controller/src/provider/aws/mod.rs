//! AWS Secrets Manager and Parameter Store.
//!
//! What enters is a store's `spec.provider.aws` and the references it may follow; what leaves is a [`Store`] whose
//! credentials are obtained once and shared, and whose reads share calls. Nothing is taken from this process's environment
//! except by a store that configures no credentials at all (the SDK's default chain), and what [`surroundings`] lists,
//! which is read once at start.
//!
//! RBAC: `get` on secrets and serviceaccounts, `create` on serviceaccounts/token.

use std::sync::Arc;

use api::provider::{Aws as Spec, AwsService, SessionTagsPolicy};
use aws_config::SdkConfig;

use super::{
    Store,
    ahead::Ahead,
    identity::StoreHandle,
    metrics::{ProviderMetrics, names},
    reads::Reads,
};
use crate::{
    error::{Code, Error},
    resolve::Access,
};

pub mod auth;
mod caller;
mod connect;
mod entries;
mod fault;
mod gather;
mod json_call;
pub mod pace;
mod parameter_store;
mod property;
mod secrets_manager;
mod surroundings;

#[cfg(test)]
mod tests;

pub use connect::Shared;
pub use entries::{Answer, Asked};
pub use surroundings::{Endpoints, Pod, Reach};

use caller::Caller;
use entries::Entries;
use pace::Pace;
use parameter_store::ParameterStore;
use secrets_manager::SecretsManager;

/// Where the block stands in a store.
const FIELD: &str = "spec.provider.aws";

/// Opens the store that `spec` describes. Calls AWS only where a token or role has to be exchanged, on first use. `ahead`:
/// what ExternalSecrets that wait will ask of it.
pub async fn open(
    spec: &Spec,
    store: &StoreHandle,
    access: Arc<Access>,
    shared: &Shared,
    metrics: &ProviderMetrics,
    reads: Reads<Asked, Answer>,
    ahead: Ahead,
) -> Result<Arc<dyn Store>, Error> {
    let field = format!("{FIELD}.region");
    let config = shared.config(&field, &spec.region, store.spec.retry_settings.as_ref())?;
    let service = match spec.service {
        AwsService::SecretsManager => names::AWS_SECRETS_MANAGER,
        AwsService::ParameterStore => names::AWS_PARAMETER_STORE,
        AwsService::CertificateManager => {
            let problem = format!("{FIELD}.service: CertificateManager holds nothing that can be read; use another");
            return Err(Error::fix(Code::NotSupported, problem));
        }
    };
    let credentials = auth::credentials(spec, store, access, &config, shared).await?;
    let caller = Caller::new(service, credentials, metrics, Pace::new(&shared.rates));
    let prefix = spec.prefix.clone();
    Ok(if spec.service == AwsService::ParameterStore {
        let service = parameter_store(&config, &spec.region, shared, caller).await?;
        Arc::new(Entries::new(service, prefix, reads, ahead))
    } else {
        let service = SecretsManager::new(&config, shared.endpoints.secrets_manager.as_deref(), caller);
        Arc::new(Entries::new(service, prefix, reads, ahead))
    })
}

async fn parameter_store(
    config: &SdkConfig,
    region: &str,
    shared: &Shared,
    caller: Caller,
) -> Result<ParameterStore, Error> {
    match &shared.endpoints.ssm {
        Some(endpoint) => ParameterStore::new(config, endpoint, caller),
        None => ParameterStore::new(config, &parameter_store::address(region, &shared.reach).await?, caller),
    }
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
