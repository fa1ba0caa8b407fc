//! The binaries under test, each as a process with the permissions of its own ServiceAccount and an environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    bed::Bed,
    control_plane::wait_for_server,
    failure::{Failure, Result},
    folder::Folder,
    http_client, install,
    leash::{Launch, Leashed},
    ports, tools, wait,
};

/// Where the operator is installed.
pub const OPERATOR_NAMESPACE: &str = "external-secrets";

/// What a process may take to stop on SIGTERM: less than the grace period of a Pod.
const STOP: Duration = Duration::from_secs(20);

/// A binary of this workspace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Binary {
    Controller,
    Webhook,
    CertController,
}

impl Binary {
    /// The file in the target folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Webhook => "webhook",
            Self::CertController => "cert-controller",
        }
    }

    /// The ServiceAccount, in [`OPERATOR_NAMESPACE`].
    pub fn service_account(self) -> &'static str {
        match self {
            Self::Controller => "external-secrets",
            Self::Webhook => "external-secrets-webhook",
            Self::CertController => "external-secrets-cert-controller",
        }
    }

    /// The flag that sets where health is served.
    fn health_flag(self) -> &'static str {
        match self {
            Self::Controller => "--live-addr",
            Self::Webhook | Self::CertController => "--healthz-addr",
        }
    }
}

/// A running binary. It ends when this value is dropped.
pub struct Process {
    binary: Binary,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    health: String,
    metrics: String,
    certificate_folder: PathBuf,
    http: reqwest::Client,
    running: Option<Leashed>,
}

impl Process {
    pub(crate) async fn start(
        bed: &Bed,
        folder: &Folder,
        binary: Binary,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Result<Self> {
        let program = tools::binary(binary.file_name())?;
        warn_if_stale(&program);
        let kubeconfig = bed.service_account_kubeconfig(OPERATOR_NAMESPACE, binary.service_account()).await?;
        let name = format!("{}-{}", binary.file_name(), ports::random_word());
        let home = folder.inside(&format!("home/{name}"))?;
        let mut variables = vec![
            ("KUBECONFIG".to_owned(), kubeconfig.display().to_string()),
            ("HOME".to_owned(), home.display().to_string()),
            ("RUST_BACKTRACE".to_owned(), "1".to_owned()),
        ];
        variables.extend_from_slice(environment);
        let mut flags = Flags(arguments.iter().map(|&argument| argument.to_owned()).collect());
        let certificate_folder = bed.webhook_certificate_folder()?;
        if binary == Binary::Webhook {
            flags.or_set("--port", || Ok(bed.webhook_port().to_string()))?;
            flags.or_set("--bind-address", || Ok("127.0.0.1".to_owned()))?;
        }
        let certificates = match binary {
            Binary::Webhook => flags.or_set("--cert-dir", || Ok(certificate_folder.display().to_string()))?,
            _ => String::new(),
        };
        let health = flags.or_set(binary.health_flag(), free_address)?;
        let metrics = flags.or_set("--metrics-addr", free_address)?;
        flags.and_shipped(install::shipped_arguments(binary)?);
        let mut process = Self {
            binary,
            program,
            health: format!("http://{health}"),
            metrics: format!("http://{metrics}/metrics"),
            arguments: flags.0,
            environment: variables,
            log: folder.log(&name),
            certificate_folder: PathBuf::from(certificates),
            http: http_client::new(None)?,
            running: None,
        };
        process.launch().await?;
        Ok(process)
    }

    /// The process id.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Leashed::pid)
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// Where the webhook reads its certificate.
    pub fn certificate_folder(&self) -> &Path {
        &self.certificate_folder
    }

    /// Where `/healthz` and `/readyz` are, without a slash at the end.
    pub fn health_url(&self) -> &str {
        &self.health
    }

    /// Whether `/readyz` answers with success now; the reason if not.
    pub async fn ready(&self) -> std::result::Result<(), String> {
        http_client::answers(self.http.get(format!("{}/readyz", self.health))).await
    }

    /// Waits until `/readyz` answers with success.
    pub async fn wait_ready(&self, deadline: Duration) -> Result {
        let what = format!("{} to be ready", self.binary.file_name());
        wait::until(&what, deadline, || self.ready()).await.map_err(|failure| self.with_log(&failure))
    }

    /// All metrics in the text format.
    pub async fn metrics(&self) -> Result<String> {
        Ok(self.http.get(&self.metrics).send().await?.error_for_status()?.text().await?)
    }

    /// The sum of the samples of one metric whose labels contain all of `labels`, each written `name="value"`; none if there is none.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> Result<Option<f64>> {
        Ok(sum(&self.metrics().await?, name, labels))
    }

    /// Everything that the process has logged, over all restarts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends SIGTERM and waits until the process has stopped by itself; the exit code.
    pub async fn kill(&mut self) -> Result<i32> {
        let Some(process) = self.running.take() else { return Err(self.not_running()) };
        let code = blocking(process, |process| process.terminate(STOP)).await?;
        code.ok_or_else(|| self.with_log(&Failure::new("SIGTERM ended the process instead of being handled")))
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill_9(&mut self) -> Result {
        let Some(process) = self.running.take() else { return Err(self.not_running()) };
        blocking(process, Leashed::kill).await.map(drop)
    }

    /// Starts the process again with the same arguments, after a kill or in place of one.
    pub async fn restart(&mut self) -> Result {
        if self.running.is_some() {
            self.kill().await?;
        }
        self.launch().await
    }

    /// The controller is waited for until it is ready. The other two are not ready without a certificate, which a test may be about,
    /// so they only have to answer.
    async fn launch(&mut self) -> Result {
        let mut process = Leashed::start(Launch {
            program: &self.program,
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            log: self.log.clone(),
        })?;
        let url = format!("{}/readyz", self.health);
        let must_be_ready = self.binary == Binary::Controller;
        let look = || async {
            let outcome = http_client::answers(self.http.get(&url)).await;
            let answered = outcome.as_ref().is_err_and(|reason| reason.starts_with('5'));
            if answered && !must_be_ready { Ok(()) } else { outcome }
        };
        wait_for_server(self.binary.file_name(), &mut process, look).await?;
        self.running = Some(process);
        Ok(())
    }

    fn not_running(&self) -> Failure {
        Failure::new(format!("{} does not run: start it with restart()", self.binary.file_name()))
    }

    fn with_log(&self, failure: &Failure) -> Failure {
        Failure::new(format!("{failure}\n{}", crate::leash::tail(&self.log)))
    }
}

/// The leash is waited for in steps of milliseconds, which must not hold up the other tasks of a test.
async fn blocking<T: Send + 'static>(
    mut process: Leashed,
    act: impl FnOnce(&mut Leashed) -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(move || act(&mut process)).await?
}

/// The arguments of a process, as `--name=value` or `--name value`.
struct Flags(Vec<String>);

impl Flags {
    fn value(&self, name: &str) -> Option<String> {
        let position =
            self.0.iter().position(|argument| argument == name || argument.starts_with(&format!("{name}=")))?;
        let argument = self.0.get(position)?;
        argument.split_once('=').map(|(_, value)| value.to_owned()).or_else(|| self.0.get(position + 1).cloned())
    }

    /// The value that is set, or the default, which is set then.
    fn or_set(&mut self, name: &str, default: impl FnOnce() -> Result<String>) -> Result<String> {
        if let Some(value) = self.value(name) {
            return Ok(value);
        }
        let value = default()?;
        self.0.push(format!("{name}={value}"));
        Ok(value)
    }

    /// Adds the flags of our Deployment that are not set yet.
    fn and_shipped(&mut self, shipped: Vec<String>) {
        let unset = |argument: &String| {
            let name = argument.split_once('=').map_or(argument.as_str(), |(name, _)| name);
            self.value(name).is_none()
        };
        let added: Vec<String> = shipped.into_iter().filter(unset).collect();
        self.0.extend(added);
    }
}

fn free_address() -> Result<String> {
    Ok(format!("127.0.0.1:{}", ports::free()?))
}

/// Says when a binary is older than a source that it was built from: `cargo test -p tests` does not build the other crates.
fn warn_if_stale(program: &Path) {
    let modified = |path: &Path| path.metadata().and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let sources = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let built = modified(program);
    let newer = sources.split_whitespace().skip(1).map(Path::new).find(|source| modified(source) > built);
    if let Some(source) = newer {
        eprintln!(
            "test bed: {} is older than {}; run `make build` to test what is written",
            program.display(),
            source.display()
        );
    }
}

fn sum(metrics: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let samples = metrics.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (series_name, series_labels) = series.split_once('{').unwrap_or((series, ""));
        let fits = series_name == name && labels.iter().all(|label| series_labels.contains(label));
        fits.then(|| value.parse::<f64>().ok()).flatten()
    });
    samples.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_test_win_over_those_of_the_bed() {
        let mut flags = Flags(vec!["--port=1".into(), "--metrics-addr".into(), "127.0.0.1:2".into()]);
        assert_eq!(flags.or_set("--port", || Ok("9".into())).unwrap(), "1");
        assert_eq!(flags.or_set("--metrics-addr", free_address).unwrap(), "127.0.0.1:2");
        assert_eq!(flags.or_set("--live-addr", || Ok("127.0.0.1:3".into())).unwrap(), "127.0.0.1:3");
        flags.and_shipped(vec!["--port=10250".into(), "--dns-name=webhook.svc".into()]);
        assert_eq!(flags.0[3..], ["--live-addr=127.0.0.1:3", "--dns-name=webhook.svc"]);
    }

    #[test]
    fn samples_with_the_labels_are_summed() {
        let text = "# TYPE calls counter\ncalls{call=\"Login\",status=\"success\"} 2\ncalls{call=\"Login\",status=\"error\"} 1\ncalls_total 9\n";
        assert_eq!(sum(text, "calls", &["call=\"Login\""]), Some(3.0));
        assert_eq!(sum(text, "calls", &["status=\"error\""]), Some(1.0));
        assert_eq!(sum(text, "absent", &[]), None);
    }
}
