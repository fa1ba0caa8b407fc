//! A namespace with a store, a proxy and a controller of its own behind it.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Bed, Binary, OpenBao, Process, Proxy, Result, resources::settled, wait};
use tokio::sync::Semaphore;

use crate::support::{
    SOON, Scene,
    manifest::{secret, secret_store},
};

/// After so long without a request, and with empty queues, a controller is done: events are the last thing it tells, milliseconds
/// after the rest.
const QUIET: Duration = Duration::from_millis(400);

/// Controllers at the same time: more would wait for the two cores of a small machine.
pub static PLACES: Semaphore = Semaphore::const_new(4);

/// The name of the SecretStore.
pub const STORE: &str = "store";

/// See the module documentation.
pub struct World {
    pub scene: Scene,
    pub bao: &'static OpenBao,
    pub proxy: Proxy,
    pub controller: Process,
}

impl World {
    /// With a controller that has nothing to do yet.
    pub async fn new(prefix: &str) -> Result<Self> {
        Self::in_bed(Bed::shared().await?, prefix).await
    }

    /// The same in a bed that is not everybody's.
    pub async fn in_bed(bed: &'static Bed, prefix: &str) -> Result<Self> {
        let scene = Scene::without_controller_in(bed, prefix).await?;
        let bao = scene.bed.bao().await?;
        let proxy = scene.bed.proxy(&scene.namespace).await?;
        scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
        scene.apply(&secret("bystander", &[("of", "others")])).await?;
        let flags = ["--namespace", &scene.namespace, "--enable-cluster-store-reconciler=false"];
        let controller = scene.bed.operator_with(Binary::Controller, &flags, &proxy.environment()).await?;
        Ok(Self { scene, bao, proxy, controller })
    }

    /// The manifest with the names of this world in place of `NAMESPACE` and `PROXY` (the store's address).
    pub fn filled(&self, manifest: &Value) -> Result<Value> {
        let text = manifest.to_string();
        let text = text.replace("NAMESPACE", &self.scene.namespace).replace("PROXY", self.proxy.store());
        Ok(serde_json::from_str(&text)?)
    }

    /// Waits until times in whole seconds tell what comes from what was: a refresh in the second of the one before it has
    /// nothing to write to the status.
    pub async fn next_second(&self) -> Result {
        let now = jiff::Timestamp::now().as_second();
        wait::until("the next second", SOON, || async {
            if jiff::Timestamp::now().as_second() > now { Ok(()) } else { Err("it is the same".to_owned()) }
        })
        .await
    }

    /// Waits until it is at rest and has had the time to hear of what happened before this, also where it has nothing to do.
    pub async fn at_rest_from_now(&self) -> Result {
        self.proxy.stirred();
        self.at_rest(0.0).await
    }

    /// Waits until the controller has looked at so many stores, holds nothing, has nothing waiting and tells nothing more.
    pub async fn at_rest(&self, stores: f64) -> Result {
        let turns = [("externalsecret", 0.0), ("secretstore", stores)];
        settled(&self.controller, &turns).await?;
        self.proxy.quiet(QUIET, SOON).await?;
        settled(&self.controller, &turns).await
    }
}

/// The store over the proxy, with these fields of `spec.provider.vault` besides.
pub fn store(auth: &Value, path: &str) -> Value {
    let vault = json!({"server": "PROXY", "path": path, "version": "v2", "auth": auth});
    secret_store(STORE, &json!({"vault": vault}))
}

/// By the token in the Secret `token`.
pub fn token() -> Value {
    json!({"tokenSecretRef": {"name": "token", "key": "token"}})
}
