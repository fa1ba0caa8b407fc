//! SIGKILL before and after each write of a rotation, with objects applied all the while.
//!
//! One rotation is recorded to its end, when the old authority has left. Then there is one for each of its writes and each side of it,
//! in which the cert-controller dies there and is started again.

use std::{collections::HashMap, io::Write as _};

use kube::api::DeleteParams;
use tests::{Bed, Binary, Call, CrashPoint, Moment, Result, wait};

use crate::{
    load::Load,
    serving::{AUTHORITY, SERVING, Serving, Setup, certificates},
    support::SOON,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_write_of_a_rotation_no_admission_fails() -> Result {
    let bed = Bed::shared().await?;
    bed.install().await?;
    let proxy = bed.api_proxy(Binary::CertController).await?;
    // As short as settling, which takes half a second at least, allows: each rotation is awaited to its end.
    let flags = vec!["--propagation-time=5s".to_owned()];
    let setup = Setup { flags, environment: proxy.environment(), ..Setup::default() };
    let mut serving = Serving::started(&setup).await?;
    serving.asked().await?;
    let load = Load::start(&serving, 50);

    serving.told(1).await?;
    proxy.record(None).await?;
    rotated(&serving).await?;
    let points = points(&proxy.calls());
    // The authority; twice the bundle, told to two configurations; the certificate.
    assert!(points.len() >= 16, "{points:?}");
    for point in &points {
        let told = point.to_string();
        proxy.record(Some(point.clone())).await?;
        serving.secrets().delete(AUTHORITY, &DeleteParams::default()).await?;
        proxy.stopped(SOON).await.map_err(|failure| failure.during(&told))?;
        serving.cert_controller.kill_9().await?;
        proxy.record(None).await?;
        serving.cert_controller.restart().await?;
        at_rest(&serving).await.map_err(|failure| failure.during(&told))?;
    }
    load.goes_on().await?;
    let calls = load.end().await?.calls;
    // Not captured by the harness: the numbers are part of the proof.
    writeln!(std::io::stderr(), "{} crash points, {calls} calls", points.len())?;
    Ok(())
}

/// A rotation to its end.
async fn rotated(serving: &Serving) -> Result {
    serving.rotate().await?;
    at_rest(serving).await
}

/// Waits until there is one authority again, which is the one that has signed what is served.
async fn at_rest(serving: &Serving) -> Result {
    wait::until("the rotation to end", SOON, || async {
        let said = |failure: tests::Failure| failure.to_string();
        let authority = serving.value(AUTHORITY, "ca.crt").await.map_err(said)?;
        let published = serving.value(SERVING, "ca.crt").await.map_err(said)?;
        let told = serving.bundles().await.map_err(said)?.iter().all(|bundle| *bundle == published);
        if authority.is_empty() || authority != published || !told {
            return Err(format!("{} authorities are published, told: {told}", certificates(&published)));
        }
        serving.serves_under(&authority).await
    })
    .await
}

/// Both sides of every write.
fn points(calls: &[Call]) -> Vec<CrashPoint> {
    let mut times: HashMap<&Call, usize> = HashMap::new();
    let mut points = Vec::new();
    for call in calls.iter().filter(|call| call.method != "GET") {
        let after = times.entry(call).or_default();
        for moment in [Moment::BeforeRequest, Moment::AfterAnswer] {
            points.push(CrashPoint { call: call.clone(), after: *after, moment });
        }
        *after += 1;
    }
    points
}
