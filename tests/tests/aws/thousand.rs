//! A thousand ExternalSecrets of one key each, in calls of AWS; fewer at a shorter interval where time has to pass.

use std::time::Duration;

use api::external_secret::ExternalSecret;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use support::{Scene, manifest};
use tests::{AwsGate, Binary, MotoRequest, Process, Requests, Result, wait};

use crate::{REGION, support};

const MANY: usize = 1000;

/// Held by whoever fills moto.
static STOCKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Writers of ExternalSecrets at the same time.
const IN_FLIGHT: usize = 8;

/// Time that a busy machine may take for a thousand.
const LONG: Duration = Duration::from_mins(5);

async fn thousand(prefix: &str, interval: &str) -> Result<Scene> {
    stocked(prefix, interval, MANY).await
}

/// Secrets, a store, and an ExternalSecret for each of them; the controller has still to be started.
async fn stocked(prefix: &str, interval: &str, many: usize) -> Result<Scene> {
    let scene = Scene::without_controller(prefix).await?;
    let moto = scene.bed.moto().await?;
    let namespace = scene.namespace.as_str();
    {
        // moto fails when it creates two at once.
        let _alone = STOCKING.lock().await;
        for number in 0..many {
            moto.put_secret(REGION, &format!("{namespace}/{number}"), &format!("value-{number}")).await?;
        }
    }
    scene.apply(&manifest::secret("keys", &[("id", namespace), ("key", "any")])).await?;
    scene.apply(&manifest::secret_store("aws", &aws())).await?;
    let object = |number: usize| {
        let name = format!("es-{number}");
        let spec = manifest::reads("aws", &[("value", &format!("{namespace}/{number}"))]);
        let spec = manifest::with(spec, &json!({"refreshInterval": interval}));
        let mut object = manifest::external_secret(&name, &spec);
        object["metadata"]["namespace"] = json!(namespace);
        object
    };
    let scene_ref = &scene;
    stream::iter((0..many).map(object))
        .map(|object| async move { scene_ref.apply(&object).await.map(drop) })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    Ok(scene)
}

fn aws() -> Value {
    let key = |key: &str| json!({"name": "keys", "key": key});
    let auth = json!({"secretRef": {"accessKeyIDSecretRef": key("id"), "secretAccessKeySecretRef": key("key")}});
    json!({"aws": {"service": "SecretsManager", "region": REGION, "auth": auth}})
}

async fn controller(scene: &Scene, environment: &[(String, String)]) -> Result<Process> {
    scene.bed.operator_with(Binary::Controller, &["--namespace", &scene.namespace], environment).await
}

/// Waits until each was refreshed after that moment.
async fn all_refreshed(scene: &Scene, after: Timestamp) -> Result {
    refreshed(scene, after, MANY).await
}

async fn refreshed(scene: &Scene, after: Timestamp, many: usize) -> Result {
    let objects: Api<ExternalSecret> = Api::namespaced(scene.client.clone(), &scene.namespace);
    wait::until("a refresh of each", LONG, || async {
        let objects = objects.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let refreshed = objects.items.iter().filter(|object| {
            let status = object.status.as_ref();
            status.and_then(|status| status.refresh_time.as_ref()).is_some_and(|time| time.0 >= after)
        });
        let count = refreshed.count();
        if count == many { Ok(()) } else { Err(format!("{count} are")) }
    })
    .await
}

async fn all_hold_their_own(scene: &Scene) -> Result {
    let secrets = scene.secrets().list(&ListParams::default()).await?;
    let mut right = 0;
    for secret in &secrets.items {
        if let Some(number) = secret.name_any().strip_prefix("es-") {
            assert_eq!(support::data(secret).get("value"), Some(&format!("value-{number}")));
            right += 1;
        }
    }
    assert_eq!(right, MANY);
    Ok(())
}

/// Failures of moto under load that a run may have: one call in a hundred.
const REPEATS: usize = MANY / 100;

/// Calls of this scene's store; what the SDK repeats after a failure of moto is the same call.
fn mine(scene: &Scene, requests: &Requests<MotoRequest>) -> Requests<MotoRequest> {
    let mine = requests.filter(|request| request.access_key_id == scene.namespace);
    let repeats = mine.filter(|request| request.is_repeat);
    assert!(repeats.len() <= REPEATS, "{repeats}");
    mine.filter(|request| !request.is_repeat)
}

#[tokio::test]
async fn first_sync_of_a_thousand_is_60_calls_and_a_refresh_55() -> Result {
    let scene = thousand("aws-thousand", "1h").await?;
    let moto = scene.bed.moto().await?;
    let mark = moto.mark();
    let mut controller = controller(&scene, &moto.environment()).await?;
    all_refreshed(&scene, Timestamp::UNIX_EPOCH).await?;
    let first = mine(&scene, &moto.requests_since(mark)?);
    all_hold_their_own(&scene).await?;
    controller.kill().await?;
    all_become_due(&scene).await?;
    let mark = moto.mark();
    // Times in statuses are whole seconds.
    let due_at = Timestamp::from_second(Timestamp::now().as_second())?;
    controller.restart().await?;
    all_refreshed(&scene, due_at).await?;
    let refresh = mine(&scene, &moto.requests_since(mark)?);
    println!("first sync: {first}refresh: {refresh}");
    assert!((50..=60).contains(&first.len()), "{first}");
    assert!((50..=55).contains(&refresh.len()), "{refresh}");
    Ok(())
}

/// Puts the last refresh of each an interval back.
async fn all_become_due(scene: &Scene) -> Result {
    let objects: Api<ExternalSecret> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let patch = Patch::Merge(json!({"status": {"refreshTime": "2026-01-01T00:00:00Z"}}));
    let (objects, patch) = (&objects, &patch);
    stream::iter(0..MANY)
        .map(|number| async move {
            objects.patch_status(&format!("es-{number}"), &PatchParams::default(), patch).await.map(drop)
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    Ok(())
}

/// Waits for so many reconciles more; how many there were.
async fn synced(scene: &Scene, controller: &Process, before: f64, more: usize) -> Result<f64> {
    let namespace = format!("namespace=\"{}\"", scene.namespace);
    wait::until("reconciles", LONG, || async {
        let metric = controller.metric("externalsecret_sync_calls_total", &[&namespace]).await;
        let all = metric.map_err(|error| error.to_string())?.unwrap_or_default();
        if all >= before + f64::from(u32::try_from(more).unwrap_or(u32::MAX)) { Ok(all) } else { Err(format!("{all}")) }
    })
    .await
}

/// Refreshes spread over their interval, from the end of the second one on for as many intervals as told: how many there
/// were for each call.
async fn shared(prefix: &str, seconds: u32, many: usize, intervals: usize) -> Result {
    let scene = stocked(prefix, &format!("{seconds}s"), many).await?;
    let moto = scene.bed.moto().await?;
    let controller = controller(&scene, &moto.environment()).await?;
    refreshed(&scene, Timestamp::UNIX_EPOCH, many).await?;
    let before = synced(&scene, &controller, 0.0, 3 * many).await?;
    let (mark, started) = (moto.mark(), std::time::Instant::now());
    let after = synced(&scene, &controller, before, intervals * many).await?;
    let (lasted, calls) = (started.elapsed().as_secs_f64(), mine(&scene, &moto.requests_since(mark)?));
    let names: usize = calls.as_slice().iter().map(|call| call.body["SecretIdList"].as_array().map_or(1, Vec::len)).sum();
    let per_thousand = f64::from(u32::try_from(calls.len())?) * 1000.0 / f64::from(u32::try_from(names)?);
    let reconciles = after - before;
    println!(
        "{} calls for {names} names, {reconciles} reconciles, in {lasted:.1} s: {per_thousand:.1} for 1,000",
        calls.len(),
    );
    assert!(per_thousand <= 55.0, "{per_thousand} calls for 1,000 refreshes: {calls}");
    let least = f64::from(seconds) * f64::from(u32::try_from(intervals)?) * 0.9;
    assert!(lasted >= least, "as many as {intervals} intervals of {seconds} s in {lasted} s");
    Ok(())
}

#[tokio::test]
async fn refreshes_that_are_spread_share_calls() -> Result {
    shared("aws-spread", 15, 250, 3).await
}

#[tokio::test]
#[ignore = "takes four minutes; the test above is the same with fewer at a shorter interval"]
async fn refreshes_of_a_thousand_that_are_spread_over_a_minute_share_calls() -> Result {
    shared("aws-spread-1000", 60, MANY, 1).await
}

#[tokio::test]
async fn thousand_without_permission_for_batches_are_a_thousand_reads_and_one_refusal() -> Result {
    let scene = thousand("aws-denied", "1h").await?;
    let moto = scene.bed.moto().await?;
    let gate = AwsGate::start(moto, &["BatchGetSecretValue"]).await?;
    let mark = moto.mark();
    let controller = controller(&scene, &gate.environment()).await?;
    all_refreshed(&scene, Timestamp::UNIX_EPOCH).await?;
    let requests = mine(&scene, &moto.requests_since(mark)?);
    assert_eq!(requests.action("GetSecretValue").len(), MANY, "{requests}");
    assert_eq!(requests.len(), MANY, "{requests}");
    let refused = ["provider=\"AWS/SecretsManager\"", "call=\"BatchGetSecretValue\"", "status=\"error\""];
    let refused = controller.metric("externalsecret_provider_api_calls_count", &refused).await?;
    assert_eq!(refused, Some(1.0));
    all_hold_their_own(&scene).await
}
