//! The methods by which the controller logs in to Vault.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::field::non_empty;
use crate::reference::{SecretKeySelector, ServiceAccountSelector};

/// How the controller logs in. Set one method.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultAuth {
    /// Vault namespace to log in to, when it is not that of the engine.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A token kept in a Secret, used as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeySelector>,
    /// Role ID and secret ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_role: Option<AppRoleAuth>,
    /// Token of a Kubernetes ServiceAccount, checked by Vault's kubernetes method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesAuth>,
    /// User name and password of an LDAP directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapAuth>,
    /// User name and password kept by Vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_pass: Option<UserPassAuth>,
    /// JSON Web Token, checked by Vault's jwt method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtAuth>,
    /// Client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<CertAuth>,
    /// AWS identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam: Option<IamAuth>,
    /// Google Cloud identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpAuth>,
}

/// Login with role ID and secret ID. Set roleId or roleRef.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["path", "secretRef"]))]
pub struct AppRoleAuth {
    /// Mount of the method.
    #[serde(default = "app_role")]
    pub path: String,
    /// The role ID.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// Secret with the role ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_ref: Option<SecretKeySelector>,
    /// Secret with the secret ID.
    pub secret_ref: SecretKeySelector,
}

/// Login with the token of a ServiceAccount.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["mountPath", "role"]))]
pub struct KubernetesAuth {
    /// Mount of the method.
    #[serde(default = "kubernetes")]
    pub mount_path: String,
    /// Vault role to log in as.
    pub role: String,
    /// ServiceAccount for which a token is requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
    /// Secret with a token; key token when left out. The controller's own token is used when neither is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
}

/// Login with a user of an LDAP directory.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["path", "username"]))]
pub struct LdapAuth {
    /// Mount of the method.
    #[serde(default = "ldap")]
    pub path: String,
    /// Name of the user.
    pub username: String,
    /// Secret with the user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
}

/// Login with a user that Vault keeps.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["path", "username"]))]
pub struct UserPassAuth {
    /// Mount of the method.
    #[serde(default = "userpass")]
    pub path: String,
    /// Name of the user.
    pub username: String,
    /// Secret with the user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
}

/// Login with a JSON Web Token. Set secretRef or kubernetesServiceAccountToken.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["path"]))]
pub struct JwtAuth {
    /// Mount of the method.
    #[serde(default = "jwt")]
    pub path: String,
    /// Vault role to log in as; the mount's default when left out.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Secret with the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
    /// Token requested for a ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes_service_account_token: Option<ServiceAccountToken>,
}

/// A token requested for a ServiceAccount.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountToken {
    /// The ServiceAccount.
    pub service_account_ref: ServiceAccountSelector,
    /// Audiences of the token; vault when left out. Prefer serviceAccountRef.audiences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// Life of the token in seconds; 600 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_seconds: Option<i64>,
}

/// Login with a client certificate.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertAuth {
    /// Mount of the method.
    #[serde(default = "cert")]
    pub path: String,
    /// Vault role to log in as; any that fits the certificate when left out.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub vault_role: Option<String>,
    /// Secret with the certificate; key tls.crt when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<SecretKeySelector>,
    /// Secret with its private key; key tls.key when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
}

/// Login with an AWS identity.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IamAuth {
    /// Mount of the method; aws when left out.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// AWS region; us-east-1 when left out.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// ARN of an AWS role to assume before logging in.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// External ID to present when the role is assumed.
    #[serde(default, rename = "externalID", deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Vault role to log in as.
    pub vault_role: String,
    /// Value of the header X-Vault-AWS-IAM-Server-ID that the mount may demand.
    #[serde(
        default,
        rename = "vaultAwsIamServerID",
        deserialize_with = "non_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub vault_aws_iam_server_id: Option<String>,
    /// AWS identity of a ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<IamJwt>,
    /// AWS access key kept in a Secret. The controller's own identity is used when neither is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<IamSecretRef>,
}

/// AWS identity of a ServiceAccount.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IamJwt {
    /// ServiceAccount whose annotation eks.amazonaws.com/role-arn names the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
}

/// AWS access key kept in a Secret.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IamSecretRef {
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

/// Login with a Google Cloud identity.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpAuth {
    /// Mount of the method.
    #[serde(default = "gcp")]
    pub path: String,
    /// Vault role to log in as.
    pub role: String,
    /// Google Cloud project of the identity.
    #[serde(default, rename = "projectID", deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Location of the cluster.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Key of a Google service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<GcpSecretRef>,
    /// ServiceAccount of the controller's Pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
    /// Google identity of a Kubernetes ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<GcpWorkloadIdentity>,
}

/// Key of a Google service account.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpSecretRef {
    /// Secret with the key, in JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key_secret_ref: Option<SecretKeySelector>,
}

/// Google identity of a Kubernetes ServiceAccount.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpWorkloadIdentity {
    /// The ServiceAccount.
    pub service_account_ref: ServiceAccountSelector,
    /// Location of the cluster; found by itself inside Google Cloud.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub cluster_location: Option<String>,
    /// Name of the cluster; found by itself inside Google Cloud.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Project of the cluster; found by itself inside Google Cloud.
    #[serde(
        default,
        rename = "clusterProjectID",
        deserialize_with = "non_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub cluster_project_id: Option<String>,
}

fn app_role() -> String {
    "approle".to_owned()
}

fn kubernetes() -> String {
    "kubernetes".to_owned()
}

fn ldap() -> String {
    "ldap".to_owned()
}

fn userpass() -> String {
    "userpass".to_owned()
}

fn jwt() -> String {
    "jwt".to_owned()
}

fn cert() -> String {
    "cert".to_owned()
}

fn gcp() -> String {
    "gcp".to_owned()
}
