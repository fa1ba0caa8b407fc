//! SIGKILL before and after each request of the scenarios' work.
//!
//! Each scenario runs twice undisturbed, which tells the requests that belong to it, and what it comes to. Then it runs once for
//! each request and each side of it, in a namespace of its own with a controller of its own: killed there, started again, it must come to the same
//! state with no more writes. Lists, watches and the like are left out, see [`tests::Proxy`].

use std::{
    collections::{BTreeMap, HashMap},
    io::Write as _,
};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tests::{ApiRequest, Bed, Binary, Call, CrashPoint, Failure, Moment, NOT_REACHED, Requests, Result, wait};

use crate::{
    scenarios::{self, Scenario},
    state::Identities,
    support::SOON,
    world::{PLACES, World},
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
    // Not captured by the harness: the number is part of the proof.
    writeln!(std::io::stderr(), "{points} crash points in {} scenarios", outcomes.len())?;
    let failures: Vec<String> = outcomes.into_iter().flat_map(|outcome| outcome.failures).collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} of {points} crash points failed:\n{}", failures.len(), failures.join("\n\n"))))
}

struct Outcome {
    points: usize,
    failures: Vec<String>,
}

/// A run that has come to its end.
struct Run {
    namespace: String,
    calls: Vec<Call>,
    state: Value,
}

async fn every_point(scenario: &Scenario, stride: usize) -> Result<Outcome> {
    let name = scenario.name;
    let bed = Bed::shared().await?;
    bed.install().await?;
    let mark = bed.api_mark().await?;
    let both = futures::try_join!(run(scenario, None), run(scenario, None));
    let (undisturbed, again) = both.map_err(|failure| failure.during(name))?;
    if undisturbed.state != again.state {
        return Err(Failure::new(format!("{name} ends as {} or as {}", undisturbed.state, again.state)));
    }
    let points: Vec<CrashPoint> = points(&undisturbed.calls, &again.calls).into_iter().step_by(stride).collect();
    let expected = &undisturbed.state;
    let runs = stream::iter(&points).map(|point| async move {
        match run(scenario, Some((point, expected))).await {
            // A call that was repeated in both undisturbed runs need not be in this one.
            Err(failure) if point.after > 0 && failure.to_string().contains(NOT_REACHED) => Ok(None),
            outcome => outcome.map_err(|failure| format!("{name}, {point}: {failure}")).map(|run| Some((point, run))),
        }
    });
    let runs: Vec<_> = runs.buffer_unordered(AT_ONCE_PER_SCENARIO).collect().await;
    let mut failures = Vec::new();
    let api = bed.api_requests_since(mark).await?;
    let mut allowed = writes(&api, &undisturbed.namespace);
    for (sent, times) in writes(&api, &again.namespace) {
        let allowed = allowed.entry(sent).or_default();
        *allowed = times.max(*allowed);
    }
    for outcome in runs {
        match outcome {
            Err(failure) => failures.push(failure),
            Ok(None) => {}
            Ok(Some((point, run))) => {
                let excess = excess(&allowed, &writes(&api, &run.namespace));
                failures.extend(excess.map(|excess| format!("{name}, {point}: {excess}")));
            }
        }
    }
    Ok(Outcome { points: points.len(), failures })
}

/// Enough to keep all places busy when one scenario is left.
const AT_ONCE_PER_SCENARIO: usize = 4;

/// Both sides of each request that comes in every run: not of one that depends on which of two things was faster.
fn points(calls: &[Call], again: &[Call]) -> Vec<CrashPoint> {
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

async fn run(scenario: &Scenario, crash: Option<(&CrashPoint, &Value)>) -> Result<Run> {
    let _place = PLACES.acquire().await?;
    let mut world = World::new("crash").await?;
    world.take(&scenario.given).await?;
    world.at_rest(0.0).await?;
    world.next_second().await?;
    let identities = Identities::of(&world).await?;
    world.proxy.record(crash.map(|(point, _)| point.clone())).await?;
    world.take(&scenario.when).await?;
    if let Some((_, expected)) = crash {
        world.proxy.stopped(SOON).await?;
        world.controller.kill_9().await?;
        world.proxy.record(None).await?;
        world.controller.restart().await?;
        wait::until("the state of the undisturbed run", SOON, || async {
            let state = identities.state(&world).await.map_err(|failure| failure.to_string())?;
            if state == *expected { Ok(()) } else { Err(format!("{state}\nwanted: {expected}")) }
        })
        .await?;
    } else {
        world.take(&scenario.then).await?;
    }
    world.at_rest(1.0).await?;
    let (calls, state) = (world.proxy.calls(), identities.state(&world).await?);
    match crash {
        Some((_, expected)) if state != *expected => {
            Err(Failure::new(format!("it came to another end than it seemed: {state}\nwanted: {expected}")))
        }
        _ => Ok(Run { namespace: world.scene.namespace.clone(), calls, state }),
    }
}

/// How often what was sent, and whether the API server took it.
type Writes = BTreeMap<(String, bool), usize>;

/// What the controllers of a namespace have sent to change objects, as the API server tells. Neither events nor tokens are state:
/// who starts again tells and asks anew.
fn writes(api: &Requests<ApiRequest>, namespace: &str) -> Writes {
    let mut writes = Writes::new();
    let sent = api.of(Binary::Controller).in_namespace(namespace).writes();
    let is_state = |request: &&ApiRequest| !matches!(request.resource.as_str(), "events" | "serviceaccounts/token");
    for request in sent.as_slice().iter().filter(is_state) {
        let ApiRequest { verb, resource, name, status, .. } = request;
        *writes.entry((format!("{verb} {resource} {name}"), *status < 300)).or_default() += 1;
    }
    writes
}

/// What was written more often than undisturbed, or sent in vain where nothing was then. Who found a Secret of somebody else
/// once may find it again.
fn excess(allowed: &Writes, sent: &Writes) -> Option<String> {
    let may = |key: &(String, bool)| allowed.get(key).map_or(0, |times| if key.1 { *times } else { usize::MAX });
    let more = sent.iter().filter(|(key, times)| may(key) < **times);
    let more: Vec<_> = more
        .map(|(key, times)| {
            let done = if key.1 { "done" } else { "refused" };
            format!("{} was {done} {times} times, undisturbed {}", key.0, allowed.get(key).unwrap_or(&0))
        })
        .collect();
    (!more.is_empty()).then(|| more.join(", "))
}
