//! What runs on the bed while the demo does. Our processes end when the scene is dropped.

use std::time::Duration;

use tests::{Admission, Bed, Binary, Failure, Output, Process, Result, examples, tools};

use crate::screen::{act, answer, command, say};

/// How long the kubelet of the bed takes to deliver a changed certificate; a real one takes up to 90.
const KUBELET: Duration = Duration::from_secs(1);

/// See the module documentation.
pub struct Scene<'bed> {
    pub bed: &'bed Bed,
    _controller: Process,
    _admission: Admission,
}

impl<'bed> Scene<'bed> {
    /// Starts it all, with a line for each part.
    pub async fn set(bed: &'bed Bed) -> Result<Self> {
        act("our CRDs, roles and ServiceAccounts", bed.install()).await?;
        act("OpenBao, which serves Vault's API", async { bed.bao().await.map(drop) }).await?;
        act("moto, which serves AWS's API", async { bed.moto().await.map(drop) }).await?;
        act("what the examples need: entries, policies, roles, credentials", examples::prepare(bed)).await?;
        let admission = act("cert-controller and webhook, with a certificate", bed.admission(KUBELET)).await?;
        let aws = bed.moto().await?.environment();
        let controller = act("controller", bed.operator_with(Binary::Controller, &[], &aws)).await?;
        Ok(Self { bed, _controller: controller, _admission: admission })
    }

    /// Runs `kubectl` as a user does, shows command and answer, and fails when it fails.
    pub async fn kubectl(&self, line: &str) -> Result<Output> {
        command(&format!("kubectl {line}"));
        let output = self.bed.kubectl(&line.split_whitespace().collect::<Vec<_>>(), "").await?;
        answer(&output.stdout);
        if output.success { Ok(output) } else { Err(Failure::new(format!("kubectl {line}: {}", output.stderr))) }
    }

    /// Leaves everything up until Ctrl-C.
    pub async fn keep(&self) -> Result {
        let kubectl = tools::tool("kubectl")?;
        let bao = self.bed.bao().await?;
        say("\nEverything stays up until Ctrl-C. In another terminal:\n");
        say(&format!("  export PATH={}:$PATH", kubectl.parent().unwrap_or(&kubectl).display()));
        say(&format!("  export KUBECONFIG={}", self.bed.kubeconfig_admin().display()));
        say("  kubectl get clustersecretstores,secretstores,externalsecrets -A");
        say("  kubectl explain externalsecret.spec.data.remoteRef");
        say("  kubectl get events -n orders\n");
        say(&format!("  export VAULT_ADDR={} VAULT_TOKEN={}", bao.address, bao.root_token));
        say("  bao kv put secret/prod/myapp username=shop_app password=another");
        say("  kubectl annotate externalsecret myapp -n shop force-sync=$(date +%s) --overwrite\n");
        say(&format!("Logs are in {}", self.bed.folder().join("logs").display()));
        Ok(tokio::signal::ctrl_c().await?)
    }
}
