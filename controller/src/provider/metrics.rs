//! What the backends are asked, how long they take and which of them are left alone.
//!
//! `externalsecret_provider_api_calls_count{provider,call,status}` is the name that dashboards made for the Go operator query;
//! the other two are ours: `externalsecret_provider_api_call_duration_seconds{provider,call}`, and
//! `externalsecret_provider_breaker_open{kind,namespace,name}`, 1 while the store's circuit breaker is open.

use std::{sync::Arc, time::Duration};

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::identity::StoreHandle;

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

/// From what a backend of the same rack takes to the longest call that a flag allows.
const SECONDS: &[f64] = &[0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Counts and times calls to backends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ProviderMetrics {
    calls: IntCounterVec,
    durations: HistogramVec,
    breakers: IntGaugeVec,
}

impl ProviderMetrics {
    /// Creates the metrics and adds them to `registry`.
    ///
    /// # Errors
    /// When `registry` already has a metric of such a name.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let calls = IntCounterVec::new(
            Opts::new("externalsecret_provider_api_calls_count", "Number of API calls towards the secret provider"),
            &["provider", "call", "status"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "externalsecret_provider_api_call_duration_seconds",
                "Length of API calls towards the secret provider, with the repeats within a call",
            )
            .buckets(SECONDS.to_vec()),
            &["provider", "call"],
        )?;
        let breakers = IntGaugeVec::new(
            Opts::new("externalsecret_provider_breaker_open", "1 while the backend of a store is left alone, else 0"),
            &["kind", "namespace", "name"],
        )?;
        registry.register(Box::new(calls.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(breakers.clone()))?;
        Ok(Self { calls, durations, breakers })
    }

    /// One call that ended; "there is no such entry" is a success.
    pub fn count(&self, provider: &str, call: &str, success: bool) {
        let status = if success { "success" } else { "error" };
        self.calls.with_label_values(&[provider, call, status]).inc();
    }

    /// The same, with its length.
    pub fn record(&self, provider: &str, call: &str, success: bool, span: Duration) {
        self.count(provider, call, success);
        self.durations.with_label_values(&[provider, call]).observe(span.as_secs_f64());
    }

    /// The series of a store, closed. It goes with the last clone of what is returned.
    pub fn breaker(&self, store: &StoreHandle) -> BreakerGauge {
        let namespace = store.namespace.clone().unwrap_or_default();
        let series =
            Series { family: self.breakers.clone(), labels: [store.kind.to_string(), namespace, store.name.clone()] };
        series.set(false);
        BreakerGauge(Arc::new(series))
    }
}

/// Shows whether the breaker of one store is open.
#[derive(Clone, Debug)]
pub struct BreakerGauge(Arc<Series>);

#[derive(Debug)]
struct Series {
    family: IntGaugeVec,
    labels: [String; 3],
}

impl BreakerGauge {
    pub fn set(&self, is_open: bool) {
        self.0.set(is_open);
    }
}

impl Series {
    fn set(&self, is_open: bool) {
        self.family.with_label_values(&self.labels).set(i64::from(is_open));
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        // A series that is gone already is not an error worth knowing.
        let _ = self.family.remove_label_values(&self.labels);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::reference::StoreKind;

    use super::*;

    fn text(registry: &Registry) -> String {
        prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    #[test]
    fn calls_are_counted_under_the_expected_name() {
        let registry = Registry::new();
        let metrics = ProviderMetrics::new(&registry).unwrap();
        metrics.count(names::VAULT, names::VAULT_LOGIN, false);
        metrics.record(names::VAULT, names::VAULT_READ, true, Duration::from_millis(3));
        let text = text(&registry);
        for line in [
            r#"externalsecret_provider_api_calls_count{call="Login",provider="HashiCorp/Vault",status="error"} 1"#,
            r#"externalsecret_provider_api_calls_count{call="ReadSecretData",provider="HashiCorp/Vault",status="success"} 1"#,
            r#"externalsecret_provider_api_call_duration_seconds_bucket{call="ReadSecretData",provider="HashiCorp/Vault",le="0.005"} 1"#,
            r#"externalsecret_provider_api_call_duration_seconds_count{call="ReadSecretData",provider="HashiCorp/Vault"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn series_of_a_breaker_goes_with_the_last_who_sets_it() {
        let registry = Registry::new();
        let metrics = ProviderMetrics::new(&registry).unwrap();
        let store = StoreHandle {
            kind: StoreKind::SecretStore,
            name: "vault".into(),
            namespace: Some("team-a".into()),
            uid: "1".into(),
            generation: 1,
            spec: Arc::default(),
        };
        let gauge = metrics.breaker(&store);
        let series = r#"externalsecret_provider_breaker_open{kind="SecretStore",name="vault",namespace="team-a"}"#;
        assert!(text(&registry).contains(&format!("{series} 0")), "{}", text(&registry));
        let other = gauge.clone();
        other.set(true);
        drop(other);
        assert!(text(&registry).contains(&format!("{series} 1")), "{}", text(&registry));
        drop(gauge);
        assert!(!text(&registry).contains(series));
    }
}
