//! The webhook as a cluster has it: certified, called by the API server, and ready.

use std::time::Duration;

use crate::{
    bed::Bed,
    failure::Result,
    kubelet::Projection,
    operator::{Binary, OPERATOR_NAMESPACE, Process},
};

/// Issuing and trusting takes under a second, and the rest is room for a busy machine.
const READY: Duration = Duration::from_mins(1);

/// The Secret in which the cert-controller keeps the webhook's certificate.
const SECRET: &str = "external-secrets-webhook";

/// Both processes, and the kubelet's part between them. All end when this value is dropped, and from then on the API server admits
/// nothing of ours.
pub struct Admission {
    pub webhook: Process,
    pub cert_controller: Process,
    pub projection: Projection,
}

impl Admission {
    pub(crate) async fn start(bed: &Bed, delay: Duration, flags: &[&str]) -> Result<Self> {
        bed.install_webhook().await?;
        let cert_controller = bed.operator(Binary::CertController, &[]).await?;
        let folder = bed.webhook_certificate_folder()?;
        let projection = bed.project_webhook_secret(OPERATOR_NAMESPACE, SECRET, &folder, delay)?;
        cert_controller.wait_ready(READY).await?;
        projection.wait_versions(1, READY + delay).await?;
        let webhook = bed.operator(Binary::Webhook, flags).await?;
        webhook.wait_ready(READY).await?;
        Ok(Self { webhook, cert_controller, projection })
    }
}
