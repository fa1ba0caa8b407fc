//! Watches that end and an API server that goes away: the controller finds out what it missed.

use futures::future::try_join_all;
use serde_json::json;
use tests::{Bed, Result, WatchEnd};

use crate::{
    scenarios::{self, Scenario, entry, force_sync, synced},
    steps::Step,
    world::{PLACES, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_found_when_a_watch_ends() -> Result {
    let rows = [
        ("secrets", "drift"),
        ("secrets", "deletion of the Secret"),
        ("externalsecrets", "rename of the target"),
        ("externalsecrets", "deletion of an ExternalSecret with upstream's finalizer"),
        ("secretstores", "repair of a store"),
        ("configmaps", "edit of a template"),
    ];
    let both = rows.into_iter().flat_map(|row| [(row, WatchEnd::Gone), (row, WatchEnd::Dropped)]);
    try_join_all(both.map(|((plural, name), end)| async move {
        let outcome = missed(plural, name, end).await;
        outcome.map_err(|failure| failure.during(format!("{name}, {plural} {end:?}")))
    }))
    .await
    .map(drop)
}

async fn missed(plural: &str, name: &str, end: WatchEnd) -> Result {
    let _place = PLACES.acquire().await?;
    let scenario: Vec<Scenario> = scenarios::all().into_iter().filter(|scenario| scenario.name == name).collect();
    assert_eq!(scenario.len(), 1, "the scenario");
    let world = World::new("missed").await?;
    for Scenario { given, when, then, .. } in scenario {
        world.take(&given).await?;
        world.at_rest(1.0).await?;
        world.proxy.freeze(plural);
        world.take(&when).await?;
        world.proxy.end_watches(plural, end);
        world.proxy.thaw(plural);
        world.take(&then).await?;
    }
    world.at_rest(1.0).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_of_the_api_server_is_survived() -> Result {
    // It ends with the process: worlds are of beds that stay.
    let bed: &'static Bed = Box::leak(Box::new(Bed::start().await?));
    let world = World::in_bed(bed, "restarted").await?;
    world.take(&synced(&json!({}))).await?;
    world.at_rest(1.0).await?;
    bed.stop_api_server().await?;
    world.take(&[entry("second")]).await?;
    bed.start_api_server().await?;
    let second: &[(&str, &str)] = &[("password", "second")];
    world.take(&[force_sync(), Step::Holds("app", second), Step::Ready("SecretSynced")]).await?;
    world.take(&[Step::EditSecret("app", json!({"data": {"password": "ZWRpdGVk"}})), Step::Holds("app", second)]).await
}
