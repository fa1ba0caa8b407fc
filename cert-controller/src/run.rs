//! The process: looks, takes the next step, looks again, until there is nothing to do, then waits for a change, the next
//! due time or the regular interval.
//!
//! Every write carries the `resourceVersion` of what was read: whoever else writes, a replica or an administrator, makes
//! it start over with a fresh look.
//!
//! RBAC: Secrets get, watch, patch by name, and create in their namespace (creation cannot be limited by name);
//! ValidatingWebhookConfigurations get, watch, patch by name; CustomResourceDefinitions get, patch by name; with
//! leader election those of `runtime::lease`.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use prometheus::Registry;
use runtime::admin::{Admin, Health};
use runtime::client::{Options, connect};
use runtime::flags::Parsed;
use runtime::lease::{self, Election, Leadership};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::certificate::Certificate;
use crate::cluster::{Cluster, Error, Observed};
use crate::metrics::{AUTHORITY, LEAF, Metrics};
use crate::plan::{self, Settings, Situation, Step};
use crate::status::Status;
use crate::wake;

/// Steps in a row. A first start takes four, a rotation's longest part three: more means that somebody undoes them.
const STEPS: usize = 10;
/// A pass makes a few small requests; one that hangs is given up and begun again.
const PASS_TIMEOUT: Duration = Duration::from_mins(1);
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// The kubelet needs about 90 s and the webhook ten: below this an authority may leave while it is in use.
const PROPAGATION_ADVISED: Duration = Duration::from_mins(10);

/// Works until SIGTERM or SIGINT, or until another replica took the Lease.
pub async fn run(parsed: Parsed<Args>) -> Result<(), Error> {
    runtime::crypto::install()?;
    runtime::logging::init_with(&parsed.args.loglevel, parsed.args.zap_time_encoding.parse()?, "cert-controller")?;
    parsed.warn();
    let args = parsed.args;
    let settings = settings(&args)?;
    let token = runtime::shutdown::signals();
    let registry = Registry::new();
    let metrics = Metrics::new(&registry).map_err(runtime::Error::from)?;
    let client = connect(Options { component: "cert-controller", ..Options::default() }, &registry).await?;

    let status = Arc::new(Status::default());
    let _admin =
        Admin::new().metrics(&args.metrics_addr, registry).health(&args.healthz_addr, health(&status)).start().await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), names = settings.names.join(" "), "cert-controller runs");
    let Some(leadership) = lead(&args, &client, &status, &token).await? else { return Ok(()) };

    let cluster = Cluster::new(&client, &args, metrics.clone(), status);
    let keeper = Keeper { cluster, settings, metrics, told: None };
    keeper.work(&client, &args, &token).await;
    if let Leading::By(leadership) = leadership {
        leadership.release().await;
    }
    tracing::info!("stopped");
    Ok(())
}

fn settings(args: &Args) -> Result<Settings, Error> {
    if args.propagation_time < PROPAGATION_ADVISED {
        tracing::warn!(propagation_time = ?args.propagation_time, "shorter than {PROPAGATION_ADVISED:?}: for tests only");
    }
    Ok(Settings {
        names: args.names().map_err(Error::Flag)?,
        lifetimes: args.lifetimes().map_err(Error::Flag)?,
        service_name: args.service_name.clone(),
        service_namespace: args.service_namespace.clone(),
        propagation: SignedDuration::try_from(args.propagation_time).map_err(|error| Error::Flag(error.to_string()))?,
    })
}

/// The checks have upstream's names.
fn health(status: &Arc<Status>) -> Arc<Health> {
    let health = Health::new();
    let (crds, configurations) = (status.clone(), status.clone());
    health.check("crd-inject", move || crds.definitions());
    health.check("validation-webhook-inject", move || configurations.configurations());
    Arc::new(health)
}

enum Leading {
    /// Without competition.
    Alone,
    By(Leadership),
}

/// Waits for the Lease, if one is wanted; `None`: stopped before it was won.
async fn lead(
    args: &Args,
    client: &Client,
    status: &Status,
    token: &CancellationToken,
) -> Result<Option<Leading>, Error> {
    if !args.enable_leader_election {
        return Ok(Some(Leading::Alone));
    }
    let settings = lease::Settings::new(&args.leader_election_id, lease::namespace(client));
    let leadership = Election::new(settings)?.run(client.clone(), token.clone());
    status.standby();
    tracing::info!("waiting for the lease");
    if !leadership.acquired().await {
        return Ok(None);
    }
    status.begin();
    Ok(Some(Leading::By(leadership)))
}

/// Since when every configuration has been seen to trust this authority.
struct Told {
    authority: Certificate,
    since: Instant,
}

struct Keeper {
    cluster: Cluster,
    settings: Settings,
    metrics: Metrics,
    told: Option<Told>,
}

impl Keeper {
    async fn work(mut self, client: &Client, args: &Args, token: &CancellationToken) {
        let changed = Arc::new(Notify::new());
        let secrets = [args.secret_name.clone(), args.ca_secret_name()];
        let configurations = &args.webhook_configurations;
        let _watches = wake::watch(client, &args.secret_namespace, &secrets, configurations, &changed);
        let mut retry = RETRY_MIN;
        while !token.is_cancelled() {
            // Dropping a pass half-way is safe: every write is complete in itself, and the next pass looks afresh.
            let outcome = tokio::select! {
                outcome = tokio::time::timeout(PASS_TIMEOUT, self.pass()) => outcome.unwrap_or(Err(Error::Slow)),
                () = token.cancelled() => break,
            };
            let pause = match outcome {
                Ok(until) => {
                    retry = RETRY_MIN;
                    pause_until(until, args.crd_requeue_interval)
                }
                Err(error) => {
                    self.cluster.report(&error);
                    let pause = retry;
                    retry = (retry * 2).min(RETRY_MAX);
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = changed.notified() => {}
                () = token.cancelled() => break,
            }
        }
    }

    /// Steps until there is nothing to do; when to look again at the latest.
    async fn pass(&mut self) -> Result<Timestamp, Error> {
        for _ in 0..STEPS {
            let observed = self.cluster.observe().await?;
            let situation = observed.situation();
            let told_for = self.told_for(&situation, Instant::now());
            let now = Timestamp::now();
            match plan::next(&situation, told_for, &self.settings, now) {
                Step::Rest { until, target } => {
                    self.publish_expiry(&situation);
                    self.cluster.rested();
                    self.cluster.inject_definitions(&target).await?;
                    return Ok(until);
                }
                step => {
                    if let Err(error) = self.cluster.take(step, &observed, &self.settings, now).await {
                        return Err(self.meanwhile(error, &observed, now).await);
                    }
                }
            }
        }
        Err(Error::Restless)
    }

    /// After a step that failed with `error`: a Secret that cannot be written is no reason for an API server that does not
    /// trust what is served.
    async fn meanwhile(&self, error: Error, observed: &Observed, now: Timestamp) -> Error {
        let target = plan::meanwhile(&observed.situation(), &self.settings, now).filter(|_| !error.is_conflict());
        if let Some(target) = target
            && let Err(other) = self.cluster.inject(observed, &target).await
        {
            tracing::warn!(error = %other, "nor could the API server be told");
        }
        error
    }

    fn told_for(&mut self, situation: &Situation, now: Instant) -> SignedDuration {
        let authority = situation.authority.as_ref().ok().filter(|_| situation.is_told());
        let Some(authority) = authority.map(|pair| &pair.certificate) else {
            self.told = None;
            return SignedDuration::ZERO;
        };
        let told = self.told.take().filter(|told| told.authority == *authority);
        let told = self.told.insert(told.unwrap_or_else(|| Told { authority: authority.clone(), since: now }));
        SignedDuration::try_from(now.saturating_duration_since(told.since)).unwrap_or(SignedDuration::MAX)
    }

    fn publish_expiry(&self, situation: &Situation) {
        for (certificate, pair) in [(AUTHORITY, &situation.authority), (LEAF, &situation.leaf)] {
            if let Ok(pair) = pair {
                self.metrics.not_after(certificate, pair.certificate.not_after);
            }
        }
    }
}

/// At least a moment, so that a due time that has just passed does not spin.
fn pause_until(until: Timestamp, at_most: Duration) -> Duration {
    let left = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
    left.clamp(RETRY_MIN, at_most.max(RETRY_MIN))
}
