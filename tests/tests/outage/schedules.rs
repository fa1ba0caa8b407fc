//! The whole operator behind gates that fail at random, each by a schedule of its own, round after round.
//!
//! Promised of each round: no Secret ever holds anything but what its entry held, none is deleted, and once the gate is well every
//! Secret has the newest value. `FAULT_SCHEDULES=500` makes as many as are promised.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use kube::{ResourceExt as _, api::ListParams};
use serde_json::json;
use tests::{Binary, Fault, Gate, LastingBao, Result, wait};

use crate::{
    setting,
    support::{
        Scene, data,
        manifest::{external_secret, secret, secret_store, vault, with},
    },
};

/// Stores, each behind a gate of its own: schedules of one round.
const STORES: u64 = 20;

/// ExternalSecrets of a store.
const USERS: u64 = 3;

/// How long the gates fail in a round: several refreshes, probes and repeats.
const FAULTY: Duration = Duration::from_secs(6);

/// Half a minute is promised; a busy machine may take longer.
const RECOVERED: Duration = Duration::from_secs(90);

/// A number that looks like chance and repeats with its seed.
fn dice(seed: u64, sides: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) % sides
}

/// What becomes of a request: two of three fail.
fn fault(seed: u64) -> Fault {
    let faults = [
        Fault::Late(Duration::from_millis(20 * dice(seed + 1, 20))),
        Fault::Gone,
        Fault::Reset,
        Fault::Silence,
        Fault::Status([412, 429, 472, 473, 500, 501, 502, 503, 504][index(seed + 2, 9)], None),
        Fault::Status(429, Some(1)),
        Fault::Status(503, Some(1)),
        Fault::Page([200, 400, 403, 404, 429, 500, 502, 503][index(seed + 3, 8)]),
        Fault::Json(200, ["", "{}", "null", "[]", r#"{"data":null}"#, r#"{"data":{"data":[1]}}"#][index(seed + 4, 6)]),
        Fault::Json(404, ["", "{}", "null", r#"{"message":"no route"}"#][index(seed + 5, 4)]),
        Fault::Noise,
        Fault::Half,
        Fault::HalfSilence,
        Fault::Drip,
    ];
    if dice(seed, 3) == 0 { Fault::None } else { faults[index(seed + 6, 14)] }
}

fn index(seed: u64, sides: u64) -> usize {
    usize::try_from(dice(seed, sides)).unwrap_or_default()
}

fn name(store: u64, user: u64) -> String {
    format!("app-{store}-{user}")
}

/// What an entry holds in a round, which says whose it is.
fn value(name: &str, round: u64) -> String {
    format!("{name} in round {round}")
}

async fn put_all(bao: &LastingBao, round: u64) -> Result {
    let names = (0..STORES).flat_map(|store| (0..USERS).map(move |user| name(store, user)));
    stream::iter(names)
        .map(|name| async move { bao.put(&name, &json!({"value": value(&name, round)})).await })
        .buffer_unordered(8)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// Whether each Secret is one of its own entry, of this round or an earlier one; and which are not of this one yet.
async fn behind(scene: &Scene, round: u64) -> std::result::Result<Vec<String>, String> {
    let all = scene.secrets().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let mut found: BTreeMap<String, String> =
        all.items.iter().map(|secret| (secret.name_any(), data(secret).remove("value").unwrap_or_default())).collect();
    let mut behind = Vec::new();
    for name in (0..STORES).flat_map(|store| (0..USERS).map(move |user| name(store, user))) {
        let held = found.remove(&name);
        let is_own = held.as_ref().is_some_and(|held| (0..=round).any(|round| *held == value(&name, round)));
        assert!(is_own || round == 0, "Secret {name} holds {held:?}");
        if held != Some(value(&name, round)) {
            behind.push(name);
        }
    }
    Ok(behind)
}

async fn all_have(scene: &Scene, round: u64) -> Result {
    wait::until(&format!("all Secrets of round {round}"), RECOVERED, || async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let behind = behind(scene, round).await?;
        if behind.is_empty() {
            Ok(())
        } else {
            Err(format!("{} are behind: {:?}", behind.len(), &behind[..behind.len().min(5)]))
        }
    })
    .await
}

#[tokio::test]
async fn no_schedule_of_faults_makes_a_wrong_secret_and_each_is_recovered_from() -> Result {
    let scene = Scene::without_controller("schedules").await?;
    let flags = ["--namespace", &scene.namespace, "--provider-call-timeout=2s", "--provider-connect-timeout=1s"];
    let mut controller = scene.bed.operator(Binary::Controller, &flags).await?;
    let bao = scene.bed.lasting_bao().await?;
    put_all(&bao, 0).await?;
    scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
    let gates: Vec<Gate> = try_join_all((0..STORES).map(|_| Gate::before(&bao.address))).await?;
    let retry = json!({"spec": {"retrySettings": {"maxRetries": 1, "retryInterval": "200ms"}}});
    for (store, gate) in (0..STORES).zip(&gates) {
        scene.apply(&with(secret_store(&format!("vault-{store}"), &vault(&gate.address)), &retry)).await?;
        for user in 0..USERS {
            let name = name(store, user);
            let spec = json!({
                "secretStoreRef": {"name": format!("vault-{store}")},
                "refreshInterval": "1s",
                "target": {"deletionPolicy": "Delete"},
                "data": [{"secretKey": "value", "remoteRef": {"key": name, "property": "value"}}],
            });
            scene.apply(&external_secret(&name, &spec)).await?;
        }
    }
    all_have(&scene, 0).await?;
    let rounds = setting("FAULT_SCHEDULES", 2 * STORES).div_ceil(STORES);
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds {
        for (store, gate) in (0..STORES).zip(&gates) {
            let asked = AtomicU64::new(0);
            gate.set(move |_| fault((round << 40) + (store << 20) + 16 * asked.fetch_add(1, Ordering::Relaxed)));
        }
        put_all(&bao, round).await?;
        let end = tokio::time::Instant::now() + FAULTY;
        while tokio::time::Instant::now() < end {
            behind(&scene, round).await.map_err(tests::Failure::new)?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        gates.iter().for_each(Gate::clear);
        let well = tokio::time::Instant::now();
        all_have(&scene, round).await?;
        slowest = slowest.max(well.elapsed());
        assert!(controller.is_running(), "the controller has ended");
    }
    let panics = controller.log().lines().filter(|line| line.contains("panicked") || line.contains("Panicked")).count();
    assert_eq!(panics, 0, "see the controller's log");
    let asked: usize = gates.iter().map(Gate::requests).sum();
    println!("{} schedules, {asked} requests; the slowest recovery took {slowest:?}", rounds * STORES);
    Ok(())
}
