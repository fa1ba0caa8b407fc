//! Deletes Secrets that this ExternalSecret made and does not want any more.
//!
//! Only what is provably its own: by the UID of the controlling owner, and for renamed targets by the owner label too.
//! Each delete names the UID and the version that were judged, so that nothing is deleted on old knowledge.
//! RBAC: secrets `get`, `delete`.

use api::hash::owner_label;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};

use super::{desired::Author, knowledge::Knowledge};
use crate::{
    ctx::Ctx,
    engine::ObjectKey,
    error::{Code, Error},
    reconcile::managed::Managed,
};

/// What became of a Secret that was to be deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Removal {
    Deleted,
    /// There is none.
    Absent,
    /// It is somebody else's, and stays.
    NotOurs,
}

/// Deletes the Secrets that this ExternalSecret created under other names than `target`; returns their names.
pub async fn delete_renamed(
    ctx: &Ctx,
    author: &Author,
    target: &str,
    knowledge: &Knowledge<'_>,
) -> Result<Vec<String>, Error> {
    let label = owner_label(&author.namespace, &author.name);
    let is_old = |secret: &Managed| Ok(is_owned(secret, author) && secret.created_by.as_ref() == Some(&label));
    let mut deleted = Vec::new();
    for key in ctx.managed.created_by(&author.namespace, &label) {
        if key.name() != target && delete_if(ctx, &key, is_old, Some(knowledge)).await? == Removal::Deleted {
            deleted.push(key.name().to_owned());
        }
    }
    Ok(deleted)
}

/// Deletes the target when its controlling owner is this ExternalSecret. `permit` is asked when there is something to
/// delete, and its error is returned; so is `knowledge`, where what was decided on can have changed.
pub async fn delete_owned(
    ctx: &Ctx,
    author: &Author,
    target: &str,
    permit: impl Fn() -> Result<(), Error>,
    knowledge: Option<&Knowledge<'_>>,
) -> Result<Removal, Error> {
    let key = ObjectKey::new(&author.namespace, target);
    let holds = |secret: &Managed| if is_owned(secret, author) { permit().map(|()| true) } else { Ok(false) };
    delete_if(ctx, &key, holds, knowledge).await
}

fn is_owned(secret: &Managed, author: &Author) -> bool {
    secret.owner_uid.as_ref() == Some(&author.uid)
}

/// Changes by others in between that one reconcile sits out.
const ATTEMPTS: usize = 3;

/// Deletes the Secret if `holds` says so of it as it is when it goes: one that changed since it was seen is looked at again.
async fn delete_if(
    ctx: &Ctx,
    key: &ObjectKey,
    holds: impl Fn(&Managed) -> Result<bool, Error>,
    knowledge: Option<&Knowledge<'_>>,
) -> Result<Removal, Error> {
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), key.namespace());
    let act = |doing: &str| format!("{doing} secret {key}");
    let mut known = ctx.managed.find(key).map(|known| Managed::clone(&known));
    for _ in 0..ATTEMPTS {
        let seen = match known.take() {
            Some(known) => known,
            // Without the managed label, or changed meanwhile.
            None => match secrets.get_opt(key.name()).await {
                Ok(Some(secret)) => Managed::from(&secret),
                Ok(None) => return Ok(Removal::Absent),
                Err(error) => return Err(Error::kube(&act("reading"), &error)),
            },
        };
        if !holds(&seen)? {
            return Ok(Removal::NotOurs);
        }
        if let Some(knowledge) = knowledge {
            knowledge.confirm_with_stores().await?;
        }
        let params = DeleteParams { preconditions: Some(very(&seen)), ..DeleteParams::default() };
        match secrets.delete(key.name(), &params).await {
            Ok(_) => {
                ctx.managed.forget(key);
                return Ok(Removal::Deleted);
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(Removal::Absent),
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(error) => return Err(Error::kube(&act("deleting"), &error)),
        }
    }
    Err(Error::retry(Code::KubernetesConflict, format!("{}: other writers keep changing it", act("deleting"))))
}

/// The very object that was judged.
fn very(secret: &Managed) -> Preconditions {
    use crate::engine::cache::Versioned as _;
    Preconditions { uid: Some(secret.uid().to_owned()), resource_version: Some(secret.version().to_string()) }
}
