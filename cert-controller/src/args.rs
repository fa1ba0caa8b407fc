//! Flags: upstream's names and defaults, and a few of ours.

use std::time::Duration;

use clap::Parser;
use jiff::SignedDuration;
use runtime::flags::duration;
use rustls_pki_types::ServerName;

use crate::authority::Lifetimes;

/// Upstream flags without a use here: metrics are plain HTTP, and nothing is cached.
pub const ACCEPTED: &[&str] = &[
    "enable-http2",
    "enable-partial-cache",
    "metrics-auth",
    "metrics-cert-dir",
    "metrics-cert-name",
    "metrics-key-name",
    "metrics-secure",
];

/// The webhook is not ready in the last hour of a certificate, and a third of its life must be left for renewing it.
const LIFETIME_LEAST: Duration = Duration::from_hours(2);

/// Issues the webhook's certificate, rotates it, and tells the API server which authority to trust.
#[derive(Clone, Debug, Parser)]
#[command(name = "cert-controller", version)]
pub struct Args {
    /// Service by which the API server calls the webhook
    #[arg(long, default_value = "external-secrets-webhook")]
    pub service_name: String,

    /// Namespace of that Service
    #[arg(long, default_value = "default")]
    pub service_namespace: String,

    /// Secret that the webhook mounts: tls.crt, tls.key and ca.crt
    #[arg(long, default_value = "external-secrets-webhook")]
    pub secret_name: String,

    /// Namespace of that Secret and of the authority's
    #[arg(long, default_value = "default")]
    pub secret_namespace: String,

    /// Secret of the authority: ca.crt and ca.key; no Pod mounts it [default: <secret-name>-ca]
    #[arg(long)]
    pub ca_secret_name: Option<String>,

    /// Further DNS name or IP address of the webhook, beside those of the Service; may be repeated
    #[arg(long = "dns-name")]
    pub dns_names: Vec<String>,

    /// ValidatingWebhookConfiguration to keep up to date if it carries the label external-secrets.io/component=webhook;
    /// may be repeated
    #[arg(long = "webhook-configuration", default_values = ["secretstore-validate", "externalsecret-validate"])]
    pub webhook_configurations: Vec<String>,

    /// CustomResourceDefinition to keep up to date if it converts by webhook; may be repeated
    #[arg(long, value_delimiter = ',', default_values = [
        "externalsecrets.external-secrets.io", "clustersecretstores.external-secrets.io", "secretstores.external-secrets.io",
    ])]
    pub crd_names: Vec<String>,

    /// Longest time between two looks at everything
    #[arg(long, default_value = "5m", value_parser = duration)]
    pub crd_requeue_interval: Duration,

    /// How long a replaced certificate may stay in use: an authority is trusted for this long after its last certificate
    /// was replaced. A new authority signs once the API server was told for a twentieth of it
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub propagation_time: Duration,

    /// Life of a new webhook certificate, which is replaced when two thirds of it are over; at least 2h, because the
    /// webhook wants an hour's margin
    #[arg(long, default_value = "2160h", value_parser = duration)]
    pub certificate_lifetime: Duration,

    /// Life of a new authority, likewise; at least that of a certificate
    #[arg(long, default_value = "87600h", value_parser = duration)]
    pub authority_lifetime: Duration,

    /// Compete for a Lease, so that several replicas can run
    #[arg(long)]
    pub enable_leader_election: bool,

    /// Name of that Lease
    #[arg(long, default_value = "crd-certs-controller", hide = true)]
    pub leader_election_id: String,

    /// Address of /metrics; 0 switches it off
    #[arg(long, default_value = ":8080")]
    pub metrics_addr: String,

    /// Address of /healthz and /readyz; 0 switches it off
    #[arg(long, default_value = ":8081")]
    pub healthz_addr: String,

    /// debug, info, warn or error
    #[arg(long, default_value = "info")]
    pub loglevel: String,

    /// Time in log lines: epoch, millis, nano, iso8601, rfc3339 or rfc3339nano
    #[arg(long, default_value = "epoch")]
    pub zap_time_encoding: String,
}

impl Args {
    /// Name of the authority's Secret.
    pub fn ca_secret_name(&self) -> String {
        self.ca_secret_name.clone().unwrap_or_else(|| format!("{}-ca", self.secret_name))
    }

    /// How long new certificates live; fails on a life too short for the webhook to be ready in.
    pub fn lifetimes(&self) -> Result<Lifetimes, String> {
        if self.certificate_lifetime < LIFETIME_LEAST {
            return Err(format!("--certificate-lifetime is shorter than {LIFETIME_LEAST:?}; give it at least 2h"));
        }
        if self.authority_lifetime < self.certificate_lifetime {
            return Err("--authority-lifetime is shorter than --certificate-lifetime; make it longer".to_owned());
        }
        let signed = |life| SignedDuration::try_from(life).map_err(|error: jiff::Error| error.to_string());
        Ok(Lifetimes { leaf: signed(self.certificate_lifetime)?, authority: signed(self.authority_lifetime)? })
    }

    /// Every name by which the webhook may be called; fails on one that no certificate can carry.
    pub fn names(&self) -> Result<Vec<String>, String> {
        let service = format!("{}.{}.svc", self.service_name, self.service_namespace);
        let cluster = format!("{service}.cluster.local");
        let mut names = vec![service, cluster];
        for name in &self.dns_names {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        for name in &names {
            ServerName::try_from(name.as_str()).map_err(|_| {
                format!("{name:?} is neither a DNS name nor an IP address; check --service-name, --dns-name")
            })?;
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use runtime::flags::parse_from;

    use super::*;

    #[test]
    fn command_line_of_the_go_operator_is_accepted() {
        let line = "x --crd-requeue-interval=5m --service-name=external-secrets-webhook --service-namespace=es \
                    --secret-name=external-secrets-webhook --secret-namespace=es --metrics-addr=:8080 \
                    --healthz-addr=:8081 --loglevel=info --zap-time-encoding=epoch --enable-partial-cache=true \
                    --enable-leader-election=true --crd-names=a --crd-names=b,c --enable-http2=false";
        let parsed = parse_from::<Args>(line.split_whitespace().map(OsString::from), ACCEPTED).unwrap();
        assert_eq!(parsed.args.crd_names, ["a", "b", "c"]);
        assert_eq!(parsed.args.ca_secret_name(), "external-secrets-webhook-ca");
        assert_eq!(parsed.ignored, ["enable-http2", "enable-partial-cache"]);
        let names = parsed.args.names().unwrap();
        assert_eq!(names, ["external-secrets-webhook.es.svc", "external-secrets-webhook.es.svc.cluster.local"]);
    }

    #[test]
    fn lives_are_those_of_the_flags_and_long_enough_to_serve_in() {
        let lifetimes = |flags: &[&str]| {
            let words = ["x"].iter().chain(flags).map(OsString::from);
            parse_from::<Args>(words, ACCEPTED).unwrap().args.lifetimes()
        };
        assert_eq!(lifetimes(&[]).unwrap(), Lifetimes::default());
        let day = SignedDuration::from_hours(24);
        let short = lifetimes(&["--certificate-lifetime=24h", "--authority-lifetime=24h"]).unwrap();
        assert_eq!(short, Lifetimes { leaf: day, authority: day });
        assert!(lifetimes(&["--certificate-lifetime=90m"]).unwrap_err().contains("--certificate-lifetime"));
        assert!(lifetimes(&["--authority-lifetime=24h"]).unwrap_err().contains("--authority-lifetime"));
    }

    #[test]
    fn further_names_may_be_addresses_but_not_nonsense() {
        let names = |name: &str| {
            let words = ["x", "--dns-name", "127.0.0.1", "--dns-name", name].map(OsString::from);
            parse_from::<Args>(words, ACCEPTED).unwrap().args.names()
        };
        assert_eq!(names("webhook.example").unwrap()[2..], ["127.0.0.1", "webhook.example"]);
        assert!(names("not a name").is_err());
    }
}
