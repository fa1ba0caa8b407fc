//! Tokens over their life: renewed, replaced, given back.

use serde_json::{Value, json};
use support::{
    Scene,
    manifest::{external_secret, reads, secret, secret_store, with},
};
use tests::{Binary, OpenBao, Requests, Result, StoreRequest, wait};

use crate::{LONG, support};

/// A user at a mount of its own, whose tokens are as `settings` say; with a store for the controllers of a class and an
/// ExternalSecret that refreshes each second.
async fn user(scene: &Scene, class: &str, mount: &str, settings: &Value) -> Result {
    let bao = scene.bed.bao().await?;
    bao.write(&format!("sys/auth/{mount}"), &json!({"type": "userpass"})).await?;
    bao.policy(mount, &format!(r#"path "secret/data/{mount}" {{ capabilities = ["read"] }}"#)).await?;
    bao.put(&format!("secret/{mount}"), &json!({"a": "first"})).await?;
    let settings = with(json!({"password": "p", "token_policies": [mount]}), settings);
    bao.write(&format!("auth/{mount}/users/app"), &settings).await?;
    scene.apply(&secret("password", &[("password", "p")])).await?;
    let auth = json!({"userPass": {
        "path": mount, "username": "app", "secretRef": {"name": "password", "key": "password"},
    }});
    let vault = json!({"vault": {"server": bao.address, "path": "secret", "auth": auth}});
    scene.apply(&of_class(class, secret_store(mount, &vault))).await?;
    let spec = with(reads(mount, &[("a", mount)]), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret(mount, &spec)).await?;
    Ok(())
}

fn of_class(class: &str, store: Value) -> Value {
    with(store, &json!({"spec": {"controller": class}}))
}

/// Waits until the requests are as wanted, and returns them.
async fn seen(
    bao: &OpenBao,
    mark: tests::Mark,
    what: &str,
    holds: impl Fn(&Requests<StoreRequest>) -> bool,
) -> Result<Requests<StoreRequest>> {
    wait::until(what, LONG, || async {
        let requests = bao.requests_since(mark).map_err(|failure| failure.to_string())?;
        if holds(&requests) { Ok(requests) } else { Err(requests.to_string()) }
    })
    .await
}

fn logins(requests: &Requests<StoreRequest>, mount: &str) -> usize {
    requests.path(&format!("auth/{mount}/login/app")).len()
}

/// Requests of whoever logged in at the mount.
fn by(requests: &Requests<StoreRequest>, mount: &str, path: &str) -> Requests<StoreRequest> {
    requests.path(path).filter(|request| request.display_name.starts_with(mount))
}

#[tokio::test]
async fn renewable_token_is_renewed_and_others_are_replaced_by_one_login_each_time() -> Result {
    let scene = Scene::new("life").await?;
    let bao = scene.bed.bao().await?;
    let mark = bao.mark();
    let (service, batch) = (scene.unique("service"), scene.unique("batch"));
    user(&scene, "default", &service, &json!({"token_ttl": "6s", "token_max_ttl": "1h"})).await?;
    user(&scene, "default", &batch, &json!({"token_ttl": "6s", "token_type": "batch"})).await?;
    let requests = seen(bao, mark, "two renewals and two replacements", |requests| {
        by(requests, &service, "auth/token/renew-self").len() >= 2 && logins(requests, &batch) >= 3
    })
    .await?;
    assert_eq!(logins(&requests, &service), 1, "{requests}");
    assert_eq!(by(&requests, &batch, "auth/token/renew-self").len(), 0, "{requests}");
    let refused = requests.filter(|request| request.path.contains(&scene.namespace) && !request.error.is_empty());
    assert!(refused.is_empty(), "{refused}");
    let reads = by(&requests, &batch, &format!("secret/data/{batch}")).len();
    assert!(reads > logins(&requests, &batch), "each token serves several reads: {requests}");
    Ok(())
}

#[tokio::test]
async fn revoked_token_costs_one_login_and_no_failure() -> Result {
    let scene = Scene::new("revoked").await?;
    let (bao, mount) = (scene.bed.bao().await?, scene.unique("users"));
    user(&scene, "default", &mount, &json!({"token_ttl": "1h"})).await?;
    scene.is_synced(&mount).await?;
    // A token that is refused in its first five seconds is taken to be good.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let (mark, failures) = (bao.mark(), scene.failures(&mount).await?);
    bao.write(&format!("sys/leases/revoke-prefix/auth/{mount}/login"), &json!({})).await?;
    let served = |requests: &Requests<StoreRequest>| {
        let reads = by(requests, &mount, &format!("secret/data/{mount}"));
        logins(requests, &mount) > 0 && reads.filter(|read| read.error.is_empty()).len() >= 3
    };
    let requests = seen(bao, mark, "reads after the revocation", served).await?;
    assert_eq!(logins(&requests, &mount), 1, "{requests}");
    assert!(scene.failures(&mount).await? < failures + 1.0, "a reconcile failed");
    Ok(())
}

#[tokio::test]
async fn tokens_that_were_created_are_given_back_at_the_end_and_no_others() -> Result {
    let scene = Scene::without_controller("end").await?;
    let bao = scene.bed.bao().await?;
    let (service, batch) = (scene.unique("service"), scene.unique("batch"));
    user(&scene, &scene.namespace, &service, &json!({"token_ttl": "1h"})).await?;
    user(&scene, &scene.namespace, &batch, &json!({"token_ttl": "1h", "token_type": "batch"})).await?;
    let given = bao.token(&[service.as_str()], std::time::Duration::from_hours(1)).await?;
    scene.apply(&secret("token", &[("token", &given)])).await?;
    let given = secret_store("given", &support::manifest::vault(&bao.address));
    scene.apply(&of_class(&scene.namespace, given)).await?;
    let spec = with(reads("given", &[("a", &service)]), &json!({"refreshInterval": "1h"}));
    scene.apply(&external_secret("given", &spec)).await?;
    let mark = bao.mark();
    let flags = ["--namespace", &scene.namespace, "--controller-class", &scene.namespace];
    let mut controller = scene.bed.operator(Binary::Controller, &flags).await?;
    for name in [service.as_str(), &batch, "given"] {
        scene.is_synced(name).await?;
    }
    let before = bao.requests_since(mark)?.path("auth/token/revoke-self");
    assert!(before.is_empty(), "{before}");
    controller.kill().await?;
    let requests =
        seen(bao, mark, "a revocation", |requests| !requests.path("auth/token/revoke-self").is_empty()).await?;
    let revoked = |name: &str| by(&requests, name, "auth/token/revoke-self").len();
    assert_eq!([revoked(&service), revoked(&batch), revoked("token")], [1, 0, 0], "{requests}");
    Ok(())
}
