use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use api::{
    external_secret::{Find, RemoteRef},
    provider::{Provider, Vault},
    reference::{SecretKeySelector, StoreKind},
    store::SecretStoreSpec,
};

use k8s_openapi::api::core::v1::Secret;

use super::*;
use crate::{
    engine::{stamp::Stamp, watch::Sink},
    provider::{Readiness, Values, fixture::kube_client},
    resolve::{Credentials, Kind as _},
    secret_bytes::SecretBytes,
};

/// Opens stores by reading a Secret, and counts.
#[derive(Default)]
struct Bench {
    opened: AtomicUsize,
    closed: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
    secret_version: Arc<AtomicUsize>,
    secret_exists: Arc<AtomicBool>,
    store_answers: Arc<Mutex<Option<Error>>>,
    credentials: OnceLock<Arc<Credentials>>,
}

struct Opened {
    number: usize,
    closed: Arc<AtomicUsize>,
    answers: Arc<Mutex<Option<Error>>>,
}

#[async_trait]
impl Store for Opened {
    async fn get(&self, _: &RemoteRef, _: Instant) -> Result<Option<SecretBytes>, Error> {
        let error = lock(&self.answers).clone();
        error.map_or(Ok(Some(self.number.to_string().into())), Err)
    }

    async fn get_map(&self, _: &RemoteRef, _: Instant) -> Result<Option<Values>, Error> {
        Ok(None)
    }

    async fn find(&self, _: &Find, _: Instant) -> Result<Option<Values>, Error> {
        Ok(None)
    }

    async fn check(&self) -> Result<Readiness, Error> {
        Ok(Readiness::Ready)
    }

    async fn close(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Opener for Bench {
    async fn open(&self, _: &StoreHandle, access: Arc<Access>) -> Result<Arc<dyn Store>, Error> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
        access.secret_key("spec.x", &selector(None), None).await?;
        Ok(Arc::new(Opened { number, closed: self.closed.clone(), answers: self.store_answers.clone() }))
    }
}

fn selector(namespace: Option<&str>) -> SecretKeySelector {
    SecretKeySelector { name: "token".into(), namespace: namespace.map(Into::into), key: Some("token".into()) }
}

impl Bench {
    fn pool(limit: usize) -> (Arc<Self>, Arc<Pool>) {
        let bench = Arc::new(Self::default());
        bench.secret_exists.store(true, Ordering::Relaxed);
        let (looks, version, exists) = (bench.looks.clone(), bench.secret_version.clone(), bench.secret_exists.clone());
        let client = kube_client(move |_| {
            looks.fetch_add(1, Ordering::Relaxed);
            if !exists.load(Ordering::Relaxed) {
                return (404, serde_json::json!({"kind": "Status", "code": 404}));
            }
            let version = version.load(Ordering::Relaxed).to_string();
            (
                200,
                serde_json::json!({"metadata": {"name": "token", "uid": "1", "resourceVersion": version}, "data": {"token": "eA=="}}),
            )
        });
        let credentials = Arc::new(Credentials::new("", |_| {}));
        bench.credentials.set(credentials.clone()).ok();
        (bench.clone(), Pool::new(Arc::new(Resolver::new(client, credentials)), bench, limit))
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }

    fn closed(&self) -> usize {
        self.closed.load(Ordering::Relaxed)
    }
}

fn vault(namespace: Option<&str>) -> Provider {
    let auth = api::provider::VaultAuth { token_secret_ref: Some(selector(namespace)), ..Default::default() };
    let vault = Vault { server: "http://127.0.0.1".into(), auth: Some(auth), ..Default::default() };
    Provider { vault: Some(vault), ..Default::default() }
}

fn store(uid: &str, generation: i64) -> StoreHandle {
    let spec = SecretStoreSpec { provider: vault(None), ..Default::default() };
    StoreHandle {
        kind: StoreKind::SecretStore,
        name: "vault".into(),
        namespace: Some("team-a".into()),
        uid: uid.into(),
        generation,
        spec: Arc::new(spec),
    }
}

fn cluster_store(provider: Provider) -> StoreHandle {
    let spec = Arc::new(SecretStoreSpec { provider, ..Default::default() });
    StoreHandle { kind: StoreKind::ClusterSecretStore, namespace: None, spec, ..store("c", 1) }
}

async fn number(store: &Arc<dyn Store>) -> Result<String, Error> {
    let value = store.get(&RemoteRef::default(), now()).await?;
    Ok(String::from_utf8(value.unwrap().expose().to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn concurrent_openers_share_one_opening_and_its_failure() {
    let (bench, pool) = Bench::pool(100);
    let store = store("a", 1);
    let since = now();
    let all = join_all((0..50).map(|_| pool.open(&store, "team-a", since))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((bench.opened(), bench.looks()), (1, 1));

    let (bench, pool) = Bench::pool(100);
    bench.secret_exists.store(false, Ordering::Relaxed);
    let since = now();
    let all = join_all((0..50).map(|_| pool.open(&store, "team-a", since))).await;
    assert!(all.iter().all(|opened| opened.as_ref().is_err_and(|error| error.code() == Code::ReferenceNotFound)));
    assert_eq!(bench.opened(), 1);

    bench.secret_exists.store(true, Ordering::Relaxed);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(pool.open(&store, "team-a", now()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn replaced_credential_is_noticed_after_five_seconds_and_unchanged_one_is_kept() {
    let (bench, pool) = Bench::pool(100);
    let store = store("a", 1);
    let first = pool.open(&store, "team-a", now()).await.unwrap();
    assert_eq!(number(&first).await.unwrap(), "0");
    bench.secret_version.store(2, Ordering::Relaxed);

    tokio::time::advance(Duration::from_secs(4)).await;
    let second = pool.open(&store, "team-a", now()).await.unwrap();
    assert_eq!((number(&second).await.unwrap().as_str(), bench.looks()), ("0", 1));

    tokio::time::advance(Duration::from_secs(2)).await;
    let third = pool.open(&store, "team-a", now()).await.unwrap();
    assert_eq!(number(&third).await.unwrap(), "1");

    tokio::time::advance(Duration::from_secs(6)).await;
    let before = bench.looks();
    let since = now();
    let all = join_all((0..50).map(|_| pool.open(&store, "team-a", since))).await;
    assert_eq!(number(all[49].as_ref().unwrap()).await.unwrap(), "1");
    assert_eq!(bench.looks(), before + 1);

    drop((first, second));
    pool.sweep().await;
    assert_eq!(bench.closed(), 1);
}

#[tokio::test(start_paused = true)]
async fn watched_credential_is_looked_at_only_after_the_watch_told_of_a_change() {
    let (bench, pool) = Bench::pool(100);
    let store = store("a", 1);
    bench.secret_version.store(7, Ordering::Relaxed);
    assert_eq!(number(&pool.open(&store, "team-a", now()).await.unwrap()).await.unwrap(), "0");
    let shows = |version: &str| {
        let metadata = serde_json::json!({"name": "token", "namespace": "team-a", "resourceVersion": version});
        let stamp: Stamp<Secret> = serde_json::from_value(serde_json::json!({"metadata": metadata})).unwrap();
        let secrets = Secret::of(bench.credentials.get().unwrap());
        secrets.applied(stamp);
        Sink::<Stamp<Secret>>::listed(secrets.as_ref());
    };
    shows("7");
    let looks = bench.looks();
    for _ in 0..3 {
        tokio::time::advance(LOOK_EVERY * 2).await;
        assert_eq!(number(&pool.open(&store, "team-a", now()).await.unwrap()).await.unwrap(), "0");
    }
    assert_eq!(bench.looks(), looks);
    bench.secret_version.store(8, Ordering::Relaxed);
    shows("8");
    assert_eq!(number(&pool.open(&store, "team-a", now()).await.unwrap()).await.unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn answer_of_the_backend_stands_for_a_check_until_it_refuses_or_is_gone() {
    let (bench, pool) = Bench::pool(100);
    let store = store("a", 1);
    let opened = pool.open(&store, "team-a", now()).await.unwrap();
    let before = now();
    assert!(!opened.was_accepted_since(before), "opening alone says nothing");
    number(&opened).await.unwrap();
    assert!(opened.was_accepted_since(before));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!opened.was_accepted_since(now()));
    for error in [Error::fix(Code::VaultLoginDenied, "denied"), Error::outage(Code::VaultUnreachable, "refused")] {
        *lock(&bench.store_answers) = Some(error);
        assert!(number(&opened).await.is_err());
        assert!(!opened.was_accepted_since(before));
        *lock(&bench.store_answers) = None;
        tokio::time::advance(Duration::from_secs(1)).await;
        number(&opened).await.unwrap();
        assert!(opened.was_accepted_since(before));
    }
}

#[tokio::test(start_paused = true)]
async fn refused_credential_is_looked_at_again_at_once() {
    let (bench, pool) = Bench::pool(100);
    let store = store("a", 1);
    let opened = pool.open(&store, "team-a", now()).await.unwrap();
    *lock(&bench.store_answers) = Some(Error::fix(Code::VaultPermissionDenied, "denied"));
    assert!(number(&opened).await.is_err());
    *lock(&bench.store_answers) = None;
    bench.secret_version.store(2, Ordering::Relaxed);
    let opened = pool.open(&store, "team-a", now()).await.unwrap();
    assert_eq!(number(&opened).await.unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn changed_store_is_another_identity_and_the_old_one_is_closed_after_its_last_user() {
    let (bench, pool) = Bench::pool(100);
    let old = pool.open(&store("a", 1), "team-a", now()).await.unwrap();
    let new = pool.open(&store("a", 2), "team-a", now()).await.unwrap();
    assert_ne!(number(&old).await.unwrap(), number(&new).await.unwrap());
    pool.sweep().await;
    assert_eq!(bench.closed(), 0);
    drop(old);
    pool.sweep().await;
    assert_eq!(bench.closed(), 1);
    pool.forget("a");
    drop(new);
    pool.sweep().await;
    assert_eq!(bench.closed(), 2);
}

#[tokio::test(start_paused = true)]
async fn namespaces_are_identities_only_where_credentials_lie_beside_the_external_secret() {
    let (bench, pool) = Bench::pool(100);
    let referent = cluster_store(vault(None));
    assert_eq!(pool.open(&referent, "", now()).await.unwrap().check().await, Ok(Readiness::Unknown));
    assert_eq!(bench.opened(), 0);
    for namespace in ["team-a", "team-b", "team-a"] {
        pool.open(&referent, namespace, now()).await.unwrap();
    }
    assert_eq!(bench.opened(), 2);

    let (bench, pool) = Bench::pool(100);
    let shared = cluster_store(vault(Some("vault")));
    for namespace in ["team-a", "team-b", ""] {
        // The bench's own selector names no namespace.
        let error = pool.open(&shared, namespace, now()).await.err().unwrap();
        assert_eq!(error.code(), Code::StoreInvalid);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(bench.opened(), 3);
}

#[tokio::test(start_paused = true)]
async fn idle_and_excess_clients_are_closed() {
    let (bench, pool) = Bench::pool(2);
    for uid in ["a", "b", "c"] {
        pool.open(&store(uid, 1), "team-a", now()).await.unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    pool.sweep().await;
    assert_eq!(bench.closed(), 1);
    let held = pool.open(&store("c", 1), "team-a", now()).await.unwrap();
    tokio::time::sleep(IDLE + SWEEP_EVERY + Duration::from_secs(1)).await;
    assert_eq!(bench.closed(), 2);
    drop(held);
    pool.shutdown().await;
    assert_eq!(bench.closed(), 3);
}

#[tokio::test(start_paused = true)]
async fn identities_of_one_store_share_the_breaker() {
    let (bench, pool) = Bench::pool(100);
    let store = cluster_store(vault(None));
    let mut signals = pool.signals();
    let a = pool.open(&store, "team-a", now()).await.unwrap();
    let b = pool.open(&store, "team-b", now()).await.unwrap();
    *lock(&bench.store_answers) = Some(Error::outage(Code::VaultUnreachable, "refused"));
    assert_eq!(number(&a).await.unwrap_err().code(), Code::VaultUnreachable);
    *lock(&bench.store_answers) = None;
    assert_eq!(number(&b).await.unwrap_err().code(), Code::BreakerOpen);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(number(&b).await.is_ok());
    assert!(number(&a).await.is_ok());
    let told = std::iter::from_fn(|| signals.try_recv().ok());
    assert!(matches!(told.last(), Some(Signal::Recovered { uid, .. }) if uid == "c"));
}
