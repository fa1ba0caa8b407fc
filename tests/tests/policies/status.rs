//! What the status says and when it moves: as upstream's, and no more often than there is news.

use k8s_openapi::api::events::v1::Event;
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::support::{
    Ready, SOON, data,
    manifest::{external_secret, with},
    version,
};
use crate::{safety::notes, stored, targeting};

/// An entry that the store does not have.
fn absent(key: &str) -> Value {
    json!({"data": [{"secretKey": "password", "remoteRef": {"key": key}}]})
}

fn status(object: &DynamicObject, pointer: &str) -> Value {
    object.data["status"].pointer(pointer).cloned().unwrap_or_default()
}

/// Waits until a second is over: times in a status are in whole ones.
async fn a_second_later(object: &DynamicObject) -> Result {
    let turned: jiff::Timestamp =
        status(object, "/conditions/0/lastTransitionTime").as_str().unwrap_or_default().parse()?;
    wait::until("the next second", SOON, || async {
        if jiff::Timestamp::now().duration_since(turned).as_secs() >= 1 { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await
}

#[tokio::test]
async fn times_and_version_of_the_status_move_with_what_they_tell_and_with_nothing_else() -> Result {
    let scene = stored("moves", "first").await?;
    let spec = targeting(&json!({}));
    scene.apply(&external_secret("app", &spec)).await?;
    let synced = scene.is_synced("app").await?;
    a_second_later(&synced).await?;

    // Synced again: refreshed, and no transition.
    scene.force_sync("app").await?;
    let again = scene.settled("app", |ready| ready.status == "True").await?;
    assert_eq!(status(&again, "/conditions/0/lastTransitionTime"), status(&synced, "/conditions/0/lastTransitionTime"));
    let again = wait::object(&scene.ours("ExternalSecret"), "app", "to be refreshed", SOON, |object| {
        status(object, "/syncedResourceVersion") != status(&synced, "/syncedResourceVersion")
    })
    .await?;
    assert_ne!(status(&again, "/refreshTime"), status(&synced, "/refreshTime"));

    // Failed: a transition, and what was synced stays as it was.
    scene.apply(&external_secret("app", &with(spec.clone(), &absent("one")))).await?;
    scene.fails("app", "RemoteSecretMissing").await?;
    let failed = scene.ours("ExternalSecret").get("app").await?;
    assert_ne!(status(&failed, "/conditions/0/lastTransitionTime"), status(&again, "/conditions/0/lastTransitionTime"));
    for field in ["/refreshTime", "/syncedResourceVersion", "/binding/name"] {
        assert_eq!(status(&failed, field), status(&again, field), "{field}");
    }
    a_second_later(&failed).await?;

    // Failed otherwise: another message, and no transition.
    scene.apply(&external_secret("app", &with(spec.clone(), &absent("two")))).await?;
    let told = |object: &DynamicObject| Ready::of(object).is_some_and(|ready| ready.message.contains("\"two\""));
    let otherwise = wait::object(&scene.ours("ExternalSecret"), "app", "the other cause", SOON, told).await?;
    assert_eq!(
        status(&otherwise, "/conditions/0/lastTransitionTime"),
        status(&failed, "/conditions/0/lastTransitionTime")
    );
    assert_eq!(otherwise.data["status"]["conditions"].as_array().map(Vec::len), Some(1), "one of each type");

    scene.apply(&external_secret("app", &spec)).await?;
    let mended = scene.is_synced("app").await?;
    assert_ne!(
        status(&mended, "/conditions/0/lastTransitionTime"),
        status(&failed, "/conditions/0/lastTransitionTime")
    );
    assert_eq!(data(&scene.secrets().get("app").await?)["password"], "first");
    Ok(())
}

#[tokio::test]
async fn failure_that_lasts_is_told_once_and_an_edit_of_the_spec_starts_its_tries_anew() -> Result {
    let scene = stored("lasts", "first").await?;
    let spec = with(targeting(&json!({})), &absent("one"));
    scene.apply(&external_secret("app", &spec)).await?;
    scene.fails("app", "RemoteSecretMissing").await?;
    let told = scene.ours("ExternalSecret").get("app").await?;
    // After 2 s and 10 s; by itself it tries again after a minute, and then after six.
    scene.has_failed("app", 3.0).await?;
    assert_eq!(version(&scene.ours("ExternalSecret").get("app").await?), version(&told), "nothing is written again");
    let events: Api<Event> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let events = events.list(&ListParams::default()).await?.items;
    let failures = events.iter().filter(|event| event.reason.as_deref() == Some("UpdateFailed"));
    assert!(failures.clone().all(|event| event.series.is_none()), "told once");
    assert_eq!(failures.count(), 1);
    assert_eq!(notes(&scene, "app", "UpdateFailed").await?.len(), 1);

    scene.apply(&external_secret("app", &with(spec, &absent("two")))).await?;
    scene.has_failed("app", 6.0).await
}
