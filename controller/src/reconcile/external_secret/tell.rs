//! What a turn tells its user, in status and events, when it is news.

use api::{
    external_secret::{ExternalSecretSpec, ExternalSecretStatus},
    names::{condition_type::READY, event_reason},
    plan::windows,
};
use jiff::Timestamp;
use kube::runtime::events::EventType;

use super::{
    MISTAKES_TOLD,
    status::{self, Told},
    turn::Turn,
};
use crate::{engine::run::Next, error::Error, reconcile::outage};

impl Turn<'_> {
    pub(super) async fn fail(&self, error: Error) -> Result<Next, Error> {
        self.tell_failure(&error).await;
        Err(error)
    }

    /// The status says the error; an event goes with it when the status did not say it already.
    pub(super) async fn tell_failure(&self, error: &Error) {
        let Some(after) = self.news(error) else { return };
        let before: ExternalSecretStatus = self.object.status();
        self.said.note(self.key, api::condition::find(&before.conditions, READY));
        status::publish_failure(self.ctx, self.object, error);
        if let Err(unwritten) = status::write(self.ctx, self.key, self.uid(), &after).await {
            tracing::warn!(key = %self.key, "{unwritten}");
        }
    }

    /// The status that tells of the error, if it does not already.
    pub(super) fn news(&self, error: &Error) -> Option<ExternalSecretStatus> {
        let before: ExternalSecretStatus = self.object.status();
        if outage::is_told(api::condition::find(&before.conditions, READY), error) {
            return None;
        }
        let spec: ExternalSecretSpec = self.object.spec().unwrap_or_default();
        let binding = status::binding_of_failed(error, &spec.target, self.key.name());
        let told = Told::Failed { error: error.clone(), binding };
        let after = status::after(&before, &told, "", Timestamp::now());
        let after = self.ctx.generic.reasons(&spec.target, after);
        (after != before).then_some(after)
    }

    /// What the webhook would refuse of a spec and this operator passes over, as the Go operator does.
    pub(super) fn tell_ignored(&self, spec: &ExternalSecretSpec) {
        for fault in windows::faults(spec).into_iter().take(MISTAKES_TOLD) {
            let note = format!("{fault}; until then the window is ignored");
            status::publish(self.ctx, self.object, EventType::Warning, event_reason::SYNC_WINDOW_IGNORED, note);
        }
    }

    pub(super) fn note(&self, reason: &str, note: String) {
        status::publish(self.ctx, self.object, EventType::Normal, reason, note);
    }

    pub(super) fn warn(&self, reason: &str, note: String) {
        status::publish(self.ctx, self.object, EventType::Warning, reason, note);
    }
}
