//! The webhook's certificate, live: issued, told to the API server, rotated while a client applies objects, and taken over from the
//! Go operator. Through all of it no admission call may fail.

mod support;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::{
    ByteString,
    api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, date_time_ymd,
};
use serde_json::{Value, json};
use support::{SOON, manifest, version};
use tests::{Bed, Binary, OPERATOR_NAMESPACE, Process, Projection, Result, wait};
use tokio::task::JoinHandle;

const SERVING: &str = "external-secrets-webhook";
const AUTHORITY: &str = "external-secrets-webhook-ca";
const CONFIGURATIONS: [&str; 2] = ["secretstore-validate", "externalsecret-validate"];
const SERVER_NAME: &str = "external-secrets-webhook.external-secrets.svc";

/// Short enough to see an authority leave, long beside the kubelet's part and the webhook's look.
const PROPAGATION_TIME: &str = "--propagation-time=8s";
const KUBELET: Duration = Duration::from_millis(700);

/// The running parts of one bed.
struct Serving {
    client: Client,
    namespace: String,
    port: u16,
    webhook: Process,
    cert_controller: Process,
    projection: Projection,
}

impl Serving {
    async fn start(bed: &Bed) -> Result<Self> {
        bed.install_webhook().await?;
        let cert_controller = bed.operator(Binary::CertController, &[PROPAGATION_TIME]).await?;
        let webhook = bed.operator(Binary::Webhook, &["--check-interval=200ms"]).await?;
        let folder = webhook.certificate_folder().to_owned();
        let projection = bed.project_webhook_secret(OPERATOR_NAMESPACE, SERVING, &folder, KUBELET)?;
        let namespace = bed.namespace("certified").await?;
        let port = bed.webhook_port();
        Ok(Self { client: bed.admin()?, namespace, port, webhook, cert_controller, projection })
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE)
    }

    fn configurations(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    /// The value of one key of a Secret; empty while there is none.
    async fn value(&self, secret: &str, key: &str) -> Result<Vec<u8>> {
        let data = self.secrets().get_opt(secret).await?.and_then(|secret| secret.data).unwrap_or_default();
        Ok(data.get(key).map(|ByteString(value)| value.clone()).unwrap_or_default())
    }

    /// Waits until a Secret is as wanted.
    async fn secret(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&BTreeMap<String, Vec<u8>>) -> bool,
    ) -> Result<Secret> {
        wait::object(&self.secrets(), name, what, SOON, |secret: &Secret| holds(&values(secret))).await
    }

    /// Every bundle that the API server was told, one per webhook.
    async fn bundles(&self) -> Result<Vec<Vec<u8>>> {
        let mut bundles = Vec::new();
        for name in CONFIGURATIONS {
            let webhooks = self.configurations().get(name).await?.webhooks.unwrap_or_default();
            bundles.extend(webhooks.into_iter().map(|webhook| webhook.client_config.ca_bundle.unwrap_or_default().0));
        }
        assert_eq!(bundles.len(), 3, "two kinds of stores and ExternalSecrets");
        Ok(bundles)
    }

    /// Waits until every webhook is told the bundle of the Secret, and that holds this many authorities.
    async fn told(&self, authorities: usize) -> Result<Vec<u8>> {
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
    async fn asked(&self) -> Result {
        let probe = Probe::new(self);
        wait::until("the webhook to be asked", SOON, || async {
            probe.good().await?;
            probe.bad().await
        })
        .await
    }

    /// Whether the webhook serves a certificate that this authority signed.
    async fn serves_under(&self, authority: &[u8]) -> std::result::Result<(), String> {
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

fn values(secret: &Secret) -> BTreeMap<String, Vec<u8>> {
    secret.data.iter().flatten().map(|(key, ByteString(value))| (key.clone(), value.clone())).collect()
}

fn keys(secret: &Secret) -> Vec<&str> {
    secret.data.iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn certificates(pem: &[u8]) -> usize {
    String::from_utf8_lossy(pem).matches("BEGIN CERTIFICATE").count()
}

/// Asks the API server to judge objects that are not stored.
#[derive(Clone)]
struct Probe {
    external_secrets: Api<DynamicObject>,
}

impl Probe {
    fn new(serving: &Serving) -> Self {
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

    /// Fails unless a good object is admitted.
    async fn good(&self) -> std::result::Result<(), String> {
        self.judge(&manifest::reads("store", &[("password", "password")])).await
    }

    /// Fails unless the webhook refuses a bad object in its own words: a webhook that is passed over would not.
    async fn bad(&self) -> std::result::Result<(), String> {
        match self.judge(&manifest::reads("store", &[("password", "")])).await {
            Err(said) if said.contains("spec.data[0].remoteRef.key: is empty") => Ok(()),
            Err(said) => Err(said),
            Ok(()) => Err("a bad object was admitted".to_owned()),
        }
    }
}

/// A client that applies good and bad objects one after the other until it is stopped.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    wrong: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Load {
    fn start(serving: &Serving) -> Self {
        let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let wrong = Arc::<Mutex<Vec<String>>>::default();
        let probe = Probe::new(serving);
        let (stopped, count, kept) = (stop.clone(), calls.clone(), wrong.clone());
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                for outcome in [probe.good().await, probe.bad().await] {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).extend(outcome.err());
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { stop, calls, wrong, task }
    }

    /// Waits until another 20 calls were made, so that what just changed was met.
    async fn goes_on(&self) -> Result {
        let before = self.calls.load(Ordering::Relaxed);
        wait::until("20 more calls", SOON, || async {
            let made = self.calls.load(Ordering::Relaxed) - before;
            if made >= 20 { Ok(()) } else { Err(format!("there were {made}")) }
        })
        .await
    }

    /// Fails if any call did.
    async fn end(self) -> Result {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?;
        let calls = self.calls.load(Ordering::Relaxed);
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(wrong.is_empty(), "{} of {calls} calls went wrong, first: {}", wrong.len(), wrong[0]);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_and_authority_rotate_without_a_failed_admission() -> Result {
    let bed = Bed::shared().await?;
    let serving = Serving::start(bed).await?;

    // Issued and told, with the key of the authority where no Pod sees it.
    let first = serving.secret(SERVING, "to be issued", |data| data.contains_key("tls.crt")).await?;
    assert_eq!(keys(&first), ["ca.crt", "tls.crt", "tls.key"]);
    let authority = serving.secret(AUTHORITY, "to exist", |data| data.contains_key("ca.key")).await?;
    assert_eq!(keys(&authority), ["ca.crt", "ca.key"]);
    let told = serving.told(1).await?;
    assert_eq!(told, values(&authority)["ca.crt"]);
    serving.webhook.wait_ready(SOON).await?;
    serving.cert_controller.wait_ready(SOON).await?;
    serving.asked().await?;

    // Stripped, and told again.
    for name in CONFIGURATIONS {
        let mut configuration = serving.configurations().get(name).await?;
        for webhook in configuration.webhooks.iter_mut().flatten() {
            webhook.client_config.ca_bundle = None;
        }
        serving.configurations().replace(name, &PostParams::default(), &configuration).await?;
        wait::object(&serving.configurations(), name, "to be told again", SOON, |configuration| {
            let webhooks = configuration.webhooks.iter().flatten();
            webhooks.clone().count() > 0
                && webhooks.into_iter().all(|webhook| {
                    webhook.client_config.ca_bundle.as_ref().is_some_and(|bundle| bundle.0 == told)
                        && webhook.client_config.service.as_ref().is_some_and(|service| {
                            service.port == Some(i32::from(serving.port)) && service.name == SERVING
                        })
                })
        })
        .await?;
    }
    serving.asked().await?;

    let load = Load::start(&serving);
    rotate_certificate(&serving, &load, &first).await?;
    rotate_authority(&serving, &load, &told).await?;
    load.end().await
}

/// A new certificate of the same authority.
async fn rotate_certificate(serving: &Serving, load: &Load, before: &Secret) -> Result {
    let versions = serving.projection.versions();
    let old = values(before)["tls.crt"].clone();
    serving.secrets().delete(SERVING, &DeleteParams::default()).await?;
    let renewed = serving
        .secret(SERVING, "a new certificate", |data| data.get("tls.crt").is_some_and(|leaf| *leaf != old))
        .await?;
    assert_eq!(values(&renewed)["ca.crt"], values(before)["ca.crt"], "the authority stays");
    serving.told(1).await?;
    wait::until("the new certificate to be projected and used", SOON, || async {
        let used = serving.webhook.log().matches("certificate taken into use").count();
        if serving.projection.versions() > versions && used >= 2 { Ok(()) } else { Err(format!("{used} were used")) }
    })
    .await?;
    load.goes_on().await
}

/// A new authority: trusted beside the old one before it signs, alone when nothing of the old one is in use.
async fn rotate_authority(serving: &Serving, load: &Load, old: &[u8]) -> Result {
    serving.secrets().delete(AUTHORITY, &DeleteParams::default()).await?;
    let renewed = serving.secret(AUTHORITY, "a new authority", |data| data.get("ca.crt").is_some_and(|ca| ca != old));
    let new = values(&renewed.await?)["ca.crt"].clone();
    let both = serving.told(2).await?;
    let text = |pem: &[u8]| String::from_utf8_lossy(pem).into_owned();
    assert!(text(&both).contains(text(old).trim()) && text(&both).contains(text(&new).trim()));
    wait::until("the webhook to serve under the new authority", SOON, || serving.serves_under(&new)).await?;
    assert!(serving.serves_under(old).await.is_err(), "the new certificate is not of the old authority");
    load.goes_on().await?;
    assert_eq!(serving.told(1).await?, new, "the old authority has left");
    load.goes_on().await
}

/// What the Go operator leaves: an RSA authority and certificate for ten years in one Secret, keys in PKCS#1, one name.
fn upstreams_secret() -> Result<BTreeMap<String, Vec<u8>>> {
    let year = i32::from(jiff::Zoned::now().year());
    let lasting = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(year - 1, 1, 1);
        params.not_after = date_time_ymd(year + 10, 1, 1);
    };
    let mut authority = CertificateParams::new(vec!["external-secrets".to_owned()])?;
    authority.distinguished_name.push(DnType::CommonName, "external-secrets");
    authority.distinguished_name.push(DnType::OrganizationName, "external-secrets");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
    lasting(&mut authority);
    let authority_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();

    let mut leaf = CertificateParams::new(vec![SERVER_NAME.to_owned()])?;
    leaf.distinguished_name.push(DnType::CommonName, SERVER_NAME);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    lasting(&mut leaf);
    let leaf_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let leaf_pem = leaf.signed_by(&leaf_key, &Issuer::from_params(&authority, &authority_key))?.pem();
    Ok(BTreeMap::from([
        ("ca.crt".to_owned(), authority_pem.into_bytes()),
        ("ca.key".to_owned(), pkcs1(&authority_key).into_bytes()),
        ("tls.crt".to_owned(), leaf_pem.into_bytes()),
        ("tls.key".to_owned(), pkcs1(&leaf_key).into_bytes()),
    ]))
}

/// An RSA key as Go writes it. PKCS#8 wraps that in a head of fixed length, for keys of 2048 bits.
fn pkcs1(key: &KeyPair) -> String {
    const HEAD: usize = 26;
    let encoded = STANDARD.encode(key.serialize_der().get(HEAD..).unwrap_or_default());
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_of_the_go_operator_is_taken_over_as_it_is() -> Result {
    let bed = Bed::start().await?;
    bed.install().await?;
    let secrets: Api<Secret> = Api::namespaced(bed.admin()?, OPERATOR_NAMESPACE);
    let upstreams = upstreams_secret()?;
    let data: BTreeMap<_, _> = upstreams.iter().map(|(key, value)| (key, STANDARD.encode(value))).collect();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SERVING}, "data": data});
    secrets.patch(SERVING, &PatchParams::apply("upstream").force(), &Patch::Apply(secret)).await?;

    let serving = Serving::start(&bed).await?;
    let authority = serving.secret(AUTHORITY, "to be adopted", |data| data.contains_key("ca.key")).await?;
    assert_eq!(values(&authority)["ca.crt"], upstreams["ca.crt"], "the authority is upstream's");
    let adopted = serving.secret(SERVING, "to lose the authority's key", |data| !data.contains_key("ca.key")).await?;
    assert_eq!(serving.told(1).await?, upstreams["ca.crt"]);
    serving.webhook.wait_ready(SOON).await?;
    serving.cert_controller.wait_ready(SOON).await?;
    serving.asked().await?;
    let kept = secrets.get(SERVING).await?;
    for key in ["tls.crt", "tls.key"] {
        let is_same = values(&kept)[key] == upstreams[key];
        assert!(is_same, "a certificate that serves is not replaced: {}", serving.cert_controller.log());
    }
    assert_eq!(version(&kept), version(&adopted), "nothing is left to write: {:?}", kept.managed_fields());

    // Its successor is of the same authority, so that nobody has to be told.
    let load = Load::start(&serving);
    rotate_certificate(&serving, &load, &kept).await?;
    wait::until("the successor to be served", SOON, || serving.serves_under(&upstreams["ca.crt"])).await?;
    load.end().await
}
