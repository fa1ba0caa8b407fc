//! Writes the target Secret: at most one create or patch per reconcile, none when nothing differs.
//!
//! What must be written is decided in [`super::desired`]; here it is sent. A Secret that the watch shows with the right
//! data is not even read. RBAC: secrets `get`, `create`, `patch`; externalsecrets `get`.

use api::{
    external_secret::{CreationPolicy, ExternalSecret},
    hash::data_hash,
    names::field_manager,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};

use super::{
    adoption::Adoption,
    claim,
    desired::{self, Author, Desired},
    knowledge::Knowledge,
};
use crate::{
    ctx::Ctx,
    engine::ObjectKey,
    error::{Code, Error},
    reconcile::managed::Managed,
};

/// What a write came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Written {
    Created,
    /// With what it took from somebody else.
    Updated(Option<Adoption>),
    Unchanged,
    /// creationPolicy Merge, and there is nothing to merge into.
    Missing,
}

/// What of the ExternalSecret's own metadata the target shall carry, decided only when something is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Metadata {
    /// All is in the desired content.
    Complete,
    /// kubectl's annotation was not kept by the watch and must be fetched: without a template the Secret carries it.
    LastAppliedMissing,
}

/// Conflicts with other writers that one reconcile sits out before it leaves the rest to its retry.
const ATTEMPTS: usize = 3;

/// Brings the target in step. `settled`: spec and metadata are as they were at the last write, so that equal data means
/// an equal Secret. `permit` is asked when keys of the data would go, by their names, and its error is returned.
pub async fn write(
    ctx: &Ctx,
    mut desired: Desired,
    metadata: Metadata,
    settled: bool,
    permit: impl Fn(&[String]) -> Result<(), Error>,
    knowledge: &Knowledge<'_>,
) -> Result<Written, Error> {
    let key = ObjectKey::new(&desired.author.namespace, &desired.target);
    let wanted = desired.beside_data();
    let known = ctx.managed.find(&key);
    if settled && known.as_deref().is_some_and(|known| is_as_desired(known, &desired, wanted)) {
        return Ok(Written::Unchanged);
    }
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), &desired.author.namespace);
    if desired.creation == CreationPolicy::None {
        if known.is_none() {
            claim::claim(ctx, &desired.author, &desired.target).await?;
        }
        return Ok(Written::Unchanged);
    }
    if metadata == Metadata::LastAppliedMissing {
        desired.content.annotations.extend(own_annotations(ctx, &desired.author).await?);
    }
    let mut existing = match (&known, desired.creation) {
        (None, CreationPolicy::Owner | CreationPolicy::Orphan | CreationPolicy::CreateOrMerge) => None,
        _ => secrets.get_opt(&desired.target).await.map_err(|error| Error::kube(&act("reading", &desired), &error))?,
    };
    for _ in 0..ATTEMPTS {
        let attempt = match &existing {
            Some(existing) => patch(ctx, &secrets, &desired, existing, wanted, &permit, knowledge).await,
            None if desired.creation == CreationPolicy::Merge => return Ok(Written::Missing),
            None => {
                // It was there before: it may be gone because the ExternalSecret is, or is about something else now.
                if settled {
                    knowledge.confirm().await?;
                }
                create(ctx, &secrets, &desired, wanted).await
            }
        };
        match attempt {
            Err(error) if error.code() == Code::KubernetesConflict => {}
            // Deleted between being read and being patched.
            Err(error) if error.code() == Code::ReferenceNotFound && existing.is_some() => {}
            done => return done,
        }
        let read = secrets.get_opt(&desired.target).await;
        existing = read.map_err(|error| Error::kube(&act("reading", &desired), &error))?;
    }
    Err(Error::retry(Code::KubernetesConflict, format!("{}: other writers keep changing it", act("writing", &desired))))
}

/// Whether the watch shows all there is to know: our data, untouched, with the owner that it must have.
fn is_as_desired(known: &Managed, desired: &Desired, wanted: u64) -> bool {
    let rebuilt = matches!(desired.creation, CreationPolicy::Owner | CreationPolicy::Orphan);
    let owned = desired.creation != CreationPolicy::Owner
        || (known.owner_uid.as_ref() == Some(&desired.author.uid) && known.created_by.is_some());
    rebuilt
        && owned
        && known.intact
        && known.settled_as == Some(wanted)
        && known.data_hash == data_hash(&desired.content.data)
}

async fn create(ctx: &Ctx, secrets: &Api<Secret>, desired: &Desired, wanted: u64) -> Result<Written, Error> {
    let params = PostParams { field_manager: Some(field_manager(&desired.author.name)), ..PostParams::default() };
    let created = secrets.create(&params, &desired.secret()).await;
    let created = created.map_err(|error| Error::kube(&act("creating", desired), &error))?;
    ctx.managed.record(&created, Some(wanted));
    Ok(Written::Created)
}

async fn patch(
    ctx: &Ctx,
    secrets: &Api<Secret>,
    desired: &Desired,
    existing: &Secret,
    wanted: u64,
    permit: impl Fn(&[String]) -> Result<(), Error>,
    knowledge: &Knowledge<'_>,
) -> Result<Written, Error> {
    let Some(patch) = desired.patch(existing)? else {
        ctx.managed.record(existing, Some(wanted));
        return Ok(Written::Unchanged);
    };
    let dropped = desired::dropped(&patch);
    if !dropped.is_empty() {
        permit(&dropped)?;
        knowledge.confirm_with_stores().await?;
    } else if !is_as_left(existing, desired) {
        knowledge.confirm().await?;
    }
    let adoption = Adoption::of(desired, existing);
    if ctx.settings.refuse_adoption
        && let Some(refusal) = adoption.as_ref().and_then(|it| it.refusal(&desired.author.namespace, &desired.target))
    {
        return Err(refusal);
    }
    let params = PatchParams { field_manager: Some(field_manager(&desired.author.name)), ..PatchParams::default() };
    let patched = secrets.patch(&desired.target, &params, &Patch::Merge(patch)).await;
    let patched = patched.map_err(|error| Error::kube(&act("updating", desired), &error))?;
    ctx.managed.record(&patched, Some(wanted));
    Ok(Written::Updated(adoption))
}

/// Whether nobody else had a hand in the Secret since this ExternalSecret wrote it.
fn is_as_left(existing: &Secret, desired: &Desired) -> bool {
    let known = Managed::from(existing);
    let owned = desired.creation != CreationPolicy::Owner || known.owner_uid.as_ref() == Some(&desired.author.uid);
    known.intact && owned
}

/// All annotations of the ExternalSecret, kubectl's included.
async fn own_annotations(ctx: &Ctx, author: &Author) -> Result<std::collections::BTreeMap<String, String>, Error> {
    let api: Api<ExternalSecret> = Api::namespaced(ctx.client.clone(), &author.namespace);
    let own = api.get_metadata(&author.name).await.map_err(|error| {
        Error::kube(&format!("reading externalsecret {}/{}", author.namespace, author.name), &error)
    })?;
    Ok(own.annotations().clone())
}

fn act(doing: &str, desired: &Desired) -> String {
    format!("{doing} secret {}/{}", desired.author.namespace, desired.target)
}
