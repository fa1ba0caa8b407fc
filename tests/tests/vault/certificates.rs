//! Client certificates: the method, its Secret replaced, and servers that demand one.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::json;
use support::{
    Scene,
    manifest::{external_secret, reads, secret, secret_store, with},
    says,
};
use tests::{OpenBao, Result, wait};

use crate::{LONG, support};

/// PEM texts.
pub struct ClientCertificate {
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

/// A certificate for a client of this name, by an authority of its own.
pub fn client_certificate(name: &str) -> Result<ClientCertificate> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name.push(DnType::CommonName, format!("authority of {name}"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority_key = KeyPair::generate()?;
    let mut client = CertificateParams::new(Vec::new())?;
    client.distinguished_name.push(DnType::CommonName, name);
    client.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    client.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let client_key = KeyPair::generate()?;
    let signed = client.signed_by(&client_key, &Issuer::from_params(&authority, &authority_key))?;
    Ok(ClientCertificate {
        authority: authority.self_signed(&authority_key)?.pem(),
        certificate: signed.pem(),
        key: client_key.serialize_pem(),
    })
}

/// Lets a certificate log in at `auth/mount`.
async fn trust(bao: &OpenBao, mount: &str, role: &str, certificate: &ClientCertificate) -> Result {
    let body = json!({"certificate": certificate.authority, "token_policies": [mount], "token_ttl": "1h"});
    bao.write(&format!("auth/{mount}/certs/{role}"), &body).await.map(drop)
}

#[tokio::test]
async fn replaced_certificate_is_presented_at_once_and_one_that_fails_is_named() -> Result {
    let scene = Scene::new("certs").await?;
    let (bao, mount) = (scene.bed.bao().await?, scene.unique("cert"));
    bao.write(&format!("sys/auth/{mount}"), &json!({"type": "cert"})).await?;
    bao.policy(&mount, &format!(r#"path "secret/data/{mount}" {{ capabilities = ["read"] }}"#)).await?;
    bao.put(&format!("secret/{mount}"), &json!({"a": "first"})).await?;
    let [one, other, stranger] = ["one", "other", "stranger"].map(client_certificate);
    let (one, other, stranger) = (one?, other?, stranger?);
    trust(bao, &mount, "one", &one).await?;
    trust(bao, &mount, "other", &other).await?;

    let pair =
        |client: &ClientCertificate| secret("client", &[("tls.crt", &client.certificate), ("tls.key", &client.key)]);
    scene.apply(&pair(&one)).await?;
    let ca = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, scene.bed.ca_pem());
    let vault = json!({"vault": {
        "server": bao.tls_address,
        "path": "secret",
        "caBundle": ca,
        "auth": {"cert": {"path": mount, "clientCert": {"name": "client"}, "secretRef": {"name": "client"}}},
    }});
    scene.apply(&secret_store("store", &vault)).await?;
    let remote = json!({"data": [{"secretKey": "a", "remoteRef": {"key": mount, "property": "a"}}]});
    scene.apply(&external_secret("app", &with(reads("store", &[]), &remote))).await?;
    scene.holds("app", &[("a", "first")]).await?;
    let served = async |name: &str| {
        let mark = bao.mark();
        wait::until(&format!("a read as {name}"), LONG, || async {
            let force = scene.force_sync("app").await;
            force.map_err(|failure| failure.to_string())?;
            let requests = bao.requests_since(mark).map_err(|failure| failure.to_string())?;
            let reads = requests.path(&format!("secret/data/{mount}"));
            let by = reads.filter(|read| read.display_name.ends_with(&format!("-{name}")));
            if by.is_empty() { Err(reads.to_string()) } else { Ok(()) }
        })
        .await
    };
    served("one").await?;
    scene.apply(&pair(&other)).await?;
    served("other").await?;

    scene.apply(&pair(&stranger)).await?;
    let ready = scene.store_fails("SecretStore", "store", "VaultLoginDenied").await?;
    says(&ready.message, &["spec.provider.vault.auth.cert", &format!("auth/{mount}"), "client certificate"]);
    let mixed = secret("client", &[("tls.crt", &one.certificate), ("tls.key", &other.key)]);
    scene.apply(&mixed).await?;
    let ready = scene.store_fails("SecretStore", "store", "StoreInvalid").await?;
    says(&ready.message, &["spec.provider.vault.auth.cert", "private key"]);
    scene.apply(&pair(&one)).await?;
    scene.store_is_valid("SecretStore", "store").await?;
    served("one").await
}
