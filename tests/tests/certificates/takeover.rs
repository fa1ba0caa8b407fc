//! What the Go operator left is taken over as it is.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, date_time_ymd,
};
use serde_json::json;
use tests::{Bed, OPERATOR_NAMESPACE, Result, wait};

use crate::{
    load::Load,
    rotation::rotate_certificate,
    serving::{AUTHORITY, SERVER_NAME, SERVING, Serving, Setup, values},
    support::{SOON, version},
};

/// What the Go operator leaves: an RSA authority and certificate for ten years in one Secret, keys in PKCS#1, one name.
fn upstreams_secret() -> Result<BTreeMap<String, Vec<u8>>> {
    let year = i32::from(jiff::Zoned::now().year());
    let lasting = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(year - 1, 1, 1);
        params.not_after = date_time_ymd(year + 10, 1, 1);
    };
    let mut authority = CertificateParams::new(vec!["external-secrets".to_owned()])?;
    authority.distinguished_name.push(DnType::CommonName, "external-secrets");
    authority.distinguished_name.push(DnType::OrganizationName, "external-secrets");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
    lasting(&mut authority);
    let authority_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();

    let mut leaf = CertificateParams::new(vec![SERVER_NAME.to_owned()])?;
    leaf.distinguished_name.push(DnType::CommonName, SERVER_NAME);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    lasting(&mut leaf);
    let leaf_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let leaf_pem = leaf.signed_by(&leaf_key, &Issuer::from_params(&authority, &authority_key))?.pem();
    Ok(BTreeMap::from([
        ("ca.crt".to_owned(), authority_pem.into_bytes()),
        ("ca.key".to_owned(), pkcs1(&authority_key).into_bytes()),
        ("tls.crt".to_owned(), leaf_pem.into_bytes()),
        ("tls.key".to_owned(), pkcs1(&leaf_key).into_bytes()),
    ]))
}

/// An RSA key as Go writes it. PKCS#8 wraps that in a head of fixed length, for keys of 2048 bits.
fn pkcs1(key: &KeyPair) -> String {
    const HEAD: usize = 26;
    let encoded = STANDARD.encode(key.serialize_der().get(HEAD..).unwrap_or_default());
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_of_the_go_operator_is_taken_over_as_it_is() -> Result {
    let bed = Bed::start().await?;
    bed.install().await?;
    let secrets: Api<Secret> = Api::namespaced(bed.admin()?, OPERATOR_NAMESPACE);
    let upstreams = upstreams_secret()?;
    let data: BTreeMap<_, _> = upstreams.iter().map(|(key, value)| (key, STANDARD.encode(value))).collect();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SERVING}, "data": data});
    secrets.patch(SERVING, &PatchParams::apply("upstream").force(), &Patch::Apply(secret)).await?;

    let serving = Serving::over(&bed, &Setup::default()).await?;
    let authority = serving.secret(AUTHORITY, "to be adopted", |data| data.contains_key("ca.key")).await?;
    assert_eq!(values(&authority)["ca.crt"], upstreams["ca.crt"], "the authority is upstream's");
    let adopted = serving.secret(SERVING, "to lose the authority's key", |data| !data.contains_key("ca.key")).await?;
    assert_eq!(serving.told(1).await?, upstreams["ca.crt"]);
    serving.webhook().wait_ready(SOON).await?;
    serving.cert_controller.wait_ready(SOON).await?;
    serving.asked().await?;
    let kept = secrets.get(SERVING).await?;
    for key in ["tls.crt", "tls.key"] {
        let is_same = values(&kept)[key] == upstreams[key];
        assert!(is_same, "a certificate that serves is not replaced: {}", serving.cert_controller.log());
    }
    assert_eq!(version(&kept), version(&adopted), "nothing is left to write: {:?}", kept.managed_fields());

    // Its successor is of the same authority, so that nobody has to be told.
    let load = Load::start(&serving, 50);
    rotate_certificate(&serving, &load, &kept).await?;
    wait::until("the successor to be served", SOON, || serving.serves_under(&upstreams["ca.crt"])).await?;
    load.end().await.map(drop)
}
