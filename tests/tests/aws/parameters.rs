//! Parameter Store, as the page has it and in all else that is read of it.

use serde_json::{Value, json};
use support::manifest;
use tests::{AwsGate, Binary, Result};

use crate::{REGION, page::Reader, support};

/// Name of the ExternalSecret, the rest of its spec, and what it must make.
type Row<'a> = (&'a str, Value, &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn page() -> Result {
    let reader = Reader::new("parameters-page", &[]).await?;
    let moto = reader.scene.bed.moto().await?;
    let put = json!({"Name": "/team-a/db-password", "Type": "SecureString", "Value": "from-aws", "Overwrite": true});
    moto.parameter_store(REGION, "PutParameter", &put).await?;
    reader.follow("Parameter Store").await?;
    reader.scene.holds("parameters", &[("password", "from-aws")]).await?;
    Ok(())
}

#[tokio::test]
async fn versions_labels_tags_properties_and_searches() -> Result {
    let reader = Reader::new("parameters", &[]).await?;
    let scene = &reader.scene;
    let moto = scene.bed.moto().await?;
    let at = format!("/{}", scene.namespace);
    let put = async |name: &str, value: &str, tags: Value| {
        let body = json!({"Name": format!("{at}/{name}"), "Type": "SecureString", "Value": value, "Tags": tags});
        moto.parameter_store(REGION, "PutParameter", &body).await.map(drop)
    };
    put("db", "first", json!([{"Key": "team", "Value": "a"}])).await?;
    let second = json!({"Name": format!("{at}/db"), "Type": "SecureString", "Value": "second", "Overwrite": true});
    moto.parameter_store(REGION, "PutParameter", &second).await?;
    let label = json!({"Name": format!("{at}/db"), "ParameterVersion": 1, "Labels": ["blue"]});
    moto.parameter_store(REGION, "LabelParameterVersion", &label).await?;
    put("json", r#"{"user": "bob", "k.d": "dotted", "n": 1.50}"#, json!([])).await?;
    put("team/x", "in a folder", json!([{"Key": "team", "Value": "b"}])).await?;

    scene.apply(&manifest::secret("keys", &[("id", &scene.namespace), ("key", "any")])).await?;
    scene.apply(&manifest::secret_store("ssm", &store(&json!({"prefix": format!("{at}/")})))).await?;
    scene.apply(&manifest::secret_store("whole", &store(&json!({})))).await?;
    let one = |remote: Value| json!({"data": [{"secretKey": "v", "remoteRef": remote}]});
    let find = |find: Value| {
        let rewrite = json!([{"regexp": {"source": ".*/", "target": ""}}]);
        json!({"secretStoreRef": {"name": "whole"}, "dataFrom": [{"find": find, "rewrite": rewrite}]})
    };
    let rows: [Row<'_>; 10] = [
        ("newest", one(json!({"key": "db"})), &[("v", "second")]),
        ("version", one(json!({"key": "db", "version": "1"})), &[("v", "first")]),
        ("label", one(json!({"key": "db", "version": "blue"})), &[("v", "first")]),
        ("property", one(json!({"key": "json", "property": "k.d"})), &[("v", "dotted")]),
        ("tags", one(json!({"key": "db", "metadataPolicy": "Fetch", "property": "team"})), &[("v", "a")]),
        (
            "extract",
            json!({"dataFrom": [{"extract": {"key": "json"}}]}),
            &[("user", "bob"), ("k.d", "dotted"), ("n", "1.50")],
        ),
        ("by-path", find(json!({"path": format!("{at}/team"), "name": {"regexp": "x"}})), &[("x", "in a folder")]),
        ("by-name", find(json!({"path": at, "name": {"regexp": "db$"}})), &[("db", "second")]),
        ("by-tags", find(json!({"path": at, "tags": {"team": "b"}})), &[("x", "in a folder")]),
        ("slash", one(json!({"key": "team/x"})), &[("v", "in a folder")]),
    ];
    for (name, spec, _) in &rows {
        let spec = manifest::with(manifest::with(manifest::reads("ssm", &[]), &json!({"data": null})), spec);
        scene.apply(&manifest::external_secret(name, &spec)).await?;
    }
    for (name, _, values) in &rows {
        scene.holds(name, values).await.map_err(|failure| failure.during(format!("reading {name}")))?;
    }
    for (name, remote) in [("no-version", json!({"key": "db", "version": "9"})), ("none", json!({"key": "none"}))] {
        let spec = manifest::with(manifest::with(manifest::reads("ssm", &[]), &json!({"data": null})), &one(remote));
        scene.apply(&manifest::external_secret(name, &spec)).await?;
        scene.fails(name, "RemoteSecretMissing").await?;
    }
    Ok(())
}

fn store(change: &Value) -> Value {
    let key = |key: &str| json!({"name": "keys", "key": key});
    let auth = json!({"secretRef": {"accessKeyIDSecretRef": key("id"), "secretAccessKeySecretRef": key("key")}});
    manifest::with(
        json!({"aws": {"service": "ParameterStore", "region": REGION, "auth": auth}}),
        &json!({"aws": change}),
    )
}

#[tokio::test]
async fn search_without_permission_for_folders_lists_and_reads() -> Result {
    let scene = support::Scene::without_controller("parameters-denied").await?;
    let moto = scene.bed.moto().await?;
    let gate = AwsGate::start(moto, &["GetParametersByPath"]).await?;
    let flags = ["--namespace", &scene.namespace];
    let _controller = scene.bed.operator_with(Binary::Controller, &flags, &gate.environment()).await?;
    let at = format!("/{}", scene.namespace);
    for name in ["a", "b"] {
        let put = json!({"Name": format!("{at}/{name}"), "Type": "String", "Value": name});
        moto.parameter_store(REGION, "PutParameter", &put).await?;
    }
    scene.apply(&manifest::secret("keys", &[("id", &scene.namespace), ("key", "any")])).await?;
    scene.apply(&manifest::secret_store("ssm", &store(&json!({})))).await?;
    let find = json!({"find": {"path": at, "name": {"regexp": ".*"}}, "rewrite": [{"regexp": {"source": ".*/", "target": ""}}]});
    let spec = json!({"secretStoreRef": {"name": "ssm"}, "dataFrom": [find]});
    let mark = moto.mark();
    scene.apply(&manifest::external_secret("all", &spec)).await?;
    scene.holds("all", &[("a", "a"), ("b", "b")]).await?;
    let asked = moto.requests_since(mark)?.filter(|request| request.access_key_id == scene.namespace);
    assert_eq!((asked.action("DescribeParameters").len(), asked.action("GetParameters").len()), (1, 1), "{asked}");
    assert_eq!(asked.len(), 2, "{asked}");
    Ok(())
}
