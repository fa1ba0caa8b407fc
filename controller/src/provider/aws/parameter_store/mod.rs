//! Parameters of AWS Systems Manager.
//!
//! A version is what stands behind the colon of a parameter's name: a number or a label. Encrypted parameters are
//! decrypted.

use std::collections::HashMap;

use api::external_secret::Find;
use async_trait::async_trait;
use aws_config::SdkConfig;
use serde_json::json;

use super::{
    auth::Credentials,
    caller::{Call, Caller},
    entries::{Matches, Service},
    gather::{Batch, Found},
    json_call::{self, JsonClient},
    pace::Quota,
    property,
};
use crate::{error::Error, provider::metrics::names};

mod endpoint;
mod find;
mod wire;

pub use endpoint::address;

const SERVICE: json_call::Service = json_call::Service { name: "ssm", prefix: "AmazonSSM" };

const GET: Call = Call { name: names::AWS_GET_PARAMETER, quota: Quota::GetParameter };
const GET_MANY: Call = Call { name: names::AWS_GET_PARAMETERS, quota: Quota::GetParameter };
const BY_PATH: Call = Call { name: names::AWS_PARAMETERS_BY_PATH, quota: Quota::GetParameter };
const DESCRIBE: Call = Call { name: names::AWS_DESCRIBE_PARAMETER, quota: Quota::DescribeParameters };
const LIST_TAGS: Call = Call { name: names::AWS_LIST_TAGS, quota: Quota::ListTagsForResource };

/// Longest name of a parameter, its ARN included.
const LONGEST_NAME: usize = 2048;

/// Parameter Store as one identity. Cheap to clone.
#[derive(Clone)]
pub struct ParameterStore {
    caller: Caller,
    client: JsonClient,
}

impl ParameterStore {
    /// `endpoint`: the address of the service.
    pub fn new(config: &SdkConfig, endpoint: &str, caller: Caller) -> Result<Self, Error> {
        let client = JsonClient::new(SERVICE, endpoint, config, caller.credentials.provider())?;
        Ok(Self { caller, client })
    }
}

#[async_trait]
impl Batch for ParameterStore {
    const MOST: usize = 10;
    const ONE_SPOILS_ALL: bool = true;

    /// AWS takes no two versions of one parameter in a call, and none of a call in which one name cannot be a name.
    fn place<'a>(&self, name: &'a str) -> Option<&'a str> {
        let is_name = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_.-:".contains(&byte));
        // An ARN has colons of its own, and says nothing of whether its parameter is also named otherwise.
        (is_name && !name.starts_with("arn:")).then(|| name.split_once(':').map_or(name, |(name, _)| name))
    }

    async fn ready(&self) -> Result<(), Error> {
        self.caller.credentials.check().await
    }

    async fn many(&self, names: &[String]) -> Result<HashMap<String, Result<Found, Error>>, Error> {
        let act = format!("reading parameters {names:?}");
        let body = json!({"Names": names, "WithDecryption": true});
        let answer = self.caller.call(GET_MANY, &act, self.client.call("GetParameters", &body)).await?;
        let answer: wire::Many = answer.read(&act)?;
        let found = answer.parameters.into_iter().map(|parameter| (parameter.asked(), Ok(Some(parameter.value))));
        let absent = answer.absent.into_iter().map(|name| (name, Ok(None)));
        Ok(absent.chain(found).collect())
    }

    async fn one(&self, name: &str) -> Result<Found, Error> {
        let act = format!("reading parameter {name:?}");
        let body = json!({"Name": name, "WithDecryption": true});
        let answer = self.caller.look(GET, &act, is_absent, self.client.call("GetParameter", &body)).await?;
        let Some(answer) = answer else { return Ok(None) };
        Ok(Some(answer.read::<wire::OneParameter>(&act)?.parameter.value))
    }
}

#[async_trait]
impl Service for ParameterStore {
    const NOUN: &'static str = "parameter";

    fn in_batch(&self, name: &str, version: Option<&str>) -> Option<String> {
        Some(version.map_or_else(|| name.to_owned(), |version| format!("{name}:{version}")))
    }

    async fn version(&self, name: &str, version: &str) -> Result<Found, Error> {
        self.one(&format!("{name}:{version}")).await
    }

    async fn tags(&self, name: &str) -> Result<Found, Error> {
        let act = format!("reading tags of parameter {name:?}");
        let body = json!({"ResourceType": "Parameter", "ResourceId": name});
        let is_absent = |code: &str, _: &str| code == "InvalidResourceId";
        let call = self.client.call("ListTagsForResource", &body);
        let Some(answer) = self.caller.look(LIST_TAGS, &act, is_absent, call).await? else { return Ok(None) };
        let tags = answer.read::<wire::Tags>(&act)?.tag_list.into_iter().map(|tag| (tag.key, tag.value));
        Ok(Some(property::tags(tags)))
    }

    async fn search(&self, query: &Find) -> Result<Matches, Error> {
        find::search(self, query).await
    }

    fn credentials(&self) -> &Credentials {
        &self.caller.credentials
    }
}

/// No such parameter, version or label.
fn is_absent(code: &str, _: &str) -> bool {
    matches!(code, "ParameterNotFound" | "ParameterVersionNotFound" | "ParameterVersionLabelNotFound")
}
