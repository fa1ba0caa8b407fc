//! Templates are programs of strangers: they stop, they hold up nobody else, and they tell no values.

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use tests::{Result, wait};

use crate::{
    config_map, scene, shaped,
    support::{
        self, SOON,
        manifest::{external_secret, fake, reads, secret, secret_store, with},
        says,
    },
};

/// Takes as long as the limits let it.
const SLOW: &str = "{{ range 3000 }}{{ range 3000 }}{{ $x := . }}{{ end }}{{ end }}";

#[tokio::test]
async fn runaway_templates_are_told_and_hold_up_nobody() -> Result {
    let scene = scene("runaway").await?;
    let neighbour = crate::scene("neighbour").await?;
    let quick = shaped(&json!({"data": {"url": "{{ .user }}"}}));
    scene.apply(&external_secret("quick", &quick)).await?;
    scene.is_synced("quick").await?;
    let runaways = [
        ("until", "{{ until 50000000 }}"),
        ("repeat", "{{ repeat 100000000 \"x\" }}"),
        ("recursion", "{{ define \"again\" }}{{ template \"again\" }}{{ end }}{{ template \"again\" }}"),
        ("loop", SLOW),
    ];
    for (name, text) in runaways {
        scene.apply(&external_secret(name, &shaped(&json!({"data": {"a": text}})))).await?;
    }
    // More of the slow than there are workers.
    for number in 0..20 {
        let spec = shaped(&json!({"data": {"a": SLOW, "b": number.to_string()}}));
        scene.apply(&external_secret(&format!("slow-{number}"), &spec)).await?;
    }
    for round in 0..3 {
        let name = format!("quick-{round}");
        neighbour.apply(&external_secret(&name, &quick)).await?;
        neighbour.holds(&name, &[("url", "bob")]).await?;
    }
    scene.edit_secret("quick", &json!({"data": {"url": null}})).await?;
    scene.holds("quick", &[("url", "bob")]).await?;
    for (name, _) in runaways {
        says(&scene.fails(name, "TemplateFailed").await?.message, &["spec.target.template.data[a]: "]);
    }
    let moreover = scene.fails("loop", "TemplateFailed").await?.message;
    assert!(moreover.contains("steps") || moreover.contains("longer than"), "{moreover}");
    Ok(())
}

const CANARY: &str = "cAnAryQz93WvUt";

/// Templates that fail over the value of `.password`, and the code that each fails with.
fn failing() -> Vec<(&'static str, &'static str, Value)> {
    let data = |text: &str| json!({"data": {"a": text}});
    let literal = |text: &str| json!({"templateFrom": [{"literal": text}]});
    vec![
        ("range", "TemplateFailed", data("{{ range .password }}{{ end }}")),
        ("field", "TemplateFailed", data("{{ .password.x }}")),
        ("fail", "TemplateFailed", data("{{ fail .password }}")),
        ("index", "TemplateFailed", data("{{ index .password 1000 }}")),
        ("call", "TemplateFailed", data("{{ call .password }}")),
        ("template", "TemplateFailed", data("{{ (fromJson .password).a.b }}")),
        ("json", "TemplateFailed", data("{{ mustFromJson .password }}")),
        ("date", "TemplateFailed", data("{{ mustToDate \"2006-01-02\" .password }}")),
        ("semver", "TemplateFailed", data("{{ semver .password }}")),
        ("regex", "TemplateFailed", data("{{ mustRegexMatch (print .password \"(\") \"a\" }}")),
        ("key", "TemplateFailed", literal("'{{ .password }} !': a")),
        ("yaml", "TemplateFailed", literal("{{ .password }}: [\n")),
        ("scalar", "TemplateFailed", literal("{{ .password }}")),
        ("nested", "TemplateFailed", literal("a: {b: {{ .password }}}\n\"{{ .password }}\"")),
        ("label", "TemplateFailed", json!({"metadata": {"labels": {"a": "{{ .password }}/"}}})),
        (
            "label-key",
            "KubernetesInvalid",
            json!({"templateFrom": [{"target": "Labels", "literal": "'{{ .password }}!': a"}]}),
        ),
        (
            "annotation",
            "KubernetesInvalid",
            json!({"templateFrom": [{"target": "Annotations", "literal": "'{{ .password }}!': a"}]}),
        ),
        (
            "decoding",
            "DecodingFailed",
            json!({"templateFrom": [{"valuesDecodingStrategy": "Base64", "literal": "'{{ .password }}': '!'"}]}),
        ),
        (
            "secret-syntax",
            "TemplateInvalid",
            json!({"templateFrom": [{"secret": {"name": "of", "items": [{"key": "bad"}]}}]}),
        ),
        (
            "secret-fail",
            "TemplateFailed",
            json!({"templateFrom": [{"secret": {"name": "of", "items": [{"key": "fails"}]}}]}),
        ),
    ]
}

#[tokio::test]
async fn values_are_in_no_status_event_or_log_however_a_template_fails() -> Result {
    let scene = scene("canary").await?;
    scene.apply(&secret_store("canaries", &fake(&[("password", CANARY)]))).await?;
    let bad = format!("{{{{ .password | {CANARY} }}}}");
    let fails = format!("{{{{ fail \"{CANARY}\" }}}}");
    scene.apply(&secret("of", &[("bad", &bad), ("fails", &fails)])).await?;
    let cases = failing();
    for (name, _, template) in &cases {
        let spec = with(reads("canaries", &[("password", "password")]), &json!({"target": {"template": template}}));
        scene.apply(&external_secret(name, &spec)).await?;
    }
    let transform = json!({"dataFrom": [{
        "find": {"name": {"regexp": "."}}, "rewrite": [{"transform": {"template": "{{ fail .value }}"}}],
    }]});
    let spec = with(reads("canaries", &[("password", "password")]), &transform);
    scene.apply(&external_secret("transform", &spec)).await?;
    let mut told = Vec::new();
    for (name, code, _) in &cases {
        told.push((*name, scene.fails(name, code).await?.message));
    }
    told.push(("transform", scene.fails("transform", "TemplateFailed").await?.message));
    let events: Api<Event> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let events = wait::until("an event for each failure", SOON, || async {
        let events = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let failures = events.items.iter().filter(|event| event.reason.as_deref() == Some("UpdateFailed")).count();
        if failures >= cases.len() { Ok(events) } else { Err(format!("{failures}")) }
    })
    .await?;
    told.push(("events", serde_json::to_string(&events.items)?));
    told.push(("log", support::controller(scene.bed).await?.log()));
    for (of, text) in told {
        assert!(
            !text.contains(CANARY),
            "{of}: {}",
            text.lines().find(|line| line.contains(CANARY)).unwrap_or_default()
        );
    }
    Ok(())
}

#[tokio::test]
async fn same_words_refuse_a_template_wherever_it_stands() -> Result {
    let scene = scene("words").await?;
    scene.apply(&config_map("map", &json!({"config.yaml": "a\nb\n{{ foo .user }}"}))).await?;
    let bad = "a\nb\n{{ foo .user }}";
    let said = "line 3: function \"foo\" not defined; did you mean \"floor\"";
    let cases = [
        ("data", "data[config.yaml]", json!({"data": {"config.yaml": bad}})),
        ("labels", "metadata.labels[l]", json!({"metadata": {"labels": {"l": bad}}})),
        ("annotations", "metadata.annotations[n]", json!({"metadata": {"annotations": {"n": bad}}})),
        ("literal", "templateFrom[0].literal", json!({"templateFrom": [{"literal": bad}]})),
        ("map", "templateFrom[0].configMap[config.yaml]", crate::from_config_map("map", "config.yaml")),
    ];
    for (name, _, template) in &cases {
        scene.apply(&external_secret(name, &shaped(template))).await?;
    }
    for (name, field, _) in &cases {
        let message = scene.fails(name, "TemplateInvalid").await?.message;
        assert_eq!(message, format!("TemplateInvalid: spec.target.template.{field}: {said}"));
    }
    Ok(())
}
