use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::provider::fixture::kube_client;

const FIELD: &str = "spec.provider.vault.auth.tokenSecretRef";

fn namespaced() -> Scope {
    Scope::Namespaced { namespace: "team-a".into() }
}

fn selector(namespace: Option<&str>) -> SecretKeySelector {
    SecretKeySelector { name: "vault-token".into(), namespace: namespace.map(Into::into), key: Some("token".into()) }
}

fn secret(uid: &str) -> serde_json::Value {
    serde_json::json!({"apiVersion": "v1", "kind": "Secret", "data": {"token": "aHVudGVyMg=="},
        "metadata": {"name": "vault-token", "namespace": "team-a", "uid": uid, "resourceVersion": "7"}})
}

#[test]
fn namespace_is_the_store_s_own_or_the_named_one_or_the_referent_s() {
    let cluster = |referent: Option<&str>| Scope::Cluster { referent: referent.map(Into::into) };
    let table = [
        (namespaced(), None, Ok("team-a")),
        (namespaced(), Some("team-a"), Ok("team-a")),
        (namespaced(), Some(""), Ok("team-a")),
        (namespaced(), Some("team-b"), Err(Code::NamespaceForbidden)),
        (cluster(None), Some("vault"), Ok("vault")),
        (cluster(Some("team-c")), Some("vault"), Ok("vault")),
        (cluster(Some("team-c")), None, Ok("team-c")),
        (cluster(None), None, Err(Code::StoreInvalid)),
    ];
    for (scope, named, expected) in table {
        let found = scope.namespace(FIELD, named).map_err(|error| error.code());
        assert_eq!(found, expected, "{scope:?} {named:?}");
    }
}

#[tokio::test]
async fn foreign_namespace_is_refused_before_any_call() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = kube_client(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        (200, secret("1"))
    });
    let access = Access::unwatched(client, namespaced());
    let error = access.secret_key(FIELD, &selector(Some("team-b")), None).await.unwrap_err();
    assert_eq!((error.code(), error.class()), (Code::NamespaceForbidden, crate::error::Class::Fix));
    let account = ServiceAccountSelector { name: "x".into(), namespace: Some("team-b".into()), audiences: vec![] };
    let error = access.service_account_token(FIELD, &account, &[], Freshness::Cached).await.unwrap_err();
    assert_eq!(error.code(), Code::NamespaceForbidden);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn name_cannot_leave_its_path_segment() {
    let access = Access::unwatched(kube_client(|_| (200, secret("1"))), namespaced());
    for name in ["../../team-b/secrets/x", "", "..", "a?b", "a/b"] {
        let selector = SecretKeySelector { name: name.into(), namespace: None, key: Some("token".into()) };
        let error = access.secret_key(FIELD, &selector, None).await.unwrap_err();
        assert_eq!(error.code(), Code::StoreInvalid, "{name:?}");
    }
}

#[tokio::test]
async fn missing_secret_missing_key_and_missing_permission_are_told_apart() {
    let table = [
        (404, serde_json::json!({"kind": "Status", "code": 404, "reason": "NotFound"}), Code::ReferenceNotFound),
        (403, serde_json::json!({"kind": "Status", "code": 403, "reason": "Forbidden"}), Code::KubernetesForbidden),
        (200, serde_json::json!({"metadata": {"name": "vault-token"}}), Code::ReferenceKeyMissing),
    ];
    for (status, body, code) in table {
        let client = kube_client(move |_| (status, body.clone()));
        let access = Access::unwatched(client, namespaced());
        let error = access.secret_key(FIELD, &selector(None), None).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(FIELD), "{error}");
        assert!(error.to_string().contains("team-a/vault-token"), "{error}");
    }
}

#[tokio::test]
async fn replaced_secret_counts_as_changed() {
    let uid = Arc::new(AtomicUsize::new(1));
    let current = uid.clone();
    let client = kube_client(move |_| (200, secret(&current.load(Ordering::Relaxed).to_string())));
    let access = Access::unwatched(client, namespaced());
    let token = access.secret_key(FIELD, &selector(None), None).await.unwrap();
    assert_eq!(token.expose(), b"hunter2");
    assert_eq!(access.changed().await, Ok(false));
    uid.store(2, Ordering::Relaxed);
    assert_eq!(access.changed().await, Ok(true));
}

#[tokio::test]
async fn service_account_token_is_reused_unless_a_fresh_one_is_asked_for() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = kube_client(move |_| {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let expires = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).to_string();
        let status = serde_json::json!({"token": format!("jwt-{number}"), "expirationTimestamp": expires});
        (201, serde_json::json!({"metadata": {}, "spec": {"audiences": []}, "status": status}))
    });
    let access = Access::unwatched(client, namespaced());
    let account = ServiceAccountSelector { name: "app".into(), namespace: None, audiences: vec![] };
    let mut seen = Vec::new();
    for freshness in [Freshness::Cached, Freshness::Cached, Freshness::Fresh, Freshness::Cached] {
        let token = access.service_account_token(FIELD, &account, &[], freshness).await.unwrap();
        seen.push(String::from_utf8(token.expose().to_vec()).unwrap());
    }
    assert_eq!(seen, ["jwt-0", "jwt-0", "jwt-1", "jwt-1"]);
}

#[tokio::test]
async fn token_in_a_secret_of_the_service_account_is_found_where_none_can_be_requested() {
    let client = kube_client(|request| match request.uri().path() {
        path if path.ends_with("/serviceaccounts/app") => (
            200,
            serde_json::json!({"metadata": {"name": "app"}, "secrets": [{"name": "app-dockercfg"}, {"name": "app-token"}]}),
        ),
        path if path.ends_with("/secrets/app-token") => (200, secret("1")),
        path if path.ends_with("/secrets/app-dockercfg") => (200, serde_json::json!({"metadata": {"name": "d"}})),
        _ => (403, serde_json::json!({"kind": "Status", "code": 403, "reason": "Forbidden"})),
    });
    let access = Access::unwatched(client, namespaced());
    let account = ServiceAccountSelector { name: "app".into(), namespace: None, audiences: vec![] };
    let error = access.service_account_token(FIELD, &account, &[], Freshness::Cached).await.unwrap_err();
    assert_eq!(error.code(), Code::KubernetesForbidden);
    assert_eq!(access.legacy_token(FIELD, &account).await.unwrap().expose(), b"hunter2");
    let other = ServiceAccountSelector { name: "other".into(), ..account };
    assert!(access.legacy_token(FIELD, &other).await.is_none());
}
