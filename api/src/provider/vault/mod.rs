//! HashiCorp Vault and OpenBao, key/value engine.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Scope};
use crate::field::{is_default, non_empty};
use crate::problem::Problem;
use crate::reference::{CaProvider, SecretKeySelector};

mod auth;
mod check;

#[cfg(test)]
mod tests;

pub use auth::{
    AppRoleAuth, CertAuth, GcpAuth, GcpSecretRef, GcpWorkloadIdentity, IamAuth, IamJwt, IamSecretRef, JwtAuth,
    KubernetesAuth, LdapAuth, ServiceAccountToken, UserPassAuth, VaultAuth,
};

/// A key/value engine of HashiCorp Vault or OpenBao.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Vault {
    /// Address of the server, such as https://vault.example.com:8200.
    pub server: String,
    /// Mount of the key/value engine, such as secret. Without it every key begins with its mount.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Version of the key/value engine.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "v2"))]
    pub version: VaultVersion,
    /// Vault namespace of the engine.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How the controller logs in. Without it requests carry no token, for agents that add one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<VaultAuth>,
    /// Certificates of the authorities that may sign the server's certificate: PEM, in base64. The system's authorities
    /// when neither this nor caProvider is set.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "byte"))]
    pub ca_bundle: Option<String>,
    /// Secret or ConfigMap with such certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_provider: Option<CaProvider>,
    /// Certificate that the controller presents to the server in every request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls: ClientTls,
    /// Has a replica answer only when it has seen what this controller wrote before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_your_writes: bool,
    /// Has a replica that has not forward the request to the active node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forward_inconsistent: bool,
    /// Headers to send with every request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// How values are pushed to engines that demand a version check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_and_set: Option<CheckAndSet>,
}

/// Version of the key/value engine.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultVersion {
    V1,
    #[default]
    #[serde(alias = "")]
    V2,
}

/// A client certificate. Set both or none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientTls {
    /// The certificate; key tls.crt when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<SecretKeySelector>,
    /// Its private key; key tls.key when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_secret_ref: Option<SecretKeySelector>,
}

/// Version checks when values are pushed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckAndSet {
    /// Sends the version that the new value replaces, which engines with cas_required demand; version v2 only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
}
