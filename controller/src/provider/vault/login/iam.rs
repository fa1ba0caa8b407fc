//! The iam method: an AWS identity, shown by a signed request that Vault itself sends to AWS.
//!
//! What is signed is `sts:GetCallerIdentity`; AWS answers Vault with the ARN of whoever signed. The credentials are, the
//! first that is configured: a ServiceAccount's token exchanged for a role, an access key in a Secret, the controller's
//! own identity (IRSA or Pod Identity). With these `role` is assumed, if there is one.
//!
//! RBAC: `get` on secrets and serviceaccounts, `create` on serviceaccounts/token.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use api::{provider::IamAuth, store::RetrySettings};
use async_trait::async_trait;
use aws_credential_types::Credentials as Keys;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::header::HeaderValue;
use tokio::sync::OnceCell;
use vaultrs::api::auth::aws::requests::IamLoginRequest;

use super::{Exchange, Prepare, Shown};
use crate::{
    error::{Code, Error},
    provider::{
        aws::{
            Pod,
            auth::{Credentials, Hop, KeyRefs, Origin, Sts},
        },
        vault::{Shared, request::Request},
    },
    resolve::{Access, Freshness},
};

const FIELD: &str = "spec.provider.vault.auth.iam";

const DEFAULT_REGION: &str = "us-east-1";

/// Name of sessions of roles.
const SESSION: &str = "external-secrets-provider-vault";

/// Regions whose callers Vault's own clients send to the global endpoint, which is where Vault sends the request unless
/// its `sts_endpoint` says otherwise. The signature holds the host, so both must mean the same.
const GLOBAL: [&str; 16] = [
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "aws-global",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const SERVER_ID_HEADER: &str = "X-Vault-AWS-IAM-Server-ID";

pub struct Iam {
    spec: IamAuth,
    access: Arc<Access>,
    sts: Sts,
    pod: Pod,
    /// Made with the first login: the references are followed then.
    credentials: OnceCell<Credentials>,
}

impl Iam {
    pub fn new(
        spec: IamAuth,
        retry: Option<&RetrySettings>,
        access: Arc<Access>,
        shared: &Shared<'_>,
    ) -> Result<Self, Error> {
        let region = spec.region.as_deref().unwrap_or(DEFAULT_REGION);
        let sts = shared.aws.sts(&format!("{FIELD}.region"), region, retry)?;
        Ok(Self { spec, access, sts, pod: shared.aws.pod(), credentials: OnceCell::new() })
    }

    async fn credentials(&self) -> Result<&Credentials, Error> {
        let make = || async {
            let credentials = self.sts.credentials(self.origin()?, self.access.clone(), SESSION).await?;
            Ok(match &self.spec.role {
                None => credentials,
                Some(role) => {
                    let hop = Hop::new(role, SESSION).with_external_id(self.spec.external_id.clone());
                    self.sts.assumed(&credentials, hop)
                }
            })
        };
        self.credentials.get_or_try_init(make).await
    }

    fn origin(&self) -> Result<Origin<'_>, Error> {
        if let Some(account) = self.spec.jwt.as_ref().and_then(|jwt| jwt.service_account_ref.clone()) {
            return Ok(Origin::Account { field: format!("{FIELD}.jwt.serviceAccountRef"), account });
        }
        if let Some(keys) = &self.spec.secret_ref {
            return Ok(Origin::Keys(KeyRefs {
                field: format!("{FIELD}.secretRef"),
                id: keys.access_key_id_secret_ref.as_ref(),
                secret: keys.secret_access_key_secret_ref.as_ref(),
                session_token: keys.session_token_secret_ref.as_ref(),
            }));
        }
        // Not the node's: what the controller was not given, a store must not use.
        if !self.pod.has_identity {
            let problem = format!(
                "{FIELD}: names no credentials, and the controller's Pod has no AWS identity of its own (IRSA or Pod \
                 Identity); set jwt or secretRef"
            );
            return Err(Error::fix(Code::StoreInvalid, problem));
        }
        Ok(Origin::Surroundings)
    }
}

#[async_trait]
impl Prepare for Iam {
    async fn prepare(&self, freshness: Freshness) -> Result<Exchange, Error> {
        let credentials = self.credentials().await?;
        if freshness == Freshness::Fresh {
            credentials.forget().await;
        }
        let keys = credentials.obtain(FIELD).await?;
        let spec = &self.spec;
        let region = spec.region.as_deref().unwrap_or(DEFAULT_REGION);
        let url = sts_url(region, self.pod.regional_sts);
        let server_id = spec.vault_aws_iam_server_id.as_deref();
        let headers = signed_headers(&keys, region, &url, server_id, SystemTime::now())?;
        let mount = super::mount(spec.path.as_deref().unwrap_or_default(), "aws");
        let login = IamLoginRequest {
            mount: mount.clone(),
            role: Some(spec.vault_role.clone()),
            iam_http_request_method: "POST".to_owned(),
            iam_request_url: STANDARD.encode(url),
            iam_request_body: STANDARD.encode(BODY),
            iam_request_headers: STANDARD.encode(headers),
        };
        Ok(Exchange {
            request: Request::new(&login)?,
            has_fresher: spec.jwt.is_some() || spec.role.is_some(),
            shown: Shown {
                field: FIELD,
                mount_field: "path",
                mount,
                whom: format!("role {:?}", spec.vault_role),
                with: format!("the AWS access key {}", keys.access_key_id()),
                advice: "check the role's bound_iam_principal_arn, vaultAwsIamServerID, and that region fits the \
                         sts_endpoint of the mount",
                quote,
            },
        })
    }
}

/// Where the request that is signed would go.
fn sts_url(region: &str, is_regional: bool) -> String {
    match region {
        "aws-global" => "https://sts.amazonaws.com/".to_owned(),
        region if !is_regional && GLOBAL.contains(&region) => "https://sts.amazonaws.com/".to_owned(),
        region if region.starts_with("cn-") => format!("https://sts.{region}.amazonaws.com.cn/"),
        region => format!("https://sts.{region}.amazonaws.com/"),
    }
}

/// The headers of the signed request, as JSON.
fn signed_headers(
    keys: &Keys,
    region: &str,
    url: &str,
    server_id: Option<&str>,
    now: SystemTime,
) -> Result<String, Error> {
    // Their words may quote what is signed.
    let unsigned = |what: &str| Error::bug(Code::AwsRequestInvalid, format!("{FIELD}: {what} could not be signed"));
    if server_id.is_some_and(|id| HeaderValue::from_str(id).is_err()) {
        let problem = format!("{FIELD}.vaultAwsIamServerID: holds characters that no header can carry; correct it");
        return Err(Error::fix(Code::StoreInvalid, problem));
    }
    let length = BODY.len().to_string();
    let mut headers = vec![("Content-Length", length.as_str()), ("Content-Type", FORM)];
    headers.extend(server_id.map(|id| (SERVER_ID_HEADER, id)));
    let identity = keys.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| unsigned("the request to STS"))?
        .into();
    let body = SignableBody::Bytes(BODY.as_bytes());
    let request =
        SignableRequest::new("POST", url, headers.iter().copied(), body).map_err(|_| unsigned("the address of STS"))?;
    let (added, _) = sign(request, &params).map_err(|_| unsigned("a header of the request to STS"))?.into_parts();
    let all = headers.iter().copied().chain(added.headers());
    let all: BTreeMap<&str, [&str; 1]> = all.map(|(name, value)| (name, [value])).collect();
    serde_json::to_string(&all).map_err(|_| unsigned("the request to STS"))
}

/// Vault repeats what AWS answered: XML with an id that differs in every answer, and where the signature is wrong, all
/// that was signed, the session token included. Of that only the code is ours to repeat.
fn quote(said: String) -> String {
    let Some(start) = said.find(['<', '\'']).or_else(|| said.find("Canonical")) else { return said };
    let (words, xml) = said.split_at(start);
    let code = xml.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    format!("{} {}", words.trim_end(), code.unwrap_or_default()).trim_end().to_owned()
}

pub fn is_referent(spec: &IamAuth) -> bool {
    if let Some(account) = spec.jwt.as_ref().and_then(|jwt| jwt.service_account_ref.as_ref()) {
        return account.namespace.is_none();
    }
    spec.secret_ref.as_ref().is_some_and(|keys| {
        let selectors =
            [&keys.access_key_id_secret_ref, &keys.secret_access_key_secret_ref, &keys.session_token_secret_ref];
        selectors.into_iter().flatten().any(|selector| selector.namespace.is_none())
    })
}

#[cfg(test)]
mod tests;
