//! The acts of a turn: its target is written or deleted, and what it wrote elsewhere before goes.

use std::collections::BTreeSet;

use api::{
    condition,
    external_secret::{CreationPolicy, DeletionPolicy, ExternalSecretStatus},
    hash::owner_label,
    names::{
        DATA_HASH_ANNOTATION, OWNER_LABEL, condition_reason::RESOURCE_SYNCED, condition_type::READY, event_reason,
        field_manager,
    },
    plan::{Fetch, Plan},
};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{
    desired::{Desired, WrittenBy},
    fetch::Lack,
    fights::Opponents,
    kind::Kind,
    knowledge::Knowledge,
    removal::{self, Removal},
    render::Content,
    secret::Secrets,
    status::Told,
    target::{self, Metadata, Terms, Written},
    turn::Turn,
};
use crate::{
    engine::cache::Versioned as _,
    error::{Code, Error},
    reconcile::{
        guard::{
            going::Going,
            wiring::{self as guard, Refusal},
        },
        managed::Managed,
    },
};

/// What a refresh came to know of its target before it writes.
pub struct Before<'a> {
    pub known: Option<&'a Managed>,
    /// Spec and metadata are as they were at the last write.
    pub settled: bool,
    /// Entries that the provider does not have any more, by their index in the plan.
    pub gone: &'a [usize],
    /// Why there are no values, where there are none.
    pub lack: Lack,
    /// Spec or templates have changed since the target was in step.
    pub edited: bool,
    /// Whether the user is to be told who changes the target again and again.
    pub contested: bool,
    pub knowledge: &'a Knowledge<'a>,
}

impl Turn<'_> {
    /// Writes the target.
    pub(super) async fn write<K: Kind>(
        &self,
        kind: &K,
        plan: &Plan,
        (content, metadata): (Content, Metadata),
        before: &Before<'_>,
    ) -> Result<Told, Error> {
        let desired = Desired {
            author: self.author(),
            target: plan.target.name.clone(),
            creation: plan.target.creation,
            immutable: plan.target.immutable,
            content,
        };
        let permit = |removed: &[String], ours: &BTreeSet<String>| self.permit(plan, before, Some(removed), ours);
        let terms = Terms { metadata, settled: before.settled, permit, knowledge: before.knowledge };
        let what = format!("{} \"{}\"", kind.noun(), plan.target.name);
        let written = target::write(kind, desired, before.known, &terms).await?;
        let repaired = matches!(written, Written::Created | Written::Updated { repairs: true, .. });
        match written {
            Written::Created => {
                if before.contested {
                    self.warn(event_reason::CONTESTED, Opponents::default().note(&what));
                }
                self.note(event_reason::CREATED, format!("{what} created"));
            }
            Written::Updated { adoption, opponents, .. } => {
                if before.contested {
                    self.warn(event_reason::CONTESTED, opponents.note(&what));
                }
                if let Some(adoption) = adoption {
                    self.warn(event_reason::ADOPTED, adoption.note(&what));
                }
                self.note(event_reason::UPDATED, format!("{what} updated"));
            }
            Written::Unchanged => {}
            Written::Missing => return Ok(Told::TargetMissing),
            Written::Held(error, updated) => {
                if updated {
                    self.note(event_reason::UPDATED, format!("{what} updated but for what is held"));
                }
                return Err(*error);
            }
        }
        self.delete_former(kind, plan, || Ok(()), before).await?;
        let binds = K::BINDS && plan.target.creation != CreationPolicy::None;
        Ok(Told::Synced { message: K::SYNCED.into(), binding: binds.then(|| plan.target.name.clone()), repaired })
    }

    /// What the ExternalSecret made under another name, or of another kind, goes with the policy that makes it its owner.
    async fn delete_former<K: Kind>(
        &self,
        kind: &K,
        plan: &Plan,
        permit: impl Fn() -> Result<(), Error> + Sync,
        before: &Before<'_>,
    ) -> Result<(), Error> {
        if plan.target.creation == CreationPolicy::Owner {
            let status: ExternalSecretStatus = self.object.status();
            let bound = former_secret(&status, before.settled, K::BINDS.then_some(&plan.target.name));
            let keep = Some(plan.target.name.as_str());
            self.delete_others(kind, (keep, bound.filter(|_| K::BINDS)), plan, &permit, before.knowledge).await?;
            if kind.resource().is_some() {
                let secrets = Secrets { ctx: self.ctx, namespace: self.key.namespace() };
                self.delete_others(&secrets, (None, bound), plan, &permit, before.knowledge).await?;
            }
            let is_unknown = self.was_no_secret() && self.ctx.generic.suspect(self.key);
            let mut deleted = 0;
            for objects in self.ctx.generic.others(self.ctx, self.key, kind.resource()) {
                // What is not listed, or not permitted to be, cannot be told apart.
                if objects.watch.is_listed().await {
                    deleted += self.delete_others(&objects, (None, None), plan, &permit, before.knowledge).await?;
                }
            }
            if is_unknown && deleted == 0 && kind.resource().is_none() {
                self.warn(event_reason::FORMER_TARGET_UNKNOWN, self.former_unknown());
            }
        }
        self.ctx.generic.settle(self.key);
        Ok(())
    }

    async fn delete_others<K: Kind>(
        &self,
        kind: &K,
        (keep, former): (Option<&str>, Option<&str>),
        plan: &Plan,
        permit: impl Fn() -> Result<(), Error> + Sync,
        knowledge: &Knowledge<'_>,
    ) -> Result<usize, Error> {
        let deleted = removal::delete_others(kind, &self.author(), keep, former, permit, knowledge).await?;
        for name in &deleted {
            let now =
                plan.target.manifest.as_ref().map_or("secret".to_owned(), |manifest| manifest.kind.to_lowercase());
            let note = format!("{} \"{name}\" deleted: the target is now {now} \"{}\"", kind.noun(), plan.target.name);
            self.note(event_reason::DELETED, note);
        }
        Ok(deleted.len())
    }

    /// Whether it was last synced to an object of another kind.
    fn was_no_secret(&self) -> bool {
        let status: ExternalSecretStatus = self.object.status();
        condition::find(&status.conditions, READY).is_some_and(|ready| ready.reason == RESOURCE_SYNCED)
    }

    fn former_unknown(&self) -> String {
        let label = owner_label(self.key.namespace(), self.key.name());
        format!(
            "the target was no Secret before the controller was started, and its kind is not known any more; delete what is \
             left of it: an object with the label {OWNER_LABEL}={label}"
        )
    }

    /// Nothing is left at the provider, and what that means for the target; `None`: it is written all the same.
    pub(super) async fn without_values<K: Kind>(
        &self,
        kind: &K,
        plan: &Plan,
        before: &Before<'_>,
    ) -> Result<Option<Told>, Error> {
        match plan.target.deletion {
            DeletionPolicy::Delete => self.delete(kind, plan, before).await.map(Some),
            DeletionPolicy::Retain => {
                self.claim(kind, plan).await;
                Ok(Some(Told::Synced {
                    message: format!("{}; {}", before.lack, K::RETAINED).into(),
                    binding: None,
                    repaired: false,
                }))
            }
            DeletionPolicy::Merge => Ok(None),
        }
    }

    async fn delete<K: Kind>(&self, kind: &K, plan: &Plan, before: &Before<'_>) -> Result<Told, Error> {
        if plan.target.creation != CreationPolicy::Owner {
            let message =
                format!("Delete needs a {} that this ExternalSecret owns; set creationPolicy=Owner", kind.noun());
            return Err(Error::fix(Code::SpecInvalid, message).at("spec.target.deletionPolicy"));
        }
        let name = &plan.target.name;
        let ours = self.found_keys(kind, plan).await?;
        let permit = || self.permit(plan, before, None, &ours).map_err(|refusal| refusal.error);
        let removal = removal::delete_owned(kind, &self.author(), name, &permit, Some(before.knowledge)).await?;
        match removal {
            Removal::Deleted => {
                let what = kind.noun();
                let note = format!("{what} \"{name}\" deleted: {}, and deletionPolicy=Delete", before.lack);
                self.note(event_reason::DELETED, note);
            }
            Removal::NotOurs => self.claim(kind, plan).await,
            Removal::Absent | Removal::Going => {}
        }
        // What it made before the target was renamed holds what the provider has no more.
        self.delete_former(kind, plan, permit, before).await?;
        Ok(Told::Deleted(removal, before.lack))
    }

    /// The keys of the target that this ExternalSecret wrote. Asked only where a search tells how much is lost: no cheaper
    /// knowledge of it survives a restart.
    async fn found_keys<K: Kind>(&self, kind: &K, plan: &Plan) -> Result<BTreeSet<String>, Error> {
        let name = &plan.target.name;
        if !plan.entries.iter().any(|entry| matches!(entry.fetch, Fetch::Find(_))) {
            return Ok(BTreeSet::new());
        }
        let read = kind.api().get_metadata_opt(name).await;
        let existing = read.map_err(|error| kind.failed("reading", name, &error))?;
        let manager = field_manager(self.key.name());
        Ok(existing.map(|existing| WrittenBy::manager(&manager, &existing.metadata).data).unwrap_or_default())
    }

    /// Whether keys, or the whole target, may go because entries are missing.
    fn permit(
        &self,
        plan: &Plan,
        before: &Before<'_>,
        removed: Option<&[String]>,
        ours: &BTreeSet<String>,
    ) -> Result<(), Refusal> {
        let going = Going { gone: before.gone, removed, ours, edited: before.edited };
        guard::permit(self.ctx, self.key, plan, &going)
    }

    /// Others have changed what is theirs in a target that is shared: only the annotation must follow, that tells what is
    /// there. One that changed again meanwhile brings the next turn.
    pub(super) async fn renew<K: Kind>(&self, kind: &K, plan: &Plan, known: &Managed) -> Result<(), Error> {
        let name = &plan.target.name;
        let patch = json!({"metadata": {
            "uid": known.uid(),
            "resourceVersion": known.version().to_string(),
            "annotations": {DATA_HASH_ANNOTATION: known.data_hash},
        }});
        let params = PatchParams { field_manager: Some(field_manager(self.key.name())), ..PatchParams::default() };
        match kind.api().patch(name, &params, &Patch::Merge(patch)).await {
            Ok(object) => {
                let mut managed = kind.managed(&object);
                managed.settled_as = known.settled_as;
                kind.objects().record(&kind.key(name), managed);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
            Err(error) => Err(kind.failed("updating", name, &error)),
        }
    }

    /// Marks a target that was not written. Whatever keeps the mark off keeps nothing else from being told.
    pub(super) async fn claim<K: Kind>(&self, kind: &K, plan: &Plan) {
        if let Err(error) = kind.claim(&self.author(), &plan.target.name).await {
            tracing::debug!(key = %self.key, "{error}");
        }
    }
}

/// The Secret that was the target until now, where spec or metadata have changed since it was written. What became of its
/// labels while nobody watched is not known: it must be looked at. `target`: the Secret that is the target now.
fn former_secret<'a>(status: &'a ExternalSecretStatus, settled: bool, target: Option<&String>) -> Option<&'a str> {
    let bound = status.binding.as_ref().filter(|_| !settled).map(|binding| &binding.name);
    bound.filter(|bound| target != Some(bound)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use api::external_secret::Binding;

    use super::*;

    #[test]
    fn former_target_is_looked_at_only_once_it_is_another() {
        let (old, new) = ("old".to_owned(), "new".to_owned());
        let bound = ExternalSecretStatus { binding: Some(Binding { name: old.clone() }), ..Default::default() };
        for (status, settled, target, expected) in [
            (&bound, false, Some(&new), Some("old")),
            (&bound, false, Some(&old), None),
            (&bound, false, None, Some("old")),
            (&bound, true, Some(&new), None),
            (&ExternalSecretStatus::default(), false, Some(&new), None),
        ] {
            assert_eq!(former_secret(status, settled, target), expected, "{settled} {target:?}");
        }
    }
}
