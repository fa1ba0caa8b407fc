//! Tells the user: status and events of an ExternalSecret, written only when they say something new.
//!
//! Condition types and reasons are upstream's; the message of a failure is the error itself, which opens with its code.
//! `lastTransitionTime` moves only when the status does, and the same failure twice writes nothing.
//! RBAC: externalsecrets/status `patch`; events.k8s.io/events `create`, `patch`.

use std::{borrow::Cow, sync::Arc};

use api::{
    condition::{self, Condition},
    external_secret::{Binding, ExternalSecret, ExternalSecretStatus, Manifest, Target},
    names::{condition_reason, condition_type::READY, event_reason},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
    runtime::events::{Event, EventType},
};
use serde_json::json;

use super::{fetch::Lack, missing, removal::Removal};
use crate::{
    ctx::Ctx,
    engine::{ObjectKey, cache::Cache, object::Watched},
    error::{Code, Error},
};

/// How a reconcile ended, as the user shall read it.
#[derive(Clone, Debug)]
pub enum Told {
    /// The target holds what the store holds. `written`: the name for `status.binding`, if the target was touched.
    Synced {
        message: Cow<'static, str>,
        binding: Option<String>,
        /// Whether the target was not as it had been left.
        repaired: bool,
    },
    /// creationPolicy Merge without anything to merge into.
    TargetMissing,
    /// There is nothing for it and deletionPolicy is Delete: what became of the target.
    Deleted(Removal, Lack),
    Failed {
        error: Error,
        /// The name for `status.binding`, if a target that is there was to be written.
        binding: Option<String>,
    },
}

impl Told {
    /// The same, naming entries that the provider does not have and whose keys were left out.
    #[must_use]
    pub fn with_missing(self, missing: &[String]) -> Self {
        match self {
            Self::Synced { message, binding, repaired } => {
                Self::Synced { message: missing::told(&message, missing).into(), binding, repaired }
            }
            told => told,
        }
    }
}

/// The status after `told`, from the one before. Pure.
///
/// `version` is what `syncedResourceVersion` becomes when the reconcile came to its end.
pub fn after(before: &ExternalSecretStatus, told: &Told, version: &str, now: Timestamp) -> ExternalSecretStatus {
    let mut status = before.clone();
    let ready = match told {
        Told::Synced { message, .. } => synced(message.clone()),
        Told::TargetMissing => Condition::new(
            READY,
            true,
            condition_reason::SECRET_MISSING,
            "there is nothing to merge into, and creationPolicy=Merge does not create it",
        ),
        Told::Deleted(removal, lack) => {
            Condition::new(READY, true, condition_reason::SECRET_DELETED, deleted(*removal, *lack))
        }
        Told::Failed { error, .. } => {
            Condition::new(READY, false, condition_reason::SECRET_SYNCED_ERROR, error.to_string())
        }
    };
    condition::set(&mut status.conditions, ready, now);
    if let Told::Synced { binding: Some(name), .. } | Told::Failed { binding: Some(name), .. } = told {
        status.binding = Some(Binding { name: name.clone() });
    }
    if !matches!(told, Told::Failed { .. }) {
        status.refresh_time = Some(Time(Timestamp::from_second(now.as_second()).unwrap_or(now)));
        status.synced_resource_version = Some(version.to_owned());
    }
    status
}

/// The name for `status.binding` after a failure: upstream binds a Secret that it has tried to update, but none that is not
/// there or that nobody came to write. Pure.
pub fn binding_of_failed(error: &Error, target: &Target, own_name: &str) -> Option<String> {
    let is_secret = target.manifest.as_ref().is_none_or(Manifest::is_secret);
    let name = target.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| own_name.to_owned());
    (is_secret && REFUSED_BY_TARGET.contains(&error.code())).then_some(name)
}

/// What a target is found to be when it is to be written.
pub const REFUSED_BY_TARGET: [Code; 3] = [Code::TargetImmutable, Code::TargetNotOurs, Code::TargetOwnedByAnother];

fn deleted(removal: Removal, lack: Lack) -> String {
    match removal {
        Removal::Deleted | Removal::Absent => format!("target deleted: {lack}, and deletionPolicy=Delete"),
        Removal::Going => {
            format!("target deleted: {lack}, and deletionPolicy=Delete; it is there until its finalizers are taken off")
        }
        Removal::NotOurs => format!(
            "{lack}, and deletionPolicy=Delete; the target that is there is not owned by this ExternalSecret and stays"
        ),
    }
}

/// The status when what failed is over and the target is as it was last synced. `said`: the condition of then. Pure.
pub fn over(before: &ExternalSecretStatus, said: Condition, now: Timestamp) -> ExternalSecretStatus {
    let mut status = before.clone();
    condition::set(&mut status.conditions, said, now);
    status
}

/// The condition of a target in step.
pub fn synced(message: impl Into<String>) -> Condition {
    Condition::new(READY, true, condition_reason::SECRET_SYNCED, message)
}

/// Writes the status if it differs, and remembers the answer ahead of the watch.
///
/// An object that is gone or was made anew meanwhile is left alone.
pub async fn write(ctx: &Ctx, key: &ObjectKey, uid: &str, new: &ExternalSecretStatus) -> Result<(), Error> {
    let Some(current) = ctx.external_secrets.find(key) else { return Ok(()) };
    let before: ExternalSecretStatus = current.status();
    if before == *new || current.meta.uid.as_deref() != Some(uid) {
        return Ok(());
    }
    let api: Api<Watched<ExternalSecret>> = Api::namespaced(ctx.client.clone(), key.namespace());
    let patch = json!({"metadata": {"uid": uid}, "status": new});
    match api.patch_status(key.name(), &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(updated) => {
            remember(&ctx.external_secrets, key, updated);
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(Error::kube(&format!("writing the status of externalsecret {key}"), &error)),
    }
}

/// Keeps the answer to a write of ours, unless it shows a user's change that the watch has yet to bring: kept here, that
/// change would be no news when it comes, and nobody would act on it.
fn remember(cache: &Cache<Watched<ExternalSecret>>, key: &ObjectKey, updated: Watched<ExternalSecret>) {
    let updated = Arc::new(updated);
    cache.put_answer(key, updated.clone(), |there| !updated.differs_for_users(there));
}

/// One event on the ExternalSecret, told in the background.
pub fn publish(ctx: &Ctx, object: &Watched<ExternalSecret>, type_: EventType, reason: &str, note: String) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(shortened(note)),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    ctx.events.publish(event, object.object_ref(&()));
}

/// The warning that goes with a failure.
pub fn publish_failure(ctx: &Ctx, object: &Watched<ExternalSecret>, error: &Error) {
    publish(ctx, object, EventType::Warning, event_reason::UPDATE_FAILED, error.to_string());
}

/// The API server takes notes of up to 1,024 bytes.
const LONGEST_NOTE: usize = 1000;

fn shortened(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let end = (0..=LONGEST_NOTE).rev().find(|end| note.is_char_boundary(*end)).unwrap_or_default();
        note.truncate(end);
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cache::Versioned as _;

    fn now() -> Timestamp {
        "2026-01-01T12:00:00.5Z".parse().expect("time")
    }

    #[test]
    fn failure_keeps_what_was_synced_and_repeats_nothing() {
        let synced = Told::Synced { message: "secret synced".into(), binding: Some("target".into()), repaired: false };
        let good = after(&ExternalSecretStatus::default(), &synced, "1-x", now());
        let failed = Told::Failed { error: Error::fix(Code::TemplateFailed, "no"), binding: None };
        let once = after(&good, &failed, "2-x", now());
        assert_eq!(once.synced_resource_version.as_deref(), Some("1-x"));
        assert_eq!(once.refresh_time, good.refresh_time);
        assert_eq!(once.conditions[0].message, "TemplateFailed: no");
        let later = "2026-01-01T13:00:00Z".parse().expect("time");
        assert_eq!(after(&once, &failed, "2-x", later), once, "the same failure again changes nothing");
    }

    #[test]
    fn every_ending_has_upstreams_reason_and_only_a_write_moves_the_binding() {
        let synced = |binding: Option<&str>| Told::Synced {
            message: "secret synced".into(),
            binding: binding.map(Into::into),
            repaired: false,
        };
        let before = after(&ExternalSecretStatus::default(), &synced(Some("old")), "1-x", now());
        let failed = |binding: Option<&str>| Told::Failed {
            error: Error::fix(Code::TargetImmutable, "no"),
            binding: binding.map(Into::into),
        };
        for (told, reason, is_ready, binding) in [
            (synced(Some("new")), "SecretSynced", true, "new"),
            (synced(None), "SecretSynced", true, "old"),
            (Told::TargetMissing, "SecretMissing", true, "old"),
            (Told::Deleted(Removal::Absent, Lack::Data), "SecretDeleted", true, "old"),
            (Told::Deleted(Removal::Going, Lack::Keys), "SecretDeleted", true, "old"),
            (failed(None), "SecretSyncedError", false, "old"),
            (failed(Some("new")), "SecretSyncedError", false, "new"),
        ] {
            let status = after(&before, &told, "2-x", now());
            let ready = condition::find(&status.conditions, READY).expect("Ready");
            assert_eq!((ready.reason.as_str(), ready.is_true()), (reason, is_ready), "{told:?}");
            assert_eq!(status.binding.map(|binding| binding.name).as_deref(), Some(binding), "{told:?}");
            let version = if is_ready { "2-x" } else { "1-x" };
            assert_eq!(status.synced_resource_version.as_deref(), Some(version), "{told:?}");
        }
        for (lack, why) in [(Lack::Data, "the provider has no data, "), (Lack::Keys, "the provider has data, ")] {
            let stays = after(&before, &Told::Deleted(Removal::NotOurs, lack), "2-x", now());
            let message = &stays.conditions[0].message;
            assert!(message.starts_with(why) && message.ends_with("stays"), "{message}");
        }
    }

    #[test]
    fn failure_binds_a_secret_that_was_to_be_updated() {
        let target = |target: serde_json::Value| serde_json::from_value::<Target>(target).expect("a target");
        let config_map = json!({"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}});
        for (code, shape, expected) in [
            (Code::TargetOwnedByAnother, json!({"name": "shared"}), Some("shared")),
            (Code::TargetNotOurs, json!({}), Some("es")),
            (Code::TargetImmutable, json!({"name": ""}), Some("es")),
            (Code::TargetImmutable, config_map, None),
            (Code::AdoptionRefused, json!({}), None),
            (Code::VaultSealed, json!({}), None),
        ] {
            let binding = binding_of_failed(&Error::fix(code, "no"), &target(shape), "es");
            assert_eq!(binding.as_deref(), expected, "{code}");
        }
    }

    #[test]
    fn transition_time_moves_with_the_status_only() {
        let told = |message: &'static str| Told::Synced { message: message.into(), binding: None, repaired: false };
        let first = after(&ExternalSecretStatus::default(), &told("a"), "1-x", now());
        let later = "2026-01-01T13:00:00Z".parse().expect("time");
        let second = after(&first, &told("b"), "1-x", later);
        assert_eq!(second.conditions[0].last_transition_time, first.conditions[0].last_transition_time);
        assert_eq!(serde_json::to_value(&second).expect("json")["refreshTime"], "2026-01-01T13:00:00Z");
    }

    #[test]
    fn change_by_a_user_in_the_answer_to_our_write_stays_news() {
        let object = |version: u32, label: &str| -> Watched<ExternalSecret> {
            serde_json::from_value(json!({
                "metadata": {
                    "name": "es", "namespace": "n", "uid": "u", "generation": 1,
                    "resourceVersion": version.to_string(), "labels": {"any": label},
                },
            }))
            .expect("object")
        };
        let (cache, key) = (Cache::default(), ObjectKey::new("n", "es"));
        cache.put(key.clone(), Arc::new(object(1, "old")));
        remember(&cache, &key, object(2, "old"));
        assert_eq!(cache.find(&key).expect("kept").version(), 2);
        remember(&cache, &key, object(4, "new"));
        assert_eq!(cache.find(&key).expect("kept").version(), 2, "the event of version 3 must find the old label");
    }

    #[test]
    fn long_note_is_cut_between_characters() {
        let note = shortened("é".repeat(2000));
        assert!(note.len() <= 1024 && note.ends_with('…'));
    }
}
