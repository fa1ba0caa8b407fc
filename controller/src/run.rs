//! Puts the controller together: client, caches, watches, queues, workers, and the order in which they stop.
//!
//! Watches run from the start, also on a standby. Workers start when this process leads (or need not) and every first
//! list is complete, so that the first decision already knows every Secret. On SIGTERM the workers finish what they
//! hold; on a lost Lease they are cut off, since somebody else may be writing. RBAC: what the reconciles name, and
//! coordination.k8s.io/leases `get`, `create`, `update` with leader election.

use std::{sync::Arc, time::Duration};

use api::{
    external_secret::{ExternalSecret, ExternalSecretStatus},
    names,
    store::{ClusterSecretStore, SecretStore},
    template_syntax::Syntax,
};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount},
};
use kube::{Api, Client, Resource, core::PartialObjectMeta};
use prometheus::Registry;
use runtime::{
    admin::{Admin, Health},
    client, lease, shutdown,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    args::Args,
    ctx::{Ctx, Settings},
    engine::{
        Lane, ObjectKey, Queue,
        cache::{Cache, Versioned as _},
        object::Watched,
        references::{References, Served},
        run::{Reconcile, Workers, run as work},
        stamp::Stamp,
        watch::{FIRST_LIST_PATIENCE, Scope, Synced, follow},
    },
    events::Events,
    http::Timeouts,
    metrics::Metrics,
    provider::{self, aws::pace::Rates, pool::Pool, reads::Demand},
    reconcile::{
        external_secret::{
            ExternalSecrets, generic::Generic, obstacles::Obstacles, schedule::Schedule, shares::Shares, source,
            sources::Sources, upcoming::Upcoming, wakes::Waker,
        },
        guard::Guard,
        managed::{self, Change, ManagedObjects, hashed::HashedSecret},
        namespaces::Namespaces,
        secret_store::{self, Stores},
    },
    resolve::{Credentials, Kind, Resolver},
    sense::{self, Reader, Wake, follow_once_used},
    templates::Templates,
};

/// The longest a reconcile may take: a provider call may take 30 s and there can be a few in a row.
const DEADLINE: Duration = Duration::from_mins(2);

/// Time for reconciles in hand to finish after SIGTERM; Kubernetes gives a Pod 30 s in all.
const GRACE: Duration = Duration::from_secs(20);

/// Runs until SIGTERM or until leadership is lost.
pub async fn run(args: Args) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stop = shutdown::signals();
    let registry = Registry::new();
    let metrics = Metrics::new(&registry)?;
    let options = client::Options {
        qps: (args.client_qps > 0.0).then_some(args.client_qps),
        burst: (args.client_burst > 0).then_some(args.client_burst),
        component: "controller",
    };
    let client = client::connect(options, &registry).await?;
    let health = Arc::new(Health::new());
    let admin = Admin::new().metrics(&args.metrics_addr, registry).health(&args.live_addr, health.clone());
    let _serving = admin.start().await?;

    let parts = Parts::new(&args, &client, &metrics);
    let synced = parts.watch(&args, &stop);
    parts.report_health(&health, &synced);

    let lost = CancellationToken::new();
    let leadership = election(&args, &client)?.map(|election| election.run(client, lost.clone()));
    let leading = async {
        match &leadership {
            Some(leadership) => leadership.acquired().await,
            None => true,
        }
    };
    let started = tokio::select! {
        leading = leading => leading,
        () = stop.cancelled() => false,
    };
    let mut workers = JoinSet::new();
    if started && all(synced, &stop).await {
        tracing::info!("every first list is complete; reconciling");
        parts.start(&args, &mut workers);
    }
    tokio::select! {
        () = stop.cancelled() => tracing::info!("asked to stop; finishing what is in hand"),
        () = lost.cancelled(), if started => {
            workers.shutdown().await;
            return Err("the Lease was lost, another process may be writing; a restart competes for it again".into());
        }
    }
    parts.close();
    let finished = async { while workers.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        tracing::warn!("some reconciles did not finish in {} s; the next start takes them up", GRACE.as_secs());
    }
    parts.ctx.pool.shutdown().await;
    if let Some(leadership) = leadership {
        lost.cancel();
        leadership.release().await;
    }
    Ok(())
}

fn election(args: &Args, client: &Client) -> Result<Option<lease::Election>, runtime::Error> {
    if !args.enable_leader_election {
        return Ok(None);
    }
    let mut settings = lease::Settings::new(&args.leader_election_id, lease::namespace(client));
    settings.lease_duration = args.leader_election_lease_duration;
    settings.renew_deadline = args.leader_election_renew_deadline;
    settings.retry_period = args.leader_election_retry_period;
    lease::Election::new(settings).map(Some)
}

/// Waits for the first lists; false when asked to stop meanwhile.
async fn all(synced: Vec<(&'static str, Synced)>, stop: &CancellationToken) -> bool {
    for (kind, mut synced) in synced {
        loop {
            tokio::select! {
                () = synced.wait() => break,
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(FIRST_LIST_PATIENCE) => tracing::warn!(
                    "still waiting for the first list of {kind}; check that the CRDs are installed and the RBAC allows list and watch"
                ),
            }
        }
    }
    true
}

/// Everything that lives as long as the process.
struct Parts {
    ctx: Arc<Ctx>,
    external_secrets: Arc<Queue>,
    secret_stores: Arc<Queue>,
    cluster_secret_stores: Arc<Queue>,
    targets: Arc<source::Targets>,
    wake: Wake,
    credentials: Arc<Credentials>,
}

impl Parts {
    fn new(args: &Args, client: &Client, metrics: &Metrics) -> Self {
        let external_secrets = Queue::new(metrics.engine.queue("externalsecret"));
        let targets = Arc::new(source::Targets::default());
        let cache: Arc<Cache<Watched<ExternalSecret>>> = Arc::default();
        let shares: Arc<Shares> = Arc::default();
        let waker = Waker { external_secrets: cache.clone(), shares: shares.clone(), queue: external_secrets.clone() };
        let managed = {
            let (targets, waker) = (targets.clone(), waker.clone());
            ManagedObjects::new(move |secret, change| {
                targets.authors(secret).iter().for_each(|author| waker.changed(author, secret, change));
            })
        };
        let sources = {
            let (cache, queue) = (cache.clone(), external_secrets.clone());
            let served_at = move |user: &ObjectKey| {
                let object = cache.find(user)?;
                let status: ExternalSecretStatus = object.status();
                Some(Served { at: status.refresh_time?.0, version: object.version() })
            };
            Sources::new(move |user| queue.add(user, Lane::Interactive), served_at)
        };
        let secret_stores = Queue::new(metrics.engine.queue("secretstore"));
        let cluster_secret_stores = Queue::new(metrics.engine.queue("clustersecretstore"));
        let wake = Wake {
            external_secrets: cache.clone(),
            secret_stores: Arc::default(),
            cluster_secret_stores: Arc::default(),
            users: Arc::default(),
            queue: external_secrets.clone(),
            secret_store_queue: secret_stores.clone(),
            cluster_secret_store_queue: cluster_secret_stores.clone(),
            probes: Arc::default(),
        };
        let credentials = {
            let wake = wake.clone();
            Arc::new(Credentials::new(&args.namespace, move |user| wake.credentials(user)))
        };
        let namespaces = {
            let (wake, credentials) = (wake.clone(), credentials.clone());
            let namespaces = Namespaces::new(
                move |name, before, now| wake.namespace(name, before, now),
                move |name| credentials.forget_namespace(name),
            );
            if args.namespace.is_empty() { namespaces } else { namespaces.unwatched() }
        };
        let awaited = {
            let queue = external_secrets.clone();
            References::new(move |user| queue.add(user, Lane::Interactive), |_| None)
        };
        let obstacles = [(); 2].map(|()| {
            let queue = external_secrets.clone();
            Arc::new(Obstacles::new(move |user| queue.add(user, Lane::Interactive)))
        });
        let generic = {
            let changed =
                move |user: &ObjectKey, object: &ObjectKey, change: Change<'_>| waker.changed(user, object, change);
            Generic::new(client.clone(), args.unsafe_allow_generic_targets, &args.namespace, changed)
        };
        let events = |controller: &str| Events::start(client.clone(), controller);
        let resolver = Arc::new(Resolver::new(client.clone(), credentials.clone()));
        let demand = {
            let queue = external_secrets.clone();
            Demand::new(move |started| queue.waits_since(started))
        };
        let timeouts = Timeouts { connect: args.provider_connect_timeout, call: args.provider_call_timeout };
        let upcoming = Arc::new(Upcoming::new(external_secrets.clone()));
        let rates = Rates::with(&args.aws_rate);
        let opener = provider::Backends::from_env(metrics.provider.clone(), timeouts, demand, upcoming.clone(), rates);
        let opener = Arc::new(opener);
        let limit = usize::try_from(args.vault_token_cache_size).unwrap_or(usize::MAX);
        let ctx = Ctx {
            settings: Settings {
                class: args.controller_class.clone(),
                flood_gate: args.enable_flood_gate,
                cluster_stores: args.enable_cluster_store_reconciler,
                refuse_adoption: args.refuse_adoption,
                store_requeue: args.store_requeue_interval,
            },
            external_secrets: cache,
            secret_stores: wake.secret_stores.clone(),
            cluster_secret_stores: wake.cluster_secret_stores.clone(),
            users: wake.users.clone(),
            schedule: Schedule::default(),
            managed: Arc::new(managed),
            shares,
            namespaces: Arc::new(namespaces),
            sources: Arc::new(sources),
            awaited: Arc::new(awaited),
            obstacles,
            templates: Arc::new(templates(args, metrics)),
            generic: Arc::new(generic),
            pool: Pool::new(resolver, opener, limit),
            guard: Guard::new(args.mass_deletion_threshold),
            events: events(names::EXTERNAL_SECRET_COMPONENT),
            store_events: events(names::SECRET_STORE_COMPONENT),
            metrics: metrics.clone(),
            client: client.clone(),
        };
        let ctx = Arc::new(ctx);
        upcoming.connect(&ctx);
        Self { ctx, external_secrets, secret_stores, cluster_secret_stores, targets, wake, credentials }
    }

    /// Starts every watch that the flags ask for.
    fn watch(&self, args: &Args, stop: &CancellationToken) -> Vec<(&'static str, Synced)> {
        let ctx = &self.ctx;
        let namespace = args.namespace.as_str();
        let external_secrets = source::Source::new(
            ctx.external_secrets.clone(),
            self.targets.clone(),
            self.wake.users.clone(),
            ctx.sources.clone(),
            ctx.templates.clone(),
            self.external_secrets.clone(),
            ctx.metrics.clone(),
        );
        let all = Scope::default();
        let managed = managed::selector();
        let managed = Scope { selector: &managed, ..all };
        let secrets = scoped::<HashedSecret>(&ctx.client, namespace);
        let listed = follow(scoped(&ctx.client, namespace), all, Arc::new(external_secrets), stop.clone());
        self.watch_what_is_named(args, &listed, stop);
        let mut synced =
            vec![("ExternalSecret", listed), ("Secret", follow(secrets, managed, ctx.managed.clone(), stop.clone()))];
        // Also when another process checks them: ExternalSecrets use them all the same.
        let source = self.store_source::<SecretStore>(ctx.secret_stores.clone(), &self.secret_stores);
        synced.push(("SecretStore", follow(scoped(&ctx.client, namespace), all, Arc::new(source), stop.clone())));
        if args.enable_cluster_store_reconciler {
            let source =
                self.store_source::<ClusterSecretStore>(ctx.cluster_secret_stores.clone(), &self.cluster_secret_stores);
            let api: Api<Watched<ClusterSecretStore>> = Api::all(ctx.client.clone());
            synced.push(("ClusterSecretStore", follow(api, all, Arc::new(source), stop.clone())));
        }
        if namespace.is_empty() {
            let api: Api<PartialObjectMeta<Namespace>> = Api::all(ctx.client.clone());
            // The labels decide what a ClusterSecretStore may be used for; without those, nothing hangs on the watch.
            let optional = (!args.enable_cluster_store_reconciler).then_some(
                "allow list and watch to leave namespaces alone that are being deleted; until then writes to them are refused",
            );
            let followed = follow(api, Scope { optional, ..all }, ctx.namespaces.clone(), stop.clone());
            if optional.is_none() {
                synced.push(("Namespace", followed));
            }
        }
        sense::follow_backends(self.wake.clone(), ctx.pool.signals(), stop.clone());
        synced
    }

    /// Objects that ExternalSecrets and stores name: templates and credentials.
    fn watch_what_is_named(&self, args: &Args, listed: &Synced, stop: &CancellationToken) {
        let Self { ctx, credentials, .. } = self;
        let namespace = args.namespace.as_str();
        let mut config_maps = readers::<ConfigMap>(args, credentials);
        let mut secrets = readers::<Secret>(args, credentials);
        if args.watch_template_sources {
            let (maps, templates) = (&ctx.sources.config_maps, &ctx.sources.secrets);
            config_maps.push((maps.clone(), maps.in_use()));
            secrets.push((templates.clone(), templates.in_use()));
            secrets.push((ctx.awaited.clone(), ctx.awaited.in_use()));
            let [secret, config_map] = &ctx.obstacles;
            secrets.push((secret.clone(), secret.in_use()));
            config_maps.push((config_map.clone(), config_map.in_use()));
        }
        follow_once_used(scoped::<Stamp<ConfigMap>>(&ctx.client, namespace), config_maps, listed, stop);
        follow_once_used(scoped::<Stamp<Secret>>(&ctx.client, namespace), secrets, listed, stop);
        let accounts = readers::<ServiceAccount>(args, credentials);
        follow_once_used(scoped::<Stamp<ServiceAccount>>(&ctx.client, namespace), accounts, listed, stop);
    }

    fn store_source<K: secret_store::StoreResource>(
        &self,
        cache: Arc<Cache<Watched<K>>>,
        queue: &Arc<Queue>,
    ) -> secret_store::Source<K> {
        let (wake, ctx, credentials) = (self.wake.clone(), self.ctx.clone(), self.credentials.clone());
        secret_store::Source::new(
            cache,
            queue.clone(),
            self.ctx.metrics.clone(),
            {
                let namespaces = ctx.namespaces.clone();
                move |store, change, since| wake.changed(K::KIND, store, change, &namespaces, since)
            },
            move |store, uid| {
                ctx.pool.forget(uid);
                ctx.guard.forget(uid);
                credentials.forget_store(K::KIND, store);
            },
        )
    }

    /// Ready: every first list is complete and no reconcile is stuck.
    fn report_health(&self, health: &Health, synced: &[(&'static str, Synced)]) {
        for (kind, synced) in synced {
            let (kind, synced) = (*kind, synced.clone());
            health.check(format!("watch-{}", kind.to_lowercase()), move || {
                match (synced.is_over(), synced.is_done()) {
                    (true, _) => Err(format!("{kind} is not watched any more; see the log for a defect, and restart")),
                    (_, false) => Err(format!("the first list of {kind} is not complete")),
                    _ => Ok(()),
                }
            });
        }
        for (name, queue) in self.queues() {
            let (queue, shown) = (queue.clone(), queue.clone());
            self.ctx.metrics.engine.before_scrape(move || shown.publish_running());
            health.check(format!("queue-{name}"), move || match queue.longest_running() {
                Some((key, span)) if span > DEADLINE * 2 => {
                    Err(format!("{key} has been in hand for {} s, past its deadline", span.as_secs()))
                }
                _ => Ok(()),
            });
        }
    }

    fn start(&self, args: &Args, workers: &mut JoinSet<()>) {
        let ctx = &self.ctx;
        let concurrent = usize::from(args.concurrent);
        let mut spawn = |controller: &'static str, queue: &Arc<Queue>, reconcile: Arc<dyn Reconcile>| {
            let settings = Workers { controller, concurrent, deadline: DEADLINE };
            workers.spawn(work(settings, queue.clone(), ctx.metrics.engine.run(controller), reconcile));
        };
        spawn("externalsecret", &self.external_secrets, Arc::new(ExternalSecrets::new(ctx.clone())));
        if args.enable_secret_store_reconciler {
            spawn("secretstore", &self.secret_stores, Arc::new(Stores::<SecretStore>::new(ctx.clone())));
        }
        if args.enable_cluster_store_reconciler {
            let reconcile = Arc::new(Stores::<ClusterSecretStore>::new(ctx.clone()));
            spawn("clustersecretstore", &self.cluster_secret_stores, reconcile);
        }
    }

    fn close(&self) {
        for (_, queue) in self.queues() {
            queue.close();
        }
    }

    fn queues(&self) -> [(&'static str, &Arc<Queue>); 3] {
        [
            ("externalsecret", &self.external_secrets),
            ("secretstore", &self.secret_stores),
            ("clustersecretstore", &self.cluster_secret_stores),
        ]
    }
}

fn templates(args: &Args, metrics: &Metrics) -> Templates {
    let syntax = Syntax::new(&args.template_left_delimiter, &args.template_right_delimiter, &args.template_limit);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Templates::new(syntax, cores, metrics.templates.clone())
}

/// Who must know the objects of a kind that credentials are in.
fn readers<K: Kind>(args: &Args, credentials: &Credentials) -> Vec<Reader<K>> {
    let watched = K::of(credentials);
    if args.watch_store_credentials { vec![(watched.clone(), watched.in_use())] } else { Vec::new() }
}

/// All namespaces, or one.
fn scoped<K>(client: &Client, namespace: &str) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    if namespace.is_empty() { Api::all(client.clone()) } else { Api::namespaced(client.clone(), namespace) }
}
