//! Clients that apply objects all the time, and want the webhook's verdict on each.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tests::{Result, wait};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    serving::{Probe, Serving},
    support::SOON,
};

/// Clients at once: enough for their rate while a call takes 80 ms.
const CLIENTS: u32 = 16;

/// See the module documentation.
pub struct Load {
    tally: Arc<Tally>,
    began: Instant,
    clients: JoinSet<()>,
}

#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    calls: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

/// What a load came to.
pub struct Sum {
    pub calls: usize,
    pub took: Duration,
}

impl Sum {
    /// Calls per second.
    pub fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.calls).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

impl Load {
    /// So many calls a second, until it ends. One that is late is made up for.
    pub fn start(serving: &Serving, per_second: u32) -> Self {
        let tally = Arc::<Tally>::default();
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (probe, tally) = (Probe::new(serving), tally.clone());
            let pace = Duration::from_secs(1) * CLIENTS / per_second;
            clients.spawn(async move { tally.run(&probe, client, pace).await });
        }
        Self { tally, began: Instant::now(), clients }
    }

    /// Waits until another 20 calls were made, so that what just changed was met.
    pub async fn goes_on(&self) -> Result {
        let before = self.tally.calls.load(Ordering::Relaxed);
        wait::until("20 more calls", SOON, || async {
            let made = self.tally.calls.load(Ordering::Relaxed) - before;
            if made >= 20 { Ok(()) } else { Err(format!("there were {made}")) }
        })
        .await
    }

    /// Fails if any call did.
    pub async fn end(mut self) -> Result<Sum> {
        self.tally.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended?;
        }
        let (calls, took) = (self.tally.calls.load(Ordering::Relaxed), self.began.elapsed());
        let wrong = self.tally.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(wrong.is_empty(), "{} of {calls} calls went wrong, first: {}", wrong.len(), wrong[0]);
        Ok(Sum { calls, took })
    }
}

impl Tally {
    async fn run(&self, probe: &Probe, client: u32, pace: Duration) {
        let object = format!("applied-{client}");
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut number = 0_usize;
        while !self.stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            number += 1;
            // Most are judged without being stored, which the API server's disk would bound.
            let outcome = match number % 8 {
                0 => probe.bad().await,
                4 => probe.applied(&object, number).await,
                _ => probe.good().await,
            };
            let at = jiff::Timestamp::now();
            let wrong = outcome.err().map(|said| format!("at {at}: {said}"));
            self.wrong.lock().unwrap_or_else(PoisonError::into_inner).extend(wrong);
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
    }
}
