//! `externalsecret_provider_api_calls_count{provider,call,status}`: what the backends are asked, under the names that
//! dashboards made for the Go operator query.

use prometheus::{IntCounterVec, Opts, Registry};

/// Names of providers and their calls, exactly as the Go operator spells them.
pub mod names {
    pub const VAULT: &str = "HashiCorp/Vault";
    pub const VAULT_LIST: &str = "ListSecrets";
    pub const VAULT_LOGIN: &str = "Login";
    pub const VAULT_LOOKUP_SELF: &str = "LookupSelf";
    pub const VAULT_READ: &str = "ReadSecretData";
    pub const VAULT_REVOKE_SELF: &str = "RevokeSelf";

    pub const AWS_SECRETS_MANAGER: &str = "AWS/SecretsManager";
    pub const AWS_BATCH_GET: &str = "BatchGetSecretValue";
    pub const AWS_DESCRIBE: &str = "DescribeSecret";
    pub const AWS_GET: &str = "GetSecretValue";
    pub const AWS_LIST: &str = "ListSecrets";

    pub const AWS_PARAMETER_STORE: &str = "AWS/ParameterStore";
    /// In the singular, as the Go operator has it.
    pub const AWS_DESCRIBE_PARAMETER: &str = "DescribeParameter";
    pub const AWS_GET_PARAMETER: &str = "GetParameter";
    pub const AWS_GET_PARAMETERS: &str = "GetParameters";
    pub const AWS_LIST_TAGS: &str = "ListTagsForResource";
    pub const AWS_PARAMETERS_BY_PATH: &str = "GetParametersByPath";
}

/// Counts calls to backends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ProviderMetrics {
    calls: IntCounterVec,
}

impl ProviderMetrics {
    /// Creates the counter and adds it to `registry`.
    ///
    /// # Errors
    /// When `registry` already has a metric of that name.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts =
            Opts::new("externalsecret_provider_api_calls_count", "Number of API calls towards the secret provider");
        let calls = IntCounterVec::new(opts, &["provider", "call", "status"])?;
        registry.register(Box::new(calls.clone()))?;
        Ok(Self { calls })
    }

    /// One call that ended; "there is no such entry" is a success.
    pub fn count(&self, provider: &str, call: &str, success: bool) {
        let status = if success { "success" } else { "error" };
        self.calls.with_label_values(&[provider, call, status]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_under_the_expected_name() {
        let registry = Registry::new();
        let metrics = ProviderMetrics::new(&registry).unwrap();
        metrics.count(names::VAULT, names::VAULT_LOGIN, false);
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let line =
            r#"externalsecret_provider_api_calls_count{call="Login",provider="HashiCorp/Vault",status="error"} 1"#;
        assert!(text.contains(line), "{text}");
    }
}
