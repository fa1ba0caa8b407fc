use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use api::{
    external_secret::{Find, FindName, MetadataPolicy, RemoteRef},
    provider::{AwsAuth, AwsJwtAuth, AwsSecretAuth, Provider as StoreProvider, SessionTag},
    reference::{SecretKeySelector, ServiceAccountSelector, StoreKind},
    store::{RetrySettings, SecretStoreSpec},
};

use std::time::Duration;

use super::*;
use crate::{
    provider::{
        Readiness, Store,
        ahead::{Nothing, Waiting},
        fixture::{Answer, Backend, Received, kube_client},
        reads::Demand,
    },
    resolve::Scope,
    secret_bytes::SecretBytes,
};

mod apart;
mod batches;
mod parameters;

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

/// Kubernetes with the Secret `keys` and the ServiceAccount `app`.
fn access() -> Arc<Access> {
    let calls = Arc::new(AtomicUsize::new(0));
    let client = kube_client(move |request| {
        let path = request.uri().path();
        if path.ends_with("/token") {
            let number = calls.fetch_add(1, Ordering::Relaxed);
            let expires = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).to_string();
            let status = serde_json::json!({"token": format!("jwt-{number}"), "expirationTimestamp": expires});
            return (201, serde_json::json!({"metadata": {}, "spec": {"audiences": []}, "status": status}));
        }
        if path.contains("/serviceaccounts/") {
            let annotated = serde_json::json!({"eks.amazonaws.com/role-arn": ROLE});
            let annotations = if path.ends_with("/app") { annotated } else { serde_json::json!({}) };
            return (200, serde_json::json!({"metadata": {"name": "app", "annotations": annotations}}));
        }
        let bytes = |text: &str| serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap();
        let data = serde_json::json!({"id": bytes("AKIDEXAMPLE\n"), "secret": bytes("canary-key")});
        (200, serde_json::json!({"metadata": {"name": "keys"}, "data": data}))
    });
    Arc::new(Access::unwatched(client, Scope::Namespaced { namespace: "team-a".into() }))
}

fn spec(auth: AwsAuth) -> Spec {
    serde_json::from_value::<Spec>(serde_json::json!({"service": "SecretsManager", "region": "eu-central-1"}))
        .map(|spec| Spec { auth, ..spec })
        .unwrap()
}

fn static_auth() -> AwsAuth {
    let key = |key: &str| Some(SecretKeySelector { name: "keys".into(), namespace: None, key: Some(key.into()) });
    let secret_ref = AwsSecretAuth {
        access_key_id_secret_ref: key("id"),
        secret_access_key_secret_ref: key("secret"),
        session_token_secret_ref: None,
    };
    AwsAuth { secret_ref: Some(secret_ref), jwt: None }
}

fn jwt_auth(account: &str) -> AwsAuth {
    let account = ServiceAccountSelector { name: account.into(), namespace: None, audiences: vec![] };
    AwsAuth { secret_ref: None, jwt: Some(AwsJwtAuth { service_account_ref: Some(account) }) }
}

async fn open_at(backend: &Backend, spec: Spec) -> Result<Arc<dyn Store>, Error> {
    open_with(backend, spec, RetrySettings { max_retries: Some(0), retry_interval: None }).await
}

async fn open_with(backend: &Backend, spec: Spec, retry: RetrySettings) -> Result<Arc<dyn Store>, Error> {
    open_full(backend, spec, retry, Arc::new(Nothing), None).await
}

async fn open_ahead(backend: &Backend, spec: Spec, waiting: Arc<dyn Waiting>) -> Result<Arc<dyn Store>, Error> {
    open_full(backend, spec, RetrySettings { max_retries: Some(0), retry_interval: None }, waiting, None).await
}

async fn open_full(
    backend: &Backend,
    spec: Spec,
    retry: RetrySettings,
    waiting: Arc<dyn Waiting>,
    authority: Option<&str>,
) -> Result<Arc<dyn Store>, Error> {
    let url = || Some(backend.url.clone());
    let endpoints = Endpoints { secrets_manager: url(), ssm: url(), sts: url() };
    let provider = StoreProvider { aws: Some(spec.clone()), ..StoreProvider::default() };
    let store = StoreHandle {
        kind: StoreKind::SecretStore,
        name: "aws".into(),
        namespace: Some("team-a".into()),
        uid: "uid".into(),
        generation: 1,
        spec: Arc::new(SecretStoreSpec { provider, retry_settings: Some(retry), ..SecretStoreSpec::default() }),
    };
    let metrics = ProviderMetrics::new(&prometheus::Registry::new()).unwrap();
    let reach = Reach { authorities: authority.map(|pem| Ok(pem.as_bytes().to_vec())), ..Reach::default() };
    let (shared, reads) = (Shared::new(endpoints, Pod::default()).reaching(reach), Reads::new(Demand::default()));
    let access = access();
    let ahead = Ahead::new(waiting, &store, access.scope());
    open(&spec, &store, access, &shared, &metrics, reads, ahead).await
}

async fn store(backend: &Backend) -> Arc<dyn Store> {
    open_at(backend, spec(static_auth())).await.unwrap()
}

/// The action of a request: of the services in a header, of STS in the form.
fn action(request: &Received) -> String {
    let form = || request.body.split('&').find_map(|pair| pair.strip_prefix("Action=")).map(ToOwned::to_owned);
    let target = request.header("x-amz-target").and_then(|target| target.split_once('.'));
    target.map(|(_, action)| action.to_owned()).or_else(form).unwrap_or_default()
}

fn actions(backend: &Backend) -> Vec<String> {
    backend.received().iter().map(action).collect()
}

fn error(code: &str, message: &str) -> Answer {
    Answer::json(400, serde_json::json!({"__type": code, "message": message}).to_string())
        .with("x-amzn-requestid", "11111111-2222-3333-4444-555555555555")
}

fn value(text: &str) -> Answer {
    Answer::json(200, serde_json::json!({"Name": "app", "SecretString": text}).to_string())
}

/// The names that a batch asks for.
fn asked_for(request: &Received) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    serde_json::from_value(body.get("SecretIdList").or_else(|| body.get("Names")).unwrap().clone()).unwrap()
}

/// A batch of secrets that each hold their own name, but those of which there is an error to tell.
fn batch(request: &Received, failed: impl Fn(&str) -> Option<&'static str>) -> Answer {
    let (failing, found): (Vec<_>, Vec<_>) = asked_for(request).into_iter().partition(|name| failed(name).is_some());
    let values: Vec<_> = found.iter().map(|name| serde_json::json!({"Name": name, "SecretString": name})).collect();
    let error = |name: &String| serde_json::json!({"SecretId": name, "ErrorCode": failed(name), "Message": "no"});
    let errors: Vec<_> = failing.iter().map(error).collect();
    Answer::json(200, serde_json::json!({"SecretValues": values, "Errors": errors}).to_string())
}

/// STS that hands out keys named after the action, and Secrets Manager with one secret.
fn aws(request: &Received) -> Answer {
    let action = action(request);
    match &*action {
        "BatchGetSecretValue" => return batch(request, |_| None),
        "AssumeRole" | "AssumeRoleWithWebIdentity" => {}
        _ => return value("{}"),
    }
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>{action}</AccessKeyId><SecretAccessKey>canary</SecretAccessKey><SessionToken>session</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
    );
    Answer { headers: vec![("content-type", "text/xml".into())], ..Answer::json(200, body) }
}

fn remote(key: &str, property: Option<&str>) -> RemoteRef {
    RemoteRef { key: key.into(), property: property.map(Into::into), ..RemoteRef::default() }
}

fn text(value: Option<SecretBytes>) -> Option<String> {
    value.map(|value| String::from_utf8(value.expose().to_vec()).unwrap())
}

fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

#[tokio::test]
async fn secret_is_read_once_and_its_properties_follow_the_dialect() {
    let backend =
        Backend::start(|_| value(r#"{"user":"a<b", "db.user":"dotted","db":{"user":"nested", "n":1.50}, "z":null}"#))
            .await;
    let store = store(&backend).await;
    let since = now();
    let table = [
        (None, r#"{"user":"a<b", "db.user":"dotted","db":{"user":"nested", "n":1.50}, "z":null}"#),
        (Some("user"), "a<b"),
        (Some("db.user"), "dotted"),
        (Some("db"), r#"{"user":"nested", "n":1.50}"#),
        (Some("db.n"), "1.5"),
    ];
    for (property, expected) in table {
        assert_eq!(text(store.get(&remote("app", property), since).await.unwrap()).as_deref(), Some(expected));
    }
    let map = store.get_map(&remote("app", None), since).await.unwrap().unwrap();
    let map: Vec<_> = map.into_iter().map(|(name, value)| (name, text(Some(value)).unwrap())).collect();
    let expected = [("db", r#"{"user":"nested", "n":1.50}"#), ("db.user", "dotted"), ("user", "a<b"), ("z", "")];
    assert_eq!(map, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let missing = store.get(&remote("app", Some("nope")), since).await.unwrap_err();
    assert_eq!(missing.code(), Code::RemotePropertyMissing);
    assert_eq!(actions(&backend), ["GetSecretValue"]);
    let authorization = backend.received()[0].header("authorization").unwrap().to_owned();
    assert!(
        authorization.contains("Credential=AKIDEXAMPLE/") && authorization.contains("eu-central-1"),
        "{authorization}"
    );
}

#[tokio::test]
async fn version_is_a_stage_or_an_id_and_the_prefix_comes_first() {
    let backend = Backend::start(|_| value("x")).await;
    let spec = Spec { prefix: Some("prod/".into()), ..spec(static_auth()) };
    let store = open_at(&backend, spec).await.unwrap();
    for version in [None, Some("AWSPREVIOUS"), Some("uuid/0000-1")] {
        let remote = RemoteRef { version: version.map(Into::into), ..remote("app", None) };
        store.get(&remote, now()).await.unwrap();
    }
    let bodies: Vec<_> = backend.received().into_iter().map(|request| request.body).collect();
    let expected = [
        r#"{"SecretId":"prod/app","VersionStage":"AWSCURRENT"}"#,
        r#"{"SecretId":"prod/app","VersionStage":"AWSPREVIOUS"}"#,
        r#"{"SecretId":"prod/app","VersionId":"0000-1"}"#,
    ];
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn absence_is_none_and_failures_are_told_apart_without_request_ids() {
    let deleted = "You can't perform this operation on the secret because it was marked for deletion.";
    let table = [
        (error("ResourceNotFoundException", "can't find it"), None),
        (error("InvalidRequestException", deleted), None),
        (error("InvalidParameterException", deleted), None),
        (error("InvalidRequestException", "other"), Some(Code::AwsRequestInvalid)),
        (error("AccessDeniedException", "User x is not authorized"), Some(Code::AwsAccessDenied)),
        (error("UnrecognizedClientException", "bad token"), Some(Code::AwsCredentialsInvalid)),
        (error("ThrottlingException", "slow down"), Some(Code::AwsThrottled)),
        (Answer::html(503), Some(Code::AwsUnreachable)),
        (Answer { truncated: true, ..value("x") }, Some(Code::AwsUnreachable)),
        (Answer::json(200, "{}"), Some(Code::RemoteValueInvalid)),
    ];
    for (answer, code) in table {
        let shown = answer.body.clone();
        let backend = Backend::start(move |_| answer.clone()).await;
        let result = store(&backend).await.get(&remote("app", None), now()).await;
        assert_eq!(result.as_ref().err().map(Error::code), code, "{shown} {result:?}");
        if let Err(error) = result {
            assert!(error.to_string().contains("\"app\"") && !error.to_string().contains("1111"), "{error}");
        }
    }
}

#[tokio::test]
async fn binary_value_is_bytes_and_needs_to_be_json_for_properties() {
    let backend = Backend::start(|_| Answer::json(200, r#"{"SecretBinary":"AAH/"}"#)).await;
    let store = store(&backend).await;
    let found = store.get(&remote("app", None), now()).await.unwrap().unwrap();
    assert_eq!(found.expose(), [0, 1, 255]);
    let error = store.get(&remote("app", Some("x")), now()).await.unwrap_err();
    assert_eq!(error.code(), Code::RemoteValueInvalid);
    assert_eq!(store.get_map(&remote("app", None), now()).await.unwrap_err().code(), Code::RemoteValueInvalid);
}

#[tokio::test]
async fn metadata_is_the_tags() {
    let backend =
        Backend::start(|_| Answer::json(200, r#"{"Tags":[{"Key":"team","Value":"a"},{"Key":"env","Value":"<p>"}]}"#))
            .await;
    let store = store(&backend).await;
    let fetch = |property| RemoteRef { metadata_policy: MetadataPolicy::Fetch, ..remote("app", property) };
    assert_eq!(text(store.get(&fetch(Some("team")), now()).await.unwrap()).as_deref(), Some("a"));
    let whole = text(store.get(&fetch(None), now()).await.unwrap());
    assert_eq!(whole.as_deref(), Some(r#"{"env":"\u003cp\u003e","team":"a"}"#));
    assert_eq!(store.get_map(&fetch(None), now()).await.unwrap().unwrap().len(), 2);
}

#[tokio::test]
async fn find_pages_and_matches_names_and_whole_tags() {
    let backend = Backend::start(|request| {
        match &*action(request) {
            "GetSecretValue" => return value("x"),
            "BatchGetSecretValue" => return batch(request, |_| None),
            _ => {}
        }
        let entry = |name: &str, env: &str| {
            serde_json::json!({"Name": name, "Tags": [{"Key": "env", "Value": env}, {"Key": "x", "Value": "prod"}]})
        };
        let page = match request.body.find("NextToken") {
            None => serde_json::json!({"SecretList": [entry("team/a", "prod"), entry("other", "prod")], "NextToken": "2"}),
            Some(_) => serde_json::json!({"SecretList": [entry("team/b", "dev")]}),
        };
        Answer::json(200, page.to_string())
    })
    .await;
    let name = |regexp: &str| Some(FindName { regexp: Some(regexp.into()) });
    let tags = |env: &str| std::iter::once(("env".to_owned(), env.to_owned())).collect();
    let table = [
        (Find { name: name("^team/"), ..Find::default() }, vec!["team/a", "team/b"]),
        (Find { tags: tags("prod"), ..Find::default() }, vec!["other", "team/a"]),
        (Find { tags: tags("prod"), path: Some("team/".into()), ..Find::default() }, vec!["team/a"]),
        (Find { name: name("nothing"), ..Find::default() }, vec![]),
    ];
    for (query, expected) in table {
        let found = store(&backend).await.find(&query, now()).await.unwrap().unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected, "{query:?}");
    }
    let error = store(&backend).await.find(&Find::default(), now()).await.unwrap_err();
    assert_eq!(error.code(), Code::SpecInvalid);
}

#[tokio::test]
async fn service_account_s_token_is_exchanged_once_for_everybody() {
    let backend = Backend::start(aws).await;
    let store = open_at(&backend, spec(jwt_auth("app"))).await.unwrap();
    let remotes: Vec<_> = (0..10).map(|number| remote(&format!("app-{number}"), None)).collect();
    futures::future::try_join_all(remotes.iter().map(|remote| store.get(remote, now()))).await.unwrap();
    assert_eq!(store.check().await, Ok(Readiness::Ready));
    let received = backend.received();
    let exchanges: Vec<_> = received.iter().filter(|request| action(request) == "AssumeRoleWithWebIdentity").collect();
    assert_eq!((exchanges.len(), received.len()), (1, 2));
    let form = &exchanges[0].body;
    assert!(form.contains("WebIdentityToken=jwt-0") && form.contains("RoleSessionName=external-secrets-provider-aws"));
    assert!(exchanges[0].header("authorization").is_none());
    let signed = received.iter().find(|request| action(request) == "BatchGetSecretValue").unwrap();
    assert!(signed.header("authorization").unwrap().contains("Credential=AssumeRoleWithWebIdentity/"));
    assert_eq!(signed.header("x-amz-security-token"), Some("session"));
}

#[tokio::test]
async fn credentials_are_obtained_anew_five_minutes_before_they_end() {
    for (minutes, exchanges) in [(4, 3), (6, 1)] {
        let backend = Backend::start(move |request| {
            let ends_at = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes)).to_string();
            let answer = aws(request);
            Answer { body: answer.body.replace("2099-01-01T00:00:00Z", &ends_at), ..answer }
        })
        .await;
        let store = open_at(&backend, spec(jwt_auth("app"))).await.unwrap();
        for _ in 0..3 {
            store.check().await.unwrap();
        }
        assert_eq!(actions(&backend), vec!["AssumeRoleWithWebIdentity"; exchanges], "{minutes} min of life");
    }
}

#[tokio::test]
async fn only_authorities_of_the_bundle_are_believed() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (backend, pem) = Backend::start_tls(aws).await;
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap().cert.pem();
    for service in [AwsService::SecretsManager, AwsService::ParameterStore] {
        let ask = async |authority| {
            let retry = RetrySettings { max_retries: Some(0), retry_interval: None };
            let spec = Spec { service, ..spec(static_auth()) };
            let store = open_full(&backend, spec, retry, Arc::new(Nothing), authority).await.unwrap();
            store.get(&remote("app", None), now()).await.map_err(|error| error.code())
        };
        let asked = backend.received().len();
        assert_eq!(ask(None).await, Err(Code::AwsUnreachable), "{service:?}");
        assert_eq!(ask(Some(&other)).await, Err(Code::AwsUnreachable), "{service:?}");
        assert_eq!(backend.received().len(), asked, "{service:?}");
        // What this server answers is no parameter, but it is asked for one.
        let _ = ask(Some(&pem)).await;
        assert_eq!(backend.received().len(), asked + 1, "{service:?}");
    }
}

#[tokio::test]
async fn roles_are_assumed_in_order_and_the_last_carries_tags_and_external_id() {
    let backend = Backend::start(aws).await;
    let mut spec = spec(static_auth());
    spec.additional_roles = vec!["arn:aws:iam::1:role/hop".into()];
    spec.role = Some(ROLE.into());
    spec.external_id = Some("ext".into());
    spec.session_tags = vec![SessionTag { key: "team".into(), value: "a".into() }];
    spec.session_tags_policy = SessionTagsPolicy::Simple;
    spec.transitive_tag_keys = vec!["team".into()];
    let store = open_at(&backend, spec).await.unwrap();
    store.get(&remote("app", None), now()).await.unwrap();
    assert_eq!(actions(&backend), ["AssumeRole", "AssumeRole", "GetSecretValue"]);
    let received = backend.received();
    assert!(received[0].body.contains("role%2Fhop") && !received[0].body.contains("ExternalId"));
    let form = &received[1].body;
    for part in ["role%2Freader", "ExternalId=ext", "TransitiveTagKeys.member.1=team", "esoNamespace", "Value=team-a"] {
        assert!(form.contains(part), "{part} in {form}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_identity_is_said_with_role_and_account() {
    let denied = |_: &Received| {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform \
                    sts:AssumeRoleWithWebIdentity</Message></Error><RequestId>1111</RequestId></ErrorResponse>";
        Answer { headers: vec![("content-type", "text/xml".into())], ..Answer::json(403, body) }
    };
    let backend = Backend::start(denied).await;
    let store = open_at(&backend, spec(jwt_auth("app"))).await.unwrap();
    for error in [store.get(&remote("app", None), now()).await.unwrap_err(), store.check().await.unwrap_err()] {
        assert_eq!(error.code(), Code::AwsAccessDenied, "{error}");
        for part in [ROLE, "ServiceAccount team-a/app", "Not authorized"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(!error.to_string().contains("1111"), "{error}");
    }
    let store = open_at(&backend, spec(jwt_auth("plain"))).await.unwrap();
    let error = store.check().await.unwrap_err();
    assert!(error.to_string().contains("eks.amazonaws.com/role-arn"), "{error}");
}

#[tokio::test]
async fn refused_keys_do_not_leak_and_bad_regions_are_refused() {
    let message = "The Canonical String for this request should have been canary";
    let backend = Backend::start(move |_| error("InvalidSignatureException", message)).await;
    let failed = store(&backend).await.get(&remote("app", None), now()).await.unwrap_err();
    assert_eq!(failed.code(), Code::AwsCredentialsInvalid);
    assert!(!failed.to_string().contains("canary"), "{failed}");
    for region in ["", "evil.example/x#", "a b"] {
        let spec = Spec { region: region.into(), ..spec(static_auth()) };
        assert_eq!(open_at(&backend, spec).await.err().unwrap().code(), Code::StoreInvalid);
    }
}

#[test]
fn retry_settings_without_a_number_mean_three_repeats_at_their_interval() {
    let config = |max_retries, interval: Option<&str>| {
        let settings = RetrySettings { max_retries, retry_interval: interval.map(Into::into) };
        let config = connect::retries(Some(&settings)).map_err(|error| error.code())?;
        Ok::<_, Code>((config.max_attempts(), config.initial_backoff(), config.max_backoff()))
    };
    let two = Duration::from_secs(2);
    assert_eq!(config(None, Some("2s")), Ok((4, two, two)));
    assert_eq!(config(Some(0), None).map(|config| config.0), Ok(1));
    assert_eq!(config(Some(-1), None).map(|config| config.0), Ok(1));
    assert_eq!(config(Some(i32::MAX), None).map(|config| config.0), Ok(31), "within the deadline anyway");
    assert_eq!(config(Some(1), Some("soon")), Err(Code::StoreInvalid));
}
