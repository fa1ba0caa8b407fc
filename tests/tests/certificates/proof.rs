//! No admission fails, however often the authority is replaced.
//!
//! What bounds a rotation is the time that a new authority waits before it signs, a twentieth of `--propagation-time` and at least half
//! a second. So that time is ten seconds here instead of ten minutes, and everything that it has to cover is shortened in
//! the same proportion: the kubelet's 90 s to 1.5 s, which the bed exceeds, and the webhook's look at its files every
//! 10 s to one every 170 ms. Rotations come faster than certificates are delivered: most of the time the webhook serves
//! one of an authority that has already been replaced.

use std::{env, io::Write as _, time::Duration};

use tests::{Balancer, Bed, Delay, Failure, Process, Result};
use tokio_util::sync::CancellationToken;
use x509_parser::pem::parse_x509_pem;

use crate::{
    load::Load,
    serving::{SERVING, Serving, Setup},
    support::SOON,
};

/// Number of rotations; 100 without it.
const ROTATIONS: &str = "ROTATIONS";
/// Objects per second.
const RATE: u32 = 200;
/// Beside the kubelet's 1.5 s of this proportion.
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// A tenth of what the preStop hook waits: connections that a Service handed over a moment ago arrive.
const HANDED_OVER: Duration = Duration::from_millis(500);

fn quick() -> Setup {
    Setup {
        flags: vec!["--propagation-time=10s".to_owned()],
        look: "--check-interval=170ms",
        delay: Delay::UpTo(LONGEST_DELAY),
        ..Setup::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundred_authorities_are_replaced_without_a_failed_admission() -> Result {
    let rotations: u16 = env::var(ROTATIONS).ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let serving = Serving::started(&quick()).await?;
    serving.asked().await?;
    let seen_before = seen(serving.webhook()).await?;
    let load = Load::start(&serving, RATE);
    for _ in 0..rotations {
        serving.rotate().await?;
    }
    load.goes_on().await?;
    let sum = load.end().await?;

    let issued = serving.cert_controller.metric("certcontroller_issued_total", &["certificate=\"authority\""]).await?;
    assert!(issued.unwrap_or_default() >= f64::from(rotations), "{issued:?} authorities");
    let seen = seen(serving.webhook()).await? - seen_before;
    let delivered = serving.webhook().log().matches("certificate taken into use").count();
    // Not captured by the harness: the numbers are part of the proof.
    let (calls, rate) = (sum.calls, sum.rate());
    writeln!(
        std::io::stderr(),
        "{rotations} rotations in {:?}, {calls} calls ({rate:.0}/s), {seen} seen by the webhook with {delivered} certificates",
        sum.took
    )?;
    assert!(seen >= f64::from(u32::try_from(calls)?), "the webhook saw {seen} of {calls} calls");
    assert!(rate >= f64::from(RATE) / 2.0, "{rate} calls a second are not the load that is meant");
    assert!(delivered >= usize::from(rotations) / 5, "{delivered} certificates in {rotations} rotations were used");
    // Nothing is left of them.
    serving.told(1).await.map(drop)
}

/// Admissions that the webhook answered.
async fn seen(webhook: &Process) -> Result<f64> {
    Ok(webhook.metric("controller_runtime_webhook_requests_total", &["code=\"200\""]).await?.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_a_day_are_replaced_without_a_failed_admission() -> Result {
    let mut setup = quick();
    setup.flags.extend(["--certificate-lifetime=24h", "--authority-lifetime=24h"].map(str::to_owned));
    let serving = Serving::started(&setup).await?;
    serving.asked().await?;
    let load = Load::start(&serving, RATE);
    for _ in 0..10 {
        serving.rotate().await?;
        serving.webhook().ready().await.map_err(Failure::new)?;
    }
    load.goes_on().await?;
    load.end().await?;
    let pem = serving.value(SERVING, "tls.crt").await?;
    let (_, pem) = parse_x509_pem(&pem).map_err(|error| Failure::new(error.to_string()))?;
    let end = pem.parse_x509().map_err(|error| Failure::new(error.to_string()))?.validity().not_after.timestamp();
    let left = end - jiff::Timestamp::now().as_second();
    assert!((23 * 3600..=24 * 3600).contains(&left), "{left} s are left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_restart_during_rotations_without_a_failed_admission() -> Result {
    let bed = Bed::shared().await?;
    let ports = [bed.unused_port()?, bed.unused_port()?];
    let mut serving = Serving::start(&Setup { ports: ports.to_vec(), ..quick() }).await?;
    let service = Balancer::start(bed.webhook_port()).await?;
    for (webhook, port) in serving.webhooks.iter().zip(ports) {
        webhook.wait_ready(SOON).await?;
        service.enter(port);
    }
    serving.asked().await?;
    let load = Load::start(&serving, RATE);
    let mut replicas: Vec<_> = std::mem::take(&mut serving.webhooks).into_iter().zip(ports).collect();
    let done = CancellationToken::new();
    let (restarts, rotated) = tokio::join!(restart_in_turn(&mut replicas, &service, &done), async {
        for _ in 0..10 {
            serving.rotate().await?;
            load.goes_on().await?;
        }
        done.cancel();
        Result::Ok(())
    });
    rotated?;
    let restarts = restarts?;
    assert!(restarts >= 4, "{restarts} restarts");
    load.goes_on().await?;
    load.end().await.map(drop)
}

/// One webhook after the other is taken out of its Service, stopped, started, and put back when it is ready.
async fn restart_in_turn(
    replicas: &mut [(Process, u16)],
    service: &Balancer,
    done: &CancellationToken,
) -> Result<usize> {
    let mut restarts = 0;
    while !done.is_cancelled() || restarts < 4 {
        for (webhook, port) in &mut *replicas {
            service.leave(*port);
            tokio::time::sleep(HANDED_OVER).await;
            webhook.restart().await?;
            webhook.wait_ready(SOON).await?;
            service.enter(*port);
            restarts += 1;
        }
    }
    Ok(restarts)
}
