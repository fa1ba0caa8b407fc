//! An ExternalSecret beside those of the model, by which is known that the controller has seen whose the store is.

use serde_json::json;
use tests::{Process, Result, wait};

use super::{STORE, Stage};
use crate::support::{SOON, manifest::external_secret};

/// Its name.
pub(super) const BYSTANDER: &str = "bystander";

impl Stage {
    /// A user of the store that has synced once and for all, and writes nothing: of all that can happen only the store's class
    /// wakes it, which no status tells.
    pub(super) async fn bystander_rests(&self) -> Result {
        let entry = json!({"secretKey": "a", "remoteRef": {"key": format!("{}-{BYSTANDER}", self.scene.namespace)}});
        let spec = json!({
            "secretStoreRef": {"name": STORE}, "refreshPolicy": "CreatedOnce", "target": {"creationPolicy": "None"},
            "data": [entry],
        });
        self.scene.apply(&external_secret(BYSTANDER, &spec)).await?;
        // The first step is the first CreateStore, so the store is not out yet.
        self.scene.is_synced(BYSTANDER).await.map(drop)
    }

    pub(super) async fn looks_of_bystander(&self, process: &Process) -> Result<Option<f64>> {
        let namespace = format!("namespace=\"{}\"", self.scene.namespace);
        let name = format!("name=\"{BYSTANDER}\"");
        process.metric("externalsecret_sync_calls_total", &[&name, &namespace]).await
    }

    pub(super) async fn bystander_is_looked_at(&self, process: &Process, before: Option<f64>) -> Result {
        wait::until("the controller to see whose the store is", SOON, || async {
            let now = self.looks_of_bystander(process).await.map_err(|failure| failure.to_string())?;
            if now > before { Ok(()) } else { Err(format!("{before:?} looks before, {now:?} now")) }
        })
        .await
    }
}
