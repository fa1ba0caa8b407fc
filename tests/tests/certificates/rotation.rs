//! One rotation of each kind, step by step.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams};
use tests::{Result, wait};

use crate::{
    load::Load,
    serving::{AUTHORITY, CONFIGURATIONS, SERVING, Serving, Setup, keys, values},
    support::SOON,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_and_authority_rotate_without_a_failed_admission() -> Result {
    let serving = Serving::start(&Setup::default()).await?;

    // Issued and told, with the key of the authority where no Pod sees it.
    let issued = serving.secret(SERVING, "to be issued", |data| data.contains_key("tls.crt")).await?;
    assert_eq!(keys(&issued), ["ca.crt", "tls.crt", "tls.key"]);
    let authority = serving.secret(AUTHORITY, "to exist", |data| data.contains_key("ca.key")).await?;
    assert_eq!(keys(&authority), ["ca.crt", "ca.key"]);
    let told = serving.told(1).await?;
    assert_eq!(told, values(&authority)["ca.crt"]);
    serving.webhook().wait_ready(SOON).await?;
    serving.cert_controller.wait_ready(SOON).await?;
    serving.asked().await?;

    // With what the API server trusted before this test out of it.
    let first = serving.secrets().get(SERVING).await?;

    // Stripped, and told again.
    for name in CONFIGURATIONS {
        let mut configuration = serving.configurations().get(name).await?;
        for webhook in configuration.webhooks.iter_mut().flatten() {
            webhook.client_config.ca_bundle = None;
        }
        serving.configurations().replace(name, &PostParams::default(), &configuration).await?;
        wait::object(&serving.configurations(), name, "to be told again", SOON, |configuration| {
            let webhooks = configuration.webhooks.iter().flatten();
            webhooks.clone().count() > 0
                && webhooks.into_iter().all(|webhook| {
                    webhook.client_config.ca_bundle.as_ref().is_some_and(|bundle| bundle.0 == told)
                        && webhook.client_config.service.as_ref().is_some_and(|service| {
                            service.port == Some(i32::from(serving.port)) && service.name == SERVING
                        })
                })
        })
        .await?;
    }
    serving.asked().await?;

    let load = Load::start(&serving, 50);
    rotate_certificate(&serving, &load, &first).await?;
    rotate_authority(&serving, &load, &told).await?;
    load.end().await.map(drop)
}

/// A new certificate of the same authority.
pub async fn rotate_certificate(serving: &Serving, load: &Load, before: &Secret) -> Result {
    let versions = serving.projection().versions();
    let old = values(before)["tls.crt"].clone();
    serving.secrets().delete(SERVING, &DeleteParams::default()).await?;
    let renewed = serving
        .secret(SERVING, "a new certificate", |data| data.get("tls.crt").is_some_and(|leaf| *leaf != old))
        .await?;
    assert_eq!(values(&renewed)["ca.crt"], values(before)["ca.crt"], "the authority stays");
    serving.told(1).await?;
    wait::until("the new certificate to be projected and used", SOON, || async {
        let used = serving.webhook().log().matches("certificate taken into use").count();
        if serving.projection().versions() > versions && used >= 2 { Ok(()) } else { Err(format!("{used} were used")) }
    })
    .await?;
    load.goes_on().await
}

/// A new authority: trusted beside the old one before it signs, alone when nothing of the old one is in use.
async fn rotate_authority(serving: &Serving, load: &Load, old: &[u8]) -> Result {
    serving.secrets().delete(AUTHORITY, &DeleteParams::default()).await?;
    let renewed = serving.secret(AUTHORITY, "a new authority", |data| data.get("ca.crt").is_some_and(|ca| ca != old));
    let new = values(&renewed.await?)["ca.crt"].clone();
    let both = serving.told(2).await?;
    let text = |pem: &[u8]| String::from_utf8_lossy(pem).into_owned();
    assert!(text(&both).contains(text(old).trim()) && text(&both).contains(text(&new).trim()));
    wait::until("the webhook to serve under the new authority", SOON, || serving.serves_under(&new)).await?;
    assert!(serving.serves_under(old).await.is_err(), "the new certificate is not of the old authority");
    load.goes_on().await?;
    assert_eq!(serving.told(1).await?, new, "the old authority has left");
    load.goes_on().await
}
