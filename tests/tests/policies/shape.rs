//! What is in the target: values found, renamed, decoded and put into templates.

use std::collections::BTreeMap;

use kube::ResourceExt;
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::support::{
    Ready, SOON, Scene, data,
    manifest::{external_secret, fake, secret, secret_store, with},
    says,
};
use crate::{all, store, stored, targeting};

type Row = (&'static str, Value, &'static [(&'static str, &'static str)]);

async fn table(prefix: &str, entries: &[(&str, &str)], rows: Vec<Row>) -> Result {
    let scene = &Scene::new(prefix).await?;
    scene.apply(&secret_store("store", &fake(entries))).await?;
    let rows = rows.into_iter().map(|(name, spec, wanted)| (name.to_owned(), becomes(scene, name, spec, wanted)));
    all(rows).await
}

/// Waits for a refresh that takes `spec` to `wanted`; each row is an ExternalSecret of its own.
async fn becomes(scene: &Scene, name: &str, spec: Value, wanted: &[(&str, &str)]) -> Result {
    scene.apply(&external_secret(name, &with(spec, &json!({"secretStoreRef": {"name": "store"}})))).await?;
    scene.holds(name, wanted).await?;
    scene.is_synced(name).await.map(drop)
}

#[tokio::test]
async fn data_from_extracts_finds_and_rewrites() -> Result {
    let entries = [
        ("db", r#"{"user":"app","port":5432,"tls":true,"none":null,"nested":{"b":1,"a":"<x>"},"list":[1,"two"]}"#),
        ("team/a", "one"),
        ("team/b", "two"),
        ("other", "three"),
        ("json/1", r#"{"a":"1","shared":"first"}"#),
        ("json/2", r#"{"b":"2","shared":"second"}"#),
    ];
    let rows: Vec<Row> = vec![
        (
            "extract",
            json!({"dataFrom": [{"extract": {"key": "db"}}]}),
            &[
                ("user", "app"),
                ("port", "5432"),
                ("tls", "true"),
                ("none", ""),
                ("nested", r#"{"a":"\u003cx\u003e","b":1}"#),
                ("list", r#"[1,"two"]"#),
            ],
        ),
        (
            "property",
            json!({"dataFrom": [{"extract": {"key": "db", "property": "nested"}}]}),
            &[("a", "<x>"), ("b", "1")],
        ),
        (
            "find",
            json!({"dataFrom": [{"find": {"name": {"regexp": "^team/"}}}]}),
            &[("team_a", "one"), ("team_b", "two")],
        ),
        (
            "unicode",
            json!({"dataFrom": [{"find": {"name": {"regexp": "/a$"}, "conversionStrategy": "Unicode"}}]}),
            &[("team_U002f_a", "one")],
        ),
        (
            "regexp",
            json!({"dataFrom": [{
                "find": {"name": {"regexp": "^team/"}},
                "rewrite": [{"regexp": {"source": "^team_(.*)$", "target": "TEAM_$1"}}],
            }]}),
            &[("TEAM_a", "one"), ("TEAM_b", "two")],
        ),
        (
            "transform",
            json!({"dataFrom": [{
                "find": {"name": {"regexp": "^team/"}},
                "rewrite": [{"transform": {"template": "{{ .value | upper | replace \"_\" \"-\" }}"}}],
            }]}),
            &[("TEAM-A", "one"), ("TEAM-B", "two")],
        ),
        (
            "merge",
            json!({"dataFrom": [{
                "find": {"name": {"regexp": "^json/"}},
                "rewrite": [{"merge": {"conflictPolicy": "Ignore", "priority": ["json_1"]}}],
            }]}),
            &[("a", "1"), ("b", "2"), ("shared", "first")],
        ),
        (
            "precedence",
            json!({
                "dataFrom": [{"extract": {"key": "json/1"}}, {"extract": {"key": "json/2"}}],
                "data": [{"secretKey": "a", "remoteRef": {"key": "other"}}],
            }),
            &[("a", "three"), ("b", "2"), ("shared", "second")],
        ),
    ];
    table("data-from", &entries, rows).await
}

#[tokio::test]
async fn store_of_an_entry_wins_over_that_of_the_object() -> Result {
    let scene = stored("source-ref", "from the object's store").await?;
    scene.apply(&secret_store("other", &fake(&[("password", "from the entry's store")]))).await?;
    let entry = json!({
        "secretKey": "other",
        "remoteRef": {"key": "password"},
        "sourceRef": {"storeRef": {"name": "other"}},
    });
    let own = json!({"secretKey": "own", "remoteRef": {"key": "password"}});
    let spec = json!({"secretStoreRef": {"name": "store"}, "data": [own, entry]});
    scene.apply(&external_secret("app", &spec)).await?;
    scene.holds("app", &[("own", "from the object's store"), ("other", "from the entry's store")]).await?;
    Ok(())
}

#[tokio::test]
async fn values_are_decoded_by_strategy() -> Result {
    let entries = [
        ("base64", "aGVsbG8="),
        ("base64url", "c3ViamVjdHM_X2Q9"),
        ("plain", "not base64!"),
        ("map", r#"{"a":"aGVsbG8="}"#),
    ];
    let decoded = |key: &str, strategy: &str| json!({"data": [{"secretKey": "value", "remoteRef": {"key": key, "decodingStrategy": strategy}}]});
    let rows: Vec<Row> = vec![
        ("none", decoded("base64", "None"), &[("value", "aGVsbG8=")]),
        ("base64", decoded("base64", "Base64"), &[("value", "hello")]),
        ("base64url", decoded("base64url", "Base64URL"), &[("value", "subjects?_d=")]),
        ("auto-base64", decoded("base64", "Auto"), &[("value", "hello")]),
        ("auto-base64url", decoded("base64url", "Auto"), &[("value", "subjects?_d=")]),
        ("auto-plain", decoded("plain", "Auto"), &[("value", "not base64!")]),
        (
            "extract",
            json!({"dataFrom": [{"extract": {"key": "map", "decodingStrategy": "Base64"}}]}),
            &[("a", "hello")],
        ),
    ];
    table("decoding", &entries, rows).await
}

#[tokio::test]
async fn template_makes_data_from_every_source_in_order() -> Result {
    let scene = stored("template", "pa:ss").await?;
    let lines = "{{ .password | upper }}";
    scene
        .apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"},
            "data": {"config": "password = {{ .password }}", "lines": format!("upper: {lines}\nport: \"5432\"\n")},
        }))
        .await?;
    scene.apply(&secret("texts", &[("secret-config", "secret {{ .password }}")])).await?;
    let template = json!({"templateFrom": [
        {"literal": "url: postgres://{{ .password | urlquery }}\nport: \"1\"\n"},
        {"configMap": {"name": "texts", "items": [{"key": "config"}, {"key": "lines", "templateAs": "KeysAndValues"}]}},
        {"secret": {"name": "texts", "items": [{"key": "secret-config"}]}},
    ], "data": {"config": "data wins over templateFrom"}});
    scene.apply(&external_secret("all", &targeting(&json!({"template": template})))).await?;
    scene
        .holds(
            "all",
            &[
                ("url", "postgres://pa%3Ass"),
                ("port", "5432"),
                ("upper", "PA:SS"),
                ("config", "data wins over templateFrom"),
                ("secret-config", "secret pa:ss"),
            ],
        )
        .await?;

    let merged = json!({"mergePolicy": "Merge", "data": {"extra": "{{ .password | b64enc }}"}});
    scene.apply(&external_secret("merged", &targeting(&json!({"template": merged})))).await?;
    scene.holds("merged", &[("password", "pa:ss"), ("extra", "cGE6c3M=")]).await?;
    Ok(())
}

#[tokio::test]
async fn template_shapes_type_labels_and_annotations() -> Result {
    let scene = stored("metadata", "first").await?;
    let template = json!({
        "type": "kubernetes.io/basic-auth",
        "metadata": {"labels": {"team": "a", "first": "{{ .password }}"}, "annotations": {"note": "{{ .password | upper }}"}},
        "data": {"username": "app", "password": "{{ .password }}"},
        "templateFrom": [{"literal": "from: literal", "target": "Annotations"}],
    });
    let spec = targeting(&json!({"template": template}));
    let labelled = json!({"metadata": {"labels": {"not": "copied"}}});
    scene.apply(&with(external_secret("app", &spec), &labelled)).await?;
    let secret = scene.holds("app", &[("username", "app"), ("password", "first")]).await?;
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/basic-auth"));
    let text = |map: &BTreeMap<String, String>, key: &str| map.get(key).cloned();
    assert_eq!(text(secret.labels(), "team").as_deref(), Some("a"));
    assert_eq!(text(secret.labels(), "first").as_deref(), Some("first"));
    assert_eq!(text(secret.annotations(), "note").as_deref(), Some("FIRST"));
    assert_eq!(text(secret.annotations(), "from").as_deref(), Some("literal"));
    assert!(!secret.labels().contains_key("not"), "with a template the ExternalSecret's own labels are not copied");

    // A label that leaves the template leaves the Secret.
    let fewer = with(spec, &json!({"target": {"template": {"metadata": {"labels": {"team": null}}}}}));
    scene.apply(&with(external_secret("app", &fewer), &labelled)).await?;
    let secrets = scene.secrets();
    wait::object(&secrets, "app", "without the label", SOON, |secret| !secret.labels().contains_key("team")).await?;

    // The type of a Secret cannot be changed: that is told, and the Secret stays.
    let before = scene.secrets().get("app").await?;
    let another = with(fewer, &json!({"target": {"template": {"type": "Opaque"}}}));
    scene.apply(&with(external_secret("app", &another), &labelled)).await?;
    let ready = scene.fails("app", "TargetImmutable").await?;
    says(&ready.message, &["kubernetes.io/basic-auth", "delete the secret"]);
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn labels_and_annotations_are_copied_without_a_template() -> Result {
    let scene = stored("copied", "first").await?;
    let metadata = json!({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}});
    scene.apply(&with(external_secret("app", &targeting(&json!({}))), &metadata)).await?;
    let secret = scene.holds("app", &[("password", "first")]).await?;
    assert_eq!(secret.labels().get("team").map(String::as_str), Some("a"));
    assert_eq!(secret.annotations().get("note").map(String::as_str), Some("b"));
    Ok(())
}

#[tokio::test]
async fn immutable_target_is_never_changed() -> Result {
    let scene = stored("immutable", "first").await?;
    scene.apply(&external_secret("app", &targeting(&json!({"immutable": true})))).await?;
    let before = scene.holds("app", &[("password", "first")]).await?;
    assert_eq!(before.immutable, Some(true));
    store(&scene, "second").await?;
    scene.force_sync("app").await?;
    scene.is_synced("app").await?;
    let now = scene.secrets().get("app").await?;
    assert_eq!((data(&now), now.uid()), (data(&before), before.uid()));
    scene.delete_secret("app").await?;
    let renewed = scene.holds("app", &[("password", "second")]).await?;
    assert_eq!(renewed.immutable, Some(true));
    Ok(())
}

#[tokio::test]
async fn target_becomes_immutable_with_the_values_of_the_provider_and_is_then_refused_others() -> Result {
    let scene = stored("frozen", "first").await?;
    let immutable = |is: bool| external_secret("app", &targeting(&json!({"immutable": is})));
    scene.apply(&immutable(false)).await?;
    scene.holds("app", &[("password", "first")]).await?;
    store(&scene, "second").await?;
    scene.apply(&immutable(true)).await?;
    let is_frozen = |secret: &k8s_openapi::api::core::v1::Secret| secret.immutable == Some(true);
    let frozen = wait::object(&scene.secrets(), "app", "to be immutable", SOON, is_frozen).await?;
    assert_eq!(data(&frozen)["password"], "second");
    scene.is_synced("app").await?;

    // Bookkeeping is no change of the values.
    let labelled = json!({"metadata": {"labels": {"team": "a"}}});
    scene.apply(&with(immutable(false), &labelled)).await?;
    scene.is_synced("app").await?;
    let labelled_too = scene.secrets().get("app").await?;
    assert_eq!(labelled_too.labels().get("team").map(String::as_str), Some("a"));
    assert_eq!((labelled_too.uid(), labelled_too.immutable), (frozen.uid(), Some(true)));

    store(&scene, "third").await?;
    scene.force_sync("app").await?;
    let ready = scene.fails("app", "TargetImmutable").await?;
    says(&ready.message, &["is immutable", "delete the secret"]);
    scene.is_untouched(&labelled_too).await?;
    scene.delete_secret("app").await?;
    let anew = scene.holds("app", &[("password", "third")]).await?;
    assert_eq!(anew.immutable, None);
    Ok(())
}

#[tokio::test]
async fn key_that_no_secret_takes_is_named_with_its_entry_and_may_be_used_in_a_template() -> Result {
    let scene = &stored("odd-keys", "first").await?;
    let entries = |key: &str| json!({"data": [{"secretKey": key, "remoteRef": {"key": "password"}}]});
    for key in [".", "..", "..x"] {
        let name = &format!("odd-{}", key.len());
        scene.apply(&external_secret(name, &with(targeting(&json!({})), &entries(key)))).await?;
        let ready = scene.fails(name, "KeyInvalid").await?;
        says(&ready.message, &["spec.data[0]", &format!("\"{key}\"")]);
        assert!(scene.secrets().get_opt(name).await?.is_none(), "{key}");
    }
    let template = json!({"template": {"data": {"fine": "{{ index . \"..x\" }}"}}});
    scene.apply(&external_secret("fine", &with(targeting(&template), &entries("..x")))).await?;
    scene.holds("fine", &[("fine", "first")]).await.map(drop)
}

#[tokio::test]
async fn data_without_a_key_left_is_not_said_to_be_missing() -> Result {
    let scene = &Scene::new("keyless").await?;
    scene.apply(&secret_store("store", &fake(&[("db", r#"{"password":"first"}"#)]))).await?;
    for (policy, reason) in [("Retain", "SecretSynced"), ("Delete", "SecretDeleted")] {
        let rewrite = json!([{"regexp": {"source": ".*", "target": ""}}]);
        let name = &policy.to_lowercase();
        let spec = json!({
            "secretStoreRef": {"name": "store"}, "target": {"deletionPolicy": policy},
            "dataFrom": [{"extract": {"key": "db"}, "rewrite": rewrite}],
        });
        scene.apply(&external_secret(name, &spec)).await?;
        let told = |ready: &Ready| ready.reason == reason && ready.message.contains("rewriting leaves no key");
        scene.settled(name, told).await?;
    }
    Ok(())
}
