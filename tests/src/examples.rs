//! The manifests of `manifests/examples` on the bed, and all that their README asks an administrator to do before.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    bed::Bed,
    failure::{Failure, Result},
    install,
    moto::Moto,
    openbao::OpenBao,
    operator::{Binary, OPERATOR_NAMESPACE},
    tools, wait,
};

/// The folders, in the order of their README.
pub const FOLDERS: [&str; 4] = ["01-vault-token", "02-vault-kubernetes", "03-aws-static-keys", "04-irsa-and-vault"];

/// A new mount takes a moment before it stores anything.
const MOUNTED: Duration = Duration::from_secs(20);

/// Longer than any run of the bed.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// One of the folders.
pub fn folder(name: &str) -> std::path::PathBuf {
    tools::repository().join("manifests/examples").join(name)
}

/// The manifests of a folder in the order of their files, with every Vault server replaced by the bed's.
pub fn documents(folder: &Path, vault: &str) -> Result<Vec<Value>> {
    let mut documents = install::read(folder)?;
    for document in &mut documents {
        if let Some(server) = document.pointer_mut("/spec/provider/vault/server") {
            *server = json!(vault);
        }
    }
    Ok(documents)
}

/// Makes the namespaces, entries, policies, roles and credentials that the examples need.
pub async fn prepare(bed: &Bed) -> Result {
    bed.install().await?;
    let bao = bed.bao().await?;
    for name in FOLDERS {
        let needed = documents(&folder(name), &bao.address)?;
        let needed = needed.into_iter().filter(|document| is_one_of(document, &["Namespace", "ServiceAccount"]));
        bed.apply(&list(needed)).await?;
    }
    entries_in_vault(bao).await?;
    identities_in_vault(bed, bao).await?;
    secrets_in_aws(bed.moto().await?).await?;
    credentials(bed, bao).await
}

/// Several manifests as one text for `kubectl`.
pub fn list(documents: impl IntoIterator<Item = Value>) -> String {
    let items: Vec<Value> = documents.into_iter().collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Whether the manifest is of one of these kinds.
pub fn is_one_of(document: &Value, kinds: &[&str]) -> bool {
    document.get("kind").and_then(Value::as_str).is_some_and(|kind| kinds.contains(&kind))
}

/// Writes the database credentials of the payments team: `vault kv put kv/payments/db …`.
pub async fn put_payments_db(bao: &OpenBao, username: &str, password: &str) -> Result {
    let value = json!({"data": {"username": username, "password": password}});
    bao.write("kv/data/payments/db", &value).await.map(drop)
}

async fn entries_in_vault(bao: &OpenBao) -> Result {
    // The payments team's mount is KV v2; the bed's `kv` is v1.
    bao.call(reqwest::Method::DELETE, "sys/mounts/kv", None).await?;
    bao.write("sys/mounts/kv", &json!({"type": "kv", "options": {"version": "2"}})).await?;
    wait::until("the mount kv to take entries", MOUNTED, || async {
        put_payments_db(bao, "app_user", "Str0ng-and-0ld").await.map_err(|failure| failure.to_string())
    })
    .await?;
    bao.put("secret/prod/myapp", &json!({"username": "shop_app", "password": "p4ss/w0rd=+&"})).await?;
    bao.put("secret/myapp/config", &json!({"username": "admin", "password": "supersecret"})).await
}

async fn identities_in_vault(bed: &Bed, bao: &OpenBao) -> Result {
    bao.policy("prod-read", r#"path "secret/data/prod/*" { capabilities = ["read"] }"#).await?;
    for (policy, example) in [("eso-policy", "02-vault-kubernetes"), ("payments-read", "04-irsa-and-vault")] {
        bao.policy(policy, &fs::read_to_string(folder(example).join("policy.hcl"))?).await?;
    }
    let operator = (OPERATOR_NAMESPACE, Binary::Controller.service_account());
    bao.kubernetes_role(bed.admin()?, "eso-role", operator, &["eso-policy"]).await?;
    bao.kubernetes_role(bed.admin()?, "eso-payments", ("payments", "eso-vault-sa"), &["payments-read"]).await
}

async fn secrets_in_aws(moto: &Moto) -> Result {
    let database = r#"{"username":"user1","password":"securepassword123"}"#;
    let upper = r#"{"DB_USERNAME":"user1","DB_PASSWORD":"infrasity@5918"}"#;
    let feed = r#"{"api_key":"ak-7f3d","endpoint":"https://feed.example.com/v2?a=1&b=<2>"}"#;
    for (region, name, value) in [
        ("us-east-1", "prod/db-credentials", database),
        ("us-east-1", "db-credentials", database),
        ("us-east-1", "DB-CREDENTIALS", upper),
        ("ca-central-1", "DB-CREDENTIALS", upper),
        ("ap-south-1", "payments/fraud-feed", feed),
    ] {
        moto.put_secret(region, name, value).await?;
    }
    Ok(())
}

/// The Secrets that stores take their credentials from.
async fn credentials(bed: &Bed, bao: &OpenBao) -> Result {
    let token = bao.token(&["prod-read"], TOKEN_LIFE).await?;
    let key = json!({"access-key": "AKIAEXAMPLE", "secret-access-key": "wJalr/EXAMPLE+KEY"});
    let secret = |namespace: &str, name: &str, data: Value| {
        let metadata = json!({"namespace": namespace, "name": name});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
    };
    let output = bed
        .kubectl(
            &["create", "-f", "-"],
            &list([
                secret(OPERATOR_NAMESPACE, "vault-token", json!({"token": token})),
                secret("orders", "aws-credentials", key.clone()),
                secret("orders", "awssm-secret", key),
            ]),
        )
        .await?;
    if output.success { Ok(()) } else { Err(Failure::new(format!("creating credentials: {}", output.stderr))) }
}
