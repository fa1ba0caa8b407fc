//! Secrets of AWS Secrets Manager.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use api::external_secret::{Find, MetadataPolicy, RemoteRef};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{Client, config::Builder, operation::get_secret_value::GetSecretValueError};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::{StreamExt, TryStreamExt, stream};
use zeroize::Zeroizing;

use super::{auth::Credentials, fault::fault, find};
use crate::{
    error::{Code, Error},
    provider::{
        Readiness, Store, Values,
        json::{self, Json, Numbers},
        metrics::{ProviderMetrics, names},
        reads::{Reads, Weigh},
    },
    secret_bytes::SecretBytes,
};

/// Stage that is read when no version is asked for.
const CURRENT: &str = "AWSCURRENT";

/// What a version begins with that is an id, not a stage.
const ID_PREFIX: &str = "uuid/";

/// Requests that one search makes at the same time.
const CONCURRENCY: usize = 8;

/// Most bytes that one search may bring; a Secret holds one.
const MAX_FOUND_BYTES: usize = 16 << 20;

/// An open store.
pub struct SecretsManager {
    api: Api,
    prefix: String,
    reads: Reads<Asked, Found>,
}

/// The client, with what each of its calls needs besides. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub client: Client,
    credentials: Credentials,
    metrics: ProviderMetrics,
}

/// What was asked for, so that equal reads become one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Asked {
    Value { name: String, version: Option<String> },
    Tags(String),
}

/// A secret's value; none if there is no such secret.
pub struct Found(Option<SecretBytes>);

impl Weigh for Found {
    fn weigh(&self) -> usize {
        self.0.as_ref().map_or(0, SecretBytes::len)
    }
}

impl SecretsManager {
    pub fn new(
        config: &SdkConfig,
        endpoint: Option<&str>,
        credentials: Credentials,
        prefix: Option<String>,
        metrics: &ProviderMetrics,
        reads: Reads<Asked, Found>,
    ) -> Self {
        let mut config = Builder::from(config);
        config.set_endpoint_url(endpoint.map(Into::into));
        config.set_credentials_provider(Some(credentials.provider()));
        let api = Api { client: Client::from_conf(config.build()), credentials, metrics: metrics.clone() };
        Self { api, prefix: prefix.unwrap_or_default(), reads }
    }

    fn name(&self, remote: &RemoteRef) -> String {
        format!("{}{}", self.prefix, remote.key)
    }

    async fn read(&self, asked: Asked, since: Instant) -> Result<Arc<Found>, Error> {
        let api = self.api.clone();
        let read = |asked: Asked| async move {
            match &asked {
                Asked::Value { name, version } => api.value(name, version.as_deref()).await,
                Asked::Tags(name) => api.tags(name).await,
            }
            .map(Found)
        };
        self.reads.read(asked.clone(), since, || read(asked)).await
    }

    fn property(&self, remote: &RemoteRef, value: &SecretBytes, property: &str) -> Result<SecretBytes, Error> {
        let name = self.name(remote);
        let text = value.expose();
        let refused = |refused| Error::fix(Code::SpecInvalid, format!("property {property:?}: {refused}"));
        // A key that contains dots is meant more often than a path through a key of that name's beginning.
        if property.contains('.')
            && let Some(found) = json::property(text, &property.replace('.', "\\.")).map_err(refused)?
        {
            return Ok(found);
        }
        json::property(text, property).map_err(refused)?.ok_or_else(|| match Json::parse(text) {
            Ok(_) => {
                let problem = format!("secret {name:?} has no property {property:?}; add it or correct the path");
                Error::fix(Code::RemotePropertyMissing, problem)
            }
            Err(problem) => {
                let problem = format!("secret {name:?} is not JSON ({problem}), so it has no property {property:?}");
                Error::fix(Code::RemoteValueInvalid, problem)
            }
        })
    }
}

#[async_trait]
impl Store for SecretsManager {
    async fn get(&self, remote: &RemoteRef, since: Instant) -> Result<Option<SecretBytes>, Error> {
        let name = self.name(remote);
        let asked = match remote.metadata_policy {
            MetadataPolicy::Fetch => Asked::Tags(name),
            MetadataPolicy::None => Asked::Value { name, version: remote.version.clone() },
        };
        let found = self.read(asked, since).await?;
        let Some(value) = &found.0 else { return Ok(None) };
        match &remote.property {
            None => Ok(Some(value.clone())),
            Some(property) => self.property(remote, value, property).map(Some),
        }
    }

    async fn get_map(&self, remote: &RemoteRef, since: Instant) -> Result<Option<Values>, Error> {
        let Some(value) = self.get(remote, since).await? else { return Ok(None) };
        let invalid = |what: String| {
            let name = self.name(remote);
            Error::fix(Code::RemoteValueInvalid, format!("secret {name:?} {what}; extract takes JSON objects only"))
        };
        let text = String::from_utf8_lossy(value.expose());
        let members = json::members(&text).map_err(|problem| invalid(format!("is not JSON ({problem})")))?;
        let members = members.ok_or_else(|| invalid("is JSON, but no object".into()))?;
        Ok(Some(members.into_iter().map(|(name, raw)| (name, member(raw))).collect()))
    }

    async fn find(&self, query: &Find, since: Instant) -> Result<Option<Values>, Error> {
        let names = find::names(&self.api, query).await?;
        let mut reads = stream::iter(names)
            .map(|name| async move {
                let found = self.read(Asked::Value { name: name.clone(), version: None }, since).await?;
                Ok::<_, Error>((name, found))
            })
            .buffered(CONCURRENCY);
        let (mut values, mut size) = (Values::new(), 0);
        while let Some((name, found)) = reads.try_next().await? {
            // Deleted between being listed and being read.
            let Some(value) = &found.0 else { continue };
            size += value.len();
            if size > MAX_FOUND_BYTES {
                let problem = format!("find matches more than {MAX_FOUND_BYTES} bytes; narrow it");
                return Err(Error::fix(Code::RemoteValueInvalid, problem));
            }
            values.insert(name, value.clone());
        }
        Ok(Some(values))
    }

    /// Credentials can be had; nothing is asked of Secrets Manager, since policies may allow reading some secrets only.
    async fn check(&self) -> Result<Readiness, Error> {
        self.api.credentials.check().await.map(|()| Readiness::Ready)
    }

    /// It asks STS where a role is assumed, and nobody where keys are given.
    fn check_asks_backend(&self) -> bool {
        false
    }
}

impl Api {
    /// Counts a call, and maps its error. Credentials that AWS refuses are obtained anew next time.
    pub async fn ended<T, E>(
        &self,
        call: &str,
        act: &str,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.metrics.count(names::AWS_SECRETS_MANAGER, call, result.is_ok());
        match result {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let error = fault(act, &error);
                if error.code() == Code::AwsCredentialsInvalid {
                    self.credentials.forget().await;
                }
                Err(error)
            }
        }
    }

    async fn value(&self, name: &str, version: Option<&str>) -> Result<Option<SecretBytes>, Error> {
        let request = self.client.get_secret_value().secret_id(name);
        let request = match version {
            None => request.version_stage(CURRENT),
            Some(version) => match version.strip_prefix(ID_PREFIX) {
                Some(id) => request.version_id(id),
                None => request.version_stage(version),
            },
        };
        let result = request.send().await;
        if result.as_ref().is_err_and(is_absent) {
            self.metrics.count(names::AWS_SECRETS_MANAGER, names::AWS_GET, true);
            return Ok(None);
        }
        let answer = self.ended(names::AWS_GET, &format!("reading secret {name:?}"), result).await?;
        let value = answer.secret_string.map(SecretBytes::from);
        value.or_else(|| answer.secret_binary.map(|blob| blob.into_inner().into())).map(Some).ok_or_else(|| {
            Error::fix(
                Code::RemoteValueInvalid,
                format!("secret {name:?} holds neither text nor bytes; give it a value"),
            )
        })
    }

    /// The tags of a secret as a JSON object.
    async fn tags(&self, name: &str) -> Result<Option<SecretBytes>, Error> {
        let result = self.client.describe_secret().secret_id(name).send().await;
        if result.as_ref().is_err_and(|error| error.code() == Some("ResourceNotFoundException")) {
            self.metrics.count(names::AWS_SECRETS_MANAGER, names::AWS_DESCRIBE, true);
            return Ok(None);
        }
        let answer = self.ended(names::AWS_DESCRIBE, &format!("describing secret {name:?}"), result).await?;
        let tags = answer.tags.unwrap_or_default().into_iter();
        let tags: BTreeMap<_, _> = tags
            .filter_map(|tag| Some((tag.key?, Json::Text(Zeroizing::new(tag.value.unwrap_or_default())))))
            .collect();
        Ok(Some(Json::Object(tags).to_text(Numbers::AsWritten).as_str().into()))
    }
}

/// No such secret or version, or one that is about to go: AWS refuses to read it for the days it can be restored.
fn is_absent(error: &SdkError<GetSecretValueError, HttpResponse>) -> bool {
    match error.code() {
        Some("ResourceNotFoundException") => true,
        Some("InvalidRequestException" | "InvalidParameterException") => {
            let phrases = ["marked for deletion", "marked deleted"];
            error.message().is_some_and(|message| phrases.iter().any(|phrase| message.contains(phrase)))
        }
        _ => false,
    }
}

/// A member of an object: text unquoted, null as nothing, everything else as it was written.
fn member(raw: &str) -> SecretBytes {
    match Json::parse(raw.as_bytes()) {
        Ok(value @ (Json::Null | Json::Text(_))) => value.to_value(Numbers::AsWritten),
        _ => raw.into(),
    }
}
