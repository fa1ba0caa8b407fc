//! Workers: a key becomes one guarded reconcile, its outcome the key's next turn.
//!
//! A reconcile that panics or runs past its deadline is an outcome like any other: it is reported, counted and tried
//! again as its class says, and the worker goes on. Every failure is logged here, once: the same one again is for the
//! debug log.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::FutureExt;
use tokio::task::JoinSet;

use super::{Lane, Queue, Work, metrics::RunMetrics, queue::Retry};
use crate::error::{Class, Code, Error};

/// What should happen to the key next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Nothing until something changes.
    Rest,
    /// Look again after this time, in the periodic lane.
    After(Duration),
    /// The same, but nothing was tried: failures before it still count.
    Postponed(Duration),
}

/// One kind's reconcile.
#[async_trait]
pub trait Reconcile: Send + Sync + 'static {
    /// Brings the world in step with the object, idempotently. Cancelled at the deadline: every write in it must leave
    /// a state from which the next run goes on.
    async fn reconcile(&self, work: &Work) -> Result<Next, Error>;

    /// The time between two turns of the object when all is well, as far as its user chose it: a failure that only a user
    /// can end is not tried again less often. None if it takes no turns by itself.
    fn interval(&self, work: &Work) -> Option<Duration>;

    /// Tells the object's reader about a failure that `reconcile` could not report itself (panic, deadline).
    async fn report(&self, work: &Work, error: &Error);
}

/// How a controller's workers run.
#[derive(Clone, Copy, Debug)]
pub struct Workers {
    /// The controller's name in logs and metrics.
    pub controller: &'static str,
    pub concurrent: usize,
    /// The longest a reconcile may take.
    pub deadline: Duration,
}

/// Runs until the queue is closed and every worker has finished what it holds.
pub async fn run(workers: Workers, queue: Arc<Queue>, metrics: RunMetrics, reconcile: Arc<dyn Reconcile>) {
    metrics.workers.set(i64::try_from(workers.concurrent).unwrap_or(i64::MAX));
    let metrics = Arc::new(metrics);
    let mut tasks = JoinSet::new();
    for _ in 0..workers.concurrent.max(1) {
        let (queue, metrics, reconcile) = (queue.clone(), metrics.clone(), reconcile.clone());
        tasks.spawn(async move {
            while let Some(work) = queue.take().await {
                metrics.active.inc();
                turn(workers, &queue, &metrics, reconcile.as_ref(), &work).await;
                metrics.active.dec();
                queue.done(&work);
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

async fn turn(workers: Workers, queue: &Queue, metrics: &RunMetrics, reconcile: &dyn Reconcile, work: &Work) {
    let timer = metrics.time.start_timer();
    let outcome = guarded(workers.deadline, metrics, reconcile, work).await;
    timer.observe_duration();
    match outcome {
        Ok(Next::Rest) => {
            queue.reset(&work.key);
            metrics.success.inc();
        }
        Ok(Next::After(delay)) => {
            queue.reset(&work.key);
            queue.add_after(&work.key, delay, Lane::Periodic);
            metrics.requeue.inc();
        }
        Ok(Next::Postponed(delay)) => {
            queue.add_after(&work.key, delay, Lane::Periodic);
            metrics.requeue.inc();
        }
        Err(error) => {
            let retry = queue.retry(&work.key, &error, reconcile.interval(work));
            metrics.error.inc();
            metrics.errors.inc();
            log(workers.controller, work, &error, retry);
        }
    }
}

/// A defect is always an error; what else fails is a warning when it is news.
fn log(controller: &'static str, work: &Work, error: &Error, retry: Retry) {
    macro_rules! at {
        ($level:ident) => {
            tracing::$level!(
                controller,
                namespace = work.key.namespace(),
                name = work.key.name(),
                code = %error.code(),
                class = ?error.class(),
                failures = retry.failures,
                retry_in_seconds = retry.delay.as_secs_f32(),
                "{error}"
            )
        };
    }
    match error.class() {
        Class::Bug => at!(error),
        // Its cause was told when the breaker opened.
        _ if retry.is_repeat || error.code() == Code::BreakerOpen => at!(debug),
        _ => at!(warn),
    }
}

/// Time for telling the user about an aborted reconcile; if the API server does not take it, the log has it.
const REPORT_DEADLINE: Duration = Duration::from_secs(10);

async fn guarded(
    deadline: Duration,
    metrics: &RunMetrics,
    reconcile: &dyn Reconcile,
    work: &Work,
) -> Result<Next, Error> {
    let attempt = AssertUnwindSafe(reconcile.reconcile(work)).catch_unwind();
    let aborted = match tokio::time::timeout(deadline, attempt).await {
        Ok(Ok(outcome)) => return outcome,
        Ok(Err(_panic)) => {
            metrics.panics.inc();
            // The payload stays out: it may quote data.
            Error::bug(
                Code::Panicked,
                "the reconcile hit a defect of the operator; its log has the place, please report it",
            )
        }
        Err(_elapsed) => Error::retry(
            Code::DeadlineExceeded,
            format!("the reconcile took longer than {} s; check that the store answers", deadline.as_secs()),
        ),
    };
    let report = AssertUnwindSafe(reconcile.report(work, &aborted)).catch_unwind();
    let _ = tokio::time::timeout(REPORT_DEADLINE, report).await;
    Err(aborted)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use prometheus::Registry;

    use super::*;
    use crate::engine::{ObjectKey, metrics::EngineMetrics};

    struct Misbehaving {
        reports: Mutex<Vec<Code>>,
    }

    #[async_trait]
    impl Reconcile for Misbehaving {
        async fn reconcile(&self, work: &Work) -> Result<Next, Error> {
            match work.key.name() {
                "panics" => panic!("canary"),
                "hangs" => std::future::pending().await,
                _ => Ok(Next::Rest),
            }
        }

        fn interval(&self, _: &Work) -> Option<Duration> {
            None
        }

        async fn report(&self, _: &Work, error: &Error) {
            self.reports.lock().expect("lock").push(error.code());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_and_hang_are_reported_and_the_worker_goes_on() {
        let metrics = EngineMetrics::new(&Registry::new()).expect("fresh registry");
        let queue = Queue::new(metrics.queue("test"));
        let reconcile = Arc::new(Misbehaving { reports: Mutex::default() });
        let workers = Workers { controller: "test", concurrent: 1, deadline: Duration::from_mins(1) };
        let running = tokio::spawn(run(workers, queue.clone(), metrics.run("test"), reconcile.clone()));
        for name in ["panics", "hangs", "works"] {
            queue.add(&ObjectKey::new("team", name), Lane::Interactive);
        }
        let works = || metrics.run("test").success.get();
        while works() == 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        queue.close();
        running.await.expect("workers end when the queue closes");
        assert!(metrics.run("test").panics.get() >= 1);
        let reports = reconcile.reports.lock().expect("lock").clone();
        assert!(reports.contains(&Code::Panicked) && reports.contains(&Code::DeadlineExceeded), "{reports:?}");
    }
}
