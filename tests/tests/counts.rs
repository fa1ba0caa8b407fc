//! What a sync costs, counted by the servers: reads of the store, requests to the API server.

mod alone;

use std::time::Duration;

use alone::{Alone, STORE};
use api::external_secret::ExternalSecret;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::{api::events::v1::Event, apimachinery::pkg::apis::meta::v1::Time};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tests::{
    ApiRequest, Failure, Requests, Result,
    resources::{SOON, settled, synced},
    wait,
};

#[tokio::test]
async fn first_sync_is_one_read_and_three_writes() -> Result {
    let alone = Alone::with_token("first").await?;
    let controller = alone.controller().await?;
    alone.valid().await?;
    settled(&controller, &[("secretstore", 1.0)]).await?;

    let before = alone.moment().await?;
    alone.create([alone.external_secret("db", "1h")]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    let events: Api<Event> = Api::namespaced(alone.bed.admin()?, &alone.namespace);
    wait::until("the event Created", SOON, || async {
        let events = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let mut reasons = events.items.iter().filter_map(|event| event.reason.as_deref());
        if reasons.any(|reason| reason == "Created") { Ok(()) } else { Err("it is not there".to_owned()) }
    })
    .await?;
    settled(&controller, &[("externalsecret", 1.0)]).await?;

    let happened = alone.since(before).await?;
    assert_eq!(happened.reads.len(), 1, "five entries, one path: {}", happened.reads);
    assert_eq!(
        told(&happened.api.writes()),
        ["create events", "create secrets", "patch externalsecrets/status"],
        "{}",
        happened.api
    );
    assert!(happened.api.verb("get").is_empty(), "nothing is read, the Secret least of all: {}", happened.api);
    Ok(())
}

#[tokio::test]
async fn store_applied_together_with_its_user_costs_the_user_nothing_more() -> Result {
    let (alone, store) = Alone::with_kubernetes_auth("together").await?;
    let controller = alone.controller().await?;
    let before = alone.moment().await?;
    alone.create([store, alone.external_secret("db", "1h")]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    alone.valid().await?;
    settled(&controller, &[("externalsecret", 1.0), ("secretstore", 1.0)]).await?;
    let happened = alone.since(before).await?;
    assert_eq!(happened.reads.len(), 1, "{}", happened.reads);
    let status = happened.api.writes().resource("externalsecrets/status");
    assert_eq!(status.len(), 1, "no failure is told on the way: {}", happened.api);
    Ok(())
}

#[tokio::test]
async fn refresh_without_change_is_one_read_and_one_status_patch() -> Result {
    let alone = Alone::with_token("refresh").await?;
    let _controller = alone.controller().await?;
    // Long beside what a refresh takes, so that exactly one falls between two looks.
    alone.create([alone.external_secret("db", "4s")]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;

    let first = refreshed(&alone, None).await?;
    let second = refreshed(&alone, first).await?;
    let before = alone.moment().await?;
    refreshed(&alone, second).await?;
    let happened = alone.since(before).await?;
    assert_eq!(happened.reads.len(), 1, "{}", happened.reads);
    assert_eq!(told(&happened.api.writes()), ["patch externalsecrets/status"], "{}", happened.api);
    let gets = happened.api.verb("get");
    assert!(gets.is_empty(), "a watch tells when the token is replaced: {gets}");
    Ok(())
}

#[tokio::test]
async fn store_whose_reads_succeed_is_not_asked_whether_it_works() -> Result {
    let (alone, mut store) = Alone::with_kubernetes_auth("unasked").await?;
    store["spec"]["refreshInterval"] = json!(3);
    let controller = alone.controller().await?;
    alone.create([store, alone.external_secret("db", "1s")]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    alone.valid().await?;
    let before = alone.moment().await?;
    let checks = async || -> Result<f64> {
        let counted = controller.metric("controller_runtime_reconcile_total", &["controller=\"secretstore\""]).await?;
        Ok(counted.unwrap_or_default())
    };
    let first = checks().await?;
    wait::until("three more checks", SOON, || async {
        let now = checks().await.map_err(|failure| failure.to_string())?;
        if now >= first + 3.0 { Ok(()) } else { Err(format!("{now} after {first}")) }
    })
    .await?;
    let happened = alone.since(before).await?;
    assert!(happened.reads.len() >= 3, "{}", happened.reads);
    assert!(happened.lookups.is_empty(), "{}", happened.lookups);
    Ok(())
}

#[tokio::test]
async fn changed_store_costs_its_users_one_read_together_and_a_restart_none() -> Result {
    const USERS: usize = 12;
    let alone = Alone::with_token("changed").await?;
    let mut controller = alone.controller().await?;
    let names: Vec<_> = (0..USERS).map(|number| format!("db-{number}")).collect();
    alone.create(names.iter().map(|name| alone.external_secret(name, "1h"))).await?;
    for name in &names {
        synced(alone.bed, &alone.namespace, name).await?;
    }
    alone.valid().await?;
    settled(&controller, &[("externalsecret", 1.0), ("secretstore", 1.0)]).await?;

    alone.put(&json!({"a": "changed"})).await?;
    let before = alone.moment().await?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", "SecretStore"));
    let stores: Api<DynamicObject> = Api::namespaced_with(alone.bed.admin()?, &alone.namespace, &resource);
    let address = alone.bao.address.replace("127.0.0.1", "localhost");
    assert_ne!(address, alone.bao.address, "the same server by another name");
    let elsewhere = json!({"spec": {"provider": {"vault": {"server": address}}}});
    stores.patch(STORE, &PatchParams::default(), &Patch::Merge(elsewhere)).await?;
    // The entry has lost four fields: each says so when it has fetched.
    for name in &names {
        let objects = objects(&alone)?;
        wait::object(&objects, name, "to have fetched", SOON, |object| {
            let message = object.data.pointer("/status/conditions/0/message").and_then(Value::as_str);
            message.is_some_and(|message| message.starts_with("RemotePropertyMissing"))
        })
        .await?;
    }
    let happened = alone.since(before).await?;
    assert_eq!(happened.reads.len(), 1, "one for all: {}", happened.reads);

    alone.put(&json!({"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"})).await?;
    for name in &names {
        alone.kubectl(&["annotate", "externalsecret", name, "again=now"], "").await?;
        synced(alone.bed, &alone.namespace, name).await?;
    }
    controller.kill().await?;
    let before = alone.moment().await?;
    controller.restart().await?;
    #[expect(clippy::cast_precision_loss, reason = "a dozen")]
    settled(&controller, &[("externalsecret", USERS as f64), ("secretstore", 1.0)]).await?;
    let happened = alone.since(before).await?;
    assert!(happened.reads.is_empty(), "{}", happened.reads);
    Ok(())
}

fn objects(alone: &Alone) -> Result<Api<DynamicObject>> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret"));
    Ok(Api::namespaced_with(alone.bed.admin()?, &alone.namespace, &resource))
}

#[tokio::test]
async fn try_of_what_a_user_must_mend_costs_one_read() -> Result {
    let alone = Alone::with_token("broken").await?;
    let controller = alone.controller().await?;
    alone.valid().await?;
    let mut object = alone.external_secret("db", "24h");
    for entry in object["spec"]["data"].as_array_mut().into_iter().flatten() {
        entry["remoteRef"]["key"] = json!(format!("{}/absent", alone.namespace));
    }
    let before = alone.moment().await?;
    alone.create([object]).await?;
    wait::until("three failures", SOON, || async {
        let failed = controller.metric("externalsecret_sync_calls_error", &["name=\"db\""]).await;
        let failed = failed.map_err(|failure| failure.to_string())?.unwrap_or_default();
        if failed >= 3.0 { Ok(()) } else { Err(format!("{failed}")) }
    })
    .await?;
    let happened = alone.since(before).await?;
    // The fourth try is a minute away. How many tries a day has is a matter of arithmetic.
    assert_eq!(happened.reads.len(), 3, "{}", happened.reads);
    assert_eq!(happened.api.resource("externalsecrets/status").writes().len(), 1, "{}", happened.api);
    Ok(())
}

#[tokio::test]
async fn try_of_a_path_that_no_token_may_read_costs_one_read_and_no_login() -> Result {
    let (alone, store) = Alone::with_kubernetes_auth("forbidden").await?;
    let controller = alone.controller().await?;
    alone.create([store]).await?;
    alone.valid().await?;
    let mut object = alone.external_secret("db", "24h");
    let path = format!("not-for-{}", alone.namespace);
    object["spec"]["data"] = json!([{"secretKey": "a", "remoteRef": {"key": path}}]);
    let failed = |times: f64| {
        let controller = &controller;
        wait::until("so many failures", SOON, move || async move {
            let failed = controller.metric("externalsecret_sync_calls_error", &["name=\"db\""]).await;
            let failed = failed.map_err(|failure| failure.to_string())?.unwrap_or_default();
            if failed >= times { Ok(()) } else { Err(format!("{failed}")) }
        })
    };
    alone.create([object]).await?;
    failed(1.0).await?;
    let (before, mark, first) = (alone.moment().await?, alone.bao.mark(), std::time::Instant::now());
    failed(3.0).await?;
    // After 2 s and 10 s: the token is no new one any more, and another would not help.
    assert!(first.elapsed() >= Duration::from_millis(11_500), "{:?}", first.elapsed());
    let reads = alone.bao.requests_since(mark)?.path(&format!("secret/data/{path}"));
    assert_eq!(reads.len(), 2, "{reads}");
    let happened = alone.since(before).await?;
    assert!(happened.logins.is_empty(), "{}", happened.logins);
    assert!(happened.api.resource("externalsecrets/status").writes().is_empty(), "{}", happened.api);
    Ok(())
}

#[tokio::test]
async fn what_waits_for_a_named_object_asks_the_store_nothing_until_it_comes() -> Result {
    let (alone, mut store) = Alone::with_kubernetes_auth("named").await?;
    store["spec"]["provider"]["vault"]["auth"]["kubernetes"]["serviceAccountRef"]["name"] = json!("late");
    let account = (alone.namespace.as_str(), "late");
    let role = json!({
        "bound_service_account_namespaces": [account.0], "bound_service_account_names": [account.1],
        "token_policies": [alone.namespace], "token_ttl": "1h",
    });
    // Reviewed by itself, as the other roles are.
    alone.bao.kubernetes_role(alone.bed.admin()?, &alone.namespace, account, &[&alone.namespace]).await?;
    alone.bao.write(&format!("auth/{0}/role/{0}", alone.namespace), &role).await?;
    let controller = alone.controller().await?;
    let before = alone.moment().await?;
    alone.create([store, alone.external_secret("db", "1h")]).await?;
    wait::until("two turns of the store", SOON, || async {
        let failed =
            controller.metric("controller_runtime_reconcile_errors_total", &["controller=\"secretstore\""]).await;
        let failed = failed.map_err(|failure| failure.to_string())?.unwrap_or_default();
        if failed >= 2.0 { Ok(()) } else { Err(format!("{failed}")) }
    })
    .await?;
    let happened = alone.since(before).await?;
    assert!(happened.logins.is_empty() && happened.reads.is_empty(), "{} {}", happened.logins, happened.reads);
    // By itself it would look again 30 s after the second turn.
    let created = std::time::Instant::now();
    alone.create([json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "late"}})]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    assert!(created.elapsed() < Duration::from_secs(20), "{:?}", created.elapsed());
    let happened = alone.since(before).await?;
    assert_eq!((happened.logins.len(), happened.reads.len()), (1, 1), "{} {}", happened.logins, happened.reads);
    Ok(())
}

#[tokio::test]
async fn templates_in_the_spec_cost_no_call() -> Result {
    let alone = Alone::with_token("templates").await?;
    let controller = alone.controller().await?;
    alone.valid().await?;
    settled(&controller, &[("secretstore", 1.0)]).await?;
    let mut object = alone.external_secret("db", "4s");
    object["spec"]["target"] = json!({"template": {
        "metadata": {"labels": {"of": "{{ .a }}"}, "annotations": {"note": "{{ .b | quote }}"}},
        "data": {"url": "{{ .a }}:{{ .b }}"},
        "templateFrom": [{"literal": "c: '{{ .c }}'"}, {"target": "Labels", "literal": "d: '{{ .d }}'"}],
    }});

    let before = alone.moment().await?;
    alone.create([object]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    let first = refreshed(&alone, None).await?;
    let second = refreshed(&alone, first).await?;
    let happened = alone.since(before).await?;
    let gets = happened.api.verb("get").filter(|request| request.name != "vault-token");
    assert!(gets.is_empty(), "{gets}");
    assert_eq!(happened.api.resource("secrets").writes().len(), 1, "{}", happened.api);

    let before = alone.moment().await?;
    refreshed(&alone, second).await?;
    let happened = alone.since(before).await?;
    assert_eq!(told(&happened.api.writes()), ["patch externalsecrets/status"], "{}", happened.api);
    // Five texts, parsed at the first of three refreshes. Each refresh looks twice: to check, and to render.
    let looked_up = |result| controller.metric("externalsecret_template_cache_total", result);
    assert_eq!(looked_up(&["result=\"miss\""]).await?, Some(5.0));
    assert!(looked_up(&["result=\"hit\""]).await? >= Some(25.0));
    Ok(())
}

#[tokio::test]
async fn refresh_with_a_template_in_a_config_map_reads_it_once() -> Result {
    let alone = Alone::with_token("template-source").await?;
    let _controller = alone.controller().await?;
    let mut object = alone.external_secret("db", "4s");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"x": "{{ .a }}", "y": "y"}});
    let source = |key: &str| json!({"configMap": {"name": "map", "items": [{"key": key}]}});
    object["spec"]["target"] = json!({"template": {"templateFrom": [source("x"), source("y")]}});
    alone.create([map, object]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    let first = refreshed(&alone, None).await?;
    let second = refreshed(&alone, first).await?;
    let before = alone.moment().await?;
    refreshed(&alone, second).await?;
    let happened = alone.since(before).await?;
    let gets = happened.api.verb("get").filter(|request| request.name != "vault-token");
    assert_eq!(told(&gets), ["get configmaps"], "{}", happened.api);
    assert_eq!(told(&happened.api.writes()), ["patch externalsecrets/status"], "{}", happened.api);
    Ok(())
}

#[tokio::test]
async fn fifty_external_secrets_of_one_store_share_one_login() -> Result {
    let (alone, store) = Alone::with_kubernetes_auth("fifty").await?;
    let names: Vec<_> = (0..50).map(|number| format!("db-{number}")).collect();
    let before = alone.moment().await?;
    let _controller = alone.controller().await?;
    let objects = names.iter().map(|name| alone.external_secret(name, "1h"));
    alone.create([store].into_iter().chain(objects)).await?;
    for name in &names {
        synced(alone.bed, &alone.namespace, name).await?;
    }
    let happened = alone.since(before).await?;
    assert_eq!(happened.logins.len(), 1, "{}", happened.logins);
    assert_eq!(happened.api.resource("serviceaccounts/token").len(), 1, "{}", happened.api);
    assert!((1..=names.len()).contains(&happened.reads.len()), "{}", happened.reads);
    assert_eq!(happened.api.resource("secrets").writes().len(), names.len(), "{}", happened.api);
    Ok(())
}

#[tokio::test]
async fn refresh_of_several_paths_is_one_read_of_each_and_one_status_patch() -> Result {
    let alone = Alone::with_token("paths").await?;
    let paths = ["one", "two", "three"].map(|name| format!("{}/{name}", alone.namespace));
    for path in &paths {
        alone.bao.put(&format!("secret/{path}"), &json!({"a": path, "b": {"c": path}})).await?;
    }
    let _controller = alone.controller().await?;
    let mut object = alone.external_secret("db", "4s");
    let properties = paths.iter().flat_map(|path| ["a", "b.c"].map(|property| (path, property))).enumerate();
    let entry = |(index, (path, property))| json!({"secretKey": format!("k{index}"), "remoteRef": {"key": path, "property": property}});
    object["spec"]["data"] = properties.map(entry).collect();
    object["spec"]["dataFrom"] = paths.iter().map(|path| json!({"extract": {"key": path}})).collect();
    alone.create([object]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;

    let first = refreshed(&alone, None).await?;
    let second = refreshed(&alone, first).await?;
    let before = alone.moment().await?;
    refreshed(&alone, second).await?;
    let happened = alone.since(before).await?;
    let mut read: Vec<_> = happened.reads.as_slice().iter().map(|read| read.path.clone()).collect();
    read.sort();
    let mut expected = paths.map(|path| format!("secret/data/{path}"));
    expected.sort();
    assert_eq!(read, expected, "nine entries, three paths");
    assert_eq!(told(&happened.api.writes()), ["patch externalsecrets/status"], "{}", happened.api);
    Ok(())
}

/// ExternalSecrets of an installation, and the paths that they share.
const MANY: usize = 1000;
const SHARED: usize = 50;

#[tokio::test]
async fn thousand_external_secrets_of_fifty_paths_read_each_path_once() -> Result {
    let (alone, objects) = many("thousand").await?;
    let mut controller = alone.controller().await?;
    alone.valid().await?;
    assert_eq!(controller.kill().await?, 0);
    alone.create(objects).await?;
    let before = alone.moment().await?;
    // All come at once, in its first list.
    controller.restart().await?;
    all_written(&alone).await?;
    let happened = alone.since(before).await?;
    assert!((SHARED..=60).contains(&happened.reads.len()), "{} reads", happened.reads.len());
    Ok(())
}

/// The store is not checked yet: all wait for that, and are woken by it.
#[tokio::test]
async fn thousand_external_secrets_that_waited_for_their_store_read_each_path_once() -> Result {
    let (alone, objects) = many("waited").await?;
    alone.create(objects).await?;
    let before = alone.moment().await?;
    let _controller = alone.controller().await?;
    all_written(&alone).await?;
    let happened = alone.since(before).await?;
    assert!((SHARED..=60).contains(&happened.reads.len()), "{} reads", happened.reads.len());
    Ok(())
}

/// Creations that are under way at the same time.
const IN_FLIGHT: usize = 50;

#[tokio::test]
async fn thousand_external_secrets_created_at_once_share_reads() -> Result {
    let (alone, objects) = many("burst").await?;
    let _controller = alone.controller().await?;
    alone.valid().await?;
    let api: Api<DynamicObject> = Api::namespaced_with(alone.bed.admin()?, &alone.namespace, &external_secrets());
    let before = alone.moment().await?;
    stream::iter(objects)
        .map(|object| async {
            api.create(&PostParams::default(), &serde_json::from_value(object)?).await.map_err(Failure::from)
        })
        .buffer_unordered(IN_FLIGHT)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    all_written(&alone).await?;
    let happened = alone.since(before).await?;
    // Each is entitled to an answer from after its creation. Those that wait for a worker meanwhile share one.
    assert!((SHARED..=300).contains(&happened.reads.len()), "{} reads", happened.reads.len());
    Ok(())
}

fn external_secrets() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret"))
}

/// That many ExternalSecrets, each of one of the shared paths.
async fn many(prefix: &str) -> Result<(Alone, Vec<Value>)> {
    let alone = Alone::with_token(prefix).await?;
    let path = |number: usize| format!("{}/shared-{number}", alone.namespace);
    for number in 0..SHARED {
        alone.bao.put(&format!("secret/{}", path(number)), &json!({"value": number.to_string()})).await?;
    }
    let object = |number: usize| {
        let entry = json!({"secretKey": "value", "remoteRef": {"key": path(number % SHARED), "property": "value"}});
        let mut object = alone.external_secret(&format!("es-{number}"), "1h");
        object["spec"]["data"] = json!([entry]);
        object
    };
    let objects = (0..MANY).map(object).collect();
    Ok((alone, objects))
}

async fn all_written(alone: &Alone) -> Result {
    let secrets = alone.secrets()?;
    wait::until("every Secret", Duration::from_mins(3), || async {
        let secrets = secrets.list_metadata(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let written = secrets.items.iter().filter(|secret| secret.name_any().starts_with("es-")).count();
        if written == MANY { Ok(()) } else { Err(format!("there are {written}")) }
    })
    .await
}

#[tokio::test]
async fn restart_with_all_synced_reads_and_writes_nothing() -> Result {
    let alone = Alone::with_token("restart").await?;
    let mut controller = alone.controller().await?;
    let names: Vec<_> = (0..20).map(|number| format!("db-{number}")).collect();
    alone.create(names.iter().map(|name| alone.external_secret(name, "1h"))).await?;
    for name in &names {
        synced(alone.bed, &alone.namespace, name).await?;
    }
    assert_eq!(controller.kill().await?, 0, "SIGTERM ends the controller with success");

    let before = alone.moment().await?;
    controller.restart().await?;
    settled(&controller, &[("externalsecret", 20.0), ("secretstore", 1.0)]).await?;
    let happened = alone.since(before).await?;
    assert!(happened.reads.is_empty(), "{}", happened.reads);
    assert!(happened.api.writes().is_empty(), "{}", happened.api);
    // The store's own check reads the Secret with the token; of the targets nothing is read but the watch.
    let gets = happened.api.verb("get").filter(|request| request.name != "vault-token");
    assert!(gets.is_empty(), "{gets}");
    Ok(())
}

/// Waits for a refresh after the one at `last`, and returns its time.
async fn refreshed(alone: &Alone, last: Option<Time>) -> Result<Option<Time>> {
    let api: Api<ExternalSecret> = Api::namespaced(alone.bed.admin()?, &alone.namespace);
    let time = |object: &ExternalSecret| object.status.as_ref().and_then(|status| status.refresh_time.clone());
    let object = wait::object(&api, "db", "refreshed again", Duration::from_secs(20), |object| {
        time(object).is_some() && time(object) != last
    })
    .await?;
    Ok(time(&object))
}

/// Requests as `verb resource`, sorted, each once per request. Watches are left out: they cost nothing per object.
fn told(requests: &Requests<ApiRequest>) -> Vec<String> {
    let requests = requests.filter(|request| !matches!(request.verb.as_str(), "watch" | "list"));
    let mut told: Vec<_> =
        requests.as_slice().iter().map(|request| format!("{} {}", request.verb, request.resource)).collect();
    told.sort();
    told
}
