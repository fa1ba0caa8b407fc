//! Leader election over a `coordination.k8s.io/v1` Lease, compatible with client-go: a Go replica and one of ours can
//! compete for the same Lease.
//!
//! A candidate takes a Lease that nobody holds or whose holder has not renewed it for its duration, measured on the
//! candidate's own clock from when it *saw* the last renewal, so that clocks need not agree. A leader that cannot renew
//! within the renew deadline, or sees another holder, stops leading and cancels the process's token. On a clean stop the
//! Lease is kept until [`Leadership::release`], which the process calls when its last write is done.
//!
//! RBAC: `leases` get and update on the named Lease, create in its namespace (creation cannot be limited by name).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Error;

/// A release that takes longer is not worth the wait: the Lease runs out by itself.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Which Lease, as whom, and how patiently.
#[derive(Clone, Debug)]
pub struct Settings {
    pub name: String,
    pub namespace: String,
    /// Unique per process, see [`identity`].
    pub identity: String,
    /// How long others wait after the last renewal they saw. At least one second.
    pub lease_duration: Duration,
    /// How long the leader goes on without a successful renewal. Shorter than `lease_duration`.
    pub renew_deadline: Duration,
    /// Pause between attempts. Shorter than `renew_deadline`.
    pub retry_period: Duration,
}

impl Settings {
    /// Upstream's defaults: 15 s, 10 s, 2 s, and an identity of this process.
    pub fn new(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            namespace: namespace.into(),
            identity: identity(),
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let ordered = self.lease_duration > self.renew_deadline
            && self.renew_deadline > self.retry_period
            && self.retry_period > Duration::ZERO
            && self.lease_duration >= Duration::from_secs(1);
        if ordered {
            return Ok(());
        }
        Err(Error::Election(format!(
            "lease duration ({:?}, at least 1s) must be longer than the renew deadline ({:?}), and that longer than the \
             retry period ({:?})",
            self.lease_duration, self.renew_deadline, self.retry_period
        )))
    }

    fn lease_seconds(&self) -> i32 {
        // Rounded up: others may wait longer than we hold, never shorter.
        let seconds = self.lease_duration.as_secs() + u64::from(self.lease_duration.subsec_nanos() > 0);
        i32::try_from(seconds).unwrap_or(i32::MAX)
    }
}

/// Host name (in a cluster: the Pod's) and a random part, so that a restarted container is a new candidate.
pub fn identity() -> String {
    let host = ["POD_NAME", "HOSTNAME"].iter().find_map(|name| std::env::var(name).ok());
    let host = host.or_else(|| std::fs::read_to_string("/etc/hostname").ok()).unwrap_or_default();
    // RandomState is seeded from the system's randomness; uniqueness is all that is needed.
    format!("{}_{:016x}", host.trim(), RandomState::new().build_hasher().finish())
}

/// Where the process's own Lease lives: `POD_NAMESPACE`, else the client's default namespace.
pub fn namespace(client: &Client) -> String {
    std::env::var("POD_NAMESPACE")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| client.default_namespace().to_owned())
}

/// A candidate, before it runs.
#[derive(Debug)]
pub struct Election {
    settings: Settings,
}

/// A running candidate.
#[derive(Debug)]
pub struct Leadership {
    leading: watch::Receiver<bool>,
    released: CancellationToken,
    task: JoinHandle<()>,
}

impl Election {
    /// Fails when the durations contradict each other.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings })
    }

    /// Starts to compete. `token` is cancelled when leadership, once won, is lost. When somebody else cancels it, a
    /// candidate gives up, and a leader keeps renewing until [`Leadership::release`].
    pub fn run(self, client: Client, token: CancellationToken) -> Leadership {
        let (sender, leading) = watch::channel(false);
        let released = CancellationToken::new();
        let api = Api::namespaced(client, &self.settings.namespace);
        let candidate = Candidate { settings: self.settings, api, observed: Observed::default(), renewed_at: None };
        let task = tokio::spawn(candidate.campaign(sender, token, released.clone()));
        Leadership { leading, released, task }
    }
}

impl Leadership {
    /// Whether this process leads. The channel closes when the candidate has given up.
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.leading.clone()
    }

    /// Waits to lead; false when the candidate gave up instead.
    pub async fn acquired(&self) -> bool {
        self.leading.clone().wait_for(|leading| *leading).await.is_ok()
    }

    /// Gives the Lease up, if held. Call it when the last write is done; returns within about five seconds.
    pub async fn release(self) {
        self.released.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "leader election ended badly");
        }
    }
}

/// What to do about the Lease as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// There is none.
    Create,
    /// Nobody holds it, or its holder let it run out.
    Take,
    /// It is ours.
    Renew,
    /// Somebody else holds it for at least this long, as far as we have seen.
    Wait(Duration),
}

/// The holder's last sign of life, on our clock.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    record: Option<(Option<String>, Option<MicroTime>)>,
    at: Option<Instant>,
}

impl Observed {
    /// Notes what was read at `now`; only a change counts as a sign of life.
    pub fn see(&mut self, spec: &LeaseSpec, now: Instant) {
        let record = Some((spec.holder_identity.clone(), spec.renew_time.clone()));
        if self.record != record {
            (self.record, self.at) = (record, Some(now));
        }
    }
}

/// `lease`: as just read (`None`: there is none). `observed` has seen it.
pub fn decide(lease: Option<&LeaseSpec>, identity: &str, now: Instant, observed: &Observed) -> Decision {
    let Some(lease) = lease else { return Decision::Create };
    match lease.holder_identity.as_deref() {
        None | Some("") => Decision::Take,
        Some(holder) if holder == identity => Decision::Renew,
        Some(_) => {
            let seconds = u64::try_from(lease.lease_duration_seconds.unwrap_or_default()).unwrap_or_default();
            let seen = observed.at.unwrap_or(now);
            let left = Duration::from_secs(seconds).saturating_sub(now.saturating_duration_since(seen));
            if left.is_zero() { Decision::Take } else { Decision::Wait(left) }
        }
    }
}

struct Candidate {
    settings: Settings,
    api: Api<Lease>,
    observed: Observed,
    /// When the attempt began that last won or renewed the Lease; `None` when not leading.
    renewed_at: Option<Instant>,
}

impl Candidate {
    async fn campaign(mut self, leading: watch::Sender<bool>, token: CancellationToken, released: CancellationToken) {
        loop {
            self.attempt_in_time().await;
            let leads = self.renewed_at.is_some();
            if *leading.borrow() && !leads {
                leading.send_replace(false);
                tracing::error!(lease = %self.settings.name, "leadership lost, stopping");
                token.cancel();
                return;
            }
            if leads && !leading.send_replace(true) {
                tracing::info!(lease = %self.settings.name, identity = %self.settings.identity, "leading");
            }
            tokio::select! {
                () = released.cancelled() => break,
                () = token.cancelled(), if !leads => break,
                () = tokio::time::sleep(self.settings.retry_period) => {}
            }
        }
        leading.send_replace(false);
        if self.renewed_at.is_some() {
            self.release().await;
        }
    }

    /// One attempt, cut short at the renew deadline. Afterwards `renewed_at` says whether we lead.
    async fn attempt_in_time(&mut self) {
        let began = Instant::now();
        let deadline = self.renewed_at.unwrap_or(began) + self.settings.renew_deadline;
        let outcome = match tokio::time::timeout_at(deadline, self.attempt(began)).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("no answer before the renew deadline".to_owned()),
        };
        match outcome {
            Ok(true) => self.renewed_at = Some(began),
            Ok(false) => self.renewed_at = None,
            Err(error) => {
                tracing::warn!(lease = %self.settings.name, %error, "attempt to hold the lease did not succeed");
                // The next attempt comes a retry period later: what would be too late then is too late now.
                let next = Instant::now() + self.settings.retry_period;
                self.renewed_at = self.renewed_at.filter(|_| next < deadline);
            }
        }
    }

    /// Whether the Lease is ours afterwards.
    async fn attempt(&mut self, now: Instant) -> Result<bool, kube::Error> {
        let lease = self.api.get_opt(&self.settings.name).await?;
        let spec = lease.as_ref().and_then(|lease| lease.spec.as_ref());
        if let Some(spec) = spec {
            self.observed.see(spec, now);
        }
        // A Lease without a spec is one that nobody holds.
        let empty = LeaseSpec::default();
        let spec = lease.is_some().then(|| spec.unwrap_or(&empty));
        let decision = decide(spec, &self.settings.identity, now, &self.observed);
        let next = self.held(spec, decision == Decision::Renew);
        let written = match (decision, lease) {
            (Decision::Wait(_), _) => return Ok(false),
            (_, Some(lease)) => {
                let lease = Lease { spec: Some(next), ..lease };
                self.api.replace(&self.settings.name, &PostParams::default(), &lease).await
            }
            (_, None) => {
                let metadata = ObjectMeta { name: Some(self.settings.name.clone()), ..ObjectMeta::default() };
                self.api.create(&PostParams::default(), &Lease { metadata, spec: Some(next) }).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            // Another candidate was faster; a leader reads again before it concludes anything.
            Err(kube::Error::Api(status)) if status.code == 409 && self.renewed_at.is_none() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn held(&self, before: Option<&LeaseSpec>, renewal: bool) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: Some(self.settings.lease_seconds()),
            acquire_time: before.filter(|_| renewal).and_then(|spec| spec.acquire_time.clone()).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(transitions.saturating_add(i32::from(before.is_some() && !renewal))),
            ..LeaseSpec::default()
        }
    }

    async fn release(&self) {
        let release = async {
            let mut lease = self.api.get(&self.settings.name).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(self.settings.identity.as_str()) {
                spec.holder_identity = Some(String::new());
                spec.lease_duration_seconds = Some(1); // as client-go leaves a released Lease
                self.api.replace(&self.settings.name, &PostParams::default(), &lease).await?;
            }
            Ok::<_, kube::Error>(())
        };
        match tokio::time::timeout(RELEASE_TIMEOUT, release).await {
            Ok(Ok(())) => tracing::info!(lease = %self.settings.name, "lease released"),
            Ok(Err(error)) => {
                tracing::warn!(lease = %self.settings.name, %error, "lease not released, it will run out");
            }
            Err(_) => tracing::warn!(lease = %self.settings.name, "lease not released in time, it will run out"),
        }
    }
}

#[cfg(test)]
mod tests;
