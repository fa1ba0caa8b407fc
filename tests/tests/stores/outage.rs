//! A backend that goes and comes back: what is asked of it meanwhile, and how soon its users notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tests::{Binary, Result, wait};
use tokio::{
    io::{AsyncReadExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    password,
    support::{
        Ready, SOON, Scene,
        manifest::{external_secret, secret, secret_store, vault, with},
    },
    token_for,
};

/// A way to a server that can be shut: whoever comes then is counted and sent away.
struct Gate {
    address: String,
    open: watch::Sender<bool>,
    refused: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Gate {
    async fn before(address: &str) -> Result<Self> {
        let target = address.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let (open, is_open) = watch::channel(true);
        let refused = Arc::new(AtomicUsize::new(0));
        let counted = refused.clone();
        let listening = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                if *is_open.borrow() {
                    tokio::spawn(pass(caller, target.clone(), is_open.clone()));
                } else {
                    counted.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(send_away(caller));
                }
            }
        });
        Ok(Self { address, open, refused, listening })
    }

    /// Who is inside goes too.
    fn shut(&self) {
        self.open.send_replace(false);
    }

    fn open(&self) {
        self.open.send_replace(true);
    }

    fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn pass(mut caller: TcpStream, target: String, mut is_open: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut caller, &mut server) => {}
        _ = is_open.wait_for(|open| !open) => {}
    }
}

/// Listens first, so that it always looks the same to the caller.
async fn send_away(mut caller: TcpStream) {
    // Whatever it says, and whether it says anything, it is not answered.
    let _ = caller.read(&mut [0; 8192]).await;
}

/// Long enough for the pauses between probes to have become as long as they get.
const OUTAGE: Duration = Duration::from_secs(17);

/// What the issue promises, for thousands of users.
const RECOVERED: Duration = Duration::from_secs(30);

/// ExternalSecrets that are due again and again while the backend is away.
const USERS: usize = 60;

#[tokio::test]
async fn outage_costs_few_calls_and_one_status_and_ends_for_all_soon_after() -> Result {
    let scene = Scene::new("outage").await?;
    let bao = scene.bed.bao().await?;
    let gate = Gate::before(&bao.address).await?;
    scene.apply(&secret("token", &[("token", &token_for(&scene, bao).await?)])).await?;
    scene.apply(&secret_store("vault", &vault(&gate.address))).await?;
    scene.store_is_valid("SecretStore", "vault").await?;
    let spec = with(password(&scene, &json!({"name": "vault"})), &json!({"refreshInterval": "3s"}));
    let names: Vec<_> = (0..USERS).map(|number| format!("app-{number}")).collect();
    let (scene, spec) = (&scene, &spec);
    stream::iter(&names)
        .map(|name| async move { scene.apply(&external_secret(name, spec)).await })
        .buffer_unordered(8)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    are_all(scene, "True", SOON).await?;

    gate.shut();
    are_all(scene, "False", SOON).await?;
    let (mark, before, shut) = (scene.bed.api_mark().await?, gate.refused(), Instant::now());
    tokio::time::sleep(OUTAGE).await;
    let (asked, lasted) = (gate.refused() - before, shut.elapsed());
    assert!(asked > 0 && u64::try_from(asked)? <= lasted.as_secs(), "{asked} calls within {lasted:?}");
    let written = scene.bed.api_requests_since(mark).await?.of(Binary::Controller).in_namespace(&scene.namespace);
    let written = written.writes().resource("externalsecrets/status");
    assert!(written.is_empty(), "it was told already: {written}");

    gate.open();
    are_all(scene, "True", RECOVERED).await
}

#[tokio::test]
async fn one_user_alone_notices_soon_that_the_backend_is_back() -> Result {
    let scene = Scene::new("lone").await?;
    let bao = scene.bed.bao().await?;
    let gate = Gate::before(&bao.address).await?;
    scene.apply(&secret("token", &[("token", &token_for(&scene, bao).await?)])).await?;
    let once = json!({"spec": {"retrySettings": {"maxRetries": 0}}});
    scene.apply(&with(secret_store("vault", &vault(&gate.address)), &once)).await?;
    let spec = with(password(&scene, &json!({"name": "vault"})), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    scene.is_synced("app").await?;
    gate.shut();
    scene.fails("app", "VaultUnreachable").await?;
    // By itself, doubling its pauses, it would try 15 s after this.
    tokio::time::sleep(OUTAGE).await;
    gate.open();
    are_all(&scene, "True", Duration::from_secs(12)).await
}

/// Waits until the condition of every ExternalSecret has this status.
async fn are_all(scene: &Scene, status: &str, deadline: Duration) -> Result {
    let external_secrets = scene.ours("ExternalSecret");
    wait::until(&format!("all to be Ready={status}"), deadline, || async {
        let all = external_secrets.list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?;
        let is = |object: &&_| Ready::of(object).is_some_and(|ready| ready.status == status);
        match all.items.iter().filter(is).count() {
            count if count == all.items.len() => Ok(()),
            count => Err(format!("{count} of {} are", all.items.len())),
        }
    })
    .await
}
