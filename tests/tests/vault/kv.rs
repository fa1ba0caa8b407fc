//! The key/value engines: versions, absence, searches, and keys without a mount.

use std::time::Duration;

use serde_json::{Value, json};
use support::{
    Scene,
    manifest::{external_secret, secret, secret_store, vault, with},
};
use tests::{OpenBao, Result};

use crate::support;

/// Name of the ExternalSecret, its store, the rest of its spec, and what it must make.
type Row<'a> = (&'a str, &'a str, Value, Vec<(&'a str, &'a str)>);

/// Entries below `secret/NAMESPACE` and `kv/NAMESPACE`, and a token that may do all that a store does there.
async fn entries(scene: &Scene, bao: &OpenBao) -> Result {
    let at = &scene.namespace;
    for value in ["one", "two", "three", "four"] {
        bao.put(&format!("secret/{at}/app"), &json!({"a": value})).await?;
    }
    bao.write(&format!("secret/delete/{at}/app"), &json!({"versions": [2]})).await?;
    bao.write(&format!("secret/destroy/{at}/app"), &json!({"versions": [3]})).await?;
    for (name, team) in [("team/x", "red"), ("team/y", "blue")] {
        bao.put(&format!("secret/{at}/{name}"), &json!({"a": name, "number": 7})).await?;
        bao.write(&format!("secret/metadata/{at}/{name}"), &json!({"custom_metadata": {"team": team}})).await?;
    }
    bao.put(&format!("kv/{at}/old"), &json!({"a": "plain"})).await?;
    let rules = format!(
        r#"path "secret/data/{at}/*" {{ capabilities = ["read"] }}
           path "secret/metadata/{at}/*" {{ capabilities = ["read", "list"] }}
           path "kv/{at}/*" {{ capabilities = ["read", "list"] }}"#
    );
    bao.policy(at, &rules).await?;
    let token = bao.token(&[at], Duration::from_hours(1)).await?;
    scene.apply(&secret("token", &[("token", &token)])).await?;
    Ok(())
}

#[tokio::test]
async fn versions_searches_and_keys_without_a_mount_are_read_as_they_are_written() -> Result {
    let scene = Scene::new("kv").await?;
    let bao = scene.bed.bao().await?;
    entries(&scene, bao).await?;
    let at = scene.namespace.as_str();
    let v2 = vault(&bao.address);
    for (name, change) in [
        ("v2", json!({})),
        ("bare", json!({"path": null})),
        ("v1", json!({"path": "kv", "version": "v1"})),
        ("bare-v1", json!({"path": null, "version": "v1"})),
    ] {
        scene.apply(&secret_store(name, &with(v2.clone(), &json!({"vault": change})))).await?;
    }
    let one = |key: &str, version: Option<&str>| {
        let version = version.map_or_else(|| json!({}), |version| json!({"version": version}));
        let remote = with(json!({"key": key, "property": "a"}), &version);
        json!({"data": [{"secretKey": "a", "remoteRef": remote}]})
    };
    let find = |find: Value| json!({"dataFrom": [{"find": find}]});
    let (x, y) = (format!("{at}_team_x"), format!("{at}_team_y"));
    let [x_text, y_text] = ["x", "y"].map(|name| format!(r#"{{"a":"team/{name}","number":7}}"#));
    let app = format!("{at}/app");
    let rows: Vec<Row<'_>> = vec![
        ("latest", "v2", one(&app, None), vec![("a", "four")]),
        ("first", "v2", one(&app, Some("1")), vec![("a", "one")]),
        ("repeated-mount", "v2", one(&format!("secret/data/{app}"), None), vec![("a", "four")]),
        ("inferred", "bare", one(&format!("secret/{app}"), None), vec![("a", "four")]),
        ("inferred-data", "bare", one(&format!("secret/data/{app}"), None), vec![("a", "four")]),
        ("old", "v1", one(&format!("{at}/old"), None), vec![("a", "plain")]),
        ("inferred-old", "bare-v1", one(&format!("kv/{at}/old"), None), vec![("a", "plain")]),
        (
            "by-name",
            "v2",
            find(json!({"path": format!("{at}/team"), "name": {"regexp": "team/x$"}})),
            vec![(&x, &x_text)],
        ),
        ("by-tag", "v2", find(json!({"path": format!("{at}/team"), "tags": {"team": "blue"}})), vec![(&y, &y_text)]),
        ("below-path", "v2", find(json!({"path": format!("{at}/team")})), vec![(&x, &x_text), (&y, &y_text)]),
    ];
    for (name, store, spec, _) in &rows {
        let spec = with(spec.clone(), &json!({"secretStoreRef": {"name": store}}));
        scene.apply(&external_secret(name, &spec)).await?;
    }
    for (name, version) in [("deleted", "2"), ("destroyed", "3")] {
        let spec = with(one(&app, Some(version)), &json!({"secretStoreRef": {"name": "v2"}}));
        scene.apply(&external_secret(name, &spec)).await?;
    }
    for (name, _, _, values) in &rows {
        scene.holds(name, values).await?;
    }
    for name in ["deleted", "destroyed"] {
        scene.fails(name, "RemoteSecretMissing").await?;
    }
    Ok(())
}
