//! What every reconcile may use: the client, the caches that the watches fill, the pool of store clients.

use std::sync::Arc;

use api::{
    external_secret::ExternalSecret,
    store::{ClusterSecretStore, SecretStore},
};
use kube::Client;

use crate::{
    engine::{ObjectKey, cache::Cache, object::Watched, references::References},
    events::Events,
    metrics::Metrics,
    provider::pool::Pool,
    reconcile::{
        external_secret::{
            generic::Generic, obstacles::Obstacles, schedule::Schedule, shares::Shares, sources::Sources,
            users::StoreUsers,
        },
        guard::Guard,
        managed::ManagedObjects,
        namespaces::Namespaces,
    },
    templates::Templates,
};

/// Flags that decisions depend on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Stores with another `spec.controller` belong to somebody else.
    pub class: String,
    /// Do not ask a store that is not Ready.
    pub flood_gate: bool,
    /// Whether ClusterSecretStores are this operator's business.
    pub cluster_stores: bool,
    /// Targets that an ExternalSecret did not make are left as they are.
    pub refuse_adoption: bool,
    /// Time between two checks of a store that does not say.
    pub store_requeue: std::time::Duration,
}

/// See the module documentation.
pub struct Ctx {
    pub client: Client,
    pub settings: Settings,
    pub external_secrets: Arc<Cache<Watched<ExternalSecret>>>,
    pub secret_stores: Arc<Cache<Watched<SecretStore>>>,
    pub cluster_secret_stores: Arc<Cache<Watched<ClusterSecretStore>>>,
    /// Who uses which store, and has values of one that has changed since.
    pub users: Arc<StoreUsers>,
    /// Whose refresh may share the calls of another's.
    pub schedule: Schedule,
    pub managed: Arc<ManagedObjects>,
    /// What ExternalSecrets have in targets that others write to, too.
    pub shares: Arc<Shares>,
    pub namespaces: Arc<Namespaces>,
    /// ConfigMaps and Secrets with templates.
    pub sources: Arc<Sources>,
    /// Secrets that ExternalSecrets wait for, to merge into them.
    pub awaited: Arc<References<ObjectKey>>,
    /// Secrets and ConfigMaps of others in the place of a target.
    pub obstacles: [Arc<Obstacles>; 2],
    pub templates: Arc<Templates>,
    /// Targets that are no Secrets.
    pub generic: Arc<Generic>,
    pub pool: Arc<Pool>,
    /// Holds deletions when a store suddenly has nothing.
    pub guard: Guard,
    /// Events on ExternalSecrets.
    pub events: Events,
    /// Events on stores.
    pub store_events: Events,
    pub metrics: Metrics,
}
