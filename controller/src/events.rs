//! Events: told to the API server in the background, a few at a time, and never a reason for anything to fail.
//!
//! The same event again within [`LASTS`] is counted on the first one; another text is another event, so that none shows a
//! cause that is over. The queue is bounded. When more is told than the API server takes, the newest are dropped: events
//! are news for people, and conditions say the same. RBAC: events.k8s.io/events `create`, `patch`.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event as Written},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    runtime::events::{Event, EventType},
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::error::Error;

/// The handle; cheap to share, and the task behind it ends with it.
pub struct Events(mpsc::Sender<(Event, ObjectReference)>);

/// Events that wait: what a burst of a thousand created objects tells.
const WAITING: usize = 1024;

/// Calls at the same time: enough to keep up with first syncs, few enough not to compete with them.
const AT_ONCE: usize = 4;

impl Events {
    /// Events whose source is `controller`. Must be called inside a tokio runtime.
    pub fn start(client: Client, controller: &str) -> Self {
        let recorder = Recorder { client, controller: controller.to_owned(), told: Arc::default() };
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
                if let Err(error) = recorder.record(&event, &about).await {
                    tracing::debug!("an event was not recorded: {}", Error::kube("telling it", &error));
                }
            }
        })
        .await;
}

#[derive(Clone)]
struct Recorder {
    client: Client,
    controller: String,
    told: Arc<Mutex<Told>>,
}

impl Recorder {
    async fn record(&self, event: &Event, about: &ObjectReference) -> Result<(), kube::Error> {
        let now = Timestamp::now();
        let namespace = about.namespace.as_deref().unwrap_or("default");
        let api: Api<Written> = Api::namespaced(self.client.clone(), namespace);
        let digest = self.told().digest(event, about);
        let again = self.told().again(digest, now);
        if let Some((name, count)) = again {
            let series = json!({"series": {"count": count, "lastObservedTime": MicroTime(now)}});
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(series)).await {
                // The API server keeps events for a while only.
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                patched => return patched.map(drop),
            }
        }
        let written = written(&self.controller, event, about, now);
        let name = written.metadata.name.clone().unwrap_or_default();
        api.create(&PostParams::default(), &written).await?;
        self.told().first(digest, name, now);
        Ok(())
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Map operations only; none leaves it half-changed.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was told of late, by digest.
#[derive(Default)]
struct Told {
    events: HashMap<u64, Series>,
    hasher: RandomState,
}

struct Series {
    name: String,
    count: i32,
    last: Timestamp,
}

/// The time within which the same event is a repetition: what Kubernetes' own recorders take.
const LASTS: SignedDuration = SignedDuration::from_mins(6);

/// Series that are remembered; about 300 bytes each. With more, the oldest count as over.
const REMEMBERED: usize = 4096;

impl Told {
    fn digest(&self, event: &Event, about: &ObjectReference) -> u64 {
        let whom = (&about.kind, &about.namespace, &about.name, &about.uid);
        self.hasher.hash_one((whom, event.type_, &event.reason, &event.note))
    }

    /// Name and count of the event that is told once more.
    fn again(&mut self, digest: u64, now: Timestamp) -> Option<(String, i32)> {
        self.events.retain(|_, series| now.duration_since(series.last) < LASTS);
        let series = self.events.get_mut(&digest)?;
        series.count = series.count.saturating_add(1);
        series.last = now;
        Some((series.name.clone(), series.count))
    }

    fn first(&mut self, digest: u64, name: String, now: Timestamp) {
        if self.events.len() >= REMEMBERED
            && let Some(oldest) = self.events.iter().min_by_key(|(_, series)| series.last).map(|(digest, _)| *digest)
        {
            self.events.remove(&oldest);
        }
        self.events.insert(digest, Series { name, count: 1, last: now });
    }
}

fn written(controller: &str, event: &Event, about: &ObjectReference, now: Timestamp) -> Written {
    let type_ = match event.type_ {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    };
    Written {
        metadata: ObjectMeta {
            name: Some(name(about.name.as_deref().unwrap_or(controller), now)),
            namespace: Some(about.namespace.clone().unwrap_or_else(|| "default".to_owned())),
            ..ObjectMeta::default()
        },
        action: Some(event.action.clone()),
        event_time: Some(MicroTime(now)),
        note: event.note.clone(),
        reason: Some(event.reason.clone()),
        regarding: Some(about.clone()),
        related: event.secondary.clone(),
        reporting_controller: Some(controller.to_owned()),
        reporting_instance: Some(controller.to_owned()),
        type_: Some(type_.to_owned()),
        ..Written::default()
    }
}

/// The longest name that the API server takes.
const LONGEST_NAME: usize = 253;

/// The name of the object, shortened where both do not fit, and the time: what Kubernetes' own recorders call an event.
fn name(about: &str, now: Timestamp) -> String {
    let time = format!("{:x}", now.as_nanosecond());
    let room = LONGEST_NAME.saturating_sub(time.len() + 1);
    let end = (0..=room.min(about.len())).rev().find(|end| about.is_char_boundary(*end)).unwrap_or_default();
    // Cut anywhere, it may end with what no name ends with.
    let cut = about.get(..end).unwrap_or_default().trim_end_matches(['-', '.']);
    format!("{cut}.{time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("time")
    }

    #[test]
    fn event_of_an_object_with_a_long_name_has_a_name_that_fits() {
        assert_eq!(name("app", at(0)), format!("app.{:x}", at(0).as_nanosecond()));
        for about in ["a".repeat(253), format!("{}-.{}", "a".repeat(234), "b".repeat(17))] {
            let name = name(&about, at(0));
            assert!(name.len() <= LONGEST_NAME, "{} bytes", name.len());
            let (cut, time) = name.rsplit_once('.').expect("a time");
            assert!(about.starts_with(cut) && cut.ends_with('a') && !time.is_empty(), "{name}");
        }
    }

    #[test]
    fn same_event_is_counted_and_another_text_is_another_event() {
        let event = |note: &str| Event {
            type_: EventType::Warning,
            reason: "UpdateFailed".into(),
            note: Some(note.into()),
            action: "Reconcile".into(),
            secondary: None,
        };
        let about = ObjectReference { name: Some("app".into()), ..ObjectReference::default() };
        let mut told = Told::default();
        let (first, other) = (told.digest(&event("a"), &about), told.digest(&event("b"), &about));
        assert_eq!(told.again(first, at(0)), None);
        told.first(first, "app.1".into(), at(0));
        assert_eq!(told.again(first, at(1)), Some(("app.1".into(), 2)));
        assert_eq!(told.again(other, at(1)), None);
        assert_eq!(told.again(first, at(1 + 6 * 60)), None, "a repetition of the day before is news");
    }

    #[test]
    fn memory_is_bounded() {
        let mut told = Told::default();
        for digest in 0..=REMEMBERED as u64 {
            told.first(digest, "app.1".into(), at(i64::try_from(digest).expect("small")));
        }
        assert_eq!(told.events.len(), REMEMBERED);
        assert!(!told.events.contains_key(&0), "the oldest");
    }
}
