//! The methods that OpenBao lacks, as the page has them, against a server that checks each login as Vault defines it.

use serde_json::{Value, json};
use support::{
    Scene,
    manifest::{external_secret, reads, secret, secret_store, with},
};
use tests::{
    Binary, Process, Result,
    strict_vault::{EXTERNAL_ID, LDAP_PASSWORD, ROLE, SERVER_ID, StrictVault},
};

use crate::{page::Reader, support};

/// A server of one test, and a controller that takes AWS and Google to be there.
async fn scene(prefix: &str) -> Result<(Reader, StrictVault, Process)> {
    let vault = StrictVault::start().await?;
    let scene = Scene::without_controller(prefix).await?;
    let class = scene.namespace.clone();
    let reader = Reader::new(scene, &class).await?;
    let flags = ["--namespace", &class, "--controller-class", &class];
    let controller = reader.bed().operator_with(Binary::Controller, &flags, &vault.environment()).await?;
    Ok((reader, vault, controller))
}

/// Requests that begin with these words.
fn count(vault: &StrictVault, words: &str) -> usize {
    vault.requests().iter().filter(|request| request.starts_with(words)).count()
}

/// A store with this login, and what it serves.
async fn serves(scene: &Scene, vault: &StrictVault, name: &str, auth: &Value) -> Result {
    let provider = json!({"vault": {"server": vault.address, "path": "secret", "auth": auth}});
    let store = with(secret_store(name, &provider), &json!({"spec": {"controller": scene.namespace}}));
    scene.apply(&store).await?;
    let remote =
        json!({"data": [{"secretKey": "password", "remoteRef": {"key": "team-a/db", "property": "password"}}]});
    scene.apply(&external_secret(name, &with(reads(name, &[]), &remote))).await?;
    scene.holds(name, &[("password", "from-vault")]).await?;
    Ok(())
}

#[tokio::test]
async fn ldap() -> Result {
    let (reader, vault, mut controller) = scene("ldap").await?;
    reader.put("ldap-password.txt", LDAP_PASSWORD)?;
    reader.prepare_namespace("LDAP").await?;
    reader.apply("LDAP", &vault.address).await?;
    reader.is_served().await?;
    assert_eq!(count(&vault, "login ldap"), 1, "{:?}", vault.requests());
    controller.kill().await?;
    assert_eq!(count(&vault, "POST /v1/auth/token/revoke-self"), 1, "{:?}", vault.requests());
    Ok(())
}

#[tokio::test]
async fn ldap_password_that_is_wrong_is_named_and_its_correction_counts() -> Result {
    let (reader, vault, _controller) = scene("ldap-wrong").await?;
    reader.put("ldap-password.txt", "wrong horse\n")?;
    reader.prepare_namespace("LDAP").await?;
    reader.apply("LDAP", &vault.address).await?;
    let ready = reader.scene.store_fails("SecretStore", "vault", "VaultLoginDenied").await?;
    let words = ["user \"external-secrets\" at auth/ldap", "Secret", "ends in a line break", "ldap operation failed"];
    support::says(&ready.message, &words);
    assert!(!ready.message.contains("horse"), "{}", ready.message);
    reader.scene.apply(&secret("vault-ldap", &[("password", LDAP_PASSWORD)])).await?;
    reader.is_served().await
}

#[tokio::test]
async fn iam_with_an_access_key() -> Result {
    let (reader, vault, _controller) = scene("iam").await?;
    let key = vault.access_key();
    reader.put("access-key-id.txt", &key.id)?;
    reader.put("secret-access-key.txt", &format!("{}\n", key.secret))?;
    reader.prepare_namespace("AWS").await?;
    reader.apply("AWS", &vault.address).await?;
    reader.is_served().await?;
    assert_eq!(count(&vault, &format!("login iam {}", key.id)), 1, "{:?}", vault.requests());
    Ok(())
}

#[tokio::test]
async fn iam_with_a_role_a_service_account_and_the_pod_s_own_identity() -> Result {
    let (reader, vault, _controller) = scene("iam-more").await?;
    let (scene, key) = (&reader.scene, vault.access_key());
    scene.apply(&secret("keys", &[("id", &key.id), ("secret", &key.secret)])).await?;
    let arn = "arn:aws:iam::123456789012:role/team-a";
    scene
        .apply(&json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "app", "annotations": {"eks.amazonaws.com/role-arn": arn}},
        }))
        .await?;
    let iam = |more: &Value| {
        let all = json!({"vaultRole": ROLE, "vaultAwsIamServerID": SERVER_ID});
        json!({"iam": with(all, more)})
    };
    let keys = json!({
        "accessKeyIDSecretRef": {"name": "keys", "key": "id"},
        "secretAccessKeySecretRef": {"name": "keys", "key": "secret"},
    });
    let role = json!({"secretRef": keys, "role": arn, "externalID": EXTERNAL_ID});
    serves(scene, &vault, "role", &iam(&role)).await?;
    assert_eq!(count(&vault, &format!("AssumeRole {arn}")), 1, "{:?}", vault.requests());
    serves(scene, &vault, "account", &iam(&json!({"jwt": {"serviceAccountRef": {"name": "app"}}}))).await?;
    assert_eq!(count(&vault, &format!("AssumeRoleWithWebIdentity {arn}")), 1, "{:?}", vault.requests());
    serves(scene, &vault, "pod", &iam(&json!({}))).await?;
    assert_eq!(count(&vault, "pod identity"), 1, "{:?}", vault.requests());
    assert_eq!(count(&vault, "login iam"), 3, "{:?}", vault.requests());
    Ok(())
}

#[tokio::test]
async fn gcp_with_a_key_and_with_the_controller_s_own_identity() -> Result {
    let (reader, vault, _controller) = scene("gcp").await?;
    reader.put("key.json", &vault.google_key()?)?;
    reader.prepare_namespace("Google Cloud").await?;
    reader.apply("Google Cloud", &vault.address).await?;
    reader.is_served().await?;
    assert_eq!((count(&vault, "login gcp iam"), count(&vault, "metadata")), (1, 0), "{:?}", vault.requests());
    serves(&reader.scene, &vault, "machine", &json!({"gcp": {"role": ROLE}})).await?;
    assert_eq!((count(&vault, "login gcp gce"), count(&vault, "metadata")), (1, 1), "{:?}", vault.requests());
    Ok(())
}
