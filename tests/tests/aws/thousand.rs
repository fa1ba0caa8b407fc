//! A thousand ExternalSecrets of one key each, in calls of AWS.

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

/// A thousand secrets, a store, and an ExternalSecret for each of them; the controller has still to be started.
async fn thousand(prefix: &str, interval: &str) -> Result<Scene> {
    let scene = Scene::without_controller(prefix).await?;
    let moto = scene.bed.moto().await?;
    let namespace = scene.namespace.as_str();
    {
        // moto fails when it creates two at once.
        let _alone = STOCKING.lock().await;
        for number in 0..MANY {
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
    stream::iter((0..MANY).map(object))
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
    let objects: Api<ExternalSecret> = Api::namespaced(scene.client.clone(), &scene.namespace);
    wait::until("a refresh of each", LONG, || async {
        let objects = objects.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let refreshed = objects.items.iter().filter(|object| {
            let status = object.status.as_ref();
            status.and_then(|status| status.refresh_time.as_ref()).is_some_and(|time| time.0 >= after)
        });
        let count = refreshed.count();
        if count == MANY { Ok(()) } else { Err(format!("{count} are")) }
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
