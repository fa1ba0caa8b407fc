//! What events tell: whatever must be told, nothing that may not, and no value.

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use tests::{Failure, Result, wait};

use super::Stage;
use crate::{support::SOON, world::World};

impl Stage {
    /// Waits for the events of the takeovers that every world knows. One that was killed before it told its own never will.
    pub(super) async fn adoptions_are_told(&mut self, worlds: &[World], kills: usize) -> Result {
        let everywhere = |adoption: &(u32, &str)| worlds.iter().all(|world| world.adoptions.contains(adoption));
        let known = worlds.first().map(|world| world.adoptions.clone()).unwrap_or_default();
        let wanted: Vec<_> = known.into_iter().filter(|it| everywhere(it) && !self.adoptions.contains(it)).collect();
        for adoption @ (app, target) in wanted {
            let uid = usize::try_from(app).ok().and_then(|app| self.uids.get(app.checked_sub(1)?));
            wait::until(&format!("Adopted of {target}"), SOON, || async {
                let told = self.adopted().await.map_err(|failure| failure.to_string())?;
                let target = format!("secret \"{target}\" ");
                let is_told = told.iter().any(|(by, note)| Some(by) == uid && note.starts_with(&target));
                if is_told || self.controller.kills() > kills { Ok(()) } else { Err(format!("there were {told:?}")) }
            })
            .await?;
            self.adoptions.insert(adoption);
        }
        Ok(())
    }

    /// By whom, and the note.
    async fn adopted(&self) -> Result<Vec<(String, String)>> {
        let events: Api<Event> = Api::namespaced(self.scene.client.clone(), &self.scene.namespace);
        let told = events.list(&ListParams::default()).await?.items.into_iter();
        let adopted = told.filter(|event| event.reason.as_deref() == Some("Adopted"));
        let uid = |event: &Event| event.regarding.as_ref().and_then(|object| object.uid.clone()).unwrap_or_default();
        Ok(adopted.map(|event| (uid(&event), event.note.unwrap_or_default())).collect())
    }

    /// Fails when an event tells a value, or warns of what the model does not know.
    pub(super) async fn nothing_else_is_told(&self) -> Result {
        let events: Api<Event> = Api::namespaced(self.scene.client.clone(), &self.scene.namespace);
        for event in events.list(&ListParams::default()).await?.items {
            let note = event.note.clone().unwrap_or_default();
            let object = event.regarding.unwrap_or_default();
            let (kind, name) = (object.kind.unwrap_or_default(), object.name.unwrap_or_default());
            let reason = event.reason.unwrap_or_default();
            let what = format!("{kind} {name}: {reason}: {note}");
            if note.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_value) {
                return Err(Failure::new(format!("an event tells a value: {what}")));
            }
            let is_warning = event.type_.as_deref() == Some("Warning") && kind == "ExternalSecret";
            let is_expected = match reason.as_str() {
                "UpdateFailed" => self.may_fail.contains(name.as_str()),
                // Others write to the Secrets all the time.
                "Adopted" | "Contested" => true,
                _ => false,
            };
            if is_warning && !is_expected {
                return Err(Failure::new(format!("an event warns of what did not happen: {what}")));
            }
        }
        Ok(())
    }
}

/// Whether a word is a value that some step has written.
fn is_value(word: &str) -> bool {
    word == "begin"
        || (word.len() == 9 && word.starts_with('v') && word[1..].bytes().all(|byte| byte.is_ascii_hexdigit()))
}
