use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

impl Weigh for usize {
    fn weigh(&self) -> usize {
        *self
    }
}

/// A backend that counts its calls and answers when it is allowed to.
struct Backend {
    calls: Arc<AtomicUsize>,
    may_answer: Arc<Semaphore>,
    reads: Reads<&'static str, usize>,
}

impl Backend {
    fn new(permits: usize) -> Self {
        Self::wanted(permits, Demand::default())
    }

    fn wanted(permits: usize, demand: Demand) -> Self {
        Self { calls: Arc::default(), may_answer: Arc::new(Semaphore::new(permits)), reads: Reads::new(demand) }
    }

    async fn read(&self, key: &'static str, since: Instant) -> Result<Arc<usize>, Error> {
        let (calls, may_answer) = (self.calls.clone(), self.may_answer.clone());
        let work = || async move {
            let number = calls.fetch_add(1, Ordering::Relaxed);
            may_answer.acquire().await.unwrap().forget();
            Ok(number)
        };
        self.reads.read(key, since, work).await
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[tokio::test(start_paused = true)]
async fn concurrent_and_following_reads_of_one_key_are_one_call() {
    let backend = Backend::new(9);
    let since = now();
    let (a, b) = tokio::join!(backend.read("a", since), backend.read("a", since));
    assert_eq!((*a.unwrap(), *b.unwrap()), (0, 0));
    assert_eq!(*backend.read("a", since).await.unwrap(), 0);
    assert_eq!(*backend.read("b", since).await.unwrap(), 1);
    assert_eq!(backend.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn read_that_started_before_the_trigger_is_not_shared() {
    let backend = Backend::new(0);
    let early = now();
    let first = backend.read("a", early);
    let later = async {
        tokio::time::advance(Duration::from_millis(1)).await;
        let second = backend.read("a", now());
        backend.may_answer.add_permits(2);
        second.await
    };
    let (first, second) = tokio::join!(first, later);
    assert_eq!((*first.unwrap(), *second.unwrap()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_longer_than_a_moment() {
    let backend = Backend::new(9);
    let since = now();
    let value = Arc::downgrade(&backend.read("a", since).await.unwrap());
    assert!(value.upgrade().is_some());
    tokio::time::sleep(LINGER + Duration::from_millis(1)).await;
    assert!(value.upgrade().is_none());
    assert_eq!(*backend.read("a", since).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn caller_that_gives_up_does_not_cancel_the_read() {
    let backend = Backend::new(0);
    let since = now();
    let impatient = tokio::time::timeout(Duration::from_millis(1), backend.read("a", since)).await;
    assert!(impatient.is_err());
    backend.may_answer.add_permits(1);
    assert_eq!(*backend.read("a", since).await.unwrap(), 0);
    assert_eq!(backend.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn failure_is_shared_like_a_value_and_a_panic_is_an_error() {
    let reads: Reads<&str, usize> = Reads::new(Demand::default());
    let failed = reads.read("a", now(), || async { Err(Error::retry(Code::VaultThrottled, "slow down")) }).await;
    assert_eq!(failed.unwrap_err().code(), Code::VaultThrottled);
    let panicked = reads.read("b", now(), || async { panic!("in the backend") }).await;
    assert_eq!(panicked.unwrap_err().code(), Code::Panicked);
    assert!(!lock(&reads.inner).reads.contains_key("b"));
}

#[tokio::test(start_paused = true)]
async fn too_large_a_result_is_handed_over_but_not_kept() {
    let reads: Reads<&str, usize> = Reads::new(Demand::default());
    let since = now();
    let value = reads.read("a", since, || async { Ok(KEPT_BYTES + 1) }).await.unwrap();
    assert_eq!(*value, KEPT_BYTES + 1);
    tokio::task::yield_now().await;
    assert!(lock(&reads.inner).reads.is_empty());
}

#[tokio::test(start_paused = true)]
async fn result_lingers_on_while_somebody_waits_who_could_use_it() {
    let wait_since = Arc::new(Mutex::new(Some(now())));
    let backend = {
        let wait_since = wait_since.clone();
        Backend::wanted(9, Demand::new(move |started| lock(&wait_since).is_some_and(|since| since <= started)))
    };
    let since = now();
    let at = |seconds: f32| tokio::time::sleep(LINGER.mul_f32(seconds));
    assert_eq!(*backend.read("a", since).await.unwrap(), 0);
    at(20.5).await;
    assert_eq!(*backend.read("a", since).await.unwrap(), 0);
    *lock(&wait_since) = Some(now());
    at(1.5).await;
    assert_eq!(*backend.read("a", since).await.unwrap(), 1, "those who wait now came later");
    *lock(&wait_since) = Some(since);
    at(61.5).await;
    assert_eq!(*backend.read("a", since).await.unwrap(), 2, "and nothing lingers for ever");
}
