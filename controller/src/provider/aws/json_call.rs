//! Calls of a service that speaks JSON, without the SDK of that service: Parameter Store's is larger than this operator.
//!
//! What enters is an action and its JSON; what leaves is the JSON of the answer, or the SDK's own kind of error. Signing,
//! retries, deadlines, proxies and connections are the SDK's.

use std::fmt;

use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::{
    auth::{
        SigV4OperationSigningConfig,
        sigv4::{SCHEME_ID, SigV4AuthScheme},
    },
    retries::classifiers::AwsErrorCodeClassifier,
};
use aws_smithy_runtime::client::{
    identity::IdentityCache,
    orchestrator::operation::Operation,
    retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{
            AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
            static_resolver::StaticAuthSchemeOptionResolver,
        },
        behavior_version::BehaviorVersion,
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        result::SdkError,
        runtime_components::RuntimeComponentsBuilder,
        runtime_plugin::StaticRuntimePlugin,
    },
};
use aws_smithy_types::{
    body::SdkBody, config_bag::Layer, error::metadata::ErrorMetadata, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_types::{SigningName, region::SigningRegion};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use zeroize::Zeroizing;

use super::connect::APP_NAME;
use crate::error::{Code, Error};

/// Header that names the action.
const TARGET: &str = "x-amz-target";

/// Header in which a service may repeat the code of an error.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// A service that speaks JSON.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// As signatures name it.
    pub name: &'static str,
    /// What stands before each action.
    pub prefix: &'static str,
}

/// Calls one service as one identity. Cheap to clone.
#[derive(Clone)]
pub struct JsonClient {
    prefix: &'static str,
    operation: Operation<Request, Answer, ErrorMetadata>,
}

/// What is sent: names, no values.
#[derive(Debug)]
struct Request {
    target: String,
    body: Vec<u8>,
}

/// The JSON of an answer.
pub struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// What it says. `act`: what was tried.
    pub fn read<T: DeserializeOwned>(&self, act: &str) -> Result<T, Error> {
        // The decoder's own words would quote what it could not read.
        serde_json::from_slice(&self.0).map_err(|_| {
            Error::retry(Code::AwsUnreachable, format!("{act}: the answer broke off or is not one of AWS"))
        })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes)", self.0.len())
    }
}

impl JsonClient {
    /// # Errors
    /// A defect: `config` was made without what every client needs.
    pub fn new(
        service: Service,
        endpoint: &str,
        config: &SdkConfig,
        credentials: SharedCredentialsProvider,
    ) -> Result<Self, Error> {
        let lacking = |what: &str| Error::bug(Code::AwsRequestInvalid, format!("the configuration has no {what}"));
        let http = config.http_client().ok_or_else(|| lacking("HTTP client"))?;
        let sleep = config.sleep_impl().ok_or_else(|| lacking("sleep"))?;
        let clock = config.time_source().ok_or_else(|| lacking("clock"))?;
        let region = config.region().ok_or_else(|| lacking("region"))?;
        let operation = Operation::builder()
            .service_name(service.name)
            .operation_name("call")
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .endpoint_url(endpoint)
            .sleep_impl(sleep)
            .time_source(clock)
            .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .standard_retry(&config.retry_config().cloned().unwrap_or_else(RetryConfig::standard))
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .with_connection_poisoning()
            .runtime_plugin(signing(service.name, SigningRegion::from(region.clone()), credentials))
            .serializer(http_request)
            .deserializer(read)
            .build();
        Ok(Self { prefix: service.prefix, operation })
    }

    /// Makes a call.
    pub async fn call(&self, action: &str, body: &Value) -> Result<Answer, SdkError<ErrorMetadata, HttpResponse>> {
        let target = format!("{}.{action}", self.prefix);
        self.operation.invoke(Request { target, body: body.to_string().into_bytes() }).await
    }
}

/// Makes the SDK sign as this identity.
fn signing(
    service: &'static str,
    region: SigningRegion,
    credentials: SharedCredentialsProvider,
) -> StaticRuntimePlugin {
    let mut layer = Layer::new("signing");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(region),
        name: Some(SigningName::from_static(service)),
        ..SigV4OperationSigningConfig::default()
    });
    let options = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
    let mut components = RuntimeComponentsBuilder::new("signing");
    components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(options)));
    components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
    components.set_identity_cache(Some(IdentityCache::no_cache()));
    components.set_identity_resolver(SCHEME_ID, credentials);
    StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
}

fn http_request(request: Request) -> Result<HttpRequest, BoxError> {
    let mut http = HttpRequest::new(SdkBody::from(request.body));
    http.set_method("POST")?;
    http.set_uri("/")?;
    let headers = http.headers_mut();
    headers.try_insert("content-type", "application/x-amz-json-1.1")?;
    headers.try_insert(TARGET, request.target)?;
    headers.try_insert("user-agent", APP_NAME)?;
    Ok(http)
}

fn read(response: &HttpResponse) -> Result<Answer, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return Ok(Answer(Zeroizing::new(body.to_vec())));
    }
    // What is no JSON, such as a proxy's page, is told by its status.
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let code = response.headers().get(ERROR_TYPE).map(ToOwned::to_owned).or(refusal.kind);
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = &code {
        metadata = metadata.code(bare(code));
    }
    if let Some(message) = refusal.message {
        metadata = metadata.message(message);
    }
    Err(OrchestratorError::operation(metadata.build()))
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

/// The code without the name space before it and the address after it.
fn bare(code: &str) -> &str {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.split_once('#').map_or(code, |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lose_what_stands_around_them() {
        for code in ["ParameterNotFound", "com.amazonaws.ssm#ParameterNotFound", "ParameterNotFound:http://internal/"] {
            assert_eq!(bare(code), "ParameterNotFound");
        }
    }
}
