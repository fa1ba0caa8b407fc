//! Objects of a kind that is not Secret, as targets.
//!
//! RBAC: `get`, `list`, `watch`, `create`, `patch`, `delete` of the kind.

use std::sync::Arc;

use api::names::{MANAGED_LABEL, MANAGED_VALUE};
use async_trait::async_trait;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};

use super::{changes, shape::Shape, watches::Watch};
use crate::{
    ctx::Ctx,
    engine::ObjectKey,
    error::{Code, Error},
    reconcile::{
        external_secret::{
            desired::{Author, Desired},
            kind::{Changes, Kind},
        },
        managed::{Managed, ManagedObjects, digests::Digests, hashed::digests_of},
    },
};

/// See the module documentation.
pub struct Objects<'a> {
    pub ctx: &'a Ctx,
    pub watch: Arc<Watch>,
    pub kind: ApiResource,
    pub namespace: &'a str,
}

impl Objects<'_> {
    fn shape<'a>(&'a self, desired: &'a Desired) -> Shape<'a> {
        Shape { desired, kind: &self.kind }
    }
}

#[async_trait]
impl Kind for Objects<'_> {
    type Object = DynamicObject;

    const SYNCED: &'static str = "object synced";
    const RETAINED: &'static str = "the object is retained as deletionPolicy=Retain says";
    const BINDS: bool = false;
    const TAKES_LAST_APPLIED: bool = false;

    fn ctx(&self) -> &Ctx {
        self.ctx
    }

    fn resource(&self) -> Option<&ApiResource> {
        Some(&self.kind)
    }

    fn namespace(&self) -> &str {
        self.namespace
    }

    fn noun(&self) -> String {
        self.kind.kind.to_lowercase()
    }

    fn api(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.ctx.client.clone(), self.namespace, &self.kind)
    }

    fn objects(&self) -> &ManagedObjects {
        &self.watch.objects
    }

    /// Where the kind cannot be watched, the object is read.
    async fn find(&self, name: &str) -> Result<Option<Arc<Managed>>, Error> {
        if self.watch.is_listed().await {
            return Ok(self.watch.objects.find(&self.key(name)));
        }
        let found = self.api().get_opt(name).await.map_err(|error| self.failed("reading", name, &error))?;
        let managed = |object: &DynamicObject| object.labels().get(MANAGED_LABEL).is_some_and(|it| it == MANAGED_VALUE);
        Ok(found.filter(managed).map(|object| Arc::new(Managed::from(&object))))
    }

    fn managed(&self, object: &DynamicObject) -> Managed {
        Managed::from(object)
    }

    fn wanted(&self, desired: &Desired) -> u64 {
        self.shape(desired).fingerprint()
    }

    fn is_met(&self, desired: &Desired, wanted: u64, known: &Managed) -> bool {
        let owned = !desired.is_owner()
            || (known.owner_uid.as_ref() == Some(&desired.author.uid) && known.created_by.is_some());
        owned && known.intact && known.settled_as == Some(wanted)
    }

    fn content(&self, desired: &Desired) -> Digests {
        let object = self.shape(desired).object().unwrap_or_default();
        digests_of(object.get("spec"), object.get("data"))
    }

    fn make(&self, desired: &Desired) -> Result<DynamicObject, Error> {
        let object = self.shape(desired).object()?;
        serde_json::from_value(object).map_err(|_| {
            Error::fix(Code::TargetInvalid, format!("{} cannot be put together", self.full(&desired.target)))
        })
    }

    fn patch(&self, desired: &Desired, existing: &DynamicObject, prune: bool) -> Result<Option<Value>, Error> {
        self.shape(desired).patch(existing, prune)
    }

    fn changes(&self, existing: &DynamicObject, patch: &Value) -> Changes {
        let changes = changes::of(&json!(existing), patch, super::shape::data_path(&self.kind));
        let immutable = existing.data.get("immutable") == Some(&Value::Bool(true));
        if self.has_data_keys() {
            changes.with_metadata(&existing.metadata, immutable, patch)
        } else {
            // Elsewhere it is a field like any other.
            Changes { freezes: false, ..changes.with_metadata(&existing.metadata, immutable, patch) }
        }
    }

    fn correction(&self, answer: &DynamicObject) -> Option<Value> {
        super::shape::correction(answer)
    }

    /// Upstream marks Secrets only.
    async fn claim(&self, _: &Author, _: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Objects without the managed label are not watched.
    async fn has_appeared(&self, _: &ObjectKey, name: &str) -> bool {
        self.api().get_metadata_opt(name).await.is_ok_and(|found| found.is_some())
    }

    /// Of a missing permission, also what else to grant: nothing is shipped for this kind.
    fn failed(&self, doing: &str, name: &str, error: &kube::Error) -> Error {
        let error = Error::kube(&self.act(doing, name), error);
        match error.code() {
            Code::KubernetesForbidden => {
                error.advising("targets of this kind need get, list, watch, create, patch and delete")
            }
            Code::ReferenceNotFound => {
                // Perhaps the kind is not served any more, or otherwise.
                self.ctx.generic.kinds.forget(&self.kind);
                error
            }
            _ => error,
        }
    }
}
