//! Every form of a template, and which wins.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube::ResourceExt;
use serde_json::json;
use tests::{Result, wait};

use crate::{
    config_map, scene, shaped,
    support::{
        SOON, data,
        manifest::{external_secret, fake, secret, secret_store, with},
        says,
    },
};

#[tokio::test]
async fn every_form_of_template_from_makes_what_it_says() -> Result {
    let scene = scene("forms").await?;
    let lines = "user: {{ .user | upper }}\nport: 5432\n";
    scene
        .apply(&config_map(
            "map",
            &json!({"one.txt": "one {{ .user }}", "lines": lines, "b64": "{{ .user | b64enc }}"}),
        ))
        .await?;
    scene
        .apply(&secret(
            "templates",
            &[("two.txt", "two {{ .password }}"), ("more", "from-secret: \"{{ .password }}\"")],
        ))
        .await?;
    let template = json!({
        "templateFrom": [
            {"configMap": {"name": "map", "items": [{"key": "one.txt"}, {"key": "lines", "templateAs": "KeysAndValues"}]}},
            {"secret": {"name": "templates", "items": [
                {"key": "two.txt", "templateAs": "Values"}, {"key": "more", "templateAs": "KeysAndValues"},
            ]}},
            {"literal": "literal: '{{ .user }}:{{ .password }}'"},
            {"target": "Labels", "literal": "team: {{ .user }}-team"},
            {"target": "annotations", "configMap": {"name": "map", "items": [{"key": "one.txt"}]}},
            {"valuesDecodingStrategy": "Base64", "configMap": {"name": "map", "items": [{"key": "b64"}]}},
            {"valuesDecodingStrategy": "Auto", "literal": "auto: aGk=\nplain: '{{ .password }}'"},
            {"valuesDecodingStrategy": "Base64URL", "literal": "url: _-8="},
        ],
    });
    scene.apply(&external_secret("app", &shaped(&template))).await?;
    scene.is_synced("app").await?;
    let secret = scene.secrets().get("app").await?;
    let data: Vec<_> =
        secret.data.iter().flatten().map(|(key, ByteString(value))| (key.as_str(), value.as_slice())).collect();
    let expected: [(&str, &[u8]); 9] = [
        ("auto", b"hi"),
        ("b64", b"bob"),
        ("from-secret", b"pa:ss"),
        ("literal", b"bob:pa:ss"),
        ("one.txt", b"one bob"),
        ("plain", b"pa:ss"),
        ("port", b"5432"),
        ("two.txt", b"two pa:ss"),
        ("url", b"\xff\xef"),
    ];
    let mut expected: Vec<_> = expected.into();
    expected.push(("user", b"BOB"));
    assert_eq!(data, expected);
    assert_eq!(secret.labels()["team"], "bob-team");
    assert_eq!(secret.annotations()["one.txt"], "one bob");
    Ok(())
}

/// Each source in each role, for each target, under each strategy: one key or label for each.
#[tokio::test]
async fn sources_roles_targets_and_strategies_go_together_in_any_way() -> Result {
    let scene = scene("matrix").await?;
    let encoded = "{{ .user | b64enc }}";
    let (mut sources, mut values, mut pairs) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    let mut expected: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for target in ["Data", "Labels", "Annotations"] {
        for strategy in ["None", "Base64", "Base64URL", "Auto"] {
            let value = if strategy == "None" { "Ym9i" } else { "bob" };
            let name = |source: &str| format!("{source}.{target}.{strategy}");
            for source in ["configMap", "secret"] {
                let (whole, listed) = (name(&format!("{source}-values")), name(&format!("{source}-pairs")));
                values.insert(whole.clone(), encoded.to_owned());
                pairs.insert(listed.clone(), format!("{listed}: {encoded}"));
                let items = json!([
                    {"key": whole.clone(), "templateAs": "Values"}, {"key": listed.clone(), "templateAs": "KeysAndValues"},
                ]);
                let mut from = json!({"target": target, "valuesDecodingStrategy": strategy});
                from[source] = json!({"name": source.to_lowercase(), "items": items});
                sources.push(from);
                let expected = expected.entry(target).or_default();
                expected.extend([whole, listed].map(|name| (name, value.to_owned())));
            }
            let literal = format!("{}: {encoded}", name("literal"));
            sources.push(json!({"target": target, "valuesDecodingStrategy": strategy, "literal": literal}));
            expected.entry(target).or_default().insert(name("literal"), value.to_owned());
        }
    }
    values.extend(pairs);
    scene.apply(&config_map("configmap", &json!(values))).await?;
    let texts: Vec<_> = values.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    scene.apply(&secret("secret", &texts)).await?;
    scene.apply(&external_secret("app", &shaped(&json!({"templateFrom": sources})))).await?;
    scene.is_synced("app").await?;
    let made = scene.secrets().get("app").await?;
    assert_eq!(data(&made), expected["Data"]);
    for (target, texts) in [("Labels", made.labels()), ("Annotations", made.annotations())] {
        let ours = texts.iter().filter(|(name, _)| name.contains(target));
        let ours: BTreeMap<_, _> = ours.map(|(name, text)| (name.clone(), text.clone())).collect();
        assert_eq!(ours, expected[target]);
    }
    Ok(())
}

#[tokio::test]
async fn data_wins_over_later_sources_over_earlier_ones_over_fetched_values_over_what_was_there() -> Result {
    let scene = scene("order").await?;
    scene.apply(&secret("app", &[("kept", "old"), ("user", "old"), ("a", "old"), ("b", "old"), ("c", "old")])).await?;
    let template = json!({
        "mergePolicy": "Merge",
        "templateFrom": [{"literal": "a: first\nb: first\nc: first"}, {"literal": "b: second\nc: second"}],
        "data": {"c": "data"},
    });
    let spec = with(shaped(&template), &json!({"target": {"creationPolicy": "Merge"}}));
    scene.apply(&external_secret("app", &spec)).await?;
    let merged =
        [("kept", "old"), ("user", "bob"), ("password", "pa:ss"), ("a", "first"), ("b", "second"), ("c", "data")];
    scene.holds("app", &merged).await?;

    // Replace, the default: fetched values are in the Secret only where a template puts them.
    let replaced = with(shaped(&template), &json!({"target": {"template": {"mergePolicy": "Replace"}}}));
    scene.apply(&external_secret("replaced", &replaced)).await?;
    scene.holds("replaced", &[("a", "first"), ("b", "second"), ("c", "data")]).await?;

    // Without a template of data they are all there.
    let labelled = shaped(&json!({"metadata": {"labels": {"of": "{{ .user }}"}}}));
    scene.apply(&external_secret("labelled", &labelled)).await?;
    let secret = scene.holds("labelled", &[("user", "bob"), ("password", "pa:ss")]).await?;
    assert_eq!(secret.labels()["of"], "bob");
    Ok(())
}

#[tokio::test]
async fn labels_of_the_spec_win_over_rendered_ones() -> Result {
    let scene = scene("label-order").await?;
    let template = json!({
        "templateFrom": [{"target": "Labels", "literal": "a: literal\nb: literal"}],
        "metadata": {"labels": {"b": "metadata"}},
    });
    scene.apply(&external_secret("app", &shaped(&template))).await?;
    let secret = wait::object(&scene.secrets(), "app", "to be there", SOON, |_| true).await?;
    assert_eq!((secret.labels()["a"].as_str(), secret.labels()["b"].as_str()), ("literal", "metadata"));
    Ok(())
}

#[tokio::test]
async fn bytes_pass_through_templates_as_they_are() -> Result {
    let scene = scene("bytes").await?;
    let every_byte: Vec<u8> = (0..=255).collect();
    let encoded = serde_json::to_value(ByteString(every_byte.clone()))?;
    let text = encoded.as_str().unwrap_or_default();
    scene.apply(&secret_store("bytes", &fake(&[("bin", text)]))).await?;
    let spec = json!({
        "secretStoreRef": {"name": "bytes"},
        "data": [{"secretKey": "bin", "remoteRef": {"key": "bin", "decodingStrategy": "Base64"}}],
        "target": {"template": {"data": {
            "same": "{{ .bin }}", "twice": "{{ .bin }}{{ .bin }}", "there-and-back": "{{ .bin | b64enc | b64dec }}",
            "length": "{{ len .bin }}",
        }}},
    });
    scene.apply(&external_secret("app", &spec)).await?;
    scene.is_synced("app").await?;
    let data = scene.secrets().get("app").await?.data.unwrap_or_default();
    assert_eq!(data["same"].0, every_byte);
    assert_eq!(data["there-and-back"].0, every_byte);
    assert_eq!(data["twice"].0, [&every_byte[..], &every_byte].concat());
    assert_eq!(data["length"].0, b"256");
    Ok(())
}

#[tokio::test]
async fn finalizers_of_the_template_are_added_and_others_stay() -> Result {
    let scene = scene("finalizers").await?;
    let template = |name: &str| json!({"metadata": {"finalizers": [name]}, "data": {"a": "{{ .user }}"}});
    scene.apply(&external_secret("app", &shaped(&template("example.com/one")))).await?;
    let secret = scene.holds("app", &[("a", "bob")]).await?;
    assert_eq!(secret.finalizers(), ["example.com/one"]);
    scene.apply(&external_secret("app", &shaped(&template("example.com/two")))).await?;
    let has_both = |secret: &k8s_openapi::api::core::v1::Secret| secret.finalizers().len() == 2;
    wait::object(&scene.secrets(), "app", "with both finalizers", SOON, has_both).await?;
    scene.edit_secret("app", &json!({"metadata": {"finalizers": null}})).await?;
    Ok(())
}

#[tokio::test]
async fn secret_types_that_give_power_are_refused_without_the_webhook_too() -> Result {
    let scene = scene("privileged").await?;
    let annotation = json!({"kubernetes.io/service-account.name": "default"});
    let cases = [
        ("token", json!({"type": "kubernetes.io/service-account-token", "metadata": {"annotations": annotation}})),
        (
            "token-from",
            json!({"type": "kubernetes.io/service-account-token", "templateFrom": [
                {"target": "Annotations", "literal": "kubernetes.io/service-account.name: default"},
            ]}),
        ),
        ("bootstrap", json!({"type": "bootstrap.kubernetes.io/token", "data": {"token-id": "abcdef"}})),
        ("path", json!({"templateFrom": [{"target": "metadata.ownerReferences", "literal": "a: b"}]})),
    ];
    for (name, template) in &cases {
        scene.apply(&external_secret(name, &shaped(template))).await?;
    }
    for (name, _) in &cases {
        let ready = scene.fails(name, "SpecInvalid").await?;
        says(&ready.message, &["spec.target.template."]);
        assert!(scene.secrets().get_opt(name).await?.is_none(), "{name}");
    }
    Ok(())
}
