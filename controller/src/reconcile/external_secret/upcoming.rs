//! What ExternalSecrets will ask of a store, for backends that answer many questions in one call: those that wait for a
//! worker, and those that rest and are nearly due.
//!
//! Told is only what the reconcile itself would ask in the same name: entries of ExternalSecrets that are due, or may be
//! refreshed a little before their time, and that may use the store.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Instant,
};

use api::{
    external_secret::{ExternalSecret, ExternalSecretSpec, ExternalSecretStatus, RefreshPolicy, RemoteRef},
    plan::{Entry, Fetch, Plan, ResolvedStoreRef},
    provider::ProviderRef,
};
use jiff::Timestamp;

use super::{refresh, stores};
use crate::{
    ctx::Ctx,
    engine::{Lane, ObjectKey, Queue, object::Watched},
    provider::{
        ahead::{Take, Taken, Visit, Waiting},
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

    fn bring_forward(&self, store: &StoreHandle, scope: &Scope, take: &mut Take<'_>) {
        let Some(ctx) = self.ctx.get().and_then(Weak::upgrade) else { return };
        let (identity, now) = (Identity::within(store, scope), Timestamp::now());
        // Of one path several may ask: one read, begun after this, is fresh enough for all of them.
        let since = Instant::now();
        for key in ctx.schedule.next(&identity, LOOKED_AT) {
            let Some(remotes) = early(&ctx, &key, &identity, now) else { continue };
            match take(&remotes, since) {
                Taken::Full => return,
                Taken::Yes if ctx.schedule.bring_forward(&key) => {
                    self.queue.add_since(&key, Lane::Periodic, since);
                }
                // It has a turn already.
                Taken::Yes | Taken::No => {}
            }
        }
    }
}

/// Whom an ExternalSecret asks, if it is one identity at a backend that answers many questions in one call, if single
/// entries are all that it asks for, and if it asks again by itself.
pub fn sole_identity(ctx: &Ctx, key: &ObjectKey, plan: &Plan) -> Option<Identity> {
    if plan.refresh.policy != RefreshPolicy::Periodic {
        return None;
    }
    let named = &plan.entries.first()?.store;
    single_entries(plan, named)?;
    let found = stores::usable(ctx, key.namespace(), named).ok()?;
    if !matches!(found.provider(), Ok(ProviderRef::Aws(_))) {
        return None;
    }
    Identity::of(&found, key.namespace()).ok().flatten()
}

/// All that is asked for, if it is single entries of that store.
fn single_entries(plan: &Plan, named: &ResolvedStoreRef) -> Option<Vec<RemoteRef>> {
    let remote = |entry: &Entry| match &entry.fetch {
        Fetch::Value { remote, .. } | Fetch::Extract(remote) if entry.store == *named => Some(remote.clone()),
        _ => None,
    };
    plan.entries.iter().map(remote).collect()
}

/// What a resting ExternalSecret asks for, if it may be refreshed a little before its time and is this identity still.
fn early(ctx: &Ctx, key: &ObjectKey, identity: &Identity, now: Timestamp) -> Option<Vec<RemoteRef>> {
    let (object, plan) = planned(ctx, key)?;
    let uid = object.meta.uid.as_deref().unwrap_or_default();
    let may = refresh::may_be_brought_forward(&plan.refresh, uid, &version(&object), &object.status(), now);
    if !may || sole_identity(ctx, key, &plan).as_ref() != Some(identity) {
        return None;
    }
    single_entries(&plan, &plan.entries.first()?.store)
}

/// What an ExternalSecret asks for, if it is to be refreshed: never synced, changed, or its interval is over.
fn due(ctx: &Ctx, key: &ObjectKey, now: Timestamp) -> Option<Plan> {
    let (object, plan) = planned(ctx, key)?;
    is_due(&object, &plan, now).then_some(plan)
}

fn planned(ctx: &Ctx, key: &ObjectKey) -> Option<(Arc<Watched<ExternalSecret>>, Plan)> {
    let object = ctx.external_secrets.find(key)?;
    if object.is_being_deleted() || ctx.namespaces.is_terminating(&object.meta) {
        return None;
    }
    let spec: ExternalSecretSpec = object.spec().ok()?;
    let plan = Plan::new(key.name(), &spec).ok()?;
    Some((object, plan))
}

fn is_due(object: &Watched<ExternalSecret>, plan: &Plan, now: Timestamp) -> bool {
    let status: ExternalSecretStatus = object.status();
    let (Some(synced_at), Some(synced)) = (&status.refresh_time, &status.synced_resource_version) else { return true };
    let next = refresh::next_after(&plan.refresh, object.meta.uid.as_deref().unwrap_or_default(), synced_at.0);
    *synced != version(object) || next.is_some_and(|at| at <= now)
}

fn version(object: &Watched<ExternalSecret>) -> String {
    format!("{}-{}", object.generation(), object.metadata_hash)
}

/// Whether it would be asked in the same name.
fn may_ask(ctx: &Ctx, key: &ObjectKey, named: &ResolvedStoreRef, store: &StoreHandle, scope: &Scope) -> bool {
    let Ok(found) = stores::usable(ctx, key.namespace(), named) else { return false };
    let identity = Identity::of(&found, key.namespace()).ok().flatten();
    found.uid == store.uid
        && found.generation == store.generation
        && identity.is_some_and(|identity| identity.scope() == scope)
}
