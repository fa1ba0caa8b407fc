//! ExternalSecret: from an event to one Secret.
//!
//! Being deleted → clean up. Another class's store → not ours. Plan it. Is a refresh due? Fetch, render, write at most
//! one Secret, tell the user. A synced object that is not due costs no call at all. Whatever fails, the target stays as
//! it is. RBAC: externalsecrets `get`, `list`, `watch`, `patch` (finalizer of upstream), and what [`target`],
//! [`status`], [`render`] and the providers name.

mod adoption;
mod claim;
mod cleanup;
mod desired;
mod fetch;
pub mod generic;
mod knowledge;
mod missing;
mod refresh;
mod removal;
mod render;
mod rewrite;
pub mod source;
pub mod sources;
mod status;
mod stores;
mod target;
pub mod users;
mod values;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    external_secret::{DeletionPolicy, ExternalSecret, ExternalSecretSpec, ExternalSecretStatus, RefreshPolicy},
    names::{condition_type::READY, event_reason},
    plan::{Plan, Refresh, windows},
    template_syntax,
};
use async_trait::async_trait;
use jiff::Timestamp;
use kube::runtime::events::EventType;

use self::{
    desired::{Author, Desired},
    knowledge::Knowledge,
    missing::Missing,
    refresh::{Due, Seen},
    removal::Removal,
    render::Content,
    status::Told,
    target::{Metadata, Written},
};
use crate::{
    ctx::Ctx,
    engine::{
        Lane, ObjectKey, Work,
        object::Watched,
        run::{Next, Reconcile},
    },
    error::{Class, Code, Error},
    provider::Values,
    reconcile::{guard::wiring as guard, outage},
    templates::Place,
};

/// When to look again at a store whose first check is under way. Its end wakes its users, so this is for an event that was missed.
const FIRST_CHECK: Duration = Duration::from_secs(10);

/// When to look again at an object that is newer than the watch has shown. The event wakes it, so this is for one that was missed.
const NEWS: Duration = Duration::from_secs(10);

/// When to try again while too many slow templates are rendered: about as long as one of them takes.
const CROWDED: Duration = Duration::from_secs(1);

/// So many of the texts that are no templates are told in full; the webhook tells all.
const MISTAKES_TOLD: usize = 5;

/// Reconciles ExternalSecrets.
pub struct ExternalSecrets {
    ctx: Arc<Ctx>,
    missing: Missing,
}

impl ExternalSecrets {
    pub fn new(ctx: Arc<Ctx>) -> Self {
        Self { ctx, missing: Missing::default() }
    }

    fn turn<'a>(&'a self, work: &'a Work, object: &'a Watched<ExternalSecret>) -> Turn<'a> {
        Turn { ctx: &self.ctx, missing: &self.missing, key: &work.key, object, since: work.since, lane: work.lane }
    }
}

#[async_trait]
impl Reconcile for ExternalSecrets {
    async fn reconcile(&self, work: &Work) -> Result<Next, Error> {
        let Some(object) = self.ctx.external_secrets.find(&work.key) else {
            self.missing.forget(&work.key);
            self.ctx.generic.forget(&work.key);
            // A render that outlived its object may have noted it as slow after it was forgotten.
            self.ctx.templates.forget(&work.key);
            return Ok(Next::Rest);
        };
        let started = Instant::now();
        let outcome = self.turn(work, &object).run().await;
        if let Some(now) = self.ctx.external_secrets.find(&work.key) {
            self.ctx.metrics.external_secret(&work.key, &now.status(), started.elapsed(), outcome.is_err());
        }
        outcome
    }

    fn interval(&self, work: &Work) -> Option<Duration> {
        let spec: ExternalSecretSpec = self.ctx.external_secrets.find(&work.key)?.spec().ok()?;
        let refresh = Refresh::of(&spec).ok()?;
        refresh.interval.filter(|_| refresh.policy == RefreshPolicy::Periodic)
    }

    async fn report(&self, work: &Work, error: &Error) {
        let Some(object) = self.ctx.external_secrets.find(&work.key) else { return };
        self.turn(work, &object).tell_failure(error).await;
    }
}

/// One reconcile of one object.
struct Turn<'a> {
    ctx: &'a Ctx,
    missing: &'a Missing,
    key: &'a ObjectKey,
    object: &'a Watched<ExternalSecret>,
    since: Instant,
    lane: Lane,
}

impl Turn<'_> {
    async fn run(&self) -> Result<Next, Error> {
        if self.object.is_being_deleted() {
            return cleanup::run(self.ctx, self.key, self.object).await;
        }
        // Nothing can be made there, and what is there goes.
        if self.ctx.namespaces.is_terminating(self.key.namespace()) {
            return Ok(Next::Rest);
        }
        let (spec, plan) = match self.plan() {
            Ok(plan) => plan,
            Err(error) => return self.fail(error).await,
        };
        if !self.is_ours(&plan) {
            return Ok(Next::Rest);
        }
        if let Some(manifest) = &plan.target.manifest {
            return generic::run(self, &spec, &plan, manifest).await;
        }
        self.ctx.generic.forget(self.key);
        let before: ExternalSecretStatus = self.object.status();
        let now = Timestamp::now();
        let version = self.version();
        let known = self.ctx.managed.find(&self.target(&plan));
        let seen = Seen {
            uid: self.uid(),
            version: &version,
            status: &before,
            target: known.as_deref(),
            templates_are_newer: self.ctx.sources.are_newer(self.key),
        };
        let reason = match refresh::due(&plan, &seen, now) {
            Due::Never => return Ok(Next::Rest),
            // Permission that was taken is told now, not at the next refresh.
            Due::At(at) => match stores::all_allowed(self.ctx, self.key.namespace(), &plan) {
                Ok(()) => return Ok(until(at, now)),
                Err(error) => return self.fail(error).await,
            },
            Due::Now(reason) => reason,
        };
        tracing::debug!(key = %self.key, ?reason, "refreshing");
        let settled = before.synced_resource_version.as_deref() == Some(&version);
        if !settled {
            self.tell_ignored(&spec);
        }
        let Some(place) = self.ctx.templates.place(self.key, !settled) else { return Ok(Next::Postponed(CROWDED)) };
        let sources = self.ctx.sources.seen(self.key);
        let refreshed = match self.check_templates(&spec) {
            Ok(()) => self.refresh(&plan, &place, settled).await,
            Err(error) => Err(error),
        };
        match refreshed {
            Ok((told, rendered_from)) => {
                self.ctx.sources.settle(self.key, sources);
                self.ctx.sources.settle(self.key, rendered_from);
                if settled && reason.is_drift() && matches!(told, Told::Synced { .. }) {
                    self.ctx.metrics.drift_repaired(self.key);
                }
                let after = status::after(&before, &told, &version, now);
                status::write(self.ctx, self.key, self.uid(), &after).await?;
                Ok(refresh::next_after(&plan.refresh, self.uid(), now).map_or(Next::Rest, |at| until(at, now)))
            }
            // Whoever applies a store together with its users shall not read that they failed.
            Err(error) if error.code() == Code::StoreNotReady && error.class() == Class::Retry => {
                Ok(Next::After(FIRST_CHECK))
            }
            // The event of the change is on its way, and brings the next turn.
            Err(error) if error.code() == Code::Superseded => Ok(Next::After(NEWS)),
            // Known from the refusal of a write, where namespaces are not watched or their watch is late.
            Err(error) if error.code() == Code::NamespaceTerminating => Ok(Next::Rest),
            Err(error) => {
                // Once: whoever takes the label off again shall not be fought over a Secret that is not written.
                if self.news(&error).is_some() {
                    self.claim(&plan).await;
                }
                self.fail(error).await
            }
        }
    }

    /// What the spec means, or all that is wrong with it: the words that the webhook would use.
    fn plan(&self) -> Result<(ExternalSecretSpec, Plan), Error> {
        let invalid = |message: String| Error::fix(Code::SpecInvalid, message);
        let spec: ExternalSecretSpec = self.object.spec().map_err(|error| invalid(format!("spec: {error}")))?;
        let plan = Plan::new(self.key.name(), &spec).map_err(|problems| invalid(problems.to_string()))?;
        Ok((spec, plan))
    }

    /// Before anything is fetched: texts that are no templates cost no store a read. The words are the webhook's.
    fn check_templates(&self, spec: &ExternalSecretSpec) -> Result<(), Error> {
        let parse = |text: template_syntax::Text<'_>| {
            let parsed = self.ctx.templates.parse(text.name, text.text.as_bytes());
            parsed.err().map(|error| (text.path, error))
        };
        let mut errors = template_syntax::texts(spec).into_iter().filter_map(parse);
        let Some((path, first)) = errors.next() else { return Ok(()) };
        let others: Vec<_> = errors.map(|(path, error)| format!("{path}: {}", error.message())).collect();
        Err(first.with_others(&others, MISTAKES_TOLD - 1).at(path))
    }

    fn is_ours(&self, plan: &Plan) -> bool {
        let cluster = |entry: &api::plan::Entry| entry.store.kind == api::reference::StoreKind::ClusterSecretStore;
        if !self.ctx.settings.cluster_stores && plan.entries.iter().any(cluster) {
            return false;
        }
        stores::all_of_our_class(self.ctx, self.key.namespace(), plan)
    }

    /// `settled`: spec and metadata are as they were at the last write. Returns also what the templates came from.
    async fn refresh(&self, plan: &Plan, place: &Place, settled: bool) -> Result<(Told, sources::Seen), Error> {
        let knowledge = Knowledge::now(self.ctx, self.key, self.object, plan);
        let fetched = fetch::fetch(self.ctx, place, self.key.namespace(), plan, self.since, self.lane).await?;
        if let Some(news) = self.missing.news(self.key, &fetched.missing) {
            self.note(event_reason::MISSING_PROVIDER_SECRET, news);
        }
        guard::found(self.ctx, self.key.namespace(), plan, &fetched.gone);
        if fetched.values.is_empty() {
            match plan.target.deletion {
                DeletionPolicy::Delete => {
                    return Ok((self.delete(plan, &fetched.gone, &knowledge).await?, sources::Seen::default()));
                }
                DeletionPolicy::Retain => {
                    self.claim(plan).await;
                    let message = "the provider has no data; the secret is retained as deletionPolicy=Retain says";
                    return Ok((Told::Synced { message, binding: None }, sources::Seen::default()));
                }
                DeletionPolicy::Merge => {}
            }
        }
        let (content, metadata, seen) = self.content(plan, place, fetched.values).await?;
        let permit = |dropped: &[String]| self.permit(plan, &fetched.gone, Some(dropped));
        Ok((self.write(plan, content, metadata, settled, permit, &knowledge).await?, seen))
    }

    async fn write(
        &self,
        plan: &Plan,
        content: Content,
        metadata: Metadata,
        settled: bool,
        permit: impl Fn(&[String]) -> Result<(), Error>,
        knowledge: &Knowledge<'_>,
    ) -> Result<Told, Error> {
        let desired = Desired {
            author: self.author(),
            target: plan.target.name.clone(),
            creation: plan.target.creation,
            immutable: plan.target.immutable,
            content,
        };
        let written = target::write(self.ctx, desired, metadata, settled, permit, knowledge).await?;
        let name = &plan.target.name;
        match written {
            Written::Created => self.note(event_reason::CREATED, format!("secret \"{name}\" created")),
            Written::Updated(adoption) => {
                if let Some(adoption) = adoption {
                    status::publish(
                        self.ctx,
                        self.object,
                        EventType::Warning,
                        event_reason::ADOPTED,
                        adoption.note(name),
                    );
                }
                self.note(event_reason::UPDATED, format!("secret \"{name}\" updated"));
            }
            Written::Unchanged => {}
            Written::Missing => return Ok(Told::TargetMissing),
        }
        if plan.target.creation == api::external_secret::CreationPolicy::Owner {
            for renamed in removal::delete_renamed(self.ctx, &self.author(), name, knowledge).await? {
                self.note(event_reason::DELETED, format!("secret \"{renamed}\" deleted: the target is now \"{name}\""));
            }
        }
        let binding = (plan.target.creation != api::external_secret::CreationPolicy::None).then(|| name.clone());
        Ok(Told::Synced { message: "secret synced", binding })
    }

    async fn content(
        &self,
        plan: &Plan,
        place: &Place,
        values: Values,
    ) -> Result<(Content, Metadata, sources::Seen), Error> {
        if let Some(shape) = &plan.target.template {
            let rendered = render::render(self.ctx, place, self.key.namespace(), shape, values).await?;
            return Ok((rendered.content, Metadata::Complete, rendered.seen));
        }
        let content = Content {
            data: values,
            labels: owned(self.object.meta.labels.as_ref()),
            annotations: owned(self.object.meta.annotations.as_ref()),
            ..Content::default()
        };
        let metadata = if self.object.had_last_applied { Metadata::LastAppliedMissing } else { Metadata::Complete };
        Ok((content, metadata, sources::Seen::default()))
    }

    /// Nothing is left at the provider and deletionPolicy is Delete.
    async fn delete(&self, plan: &Plan, gone: &[usize], knowledge: &Knowledge<'_>) -> Result<Told, Error> {
        if plan.target.creation != api::external_secret::CreationPolicy::Owner {
            return Err(Error::fix(
                Code::SpecInvalid,
                "spec.target.deletionPolicy: Delete needs a secret that this ExternalSecret owns; set creationPolicy=Owner",
            ));
        }
        let name = &plan.target.name;
        let permit = || self.permit(plan, gone, None);
        let removal = removal::delete_owned(self.ctx, &self.author(), name, permit, Some(knowledge)).await?;
        match removal {
            Removal::Deleted => {
                let note = format!("secret \"{name}\" deleted: the provider has no data and deletionPolicy=Delete");
                self.note(event_reason::DELETED, note);
            }
            Removal::NotOurs => self.claim(plan).await,
            Removal::Absent => {}
        }
        Ok(Told::Deleted { stays: removal == Removal::NotOurs })
    }

    /// Whether what the entries `gone` gave to the target may go from it.
    fn permit(&self, plan: &Plan, gone: &[usize], dropped: Option<&[String]>) -> Result<(), Error> {
        guard::permit(self.ctx, self.key.namespace(), plan, gone, dropped)
    }

    /// The managed label on a target that was not written. Whatever keeps it off keeps nothing else from being told.
    async fn claim(&self, plan: &Plan) {
        if self.ctx.managed.find(&self.target(plan)).is_none()
            && let Err(error) = claim::claim(self.ctx, &self.author(), &plan.target.name).await
        {
            tracing::debug!(key = %self.key, "{error}");
        }
    }

    async fn fail(&self, error: Error) -> Result<Next, Error> {
        self.tell_failure(&error).await;
        Err(error)
    }

    /// The status says the error; an event goes with it when the status did not say it already.
    async fn tell_failure(&self, error: &Error) {
        let Some(after) = self.news(error) else { return };
        status::publish_failure(self.ctx, self.object, error);
        if let Err(unwritten) = status::write(self.ctx, self.key, self.uid(), &after).await {
            tracing::warn!(key = %self.key, "{unwritten}");
        }
    }

    /// The status that tells of the error, if it does not already.
    fn news(&self, error: &Error) -> Option<ExternalSecretStatus> {
        let before: ExternalSecretStatus = self.object.status();
        if outage::is_told(api::condition::find(&before.conditions, READY), error) {
            return None;
        }
        let after = status::after(&before, &Told::Failed(error.clone()), "", Timestamp::now());
        let spec: ExternalSecretSpec = self.object.spec().unwrap_or_default();
        let after = self.ctx.generic.reasons(&spec.target, after);
        (after != before).then_some(after)
    }

    /// What the webhook would refuse of a spec and this operator passes over, as the Go operator does.
    fn tell_ignored(&self, spec: &ExternalSecretSpec) {
        for fault in windows::faults(spec).into_iter().take(MISTAKES_TOLD) {
            let note = format!("{fault}; until then the window is ignored");
            status::publish(self.ctx, self.object, EventType::Warning, event_reason::SYNC_WINDOW_IGNORED, note);
        }
    }

    fn note(&self, reason: &str, note: String) {
        status::publish(self.ctx, self.object, EventType::Normal, reason, note);
    }

    fn author(&self) -> Author {
        Author {
            namespace: self.key.namespace().to_owned(),
            name: self.key.name().to_owned(),
            uid: self.uid().to_owned(),
        }
    }

    fn target(&self, plan: &Plan) -> ObjectKey {
        ObjectKey::new(self.key.namespace(), &plan.target.name)
    }

    fn uid(&self) -> &str {
        self.object.meta.uid.as_deref().unwrap_or_default()
    }

    /// Upstream's `syncedResourceVersion`: changes with the spec and with any label or annotation.
    fn version(&self) -> String {
        format!("{}-{}", self.object.generation(), self.object.metadata_hash)
    }
}

fn owned(texts: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
    texts.cloned().unwrap_or_default()
}

fn until(at: Timestamp, now: Timestamp) -> Next {
    Next::After(at.duration_since(now).try_into().unwrap_or_default())
}
