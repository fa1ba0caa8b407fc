//! What every backend asks of its references to Secrets and ServiceAccounts.

use super::StoreKind;
use crate::problem::Problem;
use crate::reference::{CaProvider, SecretKeySelector, ServiceAccountSelector};

/// The kind of store that a block stands in, which decides what its references may name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// A SecretStore: everything is in its own namespace.
    Namespaced {
        /// Namespace of the store.
        namespace: String,
    },
    /// A ClusterSecretStore: references name a namespace, or mean that of each ExternalSecret.
    Cluster,
}

impl Scope {
    /// The scope of a store.
    pub fn of(kind: StoreKind, namespace: Option<&str>) -> Self {
        match kind {
            StoreKind::SecretStore => Self::Namespaced { namespace: namespace.unwrap_or_default().to_owned() },
            StoreKind::ClusterSecretStore => Self::Cluster,
        }
    }

    /// Refuses a namespace that is not the store's own.
    fn foreign_namespace(&self, path: &str, named: Option<&str>) -> Option<Problem> {
        match (self, named) {
            (Self::Namespaced { namespace }, Some(named)) if named != namespace => Some(Problem::new(
                format!("{path}.namespace"),
                format!("a SecretStore cannot reach into another namespace ({named:?})"),
                format!("leave it out, or write {namespace:?}; only a ClusterSecretStore may name others"),
            )),
            _ => None,
        }
    }
}

/// Whether a reference to a Secret's key must name the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Key {
    /// It must.
    Needed,
    /// There is a default.
    Optional,
}

/// What is wrong with a reference to a Secret.
pub(super) fn secret(path: &str, selector: Option<&SecretKeySelector>, key: Key, scope: &Scope) -> Vec<Problem> {
    let Some(selector) = selector else { return Vec::new() };
    let mut problems = Vec::new();
    if selector.name.is_empty() {
        problems.push(Problem::new(format!("{path}.name"), "is missing", "name the Secret"));
    }
    if key == Key::Needed && selector.key.is_none() {
        problems.push(Problem::new(format!("{path}.key"), "is missing", "name the key in the Secret"));
    }
    problems.extend(scope.foreign_namespace(path, selector.namespace.as_deref()));
    problems
}

/// What is wrong with a reference to a ServiceAccount.
pub(super) fn service_account(path: &str, selector: Option<&ServiceAccountSelector>, scope: &Scope) -> Vec<Problem> {
    let Some(selector) = selector else { return Vec::new() };
    let mut problems = Vec::new();
    if selector.name.is_empty() {
        problems.push(Problem::new(format!("{path}.name"), "is missing", "name the ServiceAccount"));
    }
    problems.extend(scope.foreign_namespace(path, selector.namespace.as_deref()));
    problems
}

/// What is wrong with a reference to a certificate authority.
pub(super) fn ca_provider(path: &str, ca_provider: Option<&CaProvider>, scope: &Scope) -> Vec<Problem> {
    let Some(ca_provider) = ca_provider else { return Vec::new() };
    let mut problems = Vec::new();
    if *scope == Scope::Cluster && ca_provider.namespace.is_none() {
        problems.push(Problem::new(
            format!("{path}.namespace"),
            "is missing, and a ClusterSecretStore has no namespace of its own",
            "name the namespace of the object that holds the certificates",
        ));
    }
    problems.extend(scope.foreign_namespace(path, ca_provider.namespace.as_deref()));
    problems
}
