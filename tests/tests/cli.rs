//! The binaries as any outside program drives them: flags, help, signals, a kubeconfig that cannot be used, and who leads.

mod support;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use support::{
    SOON, Scene,
    manifest::{cluster_secret_store, external_secret, fake, reads, reads_cluster, secret_store},
    says,
};
use tests::{Bed, Binary, Failure, OPERATOR_NAMESPACE, Process, Result, wait};

const BINARIES: [Binary; 3] = [Binary::Controller, Binary::Webhook, Binary::CertController];

/// A binary of this build: they are in the folder above that of the test.
fn path(binary: Binary) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().nth(2).ok_or_else(|| Failure::new("the test is in no target folder"))?;
    Ok(folder.join(binary.file_name()))
}

/// Runs a binary to its end without any environment.
fn run(binary: Binary, arguments: &[&str]) -> Result<Output> {
    run_in(binary, arguments, &[])
}

fn run_in(binary: Binary, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    let environment = environment.iter().copied();
    let command = Command::new(path(binary)?)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(command.wait_with_output()?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_explains_every_flag() -> Result {
    let some_flags: [&[&str]; 3] = [
        &["--concurrent", "--controller-class", "--enable-leader-election", "--store-requeue-interval", "--live-addr"],
        &["--cert-dir", "--port", "--dns-name", "--check-interval", "--healthz-addr"],
        &["--service-name", "--secret-namespace", "--crd-names", "--propagation-time", "--healthz-addr"],
    ];
    for (binary, flags) in BINARIES.into_iter().zip(some_flags) {
        let output = run(binary, &["--help"])?;
        assert!(output.status.success(), "{binary:?}");
        assert!(output.stderr.is_empty(), "help is an answer, not an error");
        let help = text(&output.stdout);
        says(&help, flags);
        says(&help, &[&format!("Usage: {}", binary.file_name()), "--version"]);
        let flags = help.lines().filter(|line| line.trim_start().starts_with("--")).count();
        assert!(flags >= 9, "{help}");
    }
    Ok(())
}

#[test]
fn version_is_that_of_the_workspace() -> Result {
    for binary in BINARIES {
        let output = run(binary, &["--version"])?;
        assert!(output.status.success(), "{binary:?}");
        let expected = format!("{} {}", binary.file_name(), env!("CARGO_PKG_VERSION"));
        assert_eq!(text(&output.stdout).trim(), expected);
    }
    Ok(())
}

#[test]
fn unknown_flag_is_refused_with_the_one_that_was_meant() -> Result {
    let mistakes = [
        (Binary::Controller, "--controler-class=a", "--controller-class"),
        (Binary::Webhook, "--cert-dirs=/tmp", "--cert-dir"),
        (Binary::CertController, "--secret-names=a", "--secret-name"),
    ];
    for (binary, mistake, meant) in mistakes {
        let output = run(binary, &[mistake])?;
        assert_eq!(output.status.code(), Some(2), "{binary:?}");
        assert!(output.stdout.is_empty());
        says(&text(&output.stderr), &["unexpected argument", meant, "--help"]);
    }
    Ok(())
}

#[test]
fn value_that_cannot_be_read_is_refused_with_its_flag() -> Result {
    let mistakes = [
        (Binary::Controller, "--store-requeue-interval=5x", "--store-requeue-interval"),
        (Binary::Controller, "--enable-flood-gate=perhaps", "--enable-flood-gate"),
        (Binary::Controller, "--concurrent=0", "--concurrent"),
        (Binary::Webhook, "--port=70000", "--port"),
        (Binary::CertController, "--crd-requeue-interval=soon", "--crd-requeue-interval"),
    ];
    for (binary, mistake, flag) in mistakes {
        let output = run(binary, &[mistake])?;
        assert_eq!(output.status.code(), Some(2), "{binary:?} {mistake}");
        says(&text(&output.stderr), &[flag]);
    }
    Ok(())
}

#[test]
fn cluster_that_cannot_be_found_is_told_and_ends_the_process() -> Result {
    let folder = std::env::temp_dir().join(format!("external-secrets-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let nonsense = folder.join("nonsense");
    // What it quotes of a file that it cannot read may be a token.
    std::fs::write(&nonsense, "users: [{name: a, user: {token: canary-of-a-token")?;
    let (absent, nonsense) = (folder.join("absent").display().to_string(), nonsense.display().to_string());
    let off = ["--metrics-addr=0"];
    for binary in [Binary::Controller, Binary::CertController] {
        let health = if binary == Binary::Controller { "--live-addr=0" } else { "--healthz-addr=0" };
        for file in [&absent, &nonsense] {
            let began = Instant::now();
            let output = run_in(binary, &[off[0], health], &[("KUBECONFIG", file)])?;
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            says(&said, &[binary.file_name(), "kubeconfig", file]);
            assert!(!said.contains("panicked") && !said.contains("canary"), "{said}");
            assert!(began.elapsed() < SOON, "it gave up only after {:?}", began.elapsed());
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

#[tokio::test]
async fn flags_of_the_go_operator_are_accepted_with_a_warning() -> Result {
    let bed = Bed::shared().await?;
    bed.install().await?;
    let cases: [(Binary, &[&str], &[&str]); 3] = [
        (
            Binary::Controller,
            &[
                "--enable-push-secret-reconciler=false",
                "--metrics-secure",
                "--enable-http2=false",
                "--namespace=nowhere",
            ],
            &["--enable-push-secret-reconciler", "--metrics-secure", "--enable-http2"],
        ),
        (
            Binary::Webhook,
            &["--lookahead-interval=1h", "--metrics-auth=false"],
            &["--lookahead-interval", "--metrics-auth"],
        ),
        (Binary::CertController, &["--enable-partial-cache=true"], &["--enable-partial-cache"]),
    ];
    for (binary, arguments, ignored) in cases {
        let process = bed.operator(binary, arguments).await?;
        let log = process.log();
        for flag in ignored {
            let warned = log.lines().any(|line| line.contains("\"warn\"") && line.contains(&format!("\"{flag}\"")));
            assert!(warned, "{binary:?} {flag}: {log}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn sigterm_ends_each_process_cleanly_and_soon() -> Result {
    let bed = Bed::shared().await?;
    bed.install().await?;
    for binary in BINARIES {
        let mut process = bed.operator(binary, &[]).await?;
        let began = Instant::now();
        assert_eq!(process.kill().await?, 0, "{binary:?}: {}", process.log());
        // Nothing is in hand; the webhook serves on for a moment, so that nobody is sent to a closed port.
        assert!(began.elapsed() < Duration::from_secs(15), "{binary:?} took {:?}", began.elapsed());
        assert!(!process.log().contains("panicked"), "{}", process.log());
    }
    Ok(())
}

/// A candidate that would rather lead soon than seldom.
async fn candidate(bed: &'static Bed, namespace: &str, name: &str) -> Result<Process> {
    let arguments = [
        "--enable-leader-election",
        "--leader-election-lease-duration=3s",
        "--leader-election-renew-deadline=2s",
        "--leader-election-retry-period=300ms",
        "--namespace",
        namespace,
    ];
    let variables = [("POD_NAMESPACE", OPERATOR_NAMESPACE), ("POD_NAME", name)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    bed.operator_with(Binary::Controller, &arguments, &variables).await
}

/// Waits until the Lease is held by the candidate.
async fn leads(leases: &Api<Lease>, name: &str) -> Result {
    let held = |lease: &Lease| {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        holder.is_some_and(|holder| holder.starts_with(name))
    };
    wait::object(leases, "external-secrets-controller", &format!("held by {name}"), SOON, held).await.map(drop)
}

#[tokio::test]
async fn one_candidate_works_and_the_next_takes_over() -> Result {
    let scene = Scene::without_controller("led").await?;
    let bed = scene.bed;
    let leases: Api<Lease> = Api::namespaced(bed.admin()?, OPERATOR_NAMESPACE);
    let mut first = candidate(bed, &scene.namespace, "first").await?;
    leads(&leases, "first").await?;
    let mut second = candidate(bed, &scene.namespace, "second").await?;

    scene.apply(&secret_store("store", &fake(&[("password", "first")]))).await?;
    scene.apply(&external_secret("app", &reads("store", &[("password", "password")]))).await?;
    scene.holds("app", &[("password", "first")]).await?;
    let worked = |count: Option<f64>| count.unwrap_or_default() > 0.0;
    // The Secret is there a moment before the reconcile that wrote it is counted.
    wait::until("the leader to count its work", SOON, || async {
        let count = first.metric("externalsecret_sync_calls_total", &[]).await.map_err(|error| error.to_string())?;
        if worked(count) { Ok(()) } else { Err(format!("it counts {count:?}")) }
    })
    .await?;
    assert!(!worked(second.metric("externalsecret_sync_calls_total", &[]).await?), "a standby has worked");

    // Killed: the Lease runs out.
    first.kill_9().await?;
    leads(&leases, "second").await?;
    scene.edit_secret("app", &json!({"data": {"password": "ZWRpdGVk"}})).await?;
    scene.holds("app", &[("password", "first")]).await?;

    // Stopped: the Lease is given back, and the next need not wait for its end.
    first.restart().await?;
    assert_eq!(second.kill().await?, 0, "{}", second.log());
    leads(&leases, "first").await?;
    scene.delete_secret("app").await?;
    scene.holds("app", &[("password", "first")]).await?;
    Ok(())
}

#[tokio::test]
async fn flags_have_their_effect() -> Result {
    let scene = Scene::without_controller("flags").await?;
    let namespace = ["--namespace", &scene.namespace];
    let store = scene.unique("store");
    scene.apply(&cluster_secret_store(&store, &fake(&[("password", "first")]))).await?;
    scene.apply(&secret_store("store", &fake(&[("password", "first")]))).await?;
    scene.apply(&external_secret("of-cluster", &reads_cluster(&store, &[("password", "password")]))).await?;
    scene.apply(&external_secret("app", &reads("store", &[("password", "password")]))).await?;

    // Somebody else checks stores, and ClusterSecretStores are nobody's business.
    let unchecked =
        ["--concurrent=3", "--enable-secret-store-reconciler=false", "--enable-cluster-store-reconciler=false"];
    let mut controller = scene.bed.operator(Binary::Controller, &[&namespace[..], &unchecked].concat()).await?;
    // Ready is who answers; workers start when the caches are full.
    wait::until("three workers", SOON, || async {
        let name = "controller_runtime_max_concurrent_reconciles";
        let workers = controller.metric(name, &["controller=\"externalsecret\""]).await;
        match workers.map_err(|error| error.to_string())? {
            Some(3.0) => Ok(()),
            other => Err(format!("{other:?} workers")),
        }
    })
    .await?;
    let checked = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Valid"}]}});
    let stores = scene.ours("SecretStore");
    stores.patch_status("store", &PatchParams::default(), &Patch::Merge(checked)).await?;
    scene.holds("app", &[("password", "first")]).await?;
    let ignored = scene.ours("ExternalSecret").get("of-cluster").await?;
    assert_eq!(ignored.data.get("status"), None, "it uses a ClusterSecretStore");
    assert_eq!(controller.kill().await?, 0);

    // Every second a check.
    let often = [&namespace[..], &["--store-requeue-interval=1s"]].concat();
    let controller = scene.bed.operator(Binary::Controller, &often).await?;
    scene.holds("of-cluster", &[("password", "first")]).await?;
    wait::until("three checks of the store", SOON, || async {
        let checks = controller.metric("controller_runtime_reconcile_total", &["controller=\"secretstore\""]).await;
        let checks = checks.map_err(|error| error.to_string())?.unwrap_or_default();
        if checks >= 3.0 { Ok(()) } else { Err(format!("{checks} checks")) }
    })
    .await
}
