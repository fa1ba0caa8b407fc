//! The main job, as a user sees it: `make demo`.
//!
//! Starts a cluster without nodes, OpenBao, moto and our three processes on this machine, applies `manifests/examples`, and shows
//! what `kubectl` shows: stores, ExternalSecrets, the keys of the Secrets, a rotation, a refusal, a rotated certificate, a
//! deletion. Ends with 0 when all of it was seen, and stops what it started. `KEEP=1` leaves everything up until Ctrl-C.
//!
//! Values of Secrets are never printed.

#![forbid(unsafe_code)]

mod certificate;
mod scene;
mod screen;
mod steps;

use std::{process::ExitCode, time::Instant};

use tests::{Bed, Failure, Result};

use crate::{
    scene::Scene,
    screen::{act, say},
    steps::STEPS,
};

#[tokio::main]
async fn main() -> ExitCode {
    say("Everything runs on this machine, at 127.0.0.1; servers in the examples are replaced by their addresses.\n");
    let started = Instant::now();
    let outcome = match act("Kubernetes: etcd, kube-apiserver, kube-controller-manager", Bed::start()).await {
        Ok(bed) => show(&bed, started).await.inspect_err(tell),
        Err(failure) => Err(failure).inspect_err(tell),
    };
    // The bed is gone by now, and all its servers with it.
    if outcome.is_err() {
        return ExitCode::FAILURE;
    }
    say("Everything that was started is stopped.");
    ExitCode::SUCCESS
}

async fn show(bed: &Bed, started: Instant) -> Result {
    let scene = Scene::set(bed).await?;
    for (number, step) in STEPS.iter().enumerate() {
        screen::title(number + 1, step.title);
        (step.act)(&scene).await?;
    }
    say(&format!("\nAll of it took {:.0} s.", started.elapsed().as_secs_f32()));
    if std::env::var("KEEP").is_ok_and(|keep| !matches!(keep.as_str(), "" | "0")) {
        scene.keep().await?;
    }
    Ok(())
}

/// While the bed lives: the debug form of a failure keeps its logs and names their folder.
fn tell(failure: &Failure) {
    eprintln!("\n\nthe demo failed: {failure:?}");
}
