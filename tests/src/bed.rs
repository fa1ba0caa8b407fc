//! The bed itself: what a test asks for.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::{io::AsyncWriteExt, process::Command, sync::OnceCell, time::timeout};

use crate::{
    admission::Admission,
    audit::{ApiEvent, ApiRequest},
    control_plane::ControlPlane,
    counts::{JsonLog, Mark, Requests},
    failure::{Failure, Result},
    folder::Folder,
    install,
    kubeconfig::Access,
    kubelet::{Delay, Projection},
    lasting_bao::LastingBao,
    moto::Moto,
    openbao::OpenBao,
    operator::{Binary, Process},
    ports,
    proxy::Proxy,
    tools, wait,
};

/// `kubectl` talks to one server on this machine; beyond this it hangs.
const KUBECTL: Duration = Duration::from_mins(1);

/// Tokens of ServiceAccounts live longer than any test run.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// A bed that did not start is not tried again by every test of the file.
static SHARED: OnceCell<std::result::Result<Bed, String>> = OnceCell::const_new();

/// Real servers for tests. See the crate's documentation.
///
/// Starting servers makes large futures; they are boxed here, so that those of the tests stay small.
pub struct Bed {
    // Fields drop in this order: clients of the control plane first, the folder last.
    moto: OnceCell<Moto>,
    openbao: OnceCell<OpenBao>,
    control_plane: ControlPlane,
    installed: OnceCell<()>,
    without_rules: OnceCell<()>,
    webhook_routed: OnceCell<()>,
    webhook_port: u16,
    namespaces: AtomicUsize,
    folder: Folder,
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Bed {
    /// The bed that all tests of one file share. It starts with the first call and ends with the process.
    pub async fn shared() -> Result<&'static Self> {
        let start = || async { Self::start().await.map_err(|failure| failure.to_string()) };
        Box::pin(SHARED.get_or_init(start)).await.as_ref().map_err(|reason| Failure::new(reason.clone()))
    }

    /// A bed of one's own, which ends when it is dropped.
    pub async fn start() -> Result<Self> {
        // An error means that a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = Folder::create()?;
        let control_plane = Box::pin(ControlPlane::start(&folder)).await?;
        Ok(Self {
            moto: OnceCell::new(),
            openbao: OnceCell::new(),
            control_plane,
            installed: OnceCell::new(),
            without_rules: OnceCell::new(),
            webhook_routed: OnceCell::new(),
            webhook_port: ports::free()?,
            namespaces: AtomicUsize::new(0),
            folder,
        })
    }

    /// A client with every permission. Call it in each test: its connections belong to the runtime of the test.
    pub fn admin(&self) -> Result<Client> {
        self.control_plane.admin()
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig_admin(&self) -> &Path {
        &self.control_plane.admin_kubeconfig
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        &self.control_plane.server
    }

    /// The authority of every TLS server of the bed, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.control_plane.certificates.ca_pem
    }

    /// The folder of the bed's files; logs are in `logs`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Creates a namespace that no other test has, and returns its name.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{number}-{}", ports::random_word());
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::<Namespace>::all(self.admin()?).create(&PostParams::default(), &namespace).await?;
        Ok(name)
    }

    /// Runs `kubectl` as the administrator, with `stdin` as its input. A refusal is not a failure: look at the output.
    pub async fn kubectl(&self, arguments: &[&str], stdin: &str) -> Result<Output> {
        let home = self.folder.inside("kubectl")?;
        let mut child = Command::new(tools::tool("kubectl")?)
            .args(arguments)
            .env_clear()
            .env("KUBECONFIG", self.kubeconfig_admin())
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut input = child.stdin.take();
        let write = async {
            if let Some(mut input) = input.take() {
                // kubectl may end without reading all of it; its output tells why.
                let _ = input.write_all(stdin.as_bytes()).await;
            }
        };
        let both = async { tokio::join!(write, child.wait_with_output()).1 };
        let Ok(output) = timeout(KUBECTL, both).await else {
            return Err(Failure::new(format!("kubectl {} did not end within {KUBECTL:?}", arguments.join(" "))));
        };
        let output = output?;
        Ok(Output {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Applies manifests as a user does, and fails if the API server refuses any.
    pub async fn apply(&self, yaml: &str) -> Result {
        let output = self.kubectl(&["apply", "-f", "-"], yaml).await?;
        if output.success { Ok(()) } else { Err(Failure::new(format!("kubectl apply: {}", output.stderr))) }
    }

    /// A kubeconfig file with a token of the ServiceAccount, which is created if it does not exist.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let token = self.service_account_token(namespace, name).await?;
        let path = self.folder.inside("kubeconfigs")?.join(format!("{namespace}.{name}"));
        Access { server: self.server(), ca_pem: self.ca_pem(), token: &token }.write(&path)?;
        Ok(path)
    }

    /// A token of the ServiceAccount, which is created if it does not exist.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.admin()?, namespace);
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        match accounts.create(&PostParams::default(), &ServiceAccount { metadata, ..ServiceAccount::default() }).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            other => drop(other?),
        }
        let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await?;
        answer.status.map(|status| status.token).ok_or_else(|| {
            Failure::new(format!("the API server returned no token for ServiceAccount {namespace}/{name}"))
        })
    }

    /// Applies `manifests/crds` and what `manifests/deploy` has for the operator's identity, once per bed, and waits until the CRDs
    /// are served. Deployments are left out, since nothing runs Pods here, and webhook configurations are left to
    /// [`Bed::install_webhook`], because with them in place nothing is admitted until the webhook runs.
    pub async fn install(&self) -> Result {
        let install = || async {
            install::operator(self).await?;
            self.control_plane.restart_controllers(&self.folder).await
        };
        Box::pin(self.installed.get_or_try_init(install)).await.copied()
    }

    /// Installs, once per bed, and takes the rules that our definitions share with the webhook out of them, as definitions that are
    /// older or the Go operator's lack them: what breaks the rules can be stored. Before the webhook is installed.
    pub async fn install_without_rules(&self) -> Result {
        self.install().await?;
        Box::pin(self.without_rules.get_or_try_init(|| install::definitions(self, false))).await.copied()
    }

    /// Puts the rules back. What was stored meanwhile stays.
    pub async fn restore_rules(&self) -> Result {
        Box::pin(install::definitions(self, true)).await
    }

    /// Applies the webhook configurations of `manifests/deploy`, once per bed, so that the API server calls the webhook process of
    /// [`Bed::operator`]. The Service form stays as shipped: the Service becomes an `ExternalName` for 127.0.0.1, and only the port
    /// of the configuration is the process's own, so names in certificates are those of a real cluster.
    pub async fn install_webhook(&self) -> Result {
        self.install().await?;
        self.webhook_routed.get_or_try_init(|| install::webhook(self, self.webhook_port)).await.copied()
    }

    /// Installs and starts everything that judges what users write: cert-controller and webhook, with a kubelet that delivers the
    /// certificate `delay` after each change. One at a time per bed.
    pub async fn admission(&self, delay: Duration) -> Result<Admission> {
        self.admission_with(delay, &[]).await
    }

    /// The same, with flags of the webhook.
    pub async fn admission_with(&self, delay: Duration, flags: &[&str]) -> Result<Admission> {
        Box::pin(Admission::start(self, delay, flags)).await
    }

    /// Where a webhook process of this bed reads its certificate, unless it is told another folder.
    pub fn webhook_certificate_folder(&self) -> Result<PathBuf> {
        self.folder.inside("webhook-certificates")
    }

    /// The port on which the webhook process of this bed serves admission requests.
    pub fn webhook_port(&self) -> u16 {
        self.webhook_port
    }

    /// Starts a binary of this workspace as its own ServiceAccount and waits until it answers on its health address. Its flags are
    /// `arguments`, then addresses and folders of the bed, then those of our Deployment; the first wins.
    pub async fn operator(&self, binary: Binary, arguments: &[&str]) -> Result<Process> {
        self.operator_with(binary, arguments, &[]).await
    }

    /// The same, with variables in the otherwise empty environment, such as those of [`Moto::environment`].
    pub async fn operator_with(
        &self,
        binary: Binary,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Result<Process> {
        Box::pin(Process::start(self, &self.folder, binary, arguments, environment)).await
    }

    /// Ends the API server, as a crash does. For a bed of one's own: its other tests would fail.
    pub async fn stop_api_server(&self) -> Result {
        self.control_plane.stop_api_server().await
    }

    /// Starts it again, at the same address and with what it held, and waits until it is ready.
    pub async fn start_api_server(&self) -> Result {
        self.control_plane.start_api_server(&self.folder).await
    }

    /// A proxy for the controller of one namespace: start it with [`Proxy::environment`], and let its stores name
    /// [`Proxy::store`].
    pub async fn proxy(&self, namespace: &str) -> Result<Proxy> {
        Box::pin(Proxy::start(self, &self.folder, namespace)).await
    }

    /// A proxy for a binary that works with the API server only.
    pub async fn api_proxy(&self, binary: Binary) -> Result<Proxy> {
        Box::pin(Proxy::start_for(self, &self.folder, binary)).await
    }

    /// OpenBao, started with the first call.
    pub async fn bao(&self) -> Result<&OpenBao> {
        let start = || OpenBao::start(self, &self.folder, &self.control_plane.certificates);
        Box::pin(self.openbao.get_or_try_init(start)).await
    }

    /// An OpenBao of one's own, to stop, start again and seal.
    pub async fn lasting_bao(&self) -> Result<LastingBao> {
        Box::pin(LastingBao::start(&self.folder)).await
    }

    /// The AWS stand-in, started with the first call.
    pub async fn moto(&self) -> Result<&Moto> {
        Box::pin(self.moto.get_or_try_init(|| Moto::start(&self.folder))).await
    }

    /// A port on which nobody listens, for the address of a server that is down.
    pub fn unused_port(&self) -> Result<u16> {
        ports::free()
    }

    /// This moment in the API server's audit log.
    pub async fn api_mark(&self) -> Result<Mark> {
        self.audit_caught_up().await?;
        Ok(self.audit().end())
    }

    /// What the API server answered since the mark, including the bed's own requests.
    pub async fn api_requests_since(&self, mark: Mark) -> Result<Requests<ApiRequest>> {
        self.audit_caught_up().await?;
        Ok(Requests::parse(self.audit().since(mark)?))
    }

    /// Plays the kubelet for one volume: keeps `folder` in step with the Secret, `delay` after each change, until the returned value
    /// is dropped. What was read before the delay is written after it, as old as it is.
    pub fn project_webhook_secret(
        &self,
        namespace: &str,
        secret: &str,
        folder: &Path,
        delay: impl Into<Delay>,
    ) -> Result<Projection> {
        Projection::start(self.control_plane.admin_config(), namespace, secret, folder, delay.into())
    }

    fn audit(&self) -> JsonLog {
        JsonLog::new(self.control_plane.audit_log.clone())
    }

    /// Sends a request that nobody else sends and waits for its line.
    async fn audit_caught_up(&self) -> Result {
        let from = self.audit().end();
        let path = format!("/livez/ping?bed={}", ports::random_word());
        let request = http::Request::get(&path).body(Vec::new())?;
        self.admin()?.request_text(request).await?;
        wait::until("the audit log to catch up", Duration::from_secs(20), || async {
            let events: Vec<ApiEvent> = self.audit().since(from).map_err(|failure| failure.to_string())?;
            if events.iter().any(|event| event.path() == path) { Ok(()) } else { Err("its line is not there".into()) }
        })
        .await
    }
}
