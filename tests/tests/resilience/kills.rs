//! `kill -9` of each process in the middle of its work.

use std::collections::BTreeMap;

use k8s_openapi::api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;
use tests::{
    Bed, OPERATOR_NAMESPACE, Result,
    resources::{SOON, synced},
    wait,
};

use crate::{
    alone::Alone,
    serving::{self, AUTHORITY, BAD, CERTIFICATE, admitted, try_apply},
};

#[tokio::test]
async fn controller_killed_while_objects_are_created_finishes_them_all() -> Result {
    let _serving = serving::shared().await?;
    let alone = Alone::with_token("killed").await?;
    let mut controller = alone.controller().await?;
    let names: Vec<_> = (0..30).map(|number| format!("db-{number}")).collect();
    let managed = ListParams::default().labels("reconcile.external-secrets.io/managed=true");
    let secrets = alone.secrets()?;
    let kill = async {
        wait::until("the first Secrets", SOON, || async {
            let written = secrets.list_metadata(&managed).await.map_err(|error| error.to_string())?.items.len();
            if written >= 3 { Ok(()) } else { Err(format!("{written} are written")) }
        })
        .await?;
        controller.kill_9().await
    };
    let objects = |names: &[String]| names.iter().map(|name| alone.external_secret(name, "1h")).collect::<Vec<_>>();
    let (created, killed) = tokio::join!(alone.create(objects(&names[..20])), kill);
    created?;
    killed?;
    // However far it came: these it has never seen.
    alone.create(objects(&names[20..])).await?;
    controller.restart().await?;
    for name in &names {
        let object = synced(alone.bed, &alone.namespace, name).await?;
        let secret = secrets.get(name).await?;
        assert_eq!(secret.data.as_ref().map_or(0, BTreeMap::len), 5, "{name}");
        assert_eq!(secret.owner_references().first().map(|owner| &owner.uid), object.metadata.uid.as_ref());
    }
    assert_eq!(secrets.list_metadata(&managed).await?.items.len(), names.len(), "one Secret each, and no other");
    Ok(())
}

#[tokio::test]
async fn webhook_killed_judges_again_after_its_restart() -> Result {
    let mut serving = serving::alone().await?;
    let bed = Bed::shared().await?;
    serving.webhook.kill_9().await?;
    let refusal = try_apply(bed, BAD).await?;
    assert!(refusal.contains("failed calling webhook"), "nothing is admitted unjudged: {refusal}");
    serving.webhook.restart().await?;
    serving.webhook.wait_ready(SOON).await?;
    admitted(bed).await?;
    let refusal = try_apply(bed, BAD).await?;
    assert!(refusal.contains("denied the request") && refusal.contains("spec.data[0].remoteRef.key"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn cert_controller_killed_keeps_the_certificate_and_the_bundle() -> Result {
    let mut serving = serving::alone().await?;
    let bed = Bed::shared().await?;
    let secrets: Api<Secret> = Api::namespaced(bed.admin()?, OPERATOR_NAMESPACE);
    let (certificate, authority) = (secrets.get(CERTIFICATE).await?, secrets.get(AUTHORITY).await?);
    serving.cert_controller.kill_9().await?;
    assert_eq!(try_apply(bed, BAD).await?.lines().count(), 1, "admission does not need it");

    // Something to do for the next start: somebody takes the bundle away.
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(bed.admin()?);
    let strip = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]);
    let strip = Patch::Json::<()>(serde_json::from_value(strip)?);
    configurations.patch("externalsecret-validate", &PatchParams::default(), &strip).await?;
    serving.cert_controller.restart().await?;
    serving.cert_controller.wait_ready(SOON).await?;
    admitted(bed).await?;
    for before in [certificate, authority] {
        let name = before.name_any();
        assert_eq!(secrets.get(&name).await?.data, before.data, "{name} survives");
    }
    Ok(())
}

#[tokio::test]
async fn cert_controller_killed_while_it_issues_finishes_after_its_restart() -> Result {
    let mut serving = serving::alone().await?;
    let bed = Bed::shared().await?;
    let secrets: Api<Secret> = Api::namespaced(bed.admin()?, OPERATOR_NAMESPACE);
    let (before, authority) = (secrets.get(CERTIFICATE).await?, secrets.get(AUTHORITY).await?);
    // A certificate that is deleted is issued anew, by the same authority.
    secrets.delete(CERTIFICATE, &DeleteParams::default()).await?;
    serving.cert_controller.kill_9().await?;
    serving.cert_controller.restart().await?;
    let issued = |secret: &Secret| secret.uid() != before.uid() && secret.data.iter().flatten().count() == 3;
    wait::object(&secrets, CERTIFICATE, "issued anew", SOON, issued).await?;
    assert_eq!(secrets.get(AUTHORITY).await?.data, authority.data);
    serving.cert_controller.wait_ready(SOON).await?;
    admitted(bed).await
}
