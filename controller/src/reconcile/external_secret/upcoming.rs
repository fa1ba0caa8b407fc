//! What ExternalSecrets that wait for a worker will ask of a store, for backends that answer many questions in one call.
//!
//! Told is only what the reconcile itself would ask in the same name: entries of ExternalSecrets that are due and may use
//! the store.

use std::sync::{Arc, OnceLock, Weak};

use api::{
    external_secret::{ExternalSecret, ExternalSecretSpec, ExternalSecretStatus},
    plan::{Fetch, Plan},
};
use jiff::Timestamp;

use super::{refresh, stores};
use crate::{
    ctx::Ctx,
    engine::{ObjectKey, Queue, object::Watched},
    provider::{
        ahead::{Visit, Waiting},
        identity::{Identity, StoreHandle},
    },
    resolve::Scope,
};

/// Keys that are looked at for one question: several full batches, and little beside what the batch saves.
const LOOKED_AT: usize = 128;

/// See the module documentation.
pub struct Upcoming {
    queue: Arc<Queue>,
    ctx: OnceLock<Weak<Ctx>>,
}

impl Upcoming {
    pub fn new(queue: Arc<Queue>) -> Self {
        Self { queue, ctx: OnceLock::new() }
    }

    /// Until this is called nothing is told.
    pub fn connect(&self, ctx: &Arc<Ctx>) {
        // A second time says the same.
        let _ = self.ctx.set(Arc::downgrade(ctx));
    }
}

impl Waiting for Upcoming {
    fn visit(&self, store: &StoreHandle, scope: &Scope, visit: &mut Visit<'_>) {
        let Some(ctx) = self.ctx.get().and_then(Weak::upgrade) else { return };
        let now = Timestamp::now();
        for (key, since) in self.queue.next(LOOKED_AT) {
            let Some(plan) = due(&ctx, &key, now) else { continue };
            for entry in &plan.entries {
                let (Fetch::Value { remote, .. } | Fetch::Extract(remote)) = &entry.fetch else { continue };
                let is_it = entry.store.kind == store.kind && entry.store.name == store.name;
                if is_it && may_ask(&ctx, &key, &entry.store, store, scope) && !visit(remote, since) {
                    return;
                }
            }
        }
    }
}

/// What an ExternalSecret asks for, if it is to be refreshed: never synced, changed, or its interval is over.
fn due(ctx: &Ctx, key: &ObjectKey, now: Timestamp) -> Option<Plan> {
    let object = ctx.external_secrets.find(key)?;
    if object.is_being_deleted() || ctx.namespaces.is_terminating(&object.meta) {
        return None;
    }
    let spec: ExternalSecretSpec = object.spec().ok()?;
    let plan = Plan::new(key.name(), &spec).ok()?;
    is_due(&object, &plan, now).then_some(plan)
}

fn is_due(object: &Watched<ExternalSecret>, plan: &Plan, now: Timestamp) -> bool {
    let status: ExternalSecretStatus = object.status();
    let version = format!("{}-{}", object.generation(), object.metadata_hash);
    let (Some(synced_at), Some(synced)) = (&status.refresh_time, &status.synced_resource_version) else { return true };
    let next = refresh::next_after(&plan.refresh, object.meta.uid.as_deref().unwrap_or_default(), synced_at.0);
    *synced != version || next.is_some_and(|at| at <= now)
}

/// Whether it would be asked in the same name.
fn may_ask(
    ctx: &Ctx,
    key: &ObjectKey,
    named: &api::plan::ResolvedStoreRef,
    store: &StoreHandle,
    scope: &Scope,
) -> bool {
    let Ok(found) = stores::usable(ctx, key.namespace(), named) else { return false };
    let identity = Identity::of(&found, key.namespace()).ok().flatten();
    found.uid == store.uid
        && found.generation == store.generation
        && identity.is_some_and(|identity| identity.scope() == scope)
}
