//! Applying our own manifests to the bed, as shipped except for what a cluster without nodes cannot do.

use std::{fs, path::Path, time::Duration};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    bed::Bed,
    failure::{Failure, Result},
    operator::{Binary, OPERATOR_NAMESPACE},
    tools, wait,
};

/// CRDs are served a moment after they are written.
const ESTABLISHED: Duration = Duration::from_secs(30);

/// Kinds that need nodes, other operators, or the running webhook.
const LEFT_OUT: [&str; 6] = [
    "Deployment",
    "PodDisruptionBudget",
    "ServiceMonitor",
    "PodMonitor",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
];

/// The Service through which the API server reaches the webhook.
const WEBHOOK_SERVICE: &str = "external-secrets-webhook";

/// CRDs, namespace, ServiceAccounts and RBAC.
pub async fn operator(bed: &Bed) -> Result {
    let manifests = tools::repository().join("manifests");
    let mut documents =
        vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}})];
    documents.extend([Binary::Controller, Binary::Webhook, Binary::CertController].map(|binary| {
        let metadata = json!({"name": binary.service_account(), "namespace": OPERATOR_NAMESPACE});
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    }));
    documents.extend(read(&manifests.join("crds"))?);
    documents.extend(read(&manifests.join("deploy"))?.into_iter().filter(|document| !is_left_out(document)));
    apply(bed, documents).await?;
    established(bed).await
}

/// Puts our definitions into place, as shipped or without the rules that they share with the webhook, and waits until the API server
/// judges by them.
pub async fn definitions(bed: &Bed, has_rules: bool) -> Result {
    let mut definitions = read(&tools::repository().join("manifests/crds"))?;
    if !has_rules {
        definitions.iter_mut().for_each(remove_rules);
    }
    apply(bed, definitions).await?;
    wait::until("the API server to judge by the definitions", ESTABLISHED, || async {
        for (kind, spec) in broken() {
            let refused = is_refused(bed, kind, &spec).await.map_err(|failure| failure.to_string())?;
            if refused != has_rules {
                return Err(format!("{kind} {spec}: refused is {refused}"));
            }
        }
        Ok(())
    })
    .await
}

/// A spec of each kind that breaks a rule.
fn broken() -> [(&'static str, Value); 3] {
    let store = json!({"provider": {"fake": {"data": [{"key": "", "value": ""}]}}});
    [("ExternalSecret", json!({"data": []})), ("SecretStore", store.clone()), ("ClusterSecretStore", store)]
}

async fn is_refused(bed: &Bed, kind: &str, spec: &Value) -> Result<bool> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", kind));
    let api: Api<DynamicObject> = match kind {
        "ClusterSecretStore" => Api::all_with(bed.admin()?, &resource),
        _ => Api::namespaced_with(bed.admin()?, "default", &resource),
    };
    let object = DynamicObject::new("broken", &resource).data(json!({"spec": spec}));
    match api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await {
        Ok(_) => Ok(false),
        Err(kube::Error::Api(status)) if status.code == 422 => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn remove_rules(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(rules)) = fields.get_mut("x-kubernetes-validations") {
                rules.retain(|rule| !api::crds::shared_rules().any(|shared| rule["rule"] == shared.cel));
            }
            fields.values_mut().for_each(remove_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_rules),
        _ => {}
    }
}

/// Webhook configurations, with a Service that leads to a process on this machine.
pub async fn webhook(bed: &Bed, port: u16) -> Result {
    let mut documents = vec![json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": WEBHOOK_SERVICE, "namespace": OPERATOR_NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "127.0.0.1"},
    })];
    let shipped = read(&tools::repository().join("manifests/deploy"))?;
    let configurations = shipped.into_iter().filter(|document| kind(document) == "ValidatingWebhookConfiguration");
    documents.extend(configurations.map(|document| led_to(document, port)));
    apply(bed, documents).await
}

/// The arguments with which our Deployments start a binary; none when there is no Deployment of its ServiceAccount.
pub fn shipped_arguments(binary: Binary) -> Result<Vec<String>> {
    let shipped = read(&tools::repository().join("manifests/deploy"))?;
    let account = "/spec/template/spec/serviceAccountName";
    let deployment = shipped.iter().find(|document| {
        kind(document) == "Deployment" && document.pointer(account).is_some_and(|name| name == binary.service_account())
    });
    let arguments = deployment.and_then(|document| document.pointer("/spec/template/spec/containers/0/args"));
    arguments.map_or(Ok(Vec::new()), |arguments| Ok(serde_json::from_value(arguments.clone())?))
}

/// The configuration with the port of every Service it names replaced.
fn led_to(mut configuration: Value, port: u16) -> Value {
    for webhook in configuration.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(service) = webhook.pointer_mut("/clientConfig/service") {
            service["port"] = json!(port);
        }
    }
    configuration
}

async fn apply(bed: &Bed, documents: Vec<Value>) -> Result {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": documents});
    let arguments = ["apply", "--server-side", "--force-conflicts", "--field-manager=test-bed", "-f", "-"];
    let output = bed.kubectl(&arguments, &list.to_string()).await?;
    if output.success { Ok(()) } else { Err(Failure::new(format!("applying our manifests: {}", output.stderr))) }
}

async fn established(bed: &Bed) -> Result {
    let definitions = Api::<CustomResourceDefinition>::all(bed.admin()?);
    wait::until("the CRDs to be served", ESTABLISHED, || async {
        let all = definitions.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let waiting = all.items.iter().find(|definition| !is_established(definition));
        waiting.map_or(Ok(()), |definition| Err(format!("{:?} is not established", definition.metadata.name)))
    })
    .await
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Established" && condition.status == "True")
}

/// The documents of all YAML files of a folder, in the order of their names; none when there is no such folder.
pub fn read(folder: &Path) -> Result<Vec<Value>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut documents = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let parsed: Vec<Value> =
            serde_saphyr::from_multiple(&text).map_err(|error| Failure::from(error).during(file.display()))?;
        documents.extend(parsed.into_iter().filter(|document| !document.is_null()));
    }
    Ok(documents)
}

/// The webhook's Service is made by [`webhook`], as one that leads to this machine.
fn is_left_out(document: &Value) -> bool {
    let is_webhook_service = document.pointer("/metadata/name").is_some_and(|name| name == WEBHOOK_SERVICE);
    LEFT_OUT.contains(&kind(document)) || (kind(document) == "Service" && is_webhook_service)
}

fn kind(document: &Value) -> &str {
    document.get("kind").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_cluster_without_nodes_can_do_is_applied() {
        let named = |kind: &str, name: &str| json!({"kind": kind, "metadata": {"name": name}});
        assert!(is_left_out(&named("Deployment", "external-secrets")));
        assert!(is_left_out(&named("Service", WEBHOOK_SERVICE)));
        assert!(!is_left_out(&named("ServiceAccount", WEBHOOK_SERVICE)));
        assert!(!is_left_out(&named("Service", "external-secrets-metrics")));
    }

    #[test]
    fn webhooks_are_led_to_the_port_and_keep_their_service() {
        let service = json!({"name": WEBHOOK_SERVICE, "namespace": OPERATOR_NAMESPACE, "port": 443, "path": "/v"});
        let shipped = json!({"webhooks": [{"name": "a", "clientConfig": {"service": service}}]});
        let led = led_to(shipped, 10_250);
        let service = &led["webhooks"][0]["clientConfig"]["service"];
        assert_eq!(service["port"], 10_250);
        assert_eq!(service["path"], "/v");
    }
}
