//! Which store, and in whose name: what the pool keeps one live client for.

use std::sync::Arc;

use api::{provider::ProviderRef, reference::StoreKind, store::SecretStoreSpec};

use super::{aws, vault};
use crate::{
    error::{Code, Error},
    resolve::Scope,
};

/// A store as it was when it was read.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    pub kind: StoreKind,
    pub name: String,
    /// `None` for a ClusterSecretStore.
    pub namespace: Option<String>,
    pub uid: String,
    pub generation: i64,
    pub spec: Arc<SecretStoreSpec>,
}

impl StoreHandle {
    /// Whether credentials are looked up beside each ExternalSecret, so that each namespace is another identity.
    ///
    /// # Errors
    /// `StoreInvalid` when the spec names no provider, several, or one that this build lacks.
    pub fn is_referent(&self) -> Result<bool, Error> {
        if self.kind == StoreKind::SecretStore {
            return Ok(false);
        }
        Ok(match self.provider()? {
            ProviderRef::Vault(spec) => vault::is_referent(spec),
            ProviderRef::Aws(spec) => aws::is_referent(spec),
            ProviderRef::Fake(_) => false,
        })
    }

    /// The provider of the store, the only one its spec names.
    pub fn provider(&self) -> Result<ProviderRef<'_>, Error> {
        self.spec.provider.choice().map_err(|problem| Error::fix(Code::StoreInvalid, problem.to_string()))
    }
}

impl std::fmt::Display for StoreHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// The key of the pool. Which credentials are in use is the slot's own state: it changes under the same identity.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Identity {
    pub uid: String,
    pub generation: i64,
    scope: Scope,
}

impl Identity {
    /// `namespace`: of the ExternalSecret, empty while a store is being validated. `None`: the identity depends on the
    /// namespace and there is none, so nothing can be opened.
    pub fn of(store: &StoreHandle, namespace: &str) -> Result<Option<Self>, Error> {
        let scope = match &store.namespace {
            Some(own) => Scope::Namespaced { namespace: own.clone() },
            None if !store.is_referent()? => Scope::Cluster { referent: None },
            None if namespace.is_empty() => return Ok(None),
            None => Scope::Cluster { referent: Some(namespace.into()) },
        };
        Ok(Some(Self { uid: store.uid.clone(), generation: store.generation, scope }))
    }

    /// That of whoever has opened the store in this scope.
    pub fn within(store: &StoreHandle, scope: &Scope) -> Self {
        Self { uid: store.uid.clone(), generation: store.generation, scope: scope.clone() }
    }

    pub const fn scope(&self) -> &Scope {
        &self.scope
    }
}
