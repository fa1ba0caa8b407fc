//! Workload Identity: a Kubernetes ServiceAccount that stands for a Google service account.
//!
//! A token of the ServiceAccount is exchanged for one of Google, with which Google is asked to sign, as the service
//! account that the annotation names, what Vault wants to see.

use std::time::SystemTime;

use api::provider::GcpWorkloadIdentity;
use serde::{Deserialize, Serialize};

use super::{FIELD, Gcp, Token, claims, invalid, services::send_json};
use crate::{error::Error, resolve::Freshness};

/// On the Kubernetes ServiceAccount: the Google service account that it stands for.
const ANNOTATION: &str = "iam.gke.io/gcp-service-account";

/// What the exchanged token may be used for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

#[derive(Serialize)]
struct ExchangeBody<'a> {
    #[serde(rename = "grantType")]
    grant_type: &'static str,
    audience: String,
    scope: &'static str,
    #[serde(rename = "requestedTokenType")]
    requested_token_type: &'static str,
    #[serde(rename = "subjectToken")]
    subject_token: &'a str,
    #[serde(rename = "subjectTokenType")]
    subject_token_type: &'static str,
}

#[derive(Deserialize)]
struct Exchanged {
    access_token: String,
}

#[derive(Deserialize)]
struct Signed {
    #[serde(rename = "signedJwt")]
    signed_jwt: String,
}

pub async fn token(gcp: &Gcp, identity: &GcpWorkloadIdentity) -> Result<Token, Error> {
    let field = format!("{FIELD}.workloadIdentity.serviceAccountRef");
    let account = &identity.service_account_ref;
    let namespace = gcp.access.scope().namespace(&field, account.namespace.as_deref())?;
    let shown = format!("ServiceAccount {namespace}/{}", account.name);
    let annotations = gcp.access.service_account_annotations(&field, account).await?;
    let Some(email) = annotations.get(ANNOTATION).filter(|email| is_email(email)) else {
        let problem = format!("{field}: {shown} has no annotation {ANNOTATION} with a Google service account; add it");
        return Err(invalid(problem));
    };
    let cluster = Cluster::find(gcp, identity).await?;
    let pool = format!("{}.svc.id.goog", cluster.project);
    let audiences: Vec<String> = std::iter::once(pool.clone()).chain(account.audiences.iter().cloned()).collect();
    let token = gcp.access.service_account_token(&field, account, &audiences, Freshness::Cached).await?;
    let access_token = exchange(gcp, &cluster, &pool, &String::from_utf8_lossy(token.expose())).await?;
    let payload = serde_json::to_string(&claims(email, &gcp.spec.role, SystemTime::now()))
        .map_err(|_| invalid(format!("{field}: the claims could not be written")))?;
    let url = format!("{}/v1/projects/-/serviceAccounts/{email}:signJwt", gcp.google.iam_credentials);
    let request = gcp.public.post(url).bearer_auth(access_token).json(&serde_json::json!({"payload": payload}));
    let signed: Signed = send_json(&format!("signing as {email}"), request).await?;
    Ok(Token { jwt: signed.signed_jwt, shown: format!("{shown} ({email})") })
}

async fn exchange(gcp: &Gcp, cluster: &Cluster, pool: &str, token: &str) -> Result<String, Error> {
    let Cluster { project, location, name } = cluster;
    let provider =
        format!("https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{name}");
    let body = ExchangeBody {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        audience: format!("identitynamespace:{pool}:{provider}"),
        scope: SCOPE,
        requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
        subject_token: token,
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    };
    let request = gcp.public.post(format!("{}/v1/token", gcp.google.sts)).json(&body);
    let exchanged: Exchanged = send_json("exchanging a token of the ServiceAccount", request).await?;
    Ok(exchanged.access_token)
}

/// The cluster as Google knows it: what the spec says of it, else what the metadata server does.
struct Cluster {
    project: String,
    location: String,
    name: String,
}

impl Cluster {
    async fn find(gcp: &Gcp, identity: &GcpWorkloadIdentity) -> Result<Self, Error> {
        let project = identity.cluster_project_id.as_ref().or(gcp.spec.project_id.as_ref());
        let location = identity.cluster_location.as_ref().or(gcp.spec.location.as_ref());
        Ok(Self {
            project: known(gcp, project, "project/project-id").await?,
            location: known(gcp, location, "instance/attributes/cluster-location").await?,
            name: known(gcp, identity.cluster_name.as_ref(), "instance/attributes/cluster-name").await?,
        })
    }
}

async fn known(gcp: &Gcp, written: Option<&String>, path: &str) -> Result<String, Error> {
    match written {
        Some(text) => Ok(text.clone()),
        None => gcp.metadata.fact(path).await,
    }
}

/// It becomes part of a path.
fn is_email(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '-' | '_' | ':');
    text.contains('@') && text.len() <= 256 && text.chars().all(is_allowed)
}
