//! Each scenario with one watch late: what changes is told of one kind only when the controller has come to rest without it.
//!
//! Alone, the scenario comes to the same state as undisturbed with no more writes, of the Secrets of others no less than of its
//! own. When somebody else has a hand in the target meanwhile, that is neither deleted nor overwritten before it is known.

use std::io::Write as _;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tests::{Bed, Failure, Result};

use crate::{
    scenarios::{self, Scenario},
    steps::Step,
    support::{data, manifest::secret},
    undisturbed::{Undisturbed, begun, comes_to},
    world::{PLACES, World},
    writes::Writes,
};

/// Every so manieth of a scenario's rows is tried; 1 tries all.
const STRIDE: &str = "STALE_STRIDE";

/// Whose news are late. Of the other kinds that the controller watches, ConfigMaps only tell of templates.
const KINDS: [&str; 3] = ["secrets", "externalsecrets", "secretstores"];

/// What others put into a target.
const THEIRS: &[(&str, &str)] = &[("theirs", "x")];

/// What happens beside the scenario while the kind is frozen.
#[derive(Clone, Copy, Debug)]
enum Row {
    /// Nothing but the scenario.
    Late(&'static str),
    /// Somebody puts another Secret in the place of the target, which is not told, and then the scenario happens.
    Replaced,
    /// The spec of the ExternalSecret changes, which is not told, and then somebody adds a key to its target.
    Added,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_whose_news_are_late_comes_to_the_same_end() -> Result {
    let stride = std::env::var(STRIDE).ok().and_then(|text| text.parse().ok()).unwrap_or(1).max(1);
    let scenarios = scenarios::all();
    let only = std::env::var("STALE_SCENARIO").unwrap_or_default();
    let chosen = scenarios.iter().enumerate().filter(|(_, scenario)| scenario.name.contains(&only));
    let chosen = chosen.map(|(number, scenario)| {
        let rows: Vec<Row> = rows(scenario).into_iter().skip(number % stride).step_by(stride).collect();
        every_row(scenario, rows)
    });
    let outcomes = stream::iter(chosen).buffer_unordered(scenarios.len());
    let outcomes: Vec<(usize, Vec<String>)> = outcomes.try_collect().await?;
    let runs: usize = outcomes.iter().map(|(runs, _)| runs).sum();
    // Not captured by the harness: the number is part of the proof.
    writeln!(std::io::stderr(), "{runs} runs with late news of {} scenarios", outcomes.len())?;
    let failures: Vec<String> = outcomes.into_iter().flat_map(|(_, failures)| failures).collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} of {runs} runs failed:\n{}", failures.len(), failures.join("\n\n"))))
}

fn rows(scenario: &Scenario) -> Vec<Row> {
    let late = KINDS.map(Row::Late).into_iter();
    let deletes = |target| scenario.when.iter().any(|step| matches!(step, Step::DeleteSecret(name) if *name == target));
    let replaced = scenario.target().filter(|target| !deletes(*target)).map(|_| Row::Replaced);
    let added = scenario.target().filter(|_| scenario.changes_the_spec()).map(|_| Row::Added);
    late.chain(replaced).chain(added).collect()
}

/// How many rows there were, and which failed.
async fn every_row(scenario: &Scenario, rows: Vec<Row>) -> Result<(usize, Vec<String>)> {
    let name = scenario.name;
    let bed = Bed::shared().await?;
    let undisturbed = Undisturbed::of(scenario).await?;
    let mark = bed.api_mark().await?;
    let runs = rows.iter().map(|row| {
        let undisturbed = &undisturbed;
        async move {
            let run = match row {
                Row::Late(plural) => late(scenario, plural, undisturbed).await.map(Some),
                Row::Replaced => replaced(scenario).await.map(|()| None),
                Row::Added => added(scenario).await.map(|()| None),
            };
            run.map_err(|failure| format!("{name}, {row:?}: {failure}")).map(|namespace| (row, namespace))
        }
    });
    let runs: Vec<_> = futures::future::join_all(runs).await;
    let api = bed.api_requests_since(mark).await?;
    let mut failures = Vec::new();
    for run in runs {
        match run {
            Err(failure) => failures.push(failure),
            Ok((_, None)) => {}
            // What the API server refused changed nothing: so it learns that what it knew is old.
            Ok((row, Some(namespace))) => {
                let excess = Writes::of(&api, &namespace).done().excess(&undisturbed.writes);
                failures.extend(excess.map(|excess| format!("{name}, {row:?}: {excess}")));
            }
        }
    }
    Ok((rows.len(), failures))
}

/// The namespace of the run.
async fn late(scenario: &Scenario, plural: &'static str, undisturbed: &Undisturbed) -> Result<String> {
    let _place = PLACES.acquire().await?;
    let (world, identities) = begun(scenario, "late").await?;
    world.proxy.freeze(plural);
    world.take(&scenario.when).await?;
    world.at_rest_from_now().await?;
    world.proxy.thaw(plural);
    world.take(&scenario.then).await?;
    comes_to(&world, &identities, undisturbed).await?;
    Ok(world.scene.namespace.clone())
}

async fn replaced(scenario: &Scenario) -> Result {
    let Some(target) = scenario.target() else { return Ok(()) };
    let _place = PLACES.acquire().await?;
    let (world, _) = begun(scenario, "replaced").await?;
    world.proxy.freeze("secrets");
    world.take(&[Step::DeleteSecret(target), Step::Apply(secret(target, THEIRS))]).await?;
    let theirs = Theirs::at(&world, target).await?;
    world.take(&scenario.when).await?;
    world.at_rest_from_now().await?;
    let goes = scenario.then.iter().any(|step| matches!(step, Step::Gone("Secret", name) if *name == target));
    let keeps = goes || scenario.leads_to_merge();
    theirs.are_there(&world, keeps).await.map_err(|failure| failure.during("before the news"))?;
    let calls: Vec<_> = world.proxy.calls().iter().map(ToString::to_string).collect();
    let (read, written) = (format!("GET secrets {target}"), format!("PATCH secrets {target}"));
    let place = |call: &String| calls.iter().position(|other| other == call).unwrap_or(usize::MAX);
    if place(&written) < place(&read) {
        return Err(Failure::new(format!("it was written before it was read: {calls:?}")));
    }
    world.proxy.thaw("secrets");
    // It would go if it were the one that was written.
    let then: Vec<Step> = scenario
        .then_at_least(target)
        .filter(|step| !matches!(step, Step::Gone("Secret", name) if *name == target))
        .collect();
    world.take(&then).await?;
    world.at_rest(1.0).await?;
    theirs.are_there(&world, keeps).await.map_err(|failure| failure.during("after the news"))
}

async fn added(scenario: &Scenario) -> Result {
    let Some(target) = scenario.target() else { return Ok(()) };
    let _place = PLACES.acquire().await?;
    let (world, _) = begun(scenario, "added").await?;
    world.proxy.freeze("externalsecrets");
    world.take(&scenario.when).await?;
    world.take(&[Step::EditSecret(target, json!({"data": {"theirs": "eA=="}}))]).await?;
    let theirs = Theirs::at(&world, target).await?;
    world.at_rest_from_now().await?;
    theirs.are_there(&world, true).await.map_err(|failure| failure.during("before the news"))?;
    world.proxy.thaw("externalsecrets");
    world.take(&scenario.then_at_least(target).collect::<Vec<_>>()).await?;
    world.at_rest(1.0).await?;
    if scenario.leads_to_merge() { theirs.are_there(&world, true).await } else { Ok(()) }
}

/// The Secret that others have put there or written to.
struct Theirs {
    target: &'static str,
    uid: Option<String>,
}

impl Theirs {
    async fn at(world: &World, target: &'static str) -> Result<Self> {
        Ok(Self { target, uid: world.scene.secrets().get(target).await?.metadata.uid })
    }

    /// Fails unless the very Secret is there, and, where it `keeps` them, the values of others in it.
    async fn are_there(&self, world: &World, keeps: bool) -> Result {
        let now = world.scene.secrets().get_opt(self.target).await?;
        let is_there = now.as_ref().is_some_and(|now| {
            let held = data(now);
            let holds = |(key, value): &(&str, &str)| held.get(*key).is_some_and(|held| held == value);
            now.metadata.uid == self.uid && (!keeps || THEIRS.iter().all(holds))
        });
        let calls: Vec<_> = world.proxy.calls().iter().map(ToString::to_string).collect();
        if is_there { Ok(()) } else { Err(Failure::new(format!("secret {} is {now:?} after {calls:?}", self.target))) }
    }
}

impl Scenario {
    /// The Secret that is synced when the scenario begins.
    fn target(&self) -> Option<&'static str> {
        if !self.given.iter().any(|step| matches!(step, Step::Ready(_))) {
            return None;
        }
        let is_before =
            |step: &Step| matches!(step, Step::Apply(manifest) if manifest["spec"]["target"]["name"] == "before");
        Some(if self.given.iter().any(is_before) { "before" } else { "app" })
    }

    fn changes_the_spec(&self) -> bool {
        self.when.iter().any(|step| match step {
            Step::Change("ExternalSecret", _, patch) => patch.get("spec").is_some(),
            Step::Delete("ExternalSecret", _) => true,
            _ => false,
        })
    }

    /// Whether others may write to the target in the end.
    fn leads_to_merge(&self) -> bool {
        let merges = |patch: &serde_json::Value| patch["spec"]["target"]["creationPolicy"] == "Merge";
        self.when.iter().any(|step| matches!(step, Step::Change("ExternalSecret", _, patch) if merges(patch)))
    }

    /// What the scenario comes to where others may have put more into the target.
    fn then_at_least(&self, target: &'static str) -> impl Iterator<Item = Step> {
        self.then.iter().cloned().map(move |step| match step {
            Step::Holds(name, values) if name == target => Step::HoldsAtLeast(name, values),
            step => step,
        })
    }
}
