//! What is in the namespace, and what is wanted there, in a form that can be compared.

use std::collections::BTreeMap;

use api::{
    hash::{data_hash, metadata_hash},
    names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, MANAGED_VALUE, OWNER_LABEL},
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;
use tests::Result;

use super::Stage;
use crate::{
    support::{Ready, data},
    world::{APPS, Data, TARGETS, World},
};

/// What is there, in a form that can be compared and printed.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct View {
    pub(super) secrets: BTreeMap<&'static str, SecretView>,
    apps: BTreeMap<&'static str, AppView>,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) struct AppView {
    ready: Option<(String, String)>,
    /// Whether the status says the present version.
    is_taken_up: bool,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) struct SecretView {
    data: Data,
    pub(super) is_managed: bool,
    owner: Option<u32>,
    has_creator: bool,
    /// The operator's hash of the data.
    hash: Option<String>,
}

impl Stage {
    pub(super) async fn view(&self) -> Result<View> {
        let mut secrets = BTreeMap::new();
        for name in TARGETS {
            if let Some(secret) = self.scene.secrets().get_opt(name).await? {
                secrets.insert(name, self.secret_view(&secret));
            }
        }
        let mut apps = BTreeMap::new();
        for app in APPS {
            if let Some(object) = self.scene.ours("ExternalSecret").get_opt(app).await? {
                let ready = Ready::of(&object).map(|ready| (ready.status, ready.reason));
                apps.insert(app, AppView { ready, is_taken_up: is_taken_up(&object) });
            }
        }
        Ok(View { secrets, apps })
    }

    fn secret_view(&self, secret: &k8s_openapi::api::core::v1::Secret) -> SecretView {
        let owner = secret.owner_references().first().map(|owner| {
            let position = self.uids.iter().position(|uid| *uid == owner.uid);
            position.and_then(|position| u32::try_from(position + 1).ok()).unwrap_or(u32::MAX)
        });
        SecretView {
            data: data(secret),
            is_managed: secret.labels().get(MANAGED_LABEL).is_some_and(|value| value == MANAGED_VALUE),
            owner,
            has_creator: secret.labels().contains_key(OWNER_LABEL),
            hash: secret.annotations().get(DATA_HASH_ANNOTATION).cloned(),
        }
    }
}

pub(super) fn agrees(world: &World, seen: &View) -> bool {
    wanted(world, seen) == *seen
}

fn wanted(world: &World, seen: &View) -> View {
    let secrets = world.secrets.iter().map(|(name, secret)| {
        let seen = seen.secrets.get(name).filter(|_| secret.label_is_open);
        let view = SecretView {
            data: secret.data.clone(),
            is_managed: seen.map_or(secret.is_managed, |seen| seen.is_managed),
            owner: secret.owner.map(|(uid, _)| uid),
            has_creator: secret.creator.is_some(),
            hash: secret.written.as_ref().map(data_hash),
        };
        (*name, view)
    });
    let apps = world.objects.iter().map(|(app, object)| {
        let ready = object.ready.map(|(status, reason)| (status.to_owned(), reason.to_owned()));
        let is_open = !world.is_taken_up(app) && seen.apps.get(app).is_some_and(|seen| !seen.is_taken_up);
        (*app, AppView { ready, is_taken_up: !is_open })
    });
    View { secrets: secrets.collect(), apps: apps.collect() }
}

/// Whether the status says generation and metadata as they are.
fn is_taken_up(object: &DynamicObject) -> bool {
    let hash = metadata_hash(object.labels(), object.annotations());
    let version = format!("{}-{hash}", object.metadata.generation.unwrap_or_default());
    object.data.pointer("/status/syncedResourceVersion").and_then(Value::as_str) == Some(&version)
}

pub(super) fn difference(worlds: &[World], seen: &View) -> String {
    let wanted: Vec<_> = worlds.iter().map(|world| wanted(world, seen)).collect();
    format!("\none of these is wanted: {wanted:#?}\nseen: {seen:#?}")
}
