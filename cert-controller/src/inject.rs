//! What has to change in an object so that the API server trusts the webhook. Pure.
//!
//! Only our webhooks (names that end in `external-secrets.io`) of labelled configurations are touched, and of them only
//! `caBundle` and, where the webhook is called through a Service, that Service's name and namespace. A `url`, a port
//! and a path are the administrator's. The patches are strategic merges with `resourceVersion`: entries are found by
//! name, and fields that this build does not know survive.

use api::names::{COMPONENT_LABEL, COMPONENT_WEBHOOK};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use serde_json::{Value, json};

use crate::certificate::Certificate;
use crate::crd;

/// The group's name, with which the names of its webhooks end.
const OURS: &str = "external-secrets.io";

/// What the API server is to be told.
#[derive(Clone, Debug)]
pub struct Target {
    /// PEM.
    pub bundle: String,
    pub service_name: String,
    pub service_namespace: String,
}

/// Whether the configuration asks to be kept up to date.
pub fn is_labelled(configuration: &ValidatingWebhookConfiguration) -> bool {
    let labels = configuration.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(COMPONENT_LABEL)).is_some_and(|value| value == COMPONENT_WEBHOOK)
}

/// The patch that `configuration` needs, if any.
pub fn patch(configuration: &ValidatingWebhookConfiguration, target: &Target) -> Option<Value> {
    if !is_labelled(configuration) {
        return None;
    }
    let stale: Vec<Value> = ours(configuration).filter_map(|webhook| patch_webhook(webhook, target)).collect();
    let version = &configuration.metadata.resource_version;
    (!stale.is_empty()).then(|| json!({"metadata": {"resourceVersion": version}, "webhooks": stale}))
}

/// Whether every one of our webhooks in `configuration` trusts `authority` already.
pub fn trusts(configuration: &ValidatingWebhookConfiguration, authority: &Certificate) -> bool {
    !is_labelled(configuration)
        || ours(configuration).all(|webhook| trusted(&webhook.client_config).contains(authority))
}

/// The authorities that `configuration` makes the API server trust for our webhooks.
pub fn trusted_by(configuration: &ValidatingWebhookConfiguration) -> Vec<Certificate> {
    if !is_labelled(configuration) {
        return Vec::new();
    }
    ours(configuration).flat_map(|webhook| trusted(&webhook.client_config)).collect()
}

/// The patch that a CustomResourceDefinition needs, if any: none unless it converts by webhook.
pub fn patch_crd(crd: &crd::Definition, target: &Target) -> Option<Value> {
    let conversion = crd.spec.conversion.as_ref().filter(|conversion| conversion.strategy == "Webhook")?;
    let client = conversion.webhook.as_ref()?.client_config.as_ref()?;
    let change = patch_client(client, target)?;
    let version = &crd.metadata.resource_version;
    Some(json!({
        "metadata": {"resourceVersion": version},
        "spec": {"conversion": {"webhook": {"clientConfig": change}}},
    }))
}

fn ours(configuration: &ValidatingWebhookConfiguration) -> impl Iterator<Item = &ValidatingWebhook> {
    configuration.webhooks.iter().flatten().filter(|webhook| webhook.name.ends_with(OURS))
}

fn trusted(client: &WebhookClientConfig) -> Vec<Certificate> {
    client.ca_bundle.as_ref().and_then(|bundle| Certificate::read_all(&bundle.0)).unwrap_or_default()
}

fn patch_webhook(webhook: &ValidatingWebhook, target: &Target) -> Option<Value> {
    let change = patch_client(&webhook.client_config, target)?;
    Some(json!({"name": webhook.name, "clientConfig": change}))
}

fn patch_client(client: &WebhookClientConfig, target: &Target) -> Option<Value> {
    let mut change = json!({});
    if client.ca_bundle.as_ref().is_none_or(|bundle| bundle.0 != target.bundle.as_bytes()) {
        change["caBundle"] = STANDARD.encode(&target.bundle).into();
    }
    if let Some(service) = &client.service
        && (service.name != target.service_name || service.namespace != target.service_namespace)
    {
        change["service"] = json!({"name": target.service_name, "namespace": target.service_namespace});
    }
    change.as_object().is_some_and(|change| !change.is_empty()).then_some(change)
}

#[cfg(test)]
mod tests;
