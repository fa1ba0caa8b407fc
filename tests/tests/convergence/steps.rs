//! What people and backends do, and what is waited for, as data.

use kube::{
    ResourceExt,
    api::{DeleteParams, PropagationPolicy},
};
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::{
    support::{Ready, SOON, data},
    world::World,
};

/// One step. Manifests are filled in by [`World::filled`].
#[derive(Clone)]
pub enum Step {
    /// The entry `secret/NAMESPACE/db` holds this.
    Entry(Value),
    NoEntry,
    /// The entry `kv/NAMESPACE/db` holds this.
    MovedEntry(Value),
    /// The ServiceAccount `app` may log in to the store as the role `NAMESPACE`.
    Role,
    Apply(Value),
    /// A merge patch by somebody.
    Change(&'static str, &'static str, Value),
    EditSecret(&'static str, Value),
    /// The Secret `token` holds a token that the store takes, or one that it does not.
    Token {
        is_good: bool,
    },
    DeleteSecret(&'static str),
    Delete(&'static str, &'static str),
    /// The ExternalSecret goes and leaves its Secret behind, which is waited for.
    Orphan(&'static str),
    /// Waits until the store can be used.
    StoreValid,
    /// Waits until a check of the store has failed for the second time: the next is 10 s away.
    StoreFailsAgain,
    /// Waits until the Secret holds exactly this.
    Holds(&'static str, &'static [(&'static str, &'static str)]),
    /// Waits until the Secret holds this, whatever there is besides.
    HoldsAtLeast(&'static str, &'static [(&'static str, &'static str)]),
    /// Waits until the ExternalSecret is Ready as it is written now, for this reason.
    Ready(&'static str),
    /// Waits until the ExternalSecret says that it failed.
    Fails,
    /// Waits until the object is gone.
    Gone(&'static str, &'static str),
}

impl World {
    pub async fn take(&self, steps: &[Step]) -> Result {
        for step in steps {
            self.step(step).await?;
        }
        Ok(())
    }

    async fn step(&self, step: &Step) -> Result {
        let scene = &self.scene;
        let entry = format!("secret/{}/db", scene.namespace);
        match step {
            Step::Entry(value) => self.bao.put(&entry, value).await,
            Step::MovedEntry(value) => self.bao.put(&format!("kv/{}/db", scene.namespace), value).await,
            Step::NoEntry => self.bao.delete(&entry).await,
            Step::Role => self.role().await,
            Step::Apply(manifest) => scene.apply(&self.filled(manifest)?).await.map(drop),
            Step::Change(kind, name, patch) => {
                let api = scene.api(if *kind == "ConfigMap" { "v1" } else { crate::support::manifest::V1 }, kind);
                let patch = kube::api::Patch::Merge(self.filled(patch)?);
                api.patch(name, &kube::api::PatchParams::default(), &patch).await?;
                Ok(())
            }
            Step::EditSecret(name, patch) => scene.edit_secret(name, patch).await.map(drop),
            Step::Token { is_good } => {
                let token = if *is_good { &self.bao.root_token } else { "s.wrong" };
                scene.edit_secret("token", &json!({"stringData": {"token": token}})).await.map(drop)
            }
            Step::DeleteSecret(name) => scene.delete_secret(name).await,
            Step::Delete(kind, name) => {
                scene.ours(kind).delete(name, &DeleteParams::default()).await?;
                Ok(())
            }
            Step::Orphan(name) => {
                let orphan =
                    DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
                scene.ours("ExternalSecret").delete(name, &orphan).await?;
                wait::gone(&scene.ours("ExternalSecret"), name, SOON).await
            }
            Step::StoreValid => scene.store_is_valid("SecretStore", crate::world::STORE).await.map(drop),
            Step::StoreFailsAgain => self.store_fails_again().await,
            Step::Holds(name, values) => scene.holds(name, values).await.map(drop),
            Step::HoldsAtLeast(name, values) => self.holds_at_least(name, values).await,
            Step::Ready(reason) => self.ready(reason).await,
            Step::Fails => tests::resources::failed(scene.bed, &scene.namespace, "app").await.map(drop),
            Step::Gone("Secret", name) => wait::gone(&scene.secrets(), name, SOON).await,
            Step::Gone(kind, name) => wait::gone(&scene.ours(kind), name, SOON).await,
        }
    }

    async fn role(&self) -> Result {
        let namespace = &self.scene.namespace;
        let rules = format!("path \"secret/data/{namespace}/*\" {{ capabilities = [\"read\"] }}");
        self.bao.policy(namespace, &rules).await?;
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}});
        self.scene.apply(&account).await?;
        self.bao.kubernetes_role(self.scene.bed.admin()?, namespace, (namespace, "app"), &[namespace]).await
    }

    async fn store_fails_again(&self) -> Result {
        wait::until("two failures of the store", SOON, || async {
            let name = "controller_runtime_reconcile_errors_total";
            let failed = self.controller.metric(name, &["controller=\"secretstore\""]).await;
            let failed = failed.map_err(|failure| failure.to_string())?.unwrap_or_default();
            if failed >= 2.0 { Ok(()) } else { Err(format!("{failed}")) }
        })
        .await
    }

    async fn holds_at_least(&self, name: &str, values: &[(&str, &str)]) -> Result {
        wait::object(&self.scene.secrets(), name, &format!("at least {values:?}"), SOON, |secret| {
            let held = data(secret);
            values.iter().all(|(key, value)| held.get(*key).is_some_and(|held| held == value))
        })
        .await
        .map(drop)
    }

    async fn ready(&self, reason: &str) -> Result {
        let what = format!("to be Ready as {reason}");
        wait::object(&self.scene.ours("ExternalSecret"), "app", &what, SOON, |object| {
            let hash = api::hash::metadata_hash(object.labels(), object.annotations());
            let version = format!("{}-{hash}", object.metadata.generation.unwrap_or_default());
            let synced = object.data.pointer("/status/syncedResourceVersion");
            synced.is_some_and(|synced| *synced == version)
                && Ready::of(object).is_some_and(|ready| ready.reason == reason)
        })
        .await
        .map(drop)
    }
}
