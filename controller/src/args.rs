//! Flags, with upstream's names and defaults where it has them.

use std::time::Duration;

use api::template_syntax::Limit;
use clap::Parser;
use runtime::flags;

use crate::provider::aws::pace::Rate;

/// Keeps Kubernetes Secrets in step with Vault, AWS and other secret stores.
///
/// The cluster is found as kubectl finds it: KUBECONFIG, else ~/.kube/config, else the Pod's own ServiceAccount.
#[derive(Debug, Parser)]
#[command(name = "controller", version, max_term_width = 120)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of upstream's command line")]
pub struct Args {
    /// Address of /metrics; 0 turns it off.
    #[arg(long, default_value = ":8080")]
    pub metrics_addr: String,
    /// Address of /healthz and /readyz; 0 turns it off.
    #[arg(long, default_value = ":8082")]
    pub live_addr: String,
    /// Only stores whose spec.controller is empty or this value are used.
    #[arg(long, default_value = "default")]
    pub controller_class: String,
    /// Work in this namespace only.
    #[arg(long, default_value = "")]
    pub namespace: String,
    /// Objects of one kind reconciled at the same time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrent: u16,
    /// Requests per second to the API server in the long run; 0 leaves pacing to the API server.
    #[arg(long, default_value_t = 0.0)]
    pub client_qps: f32,
    /// Requests to the API server at once after a pause.
    #[arg(long, default_value_t = 0)]
    pub client_burst: u32,
    /// Time between two checks of a store that sets no refreshInterval.
    #[arg(long, default_value = "5m", value_parser = flags::duration)]
    pub store_requeue_interval: Duration,
    /// debug, info, warn or error.
    #[arg(long, default_value = "info")]
    pub loglevel: String,
    /// Time stamps in the log: epoch, millis, nano, iso8601, rfc3339 or rfc3339nano.
    #[arg(long, default_value = "epoch")]
    pub zap_time_encoding: String,
    /// Reconcile SecretStores.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean, action = clap::ArgAction::Set)]
    pub enable_secret_store_reconciler: bool,
    /// Reconcile ClusterSecretStores, and ExternalSecrets that use one.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean, action = clap::ArgAction::Set)]
    pub enable_cluster_store_reconciler: bool,
    /// Do not ask stores that are not Ready.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean, action = clap::ArgAction::Set)]
    pub enable_flood_gate: bool,
    /// Compete for a Lease; only its holder writes.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean, action = clap::ArgAction::Set)]
    pub enable_leader_election: bool,
    /// Name of the Lease.
    #[arg(long, default_value = "external-secrets-controller")]
    pub leader_election_id: String,
    /// How long a Lease counts after it was renewed last.
    #[arg(long, default_value = "15s", value_parser = flags::duration)]
    pub leader_election_lease_duration: Duration,
    /// How long a leader tries to renew before it gives up.
    #[arg(long, default_value = "10s", value_parser = flags::duration)]
    pub leader_election_renew_deadline: Duration,
    /// Time between two attempts.
    #[arg(long, default_value = "2s", value_parser = flags::duration)]
    pub leader_election_retry_period: Duration,
    /// Clients of stores that are kept logged in at the same time.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub vault_token_cache_size: u32,
    /// Longest wait for a connection to a backend (Vault), within the time of the call.
    #[arg(long, default_value = "10s", value_parser = timeout)]
    pub provider_connect_timeout: Duration,
    /// Longest call of a backend, repeats included (a store's retrySettings). At most 60s: a reconcile makes several.
    #[arg(long, default_value = "30s", value_parser = timeout)]
    pub provider_call_timeout: Duration,
    /// Calls per second of one store's identity to AWS, such as GetParameter=1000; may be repeated. The names, with what AWS
    /// grants by default: GetSecretValue=10000, BatchGetSecretValue=100, DescribeSecret=40000, ListSecrets=100, GetParameter=40
    /// (GetParameters and GetParametersByPath included), DescribeParameters=10, ListTagsForResource=10.
    #[arg(long, value_name = "NAME=CALLS")]
    pub aws_rate: Vec<Rate>,
    /// Hold deletions (deletionPolicy Delete and Merge) when a store has lost more than this share, in percent, of at least 10
    /// secrets that it served, within an hour; 0 or 100: never. docs/mass-deletion.md says how they go on.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub mass_deletion_threshold: u8,
    /// Refuse to take over a target that the ExternalSecret did not make (creationPolicy Owner and Orphan): nothing of it is
    /// written. Without it the target is taken over, with a Warning event that names the keys that go.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean, action = clap::ArgAction::Set)]
    pub refuse_adoption: bool,
    /// Mark that opens an action in templates; the webhook must have the same.
    #[arg(long, default_value = "{{")]
    pub template_left_delimiter: String,
    /// Mark that closes an action in templates; the webhook must have the same.
    #[arg(long, default_value = "}}")]
    pub template_right_delimiter: String,
    /// Changes a limit of templates, such as steps=10000000; may be repeated. docs/templates.md lists them.
    #[arg(long, value_name = "NAME=VALUE")]
    pub template_limit: Vec<Limit>,
    /// Let ExternalSecrets write ConfigMaps and custom resources (spec.target.manifest), for which the operator needs RBAC of
    /// yours. Unsafe: values are no better kept than such objects are.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean, action = clap::ArgAction::Set)]
    pub unsafe_allow_generic_targets: bool,
    /// Watch ConfigMaps and Secrets that hold templates, so that an edit counts at once, and Secrets that creationPolicy Merge
    /// waits for; else an edit counts at the next refresh.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean, action = clap::ArgAction::Set)]
    pub watch_template_sources: bool,
    /// Watch Secrets, ConfigMaps and ServiceAccounts that stores take credentials from, metadata only, so that a change counts at once; else it does within seconds of the next use.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean, action = clap::ArgAction::Set)]
    pub watch_store_credentials: bool,
}

/// From 100 ms, in which a backend of the same city answers, to 60 s, of which two fit into a reconcile.
fn timeout(text: &str) -> Result<Duration, String> {
    let duration = flags::duration(text)?;
    if (Duration::from_millis(100)..=Duration::from_mins(1)).contains(&duration) {
        Ok(duration)
    } else {
        Err("must be between 100ms and 60s".into())
    }
}

/// Flags of upstream that mean nothing here, or not yet. They are accepted so that a Deployment need not change.
pub const ACCEPTED: &[&str] = &[
    "doppler-etag-cache-size",
    "enable-cluster-external-secret-reconciler",
    "enable-cluster-push-secret-reconciler",
    "enable-configmaps-caching",
    "enable-extended-metric-labels",
    "enable-generator-state",
    "enable-http2",
    "enable-managed-secrets-caching",
    "enable-push-secret-reconciler",
    "enable-secret-api-read-on-cache-mismatch",
    "enable-secrets-caching",
    "enable-vault-token-cache",
    "experimental-doppler-oidc-cache-size",
    "experimental-enable-doppler-oidc-cache",
    "experimental-enable-vault-token-cache",
    "experimental-vault-token-cache-size",
    "generator-gc-grace-period",
    "metrics-auth",
    "metrics-cert-dir",
    "metrics-cert-name",
    "metrics-key-name",
    "metrics-secure",
    "mysterybox-connections-cache-size",
    "mysterybox-tokens-cache-size",
    "pulumi-oidc-cache-size",
];

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn parse(words: &[&str]) -> Result<flags::Parsed<Args>, clap::Error> {
        let words = std::iter::once("controller").chain(words.iter().copied()).map(OsString::from);
        flags::parse_from(words, ACCEPTED)
    }

    #[test]
    fn upstreams_command_line_is_understood() {
        let parsed = parse(&[
            "--concurrent=4",
            "--enable-leader-election",
            "--enable-flood-gate=false",
            "--store-requeue-interval=30s",
            "--enable-push-secret-reconciler=false",
            "--metrics-secure",
            "--template-left-delimiter=<<",
            "--template-right-delimiter=>>",
        ])
        .expect("flags");
        assert_eq!(parsed.args.concurrent, 4);
        assert_eq!(
            (parsed.args.template_left_delimiter, parsed.args.template_right_delimiter),
            ("<<".into(), ">>".into())
        );
        assert!(parsed.args.enable_leader_election && !parsed.args.enable_flood_gate);
        assert_eq!(parsed.args.store_requeue_interval, Duration::from_secs(30));
        assert_eq!(parsed.ignored, ["enable-push-secret-reconciler", "metrics-secure"]);
    }

    #[test]
    fn timeouts_of_calls_are_those_of_the_client_unless_set_and_bounded() {
        let parsed = parse(&[]).expect("flags").args;
        let timeouts = crate::http::Timeouts::default();
        assert_eq!((parsed.provider_connect_timeout, parsed.provider_call_timeout), (timeouts.connect, timeouts.call));
        let parsed = parse(&["--provider-call-timeout=5s"]).expect("flags").args;
        assert_eq!(parsed.provider_call_timeout, Duration::from_secs(5));
        for flag in ["--provider-call-timeout=0s", "--provider-call-timeout=2m", "--provider-connect-timeout=1ms"] {
            assert!(parse(&[flag]).is_err(), "{flag}");
        }
    }

    #[test]
    fn mistyped_flag_is_refused_with_the_right_one() {
        let error = parse(&["--concurent=4"]).expect_err("refused").to_string();
        assert!(error.contains("--concurrent"), "{error}");
    }
}
