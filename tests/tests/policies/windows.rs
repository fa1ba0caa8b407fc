//! syncWindows: what they hold up, what passes them, and that an opening is noticed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::support::{
    Scene,
    manifest::{external_secret, with},
};
use crate::{store, stored, targeting};

/// An ExternalSecret that would be refreshed each second, were it not for this window.
fn within(kind: &str, schedule: &str, duration: &str) -> Value {
    let windows = json!([{"schedule": schedule, "duration": duration}]);
    with(targeting(&json!({})), &json!({"refreshInterval": "1s", "syncWindows": {"kind": kind, "windows": windows}}))
}

/// Changes the value, and waits until an ExternalSecret of the same interval without a window has it: this one must not.
async fn is_held_up(scene: &Scene, value: &str) -> Result {
    let before = scene.holds("app", &[("password", value)]).await?;
    scene.is_synced("app").await?;
    let refreshed = refresh_time(scene).await?;
    let witness = with(targeting(&json!({})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("witness", &witness)).await?;
    scene.holds("witness", &[("password", value)]).await?;
    store(scene, "changed").await?;
    scene.holds("witness", &[("password", "changed")]).await?;
    scene.is_untouched(&before).await?;
    assert_eq!(refresh_time(scene).await?, refreshed, "it was refreshed");
    Ok(())
}

async fn refresh_time(scene: &Scene) -> Result<Timestamp> {
    let app = scene.ours("ExternalSecret").get("app").await?;
    Ok(app.data["status"]["refreshTime"].as_str().unwrap_or_default().parse()?)
}

#[tokio::test]
async fn closed_window_holds_up_the_interval_and_nothing_else() -> Result {
    let scene = stored("windows", "before").await?;
    for spec in [within("allow", "0 0 30 2 *", "1h"), within("deny", "* * * * *", "1h")] {
        store(&scene, "first").await?;
        scene.apply(&external_secret("app", &spec)).await?;
        is_held_up(&scene, "first").await?;
        // What a user changes is done at once.
        scene.force_sync("app").await?;
        scene.holds("app", &[("password", "changed")]).await?;
        scene.is_synced("app").await?;
        store(&scene, "again").await?;
        scene.edit_secret("app", &json!({"data": {"password": "ZWRpdGVk"}})).await?;
        scene.holds("app", &[("password", "again")]).await?;
        scene.is_synced("app").await?;
    }
    Ok(())
}

#[tokio::test]
async fn open_window_lets_the_interval_pass() -> Result {
    let scene = stored("open", "first").await?;
    scene.apply(&external_secret("app", &within("allow", "* * * * *", "1h"))).await?;
    scene.holds("app", &[("password", "first")]).await?;
    store(&scene, "second").await?;
    scene.holds("app", &[("password", "second")]).await?;
    Ok(())
}

#[tokio::test]
async fn opening_is_noticed_when_it_comes() -> Result {
    let scene = stored("opens", "first").await?;
    // The next minute that leaves time to look at the closed window first.
    let opens = Timestamp::now() + SignedDuration::from_secs(75);
    let minute = TimeZone::UTC.to_datetime(opens);
    let schedule = format!("{} {} * * *", minute.minute(), minute.hour());
    scene.apply(&external_secret("app", &within("allow", &schedule, "1h"))).await?;
    is_held_up(&scene, "first").await?;
    let looked_at = scene.reconciles("app").await?;
    let soon_after = Duration::from_secs(90);
    wait::object(&scene.secrets(), "app", "the value of the store once the window is open", soon_after, |secret| {
        crate::support::data(secret).get("password").is_some_and(|value| value == "changed")
    })
    .await?;
    // The opening itself, what it wrote, and what comes of the interval of a second until this was asked.
    let more = scene.reconciles("app").await? - looked_at;
    assert!(more <= 6.0, "{more} reconciles until the opening, where one would do");
    let refreshed = refresh_time(&scene).await?;
    assert_eq!(TimeZone::UTC.to_datetime(refreshed).minute(), minute.minute(), "as soon as it was open");
    Ok(())
}

/// The webhook would have refused it; without it, the window does not count, as in the Go operator.
#[tokio::test]
async fn window_that_cannot_be_read_is_told_once_for_each_version_and_ignored() -> Result {
    let scene = stored("unreadable", "first").await?;
    scene.apply(&external_secret("app", &within("deny", "every day at some time", "1h"))).await?;
    scene.holds("app", &[("password", "first")]).await?;
    store(&scene, "second").await?;
    scene.holds("app", &[("password", "second")]).await?;
    let events = scene.api("events.k8s.io/v1", "Event");
    let told = || async {
        let list = events.list(&kube::api::ListParams::default()).await?;
        let ignored = list.items.into_iter().filter(|event| event.data["reason"] == "SyncWindowIgnored");
        Ok::<_, tests::Failure>(ignored.map(|event| event.data).collect::<Vec<_>>())
    };
    wait::until("the event", crate::support::SOON, || async {
        let told = told().await.map_err(|failure| failure.to_string())?;
        if told.is_empty() { Err("it is not there".to_owned()) } else { Ok(()) }
    })
    .await?;
    // Refreshes without a change tell nothing more.
    let looked_at = scene.reconciles("app").await?;
    scene.is_looked_at("app", looked_at + 1.0).await?;
    let told = told().await?;
    assert_eq!(told.len(), 1, "{told:?}");
    let [event] = told.as_slice() else { return Ok(()) };
    assert_eq!((&event["type"], &event["regarding"]["name"]), (&json!("Warning"), &json!("app")));
    assert!(event.get("series").is_none_or(Value::is_null), "{event}");
    crate::support::says(
        event["note"].as_str().unwrap_or_default(),
        &["spec.syncWindows.windows[0].schedule", "ignored"],
    );
    Ok(())
}
