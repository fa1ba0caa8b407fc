//! A namespace that is being deleted: nothing is made in it again, and it goes as fast as without the operator.
//!
//! A file, and so a controller, of its own: it must see all namespaces.

mod support;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{Value, json};
use support::{
    Scene,
    manifest::{external_secret, fake, reads, secret_store},
};
use tests::{Binary, Failure, Process, Result, wait};

/// What one team's namespace holds at most, and then some.
const COUNT: usize = 500;

/// For hundreds of objects on a busy machine.
const LONG: Duration = Duration::from_mins(4);

/// Creates the namespace's objects and waits until each has its Secret.
async fn fill(scene: &Scene) -> Result {
    scene.apply(&secret_store("store", &fake(&[("password", "first")]))).await?;
    scene.store_is_valid("SecretStore", "store").await?;
    let items: Vec<Value> = (0..COUNT)
        .map(|n| {
            let mut object = external_secret(&format!("app-{n}"), &reads("store", &[("password", "password")]));
            object["metadata"]["namespace"] = json!(scene.namespace);
            object
        })
        .collect();
    let api = scene.ours("ExternalSecret");
    let created =
        futures::future::try_join_all(
            items.into_iter().map(|item| {
                let api = api.clone();
                async move {
                    api.create(&PostParams::default(), &serde_json::from_value(item)?).await.map_err(Failure::from)
                }
            }),
        );
    created.await?;
    let managed = ListParams::default().labels("reconcile.external-secrets.io/managed=true");
    wait::until("every Secret", LONG, || async {
        let list = scene.secrets().list_metadata(&managed).await.map_err(|error| error.to_string())?;
        if list.items.len() == COUNT { Ok(()) } else { Err(format!("there are {}", list.items.len())) }
    })
    .await?;
    let is_synced = |object: &kube::api::DynamicObject| object.data.pointer("/status/refreshTime").is_some();
    wait::until("every status", LONG, || async {
        let list = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let synced = list.items.iter().filter(|object| is_synced(object)).count();
        if synced == COUNT { Ok(()) } else { Err(format!("{synced} are synced")) }
    })
    .await
}

async fn delete(scene: &Scene) -> Result<Duration> {
    let namespaces: Api<Namespace> = Api::all(scene.client.clone());
    let started = Instant::now();
    namespaces.delete(&scene.namespace, &DeleteParams::default()).await?;
    wait::gone(&namespaces, &scene.namespace, LONG).await?;
    Ok(started.elapsed())
}

async fn filled(prefix: &str) -> Result<Scene> {
    let scene = Scene::without_controller(prefix).await?;
    fill(&scene).await?;
    Ok(scene)
}

async fn controller(scene: &Scene) -> Result<Process> {
    scene.bed.operator(Binary::Controller, &[]).await
}

#[tokio::test]
async fn nothing_is_written_to_a_namespace_that_goes_and_it_goes_as_fast() -> Result {
    let bed = Scene::without_controller("first").await?;
    let mut controller = controller(&bed).await?;
    let scene = filled("watched").await?;
    let other = filled("unwatched").await?;

    let before = scene.bed.api_mark().await?;
    let with = delete(&scene).await?;
    let requests = scene.bed.api_requests_since(before).await?.of(Binary::Controller).in_namespace(&scene.namespace);
    // What was told of the beginning may still be on its way.
    let requests = requests.filter(|request| request.resource != "events");
    let written = requests.writes().filter(|request| request.status < 300);
    assert!(written.is_empty(), "{written}");
    // A look at what just went can overtake the news of the namespace; nobody tries twice.
    assert!(requests.len() < COUNT / 10, "{requests}");
    assert!(!controller.log().contains("ERROR"), "{}", controller.log());

    controller.kill().await?;
    let without = delete(&other).await?;
    println!("deleting a namespace with {COUNT} ExternalSecrets: {with:?} with the operator, {without:?} without");
    Ok(())
}
