//! What an ExternalSecret means: every default resolved, every reference followed, nothing left to guess.
//!
//! The webhook makes a plan to judge an object and the controller to act on it, so that what the one admits the other
//! understands, and what the one refuses the other refuses with the same words.

use std::time::Duration;

use crate::external_secret::{
    CreationPolicy, DeletionPolicy, ExternalSecretSpec, Find, RefreshPolicy, RemoteRef, Rewrite, Template,
};
use crate::problem::{Problem, Problems};
use crate::reference::StoreKind;

/// What to do for one ExternalSecret.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The Secret to write.
    pub target: TargetPlan,
    /// When to fetch again.
    pub refresh: Refresh,
    /// What to fetch, in rising order of precedence: `dataFrom`, then `data`.
    pub entries: Vec<Entry>,
}

/// The Secret to write.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetPlan {
    /// Its name.
    pub name: String,
    /// Who creates and owns it.
    pub creation: CreationPolicy,
    /// What happens when the provider has nothing.
    pub deletion: DeletionPolicy,
    /// Whether it is made immutable.
    pub immutable: bool,
    /// Its shape.
    pub template: Option<Template>,
}

/// When to fetch again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refresh {
    /// What causes it.
    pub policy: RefreshPolicy,
    /// Time between two fetches; `None` for zero or less, which fetches once and never again.
    pub interval: Option<Duration>,
}

/// Something to fetch.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it stands, such as `spec.dataFrom[0].extract` or `spec.data[1]`.
    pub path: String,
    /// Its position in the list that it stands in.
    pub index: usize,
    /// The store to ask.
    pub store: ResolvedStoreRef,
    /// What to ask for.
    pub fetch: Fetch,
    /// Changes to the keys; each has exactly one operation.
    pub rewrite: Vec<Rewrite>,
}

/// A store, fully named.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ResolvedStoreRef {
    /// SecretStore, in the namespace of the ExternalSecret, or ClusterSecretStore.
    pub kind: StoreKind,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for ResolvedStoreRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:?}", self.kind, self.name)
    }
}

/// What to ask a store for.
#[derive(Clone, Debug, PartialEq)]
pub enum Fetch {
    /// One value, for one key.
    Value {
        /// Key in the Secret.
        secret_key: String,
        /// The value.
        remote: RemoteRef,
    },
    /// Every property of one value.
    Extract(RemoteRef),
    /// Every value that matches.
    Find(Find),
}

impl Plan {
    /// The plan for the ExternalSecret `name`, or everything that keeps it from being one.
    pub fn new(name: &str, spec: &ExternalSecretSpec) -> Result<Self, Problems> {
        let _ = (name, spec);
        Err(Problem::new("spec", "planning is not written yet", "").into())
    }
}
