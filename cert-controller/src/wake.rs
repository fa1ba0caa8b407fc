//! What wakes the process between its regular looks: a change to one of its Secrets or configurations.
//!
//! Metadata only, one watch per name: so RBAC can name each object (`list` and `watch` with `resourceNames` are granted
//! to watches that select by `metadata.name`), and no key travels in a watch.

use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

/// One item per change, for ever. Interrupted watches are resumed with backoff.
pub fn wakes(
    client: &Client,
    namespace: &str,
    secrets: &[String],
    configurations: &[String],
) -> BoxStream<'static, ()> {
    let secrets = secrets.iter().map(|name| changes::<Secret>(Api::namespaced(client.clone(), namespace), name));
    let configurations =
        configurations.iter().map(|name| changes::<ValidatingWebhookConfiguration>(Api::all(client.clone()), name));
    select_all(secrets.chain(configurations)).boxed()
}

fn changes<K>(api: Api<PartialObjectMeta<K>>, name: &str) -> BoxStream<'static, ()>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let kind = K::kind(&()).into_owned();
    let object = name.to_owned();
    let config = Config::default().any_semantic().fields(&format!("metadata.name={name}"));
    let changes = watcher(api, config).default_backoff().filter_map(move |event| {
        let wakes = match event {
            Ok(Event::Apply(_) | Event::InitApply(_) | Event::Delete(_)) => Some(()),
            Ok(Event::Init | Event::InitDone) => None,
            Err(error) => {
                tracing::warn!(kind, name = object, %error, "watch interrupted");
                None
            }
        };
        std::future::ready(wakes)
    });
    changes.boxed()
}
