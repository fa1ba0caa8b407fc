//! What is known of every namespace: its labels, by which a ClusterSecretStore may be limited, and whether it is being
//! deleted.
//!
//! RBAC: namespaces `list`, `watch`. An operator limited to one namespace does not watch; it knows the one label that
//! every namespace has, and learns from a refused write that the namespace is going.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::Namespace;
use kube::{ResourceExt, core::PartialObjectMeta};

use crate::engine::{
    ObjectKey,
    cache::{Before, Cache, Versioned},
    object::version_number,
    watch::Sink,
};

/// The label that the API server puts on every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub struct Labels {
    uid: String,
    version: u64,
    terminating: bool,
    texts: BTreeMap<String, String>,
}

impl Versioned for Labels {
    fn uid(&self) -> &str {
        &self.uid
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// See the module documentation.
pub struct Namespaces {
    cache: Cache<Labels>,
    /// Called with a namespace's name when its labels changed.
    changed: Box<dyn Fn(&str) + Send + Sync>,
}

impl Namespaces {
    pub fn new(changed: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { cache: Cache::default(), changed: Box::new(changed) }
    }

    /// The labels of a namespace, as far as they are known.
    pub fn labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let known = self.cache.find(&ObjectKey::new("", namespace)).map(|known| known.texts.clone());
        known.unwrap_or_else(|| BTreeMap::from([(NAME_LABEL.to_owned(), namespace.to_owned())]))
    }

    /// Whether the namespace is being deleted, as far as is known: nothing can be created in it any more.
    pub fn is_terminating(&self, namespace: &str) -> bool {
        self.cache.find(&ObjectKey::new("", namespace)).is_some_and(|known| known.terminating)
    }
}

impl Sink<PartialObjectMeta<Namespace>> for Namespaces {
    fn listing(&self) {
        self.cache.begin_list();
    }

    fn applied(&self, namespace: PartialObjectMeta<Namespace>) {
        let labels = Labels {
            uid: namespace.uid().unwrap_or_default(),
            version: version_number(namespace.metadata.resource_version.as_deref()),
            terminating: namespace.metadata.deletion_timestamp.is_some(),
            texts: namespace.labels().clone(),
        };
        let labels = Arc::new(labels);
        let before = self.cache.put(ObjectKey::new("", &namespace.name_any()), labels.clone());
        if matches!(before, Before::Older(before) if before.texts != labels.texts) {
            (self.changed)(&namespace.name_any());
        }
    }

    fn deleted(&self, namespace: PartialObjectMeta<Namespace>) {
        self.cache.remove(&ObjectKey::new("", &namespace.name_any()));
    }

    fn listed(&self) {
        self.cache.end_list();
    }
}
