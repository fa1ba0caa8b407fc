//! What each method sends, from YAML as users write it.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::{
    http::Clients,
    provider::{aws, fixture::kube_client, metrics::ProviderMetrics},
    resolve::Scope,
};

/// A cluster whose Secrets hold, under each key, the name of the key and a line break, and whose ServiceAccount tokens
/// say what was asked for and are numbered.
fn access(scope: Scope) -> Arc<Access> {
    let tokens = Arc::new(AtomicUsize::new(0));
    let client = kube_client(move |request| {
        let path = request.uri().path();
        if path.ends_with("/token") && request.method() == "POST" {
            let number = tokens.fetch_add(1, Ordering::Relaxed);
            let expires = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).to_string();
            let account = path.rsplit('/').nth(1).unwrap_or_default();
            let status = json!({"token": format!("{account}-{number}"), "expirationTimestamp": expires});
            return (201, json!({"metadata": {}, "spec": {"audiences": []}, "status": status}));
        }
        let keys = ["secret-id", "role-id", "password", "token", "custom", "AKID", "key"];
        let data: serde_json::Map<_, _> = keys
            .into_iter()
            .map(|key| {
                (key.to_owned(), serde_json::to_value(k8s_openapi::ByteString(format!("{key}\n").into())).unwrap())
            })
            .chain([("binary".to_owned(), json!("//79")), ("empty".to_owned(), json!(""))])
            .collect();
        (200, json!({"metadata": {"name": "it", "resourceVersion": "1"}, "data": data}))
    });
    Arc::new(Access::unwatched(client, scope))
}

fn team() -> Scope {
    Scope::Namespaced { namespace: "team-a".into() }
}

fn auth(yaml: &str) -> VaultAuth {
    let value: Value = serde_saphyr::from_str(yaml).unwrap();
    serde_json::from_value(value).unwrap()
}

fn method(auth: VaultAuth, pod: aws::Pod) -> Result<Method, Error> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let shared = Shared {
        clients: &Clients::default(),
        aws: &aws::Shared::new(aws::Endpoints::default(), pod),
        google: &Google::default(),
        metrics: &ProviderMetrics::new(&prometheus::Registry::new()).unwrap(),
    };
    let spec = Spec { auth: Some(auth), ..Spec::default() };
    Method::new(&spec, None, &access(team()), &shared)
}

async fn exchange(yaml: &str) -> Result<Exchange, Error> {
    match method(auth(yaml), aws::Pod::default())?.prepare(Freshness::Cached).await? {
        Login::Exchange(exchange) => Ok(exchange),
        Login::Token(_) => Err(Error::bug(Code::StoreInvalid, "a token of its own")),
    }
}

/// Where a login goes, and its body.
fn sent(exchange: &Exchange) -> (String, Value) {
    let url = exchange.request.url(&reqwest::Url::parse("http://v").unwrap()).unwrap();
    assert_eq!(exchange.request.method, "POST");
    let body = exchange.request.body.as_ref().unwrap();
    (url.path().to_owned(), serde_json::from_slice(body).unwrap())
}

#[tokio::test]
async fn each_method_sends_what_vault_takes() {
    let table = [
        (
            "appRole: {roleId: ' rid ', roleRef: {name: it, key: role-id}, secretRef: {name: it, key: secret-id}}",
            "/v1/auth/approle/login",
            json!({"role_id": "rid", "secret_id": "secret-id"}),
        ),
        (
            "appRole: {path: /team/approle/, roleRef: {name: it, key: role-id}, secretRef: {name: it, key: secret-id}}",
            "/v1/auth/team/approle/login",
            json!({"role_id": "role-id", "secret_id": "secret-id"}),
        ),
        (
            "kubernetes: {role: dev, serviceAccountRef: {name: app}}",
            "/v1/auth/kubernetes/login",
            json!({"role": "dev", "jwt": "app-0"}),
        ),
        (
            "kubernetes: {role: dev, mountPath: k8s, secretRef: {name: it}}",
            "/v1/auth/k8s/login",
            json!({"role": "dev", "jwt": "token"}),
        ),
        (
            "kubernetes: {role: dev, secretRef: {name: it, key: custom}}",
            "/v1/auth/kubernetes/login",
            json!({"role": "dev", "jwt": "custom"}),
        ),
        (
            "ldap: {username: a b%c, secretRef: {name: it, key: password}}",
            "/v1/auth/ldap/login/a%20b%25c",
            json!({"password": "password\n"}),
        ),
        (
            "userPass: {path: users, username: alice, secretRef: {name: it, key: password}}",
            "/v1/auth/users/login/alice",
            json!({"password": "password\n"}),
        ),
        (
            "jwt: {role: dev, secretRef: {name: it, key: token}}",
            "/v1/auth/jwt/login",
            json!({"role": "dev", "jwt": "token"}),
        ),
        (
            "jwt: {path: oidc, kubernetesServiceAccountToken: {serviceAccountRef: {name: app}}}",
            "/v1/auth/oidc/login",
            json!({"jwt": "app-0"}),
        ),
        ("cert: {vaultRole: dev}", "/v1/auth/cert/login", json!({"name": "dev"})),
        ("cert: {path: mtls}", "/v1/auth/mtls/login", json!({})),
    ];
    for (yaml, path, body) in table {
        let exchange = exchange(yaml).await.unwrap();
        assert_eq!(sent(&exchange), (path.to_owned(), body), "{yaml}");
        assert_eq!(exchange.has_fresher, yaml.contains("serviceAccountRef"), "{yaml}");
    }
}

#[tokio::test]
async fn iam_shows_the_configured_key_and_nothing_of_its_secret() {
    let yaml = "iam: {vaultRole: dev, region: eu-west-1, vaultAwsIamServerID: v.example.com, secretRef: \
                {accessKeyIDSecretRef: {name: it, key: AKID}, secretAccessKeySecretRef: {name: it, key: key}}}";
    let exchange = exchange(yaml).await.unwrap();
    let (path, body) = sent(&exchange);
    assert_eq!(
        (path.as_str(), &body["role"], &body["iam_http_request_method"]),
        ("/v1/auth/aws/login", &json!("dev"), &json!("POST"))
    );
    let decoded = |field: &str| {
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body[field].as_str().unwrap());
        String::from_utf8(bytes.unwrap()).unwrap()
    };
    assert_eq!(decoded("iam_request_url"), "https://sts.amazonaws.com/");
    assert_eq!(decoded("iam_request_body"), "Action=GetCallerIdentity&Version=2011-06-15");
    let headers: Value = serde_json::from_str(&decoded("iam_request_headers")).unwrap();
    let authorization = headers["authorization"][0].as_str().unwrap();
    assert!(authorization.contains("Credential=AKID/") && authorization.contains("/eu-west-1/sts/"), "{authorization}");
    assert!(authorization.contains(";x-vault-aws-iam-server-id,"), "{authorization}");
    assert_eq!(headers["X-Vault-AWS-IAM-Server-ID"], json!(["v.example.com"]));
    assert_eq!(exchange.shown.with, "the AWS access key AKID");
}

#[tokio::test]
async fn iam_without_credentials_takes_the_identity_of_the_pod_and_never_that_of_the_node() {
    let error = exchange("iam: {vaultRole: dev}").await.err().unwrap();
    assert_eq!(error.code(), Code::StoreInvalid);
    assert!(error.to_string().contains("IRSA or Pod Identity"), "{error}");
    let error = exchange("iam: {vaultRole: dev, region: 'a/b'}").await.err().unwrap();
    assert!(error.to_string().contains("spec.provider.vault.auth.iam.region"), "{error}");
}

#[tokio::test]
async fn credentials_that_cannot_be_sent_are_named() {
    for (yaml, code, field) in [
        ("appRole: {secretRef: {name: it, key: secret-id}}", Code::StoreInvalid, "appRole: names no role ID"),
        ("appRole: {roleId: r, secretRef: {name: it, key: nope}}", Code::ReferenceKeyMissing, "appRole.secretRef"),
        (
            "appRole: {roleId: r, secretRef: {name: it, key: empty}}",
            Code::StoreInvalid,
            "secret ID in Secret team-a/it",
        ),
        ("ldap: {username: u}", Code::StoreInvalid, "ldap: names no password"),
        ("ldap: {username: u, secretRef: {name: it, key: binary}}", Code::StoreInvalid, "password in Secret team-a/it"),
        ("userPass: {username: u, secretRef: {name: it, key: empty}}", Code::StoreInvalid, "userPass.secretRef"),
        ("jwt: {}", Code::StoreInvalid, "jwt: names no token"),
        ("jwt: {secretRef: {name: it, namespace: b, key: token}}", Code::NamespaceForbidden, "jwt.secretRef.namespace"),
        (
            "gcp: {role: r, secretRef: {secretAccessKeySecretRef: {name: it, key: key}}}",
            Code::GoogleCredentialsInvalid,
            "gcp.secretRef",
        ),
        ("{}", Code::StoreInvalid, "names no method"),
    ] {
        let error = exchange(yaml).await.err().unwrap();
        assert_eq!(error.code(), code, "{yaml}: {error}");
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[tokio::test]
async fn refused_password_that_ends_in_a_line_break_is_told() {
    let exchange = exchange("userPass: {username: alice, secretRef: {name: it, key: password}}").await.unwrap();
    let server = Server::new(&reqwest::Url::parse("https://v:8200").unwrap());
    let body = crate::provider::json::Json::parse(br#"{"errors":["invalid username or password"]}"#).unwrap();
    let text = exchange.denied(&server, &Reply { status: 400, body }).to_string();
    for part in [
        "VaultLoginDenied: spec.provider.vault.auth.userPass: login as user \"alice\" at auth/userpass of https://v:8200",
        "with the password in Secret team-a/it (which ends in a line break): 400: invalid username or password",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn first_method_that_is_set_decides_whether_credentials_lie_beside_the_external_secret() {
    for (yaml, is_referent) in [
        ("tokenSecretRef: {name: a, key: k}", true),
        ("tokenSecretRef: {name: a, key: k, namespace: ns}", false),
        (
            "{tokenSecretRef: {name: a, key: k, namespace: ns}, ldap: {username: u, secretRef: {name: a, key: k}}}",
            false,
        ),
        ("appRole: {roleId: r, secretRef: {name: a, key: k}}", true),
        ("appRole: {roleRef: {name: a, key: k}, secretRef: {name: a, key: k, namespace: ns}}", true),
        ("appRole: {roleId: r, roleRef: {name: a, key: k}, secretRef: {name: a, key: k, namespace: ns}}", false),
        ("kubernetes: {role: r}", false),
        ("kubernetes: {role: r, serviceAccountRef: {name: a}}", true),
        ("kubernetes: {role: r, secretRef: {name: a, namespace: ns}}", false),
        ("ldap: {username: u, secretRef: {name: a, key: k}}", true),
        ("userPass: {username: u, secretRef: {name: a, key: k, namespace: ns}}", false),
        ("jwt: {secretRef: {name: a, key: k}}", true),
        ("jwt: {kubernetesServiceAccountToken: {serviceAccountRef: {name: a, namespace: ns}}}", false),
        ("cert: {clientCert: {name: a, namespace: ns}, secretRef: {name: a}}", true),
        ("cert: {}", false),
        ("iam: {vaultRole: r}", false),
        ("iam: {vaultRole: r, jwt: {serviceAccountRef: {name: a}}}", true),
        ("iam: {vaultRole: r, secretRef: {accessKeyIDSecretRef: {name: a, key: k, namespace: ns}}}", false),
        ("iam: {vaultRole: r, secretRef: {sessionTokenSecretRef: {name: a, key: k}}}", true),
        ("gcp: {role: r}", false),
        ("gcp: {role: r, secretRef: {secretAccessKeySecretRef: {name: a, key: k}}}", true),
        ("gcp: {role: r, workloadIdentity: {serviceAccountRef: {name: a}}}", true),
    ] {
        assert_eq!(super::is_referent(&auth(yaml)), is_referent, "{yaml}");
    }
}

#[test]
fn token_is_trimmed_and_never_printed() {
    let value = header(b"hvs.canary\n").unwrap();
    assert_eq!(value.as_bytes(), b"hvs.canary");
    assert!(!format!("{value:?}").contains("canary"));
    for token in [&b""[..], b"\n", b"two\nlines", b"nul\0"] {
        assert!(header(token).is_err(), "{token:?}");
    }
}
