//! Writes a target that is no Secret: one create or patch, none when nothing differs.
//!
//! What must be written is decided in [`super::desired`]; here it is sent. Where the API server makes more of an object
//! than was sent (defaults of a CRD), a second patch notes the hash of what is there, or the object would look edited.
//! RBAC: `get`, `create`, `patch`, `delete` of the kind.

use std::sync::Arc;

use api::{
    external_secret::CreationPolicy,
    hash::owner_label,
    names::{MANAGED_LABEL, MANAGED_VALUE, field_manager},
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::Value;

use super::{
    desired::Desired,
    watches::{Watch, managed_of},
};
use crate::{
    ctx::Ctx,
    engine::{ObjectKey, cache::Versioned as _},
    error::{Code, Error},
    reconcile::{external_secret::desired::Author, managed::Managed},
};

/// What a write came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    Created,
    Updated,
    Unchanged,
    /// creationPolicy Merge, and there is nothing to merge into.
    Missing,
}

/// Conflicts with other writers that one reconcile sits out before it leaves the rest to its retry.
const ATTEMPTS: usize = 3;

/// Objects of one kind in one namespace.
pub struct Target<'a> {
    pub ctx: &'a Ctx,
    pub watch: &'a Watch,
    pub kind: &'a ApiResource,
    pub namespace: &'a str,
}

impl Target<'_> {
    /// The target as it is, as far as it is managed: for when it is not watched.
    pub async fn look(&self, name: &str) -> Result<Option<Arc<Managed>>, Error> {
        let found = self.read(name).await?;
        let managed = |object: &DynamicObject| object.labels().get(MANAGED_LABEL).is_some_and(|it| it == MANAGED_VALUE);
        Ok(found.filter(managed).map(|object| Arc::new(managed_of(&object))))
    }

    /// Brings the target in step. `known`: what is known of it. `settled`: spec and metadata are as they were at the
    /// last write.
    pub async fn write(&self, desired: &Desired, known: Option<&Managed>, settled: bool) -> Result<Written, Error> {
        let wanted = desired.fingerprint();
        if desired.creation == CreationPolicy::None || (settled && is_as_desired(known, desired, wanted)) {
            return Ok(Written::Unchanged);
        }
        let creates = desired.creation != CreationPolicy::Merge;
        let wanted_else = known.is_some_and(|known| known.settled_as.is_some_and(|settled| settled != wanted));
        let prune = !settled || wanted_else;
        let mut existing = if known.is_none() && creates { None } else { self.read(&desired.target).await? };
        for _ in 0..ATTEMPTS {
            let attempt = match &existing {
                Some(existing) => self.patch(desired, existing, prune).await,
                None if creates => self.create(desired).await,
                None => return Ok(Written::Missing),
            };
            match attempt {
                Err(error) if error.code() == Code::KubernetesConflict => {}
                // Deleted between being read and being patched.
                Err(error) if error.code() == Code::ReferenceNotFound && existing.is_some() => {}
                Err(error) => {
                    if error.code() == Code::ReferenceNotFound {
                        self.ctx.generic.kinds.forget(self.kind);
                    }
                    return Err(error);
                }
                Ok((written, object)) => {
                    let object = self.correct(desired, object).await?;
                    let mut managed = managed_of(&object);
                    managed.settled_as = Some(wanted);
                    self.watch.objects.record_object(&self.key(&desired.target), managed);
                    return Ok(written);
                }
            }
            existing = self.read(&desired.target).await?;
        }
        let message = format!("writing {}: other writers keep changing it", desired.name());
        Err(Error::retry(Code::KubernetesConflict, message))
    }

    async fn create(&self, desired: &Desired) -> Result<(Written, DynamicObject), Error> {
        let object: DynamicObject = serde_json::from_value(desired.object()?)
            .map_err(|_| Error::fix(Code::TargetInvalid, format!("{} cannot be put together", desired.name())))?;
        let params = PostParams { field_manager: Some(field_manager(&desired.author.name)), ..PostParams::default() };
        let created = self.api().create(&params, &object).await;
        let created = created.map_err(|error| self.failed("creating", &desired.target, &error))?;
        Ok((Written::Created, created))
    }

    async fn patch(
        &self,
        desired: &Desired,
        existing: &DynamicObject,
        prune: bool,
    ) -> Result<(Written, DynamicObject), Error> {
        let Some(patch) = desired.patch(existing, prune)? else { return Ok((Written::Unchanged, existing.clone())) };
        let patched = self.send(desired, patch).await?;
        // The API server may make the same of it again, such as the defaults that were taken out.
        let same = patched.resource_version() == existing.resource_version();
        Ok((if same { Written::Unchanged } else { Written::Updated }, patched))
    }

    async fn correct(&self, desired: &Desired, object: DynamicObject) -> Result<DynamicObject, Error> {
        match Desired::correction(&object) {
            Some(patch) => self.send(desired, patch).await,
            None => Ok(object),
        }
    }

    async fn send(&self, desired: &Desired, patch: Value) -> Result<DynamicObject, Error> {
        let params = PatchParams { field_manager: Some(field_manager(&desired.author.name)), ..PatchParams::default() };
        let patched = self.api().patch(&desired.target, &params, &Patch::Merge(patch)).await;
        patched.map_err(|error| self.failed("updating", &desired.target, &error))
    }

    async fn read(&self, name: &str) -> Result<Option<DynamicObject>, Error> {
        let found = self.api().get_opt(name).await;
        found.map_err(|error| self.failed("reading", name, &error))
    }

    /// Deletes the objects that this ExternalSecret created under other names, when they are provably its own.
    pub async fn delete_renamed(&self, author: &Author, name: &str) -> Result<Vec<String>, Error> {
        let label = owner_label(&author.namespace, &author.name);
        let mut deleted = Vec::new();
        for key in self.watch.objects.created_by(&author.namespace, &label) {
            if key.name() != name && self.delete_owned(author, key.name()).await? {
                deleted.push(key.name().to_owned());
            }
        }
        Ok(deleted)
    }

    /// Deletes an object whose controlling owner is this ExternalSecret. Whether there was something to delete.
    pub async fn delete_owned(&self, author: &Author, name: &str) -> Result<bool, Error> {
        let key = self.key(name);
        let known = match self.watch.objects.find(&key) {
            None if !self.watch.is_listed().await => self.look(name).await?,
            known => known,
        };
        let Some(known) = known.filter(|known| known.owner_uid.as_ref() == Some(&author.uid)) else {
            return Ok(false);
        };
        // Only the very object that was looked at: a newer one of the same name stays.
        let preconditions = Preconditions { uid: Some(known.uid().to_owned()), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.api().delete(name, &params).await {
            Ok(_) => {
                self.watch.objects.forget(&key);
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
            Err(error) => Err(self.failed("deleting", name, &error)),
        }
    }

    fn api(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.ctx.client.clone(), self.namespace, self.kind)
    }

    fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::new(self.namespace, name)
    }

    /// Of a missing permission, also what else to grant: nothing is shipped for this kind.
    fn failed(&self, doing: &str, name: &str, error: &kube::Error) -> Error {
        let act = format!("{doing} {} {}/{name}", self.kind.kind.to_lowercase(), self.namespace);
        let error = Error::kube(&act, error);
        if error.code() == Code::KubernetesForbidden {
            return error.advising("targets of this kind need get, list, watch, create, patch and delete");
        }
        error
    }
}

/// Whether the watch shows all there is to know: our content, untouched, with the owner that it must have.
fn is_as_desired(known: Option<&Managed>, desired: &Desired, wanted: u64) -> bool {
    let Some(known) = known else { return false };
    let owned = desired.creation != CreationPolicy::Owner
        || (known.owner_uid.as_ref() == Some(&desired.author.uid) && known.created_by.is_some());
    owned && known.intact && known.settled_as == Some(wanted)
}
