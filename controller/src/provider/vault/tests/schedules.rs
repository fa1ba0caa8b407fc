//! Many stores at servers that fail at random, each by a schedule of its own, and then work again.
//!
//! Nothing may be concluded from a fault: whatever is answered, a read gives the value that is there, or an error; never another
//! value, never that there is none. Afterwards every read succeeds.

use futures::{StreamExt as _, stream};

use super::{apart::Dice, *};
use crate::http::Timeouts;

/// As the issue asks for.
const SCHEDULES: u64 = 500;

/// Requests that a schedule decides about; then the server works.
const FAULTY: usize = 24;

/// Longer than an answer takes, much shorter than those that do not come.
const PATIENCE: Duration = Duration::from_millis(250);

/// Long beside what the requests of one schedule take.
const DEADLINE: Duration = Duration::from_mins(1);

/// What each entry holds.
fn value(key: &str) -> String {
    format!("value of {key}")
}

/// One fault, or what Vault answers.
fn fault(dice: &mut Dice, good: Answer) -> Answer {
    let broken = |status: u16, body: &str| Answer::json(status, body);
    let half = good.body[..dice.throw(good.body.len())].to_owned();
    match dice.throw(24) {
        0 => Answer { truncated: true, body: half, ..good },
        1 => Answer { stalls: true, body: half, ..good },
        2 => Answer { body: half, ..good },
        3 => Answer { stalls: true, body: String::new(), ..good },
        4 => broken(429, "{}").with("retry-after", "0"),
        5 => broken(429, "{}"),
        6 => broken(429, r#"{"errors":["rate limit"]}"#).with("retry-after", "18446744073709551616"),
        7 => Answer::html([200, 301, 307, 400, 403, 404, 429, 500, 501, 502, 503, 504][dice.throw(12)]),
        8 => broken([412, 472, 473, 500, 501, 502, 503, 504][dice.throw(8)], r#"{"errors":["no"]}"#),
        9 => broken([500, 502, 503][dice.throw(3)], ""),
        10 => broken(200, ["", "{}", "null", "[]", "0", "\"x\"", r#"{"data":null}"#, r#"{"data":[]}"#][dice.throw(8)]),
        11 => broken(
            200,
            [r#"{"data":{"data":[]}}"#, r#"{"data":{"data":"x"}}"#, r#"{"data":{"data":1}}"#][dice.throw(3)],
        ),
        12 => {
            broken(404, ["", "{}", "null", r#"{"message":"no route"}"#, r#"{"errors":["no handler"]}"#][dice.throw(5)])
        }
        13 => broken(403, [r#"{"errors":["permission denied"]}"#, r#"{"errors":null}"#, "{}"][dice.throw(3)]),
        14 => broken(200, &format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000))),
        15 => broken(400, [r#"{"errors":null}"#, r#"{"errors":{"a":[]}}"#, "{}"][dice.throw(3)]),
        16 => broken(204, ""),
        17 => broken(307, "").with("location", ["", "/v1/elsewhere", "https://[", "ftp://a", "\u{e4}"][dice.throw(5)]),
        _ => good,
    }
}

async fn server(seed: u64) -> Backend {
    let dice = std::sync::Mutex::new((Dice::new(seed), 0));
    Backend::start(move |request| {
        let good = match request.target.as_str() {
            "/v1/auth/kubernetes/login" => {
                Answer::json(200, r#"{"auth":{"client_token":"s.new","lease_duration":3600,"renewable":true}}"#)
            }
            target => {
                let key = target.rsplit('/').next().unwrap_or_default();
                entry(&serde_json::json!({"k": value(key)}).to_string())
            }
        };
        let (dice, asked) = &mut *dice.lock().unwrap();
        *asked += 1;
        if *asked <= FAULTY { fault(dice, good) } else { good }
    })
    .await
}

/// Reads entries while the server fails and until it does not; how many reads failed.
async fn schedule(seed: u64, clients: &Clients) -> usize {
    let backend = server(seed).await;
    let spec = Spec {
        server: backend.url.clone(),
        path: Some("secret".into()),
        auth: Some(kubernetes_auth()),
        ..Spec::default()
    };
    let retry = RetrySettings { max_retries: Some(1), retry_interval: Some("1ms".into()) };
    let metrics = ProviderMetrics::new(&prometheus::Registry::new()).unwrap();
    let aws = aws::Shared::new(aws::Endpoints::default(), aws::Pod::default());
    let shared = Shared { clients, aws: &aws, google: &Google::default(), metrics: &metrics };
    let (mut failed, mut store) = (0, None);
    while backend.lines().len() < FAULTY {
        let Some(open) = &store else {
            match open(&spec, Some(&retry), access(), &shared, Reads::new(Demand::default())).await {
                Ok(opened) => store = Some(opened),
                Err(_) => failed += 1,
            }
            continue;
        };
        failed += read_all(open, seed).await;
    }
    // A busy machine may take longer for an answer than is waited for here.
    loop {
        match &store {
            Some(open) if read_all(open, seed).await == 0 => break,
            Some(_) => {}
            None => store = open(&spec, Some(&retry), access(), &shared, Reads::new(Demand::default())).await.ok(),
        }
    }
    failed
}

async fn read_all(store: &Vault, seed: u64) -> usize {
    let since = tokio::time::Instant::now().into_std();
    let keys = ["a", "b", "c"].map(|key| remote(key, Some("k")));
    let found = futures::future::join_all(keys.iter().map(|remote| store.get(remote, since))).await;
    for (remote, found) in keys.iter().zip(&found) {
        if let Ok(found) = found {
            let found = found.as_ref().map(|found| String::from_utf8_lossy(found.expose()).into_owned());
            assert_eq!(found, Some(value(&remote.key)), "seed {seed}");
        }
    }
    found.iter().filter(|found| found.is_err()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_fault_is_taken_for_a_value_or_its_absence_and_all_is_well_afterwards() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Reading the system's certificates takes longer than a schedule.
    let clients = Arc::new(Clients::new(Timeouts { connect: PATIENCE, call: PATIENCE }));
    let failed: Vec<usize> = stream::iter(0..SCHEDULES)
        .map(|seed| {
            let clients = clients.clone();
            async move {
                let work = tokio::spawn(async move { schedule(seed, &clients).await });
                let ends = tokio::time::timeout(DEADLINE, work).await;
                ends.unwrap_or_else(|_| panic!("seed {seed}: it did not end within {DEADLINE:?}")).unwrap()
            }
        })
        .buffer_unordered(64)
        .collect()
        .await;
    assert!(failed.iter().filter(|failed| **failed > 0).count() > 400, "or there were no faults: {failed:?}");
}
