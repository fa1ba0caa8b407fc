//! cert-controller and webhook at work before an API server, with a kubelet's delay between them; and how it is asked.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use k8s_openapi::{
    ByteString,
    api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret},
};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::Value;
use tests::{Bed, Binary, Delay, OPERATOR_NAMESPACE, Process, Projection, Result, wait};
use tokio::sync::{Mutex, MutexGuard};

use crate::support::{SOON, manifest};

pub const SERVING: &str = "external-secrets-webhook";
pub const AUTHORITY: &str = "external-secrets-webhook-ca";
pub const CONFIGURATIONS: [&str; 2] = ["secretstore-validate", "externalsecret-validate"];
pub const SERVER_NAME: &str = "external-secrets-webhook.external-secrets.svc";

/// The API server calls one webhook, so that one test at a time has the shared bed.
static TURN: Mutex<()> = Mutex::const_new(());

/// What a test varies.
#[derive(Clone)]
pub struct Setup {
    /// Of the cert-controller.
    pub flags: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Of the webhook: how often it looks at its files.
    pub look: &'static str,
    pub delay: Delay,
    /// At which ports webhooks listen; the one that the API server calls if there is none.
    pub ports: Vec<u16>,
}

impl Default for Setup {
    /// The propagation time is short enough to see an authority leave, and long beside the kubelet's part and the webhook's look.
    fn default() -> Self {
        Self {
            flags: vec!["--propagation-time=8s".to_owned()],
            environment: Vec::new(),
            look: "--check-interval=200ms",
            delay: Delay::Always(Duration::from_millis(700)),
            ports: Vec::new(),
        }
    }
}

/// The running parts.
pub struct Serving {
    pub client: Client,
    pub namespace: String,
    pub port: u16,
    pub webhooks: Vec<Process>,
    pub cert_controller: Process,
    projections: Vec<Projection>,
    /// After the processes, so that the next test does not meet them.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Serving {
    /// In the shared bed, with nothing left of what was issued before.
    pub async fn start(setup: &Setup) -> Result<Self> {
        let turn = TURN.lock().await;
        let bed = Bed::shared().await?;
        bed.install().await?;
        let secrets: Api<Secret> = Api::namespaced(bed.admin()?, OPERATOR_NAMESPACE);
        for name in [SERVING, AUTHORITY] {
            if secrets.get_opt(name).await?.is_some() {
                secrets.delete(name, &DeleteParams::default()).await?;
            }
        }
        let serving = Self::over(bed, setup).await?;
        Ok(Self { _turn: Some(turn), ..serving })
    }

    /// The same, and waits until the API server has a verdict.
    pub async fn started(setup: &Setup) -> Result<Self> {
        let serving = Self::start(setup).await?;
        for webhook in &serving.webhooks {
            webhook.wait_ready(SOON).await?;
        }
        serving.cert_controller.wait_ready(SOON).await?;
        Ok(serving)
    }

    /// In a bed with whatever Secrets it has.
    pub async fn over(bed: &Bed, setup: &Setup) -> Result<Self> {
        bed.install_webhook().await?;
        let flags: Vec<&str> = setup.flags.iter().map(String::as_str).collect();
        let cert_controller = bed.operator_with(Binary::CertController, &flags, &setup.environment).await?;
        let called = [bed.webhook_port()];
        let (mut webhooks, mut projections) = (Vec::new(), Vec::new());
        let namespace = bed.namespace("certified").await?;
        for port in if setup.ports.is_empty() { &called[..] } else { &setup.ports } {
            let folder = bed.folder().join(format!("{namespace}-{port}"));
            projections.push(bed.project_webhook_secret(OPERATOR_NAMESPACE, SERVING, &folder, setup.delay)?);
            let flags = [format!("--port={port}"), format!("--cert-dir={}", folder.display()), setup.look.to_owned()];
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            webhooks.push(bed.operator(Binary::Webhook, &flags).await?);
        }
        let port = bed.webhook_port();
        Ok(Self { client: bed.admin()?, namespace, port, webhooks, cert_controller, projections, _turn: None })
    }

    /// The only webhook, or the first.
    pub fn webhook(&self) -> &Process {
        &self.webhooks[0]
    }

    /// Its kubelet.
    pub fn projection(&self) -> &Projection {
        &self.projections[0]
    }

    /// Makes the cert-controller replace the authority and its certificate; returns once the new one is written.
    pub async fn rotate(&self) -> Result {
        let before = self.value(SERVING, "tls.crt").await?;
        self.secrets().delete(AUTHORITY, &DeleteParams::default()).await?;
        let renewed = |data: &BTreeMap<String, Vec<u8>>| data.get("tls.crt").is_some_and(|leaf| *leaf != before);
        self.secret(SERVING, "a certificate of a new authority", renewed).await.map(drop)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE)
    }

    pub fn configurations(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    /// The value of one key of a Secret; empty while there is none.
    pub async fn value(&self, secret: &str, key: &str) -> Result<Vec<u8>> {
        let data = self.secrets().get_opt(secret).await?.and_then(|secret| secret.data).unwrap_or_default();
        Ok(data.get(key).map(|ByteString(value)| value.clone()).unwrap_or_default())
    }

    /// Waits until a Secret is as wanted.
    pub async fn secret(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&BTreeMap<String, Vec<u8>>) -> bool,
    ) -> Result<Secret> {
        wait::object(&self.secrets(), name, what, SOON, |secret: &Secret| holds(&values(secret))).await
    }

    /// Every bundle that the API server was told, one per webhook.
    pub async fn bundles(&self) -> Result<Vec<Vec<u8>>> {
        let mut bundles = Vec::new();
        for name in CONFIGURATIONS {
            let webhooks = self.configurations().get(name).await?.webhooks.unwrap_or_default();
            bundles.extend(webhooks.into_iter().map(|webhook| webhook.client_config.ca_bundle.unwrap_or_default().0));
        }
        assert_eq!(bundles.len(), 3, "two kinds of stores and ExternalSecrets");
        Ok(bundles)
    }

    /// Takes every bundle out, however often the cert-controller is faster with a write of its own.
    pub async fn strip(&self) -> Result {
        for name in CONFIGURATIONS {
            wait::until("the bundles to be stripped", SOON, || async {
                let said = |error: kube::Error| error.to_string();
                let mut configuration = self.configurations().get(name).await.map_err(said)?;
                for webhook in configuration.webhooks.iter_mut().flatten() {
                    webhook.client_config.ca_bundle = None;
                }
                let replaced = self.configurations().replace(name, &PostParams::default(), &configuration).await;
                replaced.map(drop).map_err(said)
            })
            .await?;
        }
        Ok(())
    }

    /// Waits until every webhook is told the bundle of the Secret, and that holds this many authorities.
    pub async fn told(&self, authorities: usize) -> Result<Vec<u8>> {
        wait::until(&format!("{authorities} authorities to be told"), SOON, || async {
            let told = self.bundles().await.map_err(|failure| failure.to_string())?;
            let published = self.value(SERVING, "ca.crt").await.map_err(|failure| failure.to_string())?;
            let count = certificates(&published);
            let agree = told.iter().all(|bundle| *bundle == published);
            if agree && count == authorities { Ok(published) } else { Err(format!("{count} are published")) }
        })
        .await
    }

    /// Waits until the API server has the webhook's verdict on a good and on a bad object.
    pub async fn asked(&self) -> Result {
        wait::until("the webhook to be asked", SOON, || self.judged()).await
    }

    /// Fails unless it has.
    pub async fn judged(&self) -> std::result::Result<(), String> {
        let probe = Probe::new(self);
        probe.good().await?;
        probe.bad().await
    }

    /// Whether the webhook serves a certificate that this authority signed.
    pub async fn serves_under(&self, authority: &[u8]) -> std::result::Result<(), String> {
        let told = |error: reqwest::Error| format!("{error:?}");
        let authority = reqwest::Certificate::from_pem(authority).map_err(told)?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([authority])
            .resolve(SERVER_NAME, SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
            .build()
            .map_err(told)?;
        client.get(format!("https://{SERVER_NAME}:{}/", self.port)).send().await.map_err(told).map(drop)
    }
}

pub fn values(secret: &Secret) -> BTreeMap<String, Vec<u8>> {
    secret.data.iter().flatten().map(|(key, ByteString(value))| (key.clone(), value.clone())).collect()
}

pub fn keys(secret: &Secret) -> Vec<&str> {
    secret.data.iter().flatten().map(|(key, _)| key.as_str()).collect()
}

pub fn certificates(pem: &[u8]) -> usize {
    String::from_utf8_lossy(pem).matches("BEGIN CERTIFICATE").count()
}

/// Asks the API server to judge objects that are not stored.
#[derive(Clone)]
pub struct Probe {
    external_secrets: Api<DynamicObject>,
}

impl Probe {
    pub fn new(serving: &Serving) -> Self {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret"));
        Self { external_secrets: Api::namespaced_with(serving.client.clone(), &serving.namespace, &resource) }
    }

    async fn judge(&self, spec: &Value) -> std::result::Result<(), String> {
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let object = serde_json::from_value(manifest::external_secret("probe", spec));
        let object = object.map_err(|error: serde_json::Error| error.to_string())?;
        let created = self.external_secrets.create(&dry_run, &object).await;
        created.map(drop).map_err(|error| error.to_string())
    }

    /// Fails unless a good object is stored, in place of the one before of this name.
    pub async fn applied(&self, name: &str, number: usize) -> std::result::Result<(), String> {
        let object =
            manifest::external_secret(name, &manifest::reads("store", &[("password", &format!("password-{number}"))]));
        let params = PatchParams::apply("load").force();
        let applied = self.external_secrets.patch(name, &params, &Patch::Apply(&object)).await;
        applied.map(drop).map_err(|error| error.to_string())
    }

    /// Fails unless a good object is admitted.
    pub async fn good(&self) -> std::result::Result<(), String> {
        self.judge(&manifest::reads("store", &[("password", "password")])).await
    }

    /// Fails unless the webhook refuses a bad object in its own words: a webhook that is passed over would not.
    pub async fn bad(&self) -> std::result::Result<(), String> {
        match self.judge(&manifest::reads("store", &[("password", "")])).await {
            Err(said) if said.contains("spec.data[0].remoteRef.key: is empty") => Ok(()),
            Err(said) => Err(said),
            Ok(()) => Err("a bad object was admitted".to_owned()),
        }
    }
}
