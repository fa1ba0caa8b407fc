//! The cluster as this process sees and changes it: two Secrets, some webhook configurations, some definitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::names::{COMPONENT_LABEL, COMPONENT_WEBHOOK};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Map, Value, json};

use crate::args::Args;
use crate::authority::{issue_authority, issue_leaf};
use crate::crd;
use crate::inject::{self, Target};
use crate::metrics::{AUTHORITY, LEAF, Metrics};
use crate::plan::{CA_CERTIFICATE, CA_KEY, ISSUED_AT, Settings, Situation, Step, TLS_CERTIFICATE, TLS_KEY};
use crate::status::Status;

/// Recorded as the owner of what is written.
const FIELD_MANAGER: &str = "external-secrets-cert-controller";

/// Why the process cannot start or a pass did not end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    #[error("{0}")]
    Flag(String),
    #[error("{act}: {source}")]
    Kube { act: String, source: kube::Error },
    #[error("{0}")]
    Issue(String),
    #[error("secret {0} is immutable, so that it cannot be renewed; delete it, and it is made anew")]
    Immutable(String),
    #[error("the API server took too long")]
    Slow,
    #[error("every step is undone by somebody else; which other program writes the webhook's Secret or caBundle?")]
    Restless,
}

impl Error {
    /// Somebody else wrote first; the next look sees what.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Kube { source: kube::Error::Api(status), .. } if status.code == 409)
    }
}

/// What one look saw.
pub struct Observed {
    authority: Option<Secret>,
    serving: Option<Secret>,
    configurations: Vec<ValidatingWebhookConfiguration>,
}

impl Observed {
    pub fn situation(&self) -> Situation {
        Situation::read(self.authority.as_ref(), self.serving.as_ref(), self.configurations.clone())
    }
}

/// See the module documentation.
pub struct Cluster {
    secrets: Api<Secret>,
    configurations: Api<ValidatingWebhookConfiguration>,
    definitions: Api<crd::Definition>,
    secret_name: String,
    ca_secret_name: String,
    configuration_names: Vec<String>,
    definition_names: Vec<String>,
    metrics: Metrics,
    status: Arc<Status>,
}

impl Cluster {
    pub fn new(client: &Client, args: &Args, metrics: Metrics, status: Arc<Status>) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), &args.secret_namespace),
            configurations: Api::all(client.clone()),
            definitions: crd::api(client.clone()),
            secret_name: args.secret_name.clone(),
            ca_secret_name: args.ca_secret_name(),
            configuration_names: args.webhook_configurations.clone(),
            definition_names: args.crd_names.clone(),
            metrics,
            status,
        }
    }

    pub async fn observe(&self) -> Result<Observed, Error> {
        let authority = self.secret(&self.ca_secret_name).await?;
        let serving = self.secret(&self.secret_name).await?;
        let mut configurations = Vec::new();
        for name in &self.configuration_names {
            let found = self.configurations.get_opt(name).await;
            configurations.extend(found.map_err(failed(|| format!("reading validatingwebhookconfiguration {name}")))?);
        }
        Ok(Observed { authority, serving, configurations })
    }

    /// Takes any step but a rest.
    pub async fn take(&self, step: Step, seen: &Observed, settings: &Settings, now: Timestamp) -> Result<(), Error> {
        match step {
            Step::Authorize(reason) => {
                let pair = issue_authority(settings.lifetimes.authority, now).map_err(Error::Issue)?;
                let data = [(CA_CERTIFICATE, pair.certificate.pem()), (CA_KEY, pair.key_pem().to_owned())];
                self.write(&self.ca_secret_name, seen.authority.as_ref(), &data, None).await?;
                self.metrics.issued(AUTHORITY, reason);
                tracing::info!(reason = reason.as_str(), "new authority; it signs once the API server trusts it");
            }
            Step::Adopt(pair) => {
                let data = [(CA_CERTIFICATE, pair.certificate.pem()), (CA_KEY, pair.key_pem().to_owned())];
                self.write(&self.ca_secret_name, seen.authority.as_ref(), &data, None).await?;
                tracing::info!(secret = self.ca_secret_name, "authority moved out of the webhook's secret");
            }
            Step::Certify { authority, bundle, reason } => {
                let pair = issue_leaf(&authority, &settings.names, settings.lifetimes.leaf, now);
                let pair = pair.map_err(Error::Issue)?;
                let key = pair.key_pem().to_owned();
                let data = [(TLS_CERTIFICATE, pair.certificate.pem()), (TLS_KEY, key), (CA_CERTIFICATE, bundle)];
                self.write(&self.secret_name, seen.serving.as_ref(), &data, Some(now)).await?;
                self.metrics.issued(LEAF, reason);
                tracing::info!(reason = reason.as_str(), until = %pair.certificate.not_after, "new webhook certificate");
            }
            Step::Publish { bundle } => {
                self.write(&self.secret_name, seen.serving.as_ref(), &[(CA_CERTIFICATE, bundle)], None).await?;
                tracing::info!(secret = self.secret_name, "published which authorities are trusted");
            }
            Step::Inject(target) => self.inject(seen, &target).await?,
            Step::Rest { .. } => {}
        }
        Ok(())
    }

    /// Definitions that convert by webhook learn of the bundle too. Those that are absent are somebody's choice.
    pub async fn inject_definitions(&self, target: &Target) -> Result<(), Error> {
        for name in &self.definition_names {
            let found = self.definitions.get_opt(name).await;
            let found = found.map_err(failed(|| format!("reading customresourcedefinition {name}")));
            let found = found.inspect_err(|error| self.status.set_definitions(Err(error.to_string())))?;
            let Some(patch) = found.and_then(|found| inject::patch_crd(&found, target)) else { continue };
            let patched = self.definitions.patch(name, &params(), &Patch::Merge(patch)).await;
            patched
                .map_err(failed(|| format!("writing customresourcedefinition {name}")))
                .inspect_err(|error| self.status.set_definitions(Err(error.to_string())))?;
            tracing::info!(definition = %name, "told the API server whom to trust");
        }
        self.status.set_definitions(Ok(()));
        Ok(())
    }

    /// Secrets and configurations are as they should be.
    pub fn rested(&self) {
        self.status.set_configurations(Ok(()));
    }

    /// A conflict is no news; anything else is, and is what readiness says.
    pub fn report(&self, error: &Error) {
        if error.is_conflict() {
            tracing::debug!(%error, "changed meanwhile, looking again");
            return;
        }
        tracing::warn!(%error, "pass did not end, trying again");
        self.status.set_configurations(Err(error.to_string()));
    }

    async fn secret(&self, name: &str) -> Result<Option<Secret>, Error> {
        self.secrets.get_opt(name).await.map_err(failed(|| format!("reading secret {name}")))
    }

    /// Tells the configurations that were seen.
    pub async fn inject(&self, seen: &Observed, target: &Target) -> Result<(), Error> {
        for configuration in &seen.configurations {
            let name = configuration.metadata.name.as_deref().unwrap_or_default();
            let Some(patch) = inject::patch(configuration, target) else { continue };
            let patched = self.configurations.patch(name, &params(), &Patch::Strategic(patch)).await;
            patched.map_err(failed(|| format!("writing validatingwebhookconfiguration {name}")))?;
            tracing::info!(configuration = name, "told the API server whom to trust");
        }
        Ok(())
    }

    /// Creates the Secret, or sets `data` in the one that was seen. The webhook's Secret never holds an authority's key.
    async fn write(
        &self,
        name: &str,
        seen: Option<&Secret>,
        data: &[(&str, String)],
        issued_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let annotations: BTreeMap<String, String> =
            issued_at.map(|at| (ISSUED_AT.to_owned(), format!("{at:.0}"))).into_iter().collect();
        let Some(seen) = seen else {
            let secret = new_secret(name, data, annotations);
            let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            let created = self.secrets.create(&params, &secret);
            return created.await.map(drop).map_err(failed(|| format!("creating secret {name}")));
        };
        if seen.immutable == Some(true) {
            return Err(Error::Immutable(name.to_owned()));
        }
        let mut values: Map<String, Value> =
            data.iter().map(|(key, text)| ((*key).to_owned(), STANDARD.encode(text).into())).collect();
        if name == self.secret_name {
            values.insert(CA_KEY.to_owned(), Value::Null);
        }
        let patch = json!({
            "metadata": {"resourceVersion": seen.metadata.resource_version, "annotations": annotations},
            "data": values,
        });
        let patched = self.secrets.patch(name, &params(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(failed(|| format!("writing secret {name}")))
    }
}

fn new_secret(name: &str, data: &[(&str, String)], annotations: BTreeMap<String, String>) -> Secret {
    let labels = BTreeMap::from([(COMPONENT_LABEL.to_owned(), COMPONENT_WEBHOOK.to_owned())]);
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        string_data: Some(data.iter().map(|(key, text)| ((*key).to_owned(), text.clone())).collect()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn failed(act: impl FnOnce() -> String) -> impl FnOnce(kube::Error) -> Error {
    move |source| Error::Kube { act: act(), source }
}
