//! Secrets of AWS Secrets Manager.

use std::collections::HashMap;

use api::external_secret::Find;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{Client, config::Builder, primitives::Blob, types::SecretValueEntry};

use super::{
    auth::Credentials,
    caller::{Call, Caller},
    entries::{Matches, Service},
    fault,
    gather::{Batch, Found},
    pace::Quota,
    property,
};
use crate::{
    error::{Code, Error},
    provider::metrics::names,
    secret_bytes::SecretBytes,
};

mod find;

/// Stage that is read when no version is asked for.
const CURRENT: &str = "AWSCURRENT";

/// What a version begins with that is an id, not a stage.
const ID_PREFIX: &str = "uuid/";

/// Longest name of a secret, its ARN included.
const LONGEST_NAME: usize = 2048;

/// Pages of the answer to one batch: each brings at least one of its secrets.
const MOST_PAGES: usize = 20;

const GET: Call = Call { name: names::AWS_GET, quota: Quota::GetSecretValue };
const GET_MANY: Call = Call { name: names::AWS_BATCH_GET, quota: Quota::BatchGetSecretValue };
const DESCRIBE: Call = Call { name: names::AWS_DESCRIBE, quota: Quota::DescribeSecret };
const LIST: Call = Call { name: names::AWS_LIST, quota: Quota::ListSecrets };

/// Secrets Manager as one identity. Cheap to clone.
#[derive(Clone)]
pub struct SecretsManager {
    client: Client,
    caller: Caller,
}

impl SecretsManager {
    /// `endpoint`: in place of the address that AWS has in the region.
    pub fn new(config: &SdkConfig, endpoint: Option<&str>, caller: Caller) -> Self {
        let mut config = Builder::from(config);
        config.set_credentials_provider(Some(caller.credentials.provider()));
        if let Some(endpoint) = endpoint {
            config.set_endpoint_url(Some(endpoint.into()));
            // They choose between addresses of AWS.
            config.set_use_fips(Some(false));
            config.set_use_dual_stack(Some(false));
        }
        Self { client: Client::from_conf(config.build()), caller }
    }

    async fn read(&self, name: &str, version: Option<&str>) -> Result<Found, Error> {
        let request = self.client.get_secret_value().secret_id(name);
        let request = match version {
            None => request.version_stage(CURRENT),
            Some(version) => match version.strip_prefix(ID_PREFIX) {
                Some(id) => request.version_id(id),
                None => request.version_stage(version),
            },
        };
        let Some(answer) = self.caller.look(GET, &reading(name), is_absent, request.send()).await? else {
            return Ok(None);
        };
        value(name, answer.secret_string, answer.secret_binary).map(Some)
    }
}

#[async_trait]
impl Batch for SecretsManager {
    const MOST: usize = 20;
    const ONE_SPOILS_ALL: bool = false;

    fn place<'a>(&self, name: &'a str) -> Option<&'a str> {
        // A call with a name that cannot be one is refused as a whole.
        let is_name = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-:".contains(&byte));
        is_name.then_some(name)
    }

    async fn ready(&self) -> Result<(), Error> {
        self.caller.credentials.check().await
    }

    async fn many(&self, names: &[String]) -> Result<HashMap<String, Result<Found, Error>>, Error> {
        let act = format!("reading secrets {names:?}");
        let (mut found, mut token) = (HashMap::new(), None);
        for _ in 0..MOST_PAGES {
            let request = self.client.batch_get_secret_value().set_secret_id_list(Some(names.into()));
            let page = self.caller.call(GET_MANY, &act, request.set_next_token(token).send()).await?;
            for entry in page.secret_values.unwrap_or_default() {
                let asked = names.iter().find(|name| is(name, &entry));
                if let Some(name) = asked {
                    found.insert(name.clone(), value(name, entry.secret_string, entry.secret_binary).map(Some));
                }
            }
            for failed in page.errors.unwrap_or_default() {
                let name = failed.secret_id.unwrap_or_default();
                let (code, message) = (failed.error_code.unwrap_or_default(), failed.message.unwrap_or_default());
                let is_absent = is_absent(&code, &message);
                let error = || fault::partial(&reading(&name), &code, &message);
                let result = if is_absent { Ok(None) } else { Err(error()) };
                found.insert(name, result);
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn one(&self, name: &str) -> Result<Found, Error> {
        self.read(name, None).await
    }
}

#[async_trait]
impl Service for SecretsManager {
    const NOUN: &'static str = "secret";

    fn in_batch(&self, name: &str, version: Option<&str>) -> Option<String> {
        version.is_none_or(|version| version == CURRENT).then(|| name.to_owned())
    }

    async fn version(&self, name: &str, version: &str) -> Result<Found, Error> {
        self.read(name, Some(version)).await
    }

    async fn tags(&self, name: &str) -> Result<Found, Error> {
        let is_absent = |code: &str, _: &str| code == "ResourceNotFoundException";
        let act = format!("describing secret {name:?}");
        let request = self.client.describe_secret().secret_id(name);
        let Some(answer) = self.caller.look(DESCRIBE, &act, is_absent, request.send()).await? else { return Ok(None) };
        let tags = answer.tags.unwrap_or_default().into_iter();
        Ok(Some(property::tags(tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))))))
    }

    async fn search(&self, query: &Find) -> Result<Matches, Error> {
        find::names(self, query).await.map(Matches::Names)
    }

    fn credentials(&self) -> &Credentials {
        &self.caller.credentials
    }
}

fn reading(name: &str) -> String {
    format!("reading secret {name:?}")
}

/// Whether the entry is what was asked for by this name: a name, or an ARN, of which the six random characters at the end
/// may be left out.
fn is(asked: &str, entry: &SecretValueEntry) -> bool {
    let is_arn = |arn: &str| {
        let rest = arn.strip_prefix(asked);
        rest.is_some_and(|rest| rest.is_empty() || (rest.len() == 7 && rest.starts_with('-')))
    };
    entry.name() == Some(asked) || (asked.starts_with("arn:") && entry.arn().is_some_and(is_arn))
}

fn value(name: &str, text: Option<String>, bytes: Option<Blob>) -> Result<SecretBytes, Error> {
    let value = text.map(SecretBytes::from).or_else(|| bytes.map(|blob| blob.into_inner().into()));
    value.ok_or_else(|| {
        let problem = format!("secret {name:?} holds neither text nor bytes; give it a value");
        Error::fix(Code::RemoteValueInvalid, problem)
    })
}

/// No such secret or version, or one that is about to go: AWS refuses to read it for the days it can be restored.
fn is_absent(code: &str, message: &str) -> bool {
    match code {
        "ResourceNotFoundException" => true,
        "InvalidRequestException" | "InvalidParameterException" => {
            ["marked for deletion", "marked deleted"].iter().any(|phrase| message.contains(phrase))
        }
        _ => false,
    }
}
