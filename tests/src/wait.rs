//! Waiting for a condition, never for a time.

use std::{fmt::Debug, future::Future, time::Duration};

use kube::Api;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, sleep, timeout_at};

use crate::failure::{Failure, Result};

/// Short beside what is awaited, long beside what a look costs.
const PAUSE: Duration = Duration::from_millis(50);

/// Repeats `look` until it yields a value. `Err` of `look` says why not yet; the last one is in the failure after `deadline`.
pub async fn until<T, F, Fut>(what: &str, deadline: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = std::result::Result<T, String>>,
{
    let end = Instant::now() + deadline;
    let mut last = "nothing was seen yet".to_owned();
    loop {
        match timeout_at(end, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(reason)) => last = reason,
            Err(_) => return Err(late(what, deadline, &last)),
        }
        if Instant::now() + PAUSE >= end {
            return Err(late(what, deadline, &last));
        }
        sleep(PAUSE).await;
    }
}

/// Waits until the object exists and `holds` says so; the failure shows the object as it was last seen.
pub async fn object<K>(
    api: &Api<K>,
    name: &str,
    what: &str,
    deadline: Duration,
    holds: impl Fn(&K) -> bool,
) -> Result<K>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    until(&format!("{name}: {what}"), deadline, || async {
        match api.get_opt(name).await {
            Ok(Some(object)) if holds(&object) => Ok(object),
            Ok(Some(object)) => Err(format!("it is {}", serde_json::to_string(&object).unwrap_or_default())),
            Ok(None) => Err("it does not exist".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
}

/// Waits until the object is gone.
pub async fn gone<K>(api: &Api<K>, name: &str, deadline: Duration) -> Result
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    until(&format!("{name} to be gone"), deadline, || async {
        match api.get_opt(name).await {
            Ok(None) => Ok(()),
            Ok(Some(object)) => Err(format!("it is {}", serde_json::to_string(&object).unwrap_or_default())),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
}

fn late(what: &str, deadline: Duration, last: &str) -> Failure {
    Failure::new(format!("waited {deadline:?} for {what}; last: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lateness_names_what_was_awaited_and_what_was_seen() {
        let look = || async { Err::<(), _>("still red".to_owned()) };
        let failure = until("green", Duration::from_millis(60), look).await.unwrap_err();
        assert_eq!(failure.to_string(), "waited 60ms for green; last: still red");
    }

    #[tokio::test]
    async fn a_look_that_hangs_ends_at_the_deadline() {
        let failure =
            until("an answer", Duration::from_millis(60), std::future::pending::<std::result::Result<(), String>>)
                .await
                .unwrap_err();
        assert!(failure.to_string().starts_with("waited 60ms for an answer"));
    }
}
