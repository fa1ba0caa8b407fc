//! Tests with a controller of their own: flags, restarts, and what is watched. Its class keeps the file's controller away.

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tests::{Binary, Process, Result, wait};

use crate::{
    config_map, from_config_map, shaped, store,
    support::{
        SOON, Scene,
        manifest::{external_secret, with},
        says,
    },
};

struct Own {
    scene: Scene,
    controller: Process,
}

async fn own(prefix: &str, flags: &[&str]) -> Result<Own> {
    let scene = Scene::without_controller(prefix).await?;
    let class = format!("--controller-class={prefix}");
    let flags = [&["--namespace", &scene.namespace, &class], flags].concat();
    let controller = scene.bed.operator(Binary::Controller, &flags).await?;
    scene.apply(&with(store(), &json!({"spec": {"controller": prefix}}))).await?;
    Ok(Own { scene, controller })
}

#[tokio::test]
async fn delimiters_of_the_flags_are_the_only_ones() -> Result {
    let flags = ["--template-left-delimiter=<<", "--template-right-delimiter=>>"];
    let Own { scene, controller: _controller } = own("delimiters", &flags).await?;
    scene.apply(&config_map("map", &json!({"lines": "from-map: << .user >> {{ .user }}"}))).await?;
    let items = json!([{"key": "lines", "templateAs": "KeysAndValues"}]);
    let template = json!({
        "data": {"url": "<< .user | upper >>:{{ this is text }}"},
        "metadata": {"annotations": {"note": "<< .user >>"}},
        "templateFrom": [{"configMap": {"name": "map", "items": items}}],
    });
    let rewritten = json!({"dataFrom": [{
        "extract": {"key": "user", "property": "none"}, "rewrite": [{"transform": {"template": "<< .value | nosuch >>"}}],
    }]});
    scene.apply(&external_secret("app", &shaped(&template))).await?;
    let secret = scene.holds("app", &[("url", "BOB:{{ this is text }}"), ("from-map", "bob {{ .user }}")]).await?;
    assert_eq!(secret.metadata.annotations.unwrap_or_default()["note"], "bob");
    scene.apply(&external_secret("rewrite", &with(shaped(&json!({})), &rewritten))).await?;
    let said = scene.fails("rewrite", "TemplateInvalid").await?.message;
    says(&said, &["spec.dataFrom[0].rewrite[0].transform.template: line 1: function \"nosuch\" not defined"]);
    Ok(())
}

#[tokio::test]
async fn limits_of_the_flags_hold() -> Result {
    let Own { scene, controller: _controller } =
        own("limits", &["--template-limit", "steps=50", "--template-limit=output_bytes=10"]).await?;
    let cases = [("steps", "{{ range until 40 }}{{ . }}{{ end }}", "50"), ("output", "01234567890", "10")];
    for (name, text, _) in cases {
        scene.apply(&external_secret(name, &shaped(&json!({"data": {"a": text}})))).await?;
    }
    for (name, _, limit) in cases {
        says(&scene.fails(name, "TemplateFailed").await?.message, &["spec.target.template.data[a]", limit]);
    }
    Ok(())
}

#[tokio::test]
async fn restart_repeats_nothing_unless_a_template_was_edited_meanwhile() -> Result {
    let Own { scene, mut controller } = own("restarted", &[]).await?;
    for (name, text) in [("same", "same"), ("edited", "one")] {
        scene.apply(&config_map(name, &json!({"url": text}))).await?;
        scene.apply(&external_secret(name, &shaped(&from_config_map(name, "url")))).await?;
        scene.holds(name, &[("url", text)]).await?;
        scene.is_synced(name).await?;
    }
    assert_eq!(controller.kill().await?, 0);
    // Times of change and of refresh are whole seconds.
    let edited = scene.ours("ExternalSecret").get("edited").await?;
    let synced_at = refresh_time(&edited)?;
    wait::until("the second after the refresh", SOON, || async {
        if Timestamp::now().as_second() > synced_at.as_second() { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;

    let before = scene.bed.api_mark().await?;
    controller.restart().await?;
    wait::until("both to be looked at", SOON, || async {
        let count =
            controller.metric("externalsecret_sync_calls_total", &[]).await.map_err(|error| error.to_string())?;
        if count.unwrap_or_default() >= 2.0 { Ok(()) } else { Err(format!("{count:?}")) }
    })
    .await?;
    watched(&scene, before).await?;
    let ours = scene.bed.api_requests_since(before).await?.of(Binary::Controller).in_namespace(&scene.namespace);
    assert!(ours.writes().is_empty(), "{ours}");
    assert!(ours.verb("get").is_empty(), "{ours}");

    assert_eq!(controller.kill().await?, 0);
    scene.apply(&config_map("edited", &json!({"url": "two"}))).await?;
    let same = scene.secrets().get("same").await?;
    let before = scene.bed.api_mark().await?;
    controller.restart().await?;
    scene.holds("edited", &[("url", "two")]).await?;
    scene.is_untouched(&same).await?;
    let ours = scene.bed.api_requests_since(before).await?.of(Binary::Controller).in_namespace(&scene.namespace);
    assert!(ours.resource("configmaps").named("same").verb("get").is_empty(), "{ours}");
    Ok(())
}

fn refresh_time(object: &DynamicObject) -> Result<Timestamp> {
    let text = object.data.pointer("/status/refreshTime").and_then(Value::as_str).unwrap_or_default();
    Ok(text.parse()?)
}

/// Waits until ConfigMaps are listed.
async fn watched(scene: &Scene, since: tests::Mark) -> Result {
    wait::until("ConfigMaps to be listed", SOON, || async {
        let requests = scene.bed.api_requests_since(since).await.map_err(|error| error.to_string())?;
        let ours = requests.of(Binary::Controller).in_namespace(&scene.namespace);
        if ours.resource("configmaps").verb("watch").is_empty() { Err(format!("{ours}")) } else { Ok(()) }
    })
    .await
}

#[tokio::test]
async fn nothing_is_watched_for_templates_in_the_spec() -> Result {
    let before = tests::Bed::shared().await?.api_mark().await?;
    let Own { scene, controller: _controller } = own("unwatched", &[]).await?;
    let template = json!({"data": {"url": "{{ .user }}"}, "templateFrom": [{"literal": "a: b"}]});
    scene.apply(&external_secret("app", &shaped(&template))).await?;
    scene.holds("app", &[("url", "bob"), ("a", "b")]).await?;
    scene.is_synced("app").await?;
    let ours = scene.bed.api_requests_since(before).await?.of(Binary::Controller).in_namespace(&scene.namespace);
    assert!(ours.resource("configmaps").is_empty(), "{ours}");
    let secrets = ours.resource("secrets").filter(|request| request.verb != "create");
    let unselected = secrets.filter(|request| !request.path.contains("labelSelector"));
    assert!(unselected.is_empty(), "{unselected}");
    // From the first that names a ConfigMap on, its namespace is watched, and no other.
    scene.apply(&config_map("map", &json!({"url": "{{ .user }}"}))).await?;
    scene.apply(&external_secret("map", &shaped(&from_config_map("map", "url")))).await?;
    watched(&scene, before).await
}

#[tokio::test]
async fn watch_of_templates_can_be_switched_off() -> Result {
    let Own { scene, controller: _controller } = own("switched-off", &["--watch-template-sources=false"]).await?;
    let before = scene.bed.api_mark().await?;
    scene.apply(&config_map("map", &json!({"url": "one"}))).await?;
    scene.apply(&external_secret("app", &shaped(&from_config_map("map", "url")))).await?;
    scene.holds("app", &[("url", "one")]).await?;
    scene.is_synced("app").await?;
    scene.apply(&config_map("map", &json!({"url": "two"}))).await?;
    scene.force_sync("app").await?;
    scene.holds("app", &[("url", "two")]).await?;
    let ours = scene.bed.api_requests_since(before).await?.of(Binary::Controller).in_namespace(&scene.namespace);
    let watches = ours.resource("configmaps").filter(|request| request.verb != "get");
    assert!(watches.is_empty(), "{watches}");
    Ok(())
}
