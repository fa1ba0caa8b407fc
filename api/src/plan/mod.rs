//! What an ExternalSecret means: every default resolved, every reference followed, nothing left to guess.
//!
//! The webhook makes a plan to judge an object and the controller to act on it, so that what the one admits the other
//! understands, and what the one refuses the other refuses with the same words.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::admission::{ours, upstream};
use crate::duration::{DURATION_ADVICE, DurationError, GoDuration};
use crate::external_secret::{
    CreationPolicy, DeletionPolicy, ExternalSecretSpec, Find, Manifest, RefreshPolicy, RemoteRef, Rewrite, SourceRef,
    Template,
};
use crate::problem::{Problem, Problems};
use crate::reference::StoreKind;

pub mod windows;

#[cfg(test)]
mod tests;

pub use windows::Windows;

/// The interval of an object that names none, as its schema says.
const DEFAULT_INTERVAL: &str = "1h0m0s";

/// The shortest time between two fetches that only time has made due. Less would have one object ask its store, and write
/// its status, as fast as both answer.
pub const LEAST_INTERVAL: Duration = Duration::from_secs(1);

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

/// The Secret, or the object of another kind, to write.
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
    /// Its kind, where it is an object of another kind than Secret.
    pub manifest: Option<Manifest>,
}

/// When to fetch again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refresh {
    /// What causes it.
    pub policy: RefreshPolicy,
    /// Time between two fetches, at least [`LEAST_INTERVAL`]; `None` for zero or less, which fetches once and never again.
    pub interval: Option<Duration>,
    /// When a fetch that only time has made due may happen; `None`: always.
    pub windows: Option<Windows>,
}

impl Refresh {
    /// What a spec says of it, whatever else is wrong with the spec.
    pub fn of(spec: &ExternalSecretSpec) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let text = spec.refresh_interval.as_deref().unwrap_or(DEFAULT_INTERVAL);
        let interval = duration("spec.refreshInterval", text).map_err(|problem| problems.push(problem)).ok();
        let windows = spec.sync_windows.as_ref().map(Windows::new).transpose();
        let windows = windows.map_err(|found| problems.extend(found.0)).ok().flatten();
        let interval = interval.and_then(|interval| interval.as_std_opt()).filter(|interval| !interval.is_zero());
        let interval = interval.map(|interval| interval.max(LEAST_INTERVAL));
        Problems(problems).none_or(|| Self { policy: spec.refresh_policy, interval, windows })
    }
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
        let mut problems = upstream::external_secret(spec);
        problems.extend(ours::external_secret(spec));
        let refresh = Refresh::of(spec).map_err(|found| problems.extend(found.0)).ok();
        let entries = entries(spec, &mut problems);
        match refresh {
            Some(refresh) if problems.is_empty() => Ok(Self { target: TargetPlan::new(name, spec), refresh, entries }),
            _ => Err(Problems(problems)),
        }
    }

    /// The stores to ask, each once.
    pub fn stores(&self) -> BTreeSet<&ResolvedStoreRef> {
        self.entries.iter().map(|entry| &entry.store).collect()
    }
}

impl TargetPlan {
    fn new(name: &str, spec: &ExternalSecretSpec) -> Self {
        let target = &spec.target;
        Self {
            name: target.name.clone().unwrap_or_else(|| name.to_owned()),
            creation: target.creation_policy,
            deletion: target.deletion_policy,
            immutable: target.immutable,
            template: target.template.clone(),
            manifest: target.manifest.clone().filter(|manifest| !manifest.is_secret()),
        }
    }
}

fn duration(path: &str, text: &str) -> Result<GoDuration, Problem> {
    text.parse().map_err(|error: DurationError| Problem::new(path, error.to_string(), DURATION_ADVICE))
}

/// Every entry that can be understood; what cannot is added to the problems.
fn entries(spec: &ExternalSecretSpec, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(spec.data_from.len() + spec.data.len());
    for (index, entry) in spec.data_from.iter().enumerate() {
        let path = format!("spec.dataFrom[{index}]");
        // Anything but exactly one is a problem that the rules have reported.
        let (path_of_fetch, fetch) = match (&entry.extract, &entry.find) {
            (Some(extract), None) => (format!("{path}.extract"), Fetch::Extract(extract.clone())),
            (None, Some(find)) => (format!("{path}.find"), Fetch::Find(find.clone())),
            _ => continue,
        };
        match store_of(spec, entry.source_ref.as_ref(), &path) {
            Ok(store) => {
                entries.push(Entry { path: path_of_fetch, index, store, fetch, rewrite: entry.rewrite.clone() });
            }
            Err(problem) => problems.push(problem),
        }
    }
    for (index, entry) in spec.data.iter().enumerate() {
        let path = format!("spec.data[{index}]");
        match store_of(spec, entry.source_ref.as_ref(), &path) {
            Ok(store) => {
                let fetch = Fetch::Value { secret_key: entry.secret_key.clone(), remote: entry.remote_ref.clone() };
                entries.push(Entry { path, index, store, fetch, rewrite: Vec::new() });
            }
            Err(problem) => problems.push(problem),
        }
    }
    entries
}

/// The store of an entry: its own before that of the whole object.
fn store_of(spec: &ExternalSecretSpec, source: Option<&SourceRef>, path: &str) -> Result<ResolvedStoreRef, Problem> {
    let own = source.and_then(|source| source.store_ref.as_ref());
    let (path, store) = match (own, &spec.secret_store_ref) {
        (Some(own), _) => (format!("{path}.sourceRef.storeRef.name"), own),
        (None, Some(shared)) if !shared.name.is_empty() => (String::new(), shared),
        (None, _) => {
            let advice = "name one in spec.secretStoreRef, or in this entry's sourceRef.storeRef";
            return Err(Problem::new(path, "names no store", advice));
        }
    };
    if store.name.is_empty() {
        return Err(Problem::new(path, "is missing", "name the store"));
    }
    Ok(ResolvedStoreRef { kind: store.kind.unwrap_or_default(), name: store.name.clone() })
}
