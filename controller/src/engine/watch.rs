//! Follows one kind and feeds a [`Sink`].
//!
//! kube's watcher does the protocol: paged list, then watch, relist after expiry (410), backoff after drops. Objects
//! pass through one by one and are never collected here. A watch that is [optional](Scope::optional) goes on asking,
//! slowly, when it is not permitted. RBAC: `list`, `watch` of the kind.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Where objects of one kind arrive. Calls come from one task, in order.
pub trait Sink<K>: Send + Sync + 'static {
    /// A full list begins; what it does not show by `listed` is gone.
    fn listing(&self);
    /// An object is there, new or changed or just listed again.
    fn applied(&self, object: K);
    /// An object is gone, or does not match the selector any more.
    fn deleted(&self, object: K);
    /// The list is complete.
    fn listed(&self);
    /// The watch is not permitted (any more): nothing is told until the next `listed`.
    fn lost(&self) {}
}

/// Several sinks that one watch feeds.
pub struct Fan<K>(pub Vec<Arc<dyn Sink<K>>>);

impl<K: Clone + 'static> Sink<K> for Fan<K> {
    fn listing(&self) {
        self.0.iter().for_each(|sink| sink.listing());
    }

    fn applied(&self, object: K) {
        self.0.iter().for_each(|sink| sink.applied(object.clone()));
    }

    fn deleted(&self, object: K) {
        self.0.iter().for_each(|sink| sink.deleted(object.clone()));
    }

    fn listed(&self) {
        self.0.iter().for_each(|sink| sink.listed());
    }

    fn lost(&self) {
        self.0.iter().for_each(|sink| sink.lost());
    }
}

/// Objects per list page: bounds what a page of large objects, such as Secrets of 1 MiB, can cost in memory.
const PAGE: u32 = 50;

/// The same where only metadata is sent: a page is some hundred kilobytes.
const PAGE_OF_METADATA: u32 = 250;

/// Time between two attempts of an optional watch that is not permitted. RBAC is not mended by asking more often.
const FORBIDDEN_PAUSE: Duration = Duration::from_mins(5);

/// Which objects to follow, and how much depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// A label selector, empty for all.
    pub selector: &'a str,
    /// Set where the process does its work without the watch: what it does less well then, and what mends it. Told once
    /// when the watch is not permitted.
    pub optional: Option<&'static str>,
    /// The kind, where its type does not tell.
    pub kind: &'a str,
}

/// Which watches have seen their first full list; workers start when all have.
#[derive(Clone)]
pub struct Synced(watch::Receiver<bool>);

impl Synced {
    /// Ends when the first list is complete, or when the watch is gone.
    pub async fn wait(&mut self) {
        let _ = self.0.wait_for(|synced| *synced).await;
    }

    pub fn is_done(&self) -> bool {
        *self.0.borrow()
    }

    /// Whether the task that watches has ended, by a panic or because the process stops.
    pub fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }
}

/// Starts following. Ends with `token`.
pub fn follow<K>(api: Api<K>, scope: Scope<'_>, sink: Arc<impl Sink<K>>, token: CancellationToken) -> Synced
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default + Clone,
{
    // A list from the API server's cache comes in one piece, whatever the page. What is selected fits; all there is of
    // a kind may not.
    let config = watcher::Config::default();
    let mut config =
        if K::metadata_api() { config.page_size(PAGE_OF_METADATA) } else { config.any_semantic().page_size(PAGE) };
    if !scope.selector.is_empty() {
        config = config.labels(scope.selector);
    }
    let optional = scope.optional;
    let kind = match scope.kind {
        "" => K::kind(&K::DynamicType::default()).into_owned(),
        kind => kind.to_owned(),
    };
    let (done, synced) = watch::channel(false);
    tokio::spawn(async move {
        let following = run(api, config, &kind, optional, sink.as_ref(), &done);
        tokio::select! {
            () = following => {}
            () = token.cancelled() => {}
        }
    });
    Synced(synced)
}

async fn run<K>(
    api: Api<K>,
    config: watcher::Config,
    kind: &str,
    optional: Option<&'static str>,
    sink: &impl Sink<K>,
    done: &watch::Sender<bool>,
) where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Clone,
{
    let events = watcher(api, config).backoff(watcher::DefaultBackoff::default());
    pin_mut!(events);
    let mut told = false;
    while let Some(event) = events.next().await {
        // After an error the watcher goes on by itself, after its backoff.
        match (event, optional) {
            (Ok(event), _) => {
                feed(event, sink, done);
                told = false;
            }
            (Err(error), Some(hint)) if is_forbidden(&error) => {
                if !told {
                    tracing::warn!(%kind, "{}; {hint}", reason(kind, error));
                }
                told = true;
                sink.lost();
                tokio::time::sleep(FORBIDDEN_PAUSE).await;
            }
            (Err(error), _) => tracing::warn!(%kind, "{}; trying again", reason(kind, error)),
        }
    }
}

fn feed<K>(event: watcher::Event<K>, sink: &impl Sink<K>, done: &watch::Sender<bool>) {
    match event {
        watcher::Event::Init => sink.listing(),
        watcher::Event::InitApply(object) | watcher::Event::Apply(object) => sink.applied(object),
        watcher::Event::Delete(object) => sink.deleted(object),
        watcher::Event::InitDone => {
            sink.listed();
            done.send_replace(true);
        }
    }
}

fn is_forbidden(error: &watcher::Error) -> bool {
    use kube::Error::Api;
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(Api(status))
        | WatchStartFailed(Api(status))
        | WatchFailed(Api(status))
        | WatchError(status) => {
            matches!(status.code, 401 | 403)
        }
        _ => false,
    }
}

/// The cause, of which only names are told: a conversion webhook words its refusal as it likes, and a decoder quotes what it
/// could not read.
fn reason(kind: &str, error: watcher::Error) -> String {
    let act = format!("watching {kind}");
    let error = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => kube::Error::Api(status),
        watcher::Error::NoResourceVersion => return format!("{act}: the API server's list has no resource version"),
    };
    Error::kube(&act, &error).message().to_owned()
}

/// How long start-up waits for the first lists before it says which one is missing.
pub const FIRST_LIST_PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;
    use crate::provider::fixture::kube_client;

    #[test]
    fn failed_watch_is_told_by_names_and_quotes_no_object() {
        let status = |code: u16, message: &str| {
            let status = kube::core::Status { code, message: message.into(), ..kube::core::Status::default() };
            Box::new(status)
        };
        let unread = serde_json::from_str::<u8>("\"canary\"").expect_err("text is no number");
        let converted = "conversion webhook for example.com/v1, Kind=Setting failed: object canary";
        for error in [
            watcher::Error::InitialListFailed(kube::Error::Api(status(500, converted))),
            watcher::Error::WatchStartFailed(kube::Error::Api(status(403, "canary"))),
            watcher::Error::WatchFailed(kube::Error::SerdeError(unread)),
            watcher::Error::WatchError(status(410, "canary")),
        ] {
            let told = reason("Setting", error);
            assert!(told.starts_with("watching Setting: ") && !told.contains("canary"), "{told}");
        }
        let forbidden = "secrets is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"secrets\" in API \
                         group \"\" at the cluster scope";
        let told = reason("Secret", watcher::Error::InitialListFailed(kube::Error::Api(status(403, forbidden))));
        assert!(told.contains("cannot list resource \"secrets\"") && told.contains("RBAC"), "{told}");
    }

    struct Defective;

    impl Sink<ConfigMap> for Defective {
        fn listing(&self) {}

        fn applied(&self, _: ConfigMap) {
            panic!("canary");
        }

        fn deleted(&self, _: ConfigMap) {}

        fn listed(&self) {}
    }

    #[tokio::test]
    async fn watch_whose_sink_panics_is_over() {
        let list = json!({
            "kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"},
            "items": [{"metadata": {"name": "a", "namespace": "n"}}],
        });
        let client = kube_client(move |_| (200, list.clone()));
        let mut synced =
            follow(Api::<ConfigMap>::all(client), Scope::default(), Arc::new(Defective), CancellationToken::new());
        assert!(!synced.is_over());
        synced.wait().await;
        assert!(synced.is_over() && !synced.is_done());
    }
}
