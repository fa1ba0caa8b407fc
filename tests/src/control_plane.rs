//! etcd, kube-apiserver and kube-controller-manager: a cluster without nodes.
//!
//! Enters: a folder. Leaves: an API server that answers `/readyz`, an administrator's kubeconfig, and an audit log of every request.
//! There is no kubelet, so Pods never run; owner references, namespace deletion and ServiceAccounts work as in any cluster.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    certificates::Certificates,
    failure::{Failure, Result},
    folder::Folder,
    http_client,
    kubeconfig::Access,
    leash::{Launch, Leashed},
    ports, tools, wait,
};

/// The API server is ready in 3 s alone on two cores; a machine that compiles beside takes many times that.
const READY: Duration = Duration::from_secs(90);

/// How often a server is started again when another process took its port in between.
const ATTEMPTS: usize = 3;

/// The user of the administrator's kubeconfig, as the audit log names it.
pub const ADMINISTRATOR: &str = "bed-admin";

/// A running control plane.
pub struct ControlPlane {
    pub server: String,
    pub certificates: Certificates,
    pub admin_kubeconfig: PathBuf,
    pub audit_log: PathBuf,
    admin: Config,
    controllers_kubeconfig: PathBuf,
    controllers: Mutex<Leashed>,
    api_server: Mutex<Leashed>,
    /// How to start it again, at the same port.
    api_server_arguments: Vec<String>,
    administrator: String,
    /// Held, not used: it ends with this value, after the API server.
    _etcd: Leashed,
}

impl ControlPlane {
    /// Starts the three servers and waits until the API server is ready.
    pub async fn start(folder: &Folder) -> Result<Self> {
        let certificates = Certificates::create(folder)?;
        let tokens = Tokens::create(folder)?;
        let (etcd_url, etcd) = retried(|| start_etcd(folder)).await?;
        let (server, api_server_arguments, api_server) =
            retried(|| start_api_server(folder, &certificates, &tokens, &etcd_url)).await?;
        let admin_kubeconfig = folder.path().join("admin.kubeconfig");
        let access = |token| Access { server: &server, ca_pem: &certificates.ca_pem, token };
        access(&tokens.admin).write(&admin_kubeconfig)?;
        let controllers_kubeconfig = folder.path().join("controllers.kubeconfig");
        access(&tokens.controllers).write(&controllers_kubeconfig)?;
        let document: Kubeconfig = serde_json::from_value(access(&tokens.admin).document())?;
        let admin = Config::from_custom_kubeconfig(document, &KubeConfigOptions::default()).await?;
        let mut controllers = start_controllers(folder, &certificates, &controllers_kubeconfig)?;
        let config_maps = Api::<ConfigMap>::namespaced(Client::try_from(admin.clone())?, "default");
        wait_for_server("kube-controller-manager", &mut controllers, || published(&config_maps)).await?;
        Ok(Self {
            admin,
            audit_log: folder.log("audit"),
            controllers_kubeconfig,
            controllers: Mutex::new(controllers),
            api_server: Mutex::new(api_server),
            api_server_arguments,
            administrator: tokens.admin,
            _etcd: etcd,
            server,
            certificates,
            admin_kubeconfig,
        })
    }

    /// Starts kube-controller-manager again, so that it knows the kinds that are served now: its garbage collector looks for new ones
    /// every 30 s only, and until then no owned object of theirs is collected.
    pub async fn restart_controllers(&self, folder: &Folder) -> Result {
        let mut controllers = self.controllers.lock().await;
        controllers.kill()?;
        *controllers = start_controllers(folder, &self.certificates, &self.controllers_kubeconfig)?;
        Ok(())
    }

    /// Ends the API server, as a crash does.
    pub async fn stop_api_server(&self) -> Result {
        self.api_server.lock().await.kill().map(drop)
    }

    /// Starts it again where it was, with what it held.
    pub async fn start_api_server(&self, folder: &Folder) -> Result {
        let mut api_server = self.api_server.lock().await;
        *api_server = launch_api_server(folder, &self.api_server_arguments)?;
        answering(&mut api_server, &self.server, &self.certificates, &self.administrator).await
    }

    /// How the administrator reaches the API server.
    pub fn admin_config(&self) -> Config {
        self.admin.clone()
    }

    /// A client of its own: connections belong to the runtime that opened them, and each test has its runtime.
    pub fn admin(&self) -> Result<Client> {
        Ok(Client::try_from(self.admin.clone())?)
    }
}

/// Names of the users that exist besides ServiceAccounts, with their tokens.
struct Tokens {
    admin: String,
    controllers: String,
    file: PathBuf,
}

impl Tokens {
    fn create(folder: &Folder) -> Result<Self> {
        let (admin, controllers) = (ports::random_token(), ports::random_token());
        let file = folder.path().join("tokens.csv");
        // The controllers have a name of their own, so that counts tell them from the test.
        let text = format!(
            "{admin},{ADMINISTRATOR},{ADMINISTRATOR},system:masters\n{controllers},bed-controllers,bed-controllers,system:masters\n"
        );
        fs::write(&file, text)?;
        Ok(Self { admin, controllers, file })
    }
}

async fn start_etcd(folder: &Folder) -> Result<(String, Leashed)> {
    let client = format!("http://127.0.0.1:{}", ports::free()?);
    let peer = format!("http://127.0.0.1:{}", ports::free()?);
    let data = folder.inside(&format!("etcd-{}", ports::random_word()))?;
    let mut etcd = Leashed::start(Launch {
        program: &tools::tool("etcd")?,
        arguments: vec![
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".into(), // the data is gone with the bed
            "--log-level=warn".into(),
        ],
        environment: Vec::new(),
        log: folder.log("etcd"),
    })?;
    let http = http_client::new(None)?;
    let health = format!("{client}/health");
    wait_for_server("etcd", &mut etcd, || http_client::answers(http.get(&health))).await?;
    Ok((client, etcd))
}

async fn start_api_server(
    folder: &Folder,
    certificates: &Certificates,
    tokens: &Tokens,
    etcd: &str,
) -> Result<(String, Vec<String>, Leashed)> {
    let port = ports::free()?;
    let mut arguments = api_server_arguments(folder, certificates, tokens)?;
    arguments.push(format!("--etcd-servers={etcd}"));
    arguments.push(format!("--secure-port={port}"));
    let mut api_server = launch_api_server(folder, &arguments)?;
    let server = format!("https://127.0.0.1:{port}");
    answering(&mut api_server, &server, certificates, &tokens.admin).await?;
    Ok((server, arguments, api_server))
}

fn launch_api_server(folder: &Folder, arguments: &[String]) -> Result<Leashed> {
    Leashed::start(Launch {
        program: &tools::tool("kube-apiserver")?,
        arguments: arguments.to_vec(),
        environment: Vec::new(),
        log: folder.log("kube-apiserver"),
    })
}

async fn answering(api_server: &mut Leashed, server: &str, certificates: &Certificates, token: &str) -> Result {
    let http = http_client::new(Some(&certificates.ca_pem))?;
    let ready = format!("{server}/readyz");
    wait_for_server("kube-apiserver", api_server, || http_client::answers(http.get(&ready).bearer_auth(token))).await
}

fn api_server_arguments(folder: &Folder, certificates: &Certificates, tokens: &Tokens) -> Result<Vec<String>> {
    let policy = folder.path().join("audit-policy.json");
    fs::write(&policy, audit_policy().to_string())?;
    Ok(vec![
        "--bind-address=127.0.0.1".into(),
        format!("--cert-dir={}", folder.inside("kube-apiserver")?.display()),
        format!("--tls-cert-file={}", certificates.certificate.display()),
        format!("--tls-private-key-file={}", certificates.key.display()),
        format!("--service-account-key-file={}", certificates.service_account_public_key.display()),
        format!("--service-account-signing-key-file={}", certificates.service_account_key.display()),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--token-auth-file={}", tokens.file.display()),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        "--endpoint-reconciler-type=none".into(), // nobody reaches this server through its Service
        "--authorization-mode=RBAC".into(),
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", folder.log("audit").display()),
        "--audit-log-maxsize=100000".into(), // in megabytes: never rotated, since counts read one file
        "--profiling=false".into(),
    ])
}

/// One line per request, without bodies: a request is told when it was answered, a watch when it began.
fn audit_policy() -> serde_json::Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": true,
        "rules": [{"level": "Metadata"}],
    })
}

fn start_controllers(folder: &Folder, certificates: &Certificates, kubeconfig: &Path) -> Result<Leashed> {
    let controllers = [
        "garbage-collector-controller",
        "namespace-controller",
        "serviceaccount-controller",
        "root-ca-certificate-publisher-controller",
        "validatingadmissionpolicy-status-controller",
    ];
    Leashed::start(Launch {
        program: &tools::tool("kube-controller-manager")?,
        arguments: vec![
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--controllers={}", controllers.join(",")),
            format!("--root-ca-file={}", certificates.ca.display()),
            format!("--cert-dir={}", folder.inside("kube-controller-manager")?.display()),
            "--secure-port=0".into(), // it serves nothing that anyone asks for
            "--leader-elect=false".into(),
            // Deletion of namespaces and of owned objects is awaited by tests; the default of 20 requests per second is slow.
            "--kube-api-qps=500".into(),
            "--kube-api-burst=1000".into(),
        ],
        environment: Vec::new(),
        log: folder.log("kube-controller-manager"),
    })
}

/// The controllers serve nothing; that they work shows in what they make.
async fn published(config_maps: &Api<ConfigMap>) -> std::result::Result<(), String> {
    match config_maps.get_opt("kube-root-ca.crt").await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err("the authority is not published yet".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Starts a server again, on new ports, when another process took one of its ports first.
pub async fn retried<T, Fut>(start: impl Fn() -> Fut) -> Result<T>
where
    Fut: Future<Output = Result<T>>,
{
    let mut attempt = 1;
    loop {
        match start().await {
            Err(failure) if attempt < ATTEMPTS && failure.to_string().contains("address already in use") => {
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Waits until `look` succeeds, and no longer than the server lives. The failure shows the end of the server's log.
pub async fn wait_for_server<F, Fut>(name: &str, server: &mut Leashed, look: F) -> Result
where
    F: Fn() -> Fut,
    Fut: Future<Output = std::result::Result<(), String>>,
{
    let outcome = wait::until(&format!("{name} to be ready"), READY, || {
        let ended = server.ended();
        let look = look();
        async move {
            match ended {
                Some(how) => Ok(Err(Failure::new(format!("{name} did not start: {how}")))),
                None => look.await.map(Ok),
            }
        }
    })
    .await;
    outcome.flatten().map_err(|failure| Failure::new(format!("{failure}\n{}", server.tail())))
}
