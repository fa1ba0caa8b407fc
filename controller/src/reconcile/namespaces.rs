//! What is known of every namespace: its labels, by which a ClusterSecretStore may be limited, and whether it is being
//! deleted.
//!
//! RBAC: namespaces `list`, `watch`. An operator limited to one namespace does not watch; it knows the one label that
//! every namespace has, learns from a refused write that the namespace is going, and [asks](Namespaces::ask) before it
//! tells that something is gone. RBAC for that, which a Role in the namespace can give: namespaces `get`. Without it, what
//! went first is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, ResourceExt, core::PartialObjectMeta};

use crate::engine::{
    ObjectKey,
    cache::{Before, Cache, Versioned},
    object::version_number,
    watch::Sink,
};

/// The label that the API server puts on every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub struct Labels {
    uid: String,
    version: u64,
    terminating: bool,
    texts: BTreeMap<String, String>,
}

impl Versioned for Labels {
    fn uid(&self) -> &str {
        &self.uid
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// See the module documentation.
pub struct Namespaces {
    cache: Cache<Labels>,
    /// Called with a namespace's name when its labels changed, with those before and those now.
    changed: Box<Changed>,
    /// Called with the name of a namespace that is gone.
    gone: Box<dyn Fn(&str) + Send + Sync>,
    /// Where namespaces are not watched.
    asked: Option<Asked>,
}

type Changed = dyn Fn(&str, &BTreeMap<String, String>, &BTreeMap<String, String>) + Send + Sync;

impl Namespaces {
    pub fn new(
        changed: impl Fn(&str, &BTreeMap<String, String>, &BTreeMap<String, String>) + Send + Sync + 'static,
        gone: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self { cache: Cache::default(), changed: Box::new(changed), gone: Box::new(gone), asked: None }
    }

    /// The same where they are not watched.
    #[must_use]
    pub fn unwatched(self) -> Self {
        Self { asked: Some(Asked::default()), ..self }
    }

    /// The labels of a namespace, as far as they are known.
    pub fn labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let known = self.cache.find(&ObjectKey::new("", namespace)).map(|known| known.texts.clone());
        known.unwrap_or_else(|| BTreeMap::from([(NAME_LABEL.to_owned(), namespace.to_owned())]))
    }

    /// Whether the namespace of this object is being deleted, as far as is known: nothing can be created in it any more.
    pub fn is_terminating(&self, object: &ObjectMeta) -> bool {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let answer = self.asked.as_ref().map(|asked| *asked.answer());
        answer.is_some_and(|answer| answer.holds_for(object))
            || self.cache.find(&ObjectKey::new("", namespace)).is_some_and(|known| known.terminating)
    }

    /// The same; where namespaces are not watched, the API server is asked. That it goes, or that it must not be asked, is
    /// remembered: of many objects in a namespace that goes, one asks.
    pub async fn ask(&self, client: &Client, object: &ObjectMeta) -> bool {
        let Some(asked) = &self.asked else { return self.is_terminating(object) };
        let _one = asked.asking.lock().await;
        if asked.answer().is_enough_for(object) {
            return self.is_terminating(object);
        }
        let api: Api<Namespace> = Api::all(client.clone());
        let answer = match api.get_metadata_opt(object.namespace.as_deref().unwrap_or_default()).await {
            Ok(Some(found)) => found.metadata.deletion_timestamp.map_or(Answer::None, |since| Answer::Goes(since.0)),
            // It went, and the object with it.
            Ok(None) => Answer::Goes(Timestamp::now()),
            Err(kube::Error::Api(status)) if status.is_forbidden() => Answer::Refused,
            Err(_) => Answer::None,
        };
        *asked.answer() = answer;
        answer.holds_for(object)
    }
}

/// What the API server said of the one namespace.
#[derive(Default)]
struct Asked {
    answer: Mutex<Answer>,
    /// Held while it is asked.
    asking: tokio::sync::Mutex<()>,
}

impl Asked {
    fn answer(&self) -> MutexGuard<'_, Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Answer {
    /// None that is worth remembering.
    #[default]
    None,
    /// It has been going since then.
    Goes(Timestamp),
    /// That it must not be asked: remembered for as long as the process lives.
    Refused,
}

impl Answer {
    /// Nothing is created in a namespace that goes: an object that is younger is in a new one of the same name.
    fn holds_for(self, object: &ObjectMeta) -> bool {
        let created = object.creation_timestamp.as_ref().map(|created| created.0);
        matches!(self, Self::Goes(since) if created.is_none_or(|created| created <= since))
    }

    fn is_enough_for(self, object: &ObjectMeta) -> bool {
        self == Self::Refused || self.holds_for(object)
    }
}

impl Sink<PartialObjectMeta<Namespace>> for Namespaces {
    fn listing(&self) {
        self.cache.begin_list();
    }

    fn applied(&self, namespace: PartialObjectMeta<Namespace>) {
        let labels = Labels {
            uid: namespace.uid().unwrap_or_default(),
            version: version_number(namespace.metadata.resource_version.as_deref()),
            terminating: namespace.metadata.deletion_timestamp.is_some(),
            texts: namespace.labels().clone(),
        };
        let labels = Arc::new(labels);
        let before = self.cache.put(ObjectKey::new("", &namespace.name_any()), labels.clone());
        if let Before::Older(before) = before
            && before.texts != labels.texts
        {
            (self.changed)(&namespace.name_any(), &before.texts, &labels.texts);
        }
    }

    fn deleted(&self, namespace: PartialObjectMeta<Namespace>) {
        self.cache.remove(&ObjectKey::new("", &namespace.name_any()));
        (self.gone)(&namespace.name_any());
    }

    fn listed(&self) {
        for (key, _) in self.cache.end_list() {
            (self.gone)(key.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn namespace_that_goes_takes_what_is_older_than_its_deletion() {
        let object = |second: u32| -> ObjectMeta {
            let created = format!("2026-01-01T12:00:{second:02}Z");
            serde_json::from_value(json!({"namespace": "n", "creationTimestamp": created})).expect("metadata")
        };
        let goes = Answer::Goes("2026-01-01T12:00:30Z".parse().expect("a time"));
        for (answer, second, holds, is_enough) in [
            (goes, 29, true, true),
            (goes, 30, true, true),
            (goes, 31, false, false),
            (Answer::None, 29, false, false),
            (Answer::Refused, 29, false, true),
        ] {
            let object = object(second);
            assert_eq!((answer.holds_for(&object), answer.is_enough_for(&object)), (holds, is_enough), "{answer:?}");
            let namespaces = Namespaces::new(|_, _, _| {}, |_| {}).unwatched();
            *namespaces.asked.as_ref().expect("unwatched").answer() = answer;
            assert_eq!(namespaces.is_terminating(&object), holds);
        }
    }
}
