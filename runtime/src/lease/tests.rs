//! `decide` as a table, and candidates against an API server in memory with paused time.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

fn spec(holder: &str, seconds: i32, renewed: i64) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(seconds),
        renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
        ..LeaseSpec::default()
    }
}

#[tokio::test(start_paused = true)]
async fn decision_follows_the_last_sign_of_life_we_saw() {
    let start = Instant::now();
    let mut observed = Observed::default();
    assert_eq!(decide(None, "me", start, &observed), Decision::Create);
    assert_eq!(decide(Some(&LeaseSpec::default()), "me", start, &observed), Decision::Take);
    assert_eq!(decide(Some(&spec("", 15, 0)), "me", start, &observed), Decision::Take);
    assert_eq!(decide(Some(&spec("me", 15, 0)), "me", start, &observed), Decision::Renew);

    // renewTime is decades old on our clock; what counts is that we see it for the first time now.
    let other = spec("other", 15, 0);
    observed.see(&other, start);
    assert_eq!(decide(Some(&other), "me", start, &observed), Decision::Wait(Duration::from_secs(15)));
    let later = start + Duration::from_secs(14);
    observed.see(&other, later);
    assert_eq!(decide(Some(&other), "me", later, &observed), Decision::Wait(Duration::from_secs(1)));
    let renewed = spec("other", 15, 1);
    observed.see(&renewed, later);
    assert_eq!(decide(Some(&renewed), "me", later, &observed), Decision::Wait(Duration::from_secs(15)));
    assert_eq!(decide(Some(&renewed), "me", later + Duration::from_secs(15), &observed), Decision::Take);

    // A holder that states no duration, or a negative one, does not hold.
    assert_eq!(decide(Some(&spec("other", -1, 1)), "me", later, &observed), Decision::Take);
}

#[test]
fn contradicting_durations_are_refused() {
    let good = Settings::new("l", "ns");
    assert!(Election::new(good.clone()).is_ok());
    assert!(Election::new(Settings { renew_deadline: good.lease_duration, ..good.clone() }).is_err());
    assert!(Election::new(Settings { retry_period: good.renew_deadline, ..good.clone() }).is_err());
    assert!(Election::new(Settings { retry_period: Duration::ZERO, ..good }).is_err());
}

/// One Lease, optimistic locking, and a switch that makes every request hang.
#[derive(Clone, Default)]
struct Server {
    lease: Arc<Mutex<Option<Value>>>,
    silent: Arc<std::sync::atomic::AtomicBool>,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        Client::new(tower::service_fn(move |request| server.clone().answer(request)), "ns")
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
        if self.silent.load(std::sync::atomic::Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let method = request.method().clone();
        let body = request.into_body().collect_bytes().await.unwrap();
        let (code, answer) = self.handle(&method, serde_json::from_slice(&body).unwrap_or_default());
        Ok(Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap())
    }

    fn handle(&self, method: &Method, sent: Value) -> (u16, Value) {
        let mut lease = self.lease.lock().unwrap();
        let status = |code: u16, reason: &str| {
            (code, json!({"kind": "Status", "code": code, "reason": reason, "message": reason, "status": "Failure"}))
        };
        match (method.as_str(), lease.clone()) {
            ("GET", None) => status(404, "NotFound"),
            ("GET", Some(stored)) => (200, stored),
            ("POST", Some(_)) => status(409, "AlreadyExists"),
            ("PUT", Some(stored)) if stored["metadata"]["resourceVersion"] != sent["metadata"]["resourceVersion"] => {
                status(409, "Conflict")
            }
            ("POST" | "PUT", stored) => {
                let version = stored.map_or(0, |stored| {
                    stored["metadata"]["resourceVersion"].as_str().unwrap().parse::<u32>().unwrap()
                });
                let mut next = sent;
                next["metadata"]["resourceVersion"] = (version + 1).to_string().into();
                *lease = Some(next.clone());
                (200, next)
            }
            _ => status(405, "MethodNotAllowed"),
        }
    }

    fn holder(&self) -> String {
        self.lease.lock().unwrap().as_ref().unwrap()["spec"]["holderIdentity"].as_str().unwrap().to_owned()
    }

    fn candidate(&self, identity: &str, token: &CancellationToken) -> Leadership {
        let settings = Settings { identity: identity.to_owned(), ..Settings::new("l", "ns") };
        Election::new(settings).unwrap().run(self.client(), token.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn second_candidate_waits_and_takes_over_after_release() {
    let server = Server::default();
    let (first_token, second_token) = (CancellationToken::new(), CancellationToken::new());
    let first = server.candidate("first", &first_token);
    assert!(first.acquired().await);
    let second = server.candidate("second", &second_token);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(!*second.leading().borrow());

    first_token.cancel();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(server.holder(), "first", "a leader keeps the lease while it drains");

    let stopped = Instant::now();
    first.release().await;
    assert!(second.acquired().await);
    assert!(stopped.elapsed() < Duration::from_secs(5), "no need to wait for expiry after a release");
    assert_eq!(server.holder(), "second");
    assert!(!second_token.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn leader_without_renewal_stops_before_another_may_start() {
    let server = Server::default();
    let token = CancellationToken::new();
    let leader = server.candidate("leader", &token);
    assert!(leader.acquired().await);
    let cut = Instant::now();
    server.silent.store(true, std::sync::atomic::Ordering::SeqCst);
    token.cancelled().await;
    assert!(!*leader.leading().borrow());
    assert!(cut.elapsed() <= Duration::from_secs(12), "renew deadline and one retry period: {:?}", cut.elapsed());
}

#[tokio::test(start_paused = true)]
async fn leader_that_sees_another_holder_stops_at_once() {
    let server = Server::default();
    let token = CancellationToken::new();
    let leader = server.candidate("leader", &token);
    assert!(leader.acquired().await);
    server.lease.lock().unwrap().as_mut().unwrap()["spec"]["holderIdentity"] = "thief".into();
    let stolen = Instant::now();
    token.cancelled().await;
    assert!(stolen.elapsed() <= Duration::from_secs(3));
    leader.release().await;
    assert_eq!(server.holder(), "thief", "a lost lease is not released");
}

#[tokio::test(start_paused = true)]
async fn candidate_that_is_stopped_gives_up() {
    let server = Server::default();
    let token = CancellationToken::new();
    let _leader = server.candidate("leader", &CancellationToken::new());
    let waiting = server.candidate("waiting", &token);
    tokio::time::sleep(Duration::from_secs(5)).await;
    token.cancel();
    assert!(!waiting.acquired().await);
}
