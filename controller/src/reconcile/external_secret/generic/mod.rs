//! Targets that are no Secrets: ConfigMaps and custom resources, behind `--unsafe-allow-generic-targets`.
//!
//! They are written as Secrets are; here is what differs: their [kind](objects), found as a manifest names it, and watched
//! as long as somebody writes it. RBAC: for each kind what [`objects`] names; nothing of it is shipped.

mod changes;
mod kinds;
mod objects;
mod place;
mod shape;
mod watches;

use api::{
    external_secret::{ExternalSecretStatus, Manifest, Target as TargetSpec},
    names::{condition_reason, condition_type::READY},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, api::ApiResource};

pub use self::objects::Objects;
use self::{kinds::Kinds, watches::Watches};
use crate::{
    ctx::Ctx,
    engine::ObjectKey,
    error::{Code, Error},
    reconcile::managed::Change,
};

/// What targets that are no Secrets need between reconciles.
pub struct Generic {
    enabled: bool,
    kinds: Kinds,
    watches: Watches,
}

impl Generic {
    /// `changed` is called with an ExternalSecret, its target, and what became of it. `namespace`: empty for all.
    pub fn new(
        client: Client,
        enabled: bool,
        namespace: &str,
        changed: impl Fn(&ObjectKey, &ObjectKey, Change<'_>) + Send + Sync + 'static,
    ) -> Self {
        let watches = Watches::new(client.clone(), namespace, changed);
        Self { enabled, kinds: Kinds::new(client), watches }
    }

    /// The ExternalSecret is gone.
    pub fn forget(&self, user: &ObjectKey) {
        self.watches.forget(user);
    }

    /// The ExternalSecret writes a Secret now.
    pub fn leave(&self, user: &ObjectKey) {
        self.watches.leave(user);
    }

    /// The ExternalSecret, which was last synced to an object that is no Secret, may have written it before this process began:
    /// ConfigMaps are looked at then. False if it is known what it wrote.
    pub fn suspect(&self, user: &ObjectKey) -> bool {
        self.enabled && self.watches.suspect(user, &ApiResource::erase::<ConfigMap>(&()))
    }

    /// Nothing is left of what the ExternalSecret wrote of other kinds than it writes now, or shall stay.
    pub fn settle(&self, user: &ObjectKey) {
        if self.enabled {
            self.watches.settle(user);
        }
    }

    /// The kind that a manifest names, as a target of `user` with the name of `target`.
    pub async fn objects<'a>(
        &self,
        ctx: &'a Ctx,
        user: &'a ObjectKey,
        manifest: &Manifest,
        target: &ObjectKey,
    ) -> Result<Objects<'a>, Error> {
        if !self.enabled {
            let message = "targets other than Secrets are switched off; start the operator with \
                           --unsafe-allow-generic-targets, or remove the manifest to write a Secret";
            return Err(Error::fix(Code::GenericTargetsDisabled, message).at("spec.target.manifest"));
        }
        let kind = self.kinds.find(manifest).await?;
        let watch = self.watches.set(user, &kind, target);
        Ok(Objects { ctx, watch, kind, namespace: user.namespace() })
    }

    /// Every other kind that is written at present: something of `user` may be left there.
    pub fn others<'a>(&self, ctx: &'a Ctx, user: &'a ObjectKey, but: Option<&ApiResource>) -> Vec<Objects<'a>> {
        let others = self.watches.others(but).into_iter();
        others.map(|(kind, watch)| Objects { ctx, watch, kind, namespace: user.namespace() }).collect()
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
