//! One token for everybody, whatever happens.

use super::*;

/// ExternalSecrets of one store.
const USERS: usize = 10_000;

/// Seconds that a login grants.
const LIFE: u64 = 900;

#[tokio::test]
async fn ten_thousand_users_of_one_identity_log_in_once_and_renew_once_per_two_thirds_of_its_life() {
    let backend = Backend::start(|request| match request.target.as_str() {
        "/v1/auth/kubernetes/login" | "/v1/auth/token/renew-self" => {
            let auth = format!(r#"{{"client_token":"s.a","lease_duration":{LIFE},"renewable":true}}"#);
            Answer::json(200, format!(r#"{{"auth":{auth}}}"#))
        }
        _ => entry(r#"{"k":"v"}"#),
    })
    .await;
    let store = open_with(&backend, VaultVersion::V2, Some(kubernetes_auth())).await.unwrap();
    let paths: Vec<RemoteRef> = (0..20).map(|number| remote(&format!("app-{number}"), Some("k"))).collect();
    for round in 0..3 {
        let since = after(Duration::from_secs(LIFE / 3 * 2 * u64::from(round > 0) + 1)).await;
        let users = (0..USERS).map(|user| store.get(&paths[user % paths.len()], since));
        assert_eq!(futures::future::try_join_all(users).await.unwrap().len(), USERS);
    }
    let count = |what: &str| backend.lines().iter().filter(|line| line.contains(what)).count();
    assert_eq!((count("login"), count("renew-self"), count("/data/")), (1, 2, 3 * paths.len()));
}

#[tokio::test]
async fn token_that_cannot_be_renewed_is_replaced_once_for_all_who_ask() {
    let backend = Backend::start(|request| match request.target.as_str() {
        "/v1/auth/kubernetes/login" => {
            Answer::json(200, r#"{"auth":{"client_token":"s.a","lease_duration":900,"renewable":false}}"#)
        }
        _ => entry(r#"{"k":"v"}"#),
    })
    .await;
    let store = open_with(&backend, VaultVersion::V2, Some(kubernetes_auth())).await.unwrap();
    let since = after(Duration::from_secs(601)).await;
    let keys: Vec<RemoteRef> = (0..50).map(|number| remote(&format!("app-{number}"), None)).collect();
    futures::future::try_join_all(keys.iter().map(|key| store.get(key, since))).await.unwrap();
    let count = |what: &str| backend.lines().iter().filter(|line| line.contains(what)).count();
    assert_eq!((count("login"), count("renew-self"), count("/data/")), (2, 0, 50));
}

#[tokio::test]
async fn outage_while_a_token_is_due_costs_one_call_and_the_old_one_serves_on() {
    let is_down = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let down = is_down.clone();
    let backend = Backend::start(move |request| match request.target.as_str() {
        "/v1/auth/kubernetes/login" | "/v1/auth/token/renew-self" if down.load(Ordering::Relaxed) => {
            Answer::json(500, r#"{"errors":["no"]}"#)
        }
        "/v1/auth/kubernetes/login" | "/v1/auth/token/renew-self" => {
            Answer::json(200, r#"{"auth":{"client_token":"s.a","lease_duration":900,"renewable":true}}"#)
        }
        _ => entry(r#"{"k":"v"}"#),
    })
    .await;
    let store = open_with(&backend, VaultVersion::V2, Some(kubernetes_auth())).await.unwrap();
    is_down.store(true, Ordering::Relaxed);
    let keys: Vec<RemoteRef> = (0..50).map(|number| remote(&format!("app-{number}"), None)).collect();
    let since = after(Duration::from_secs(601)).await;
    futures::future::try_join_all(keys.iter().map(|key| store.get(key, since))).await.unwrap();
    let count = |what: &str| backend.lines().iter().filter(|line| line.contains(what)).count();
    assert_eq!((count("login"), count("renew-self")), (2, 1), "one renewal, then one login, for fifty");
    // After its end it serves nobody.
    let since = after(Duration::from_mins(5)).await;
    assert_eq!(store.get(&keys[0], since).await.unwrap_err().code(), Code::VaultUnexpectedAnswer);
    is_down.store(false, Ordering::Relaxed);
    let since = after(Duration::from_secs(11)).await;
    store.get(&keys[0], since).await.unwrap();
}
