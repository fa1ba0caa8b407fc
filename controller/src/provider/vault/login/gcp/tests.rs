use api::{
    provider::{GcpSecretRef, GcpWorkloadIdentity},
    reference::ServiceAccountSelector,
};
use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeySize, PublicKey},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::{
    http::Clients,
    provider::{
        aws,
        fixture::{Answer, Backend, kube_client},
        metrics::ProviderMetrics,
    },
    resolve::Scope,
};

const EMAIL: &str = "eso@project.iam.gserviceaccount.com";

/// A key as Google hands it out, and its public half.
fn google_key() -> (String, PublicKey) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = pem.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    let key = json!({"type": "service_account", "client_email": EMAIL, "private_key_id": "kid-1", "private_key": pem});
    (key.to_string(), pair.public_key().clone())
}

fn part(jwt: &str, number: usize) -> Value {
    let part = jwt.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn seconds_from_now(claim: &Value) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    claim.as_i64().unwrap() - i64::try_from(now).unwrap()
}

#[test]
fn key_signs_what_vault_s_iam_role_asks_for() {
    let (json, public) = google_key();
    let key = Key::parse("f", "the key", json.as_bytes()).unwrap();
    let jwt = key.sign("f", &claims(&key.email, "dev", SystemTime::now())).unwrap();
    assert_eq!(part(&jwt, 0), json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
    let claims = part(&jwt, 1);
    assert_eq!((&claims["sub"], &claims["iss"], &claims["aud"]), (&json!(EMAIL), &json!(EMAIL), &json!("vault/dev")));
    assert!((590..=600).contains(&seconds_from_now(&claims["exp"])), "{claims}");
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref());
    public.verify(signed.as_bytes(), &signature).unwrap();
}

#[test]
fn what_is_no_key_is_refused_without_being_quoted() {
    let (json, _) = google_key();
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let with = |pem: &str| json!({"client_email": EMAIL, "private_key": pem}).to_string();
    let cut = with("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n");
    for json in
        ["canary", "{}", r#"{"client_email": "canary", "private_key": "canary"}"#, &cut, &with(&elliptic), &json[1..]]
    {
        let error = Key::parse("spec.x", "the key in Secret a/b", json.as_bytes()).err().unwrap();
        assert_eq!(error.code(), Code::GoogleCredentialsInvalid);
        let text = error.to_string();
        assert!(text.contains("spec.x: the key in Secret a/b") && !text.contains("canary"), "{text}");
    }
}

/// The method of a store in namespace `team-a`, with Google at `backend`.
fn gcp(spec: GcpAuth, backend: &Backend) -> Gcp {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = kube_client(|request| {
        if request.method() == "POST" {
            let expires = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).to_string();
            let status = json!({"token": "kubernetes-token", "expirationTimestamp": expires});
            return (201, json!({"metadata": {}, "spec": {"audiences": []}, "status": status}));
        }
        let annotations = json!({"iam.gke.io/gcp-service-account": EMAIL});
        (
            200,
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "annotations": annotations}}),
        )
    });
    let access = Arc::new(Access::unwatched(client, Scope::Namespaced { namespace: "team-a".into() }));
    let google = Google {
        metadata: backend.url.clone(),
        sts: format!("{}/sts", backend.url),
        iam_credentials: format!("{}/iam", backend.url),
    };
    let shared = Shared {
        clients: &Clients::default(),
        aws: &aws::Shared::new(aws::Endpoints::default(), aws::Pod::default()),
        google: &google,
        metrics: &ProviderMetrics::new(&prometheus::Registry::new()).unwrap(),
    };
    Gcp::new(spec, access, &shared).unwrap()
}

fn workload(cluster_name: Option<&str>) -> GcpAuth {
    let account = ServiceAccountSelector { name: "app".into(), namespace: None, audiences: vec![] };
    let identity = GcpWorkloadIdentity {
        service_account_ref: account,
        cluster_name: cluster_name.map(Into::into),
        ..GcpWorkloadIdentity::default()
    };
    GcpAuth {
        role: "dev".into(),
        project_id: Some("project".into()),
        location: Some("europe-west1".into()),
        workload_identity: Some(identity),
        ..GcpAuth::default()
    }
}

#[tokio::test]
async fn controller_s_own_identity_comes_from_the_metadata_server() {
    let backend = Backend::start(|_| Answer::json(200, "a.b.c\n")).await;
    let gcp = gcp(GcpAuth { role: "my role".into(), ..GcpAuth::default() }, &backend);
    assert_eq!(gcp.token().await.unwrap().jwt, "a.b.c");
    let path = "/computeMetadata/v1/instance/service-accounts/default/identity";
    assert_eq!(backend.lines(), [format!("GET {path}?audience=http%3A%2F%2Fvault%2Fmy+role&format=full")]);
    assert_eq!(backend.received()[0].header("metadata-flavor"), Some("Google"));
}

#[tokio::test]
async fn workload_identity_has_google_sign_for_the_annotated_account() {
    let backend = Backend::start(|request| match request.target.as_str() {
        "/sts/v1/token" => Answer::json(200, r#"{"access_token": "google-token"}"#),
        target if target.ends_with(":signJwt") => Answer::json(200, r#"{"keyId": "k", "signedJwt": "a.b.c"}"#),
        _ => Answer::json(200, "the-cluster"),
    })
    .await;
    let token = gcp(workload(None), &backend).token().await.unwrap();
    assert_eq!(token.jwt, "a.b.c");
    let received = backend.received();
    let exchange: Value = serde_json::from_str(&received[1].body).unwrap();
    let provider = "https://container.googleapis.com/v1/projects/project/locations/europe-west1/clusters/the-cluster";
    assert_eq!(exchange["audience"], format!("identitynamespace:project.svc.id.goog:{provider}"));
    assert_eq!(exchange["subjectToken"], "kubernetes-token");
    assert_eq!(received[2].target, format!("/iam/v1/projects/-/serviceAccounts/{EMAIL}:signJwt"));
    assert_eq!(received[2].header("authorization"), Some("Bearer google-token"));
    let payload: Value = serde_json::from_str(&received[2].body).unwrap();
    let payload: Value = serde_json::from_str(payload["payload"].as_str().unwrap()).unwrap();
    assert_eq!((&payload["sub"], &payload["aud"]), (&json!(EMAIL), &json!("vault/dev")));
    assert!(seconds_from_now(&payload["exp"]) <= 600);
}

#[tokio::test]
async fn refusals_of_google_are_told_by_their_code() {
    let denied = r#"{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "canary"}}"#;
    let table = [
        (Answer::json(403, denied), Code::GoogleCredentialsInvalid, "(PERMISSION_DENIED)"),
        (Answer::json(400, r#"{"error": "invalid_grant"}"#), Code::GoogleCredentialsInvalid, "(invalid_grant)"),
        (Answer::json(400, r#"{"error": "canary 1"}"#), Code::GoogleCredentialsInvalid, "400"),
        (Answer::json(503, "{}"), Code::GoogleUnreachable, "503"),
        (Answer::html(200), Code::GoogleUnreachable, "not what Google's API answers"),
        (Answer::json(200, "x".repeat(1 << 17)), Code::GoogleUnreachable, "too long"),
        (Answer { truncated: true, ..Answer::json(200, "{") }, Code::GoogleUnreachable, "no answer"),
    ];
    for (answer, code, words) in table {
        let shown = answer.status;
        let backend = Backend::start(move |_| answer.clone()).await;
        let error = gcp(workload(Some("c")), &backend).token().await.err().unwrap();
        assert_eq!(error.code(), code, "{shown}: {error}");
        assert!(error.to_string().contains(words) && !error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn key_is_beside_the_external_secret_unless_its_namespace_is_named() {
    let key = |namespace: Option<&str>| {
        let selector =
            SecretKeySelector { name: "k".into(), namespace: namespace.map(Into::into), key: Some("json".into()) };
        let secret_ref = Some(GcpSecretRef { secret_access_key_secret_ref: Some(selector) });
        GcpAuth { role: "dev".into(), secret_ref, ..GcpAuth::default() }
    };
    assert!(is_referent(&key(None)) && !is_referent(&key(Some("ns"))));
    assert!(is_referent(&workload(None)) && !is_referent(&GcpAuth::default()));
}
