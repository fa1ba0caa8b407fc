//! Which store an entry may use, decided from what the watches have shown: the API server is asked only for a store that
//! they have not shown. RBAC: secretstores, clustersecretstores `get`.

use std::{collections::BTreeSet, sync::Arc};

use api::{
    names::condition_type::READY,
    plan::{Plan, ResolvedStoreRef},
    reference::StoreKind,
    store::{ClusterSecretStore, SecretStore, SecretStoreSpec, StoreStatus, may_use},
};
use kube::Api;

use serde::Deserialize;

use super::{knowledge::Version, users::StoreKey};
use crate::{
    ctx::Ctx,
    engine::{ObjectKey, cache::Versioned as _, object::Watched},
    error::{Code, Error},
    provider::identity::StoreHandle,
    reconcile::outage::STORE_SAYS,
};

/// Whether every store of `named` that exists is of our class. An ExternalSecret that names another class's store anywhere
/// belongs to another operator: nothing of it is touched, not even its status.
pub fn all_of_our_class(ctx: &Ctx, named: &BTreeSet<StoreKey>) -> bool {
    named.iter().all(|(kind, key)| {
        let class = match kind {
            StoreKind::SecretStore => ctx.secret_stores.find(key).map(|store| Class::of(&store)),
            StoreKind::ClusterSecretStore => ctx.cluster_secret_stores.find(key).map(|store| Class::of(&store)),
        };
        class.is_none_or(|class| class.is_ours(&ctx.settings.class))
    })
}

/// The part of a store's spec that says whose it is; read even where the rest cannot be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Class {
    controller: Option<String>,
}

impl PartialEq for Class {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Class {
    pub fn of<K>(store: &Watched<K>) -> Self {
        store.spec().unwrap_or_default()
    }

    pub fn is_ours(&self, class: &str) -> bool {
        [None, Some(class)].contains(&self.name())
    }

    /// None: every operator's, also where it is empty.
    fn name(&self) -> Option<&str> {
        self.controller.as_deref().filter(|class| !class.is_empty())
    }
}

/// Whether this namespace may use every ClusterSecretStore that exists; the error to tell if not.
pub fn all_allowed(ctx: &Ctx, namespace: &str, plan: &Plan) -> Result<(), Error> {
    let cluster = plan.stores().into_iter().filter(|store| store.kind == StoreKind::ClusterSecretStore);
    let existing = cluster.filter_map(|store| Some((store, look_up(ctx, namespace, store)?)));
    for (store, found) in existing {
        allowed(ctx, namespace, store, &found.spec)?;
    }
    Ok(())
}

fn allowed(ctx: &Ctx, namespace: &str, store: &ResolvedStoreRef, spec: &SecretStoreSpec) -> Result<(), Error> {
    if store.kind != StoreKind::ClusterSecretStore || spec.conditions.is_empty() {
        return Ok(());
    }
    let labels = ctx.namespaces.labels(namespace);
    let allowed = may_use(&spec.conditions, namespace, &labels)
        .map_err(|problem| Error::fix(Code::StoreInvalid, format!("{store}: {problem}")))?;
    if allowed {
        return Ok(());
    }
    Err(Error::wait(
        Code::StoreNotAllowed,
        format!("{store} does not allow namespace \"{namespace}\"; ask its owner to extend spec.conditions"),
    ))
}

/// The store, if this namespace may use it now.
pub fn usable(ctx: &Ctx, namespace: &str, store: &ResolvedStoreRef) -> Result<StoreHandle, Error> {
    let Some(found) = look_up(ctx, namespace, store) else {
        let place = match store.kind {
            StoreKind::SecretStore => " (a SecretStore must be in this namespace)",
            StoreKind::ClusterSecretStore => "",
        };
        let message =
            format!("{store} does not exist; create it, or correct secretStoreRef or sourceRef.storeRef{place}");
        return Err(Error::wait(Code::StoreNotFound, message));
    };
    allowed(ctx, namespace, store, &found.spec)?;
    if ctx.settings.flood_gate && !found.ready {
        return Err(match found.why_not_ready {
            Some(why) => Error::wait(Code::StoreNotReady, format!("{store}{STORE_SAYS}{why}")),
            // Its first check is under way.
            None => Error::retry(Code::StoreNotReady, format!("{store}{STORE_SAYS}it has not been checked yet")),
        });
    }
    Ok(StoreHandle {
        kind: store.kind,
        name: store.name.clone(),
        namespace: found.namespace,
        uid: found.uid,
        generation: found.generation,
        spec: found.spec,
    })
}

/// Whether a store that the watch has not shown exists nevertheless: who applies it together with its user shall not read
/// that it is missing. Its event wakes the user.
pub async fn on_its_way(ctx: &Ctx, namespace: &str, store: &ResolvedStoreRef) -> Option<Error> {
    let client = ctx.client.clone();
    let found = match store.kind {
        StoreKind::SecretStore => {
            let found = Api::<SecretStore>::namespaced(client, namespace).get_metadata_opt(&store.name).await;
            found.map(|found| found.map(|found| found.metadata))
        }
        StoreKind::ClusterSecretStore => {
            let found = Api::<ClusterSecretStore>::all(client).get_metadata_opt(&store.name).await;
            found.map(|found| found.map(|found| found.metadata))
        }
    };
    let is_there = found.is_ok_and(|found| found.is_some_and(|meta| meta.deletion_timestamp.is_none()));
    let why = "it has just been created, and its event is on its way";
    is_there.then(|| Error::retry(Code::StoreNotReady, format!("{store}{STORE_SAYS}{why}")))
}

/// A store as the watch shows it.
struct Found {
    namespace: Option<String>,
    uid: String,
    generation: i64,
    spec: Arc<SecretStoreSpec>,
    ready: bool,
    why_not_ready: Option<String>,
}

/// The store in the version that the watch shows, usable or not.
pub fn version(ctx: &Ctx, namespace: &str, store: &ResolvedStoreRef) -> Option<Version> {
    Some(match store.kind {
        StoreKind::SecretStore => Version::from(&ctx.secret_stores.find(&ObjectKey::new(namespace, &store.name))?.meta),
        StoreKind::ClusterSecretStore => {
            Version::from(&ctx.cluster_secret_stores.find(&ObjectKey::new("", &store.name))?.meta)
        }
    })
}

fn look_up(ctx: &Ctx, namespace: &str, store: &ResolvedStoreRef) -> Option<Found> {
    match store.kind {
        StoreKind::SecretStore => {
            let object = ctx.secret_stores.find(&ObjectKey::new(namespace, &store.name))?;
            found(&object, Some(namespace.to_owned()))
        }
        StoreKind::ClusterSecretStore => {
            let object = ctx.cluster_secret_stores.find(&ObjectKey::new("", &store.name))?;
            found(&object, None)
        }
    }
}

fn found<K>(object: &Watched<K>, namespace: Option<String>) -> Option<Found> {
    let status: StoreStatus = object.status();
    let ready = api::condition::find(&status.conditions, READY);
    Some(Found {
        namespace,
        uid: object.uid().to_owned(),
        generation: object.generation(),
        // A spec that does not decode makes the store unusable; its own reconcile says why in its status.
        spec: Arc::new(object.spec().ok()?),
        ready: ready.is_some_and(api::condition::Condition::is_true),
        why_not_ready: ready.map(|condition| condition.message.clone()),
    })
}

#[cfg(test)]
mod tests {
    use api::store::SecretStore;
    use serde_json::json;

    use super::*;

    #[test]
    fn class_is_empty_or_ours_also_of_a_spec_that_cannot_be_read() {
        let class = |controller: &str| {
            let spec = json!({"controller": controller, "refreshInterval": {"not": "a duration"}});
            let metadata = json!({"name": "s", "namespace": "n", "resourceVersion": "1"});
            let store: Watched<SecretStore> =
                serde_json::from_value(json!({"metadata": metadata, "spec": spec})).expect("object");
            Class::of(&store)
        };
        assert!(class("").is_ours("default") && class("default").is_ours("default"));
        assert!(!class("blue").is_ours("default"));
    }
}
