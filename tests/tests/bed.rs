//! What the test bed promises to every other test.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, api::DeleteParams};
use serde_json::json;
use tests::{Bed, Binary, Failure, Result, wait};

/// Set in the copy of this test program that is killed.
const VICTIM: &str = "BED_SMOKE_VICTIM";

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn api_server_counts_requests_by_user_and_verb() -> Result {
    let bed = Bed::shared().await?;
    let namespace = bed.namespace("counts").await?;
    let mark = bed.api_mark().await?;
    bed.apply(&format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a, namespace: {namespace}}}}}")).await?;
    let ours = bed.api_requests_since(mark).await?.in_namespace(&namespace);
    assert_eq!(ours.by("bed-admin").resource("configmaps").writes().len(), 1, "{ours}");
    let mark = bed.api_mark().await?;
    assert!(bed.api_requests_since(mark).await?.in_namespace(&namespace).is_empty());
    Ok(())
}

#[tokio::test]
async fn owned_objects_and_namespaces_are_collected() -> Result {
    let bed = Bed::shared().await?;
    let namespace = bed.namespace("collected").await?;
    let config_maps = Api::<ConfigMap>::namespaced(bed.admin()?, &namespace);
    wait::object(&config_maps, "kube-root-ca.crt", "published", SOON, |_| true).await?;
    bed.apply(&format!("{{apiVersion: v1, kind: Secret, metadata: {{name: owner, namespace: {namespace}}}}}")).await?;
    let secrets = Api::<Secret>::namespaced(bed.admin()?, &namespace);
    let owner = secrets.get("owner").await?;
    let reference = json!({"apiVersion": "v1", "kind": "Secret", "name": "owner", "uid": owner.metadata.uid});
    let metadata = json!({"name": "owned", "namespace": namespace, "ownerReferences": [reference]});
    bed.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}).to_string()).await?;
    secrets.delete("owner", &DeleteParams::default()).await?;
    wait::gone(&secrets, "owned", SOON).await
}

#[tokio::test]
async fn service_accounts_have_no_permission_that_is_not_given() -> Result {
    let bed = Bed::shared().await?;
    let namespace = bed.namespace("rbac").await?;
    let kubeconfig = bed.service_account_kubeconfig(&namespace, "nobody").await?;
    let asked = ["--kubeconfig", &kubeconfig.display().to_string(), "auth", "can-i", "get", "secrets"];
    let answer = bed.kubectl(&asked, "").await?;
    assert_eq!(answer.stdout.trim(), "no", "{}", answer.stderr);
    Ok(())
}

#[tokio::test]
async fn controller_runs_as_its_own_account_and_comes_back_after_a_kill() -> Result {
    let bed = Bed::shared().await?;
    bed.install().await?;
    let mark = bed.api_mark().await?;
    let mut controller = bed.operator(Binary::Controller, &[]).await?;
    assert!(!controller.metrics().await?.is_empty());
    let first = controller.pid();
    controller.kill_9().await?;
    assert!(!controller.is_running());
    controller.restart().await?;
    assert_ne!(controller.pid(), first);
    assert_eq!(controller.kill().await?, 0, "{}", controller.log());
    let seen = bed.api_requests_since(mark).await?.of(Binary::Controller);
    assert!(!seen.reads().resource("externalsecrets").is_empty(), "{seen}");
    let refused = seen.filter(|request| request.status == 403);
    assert!(refused.is_empty(), "our RBAC lacks what the controller asks for: {refused}");
    Ok(())
}

#[tokio::test]
async fn api_server_asks_the_webhook_with_the_certificate_that_was_projected() -> Result {
    let bed = Bed::shared().await?;
    let admission = bed.admission(Duration::ZERO).await?;
    let namespace = bed.namespace("asked").await?;
    let metadata = json!({"name": "nothing", "namespace": namespace});
    let empty = json!({"secretStoreRef": {"name": "store"}, "dataFrom": [{"extract": {"key": ""}}]});
    let object =
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": metadata, "spec": empty});
    let answer = bed.kubectl(&["create", "-f", "-"], &object.to_string()).await?;
    assert!(!answer.success && answer.stderr.contains("denied the request"), "{}", answer.stderr);
    drop(admission);
    let answer = bed.kubectl(&["create", "-f", "-"], &object.to_string()).await?;
    assert!(!answer.success && answer.stderr.contains("connection refused"), "{}", answer.stderr);
    Ok(())
}

#[tokio::test]
async fn openbao_logs_a_service_account_in_and_counts_what_it_reads() -> Result {
    let bed = Bed::shared().await?;
    let bao = bed.bao().await?;
    let namespace = bed.namespace("bao").await?;
    bao.put("secret/team/db", &json!({"password": "v2"})).await?;
    bao.put("kv/team/db", &json!({"password": "v1"})).await?;
    bao.policy("team", r#"path "secret/data/team/*" { capabilities = ["read"] }"#).await?;
    bao.kubernetes_role(bed.admin()?, "team", (&namespace, "app"), &["team"]).await?;
    let jwt = bed.service_account_token(&namespace, "app").await?;

    let mark = bao.mark();
    let http = reqwest::Client::new();
    let login =
        http.post(format!("{}/v1/auth/kubernetes/login", bao.address)).json(&json!({"role": "team", "jwt": jwt}));
    let login: serde_json::Value = login.send().await?.json().await?;
    let token = login["auth"]["client_token"].as_str().ok_or_else(|| Failure::new(format!("no token in {login}")))?;
    let url = format!("{}/v1/secret/data/team/db", bao.tls_address);
    let ca = reqwest::Certificate::from_pem(bed.ca_pem().as_bytes())?;
    let tls = reqwest::Client::builder().tls_certs_only([ca]).build()?;
    let read: serde_json::Value = tls.get(url).header("X-Vault-Token", token).send().await?.json().await?;
    assert_eq!(read["data"]["data"]["password"], "v2");
    assert_eq!(bao.read("kv/team/db").await?["data"]["password"], "v1");

    let seen = bao.requests_since(mark)?;
    assert_eq!(seen.logins().len(), 1, "{seen}");
    assert_eq!(seen.operation("read").path("secret/data/team/db").len(), 1, "{seen}");
    assert!(seen.path("kv/team/db").is_empty(), "the bed's own requests do not count: {seen}");
    bao.delete("secret/team/db").await?;
    assert!(bao.read("secret/data/team/db").await.is_err());
    Ok(())
}

#[tokio::test]
async fn moto_keeps_secrets_and_counts_requests() -> Result {
    let bed = Bed::shared().await?;
    let moto = bed.moto().await?;
    moto.put_secret("us-east-1", "db", "first").await?;
    moto.put_secret("us-east-1", "db", "second").await?;
    let current = moto.secrets_manager("us-east-1", "GetSecretValue", &json!({"SecretId": "db"})).await?;
    assert_eq!(current["SecretString"], "second");

    let mark = moto.mark();
    let form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/app\
                &RoleSessionName=test&WebIdentityToken=token";
    let request = reqwest::Client::new().post(&moto.url).header("Content-Type", "application/x-www-form-urlencoded");
    assert!(request.body(form).send().await?.status().is_success());
    let seen = moto.requests_since(mark)?;
    assert_eq!(seen.action("AssumeRoleWithWebIdentity").len(), 1, "{seen}");
    assert_eq!(seen.len(), 1, "{seen}");
    Ok(())
}

#[tokio::test]
async fn secret_is_projected_as_a_kubelet_does() -> Result {
    let bed = Bed::shared().await?;
    let namespace = bed.namespace("projected").await?;
    let folder = bed.folder().join("projected");
    let projection = bed.project_webhook_secret(&namespace, "tls", &folder, Duration::ZERO)?;
    for (count, value) in [(1, "b25l"), (2, "dHdv")] {
        let metadata = json!({"name": "tls", "namespace": namespace});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"tls.crt": value}});
        bed.apply(&secret.to_string()).await?;
        projection.wait_versions(count, SOON).await?;
    }
    assert_eq!(std::fs::read_to_string(folder.join("tls.crt"))?, "two");
    Ok(())
}

/// Runs only in the copy that [`nothing_is_left_when_the_test_process_is_killed`] starts: shows what it started, and stays.
#[tokio::test]
async fn victim() -> Result {
    if std::env::var(VICTIM).is_err() {
        return Ok(());
    }
    let bed = Bed::shared().await?;
    bed.bao().await?;
    println!("\nfolder {}", bed.folder().display());
    std::future::pending().await
}

#[test]
fn nothing_is_left_when_the_test_process_is_killed() -> Result {
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, "1")
        .env_remove("BED_KEEP")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = victim.stdout.take().ok_or_else(|| Failure::new("the victim has no output"))?;
    let folder = BufReader::new(output)
        .lines()
        .map_while(std::result::Result::ok)
        .find_map(|line| line.strip_prefix("folder ").map(str::to_owned));
    let folder = folder.ok_or_else(|| Failure::new("the victim's bed did not start"))?;
    let started = processes_that_name(&folder)?;
    assert!(started.len() >= 4, "etcd, two of Kubernetes, OpenBao: {started:?}");

    victim.kill()?;
    victim.wait()?;
    let end = Instant::now() + SOON;
    while !processes_that_name(&folder)?.is_empty() || Path::new(&folder).exists() {
        assert!(Instant::now() < end, "left in {folder}: {:?}", processes_that_name(&folder)?);
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The command lines of all processes that work in a folder: servers, their leashes and the janitor.
fn processes_that_name(folder: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        // A process may end between the listing and the look; then there is no command line.
        let words = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&words).replace('\0', " ");
        if line.contains(folder) {
            found.push(line);
        }
    }
    Ok(found)
}
