//! How often a store is asked again, by who can end the failure. Counted by a server that fails as it is told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use tests::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::support::{
    Scene,
    manifest::{external_secret, secret, secret_store, vault, with},
};

/// Looks like Vault to whoever looks up a token. Reads below a folder that is named for a status are answered with that, until
/// it is mended.
struct Faulty {
    address: String,
    state: Arc<State>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    mended: AtomicBool,
    /// Reads by folder.
    reads: Mutex<BTreeMap<String, usize>>,
}

impl Faulty {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let state: Arc<State> = Arc::default();
        let shared = state.clone();
        let listening = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { drop(answer(caller, &state).await) });
            }
        });
        Ok(Self { address, state, listening })
    }

    fn mend(&self) {
        self.state.mended.store(true, Ordering::Relaxed);
    }

    fn reads(&self, folder: &str) -> usize {
        self.state.reads.lock().unwrap_or_else(PoisonError::into_inner).get(folder).copied().unwrap_or_default()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// One request on each connection.
async fn answer(mut caller: TcpStream, state: &State) -> Result {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 1024];
        match caller.read(&mut part).await? {
            0 => return Ok(()),
            read => head.extend_from_slice(part.get(..read).unwrap_or_default()),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    let (status, body) = match path.strip_prefix("/v1/secret/data/").and_then(|path| path.split_once('/')) {
        None => (200, json!({"data": {"ttl": 0, "expire_time": null, "renewable": false, "type": "service"}})),
        Some((folder, _)) => {
            *state.reads.lock().unwrap_or_else(PoisonError::into_inner).entry(folder.to_owned()).or_default() += 1;
            if state.mended.load(Ordering::Relaxed) {
                (200, json!({"data": {"data": {"password": "mended"}, "metadata": {"version": 1}}}))
            } else {
                (folder.parse()?, json!({"errors": ["by order"]}))
            }
        }
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    caller.write_all((head + &body).as_bytes()).await?;
    Ok(caller.shutdown().await?)
}

/// ExternalSecrets that wait for the backend which is away.
const USERS: usize = 8;

/// After so many tries of what passes by itself, which is 15 s, what a user must mend has been tried three times: 2 s and 10 s
/// apart, and then a minute.
const TRIES: u8 = 5;

#[tokio::test]
async fn who_can_end_a_failure_decides_how_often_the_store_is_asked() -> Result {
    let scene = Scene::new("retries").await?;
    let faulty = Faulty::start().await?;
    scene.apply(&secret("token", &[("token", "any")])).await?;
    let once = json!({"spec": {"retrySettings": {"maxRetries": 0}}});
    for name in ["throttled", "refused", "away"] {
        scene.apply(&with(secret_store(name, &vault(&faulty.address)), &once)).await?;
        scene.store_is_valid("SecretStore", name).await?;
    }
    let reads = |store: &str, key: &str| -> Value {
        let remote = json!({"key": key, "property": "password"});
        json!({"secretStoreRef": {"name": store}, "data": [{"secretKey": "password", "remoteRef": remote}]})
    };
    scene.apply(&external_secret("throttled", &reads("throttled", "429/db"))).await?;
    scene.apply(&external_secret("refused", &reads("refused", "400/db"))).await?;
    let away: Vec<_> = (0..USERS).map(|number| format!("away-{number}")).collect();
    for name in &away {
        scene.apply(&external_secret(name, &reads("away", &format!("503/{name}")))).await?;
    }
    scene.fails("throttled", "VaultThrottled").await?;
    scene.fails("refused", "VaultRequestInvalid").await?;

    scene.has_failed("throttled", f64::from(TRIES)).await?;
    let (asked, refused) = (faulty.reads("429"), faulty.reads("400"));
    assert!((usize::from(TRIES)..=usize::from(TRIES) + 1).contains(&asked), "one for each try: {asked}");
    assert_eq!(refused, 3, "what a user must mend");
    let mut failures = 0.0;
    for name in &away {
        failures += scene.failures(name).await?;
    }
    let probes = f64::from(u32::try_from(faulty.reads("503"))?);
    assert!(probes < failures, "one asks for all: {probes} reads for {failures} failures");

    faulty.mend();
    for name in away.iter().map(String::as_str).chain(["throttled"]) {
        scene.holds(name, &[("password", "mended")]).await?;
    }
    assert_eq!(faulty.reads("400"), refused, "nobody has told that it is mended");
    scene.force_sync("refused").await?;
    scene.holds("refused", &[("password", "mended")]).await.map(drop)
}
