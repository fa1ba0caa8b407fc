//! The webhook and the cert-controller of this file. Tests that apply something share them; a test that kills one has them alone.

use std::time::Duration;

use tests::{Bed, Binary, Failure, OPERATOR_NAMESPACE, Process, Projection, Result, resources::SOON, wait};
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The Secret with the webhook's certificate.
pub const CERTIFICATE: &str = "external-secrets-webhook";

/// The Secret with the authority's key.
pub const AUTHORITY: &str = "external-secrets-webhook-ca";

/// A client needs longer than a webhook that must first get its certificate.
const READY: Duration = Duration::from_mins(1);

static SERVING: OnceCell<std::result::Result<RwLock<Serving>, String>> = OnceCell::const_new();

/// The two processes, and the volume that brings the certificate from one to the other.
pub struct Serving {
    pub webhook: Process,
    pub cert_controller: Process,
    _volume: Projection,
}

/// For tests that need admission to work.
pub async fn shared() -> Result<RwLockReadGuard<'static, Serving>> {
    Ok(serving().await?.read().await)
}

/// For tests during which admission may fail.
pub async fn alone() -> Result<RwLockWriteGuard<'static, Serving>> {
    Ok(serving().await?.write().await)
}

async fn serving() -> Result<&'static RwLock<Serving>> {
    let start = || async { start().await.map(RwLock::new).map_err(|failure| failure.to_string()) };
    SERVING.get_or_init(start).await.as_ref().map_err(|reason| Failure::new(reason.clone()))
}

async fn start() -> Result<Serving> {
    let bed = Bed::shared().await?;
    bed.install_webhook().await?;
    let flags = [
        "--service-name=external-secrets-webhook",
        "--service-namespace=external-secrets",
        "--secret-name=external-secrets-webhook",
        "--secret-namespace=external-secrets",
    ];
    let cert_controller = bed.operator(Binary::CertController, &flags).await?;
    let names = ["--dns-name=external-secrets-webhook.external-secrets.svc", "--check-interval=1s"];
    let webhook = bed.operator(Binary::Webhook, &names).await?;
    let folder = webhook.certificate_folder();
    let volume = bed.project_webhook_secret(OPERATOR_NAMESPACE, CERTIFICATE, folder, Duration::ZERO)?;
    let serving = Serving { webhook, cert_controller, _volume: volume };
    serving.webhook.wait_ready(READY).await?;
    admitted(bed).await?;
    Ok(serving)
}

/// Waits until the API server has the webhook's consent to a good ExternalSecret.
pub async fn admitted(bed: &Bed) -> Result {
    wait::until("a good ExternalSecret to be admitted", SOON, || async {
        let output = try_apply(bed, GOOD).await.map_err(|failure| failure.to_string())?;
        if output.is_empty() { Ok(()) } else { Err(output) }
    })
    .await
}

/// What the API server says against a manifest; empty when it would take it. Nothing is stored.
pub async fn try_apply(bed: &Bed, yaml: &str) -> Result<String> {
    let output = bed.kubectl(&["create", "--dry-run=server", "-f", "-"], yaml).await?;
    Ok(if output.success { String::new() } else { output.stderr })
}

const GOOD: &str = "
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: probe, namespace: default}
spec:
  secretStoreRef: {name: some}
  data: [{secretKey: a, remoteRef: {key: b}}]
";

/// The schema takes it, the webhook does not.
pub const BAD: &str = "
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: probe, namespace: default}
spec:
  secretStoreRef: {name: some}
  target: {creationPolicy: Merge, deletionPolicy: Delete}
  data: [{secretKey: a, remoteRef: {key: b}}]
";
