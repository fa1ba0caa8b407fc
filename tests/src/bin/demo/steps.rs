//! The steps of the demo, one function each.

use std::time::{Duration, Instant};

use api::external_secret::ExternalSecret;
use futures::future::{BoxFuture, FutureExt};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::json;
use tests::{
    Failure, OPERATOR_NAMESPACE, Result,
    examples::{self, FOLDERS},
    resources::{SOON, synced, valid_cluster_store, valid_store},
    wait,
};

use crate::{
    certificate::{SECRET, serial, served},
    scene::Scene,
    screen::{act, answer, command, say},
};

/// A step and what it shows.
pub struct Step {
    pub title: &'static str,
    pub act: for<'a> fn(&'a Scene<'a>) -> BoxFuture<'a, Result>,
}

/// In the order of their showing.
pub const STEPS: [Step; 8] = [
    Step { title: "Four examples are applied", act: |scene| apply(scene).boxed() },
    Step { title: "The stores are valid", act: |scene| stores(scene).boxed() },
    Step { title: "The ExternalSecrets are synced", act: |scene| external_secrets(scene).boxed() },
    Step { title: "The Secrets are there; their values stay hidden here", act: |scene| secrets(scene).boxed() },
    Step { title: "A password rotated in Vault arrives", act: |scene| rotation(scene).boxed() },
    Step { title: "A malformed ExternalSecret is refused", act: |scene| refusal(scene).boxed() },
    Step { title: "The webhook's certificate is rotated while it serves", act: |scene| certificate(scene).boxed() },
    Step { title: "A deleted ExternalSecret takes its Secret along", act: |scene| deletion(scene).boxed() },
];

/// The Secrets that this operator writes.
const MANAGED: &str = "reconcile.external-secrets.io/managed=true";

/// The webhook looks at its certificate every 10 s, after the kubelet has brought it.
const RELOADED: Duration = Duration::from_secs(30);

async fn apply(scene: &Scene<'_>) -> Result {
    let vault = &scene.bed.bao().await?.address;
    for name in FOLDERS {
        let folder = examples::folder(name);
        command(&format!("kubectl apply -f manifests/examples/{name}"));
        let documents = examples::list(examples::documents(&folder, vault)?);
        let output = scene.bed.kubectl(&["apply", "-f", "-"], &documents).await?;
        if !output.success {
            return Err(Failure::new(format!("applying {name}: {}", output.stderr)));
        }
        let news = output.stdout.lines().filter(|line| line.ends_with("created"));
        answer(&news.collect::<Vec<_>>().join("\n"));
    }
    Ok(())
}

async fn stores(scene: &Scene<'_>) -> Result {
    for name in ["vault", "vault-backend"] {
        valid_cluster_store(scene.bed, name).await?;
    }
    for (namespace, name) in
        [("orders", "aws-secret-store"), ("payments", "aws-secretsmanager"), ("payments", "vault-backend")]
    {
        valid_store(scene.bed, namespace, name).await?;
    }
    scene.kubectl("get clustersecretstores").await?;
    scene.kubectl("get secretstores -A").await.map(drop)
}

async fn external_secrets(scene: &Scene<'_>) -> Result {
    for (namespace, name) in [
        ("shop", "myapp"),
        ("web", "myapp"),
        ("orders", "db-credentials"),
        ("orders", "database"),
        ("orders", "db-connection"),
        ("payments", "payments-db"),
        ("payments", "fraud-feed"),
    ] {
        synced(scene.bed, namespace, name).await?;
    }
    scene.kubectl("get externalsecrets -A").await.map(drop)
}

async fn secrets(scene: &Scene<'_>) -> Result {
    let all: Api<Secret> = Api::all(scene.bed.admin()?);
    for secret in all.list(&ListParams::default().labels(MANAGED)).await?.items {
        let data = secret.data.iter().flatten();
        let keys: Vec<_> = data.map(|(key, value)| format!("{key} ({} bytes)", value.0.len())).collect();
        let name = format!("{}/{}", secret.namespace().unwrap_or_default(), secret.name_any());
        answer(&format!("{name:<28} {}", keys.join(", ")));
    }
    Ok(())
}

async fn rotation(scene: &Scene<'_>) -> Result {
    let secrets: Api<Secret> = Api::namespaced(scene.bed.admin()?, "payments");
    let before = secrets.get("payments-db-secret").await?.data;
    command("vault kv put kv/payments/db username=app_user password=…");
    examples::put_payments_db(scene.bed.bao().await?, "app_user", "S0meNewRotatedPass!").await?;
    scene.kubectl("annotate externalsecret payments-db -n payments force-sync=1 --overwrite").await?;
    let changed = |secret: &Secret| secret.data != before;
    let arrival = async { wait::object(&secrets, "payments-db-secret", "changed", SOON, changed).await };
    let after = act("the Secret has the new password", arrival).await?;
    let arrived = after.data.iter().flatten().any(|(_, value)| value.0 == b"S0meNewRotatedPass!");
    if arrived { Ok(()) } else { Err(Failure::new("the Secret changed, but not to what is in Vault")) }
}

async fn refusal(scene: &Scene<'_>) -> Result {
    let manifest = r#"apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: mistaken, namespace: shop}
spec:
  secretStoreRef: {kind: ClusterSecretStore, name: vault}
  target:
    template:
      data: {url: "postgres://{{ .user }"}
  data:
  - secretKey: user
    remoteRef: {key: ""}
  dataFrom:
  - find: {name: {regexp: "prod("}}
"#;
    command("kubectl apply -f mistaken.yaml");
    answer(manifest);
    say("");
    let output = scene.bed.kubectl(&["apply", "-f", "-"], manifest).await?;
    answer(&output.stderr);
    let refused = !output.success && output.stderr.contains("denied the request");
    if refused { Ok(()) } else { Err(Failure::new(format!("it was not refused: {}", output.stderr))) }
}

async fn certificate(scene: &Scene<'_>) -> Result {
    let before = served(scene.bed).await?;
    answer(&format!("serial number now: {}", serial(&before)?));
    scene.kubectl(&format!("delete secret {SECRET} -n {OPERATOR_NAMESPACE}")).await?;
    let secrets: Api<Secret> = Api::namespaced(scene.bed.admin()?, OPERATOR_NAMESPACE);
    let whole = |secret: &Secret| secret.data.iter().flatten().count() == 3;
    act("cert-controller has issued another", wait::object(&secrets, SECRET, "issued", SOON, whole)).await?;
    let asked = Instant::now();
    let (after, admitted) = act("webhook serves it, without a restart", reload(scene, &before)).await?;
    answer(&format!("serial number now: {}", serial(&after)?));
    let seconds = asked.elapsed().as_secs_f32();
    answer(&format!("{admitted} ExternalSecrets were judged in these {seconds:.0} s, none failed"));
    Ok(())
}

/// Asks for admission over and over until the webhook serves another certificate; how often it was asked.
async fn reload(scene: &Scene<'_>, before: &[u8]) -> Result<(Vec<u8>, usize)> {
    let end = Instant::now() + RELOADED;
    let mut admitted = 0;
    loop {
        try_out(scene).await.map_err(|failure| failure.during("admission while the certificate is rotated"))?;
        admitted += 1;
        let after = served(scene.bed).await?;
        if after != before {
            return Ok((after, admitted));
        }
        if Instant::now() > end {
            return Err(Failure::new(format!("the webhook serves the old certificate after {RELOADED:?}")));
        }
    }
}

/// Has a good ExternalSecret judged, and stores nothing.
async fn try_out(scene: &Scene<'_>) -> Result {
    let object: ExternalSecret = serde_json::from_value(json!({
        "metadata": {"name": "tried-out"},
        "spec": {
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
            "dataFrom": [{"extract": {"key": "prod/myapp"}}],
        },
    }))?;
    let api: Api<ExternalSecret> = Api::namespaced(scene.bed.admin()?, "shop");
    api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await.map(drop).map_err(Failure::from)
}

async fn deletion(scene: &Scene<'_>) -> Result {
    scene.kubectl("delete externalsecret payments-db -n payments").await?;
    let secrets: Api<Secret> = Api::namespaced(scene.bed.admin()?, "payments");
    act("the Secret payments-db-secret is collected", wait::gone(&secrets, "payments-db-secret", SOON)).await?;
    scene.kubectl("get secrets -n payments").await.map(drop)
}
