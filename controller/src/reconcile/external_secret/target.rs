//! Writes the target: at most one create or patch per reconcile, none when nothing differs.
//!
//! What must be written is decided by its [`Kind`]; here it is sent. A target that the watch shows with the right content
//! is not even read. Where the API server makes more of an object than was sent (defaults of a CRD), a second patch notes
//! the hash of what is there, or the object would look edited. RBAC: `get`, `create`, `patch` of the kind;
//! externalsecrets `get`.

use std::collections::{BTreeMap, BTreeSet};

use api::{
    external_secret::{CreationPolicy, ExternalSecret},
    names::DATA_HASH_ANNOTATION,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::Value;

use super::{
    adoption::{Adoption, State},
    desired::{Author, Desired, WrittenBy},
    fights::Opponents,
    kind::{Changes, Kind},
    knowledge::Knowledge,
};
use crate::{
    ctx::Ctx,
    engine::ObjectKey,
    error::{Code, Error},
    reconcile::{guard::wiring::Refusal, managed::Managed},
};

/// What a write came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Written {
    Created,
    Updated {
        /// What it took from somebody else.
        adoption: Option<Adoption>,
        /// Whether anything but the annotation changed that tells what is there.
        repairs: bool,
        /// Who wrote what was changed.
        opponents: Opponents,
    },
    Unchanged,
    /// creationPolicy Merge, and there is nothing to merge into.
    Missing,
    /// Some keys stay for this reason, all others are in step; whether that changed something.
    Held(Box<Error>, bool),
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

/// What a write is to keep to.
pub struct Terms<'a, P> {
    pub metadata: Metadata,
    /// Spec and metadata are as they were at the last write, so that equal content means an equal target.
    pub settled: bool,
    /// Asked when keys or fields would go, by their names, and told which keys the ExternalSecret wrote. What it refuses
    /// is left as it is.
    pub permit: P,
    pub knowledge: &'a Knowledge<'a>,
}

/// See [`Terms::permit`].
pub trait Permit: Fn(&[String], &BTreeSet<String>) -> Result<(), Refusal> + Sync {}
impl<P: Fn(&[String], &BTreeSet<String>) -> Result<(), Refusal> + Sync> Permit for P {}

/// Brings the target in step. `known`: what was known of it, where the watch does not know better.
pub async fn write<K: Kind>(
    kind: &K,
    mut desired: Desired,
    known: Option<&Managed>,
    terms: &Terms<'_, impl Permit>,
) -> Result<Written, Error> {
    let wanted = kind.wanted(&desired);
    let user = ObjectKey::new(&desired.author.namespace, &desired.author.name);
    let news = kind.objects().find(&kind.key(&desired.target));
    let known = news.as_deref().or(known);
    if terms.settled && known.is_some_and(|known| kind.is_met(&desired, wanted, known)) {
        return Ok(Written::Unchanged);
    }
    if desired.creation == CreationPolicy::None {
        kind.ctx().shares.forget(&user);
        kind.claim(&desired.author, &desired.target).await?;
        return Ok(Written::Unchanged);
    }
    if terms.metadata == Metadata::LastAppliedMissing {
        desired.content.annotations.extend(own_annotations(kind.ctx(), &desired.author).await?);
    }
    let creates = desired.creation != CreationPolicy::Merge;
    let wanted_else = known.is_some_and(|known| known.settled_as.is_some_and(|settled| settled != wanted));
    let prune = !terms.settled || wanted_else;
    let mut existing = if known.is_none() && creates { None } else { read(kind, &desired).await? };
    for _ in 0..ATTEMPTS {
        let attempt = match &existing {
            Some(existing) => patch(kind, &desired, existing, prune, terms).await,
            None if !creates => return Ok(Written::Missing),
            None => {
                // It was there before: it may be gone because the ExternalSecret is, or is about something else now.
                if terms.settled {
                    terms.knowledge.confirm().await?;
                }
                create(kind, &desired).await
            }
        };
        match attempt {
            Err(error) if error.code() == Code::KubernetesConflict => {}
            // Deleted between being read and being patched.
            Err(error) if error.code() == Code::ReferenceNotFound && existing.is_some() => {}
            Err(error) => {
                if let Some(existing) = &existing {
                    meet_obstacle(kind, &desired, existing.meta(), &error).await;
                }
                return Err(error);
            }
            Ok((written, object)) => {
                let object = match kind.correction(&object) {
                    Some(patch) => send(kind, &desired, patch).await?,
                    None => object,
                };
                let managed = kind.managed(&object).settled_as(wanted);
                // First, or what was ours until now would be missed.
                note_share(kind, &user, &desired, &managed);
                kind.objects().record(&kind.key(&desired.target), managed);
                return Ok(written);
            }
        }
        existing = read(kind, &desired).await?;
    }
    let act = kind.act("writing", &desired.target);
    Err(Error::retry(Code::KubernetesConflict, format!("{act}: other writers keep changing it")))
}

/// What stands in the way and carries no managed label is watched for its own sake: whoever takes it away, as the error asks,
/// shall not have to wait.
async fn meet_obstacle<K: Kind>(kind: &K, desired: &Desired, existing: &ObjectMeta, error: &Error) {
    let stands = [Code::AdoptionRefused, Code::TargetImmutable, Code::TargetNotOurs, Code::TargetOwnedByAnother];
    let [secrets, config_maps] = &kind.ctx().obstacles;
    let obstacles = match kind.resource() {
        // The label is put on every other Secret.
        None if kind.ctx().settings.refuse_adoption => secrets,
        Some(resource) if resource.api_version == "v1" && resource.kind == "ConfigMap" => config_maps,
        _ => return,
    };
    if stands.contains(&error.code()) {
        let user = ObjectKey::new(&desired.author.namespace, &desired.author.name);
        let object = kind.key(&desired.target);
        // What happened to it between being read and being known here, the watch told nobody.
        if obstacles.met(&user, &object, existing)
            && let Ok(now) = kind.api().get_metadata_opt(&desired.target).await
        {
            obstacles.found(&object, now.as_ref().map(|now| &now.metadata));
        }
    }
}

fn note_share<K: Kind>(kind: &K, user: &ObjectKey, desired: &Desired, written: &Managed) {
    let shares = &kind.ctx().shares;
    if desired.is_whole() {
        shares.forget(user);
    } else {
        shares.set(user, &kind.key(&desired.target), written, &kind.content(desired));
    }
}

async fn read<K: Kind>(kind: &K, desired: &Desired) -> Result<Option<K::Object>, Error> {
    let read = kind.api().get_opt(&desired.target).await;
    read.map_err(|error| kind.failed("reading", &desired.target, &error))
}

async fn create<K: Kind>(kind: &K, desired: &Desired) -> Result<(Written, K::Object), Error> {
    let params = PostParams { field_manager: Some(desired.manager()), ..PostParams::default() };
    let created = kind.api().create(&params, &kind.make(desired)?).await;
    Ok((Written::Created, created.map_err(|error| kind.failed("creating", &desired.target, &error))?))
}

async fn patch<K: Kind>(
    kind: &K,
    desired: &Desired,
    existing: &K::Object,
    prune: bool,
    terms: &Terms<'_, impl Permit>,
) -> Result<(Written, K::Object), Error> {
    let Some(patch) = kind.patch(desired, existing, prune)? else { return Ok((Written::Unchanged, existing.clone())) };
    let changes = kind.changes(existing, &patch);
    if !changes.removed.is_empty() {
        let ours = WrittenBy::manager(&desired.manager(), existing.meta()).data;
        if let Err(refusal) = (terms.permit)(&changes.removed, &ours) {
            return patch_but(kind, desired, existing, prune, terms, refusal).await;
        }
    }
    apply(kind, desired, existing, patch, changes, terms).await
}

/// Brings in step what is not refused, if that can be told apart.
async fn patch_but<K: Kind>(
    kind: &K,
    desired: &Desired,
    existing: &K::Object,
    prune: bool,
    terms: &Terms<'_, impl Permit>,
    refusal: Refusal,
) -> Result<(Written, K::Object), Error> {
    let Some(kept) = refusal.keep.and_then(|keys| kind.values(existing, &keys)) else { return Err(refusal.error) };
    let mut desired = desired.clone();
    desired.content.data.extend(kept);
    let refused = |updated| Written::Held(Box::new(refusal.error), updated);
    let Some(patch) = kind.patch(&desired, existing, prune)? else { return Ok((refused(false), existing.clone())) };
    let changes = kind.changes(existing, &patch);
    let (written, object) = apply(kind, &desired, existing, patch, changes, terms).await?;
    Ok((refused(written != Written::Unchanged), object))
}

async fn apply<K: Kind>(
    kind: &K,
    desired: &Desired,
    existing: &K::Object,
    patch: Value,
    changes: Changes,
    terms: &Terms<'_, impl Permit>,
) -> Result<(Written, K::Object), Error> {
    if !changes.removed.is_empty() {
        terms.knowledge.confirm_with_stores().await?;
    } else if !is_as_left(&kind.managed(existing), desired) {
        terms.knowledge.confirm().await?;
    }
    let opponents = Opponents::of(&desired.manager(), existing.meta(), &changes, added(&patch, &changes));
    let user = ObjectKey::new(&desired.author.namespace, &desired.author.name);
    let shared = kind.ctx().shares.is_known(&user, &kind.key(&desired.target));
    let state = State { intact: kind.managed(existing).intact, settled: terms.settled, shared };
    let adoption = Adoption::of(desired, existing.meta(), state, changes);
    if kind.ctx().settings.refuse_adoption
        && let Some(refusal) = adoption.as_ref().and_then(|it| it.refusal(&kind.full(&desired.target)))
    {
        return Err(refusal);
    }
    let repairs = repairs(&patch);
    let patched = send(kind, desired, patch).await?;
    // The API server may make the same of it again, such as the defaults that were taken out.
    let same = patched.meta().resource_version == existing.meta().resource_version;
    Ok((if same { Written::Unchanged } else { Written::Updated { adoption, repairs, opponents } }, patched))
}

async fn send<K: Kind>(kind: &K, desired: &Desired, patch: Value) -> Result<K::Object, Error> {
    let params = PatchParams { field_manager: Some(desired.manager()), ..PatchParams::default() };
    let patched = kind.api().patch(&desired.target, &params, &Patch::Merge(patch)).await;
    patched.map_err(|error| kind.failed("updating", &desired.target, &error))
}

/// Whether a patch puts right what this ExternalSecret answers for. Where others have keys of their own in the same data, the
/// annotation follows their changes, too.
fn repairs(patch: &Value) -> bool {
    let holds = |value: Option<&Value>, besides: &[&str]| {
        let mut members = value.and_then(Value::as_object).into_iter().flatten();
        members.any(|(name, _)| !besides.contains(&name.as_str()))
    };
    let metadata = patch.get("metadata");
    holds(Some(patch), &["metadata"])
        || holds(metadata, &["uid", "resourceVersion", "annotations"])
        || holds(metadata.and_then(|metadata| metadata.get("annotations")), &[DATA_HASH_ANNOTATION])
}

/// Keys of data that are not there yet.
fn added(patch: &Value, changes: &Changes) -> Vec<String> {
    let keys = patch.get("data").and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key);
    keys.filter(|key| !changes.removed.contains(key) && !changes.replaced.contains(key)).cloned().collect()
}

/// Whether nobody else had a hand in the target since this ExternalSecret wrote it.
fn is_as_left(existing: &Managed, desired: &Desired) -> bool {
    existing.intact && (!desired.is_owner() || existing.owner_uid.as_ref() == Some(&desired.author.uid))
}

/// All annotations of the ExternalSecret, kubectl's included.
async fn own_annotations(ctx: &Ctx, author: &Author) -> Result<BTreeMap<String, String>, Error> {
    let api: Api<ExternalSecret> = Api::namespaced(ctx.client.clone(), &author.namespace);
    let own = api.get_metadata(&author.name).await.map_err(|error| {
        Error::kube(&format!("reading externalsecret {}/{}", author.namespace, author.name), &error)
    })?;
    Ok(own.annotations().clone())
}
