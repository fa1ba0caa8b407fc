//! Each method that OpenBao has, as the page has it, with the calls that it costs.

use support::Scene;
use tests::{Requests, Result, StoreRequest, wait};

use crate::{LONG, certificates::client_certificate, page::Reader, support};

/// Follows a section, refreshes, and counts.
async fn follow(section: &str, login: &str, display_name: &str) -> Result {
    let reader = Reader::new(Scene::new("method").await?, "default").await?;
    let bao = reader.bed().bao().await?;
    let has_certificate = section == "Client certificate";
    if has_certificate {
        let certificate = client_certificate("team-a")?;
        for (name, text) in [
            ("client-ca.crt", &certificate.authority),
            ("client.crt", &certificate.certificate),
            ("client.key", &certificate.key),
        ] {
            reader.put(name, text)?;
        }
    }
    reader.prepare_vault(section).await?;
    reader.prepare_namespace(section).await?;
    let mark = bao.mark();
    reader.apply(section, reader.address(has_certificate).await?).await?;
    reader.is_served().await?;
    let count = reader.scene.reconciles("db").await?;
    reader.scene.force_sync("db").await?;
    reader.scene.is_looked_at("db", count).await?;
    let mine = |requests: &Requests<StoreRequest>| {
        let of_mine = |request: &StoreRequest| request.display_name.starts_with(display_name);
        requests.path("secret/data/team-a/db").operation("read").filter(of_mine)
    };
    let requests = wait::until("both reads in the audit file", LONG, || async {
        let requests = bao.requests_since(mark).map_err(|failure| failure.to_string())?;
        if mine(&requests).len() >= 2 { Ok(requests) } else { Err(requests.to_string()) }
    })
    .await?;
    let logins = requests.path(login);
    let expected = usize::from(!login.is_empty());
    assert_eq!(logins.len(), expected, "logins: {requests}");
    assert_eq!(mine(&requests).len(), 2, "reads: {requests}");
    Ok(())
}

#[tokio::test]
async fn token() -> Result {
    follow("Token", "", "token").await
}

#[tokio::test]
async fn app_role() -> Result {
    follow("AppRole", "auth/approle/login", "approle").await
}

#[tokio::test]
async fn kubernetes() -> Result {
    follow("Kubernetes", "auth/kubernetes/login", "kubernetes-").await
}

#[tokio::test]
async fn user_pass() -> Result {
    follow("User name and password", "auth/userpass/login/external-secrets", "userpass-").await
}

#[tokio::test]
async fn jwt() -> Result {
    follow("JWT", "auth/jwt/login", "jwt-").await
}

#[tokio::test]
async fn cert() -> Result {
    follow("Client certificate", "auth/cert/login", "cert-").await
}
