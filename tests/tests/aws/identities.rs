//! Each way to sign in, as the page has it, with the calls that it costs.

use serde_json::{Value, json};
use support::manifest;
use tests::{AwsGate, INSTANCE_KEY, Requests, Result, strict_vault::StrictVault};

use crate::{page::Reader, support};

/// The forms that STS was sent in this action.
fn forms(requests: &Requests<tests::MotoRequest>, action: &str, part: &str) -> Vec<String> {
    let of = requests.action(action);
    let forms = of.as_slice().iter().filter_map(|request| request.body.as_str().map(ToOwned::to_owned));
    forms.filter(|form| form.contains(part)).collect()
}

#[tokio::test]
async fn access_key() -> Result {
    let reader = Reader::new("aws-key", &[]).await?;
    reader.follow("Access key").await?;
    reader.is_served().await?;
    let signed = reader.requests().await?.filter(|request| request.access_key_id == "AKIAIOSFODNN7EXAMPLE");
    assert!(!signed.action("GetSecretValue").is_empty(), "{signed}");
    Ok(())
}

#[tokio::test]
async fn service_account() -> Result {
    let reader = Reader::new("aws-account", &[]).await?;
    reader.follow("ServiceAccount").await?;
    reader.is_served().await?;
    more(&reader, 20).await?;
    let requests = reader.requests().await?;
    let exchanges = forms(&requests, "AssumeRoleWithWebIdentity", "role%2Fteam-a");
    assert_eq!(exchanges.len(), 1, "{requests}");
    assert!(exchanges[0].contains("RoleSessionName=external-secrets-provider-aws"));
    Ok(())
}

/// More ExternalSecrets of the page's store, each refreshed once more.
async fn more(reader: &Reader, count: usize) -> Result {
    let remote =
        json!({"data": [{"secretKey": "password", "remoteRef": {"key": "team-a/db", "property": "password"}}]});
    let names: Vec<String> = (0..count).map(|number| format!("db-{number}")).collect();
    for name in &names {
        let spec = manifest::with(manifest::reads("aws", &[]), &remote);
        reader.scene.apply(&manifest::external_secret(name, &spec)).await?;
    }
    for name in &names {
        reader.scene.holds(name, &[("password", "from-aws")]).await?;
        reader.scene.force_sync(name).await?;
        reader.scene.is_synced(name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn roles_are_assumed_once_for_all() -> Result {
    let reader = Reader::new("aws-roles", &[]).await?;
    reader.follow("Roles").await?;
    reader.is_served().await?;
    more(&reader, 20).await?;
    let requests = reader.requests().await?;
    let mine = format!("Value={}", reader.scene.namespace);
    let last = forms(&requests, "AssumeRole", &mine);
    assert_eq!(last.len(), 1, "{requests}");
    for part in
        ["role%2Fteam-a", "ExternalId=team-a-7", "Key=team", "TransitiveTagKeys.member.1=team", "Key=esoStoreKind"]
    {
        assert!(last[0].contains(part), "{part} in {}", last[0]);
    }
    let landing = forms(&requests, "AssumeRole", "role%2Flanding");
    assert_eq!(landing.len(), 1, "{requests}");
    assert!(!landing[0].contains("Tags") && !landing[0].contains("ExternalId"), "{}", landing[0]);
    Ok(())
}

#[tokio::test]
async fn environment_of_the_controller() -> Result {
    let reader = Reader::new("aws-env", &[("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "any")]).await?;
    own_identity(&reader, "AKIAENV").await
}

#[tokio::test]
async fn irsa_of_the_controller() -> Result {
    let bed = tests::Bed::shared().await?;
    let token = bed.folder().join("irsa-token");
    std::fs::write(&token, "a.b.c")?;
    let sts = bed.moto().await?.url.clone();
    let environment = [
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/controller"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &token.display().to_string()),
        ("AWS_ENDPOINT_URL_STS", &sts),
    ];
    let reader = Reader::new("aws-irsa", &environment).await?;
    reader.follow("The controller's own identity").await?;
    // A second store shares the exchange.
    let aws = json!({"aws": {"service": "SecretsManager", "region": crate::REGION}});
    reader.scene.apply(&manifest::secret_store("second", &aws)).await?;
    reader
        .scene
        .apply(&manifest::external_secret("second", &manifest::reads("second", &[("all", "team-a/db")])))
        .await?;
    reader.is_served().await?;
    reader.scene.holds("second", &[("all", r#"{"password":"from-aws"}"#)]).await?;
    let requests = reader.requests().await?;
    assert_eq!(forms(&requests, "AssumeRoleWithWebIdentity", "role%2Fcontroller").len(), 1, "{requests}");
    Ok(())
}

#[tokio::test]
async fn pod_identity_of_the_controller() -> Result {
    let agent = StrictVault::start().await?;
    let environment = agent.environment();
    let is_of_pod = |name: &str| name.starts_with("AWS_CONTAINER_");
    let environment: Vec<_> =
        environment.iter().filter(|(name, _)| is_of_pod(name)).map(|(name, value)| (&**name, &**value)).collect();
    let reader = Reader::new("aws-pod", &environment).await?;
    own_identity(&reader, "AKIA").await
}

#[tokio::test]
async fn instance_of_the_controller() -> Result {
    let gate = AwsGate::start(tests::Bed::shared().await?.moto().await?, &[]).await?;
    let reader = Reader::new("aws-instance", &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &gate.url)]).await?;
    own_identity(&reader, INSTANCE_KEY).await
}

/// `key`: how the id of the key begins that reads are signed with.
async fn own_identity(reader: &Reader, key: &str) -> Result {
    reader.follow("The controller's own identity").await?;
    reader.is_served().await?;
    let signed = reader.requests().await?.filter(|request| request.access_key_id.starts_with(key));
    assert!(!signed.action("GetSecretValue").is_empty(), "{signed}");
    Ok(())
}

#[tokio::test]
async fn store_without_credentials_anywhere_says_so() -> Result {
    let reader = Reader::new("aws-none", &[("AWS_EC2_METADATA_DISABLED", "true")]).await?;
    reader.follow("The controller's own identity").await?;
    let said = reader.scene.store_fails("SecretStore", "aws", "AwsCredentialsInvalid").await?;
    support::says(&said.message, &["spec.provider.aws", "give the controller's Pod an identity"]);
    Ok(())
}

#[tokio::test]
async fn request_ids_and_keys_stay_out_of_what_is_told() -> Result {
    let reader = Reader::new("aws-told", &[]).await?;
    reader.follow("Access key").await?;
    reader.is_served().await?;
    let spec = manifest::reads("aws", &[("value", "team-a/none")]);
    reader.scene.apply(&manifest::external_secret("none", &spec)).await?;
    let said = reader.scene.fails("none", "RemoteSecretMissing").await?;
    let text = said.message.to_lowercase();
    assert!(!text.contains("request") && !text.contains("akia"), "{text}");
    // What is marked for deletion is not there, either.
    let moto = reader.scene.bed.moto().await?;
    let name = format!("{}/going", reader.scene.namespace);
    moto.put_secret(crate::REGION, &name, "x").await?;
    let _: Value = moto.secrets_manager(crate::REGION, "DeleteSecret", &json!({"SecretId": name})).await?;
    reader.scene.apply(&manifest::external_secret("going", &manifest::reads("aws", &[("value", &name)]))).await?;
    reader.scene.fails("going", "RemoteSecretMissing").await.map(drop)
}
