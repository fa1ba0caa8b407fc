//! What wakes the process between its regular looks: a change to one of its Secrets or configurations.
//!
//! One watch per name, metadata only: so RBAC can name each object (`watch` with `resourceNames` is granted to watches
//! that select by `metadata.name`), no key travels in a watch, and nothing is ever listed.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{WatchEvent, WatchParams};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Watches end every few minutes as a matter of course. One that ends, or is refused, again and again is asked for less
/// and less often.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A watch without a version tells first what there is, then what changes.
const FROM_NOW: &str = "";

/// Notifies of each change, until the returned set is dropped.
pub fn watch(
    client: &Client,
    namespace: &str,
    secrets: &[String],
    configurations: &[String],
    changed: &Arc<Notify>,
) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    for name in secrets {
        let api = Api::<Secret>::namespaced(client.clone(), namespace);
        watches.spawn(follow(api, name.clone(), changed.clone()));
    }
    for name in configurations {
        let api = Api::<ValidatingWebhookConfiguration>::all(client.clone());
        watches.spawn(follow(api, name.clone(), changed.clone()));
    }
    watches
}

async fn follow<K>(api: Api<K>, name: String, changed: Arc<Notify>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let params = WatchParams::default().fields(&format!("metadata.name={name}"));
    let mut pause = PAUSE_MIN;
    loop {
        match follow_once(&api, &params, &changed).await {
            Ok(()) => pause = PAUSE_MIN,
            Err(error) => tracing::warn!(kind = %K::kind(&()), name, %error, "watch interrupted"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        // What was deleted between two watches is told by none of them.
        changed.notify_one();
    }
}

/// One watch, until it ends.
async fn follow_once<K>(api: &Api<K>, params: &WatchParams, changed: &Notify) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let mut events = api.watch_metadata(params, FROM_NOW).await?.boxed();
    while let Some(event) = events.next().await {
        match event? {
            WatchEvent::Added(_) | WatchEvent::Modified(_) | WatchEvent::Deleted(_) => changed.notify_one(),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
        }
    }
    Ok(())
}
