//! Whatever is deleted comes back, in whatever order it went. With the propagation time of a real cluster: healing does not wait for it.

use std::time::Duration;

use kube::api::DeleteParams;
use tests::{Delay, Result, wait};

use crate::serving::{AUTHORITY, SERVING, Serving, Setup, certificates, values};

/// From the last deletion until all is well.
const HEALED: Duration = Duration::from_secs(30);

/// What can be deleted.
#[derive(Clone, Copy, Debug)]
enum Part {
    Certificate,
    Authority,
    Bundle,
}

use Part::{Authority, Bundle, Certificate};

const ORDERS: [[Part; 3]; 6] = [
    [Certificate, Authority, Bundle],
    [Certificate, Bundle, Authority],
    [Authority, Certificate, Bundle],
    [Authority, Bundle, Certificate],
    [Bundle, Certificate, Authority],
    [Bundle, Authority, Certificate],
];

impl Part {
    async fn delete(self, serving: &Serving) -> Result {
        match self {
            Certificate => serving.secrets().delete(SERVING, &DeleteParams::default()).await.map(drop)?,
            Authority => serving.secrets().delete(AUTHORITY, &DeleteParams::default()).await.map(drop)?,
            Bundle => serving.strip().await?,
        }
        Ok(())
    }
}

/// Waits until both Secrets are whole, every webhook is told the same bundle with the authority in it, and objects are judged.
async fn healed(serving: &Serving) -> Result {
    wait::until("everything to be healed", HEALED, || async {
        let said = |failure: tests::Failure| failure.to_string();
        let authority = serving.value(AUTHORITY, "ca.crt").await.map_err(said)?;
        let serving_secret = serving.secrets().get_opt(SERVING).await.map_err(|error| error.to_string())?;
        let data = serving_secret.as_ref().map(values).unwrap_or_default();
        let keys: Vec<&str> = data.keys().map(String::as_str).collect();
        if authority.is_empty() || keys != ["ca.crt", "tls.crt", "tls.key"] {
            return Err(format!("the Secrets hold {} bytes and {keys:?}", authority.len()));
        }
        let text = |pem: &[u8]| String::from_utf8_lossy(pem).into_owned();
        let bundle = text(&data["ca.crt"]);
        if !bundle.contains(text(&authority).trim()) {
            return Err("the authority is not published".to_owned());
        }
        if serving.bundles().await.map_err(said)?.iter().any(|told| text(told) != bundle) {
            return Err("the API server is not told".to_owned());
        }
        serving.judged().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_in_every_order_heal_within_half_a_minute() -> Result {
    let delay = Delay::UpTo(Duration::from_secs(2));
    let serving = Serving::started(&Setup { flags: Vec::new(), delay, ..Setup::default() }).await?;
    healed(&serving).await?;
    for order in ORDERS {
        for part in order {
            part.delete(&serving).await?;
        }
        healed(&serving).await.map_err(|failure| failure.during(format!("{order:?}")))?;
    }
    // At once, several times: which is first is up to the API server.
    for round in 0..3 {
        let (one, two, three) =
            tokio::join!(Certificate.delete(&serving), Authority.delete(&serving), Bundle.delete(&serving));
        one.and(two).and(three)?;
        healed(&serving).await.map_err(|failure| failure.during(format!("all at once, round {round}")))?;
    }
    assert!(certificates(&serving.value(SERVING, "ca.crt").await?) <= 9, "the bundle is bounded");
    Ok(())
}
