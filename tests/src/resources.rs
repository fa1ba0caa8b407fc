//! Waiting for stores, ExternalSecrets and the controller, as every test of them does.

use std::time::Duration;

use api::{
    condition::{self, Condition},
    external_secret::ExternalSecret,
    names::{
        condition_reason::{SECRET_SYNCED, VALID},
        condition_type::READY,
    },
    store::{ClusterSecretStore, SecretStore, StoreStatus},
};
use kube::Api;

use crate::{bed::Bed, failure::Result, operator::Process, wait};

/// A reconcile takes milliseconds; a machine that also runs other tests takes longer, and a retry after a backoff longer still.
pub const SOON: Duration = Duration::from_secs(30);

/// Waits until the ExternalSecret is synced as it is written now.
pub async fn synced(bed: &Bed, namespace: &str, name: &str) -> Result<ExternalSecret> {
    let api: Api<ExternalSecret> = Api::namespaced(bed.admin()?, namespace);
    wait::object(&api, name, "SecretSynced", SOON, is_synced).await
}

/// Waits until the ExternalSecret is not Ready, and returns what it says.
pub async fn failed(bed: &Bed, namespace: &str, name: &str) -> Result<Condition> {
    let api: Api<ExternalSecret> = Api::namespaced(bed.admin()?, namespace);
    let object = wait::object(&api, name, "a failure", SOON, |object| {
        ready(object).is_some_and(|condition| !condition.is_true())
    })
    .await?;
    Ok(ready(&object).cloned().unwrap_or_default())
}

/// Waits until the SecretStore is Valid.
pub async fn valid_store(bed: &Bed, namespace: &str, name: &str) -> Result<SecretStore> {
    let api: Api<SecretStore> = Api::namespaced(bed.admin()?, namespace);
    wait::object(&api, name, "Valid", SOON, |store| is_valid(store.status.as_ref())).await
}

/// Waits until the ClusterSecretStore is Valid.
pub async fn valid_cluster_store(bed: &Bed, name: &str) -> Result<ClusterSecretStore> {
    let api: Api<ClusterSecretStore> = Api::all(bed.admin()?);
    wait::object(&api, name, "Valid", SOON, |store| is_valid(store.status.as_ref())).await
}

/// Waits until each of the controllers has reconciled at least so many times, holds nothing and has nothing waiting.
pub async fn settled(controller: &Process, at_least: &[(&str, f64)]) -> Result {
    wait::until("the controller to be at rest", SOON, || async {
        for (kind, turns) in at_least {
            let label = format!("controller=\"{kind}\"");
            for (metric, holds) in [
                ("controller_runtime_reconcile_total", (|seen, wanted| seen >= wanted) as fn(f64, f64) -> bool),
                ("workqueue_depth", |seen, _| seen == 0.0),
                ("controller_runtime_active_workers", |seen, _| seen == 0.0),
            ] {
                let seen = controller.metric(metric, &[&label]).await.map_err(|failure| failure.to_string())?;
                if !seen.is_some_and(|seen| holds(seen, *turns)) {
                    return Err(format!("{metric} of {kind} is {seen:?}"));
                }
            }
        }
        Ok(())
    })
    .await
}

fn is_synced(object: &ExternalSecret) -> bool {
    let version = object.status.as_ref().and_then(|status| status.synced_resource_version.as_deref());
    let generation =
        version.and_then(|version| version.split_once('-')).and_then(|(generation, _)| generation.parse().ok());
    generation == object.metadata.generation
        && ready(object).is_some_and(|condition| condition.is_true() && condition.reason == SECRET_SYNCED)
}

fn ready(object: &ExternalSecret) -> Option<&Condition> {
    condition::find(object.status.as_ref().map_or(&[], |status| &status.conditions), READY)
}

fn is_valid(status: Option<&StoreStatus>) -> bool {
    let ready = status.and_then(|status| condition::find(&status.conditions, READY));
    ready.is_some_and(|condition| condition.is_true() && condition.reason == VALID)
}
