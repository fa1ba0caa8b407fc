//! Hundreds of ExternalSecrets while their Vault is down, sealed, or turns requests away.
//!
//! `OUTAGE_USERS=2000 OUTAGE_SECONDS=60` makes these as large as what is promised.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{ResourceExt as _, api::ListParams};
use serde_json::json;
use tests::{Binary, Fault, Gate, LastingBao, Result, wait};
use tokio::sync::Mutex;

use crate::{
    setting,
    support::{
        Ready, Scene,
        manifest::{external_secret, secret, secret_store, vault, with},
        version,
    },
};

/// Time that a busy machine may take to create and sync them all.
const CREATED: Duration = Duration::from_mins(5);

/// What is promised is half a minute; a machine that compiles beside may take longer.
const RECOVERED: Duration = Duration::from_secs(90);

/// Between two looks at all of them.
const LOOK: Duration = Duration::from_secs(1);

/// Reconciles that can be under way when the server fails: the default of `--concurrent`, and the store's own.
const IN_HAND: usize = 17;

/// ExternalSecrets with an entry each, all synced.
struct Crowd {
    scene: Scene,
    bao: Mutex<LastingBao>,
    gate: Gate,
    users: usize,
}

impl Crowd {
    async fn new(prefix: &str) -> Result<Self> {
        let scene = Scene::new(prefix).await?;
        let bao = scene.bed.lasting_bao().await?;
        let gate = Gate::before(&bao.address).await?;
        let users = usize::try_from(setting("OUTAGE_USERS", 150))?;
        scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
        scene.apply(&secret_store("vault", &vault(&gate.address))).await?;
        scene.store_is_valid("SecretStore", "vault").await?;
        let create = async |number: usize| {
            let name = format!("app-{number}");
            bao.put(&name, &json!({"value": number.to_string()})).await?;
            let data = json!([{"secretKey": "value", "remoteRef": {"key": name, "property": "value"}}]);
            let spec = json!({"secretStoreRef": {"name": "vault"}, "refreshInterval": "15s", "data": data});
            let deletes = json!({"target": {"deletionPolicy": "Delete"}});
            scene.apply(&external_secret(&name, &with(spec, &deletes))).await.map(drop)
        };
        stream::iter(0..users).map(create).buffer_unordered(8).try_for_each(|()| async { Ok(()) }).await?;
        let crowd = Self { users, scene, bao: Mutex::new(bao), gate };
        crowd.are_all("True", CREATED).await?;
        Ok(crowd)
    }

    /// Waits until the condition of every ExternalSecret has this status.
    async fn are_all(&self, status: &str, deadline: Duration) -> Result {
        let external_secrets = self.scene.ours("ExternalSecret");
        wait::until(&format!("all to be Ready={status}"), deadline, || async {
            // A list of thousands is work for the API server, which has enough to do.
            tokio::time::sleep(LOOK).await;
            let all = external_secrets.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let is = |object: &&_| Ready::of(object).is_some_and(|ready| ready.status == status);
            match all.items.iter().filter(is).count() {
                count if count == self.users => Ok(()),
                count => Err(format!("{count} of {} are", self.users)),
            }
        })
        .await
    }

    /// The Secrets that the ExternalSecrets made, by their versions.
    async fn secrets(&self) -> Result<BTreeMap<String, String>> {
        let all = self.scene.secrets().list(&ListParams::default()).await?;
        Ok(all.items.iter().map(|secret| (secret.name_any(), version(secret))).collect())
    }

    async fn breaker_open(&self) -> Result<f64> {
        self.scene.count("externalsecret_provider_breaker_open", "vault").await
    }

    /// What is promised of an outage that has just begun, until `end` has ended it.
    async fn sits_out(&self, what: &str, end: impl AsyncFnOnce() -> Result) -> Result {
        let (asked, began) = (self.gate.requests(), Instant::now());
        let (mark, secrets) = (self.scene.bed.api_mark().await?, self.secrets().await?);
        tokio::time::sleep(Duration::from_secs(setting("OUTAGE_SECONDS", 20))).await;
        let (asked, lasted) = (self.gate.requests() - asked, began.elapsed());
        self.are_all("False", Duration::from_secs(20)).await?;
        assert!((self.breaker_open().await? - 1.0).abs() < 0.5, "{what}: the breaker is not shown as open");
        let written = self.scene.bed.api_requests_since(mark).await?.of(Binary::Controller);
        let written = written.in_namespace(&self.scene.namespace).writes();
        assert_eq!(self.secrets().await?, secrets, "{what}: a Secret was touched");
        assert!(asked <= 2 * usize::try_from(lasted.as_secs())?, "{what}: {asked} calls within {lasted:?}");
        let mut statuses = BTreeMap::<String, usize>::new();
        for request in written.resource("externalsecrets/status").as_slice() {
            *statuses.entry(request.name.clone()).or_default() += 1;
        }
        // Whoever was served at the last moment told of that, too.
        let more: Vec<_> = statuses.iter().filter(|(_, times)| **times > 1).collect();
        assert!(more.len() <= IN_HAND && more.iter().all(|(_, times)| **times == 2), "{what}: told twice: {more:?}");
        end().await?;
        let back = Instant::now();
        self.are_all("True", RECOVERED).await?;
        println!(
            "{what}: {} ExternalSecrets: {asked} calls in {} s, {} told twice; all Ready {:.1} s after the end",
            self.users,
            lasted.as_secs(),
            more.len(),
            back.elapsed().as_secs_f64()
        );
        assert!(self.breaker_open().await?.abs() < 0.5, "{what}: the breaker is still shown as open");
        assert_eq!(self.secrets().await?, secrets, "{what}: a Secret was touched after the end");
        Ok(())
    }
}

#[tokio::test]
async fn stopped_server_is_asked_seldom_and_served_by_soon_after_it_is_back() -> Result {
    let crowd = Crowd::new("stopped").await?;
    crowd.bao.lock().await.stop().await?;
    crowd.sits_out("stopped", async || crowd.bao.lock().await.start_again().await).await
}

#[tokio::test]
async fn sealed_server_is_asked_seldom_and_served_by_soon_after_it_is_unsealed() -> Result {
    let crowd = Crowd::new("sealed").await?;
    crowd.bao.lock().await.seal().await?;
    crowd.sits_out("sealed", async || crowd.bao.lock().await.unseal().await).await
}

#[tokio::test]
async fn server_that_turns_requests_away_is_left_alone_as_long_as_it_asks() -> Result {
    let crowd = Crowd::new("throttled").await?;
    crowd.gate.set(|number| Fault::Status(429, if number % 2 == 0 { Some(3) } else { None }));
    crowd
        .sits_out("429 storm", async || {
            crowd.gate.clear();
            Ok(())
        })
        .await
}
