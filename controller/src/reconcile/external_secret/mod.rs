//! ExternalSecret: from an event to one target.
//!
//! A [turn](turn) goes: another class's store → not ours. Being deleted → [clean up](cleanup). Plan it. Is a
//! [refresh](refresh) due? [Fetch](fetch), [render](render), [write](write) at most one object, [tell](tell) the user. A
//! synced object that is not due costs no call at all. Whatever fails, the target stays as it is. RBAC: externalsecrets
//! `get`, `list`, `watch`, `patch` (finalizer of upstream), and what [`secret`], [`target`], [`status`], [`render`] and the
//! providers name.

mod adoption;
mod claim;
mod cleanup;
mod desired;
mod fetch;
mod fights;
pub mod generic;
mod kind;
mod knowledge;
mod missing;
pub mod obstacles;
mod ours;
mod refresh;
mod removal;
mod render;
mod rewrite;
mod said;
pub mod schedule;
mod secret;
pub mod shares;
mod shown;
pub mod source;
pub mod sources;
mod status;
pub mod stores;
mod target;
mod tell;
mod turn;
pub mod upcoming;
pub mod users;
mod values;
pub mod wakes;
mod write;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    external_secret::{ExternalSecret, ExternalSecretSpec, RefreshPolicy},
    plan::Refresh,
};
use async_trait::async_trait;

use self::{fights::Fights, missing::Missing, said::Said, turn::Turn};
use crate::{
    ctx::Ctx,
    engine::{
        Work,
        object::Watched,
        run::{Next, Reconcile},
    },
    error::Error,
};

/// So many mistakes of a spec are told in full, and how many more there are; the webhook tells all.
const MISTAKES_TOLD: usize = 5;

/// Reconciles ExternalSecrets.
pub struct ExternalSecrets {
    ctx: Arc<Ctx>,
    missing: Missing,
    fights: Fights,
    said: Said,
}

impl ExternalSecrets {
    pub fn new(ctx: Arc<Ctx>) -> Self {
        Self { ctx, missing: Missing::default(), fights: Fights::default(), said: Said::default() }
    }

    fn turn<'a>(&'a self, work: &'a Work, object: &'a Watched<ExternalSecret>) -> Turn<'a> {
        let Self { ctx, missing, fights, said } = self;
        Turn {
            ctx,
            missing,
            fights,
            said,
            key: &work.key,
            object,
            since: work.since,
            lane: work.lane,
            is_brought_forward: false,
        }
    }
}

#[async_trait]
impl Reconcile for ExternalSecrets {
    async fn reconcile(&self, work: &Work) -> Result<Next, Error> {
        let is_brought_forward = self.ctx.schedule.begin(&work.key);
        let Some(object) = self.ctx.external_secrets.find(&work.key) else {
            self.missing.forget(&work.key);
            self.fights.forget(&work.key);
            self.said.forget(&work.key);
            self.ctx.shares.forget(&work.key);
            self.ctx.generic.forget(&work.key);
            self.ctx.awaited.forget(&work.key);
            self.ctx.guard.origins.forget(&work.key);
            self.ctx.obstacles.iter().for_each(|obstacles| obstacles.forget(&work.key));
            // A render that outlived its object may have noted it as slow after it was forgotten.
            self.ctx.templates.forget(&work.key);
            return Ok(Next::Rest);
        };
        let started = Instant::now();
        let turn = Turn { is_brought_forward, ..self.turn(work, &object) };
        let outcome = turn.run().await;
        if let Some(now) = self.ctx.external_secrets.find(&work.key) {
            self.ctx.metrics.external_secret(&work.key, &now.status(), started.elapsed(), outcome.is_err());
        }
        outcome
    }

    fn interval(&self, work: &Work) -> Option<Duration> {
        let spec: ExternalSecretSpec = self.ctx.external_secrets.find(&work.key)?.spec().ok()?;
        let refresh = Refresh::of(&spec).ok()?;
        refresh.interval.filter(|_| refresh.policy == RefreshPolicy::Periodic)
    }

    async fn report(&self, work: &Work, error: &Error) {
        let Some(object) = self.ctx.external_secrets.find(&work.key) else { return };
        self.turn(work, &object).tell_failure(error).await;
    }
}
