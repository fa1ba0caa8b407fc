//! The part of a CustomResourceDefinition that says how versions are converted. Schemas, which make up the rest, are not
//! decoded: they are a hundred times as large.

use k8s_openapi::api::admissionregistration::v1::WebhookClientConfig;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, NotUsed, Object};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};

pub type Definition = Object<Spec, NotUsed>;

/// Definitions, seen as [`Definition`].
pub fn api(client: Client) -> Api<Definition> {
    Api::all_with(client, &ApiResource::erase::<CustomResourceDefinition>(&()))
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Spec {
    pub conversion: Option<Conversion>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Conversion {
    pub strategy: String,
    pub webhook: Option<Webhook>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The fields are those of an admission webhook's.
    pub client_config: Option<WebhookClientConfig>,
}
