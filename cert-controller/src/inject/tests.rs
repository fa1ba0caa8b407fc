//! Tables over configurations as administrators write them.

use jiff::Timestamp;
use k8s_openapi::ByteString;

use super::*;
use crate::authority::usual::issue_authority;

fn target(bundle: &str) -> Target {
    Target { bundle: bundle.to_owned(), service_name: "webhook".to_owned(), service_namespace: "es".to_owned() }
}

fn configuration(webhooks: &Value) -> ValidatingWebhookConfiguration {
    serde_json::from_value(json!({
        "metadata": {
            "name": "externalsecret-validate", "resourceVersion": "7",
            "labels": {"external-secrets.io/component": "webhook"}
        },
        "webhooks": webhooks
    }))
    .unwrap()
}

fn webhook(name: &str, client: &Value) -> Value {
    json!({"name": name, "clientConfig": client, "sideEffects": "None", "admissionReviewVersions": ["v1"]})
}

const OUR_WEBHOOK: &str = "validate.externalsecret.external-secrets.io";

#[test]
fn bundle_and_service_are_set_and_port_and_path_left_alone() {
    let service = json!({"service": {"name": "old", "namespace": "default", "port": 8443, "path": "/validate"}});
    let before = configuration(&json!([webhook(OUR_WEBHOOK, &service)]));
    let expected = json!({
        "metadata": {"resourceVersion": "7"},
        "webhooks": [{
            "name": OUR_WEBHOOK,
            "clientConfig": {"caBundle": STANDARD.encode("B"), "service": {"name": "webhook", "namespace": "es"}}
        }]
    });
    assert_eq!(patch(&before, &target("B")), Some(expected));
}

#[test]
fn url_stays_a_url() {
    let before = configuration(&json!([webhook(OUR_WEBHOOK, &json!({"url": "https://127.0.0.1:9443/validate"}))]));
    let patch = patch(&before, &target("B")).unwrap();
    assert_eq!(patch["webhooks"][0]["clientConfig"], json!({"caBundle": STANDARD.encode("B")}));
}

#[test]
fn up_to_date_and_foreign_objects_are_not_touched() {
    let service = json!({"name": "webhook", "namespace": "es"});
    let good = json!({"service": service, "caBundle": STANDARD.encode("B")});
    let current = configuration(&json!([webhook(OUR_WEBHOOK, &good)]));
    assert_eq!(patch(&current, &target("B")), None);
    assert!(patch(&current, &target("C")).is_some());

    let foreign = configuration(&json!([webhook("validate.example.com", &json!({"url": "https://x"}))]));
    assert_eq!(patch(&foreign, &target("B")), None);
    assert_eq!(patch(&configuration(&Value::Null), &target("B")), None);

    let mut unlabelled = configuration(&json!([webhook(OUR_WEBHOOK, &json!({"url": "https://x"}))]));
    unlabelled.metadata.labels = None;
    assert_eq!(patch(&unlabelled, &target("B")), None);
}

#[test]
fn only_the_stale_webhook_of_several_is_patched() {
    let good = json!({"service": {"name": "webhook", "namespace": "es"}, "caBundle": STANDARD.encode("B")});
    let stripped = json!({"service": {"name": "webhook", "namespace": "es"}});
    let stores = configuration(&json!([
        webhook("validate.secretstore.external-secrets.io", &good),
        webhook("validate.clustersecretstore.external-secrets.io", &stripped),
    ]));
    let patch = patch(&stores, &target("B")).unwrap();
    assert_eq!(patch["webhooks"].as_array().unwrap().len(), 1);
    assert_eq!(patch["webhooks"][0]["name"], "validate.clustersecretstore.external-secrets.io");
    assert_eq!(patch["webhooks"][0]["clientConfig"], json!({"caBundle": STANDARD.encode("B")}));
}

#[test]
fn trust_means_every_one_of_our_webhooks() {
    let now = Timestamp::now();
    let (old, new) = (issue_authority(now).unwrap().certificate, issue_authority(now).unwrap().certificate);
    let with = |bundles: &[String]| {
        let mut configuration = configuration(&json!([
            webhook("validate.secretstore.external-secrets.io", &json!({})),
            webhook("validate.clustersecretstore.external-secrets.io", &json!({})),
        ]));
        for (webhook, bundle) in configuration.webhooks.iter_mut().flatten().zip(bundles) {
            webhook.client_config.ca_bundle = Some(ByteString(bundle.clone().into_bytes()));
        }
        configuration
    };
    let both = format!("{}{}", new.pem(), old.pem());
    assert!(trusts(&with(&[both.clone(), both.clone()]), &new));
    assert!(!trusts(&with(&[both.clone(), old.pem()]), &new));
    assert!(!trusts(&with(&[both.clone(), "garbage".to_owned()]), &new));
    assert!(!trusts(&with(std::slice::from_ref(&both)), &new));
    assert_eq!(trusted_by(&with(&[both])), [new, old]);
}

#[test]
fn definition_is_patched_only_when_it_converts_by_webhook() {
    let definition = |conversion: &Value| -> crd::Definition {
        serde_json::from_value(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "x", "resourceVersion": "3"}, "spec": {"conversion": conversion, "group": "g"}
        }))
        .unwrap()
    };
    assert_eq!(patch_crd(&definition(&json!({"strategy": "None"})), &target("B")), None);
    assert_eq!(patch_crd(&definition(&Value::Null), &target("B")), None);
    let client = json!({"service": {"name": "webhook", "namespace": "es", "path": "/convert"}});
    let by_webhook =
        json!({"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}});
    let expected = json!({
        "metadata": {"resourceVersion": "3"},
        "spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": STANDARD.encode("B")}}}}
    });
    assert_eq!(patch_crd(&definition(&by_webhook), &target("B")), Some(expected));
}
