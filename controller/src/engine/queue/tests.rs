use std::{sync::Arc, time::Duration};

use super::*;
use crate::error::Code;

fn queue() -> Arc<Queue> {
    Queue::new(QueueMetrics::detached())
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("team", name)
}

async fn take(queue: &Queue) -> Work {
    tokio::time::timeout(Duration::from_mins(10), queue.take()).await.expect("a key").expect("open")
}

async fn is_empty(queue: &Queue) -> bool {
    tokio::time::timeout(Duration::from_millis(1), queue.take()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn duplicates_collapse() {
    let queue = queue();
    queue.add(&key("a"), Lane::Interactive);
    queue.add(&key("a"), Lane::Interactive);
    let work = take(&queue).await;
    queue.done(&work);
    assert!(is_empty(&queue).await);
}

#[tokio::test(start_paused = true)]
async fn key_added_while_it_runs_waits_for_its_worker_and_runs_again() {
    let queue = queue();
    queue.add(&key("a"), Lane::Periodic);
    let work = take(&queue).await;
    queue.add(&key("a"), Lane::Interactive);
    assert!(is_empty(&queue).await, "one worker at a time");
    queue.done(&work);
    assert_eq!(take(&queue).await.lane, Lane::Interactive);
}

#[tokio::test(start_paused = true)]
async fn interactive_work_overtakes_periodic_work() {
    let queue = queue();
    for name in ["p1", "p2", "p3"] {
        queue.add(&key(name), Lane::Periodic);
    }
    queue.add(&key("i"), Lane::Interactive);
    assert_eq!(take(&queue).await.key, key("i"));
    assert_eq!(take(&queue).await.key, key("p1"));
}

#[tokio::test(start_paused = true)]
async fn waiting_periodic_key_is_promoted_and_runs_once() {
    let queue = queue();
    queue.add(&key("first"), Lane::Periodic);
    queue.add(&key("a"), Lane::Periodic);
    queue.add(&key("a"), Lane::Interactive);
    let work = take(&queue).await;
    assert_eq!((work.key.clone(), work.lane), (key("a"), Lane::Interactive));
    queue.done(&work);
    assert_eq!(take(&queue).await.key, key("first"));
    assert!(is_empty(&queue).await);
}

#[tokio::test(start_paused = true)]
async fn later_timer_replaces_the_earlier_one() {
    let queue = queue();
    queue.add_after(&key("a"), Duration::from_secs(5), Lane::Periodic);
    queue.add_after(&key("a"), Duration::from_mins(1), Lane::Periodic);
    let before = tokio::time::Instant::now();
    take(&queue).await;
    assert!(before.elapsed() >= Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn forgotten_key_does_not_return() {
    let queue = queue();
    queue.add_after(&key("a"), Duration::from_secs(5), Lane::Periodic);
    queue.forget(&key("a"));
    assert!(tokio::time::timeout(Duration::from_mins(1), queue.take()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn delay_grows_per_item_and_success_resets_it() {
    let queue = queue();
    let error = Error::retry(Code::VaultThrottled, "slow");
    let retry = |name| queue.retry(&key(name), &error, None).delay;
    queue.add(&key("a"), Lane::Interactive);
    let work = take(&queue).await;
    let (first, second) = (retry("a"), retry("a"));
    assert!(first <= Duration::from_secs(1) && second > Duration::from_secs(1), "{first:?} {second:?}");
    assert!(retry("b") <= Duration::from_secs(1), "counts are per item");
    queue.reset(&key("a"));
    queue.done(&work);
    assert!(retry("a") <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn change_starts_anew_and_a_timer_does_not() {
    let queue = queue();
    let error = Error::fix(Code::SpecInvalid, "wrong");
    let fail = async || {
        let work = take(&queue).await;
        let retry = queue.retry(&work.key, &error, None);
        queue.done(&work);
        (retry.failures, retry.is_repeat)
    };
    queue.add(&key("a"), Lane::Interactive);
    assert_eq!(fail().await, (1, false));
    assert_eq!(fail().await, (2, true));
    queue.add(&key("a"), Lane::Interactive);
    assert_eq!(fail().await, (1, false));
    assert_eq!(fail().await, (2, true));
}

#[tokio::test(start_paused = true)]
async fn promoted_key_counts_once() {
    let queue = queue();
    queue.add(&key("a"), Lane::Periodic);
    queue.add(&key("b"), Lane::Periodic);
    queue.add(&key("a"), Lane::Interactive);
    assert_eq!(queue.state().waiting, 2);
    for waiting in [1, 0] {
        take(&queue).await;
        assert_eq!(queue.state().waiting, waiting);
    }
}

#[tokio::test(start_paused = true)]
async fn every_added_key_is_taken_by_some_worker() {
    let queue = queue();
    let taken = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (queue, taken) = (queue.clone(), taken.clone());
            tokio::spawn(async move {
                while let Some(work) = queue.take().await {
                    taken.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    queue.done(&work);
                }
            })
        })
        .collect();
    for n in 0..1000 {
        queue.add(&key(&n.to_string()), if n % 2 == 0 { Lane::Interactive } else { Lane::Periodic });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    queue.close();
    for worker in workers {
        worker.await.expect("worker ends when the queue closes");
    }
    assert_eq!(taken.load(std::sync::atomic::Ordering::SeqCst), 1000);
}

#[tokio::test(start_paused = true)]
async fn next_key_of_either_lane_tells_since_when_somebody_waits() {
    let queue = queue();
    let now = Instant::now;
    let before = now();
    queue.add(&key("a"), Lane::Periodic);
    assert!(
        queue.waits_since(now()) && !before.checked_sub(Duration::from_secs(1)).is_some_and(|at| queue.waits_since(at))
    );
    let work = take(&queue).await;
    assert!(!queue.waits_since(now()), "it is in a worker's hands");
    queue.done(&work);
    assert!(!queue.waits_since(now()));
}

#[tokio::test(start_paused = true)]
async fn keys_woken_by_one_event_share_its_moment_and_a_timer_does_not_move_it() {
    let queue = queue();
    let told_at = Instant::now();
    for name in ["a", "b"] {
        queue.add_after(&key(name), Duration::from_secs(10), Lane::Periodic);
        queue.add_since(&key(name), Lane::Interactive, told_at);
    }
    tokio::time::sleep(Duration::from_secs(11)).await;
    for name in ["a", "b"] {
        let work = take(&queue).await;
        assert_eq!((work.key.clone(), work.since), (key(name), told_at));
        queue.done(&work);
    }
    queue.add(&key("a"), Lane::Interactive);
    let later = Instant::now();
    queue.add_since(&key("a"), Lane::Interactive, told_at);
    let work = take(&queue).await;
    assert!(work.since > told_at && work.since <= later, "an older event does not make older answers do");
}
