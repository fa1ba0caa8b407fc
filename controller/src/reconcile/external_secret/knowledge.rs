//! Whether what a decision was made from still holds.
//!
//! Watches can be late. Most of what is written on old knowledge is put right when the news come; what others made and
//! what is deleted does not come back. Before such a write the API server is asked whether the ExternalSecret, and where
//! data goes because a store has none the stores too, are still those that the decision knew. Refreshes whose target is as
//! it was left never ask. RBAC: externalsecrets, secretstores, clustersecretstores `get`.

use std::fmt::Debug;

use api::{
    external_secret::ExternalSecret,
    plan::{Plan, ResolvedStoreRef},
    reference::StoreKind,
    store::{ClusterSecretStore, SecretStore},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::stores;
use crate::{
    ctx::Ctx,
    engine::{ObjectKey, object::Watched},
    error::{Code, Error},
};

/// What one reconcile started from.
pub struct Knowledge<'a> {
    ctx: &'a Ctx,
    key: &'a ObjectKey,
    object: &'a Watched<ExternalSecret>,
    stores: Vec<(ResolvedStoreRef, Version)>,
}

/// An object as its author wrote it: the status does not count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    pub uid: String,
    pub generation: i64,
}

impl From<&ObjectMeta> for Version {
    fn from(meta: &ObjectMeta) -> Self {
        Self { uid: meta.uid.clone().unwrap_or_default(), generation: meta.generation.unwrap_or_default() }
    }
}

impl<'a> Knowledge<'a> {
    /// As the watches show it now: before anything is fetched.
    pub fn now(ctx: &'a Ctx, key: &'a ObjectKey, object: &'a Watched<ExternalSecret>, plan: &Plan) -> Self {
        let mut stores: Vec<(ResolvedStoreRef, Version)> = Vec::new();
        for entry in &plan.entries {
            if stores.iter().all(|(known, _)| *known != entry.store)
                && let Some(version) = stores::version(ctx, key.namespace(), &entry.store)
            {
                stores.push((entry.store.clone(), version));
            }
        }
        Self { ctx, key, object, stores }
    }

    /// Fails as [`Code::Superseded`] when the ExternalSecret has changed or is going.
    pub async fn confirm(&self) -> Result<(), Error> {
        let api: Api<ExternalSecret> = Api::namespaced(self.ctx.client.clone(), self.key.namespace());
        let what = format!("externalsecret {}", self.key);
        confirm(&api, self.key.name(), &Version::from(&self.object.meta), &what).await
    }

    /// The same, also when one of its stores has changed: for what goes because a store has it no more.
    pub async fn confirm_with_stores(&self) -> Result<(), Error> {
        self.confirm().await?;
        for (store, version) in &self.stores {
            let client = self.ctx.client.clone();
            let (name, what) = (store.name.as_str(), store.to_string());
            match store.kind {
                StoreKind::SecretStore => {
                    let api: Api<SecretStore> = Api::namespaced(client, self.key.namespace());
                    confirm(&api, name, version, &what).await?;
                }
                StoreKind::ClusterSecretStore => {
                    let api: Api<ClusterSecretStore> = Api::all(client);
                    confirm(&api, name, version, &what).await?;
                }
            }
        }
        Ok(())
    }
}

async fn confirm<K>(api: &Api<K>, name: &str, known: &Version, what: &str) -> Result<(), Error>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let now = api.get_metadata_opt(name).await.map_err(|error| Error::kube(&format!("reading {what}"), &error))?;
    let holds =
        now.is_some_and(|now| now.metadata.deletion_timestamp.is_none() && Version::from(&now.metadata) == *known);
    if holds {
        return Ok(());
    }
    let message = format!("{what} has changed since this was decided; the change is on its way");
    Err(Error::retry(Code::Superseded, message))
}
