//! A scenario whose controller is left alone: what it comes to, and what work that takes.

use serde_json::Value;
use tests::{Bed, Call, Failure, Result, wait};

use crate::{
    scenarios::Scenario,
    state::Identities,
    support::SOON,
    world::{PLACES, World},
    writes::Writes,
};

/// Two runs of a scenario that came to the same end.
pub struct Undisturbed {
    pub state: Value,
    /// Of both, in the order of their arrival.
    pub calls: [Vec<Call>; 2],
    /// What either has written.
    pub writes: Writes,
}

/// A run that has come to its end.
struct Run {
    namespace: String,
    calls: Vec<Call>,
    state: Value,
}

/// Where the scenario begins: what is given is there, the controller is done with it, and all that it does from now on is
/// recorded.
pub async fn begun(scenario: &Scenario, prefix: &str) -> Result<(World, Identities)> {
    let world = World::new(prefix).await?;
    world.take(&scenario.given).await?;
    world.at_rest(0.0).await?;
    world.next_second().await?;
    let identities = Identities::of(&world).await?;
    world.proxy.record(None).await?;
    Ok((world, identities))
}

/// Waits until the namespace is as after the undisturbed run, and stays so.
pub async fn comes_to(world: &World, identities: &Identities, undisturbed: &Undisturbed) -> Result {
    let expected = &undisturbed.state;
    wait::until("the state of the undisturbed run", SOON, || async {
        let state = identities.state(world).await.map_err(|failure| failure.to_string())?;
        if state == *expected { Ok(()) } else { Err(format!("{state}\nwanted: {expected}")) }
    })
    .await?;
    world.at_rest(1.0).await?;
    let state = identities.state(world).await?;
    if state == *expected {
        return Ok(());
    }
    Err(Failure::new(format!("it came to another end than it seemed: {state}\nwanted: {expected}")))
}

impl Undisturbed {
    pub async fn of(scenario: &Scenario) -> Result<Self> {
        let name = scenario.name;
        let bed = Bed::shared().await?;
        bed.install().await?;
        let mark = bed.api_mark().await?;
        let (one, other) = futures::try_join!(run(scenario), run(scenario)).map_err(|failure| failure.during(name))?;
        if one.state != other.state {
            return Err(Failure::new(format!("{name} ends as {} or as {}", one.state, other.state)));
        }
        let api = bed.api_requests_since(mark).await?;
        let writes = Writes::of(&api, &one.namespace).or(Writes::of(&api, &other.namespace));
        Ok(Self { state: one.state, calls: [one.calls, other.calls], writes })
    }
}

async fn run(scenario: &Scenario) -> Result<Run> {
    let _place = PLACES.acquire().await?;
    let (world, identities) = begun(scenario, "undisturbed").await?;
    world.take(&scenario.when).await?;
    world.take(&scenario.then).await?;
    world.at_rest(1.0).await?;
    Ok(Run {
        namespace: world.scene.namespace.clone(),
        calls: world.proxy.calls(),
        state: identities.state(&world).await?,
    })
}
