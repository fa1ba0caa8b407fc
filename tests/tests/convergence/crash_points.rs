//! SIGKILL before and after each request of the scenarios' work.
//!
//! Each scenario runs twice undisturbed, which tells the requests that belong to it, and what it comes to. Then it runs once for
//! each request and each side of it, in a namespace of its own with a controller of its own: killed there, started again, it must come to the same
//! state with no more writes. Lists, watches and the like are left out, see [`tests::Proxy`].

use std::{collections::HashMap, io::Write as _};

use futures::{StreamExt, TryStreamExt, stream};
use tests::{Bed, Call, CrashPoint, Failure, Moment, Result};

use crate::{
    scenarios::{self, Scenario},
    support::SOON,
    undisturbed::{Undisturbed, begun, comes_to},
    world::{PLACES, World},
    writes::Writes,
};

/// Every so manieth crash point is tried; 1 tries all.
const STRIDE: &str = "CRASH_POINT_STRIDE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controller_killed_at_any_request_comes_to_the_same_end() -> Result {
    let stride = std::env::var(STRIDE).ok().and_then(|text| text.parse().ok()).unwrap_or(1).max(1);
    let scenarios = scenarios::all();
    let only = std::env::var("CRASH_SCENARIO").unwrap_or_default();
    let chosen = scenarios.iter().filter(|scenario| scenario.name.contains(&only));
    let outcomes = stream::iter(chosen).map(|scenario| every_point(scenario, stride));
    let outcomes: Vec<Outcome> = outcomes.buffer_unordered(scenarios.len()).try_collect().await?;
    let points: usize = outcomes.iter().map(|outcome| outcome.points).sum();
    let tried_again: usize = outcomes.iter().map(|outcome| outcome.tried_again).sum();
    // Not captured by the harness: the number is part of the proof.
    writeln!(
        std::io::stderr(),
        "{points} crash points in {} scenarios, all reached; {tried_again} runs passed theirs by and were done again",
        outcomes.len()
    )?;
    let failures: Vec<String> = outcomes.into_iter().flat_map(|outcome| outcome.failures).collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} of {points} crash points failed:\n{}", failures.len(), failures.join("\n\n"))))
}

struct Outcome {
    points: usize,
    /// Runs that came to their end without the point.
    tried_again: usize,
    failures: Vec<String>,
}

async fn every_point(scenario: &Scenario, stride: usize) -> Result<Outcome> {
    let name = scenario.name;
    let bed = Bed::shared().await?;
    let undisturbed = Undisturbed::of(scenario).await?;
    let mark = bed.api_mark().await?;
    let points: Vec<CrashPoint> = points(&undisturbed.calls).into_iter().step_by(stride).collect();
    let runs = stream::iter(&points).map(|point| {
        let undisturbed = &undisturbed;
        async move {
            let run = reached(scenario, point, undisturbed).await;
            run.map_err(|failure| format!("{name}, {point}: {failure}")).map(|run| (point, run))
        }
    });
    let runs: Vec<_> = runs.buffer_unordered(AT_ONCE_PER_SCENARIO).collect().await;
    let api = bed.api_requests_since(mark).await?;
    let (mut failures, mut tried_again) = (Vec::new(), 0);
    for outcome in runs {
        match outcome {
            Err(failure) => failures.push(failure),
            Ok((point, run)) => {
                tried_again += run.passed_by;
                let excess = Writes::of(&api, &run.namespace).excess(&undisturbed.writes);
                failures.extend(excess.map(|excess| format!("{name}, {point}: {excess}")));
            }
        }
    }
    Ok(Outcome { points: points.len(), tried_again, failures })
}

/// Enough to keep all places busy when one scenario is left.
const AT_ONCE_PER_SCENARIO: usize = 4;

/// A request that is repeated depends on which of two things was faster, though it came in both undisturbed runs. One that
/// comes in every second run is missed in one of a thousand.
const TRIES: usize = 10;

/// Both sides of each request that comes in every run: not of one that depends on which of two things was faster.
fn points([calls, again]: &[Vec<Call>; 2]) -> Vec<CrashPoint> {
    let mut times: HashMap<&Call, usize> = HashMap::new();
    let mut points = Vec::new();
    for call in calls {
        let times = times.entry(call).or_default();
        if *times == again.iter().filter(|other| *other == call).count() {
            continue;
        }
        for moment in [Moment::BeforeRequest, Moment::AfterAnswer] {
            points.push(CrashPoint { call: call.clone(), after: *times, moment });
        }
        *times += 1;
    }
    points
}

/// A run that was killed at its point and has come to its end.
struct Killed {
    namespace: String,
    /// Runs before it that did without the point.
    passed_by: usize,
}

async fn reached(scenario: &Scenario, point: &CrashPoint, undisturbed: &Undisturbed) -> Result<Killed> {
    // The first of its kind comes in every run.
    let tries = if point.after > 0 { TRIES } else { 1 };
    for passed_by in 0..tries {
        if let Some(namespace) = run(scenario, point, undisturbed).await? {
            return Ok(Killed { namespace, passed_by });
        }
    }
    Err(Failure::new(format!("it was not reached in {tries} runs")))
}

/// The namespace of the run; `None` when it came to its end without the point.
async fn run(scenario: &Scenario, point: &CrashPoint, undisturbed: &Undisturbed) -> Result<Option<String>> {
    let _place = PLACES.acquire().await?;
    let (mut world, identities) = begun(scenario, "crash").await?;
    world.proxy.record(Some(point.clone())).await?;
    world.take(&scenario.when).await?;
    let is_reached = tokio::select! {
        biased;
        stopped = world.proxy.stopped(SOON) => stopped.map(|()| true)?,
        ended = ended(&world, scenario) => ended.map(|()| false)?,
    };
    if !is_reached {
        return Ok(None);
    }
    world.controller.kill_9().await?;
    world.proxy.record(None).await?;
    world.controller.restart().await?;
    comes_to(&world, &identities, undisturbed).await?;
    Ok(Some(world.scene.namespace.clone()))
}

/// Ends when there is nothing more to come; never where the line is cut before.
async fn ended(world: &World, scenario: &Scenario) -> Result {
    if world.take(&scenario.then).await.is_err() {
        // What was awaited longer than the point may take.
        std::future::pending::<()>().await;
    }
    world.at_rest(1.0).await
}
