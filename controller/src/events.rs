//! Events: told to the API server in the background, a few at a time, and never a reason for anything to fail.
//!
//! The queue is bounded. When more is told than the API server takes, the newest are dropped: events are news for
//! people, and conditions say the same. RBAC: events.k8s.io/events `create`, `patch`.

use futures::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, Recorder, Reporter},
};
use tokio::sync::mpsc;

/// The handle; cheap to share, and the task behind it ends with it.
pub struct Events(mpsc::Sender<(Event, ObjectReference)>);

/// Events that wait: what a burst of a thousand created objects tells.
const WAITING: usize = 1024;

/// Calls at the same time: enough to keep up with first syncs, few enough not to compete with them.
const AT_ONCE: usize = 4;

impl Events {
    /// Events whose source is `controller`. Must be called inside a tokio runtime.
    pub fn start(client: Client, controller: &str) -> Self {
        let recorder = Recorder::new(client, Reporter { controller: controller.to_owned(), instance: None });
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(publish_all(recorder, receiver));
        Self(sender)
    }

    pub fn publish(&self, event: Event, about: ObjectReference) {
        if self.0.try_send((event, about)).is_err() {
            tracing::debug!("an event was dropped: more is told than the API server takes");
        }
    }
}

async fn publish_all(recorder: Recorder, mut receiver: mpsc::Receiver<(Event, ObjectReference)>) {
    let waiting = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    waiting
        .for_each_concurrent(AT_ONCE, |(event, about)| {
            let recorder = recorder.clone();
            async move {
                if let Err(error) = recorder.publish(&event, &about).await {
                    tracing::debug!("an event was not recorded: {error}");
                }
            }
        })
        .await;
}
