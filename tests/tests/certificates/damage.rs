//! Every damage that the cert-controller names, done to the Secrets of a running cluster; and Secrets that it cannot write.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::rbac::v1::Role;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tests::{Failure, OPERATOR_NAMESPACE, Result, wait};

use crate::{
    load::Load,
    serving::{AUTHORITY, SERVER_NAME, SERVING, Serving, Setup},
    support::SOON,
};

/// A certificate of an authority that nobody knows, with its key.
fn foreign() -> Result<(String, String)> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let names = [SERVER_NAME.to_owned(), format!("{SERVER_NAME}.cluster.local")];
    let leaf = CertificateParams::new(names)?.signed_by(&key, &Issuer::from_params(&authority, &authority_key))?;
    Ok((leaf.pem(), key.serialize_pem()))
}

/// Keys of a Secret, and what is written there.
type Damage<'a> = &'a [(&'a str, &'a str)];

/// Writes these values into a Secret, as an administrator does.
async fn overwrite(serving: &Serving, secret: &str, data: Damage<'_>) -> Result {
    let data: BTreeMap<_, _> = data.iter().map(|(key, value)| (*key, STANDARD.encode(value))).collect();
    let patch = Patch::Merge(json!({"data": data}));
    serving.secrets().patch(secret, &PatchParams::default(), &patch).await.map(drop).map_err(Into::into)
}

/// How many certificates were issued for this reason.
async fn issued(serving: &Serving, certificate: &str, reason: &str) -> std::result::Result<f64, String> {
    let labels = [format!("certificate=\"{certificate}\""), format!("reason=\"{reason}\"")];
    let labels = [labels[0].as_str(), labels[1].as_str()];
    let count = serving.cert_controller.metric("certcontroller_issued_total", &labels).await;
    count.map(Option::unwrap_or_default).map_err(|failure| failure.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_damage_is_named_and_repaired_without_a_failed_admission() -> Result {
    let serving = Serving::started(&Setup::default()).await?;
    serving.asked().await?;
    let other = KeyPair::generate()?.serialize_pem();
    let (foreign_leaf, foreign_key) = foreign()?;
    let text = "no PEM";
    let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n";
    let cases: [(&str, &str, Damage<'_>); 8] = [
        ("webhook", "missing", &[("tls.crt", "")]),
        ("webhook", "unreadable", &[("tls.crt", cut)]),
        ("webhook", "unreadable", &[("tls.key", text)]),
        ("webhook", "key does not fit", &[("tls.key", &other)]),
        ("authority", "unreadable", &[("ca.crt", text)]),
        ("authority", "key does not fit", &[("ca.key", &other)]),
        ("authority", "missing", &[("ca.key", "")]),
        ("authority", "not an authority", &[("ca.crt", &foreign_leaf), ("ca.key", &foreign_key)]),
    ];
    let load = Load::start(&serving, 50);
    for (certificate, reason, damage) in cases {
        repaired(&serving, certificate, reason, damage).await?;
    }
    serving.told(1).await?;
    load.goes_on().await?;
    load.end().await?;
    // A kubelet may have delivered this one: then admissions fail until it delivers the next.
    let foreign = [("tls.crt", foreign_leaf.as_str()), ("tls.key", &foreign_key)];
    repaired(&serving, "webhook", "foreign authority", &foreign).await?;
    serving.asked().await
}

/// Does the damage, and waits until it is named and something new issued.
async fn repaired(serving: &Serving, certificate: &str, reason: &str, damage: Damage<'_>) -> Result {
    let before = issued(serving, certificate, reason).await.map_err(Failure::new)?;
    let secret = if certificate == "webhook" { SERVING } else { AUTHORITY };
    overwrite(serving, secret, damage).await?;
    wait::until(&format!("the {certificate}'s to be replaced: {reason}"), SOON, || async {
        let now = issued(serving, certificate, reason).await?;
        if now > before { Ok(()) } else { Err(serving.cert_controller.log()) }
    })
    .await
}

/// Waits until the cert-controller's readiness says this.
async fn complains(serving: &Serving, of: &str) -> Result {
    wait::until(&format!("the cert-controller to complain of {of:?}"), SOON, || async {
        match serving.cert_controller.ready().await {
            Err(_) if serving.cert_controller.log().contains(of) => Ok(()),
            outcome => Err(format!("{outcome:?}")),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn immutable_secret_is_named_and_what_it_serves_stays_trusted() -> Result {
    let serving = Serving::started(&Setup::default()).await?;
    serving.asked().await?;
    let immutable = Patch::Merge(json!({"immutable": true}));
    serving.secrets().patch(SERVING, &PatchParams::default(), &immutable).await?;
    let before = serving.value(SERVING, "tls.crt").await?;
    serving.secrets().delete(AUTHORITY, &DeleteParams::default()).await?;
    complains(&serving, "secret external-secrets-webhook is immutable").await?;

    // A new authority that cannot be published: the old certificate serves on, also after somebody strips the bundles.
    serving.strip().await?;
    serving.asked().await?;
    assert_eq!(serving.value(SERVING, "tls.crt").await?, before);

    // As it says: deleted, and made anew.
    serving.secrets().delete(SERVING, &DeleteParams::default()).await?;
    serving
        .secret(SERVING, "a new certificate", |data| data.get("tls.crt").is_some_and(|leaf| *leaf != before))
        .await?;
    serving.cert_controller.wait_ready(SOON).await?;
    serving.asked().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forbidden_secret_is_named_and_what_it_serves_stays_trusted() -> Result {
    let serving = Serving::started(&Setup::default()).await?;
    serving.asked().await?;
    let roles: Api<Role> = Api::namespaced(serving.client.clone(), OPERATOR_NAMESPACE);
    let role = roles.get("external-secrets-cert-controller").await?;
    let mut narrow = role.clone();
    for rule in narrow.rules.iter_mut().flatten() {
        rule.verbs.retain(|verb| verb != "patch" && verb != "create");
    }
    narrow.rules.iter_mut().for_each(|rules| rules.retain(|rule| !rule.verbs.is_empty()));
    roles.replace("external-secrets-cert-controller", &PostParams::default(), &narrow).await?;
    let before = serving.value(SERVING, "tls.crt").await?;
    serving.secrets().delete(AUTHORITY, &DeleteParams::default()).await?;
    complains(&serving, "creating secret external-secrets-webhook-ca").await?;
    serving.strip().await?;
    serving.asked().await?;
    assert_eq!(serving.value(SERVING, "tls.crt").await?, before);

    let mut role = role;
    role.metadata.resource_version = None;
    roles.replace("external-secrets-cert-controller", &PostParams::default(), &role).await?;
    serving.secret(AUTHORITY, "a new authority", |data| data.contains_key("ca.key")).await?;
    serving.cert_controller.wait_ready(SOON).await?;
    serving.asked().await
}
