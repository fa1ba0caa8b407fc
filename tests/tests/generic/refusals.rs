//! A policy of the cluster that refuses what is written, and quotes it: the refusal is told, the quote is not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use tests::{Bed, Binary, Result, wait};

use crate::{
    FLAG, MAP, SETTING, fails, granted, holds, maps,
    support::{
        SOON, Scene,
        manifest::{external_secret, fake, reads, secret, secret_store, with},
        says,
    },
    writes,
};

const CANARY: &str = "cAnAry6policyWq81LmZx";

/// The reasons that a policy can give, and the codes that the API server makes of them.
const REASONS: [(&str, u16); 3] = [("Forbidden", 403), ("Invalid", 422), ("RequestEntityTooLarge", 413)];

const KINDS: [&str; 3] = ["secret", "configmap", "setting"];

/// Refuses, in this namespace, objects by the beginning of their names, each with its reason, and changes of and deletions
/// of any. Whatever it refuses, it quotes.
fn policy(scene: &Scene) -> Value {
    let name = scene.unique("quotes");
    let quote = "'it has ' + (has(object.data) ? string(object.data.password) : string(object.spec.data.password))";
    let gone = "'it had ' + (has(oldObject.data) ? string(oldObject.data.password) : 'nothing')";
    let by_name = REASONS.map(|(reason, _)| {
        let prefix = reason.to_lowercase();
        let lets = format!("object == null || !object.metadata.name.startsWith('{prefix}')");
        json!({"expression": lets, "reason": reason, "messageExpression": quote})
    });
    let mut validations = by_name.to_vec();
    let untouched = "oldObject == null || !oldObject.metadata.name.startsWith('kept')";
    validations.push(json!({"expression": untouched, "reason": "Forbidden", "messageExpression": gone}));
    let resources = |group: &str, resources: Value| {
        let operations = ["CREATE", "UPDATE", "DELETE"];
        json!({"apiGroups": [group], "apiVersions": ["v1"], "operations": operations, "resources": resources})
    };
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": scene.namespace}});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [
                    resources("", json!(["secrets", "configmaps"])), resources("example.com", json!(["settings"])),
                ]},
                "validations": validations,
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": here},
            },
        },
    ]})
}

/// The policy is at work, and quotes.
async fn is_enforced(scene: &Scene, object: &Value) -> Result {
    let mut object = object.clone();
    object["metadata"]["namespace"] = json!(scene.namespace);
    let text = object.to_string();
    wait::until("the policy to refuse and quote", SOON, || async {
        let output = scene
            .bed
            .kubectl(&["create", "--dry-run=server", "-f", "-"], &text)
            .await
            .map_err(|failure| failure.to_string())?;
        if output.stderr.contains(CANARY) { Ok(()) } else { Err(output.stderr) }
    })
    .await
}

fn target(kind: &str, target: &Value) -> Value {
    match kind {
        "configmap" => writes(MAP, target),
        "setting" => writes(SETTING, target),
        _ => with(reads("store", &[("password", "password")]), &json!({"target": target})),
    }
}

#[tokio::test]
async fn policy_that_quotes_values_is_named_and_not_quoted() -> Result {
    granted(Bed::shared().await?).await?;
    let scene = Scene::without_controller("quotes").await?;
    scene.apply(&secret_store("store", &fake(&[("password", CANARY)]))).await?;
    let flags = ["--namespace", &scene.namespace, FLAG, "--loglevel=debug"];
    let mut controller = scene.bed.operator(Binary::Controller, &flags).await?;

    // Written while nobody minds, and kept by the policy from then on.
    let delete = |kind: &str| target(kind, &json!({"deletionPolicy": "Delete"}));
    for (name, kind) in [("kept-secret", "secret"), ("kept-map", "configmap")] {
        scene.apply(&external_secret(name, &delete(kind))).await?;
    }
    scene.holds("kept-secret", &[("password", CANARY)]).await?;
    holds(&maps(&scene), "kept-map", "data", json!({"password": CANARY})).await?;
    for name in ["kept-secret", "kept-map"] {
        scene.settled(name, |ready| ready.status == "True").await?;
    }
    scene.apply(&secret("kept-claimed", &[("password", CANARY)])).await?;
    scene.bed.apply(&policy(&scene).to_string()).await?;
    is_enforced(&scene, &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "forbidden-probe"}, "data": {"password": CANARY}})).await?;

    let mut expected = Vec::new();
    for kind in KINDS {
        for (reason, code) in REASONS {
            let name = format!("{}-{kind}", reason.to_lowercase());
            scene.apply(&external_secret(&name, &target(kind, &json!({})))).await?;
            expected.push((name, kind, format!("{code} {reason}")));
        }
    }
    scene.apply(&external_secret("kept-claimed", &target("secret", &json!({})))).await?;
    expected.push(("kept-claimed".to_owned(), "secret", "403 Forbidden".to_owned()));
    let nothing = json!({"data": [{"secretKey": "password", "remoteRef": {"key": "absent"}}]});
    for (name, kind) in [("kept-secret", "secret"), ("kept-map", "configmap")] {
        scene.apply(&external_secret(name, &with(delete(kind), &nothing))).await?;
        expected.push((name.to_owned(), kind, "403 Forbidden".to_owned()));
    }
    let by = scene.unique("quotes");
    for (name, kind, why) in &expected {
        let reason = if *kind == "secret" { "SecretSyncedError" } else { "ResourceSyncedError" };
        let ready = fails(&scene, name, reason).await?;
        let policy = format!("ValidatingAdmissionPolicy \"{by}\" with binding \"{by}\"");
        says(&ready.message, &["AdmissionDenied: ", kind, name, &policy, why, "audit log"]);
    }

    let events = told_of_all(&scene, expected.len()).await?;
    let metrics = controller.metrics().await?;
    let statuses = scene.ours("ExternalSecret").list(&ListParams::default()).await?;
    let statuses = statuses.items.iter().map(|object| object.data["status"].to_string()).collect::<String>();
    controller.kill().await?;
    for (whose, text) in [("events", events), ("metrics", metrics), ("statuses", statuses), ("log", controller.log())] {
        assert!(text.contains("forbidden-secret"), "{whose} tell nothing");
        for line in text.lines() {
            assert!(!line.contains(CANARY) && !line.contains(&STANDARD.encode(CANARY)), "{whose}: {line}");
        }
    }
    Ok(())
}

/// The events about ExternalSecrets, once there is one of each failure: they are sent after the status.
async fn told_of_all(scene: &Scene, failures: usize) -> Result<String> {
    let api: Api<Event> = Api::namespaced(scene.client.clone(), &scene.namespace);
    wait::until("an event for each failure", SOON, || async {
        let events = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let told = events.items.iter().filter(|event| event.reason.as_deref() == Some("UpdateFailed")).count();
        if told < failures {
            return Err(format!("{told} of {failures}"));
        }
        serde_json::to_string_pretty(&events.items).map_err(|error| error.to_string())
    })
    .await
}
