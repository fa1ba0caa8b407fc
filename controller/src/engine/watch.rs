//! Follows one kind and feeds a [`Sink`].
//!
//! kube's watcher does the protocol: paged list, then watch, relist after expiry (410), backoff after drops. Objects
//! pass through one by one and are never collected here. RBAC: `list`, `watch` of the kind.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

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
}

/// Objects per list page: bounds what a page of large objects, such as Secrets of 1 MiB, can cost in memory.
const PAGE: u32 = 50;

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
}

/// Starts following. `selector` is a label selector, empty for all. Ends with `token`.
pub fn follow<K>(api: Api<K>, selector: &str, sink: Arc<impl Sink<K>>, token: CancellationToken) -> Synced
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default + Clone,
{
    let mut config = watcher::Config::default().any_semantic().page_size(PAGE);
    if !selector.is_empty() {
        config = config.labels(selector);
    }
    let (done, synced) = watch::channel(false);
    tokio::spawn(async move {
        let kind = K::kind(&K::DynamicType::default()).into_owned();
        let events = watcher(api, config).backoff(watcher::DefaultBackoff::default());
        pin_mut!(events);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = token.cancelled() => return,
            };
            match event {
                Some(Ok(event)) => feed(event, sink.as_ref(), &done),
                // The watcher goes on by itself after its backoff.
                Some(Err(error)) => tracing::warn!(%kind, "watching {kind}: {}; trying again", reason(&error)),
                None => return,
            }
        }
    });
    Synced(synced)
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

/// The cause without the object text that a decoding error quotes.
fn reason(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match error {
            kube::Error::Api(status) => format!("the API server answered {}: {}", status.code, status.message),
            kube::Error::SerdeError(_) => "an object could not be decoded".to_owned(),
            other => other.to_string(),
        },
        watcher::Error::WatchError(status) => format!("the API server answered {}: {}", status.code, status.message),
        watcher::Error::NoResourceVersion => "the API server's list has no resource version".to_owned(),
    }
}

/// How long start-up waits for the first lists before it says which one is missing.
pub const FIRST_LIST_PATIENCE: Duration = Duration::from_secs(30);
