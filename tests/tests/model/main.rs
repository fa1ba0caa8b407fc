//! Whatever happens in whatever order, the Secret holds what a pure model says.
//!
//! Random sequences of edits of two ExternalSecrets, of the store's entries and of Secrets, of outages, deletions and restarts
//! of the controller ([`steps`]) are done on real servers ([`stage`]) and in a model ([`world`], [`outcomes`]); after each step
//! both must agree, on data, labels, owner and hash of each Secret and on the conditions. At the end no event has told a value,
//! and nobody was warned of a failure that the model does not know; whoever took a Secret of others over has said so.
//!
//! `MODEL_STEPS` (2,000) and `MODEL_SEED` change what is run. A failure prints the seed and the steps that led to it.

#[path = "../support/mod.rs"]
mod support;

mod gate;
mod outcomes;
mod spec;
mod stage;
mod steps;
mod world;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{StreamExt, stream};
use tests::{Bed, Binary, Failure, Process, Result};
use tokio::sync::{Mutex, MutexGuard};

use self::{
    stage::Stage,
    steps::{Chance, Step},
};

/// Steps of one sequence: long enough for policies to meet, short enough to be read when it fails.
const LENGTH: usize = 50;

/// Sequences at a time, each in a namespace of its own: they mostly wait.
const AT_ONCE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_holds_what_the_model_says_after_every_step() -> Result {
    let (steps, first) = (setting("MODEL_STEPS", 2000)?, setting("MODEL_SEED", 1)?);
    let bed = Bed::shared().await?;
    support::install(bed).await?;
    let controller = Arc::new(Controller::new(bed.operator(Binary::Controller, &[]).await?));
    let sequences = u64::try_from(steps.div_ceil(LENGTH))?;
    let first = u64::try_from(first)?;
    let outcomes: Vec<_> = stream::iter(first..first + sequences)
        .map(|seed| sequence(seed, controller.clone()))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let failures: Vec<_> = outcomes.into_iter().filter_map(Result::err).map(|failure| failure.to_string()).collect();
    assert!(failures.is_empty(), "{} of {sequences} sequences failed:\n{}", failures.len(), failures.join("\n\n"));
    println!("{} steps in {sequences} sequences agree with the model", LENGTH * usize::try_from(sequences)?);
    Ok(())
}

/// The controller of all sequences.
struct Controller {
    process: Mutex<Process>,
    kills: AtomicUsize,
}

impl Controller {
    fn new(process: Process) -> Self {
        Self { process: Mutex::new(process), kills: AtomicUsize::new(0) }
    }

    /// Nobody kills it while this is held.
    async fn held(&self) -> MutexGuard<'_, Process> {
        self.process.lock().await
    }

    async fn kill_9(&self, process: &mut Process) -> Result {
        self.kills.fetch_add(1, Ordering::SeqCst);
        process.kill_9().await
    }

    fn kills(&self) -> usize {
        self.kills.load(Ordering::SeqCst)
    }
}

async fn sequence(seed: u64, controller: Arc<Controller>) -> Result {
    let (mut stage, mut worlds) = Box::pin(Stage::new(controller)).await?;
    let mut chance = Chance::new(seed);
    let mut done = Vec::new();
    // Most steps have no effect without a store and something in it.
    let beginning = [Step::CreateStore, Step::SetProperty("one", "x", Some("begin".to_owned()))];
    for number in 0..LENGTH {
        let step = beginning.get(number).cloned().unwrap_or_else(|| Step::choose(&mut chance, &worlds[0]));
        done.push(format!("{number}: {step:?}"));
        let agreed = Box::pin(stage.act(&step, &mut worlds)).await;
        agreed.map_err(|failure| failure.during(format!("MODEL_SEED={seed}\n{}", done.join("\n"))))?;
    }
    let agreed = Box::pin(stage.ends(&worlds)).await;
    agreed.map_err(|failure| failure.during(format!("MODEL_SEED={seed}, at the end\n{}", done.join("\n"))))
}

fn setting(name: &str, default: usize) -> Result<usize> {
    let Ok(text) = env::var(name) else { return Ok(default) };
    text.parse().map_err(|_| Failure::new(format!("{name}={text}: not a number")))
}
