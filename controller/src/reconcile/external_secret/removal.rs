//! Deletes objects that this ExternalSecret made and does not want any more.
//!
//! Only what is provably its own: by the UID of the controlling owner, and for renamed targets by the owner label too.
//! Each delete names the UID and the version that were judged, so that nothing is deleted on old knowledge.
//! RBAC: `get`, `delete` of the kind.

use api::hash::owner_label;
use kube::api::{DeleteParams, Preconditions};

use super::{
    desired::Author,
    kind::Kind,
    knowledge::Knowledge,
    ours::{self, Identity},
};
use crate::{
    engine::{ObjectKey, cache::Versioned as _},
    error::{Code, Error},
    reconcile::managed::Managed,
};

/// What became of an object that was to be deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Removal {
    Deleted,
    /// There is none.
    Absent,
    /// It has been deleted, and is there until whoever put finalizers on it takes them off.
    Going,
    /// It is somebody else's, and stays.
    NotOurs,
}

/// Deletes the objects of the kind that this ExternalSecret created, but for the one named `keep`; returns their names.
/// Those with the managed label are known; `former` is the name of one that may be there without it.
/// `permit` is asked as by [`delete_owned`].
pub async fn delete_others<K: Kind>(
    kind: &K,
    author: &Author,
    keep: Option<&str>,
    former: Option<&str>,
    permit: impl Fn() -> Result<(), Error> + Sync,
    knowledge: &Knowledge<'_>,
) -> Result<Vec<String>, Error> {
    let label = owner_label(&author.namespace, &author.name);
    let me = Identity { uid: &author.uid, label: &label };
    let is_old = |object: &Managed| {
        if me.owns_wholly(object) { permit().map(|()| true) } else { Ok(false) }
    };
    let mut keys = kind.objects().created_by(&author.namespace, &label);
    keys.extend(former.map(|name| kind.key(name)).filter(|key| kind.objects().find(key).is_none()));
    let mut deleted = Vec::new();
    for key in keys.into_iter().filter(|key| keep != Some(key.name())) {
        // What was the target until now is none of the copies that people make of Secrets, with all that is on them.
        if K::BINDS && former != Some(key.name()) && !is_written(kind, &key, author).await? {
            continue;
        }
        if delete_if(kind, &key, &is_old, Some(knowledge)).await? == Removal::Deleted {
            deleted.push(key.name().to_owned());
        }
    }
    Ok(deleted)
}

async fn is_written<K: Kind>(kind: &K, key: &ObjectKey, author: &Author) -> Result<bool, Error> {
    let existing = kind.api().get_metadata_opt(key.name()).await;
    let existing = existing.map_err(|error| kind.failed("reading", key.name(), &error))?;
    Ok(existing.is_some_and(|existing| ours::is_written(author, &existing.metadata)))
}

/// Deletes the target when its controlling owner is this ExternalSecret. `permit` is asked when there is something to
/// delete, and its error is returned; so is `knowledge`, where what was decided on can have changed.
pub async fn delete_owned<K: Kind>(
    kind: &K,
    author: &Author,
    target: &str,
    permit: impl Fn() -> Result<(), Error> + Sync,
    knowledge: Option<&Knowledge<'_>>,
) -> Result<Removal, Error> {
    let label = owner_label(&author.namespace, &author.name);
    let me = Identity { uid: &author.uid, label: &label };
    let holds = |object: &Managed| if me.owns(object) { permit().map(|()| true) } else { Ok(false) };
    delete_if(kind, &kind.key(target), holds, knowledge).await
}

/// Changes by others in between that one reconcile sits out.
const ATTEMPTS: usize = 3;

/// Deletes the object if `holds` says so of it as it is when it goes: one that changed since it was seen is looked at again.
async fn delete_if<K: Kind>(
    kind: &K,
    key: &ObjectKey,
    holds: impl Fn(&Managed) -> Result<bool, Error> + Sync,
    knowledge: Option<&Knowledge<'_>>,
) -> Result<Removal, Error> {
    let api = kind.api();
    let mut known = kind.objects().find(key).map(|known| Managed::clone(&known));
    for _ in 0..ATTEMPTS {
        let seen = match known.take() {
            Some(known) => known,
            // Without the managed label, or changed meanwhile.
            None => match api.get_opt(key.name()).await {
                Ok(Some(object)) => kind.managed(&object),
                Ok(None) => return Ok(Removal::Absent),
                Err(error) => return Err(kind.failed("reading", key.name(), &error)),
            },
        };
        if !holds(&seen)? {
            return Ok(Removal::NotOurs);
        }
        if seen.is_going {
            return Ok(Removal::Going);
        }
        if let Some(knowledge) = knowledge {
            knowledge.confirm_with_stores().await?;
        }
        let params = DeleteParams { preconditions: Some(very(&seen)), ..DeleteParams::default() };
        match api.delete(key.name(), &params).await {
            Ok(_) => {
                kind.objects().deleted_by_us(key);
                return Ok(Removal::Deleted);
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(Removal::Absent),
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(error) => return Err(kind.failed("deleting", key.name(), &error)),
        }
    }
    let act = kind.act("deleting", key.name());
    Err(Error::retry(Code::KubernetesConflict, format!("{act}: other writers keep changing it")))
}

/// The very object that was judged.
fn very(object: &Managed) -> Preconditions {
    Preconditions { uid: Some(object.uid().to_owned()), resource_version: Some(object.version().to_string()) }
}
