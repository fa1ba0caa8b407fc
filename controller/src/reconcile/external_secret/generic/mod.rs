//! Targets that are no Secrets: ConfigMaps and custom resources, behind `--unsafe-allow-generic-targets`.
//!
//! The same sentence as for Secrets: is a refresh due? Fetch, render, write at most one object, tell the user. RBAC:
//! for each kind what [`target`] and [`watches`] name; nothing of it is shipped.

mod desired;
mod hashed;
mod kinds;
mod place;
mod target;
mod watches;

use std::sync::Arc;

use api::{
    external_secret::{
        CreationPolicy, DeletionPolicy, ExternalSecretSpec, ExternalSecretStatus, Manifest, Target as TargetSpec,
    },
    names::{condition_reason, condition_type::READY, event_reason},
    plan::Plan,
};
use jiff::Timestamp;
use kube::{Client, api::ApiResource};

use self::{
    desired::Desired,
    kinds::Kinds,
    target::{Target, Written},
    watches::{Watch, Watches},
};
use super::{
    CROWDED, FIRST_CHECK, Turn, fetch, owned,
    refresh::{self, Due, Seen},
    render::{self, Content},
    sources,
    status::{self, Told},
    until,
};
use crate::{
    engine::{ObjectKey, run::Next},
    error::{Class, Code, Error},
    provider::Values,
    reconcile::managed::Managed,
    templates::Place,
};

/// What targets that are no Secrets need between reconciles.
pub struct Generic {
    enabled: bool,
    kinds: Kinds,
    watches: Watches,
}

impl Generic {
    /// `wake` is called with an ExternalSecret whose target is not what it wrote. `namespace`: empty for all.
    pub fn new(
        client: Client,
        enabled: bool,
        namespace: &str,
        wake: impl Fn(&ObjectKey) + Send + Sync + 'static,
    ) -> Self {
        let watches = Watches::new(client.clone(), namespace, wake);
        Self { enabled, kinds: Kinds::new(client), watches }
    }

    /// The ExternalSecret writes nothing but Secrets, or is gone.
    pub fn forget(&self, user: &ObjectKey) {
        self.watches.forget(user);
    }

    /// A status with the reasons that go with the target's kind. Without the flag, the reason is that of Secrets.
    pub fn reasons(&self, target: &TargetSpec, mut status: ExternalSecretStatus) -> ExternalSecretStatus {
        if self.enabled && target.manifest.as_ref().is_some_and(|manifest| !manifest.is_secret()) {
            for ready in status.conditions.iter_mut().filter(|condition| condition.type_ == READY) {
                let reason = match ready.reason.as_str() {
                    condition_reason::SECRET_SYNCED => condition_reason::RESOURCE_SYNCED,
                    condition_reason::SECRET_SYNCED_ERROR => condition_reason::RESOURCE_SYNCED_ERROR,
                    condition_reason::SECRET_DELETED => condition_reason::RESOURCE_DELETED,
                    condition_reason::SECRET_MISSING => condition_reason::RESOURCE_MISSING,
                    other => other,
                };
                ready.reason = reason.to_owned();
            }
        }
        status
    }
}

/// What a turn of this kind works with.
struct Setting<'a> {
    turn: &'a Turn<'a>,
    spec: &'a ExternalSecretSpec,
    plan: &'a Plan,
    kind: ApiResource,
    watch: Arc<Watch>,
    known: Option<Arc<Managed>>,
    settled: bool,
}

/// One reconcile of an ExternalSecret with a target of another kind.
pub(super) async fn run(
    turn: &Turn<'_>,
    spec: &ExternalSecretSpec,
    plan: &Plan,
    manifest: &Manifest,
) -> Result<Next, Error> {
    match turn_of(turn, spec, plan, manifest).await {
        // Whoever applies a store together with its users shall not read that they failed.
        Err(error) if error.code() == Code::StoreNotReady && error.class() == Class::Retry => {
            Ok(Next::After(FIRST_CHECK))
        }
        Err(error) => turn.fail(error).await,
        done => done,
    }
}

async fn turn_of(turn: &Turn<'_>, spec: &ExternalSecretSpec, plan: &Plan, manifest: &Manifest) -> Result<Next, Error> {
    let ctx = turn.ctx;
    if !ctx.generic.enabled {
        turn.ctx.generic.forget(turn.key);
        let message = "targets other than Secrets are switched off; start the operator with \
                       --unsafe-allow-generic-targets, or remove the manifest to write a Secret";
        return Err(Error::fix(Code::GenericTargetsDisabled, message).at("spec.target.manifest"));
    }
    let kind = ctx.generic.kinds.find(manifest).await?;
    let key = turn.target(plan);
    let watch = ctx.generic.watches.set(turn.key, &kind, &key);
    let target = Target { ctx, watch: &watch, kind: &kind, namespace: turn.key.namespace() };
    let known = if watch.is_listed().await { watch.objects.find(&key) } else { target.look(key.name()).await? };
    let before: ExternalSecretStatus = turn.object.status();
    let (now, version) = (Timestamp::now(), turn.version());
    let seen = Seen {
        uid: turn.uid(),
        version: &version,
        status: &before,
        target: known.as_deref(),
        templates_are_newer: ctx.sources.are_newer(turn.key),
    };
    match refresh::due(plan, &seen, now) {
        Due::Never => return Ok(Next::Rest),
        Due::At(at) => return Ok(until(at, now)),
        Due::Now(reason) => tracing::debug!(key = %turn.key, ?reason, "refreshing"),
    }
    let settled = before.synced_resource_version.as_deref() == Some(&version);
    if !settled {
        turn.tell_ignored(spec);
    }
    let Some(place) = ctx.templates.place(turn.key, !settled) else { return Ok(Next::Postponed(CROWDED)) };
    let sources = ctx.sources.seen(turn.key);
    let setting = Setting { turn, spec, plan, kind, watch, known, settled };
    let (told, rendered_from) = setting.refresh(&place).await?;
    ctx.sources.settle(turn.key, sources);
    ctx.sources.settle(turn.key, rendered_from);
    let after = ctx.generic.reasons(&spec.target, status::after(&before, &told, &version, now));
    status::write(ctx, turn.key, turn.uid(), &after).await?;
    Ok(refresh::next_after(&plan.refresh, turn.uid(), now).map_or(Next::Rest, |at| until(at, now)))
}

impl Setting<'_> {
    /// Returns also what the templates came from.
    async fn refresh(&self, place: &Place) -> Result<(Told, sources::Seen), Error> {
        let Self { turn, plan, .. } = self;
        turn.check_templates(self.spec)?;
        let fetched = fetch::fetch(turn.ctx, place, turn.key.namespace(), plan, turn.since, turn.lane).await?;
        if let Some(news) = turn.missing.news(turn.key, &fetched.missing) {
            turn.note(event_reason::MISSING_PROVIDER_SECRET, news);
        }
        if fetched.values.is_empty() {
            match plan.target.deletion {
                DeletionPolicy::Delete => return Ok((self.delete().await?, sources::Seen::default())),
                DeletionPolicy::Retain => {
                    let message = "the provider has no data; the object is retained as deletionPolicy=Retain says";
                    return Ok((Told::Synced { message, binding: None }, sources::Seen::default()));
                }
                DeletionPolicy::Merge => {}
            }
        }
        let (content, seen) = self.content(place, fetched.values).await?;
        Ok((self.write(content).await?, seen))
    }

    async fn content(&self, place: &Place, values: Values) -> Result<(Content, sources::Seen), Error> {
        let Self { turn, plan, .. } = self;
        if let Some(shape) = &plan.target.template {
            let rendered = render::render(turn.ctx, place, turn.key.namespace(), shape, values).await?;
            return Ok((rendered.content, rendered.seen));
        }
        let content = Content {
            data: values,
            labels: owned(turn.object.meta.labels.as_ref()),
            annotations: owned(turn.object.meta.annotations.as_ref()),
            ..Content::default()
        };
        Ok((content, sources::Seen::default()))
    }

    async fn write(&self, content: Content) -> Result<Told, Error> {
        let Self { turn, plan, kind, .. } = self;
        let desired = Desired {
            author: turn.author(),
            target: plan.target.name.clone(),
            kind: kind.clone(),
            creation: plan.target.creation,
            immutable: plan.target.immutable,
            content,
        };
        let name = &desired.target;
        let what = format!("{} \"{name}\"", kind.kind.to_lowercase());
        match self.target().write(&desired, self.known.as_deref(), self.settled).await? {
            Written::Created => turn.note(event_reason::CREATED, format!("{what} created")),
            Written::Updated => turn.note(event_reason::UPDATED, format!("{what} updated")),
            Written::Unchanged => {}
            Written::Missing => return Ok(Told::TargetMissing),
        }
        if plan.target.creation == CreationPolicy::Owner {
            for renamed in self.target().delete_renamed(&turn.author(), name).await? {
                let note = format!("{} \"{renamed}\" deleted: the target is now \"{name}\"", kind.kind.to_lowercase());
                turn.note(event_reason::DELETED, note);
            }
        }
        Ok(Told::Synced { message: "object synced", binding: None })
    }

    /// Nothing is left at the provider and deletionPolicy is Delete.
    async fn delete(&self) -> Result<Told, Error> {
        let Self { turn, plan, kind, .. } = self;
        if plan.target.creation != CreationPolicy::Owner {
            let message = "Delete needs an object that this ExternalSecret owns; set creationPolicy=Owner";
            return Err(Error::fix(Code::SpecInvalid, message).at("spec.target.deletionPolicy"));
        }
        if self.target().delete_owned(&turn.author(), &plan.target.name).await? {
            let what = format!("{} \"{}\"", kind.kind.to_lowercase(), plan.target.name);
            let note = format!("{what} deleted: the provider has no data and deletionPolicy=Delete");
            turn.note(event_reason::DELETED, note);
        }
        Ok(Told::Deleted { stays: false })
    }

    fn target(&self) -> Target<'_> {
        Target { ctx: self.turn.ctx, watch: &self.watch, kind: &self.kind, namespace: self.turn.key.namespace() }
    }
}
