//! A namespace of one test, with the controller of the file at work in it.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::{Namespace, Secret},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::{Bed, Binary, Failure, Process, Result, wait};

use super::{SOON, manifest};

/// The condition Ready of an object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ready {
    pub status: String,
    pub reason: String,
    pub message: String,
}

impl Ready {
    pub fn of(object: &DynamicObject) -> Option<Self> {
        let conditions = object.data.pointer("/status/conditions")?.as_array()?;
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
        let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        Some(Self { status: text("status"), reason: text("reason"), message: text("message") })
    }

    fn is(&self, status: &str, reason: &str) -> bool {
        self.status == status && self.reason == reason
    }
}

/// See the module documentation.
pub struct Scene {
    pub bed: &'static Bed,
    controller: Option<&'static Process>,
    pub namespace: String,
    pub client: Client,
}

impl Scene {
    pub async fn new(prefix: &str) -> Result<Self> {
        let bed = Bed::shared().await?;
        let controller = Some(super::controller(bed).await?);
        Ok(Self { bed, controller, namespace: bed.namespace(prefix).await?, client: bed.admin()? })
    }

    /// A scene whose controllers the test starts itself.
    pub async fn without_controller(prefix: &str) -> Result<Self> {
        Self::without_controller_in(Bed::shared().await?, prefix).await
    }

    /// The same in a bed that is not everybody's.
    pub async fn without_controller_in(bed: &'static Bed, prefix: &str) -> Result<Self> {
        super::install(bed).await?;
        Ok(Self { bed, controller: None, namespace: bed.namespace(prefix).await?, client: bed.admin()? })
    }

    /// A scene with a controller of its own, for this namespace and with these flags.
    pub async fn with_flags(prefix: &str, flags: &[&str]) -> Result<Self> {
        let scene = Self::without_controller(prefix).await?;
        let flags = [&["--namespace", &scene.namespace], flags].concat();
        let controller = scene.bed.operator(Binary::Controller, &flags).await?;
        // Ends with the test process, as that of a whole file does.
        Ok(Self { controller: Some(Box::leak(Box::new(controller))), ..scene })
    }

    /// A scene with the store `store`, which holds `password: first`, and the ExternalSecret `app`, which has synced it. The
    /// Secret is what no failure may touch.
    pub async fn synced(prefix: &str) -> Result<(Self, Secret)> {
        let scene = Self::new(prefix).await?;
        scene.apply(&manifest::secret_store("store", &manifest::fake(&[("password", "first")]))).await?;
        let spec = manifest::reads("store", &[("password", "password")]);
        scene.apply(&manifest::external_secret("app", &spec)).await?;
        let secret = scene.holds("app", &[("password", "first")]).await?;
        scene.is_synced("app").await?;
        Ok((scene, secret))
    }

    /// A name for an object of the whole cluster that no other test has.
    pub fn unique(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// Objects of a kind in this namespace, or of the cluster.
    pub fn api(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match kind {
            "ClusterSecretStore" | "Namespace" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
        }
    }

    /// Objects of one of our kinds.
    pub fn ours(&self, kind: &str) -> Api<DynamicObject> {
        self.api(manifest::V1, kind)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an object or makes it what the manifest says.
    pub async fn apply(&self, manifest: &Value) -> Result<DynamicObject> {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let api = self.api(text("/apiVersion"), text("/kind"));
        let params = PatchParams::apply("test").force();
        let applied = api.patch(text("/metadata/name"), &params, &Patch::Apply(manifest)).await;
        applied.map_err(|error| {
            Failure::from(error).during(format!("applying {} {}", text("/kind"), text("/metadata/name")))
        })
    }

    /// Changes an object of ours with a merge patch, as another writer.
    pub async fn change(&self, kind: &str, name: &str, patch: &Value) -> Result<DynamicObject> {
        Ok(self.ours(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
    }

    /// Changes a Secret with a merge patch, as somebody else would.
    pub async fn edit_secret(&self, name: &str, patch: &Value) -> Result<Secret> {
        Ok(self.secrets().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
    }

    pub async fn delete_secret(&self, name: &str) -> Result {
        self.secrets().delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    pub async fn label_namespace(&self, labels: &Value) -> Result {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let patch = json!({"metadata": {"labels": labels}});
        namespaces.patch(&self.namespace, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Asks for a refresh as users do.
    pub async fn force_sync(&self, name: &str) -> Result<DynamicObject> {
        let now = jiff::Timestamp::now().to_string();
        self.change("ExternalSecret", name, &json!({"metadata": {"annotations": {"force-sync": now}}})).await
    }

    /// Waits until the Secret holds exactly these values.
    pub async fn holds(&self, name: &str, values: &[(&str, &str)]) -> Result<Secret> {
        let wanted: BTreeMap<String, String> =
            values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        wait::object(&self.secrets(), name, &format!("data {wanted:?}"), SOON, |secret| data(secret) == wanted).await
    }

    /// Waits until the ExternalSecret has synced its present spec.
    pub async fn is_synced(&self, name: &str) -> Result<DynamicObject> {
        self.settled(name, |ready| ready.is("True", "SecretSynced")).await
    }

    /// Waits until the present spec of the ExternalSecret was taken up and its condition is as wanted.
    pub async fn settled(&self, name: &str, holds: impl Fn(&Ready) -> bool) -> Result<DynamicObject> {
        wait::object(&self.ours("ExternalSecret"), name, "to be settled", SOON, |object| {
            is_taken_up(object) && Ready::of(object).is_some_and(|ready| holds(&ready))
        })
        .await
    }

    /// Waits until the ExternalSecret says that it failed, with this code, and returns what it says.
    pub async fn fails(&self, name: &str, code: &str) -> Result<Ready> {
        let external_secrets = self.ours("ExternalSecret");
        let opening = format!("{code}: ");
        let is_failure = |ready: &Ready| {
            ready.is("False", "SecretSyncedError")
                && ready.message.starts_with(&opening)
                // A step on the way, when the ExternalSecret was faster than the check of its store.
                && !ready.message.ends_with("it has not been checked yet")
        };
        let what = format!("to fail with {code}");
        let failed = wait::object(&external_secrets, name, &what, SOON, |object| {
            Ready::of(object).is_some_and(|ready| is_failure(&ready))
        })
        .await?;
        Ok(Ready::of(&failed).unwrap_or_default())
    }

    /// Waits until the store of the kind is usable.
    pub async fn store_is_valid(&self, kind: &str, name: &str) -> Result<DynamicObject> {
        let is_valid = |object: &DynamicObject| Ready::of(object).is_some_and(|ready| ready.is("True", "Valid"));
        wait::object(&self.ours(kind), name, "to be valid", SOON, is_valid).await
    }

    /// Waits until the store says that it cannot be used, with this code, and returns what it says.
    pub async fn store_fails(&self, kind: &str, name: &str, code: &str) -> Result<Ready> {
        let opening = format!("{code}: ");
        let is_failure =
            |ready: &Ready| ready.is("False", "InvalidProviderConfig") && ready.message.starts_with(&opening);
        let failed = wait::object(&self.ours(kind), name, &format!("to fail with {code}"), SOON, |object| {
            Ready::of(object).is_some_and(|ready| is_failure(&ready))
        })
        .await?;
        Ok(Ready::of(&failed).unwrap_or_default())
    }

    /// Fails unless the Secret is the very one it was, in its version and its data.
    pub async fn is_untouched(&self, before: &Secret) -> Result {
        let now = self.secrets().get(&before.name_any()).await?;
        assert_eq!(data(&now), data(before), "the data of the Secret has changed");
        assert_eq!(version(&now), version(before), "the Secret was written: {:?}", now.metadata);
        Ok(())
    }

    /// Reconciles of an ExternalSecret that have ended, by the controller's own count.
    pub async fn reconciles(&self, name: &str) -> Result<f64> {
        self.count("externalsecret_sync_calls_total", name).await
    }

    /// Those that failed.
    pub async fn failures(&self, name: &str) -> Result<f64> {
        self.count("externalsecret_sync_calls_error", name).await
    }

    /// Waits until the controller has looked at the ExternalSecret again since there were `before` reconciles.
    pub async fn is_looked_at(&self, name: &str, before: f64) -> Result {
        wait::until(&format!("a reconcile of {name}"), SOON, || async {
            let now = self.reconciles(name).await.map_err(|failure| failure.to_string())?;
            if now > before { Ok(()) } else { Err(format!("there were {now}")) }
        })
        .await
    }

    /// Waits until the ExternalSecret has failed this often in all.
    pub async fn has_failed(&self, name: &str, times: f64) -> Result {
        wait::until(&format!("{times} failures of {name}"), SOON, || async {
            let now = self.failures(name).await.map_err(|failure| failure.to_string())?;
            if now >= times { Ok(()) } else { Err(format!("there were {now}")) }
        })
        .await
    }

    /// The value of one of the controller's metrics about an object of this namespace; zero while there is none.
    pub async fn count(&self, metric: &str, name: &str) -> Result<f64> {
        let controller = self.controller.ok_or_else(|| Failure::new("this scene has no controller of its own"))?;
        let labels = [format!("name=\"{name}\""), format!("namespace=\"{}\"", self.namespace)];
        Ok(controller.metric(metric, &labels.each_ref().map(String::as_str)).await?.unwrap_or_default())
    }
}

/// Whether the status was written for the spec as it is.
fn is_taken_up(object: &DynamicObject) -> bool {
    let synced = object.data.pointer("/status/syncedResourceVersion").and_then(Value::as_str).unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    synced.split_once('-').is_some_and(|(synced, _)| synced == generation.to_string())
}

/// The data of a Secret as text.
pub fn data(secret: &Secret) -> BTreeMap<String, String> {
    let pairs = secret.data.iter().flatten();
    pairs.map(|(key, ByteString(value))| (key.clone(), String::from_utf8_lossy(value).into_owned())).collect()
}

/// The resource version of any object.
pub fn version(object: &impl ResourceExt) -> String {
    object.resource_version().unwrap_or_default()
}

/// Fails unless the message has every one of the words.
pub fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}
