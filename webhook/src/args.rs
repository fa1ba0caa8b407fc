//! Flags: upstream's names and defaults.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use api::template_syntax::Limit;
use clap::Parser;
use runtime::flags::duration;

/// Upstream flags without a use here: metrics are plain HTTP, and the process never exits because of a certificate, so
/// that it has no use for a look-ahead.
pub const ACCEPTED: &[&str] = &[
    "lookahead-interval",
    "metrics-auth",
    "metrics-cert-dir",
    "metrics-cert-name",
    "metrics-key-name",
    "metrics-secure",
];

/// Judges ExternalSecrets and stores when they are applied.
#[derive(Clone, Debug, Parser)]
#[command(name = "webhook", version)]
pub struct Args {
    /// Port of the admission server (HTTPS)
    #[arg(long, default_value_t = 10250)]
    pub port: u16,

    /// IP address at which the admission server listens [default: every interface]
    #[arg(long)]
    pub bind_address: Option<IpAddr>,

    /// DNS name by which the API server calls; a certificate without it is reported in the log
    #[arg(long, default_value = "localhost")]
    pub dns_name: String,

    /// Folder with tls.crt and tls.key
    #[arg(long, default_value = "/tmp/k8s-webhook-server/serving-certs")]
    pub cert_dir: PathBuf,

    /// Longest time until changed certificate files are noticed; never more than 10s
    #[arg(long, default_value = "5m", value_parser = duration)]
    pub check_interval: Duration,

    /// Comma-separated TLS 1.2 cipher suites, by their IANA names; empty: all safe ones. TLS 1.3 suites are always on
    #[arg(long, default_value = "")]
    pub tls_ciphers: String,

    /// Lowest TLS version: 1.2 or 1.3
    #[arg(long, default_value = "1.2")]
    pub tls_min_version: String,

    /// PEM file with the authorities of clients: whoever shows no certificate of theirs is refused [default: everybody may ask]
    #[arg(long, value_name = "FILE")]
    pub client_ca_file: Option<PathBuf>,

    /// Comma-separated common names or DNS names: clients whose certificate has none of them are refused; empty: every
    /// name may ask
    #[arg(long, default_value = "", requires = "client_ca_file")]
    pub client_allowed_names: String,

    /// Offer HTTP/2
    #[arg(long)]
    pub enable_http2: bool,

    /// Address of /metrics; 0 switches it off
    #[arg(long, default_value = ":8080")]
    pub metrics_addr: String,

    /// Address of /healthz and /readyz; 0 switches it off
    #[arg(long, default_value = ":8081")]
    pub healthz_addr: String,

    /// Mark that opens an action in templates; the controller must have the same
    #[arg(long, default_value = "{{")]
    pub template_left_delimiter: String,

    /// Mark that closes an action in templates; the controller must have the same
    #[arg(long, default_value = "}}")]
    pub template_right_delimiter: String,

    /// Changes a limit of templates, such as steps=10000000; may be repeated. docs/templates.md lists them
    #[arg(long, value_name = "NAME=VALUE")]
    pub template_limit: Vec<Limit>,

    /// debug, info, warn or error
    #[arg(long, default_value = "info")]
    pub loglevel: String,

    /// Time in log lines: epoch, millis, nano, iso8601, rfc3339 or rfc3339nano
    #[arg(long, default_value = "epoch")]
    pub zap_time_encoding: String,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use runtime::flags::parse_from;

    use super::*;

    #[test]
    fn command_line_of_the_go_operator_is_accepted() {
        let line = "webhook --port=10250 --dns-name=external-secrets-webhook.external-secrets.svc --cert-dir=/tmp/certs \
                    --check-interval=5m --metrics-addr=:8080 --healthz-addr=:8081 --loglevel=info \
                    --zap-time-encoding=epoch --lookahead-interval=1h --tls-ciphers= --tls-min-version=1.2 \
                    --enable-http2=false --metrics-secure --metrics-auth=false --metrics-cert-dir=/x";
        let parsed = parse_from::<Args>(line.split_whitespace().map(OsString::from), ACCEPTED).unwrap();
        assert_eq!(parsed.args.dns_name, "external-secrets-webhook.external-secrets.svc");
        assert_eq!(parsed.ignored.len(), 4);
        assert!(!parsed.args.enable_http2);
    }
}
