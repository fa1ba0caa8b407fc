//! The webhook and the cert-controller of this file. Tests that apply something share them; a test that kills one has them alone.

use std::time::Duration;

use tests::{Admission, Bed, Failure, Result, resources::SOON, wait};
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The Secret with the webhook's certificate.
pub const CERTIFICATE: &str = "external-secrets-webhook";

/// The Secret with the authority's key.
pub const AUTHORITY: &str = "external-secrets-webhook-ca";

static SERVING: OnceCell<std::result::Result<RwLock<Admission>, String>> = OnceCell::const_new();

/// For tests that need admission to work.
pub async fn shared() -> Result<RwLockReadGuard<'static, Admission>> {
    Ok(serving().await?.read().await)
}

/// For tests during which admission may fail.
pub async fn alone() -> Result<RwLockWriteGuard<'static, Admission>> {
    Ok(serving().await?.write().await)
}

async fn serving() -> Result<&'static RwLock<Admission>> {
    let start = || async { start().await.map(RwLock::new).map_err(|failure| failure.to_string()) };
    SERVING.get_or_init(start).await.as_ref().map_err(|reason| Failure::new(reason.clone()))
}

async fn start() -> Result<Admission> {
    let bed = Bed::shared().await?;
    let admission = bed.admission(Duration::ZERO).await?;
    admitted(bed).await?;
    Ok(admission)
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
  data: [{secretKey: a, remoteRef: {key: ''}}]
";
