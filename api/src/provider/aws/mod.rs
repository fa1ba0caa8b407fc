//! AWS: Secrets Manager and Parameter Store (and, in the schema, Certificate Manager).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Scope};
use crate::field::{is_default, non_empty};
use crate::problem::Problem;
use crate::reference::{SecretKeySelector, ServiceAccountSelector};

mod check;

#[cfg(test)]
mod tests;

/// A service of AWS that keeps secrets.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Aws {
    /// The service to read from.
    pub service: AwsService,
    /// Region of the service, such as eu-central-1.
    pub region: String,
    /// How the controller signs in. Without it the controller's own credentials are used: environment, IRSA or Pod
    /// Identity of its Pod, or the instance's role.
    #[serde(default, skip_serializing_if = "is_default")]
    pub auth: AwsAuth,
    /// ARN of the role to assume after signing in.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// ARNs of roles to assume, in this order, before role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_roles: Vec<String>,
    /// External ID to present when role is assumed.
    #[serde(default, rename = "externalID", deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Tags of the session in which role is assumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub session_tags: Vec<SessionTag>,
    /// Tags that the controller adds to the session: None, Simple (esoNamespace, esoStoreName, esoStoreKind), or Custom
    /// (those and customSessionTags).
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "None"))]
    pub session_tags_policy: SessionTagsPolicy,
    /// Tags to add with sessionTagsPolicy Custom.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "!('esoNamespace' in self) && !('esoStoreName' in self) && !('esoStoreKind' in self)",
        "message": "esoNamespace, esoStoreName and esoStoreKind are added by the controller and cannot be set here",
    }]))]
    pub custom_session_tags: BTreeMap<String, String>,
    /// Keys of the session tags that further roles inherit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitive_tag_keys: Vec<String>,
    /// Text put in front of every key that an ExternalSecret asks for.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How Secrets Manager deletes what was pushed to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets_manager: Option<SecretsManagerOptions>,
}

/// A service of AWS.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum AwsService {
    SecretsManager,
    ParameterStore,
    CertificateManager,
}

/// How the controller signs in. Set at most one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsAuth {
    /// With an access key kept in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<AwsSecretAuth>,
    /// With a token of a ServiceAccount (IRSA).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<AwsJwtAuth>,
}

/// An access key kept in a Secret.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecretAuth {
    /// The access key's ID.
    #[serde(rename = "accessKeyIDSecretRef", skip_serializing_if = "Option::is_none")]
    pub access_key_id_secret_ref: Option<SecretKeySelector>,
    /// The secret access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key_secret_ref: Option<SecretKeySelector>,
    /// The session token of temporary credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token_secret_ref: Option<SecretKeySelector>,
}

/// A token of a ServiceAccount.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsJwtAuth {
    /// ServiceAccount whose annotation eks.amazonaws.com/role-arn names the role to assume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
}

/// A tag of a session.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionTag {
    /// Name of the tag.
    pub key: String,
    /// Value of the tag.
    pub value: String,
}

/// Which tags the controller adds to the session.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum SessionTagsPolicy {
    #[default]
    #[serde(alias = "")]
    None,
    Simple,
    Custom,
}

/// How Secrets Manager deletes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretsManagerOptions {
    /// Deletes at once, without the days in which AWS can restore the secret.
    #[serde(default, skip_serializing_if = "is_default")]
    pub force_delete_without_recovery: bool,
    /// Days in which AWS can restore a deleted secret, 7 to 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_window_in_days: Option<i64>,
}
