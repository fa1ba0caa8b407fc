//! One reconcile of one ExternalSecret, from the look at its state to the status that tells of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use api::{
    condition,
    external_secret::{CreationPolicy, DeletionPolicy, ExternalSecret, ExternalSecretSpec, ExternalSecretStatus},
    hash::owner_label,
    names::{condition_type::READY, event_reason},
    plan::Plan,
    problem::Problems,
    template_syntax,
};
use jiff::Timestamp;

use super::{
    MISTAKES_TOLD, cleanup,
    desired::Author,
    fetch::{self, Fetched},
    fights::{Fights, Verdict},
    kind::Kind,
    knowledge::Knowledge,
    missing::Missing,
    ours::Identity,
    refresh::{self, Due, Reason, Seen},
    render::{self, Content},
    said::Said,
    secret::Secrets,
    shares::Part,
    sources,
    status::{self, Told},
    stores,
    target::Metadata,
    upcoming,
    users::Shape,
    values,
    write::Before,
};
use crate::{
    ctx::Ctx,
    engine::{Lane, ObjectKey, cache::Versioned as _, object::Watched, run::Next},
    error::{Class, Code, Error},
    provider::Values,
    reconcile::{guard::wiring as guard, managed::Managed},
    templates::Place,
};

/// When to look again at a store whose first check is under way. Its end wakes its users, so this is for an event that was missed.
const FIRST_CHECK: Duration = Duration::from_secs(10);

/// When to look again at an object that is newer than the watch has shown. The event wakes it, so this is for one that was missed.
const NEWS: Duration = Duration::from_secs(10);

/// When to try again while too many slow templates are rendered: about as long as one of them takes.
const CROWDED: Duration = Duration::from_secs(1);

/// When to look whether a target to merge into came into being before anybody watched for it.
const AWAITED_SOON: Duration = Duration::from_secs(1);

/// When to look again for a target to merge into. Its creation wakes, so this is for a watch that is not permitted.
const AWAITED: Duration = Duration::from_mins(10);

/// See the module documentation.
pub struct Turn<'a> {
    pub ctx: &'a Ctx,
    pub missing: &'a Missing,
    pub fights: &'a Fights,
    pub said: &'a Said,
    pub key: &'a ObjectKey,
    pub object: &'a Watched<ExternalSecret>,
    /// When it was asked for: what was read since is new enough.
    pub since: Instant,
    pub lane: Lane,
    /// It may be refreshed a little before its time, because a call has room for what it reads.
    pub is_brought_forward: bool,
}

impl Turn<'_> {
    pub(super) async fn run(&self) -> Result<Next, Error> {
        // What its spec says is for its own operator to judge, and what its deletion asks for to do.
        let named: Shape = self.object.spec().unwrap_or_default();
        let is_served = self.ctx.settings.cluster_stores || !named.is_from_cluster_store();
        if !stores::all_of_our_class(self.ctx, &named.stores(self.key.namespace())) {
            return Ok(Next::Rest);
        }
        if self.object.is_being_deleted() {
            return cleanup::run(self.ctx, self.key, self.object).await;
        }
        // Nothing can be made in a namespace that goes, and what is there goes.
        if !is_served || self.ctx.namespaces.is_terminating(&self.object.meta) {
            return Ok(Next::Rest);
        }
        let (spec, plan) = match self.plan() {
            Ok(plan) => plan,
            Err(error) => return self.fail(error).await,
        };
        let Some(manifest) = &plan.target.manifest else {
            self.ctx.generic.leave(self.key);
            let secrets = Secrets { ctx: self.ctx, namespace: self.key.namespace() };
            return self.pursue(&secrets, &spec, &plan).await;
        };
        let target = ObjectKey::new(self.key.namespace(), &plan.target.name);
        match self.ctx.generic.objects(self.ctx, self.key, manifest, &target).await {
            Ok(objects) => self.pursue(&objects, &spec, &plan).await,
            Err(error) => self.fail(error).await,
        }
    }

    /// Is a refresh due? Then it is done, and told.
    async fn pursue<K: Kind>(&self, kind: &K, spec: &ExternalSecretSpec, plan: &Plan) -> Result<Next, Error> {
        let known = match kind.find(&plan.target.name).await {
            Ok(known) => known,
            Err(error) => return self.fail(error).await,
        };
        let before: ExternalSecretStatus = self.object.status();
        let (now, version) = (Timestamp::now(), self.version());
        let label = owner_label(self.key.namespace(), self.key.name());
        let seen = Seen {
            me: Identity { uid: self.uid(), label: &label },
            version: &version,
            status: &before,
            target: known.as_deref(),
            part: known.as_deref().and_then(|known| self.part(kind, plan, known)),
            binds: K::BINDS,
            retained: K::RETAINED,
            templates_are_newer: self.ctx.sources.are_newer(self.key),
            stores_are_newer: self.ctx.users.is_outdated(self.key, before.refresh_time.as_ref().map(|time| time.0)),
            is_brought_forward: self.is_brought_forward,
        };
        let due = self.due(kind, plan, &seen, now).await;
        if let Some(known) = known.as_deref().filter(|known| !known.intact)
            && seen.part == Some(Part::Whole)
            && !matches!(due, Ok(Due::Now(_)) | Err(_))
            && let Err(error) = self.renew(kind, plan, known).await
        {
            return self.fail(error).await;
        }
        let reason = match due {
            Ok(Due::Now(reason)) => reason,
            Ok(Due::At(at)) => return Ok(self.rest(plan, at, now)),
            Ok(Due::Never) if refresh::awaits_target(plan, &seen) => return Ok(Next::After(AWAITED)),
            Ok(Due::Never) => return Ok(Next::Rest),
            Ok(Due::Over(next)) => {
                if let Some(held) = self.said.held(self.key) {
                    // Whether it still holds, the refresh tells that what is said now makes due.
                    let after = self.ctx.generic.reasons(&spec.target, status::over(&before, held, now));
                    status::write(self.ctx, self.key, self.uid(), &after).await?;
                    return Ok(Next::After(Duration::ZERO));
                }
                let said = self.said.last(self.key);
                if said.is_none() && next.is_some() {
                    // What it said is not known, and no policy forbids to fetch: that tells.
                    self.ctx.users.outdate_one(self.key, now);
                    return Ok(Next::After(Duration::ZERO));
                }
                let said = said.unwrap_or_else(|| status::synced(K::SYNCED));
                let after = self.ctx.generic.reasons(&spec.target, status::over(&before, said, now));
                status::write(self.ctx, self.key, self.uid(), &after).await?;
                self.said.forget(self.key);
                return Ok(next.map_or(Next::Rest, |at| until(at, now)));
            }
            Err(error) => return self.fail(error).await,
        };
        tracing::debug!(key = %self.key, ?reason, "refreshing");
        let contested = match self.verdict(reason, &seen) {
            Verdict::Wait(wait) => return Ok(Next::Postponed(wait)),
            verdict => verdict == Verdict::RepairAndTell,
        };
        let settled = before.synced_resource_version.as_deref() == Some(&version);
        if !settled {
            self.tell_ignored(spec);
        }
        let Some(place) = self.ctx.templates.place(self.key, !settled) else { return Ok(Next::Postponed(CROWDED)) };
        let (sources, stores) = (self.ctx.sources.seen(self.key), self.ctx.users.seen(self.key));
        let refreshed = match self.check_templates(spec) {
            Ok(()) => self.refresh(kind, plan, &place, known.as_deref(), settled, contested).await,
            Err(error) => Err(error),
        };
        let (told, rendered_from) = match refreshed {
            Ok(done) => done,
            Err(error) => return self.failed(kind, plan, error).await,
        };
        self.ctx.users.settle(self.key, stores);
        self.fights.repaired(self.key, contested);
        self.ctx.sources.settle(self.key, sources);
        self.ctx.sources.settle(self.key, rendered_from);
        if settled && reason.is_drift() && matches!(told, Told::Synced { repaired: true, .. }) {
            self.ctx.metrics.drift_repaired(self.key);
        }
        let after = self.ctx.generic.reasons(&spec.target, status::after(&before, &told, &version, now));
        status::write(self.ctx, self.key, self.uid(), &after).await?;
        self.said.forget(self.key);
        Ok(self.next(plan, &told, now))
    }

    /// What became of what is this ExternalSecret's in a target that it shares with others.
    fn part<K: Kind>(&self, kind: &K, plan: &Plan, known: &Managed) -> Option<Part> {
        let is_shared = matches!(plan.target.creation, CreationPolicy::Merge | CreationPolicy::CreateOrMerge);
        let target = kind.key(&plan.target.name);
        // What others write there is what is rendered.
        let mut sources =
            plan.target.template.iter().flat_map(|shape| &shape.template_from).filter_map(|from| {
                if kind.resource().is_none() { from.secret.as_ref() } else { from.config_map.as_ref() }
            });
        let is_source = sources.any(|source| source.name == plan.target.name);
        (is_shared && !is_source).then(|| self.ctx.shares.part(self.key, &target, known)).flatten()
    }

    /// Whether drift is to be repaired now.
    fn verdict(&self, reason: Reason, seen: &Seen<'_>) -> Verdict {
        if !reason.is_drift() {
            return Verdict::Repair;
        }
        let version = seen.target.map_or(0, Managed::version);
        self.fights.judge(self.key, seen.version, version, Instant::now())
    }

    /// Whether a refresh is due, and whether the stores may be used until then.
    async fn due<K: Kind>(&self, kind: &K, plan: &Plan, seen: &Seen<'_>, now: Timestamp) -> Result<Due, Error> {
        let due = refresh::due(plan, seen, now);
        if matches!(due, Due::Now(_)) {
            return Ok(due);
        }
        if !refresh::awaits_target(plan, seen) {
            self.ctx.awaited.forget(self.key);
        } else if kind.has_appeared(self.key, &plan.target.name).await {
            return Ok(Due::Now(Reason::TargetAppeared));
        }
        // Permission that was taken is told now, not at the next refresh.
        stores::all_allowed(self.ctx, self.key.namespace(), plan)?;
        Ok(due)
    }

    async fn failed<K: Kind>(&self, kind: &K, plan: &Plan, error: Error) -> Result<Next, Error> {
        match error.code() {
            // Whoever applies a store together with its users shall not read that they failed.
            Code::StoreNotReady if error.class() == Class::Retry => {
                self.ctx.users.await_check(self.key);
                Ok(Next::After(FIRST_CHECK))
            }
            // The event of the change is on its way, and brings the next turn.
            Code::Superseded => Ok(Next::After(NEWS)),
            // Known from the refusal of a write, where namespaces are not watched or their watch is late.
            Code::NamespaceTerminating => Ok(Next::Rest),
            _ if self.goes_with_its_namespace(&error).await => Ok(Next::Rest),
            _ => {
                // Once: whoever takes the label off again shall not be fought over a target that is not written.
                if self.news(&error).is_some() {
                    self.claim(kind, plan).await;
                }
                self.fail(error).await
            }
        }
    }

    /// Whether something named is gone because all of the namespace goes: no news to its users, who go as well.
    async fn goes_with_its_namespace(&self, error: &Error) -> bool {
        matches!(error.code(), Code::StoreNotFound | Code::ReferenceNotFound)
            && self.news(error).is_some()
            && self.ctx.namespaces.ask(&self.ctx.client, &self.object.meta).await
    }

    fn next(&self, plan: &Plan, told: &Told, now: Timestamp) -> Next {
        match refresh::next_after(&plan.refresh, self.uid(), now) {
            _ if matches!(told, Told::TargetMissing) => Next::After(AWAITED_SOON),
            Some(at) => self.rest(plan, at, now),
            None => Next::Rest,
        }
    }

    /// It is as it should be until then.
    fn rest(&self, plan: &Plan, at: Timestamp, now: Timestamp) -> Next {
        if let Some(identity) = upcoming::sole_identity(self.ctx, self.key, plan) {
            self.ctx.schedule.rest(self.key, identity, at);
        }
        until(at, now)
    }

    /// What the spec means, or what is wrong with it: the words that the webhook would use.
    fn plan(&self) -> Result<(ExternalSecretSpec, Plan), Error> {
        let invalid = |message: String| Error::fix(Code::SpecInvalid, message);
        let spec: ExternalSecretSpec = self.object.spec().map_err(|error| invalid(format!("spec: {error}")))?;
        let plan = Plan::new(self.key.name(), &spec).map_err(|problems| invalid(mistakes(problems)))?;
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

    /// Returns also what the templates came from.
    async fn refresh<K: Kind>(
        &self,
        kind: &K,
        plan: &Plan,
        place: &Place,
        known: Option<&Managed>,
        settled: bool,
        contested: bool,
    ) -> Result<(Told, sources::Seen), Error> {
        let knowledge = Knowledge::now(self.ctx, self.key, self.object, plan);
        let fetched = fetch::fetch(self.ctx, place, self.key, plan, self.since, self.lane).await?;
        let Fetched { values, missing, gone, searched, lack, odd } = fetched;
        let (edited, knowledge) = (self.is_edited(), &knowledge);
        let before = Before { known, settled, gone: &gone, lack, edited, contested, knowledge };
        let is_retained = values.is_empty() && plan.target.deletion == DeletionPolicy::Retain;
        let done = self.put(kind, plan, place, (values, odd), &before).await;
        // What is held is not left out.
        if !matches!(&done, Err(error) if error.code() == Code::DeletionsHeld)
            && let Some(news) = self.missing.news(self.key, &missing, self.last_said().as_deref())
        {
            self.note(event_reason::MISSING_PROVIDER_SECRET, news);
        }
        let (told, seen) = done?;
        if !is_retained {
            guard::in_step(self.ctx, self.key, plan, &gone, &searched);
        }
        Ok((told.with_missing(&missing), seen))
    }

    /// The message of the last refresh that came to its end, if it is known.
    fn last_said(&self) -> Option<String> {
        let status: ExternalSecretStatus = self.object.status();
        let ready = condition::find(&status.conditions, READY).filter(|ready| ready.is_true()).cloned();
        ready.or_else(|| self.said.last(self.key)).map(|ready| ready.message)
    }

    /// Brings the target in step with what was fetched.
    async fn put<K: Kind>(
        &self,
        kind: &K,
        plan: &Plan,
        place: &Place,
        (values, odd): (Values, BTreeMap<String, String>),
        before: &Before<'_>,
    ) -> Result<(Told, sources::Seen), Error> {
        if values.is_empty()
            && let Some(told) = self.without_values(kind, plan, before).await?
        {
            return Ok((told, sources::Seen::default()));
        }
        let (content, metadata, seen) = self.content::<K>(plan, place, values).await?;
        if kind.has_data_keys() && plan.target.creation != CreationPolicy::None {
            values::check_written(&content.data, &odd)?;
        }
        Ok((self.write(kind, plan, (content, metadata), before).await?, seen))
    }

    /// Whether something else than the provider may be why the target changes.
    fn is_edited(&self) -> bool {
        !guard::is_of(&self.object.status(), self.object.generation()) || self.ctx.sources.are_newer(self.key)
    }

    async fn content<K: Kind>(
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
        let lacks = K::TAKES_LAST_APPLIED && self.object.had_last_applied;
        let metadata = if lacks { Metadata::LastAppliedMissing } else { Metadata::Complete };
        Ok((content, metadata, sources::Seen::default()))
    }

    pub(super) fn author(&self) -> Author {
        Author {
            namespace: self.key.namespace().to_owned(),
            name: self.key.name().to_owned(),
            uid: self.uid().to_owned(),
        }
    }

    pub(super) fn uid(&self) -> &str {
        self.object.meta.uid.as_deref().unwrap_or_default()
    }

    /// Upstream's `syncedResourceVersion`: changes with the spec and with any label or annotation.
    fn version(&self) -> String {
        format!("{}-{}", self.object.generation(), self.object.metadata_hash)
    }
}

/// The first few, one per line, and how many more there are.
fn mistakes(mut problems: Problems) -> String {
    let more = problems.0.len().saturating_sub(MISTAKES_TOLD);
    problems.0.truncate(MISTAKES_TOLD);
    if more == 0 { problems.to_string() } else { format!("{problems}\nand {more} more") }
}

fn owned(texts: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
    texts.cloned().unwrap_or_default()
}

fn until(at: Timestamp, now: Timestamp) -> Next {
    Next::After(at.duration_since(now).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use api::problem::Problem;

    use super::*;

    #[test]
    fn of_many_mistakes_the_first_are_told_and_how_many_more_there_are() {
        let of =
            |count: usize| mistakes(Problems((0..count).map(|n| Problem::new(format!("p{n}"), "w", "a")).collect()));
        assert_eq!(of(5), "p0: w; a\np1: w; a\np2: w; a\np3: w; a\np4: w; a");
        assert_eq!(of(3_000), format!("{}\nand 2995 more", of(5)));
    }
}
