//! Each check by itself, and that what is issued is what clients accept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{PKCS_RSA_SHA256, RsaKeySize};

use super::usual::{issue_authority, issue_leaf};
use super::*;
use crate::certificate::Certificate;

fn names() -> Vec<String> {
    vec!["webhook.es.svc".to_owned(), "webhook.es.svc.cluster.local".to_owned(), "127.0.0.1".to_owned()]
}

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn read(certificate: &str, key: &str) -> Result<Pair, Unusable> {
    Pair::read(Some(certificate.as_bytes()), Some(key.as_bytes()))
}

#[test]
fn fresh_pair_is_kept_until_two_thirds_of_its_life_are_over() {
    let authority = issue_authority(now()).unwrap();
    let leaf = Ok(issue_leaf(&authority, &names(), now()).unwrap());
    let at = |time| assess_leaf(&leaf, &authority, &names(), time);
    assert_eq!(at(now()), Verdict::Keep);
    assert_eq!(at(now() + days(59)), Verdict::Keep);
    assert_eq!(at(now() + days(61)), Verdict::Issue(Reason::Due));
    assert_eq!(at(now() + days(91)), Verdict::Issue(Reason::Expired));
    assert_eq!(at(now() - days(1)), Verdict::Issue(Reason::NotYetValid), "the clock jumped back");

    let authority = Ok(authority);
    let at = |time| assess_authority(&authority, time);
    assert_eq!(at(now()), Verdict::Keep);
    assert_eq!(at(now() + days(6 * 365)), Verdict::Keep);
    assert_eq!(at(now() + days(7 * 365)), Verdict::Issue(Reason::Due));
    assert_eq!(at(now() + days(11 * 365)), Verdict::Issue(Reason::Expired));
    assert_eq!(at(now() - days(1)), Verdict::Issue(Reason::NotYetValid));
}

#[test]
fn every_damage_has_its_reason() {
    let authority = issue_authority(now()).unwrap();
    let leaf = issue_leaf(&authority, &names(), now()).unwrap();
    let other = issue_leaf(&authority, &names(), now()).unwrap();
    let (pem, key) = (leaf.certificate.pem(), leaf.key_pem().to_owned());
    let half = &pem[..pem.len() / 2];
    let flipped = pem.replacen("MII", "AII", 1);
    let cases = [
        ("", "", Unusable::Missing),
        (pem.as_str(), "", Unusable::Missing),
        (half, &key, Unusable::Unreadable),
        (&flipped, &key, Unusable::Unreadable),
        ("text", &key, Unusable::Unreadable),
        (&pem, "text", Unusable::Unreadable),
        (&pem, other.key_pem(), Unusable::KeyDoesNotFit),
    ];
    for (certificate, key, unusable) in cases {
        let leaf = read(certificate, key);
        assert_eq!(leaf.as_ref().err(), Some(&unusable));
        assert_eq!(assess_leaf(&leaf, &authority, &names(), now()), Verdict::Issue(unusable.into()));
        assert_eq!(assess_authority(&leaf, now()), Verdict::Issue(unusable.into()));
    }
    assert_eq!(Pair::read(None, None).err(), Some(Unusable::Missing));
    assert_eq!(Pair::read(Some(pem.as_bytes()), Some(b"\xff")).err(), Some(Unusable::Unreadable));
}

#[test]
fn wrong_name_and_foreign_authority_are_noticed() {
    let (authority, other) = (issue_authority(now()).unwrap(), issue_authority(now()).unwrap());
    let leaf = Ok(issue_leaf(&authority, &names(), now()).unwrap());
    let mut more = names();
    more.push("webhook.example".to_owned());
    assert_eq!(assess_leaf(&leaf, &authority, &more, now()), Verdict::Issue(Reason::WrongName));
    assert_eq!(assess_leaf(&leaf, &authority, &names()[..1], now()), Verdict::Keep);
    assert_eq!(assess_leaf(&leaf, &other, &names(), now()), Verdict::Issue(Reason::ForeignAuthority));
    assert_eq!(assess_authority(&leaf, now()), Verdict::Issue(Reason::NotAnAuthority));
}

#[test]
fn issued_certificate_names_services_and_addresses_and_is_unique() {
    let authority = issue_authority(now()).unwrap();
    let leaf = issue_leaf(&authority, &names(), now()).unwrap();
    assert_eq!(leaf.certificate.names, names());
    assert_eq!(leaf.certificate.not_before, now() - BACKDATED);
    assert!(authority.certificate.has_signed(&leaf.certificate));
    assert!(!leaf.certificate.is_authority && authority.certificate.is_authority);
    assert_ne!(leaf.certificate.pem(), issue_leaf(&authority, &names(), now()).unwrap().certificate.pem());
    let again = Certificate::read_all(leaf.certificate.pem().as_bytes()).unwrap();
    assert_eq!(again, [leaf.certificate]);
}

#[test]
fn certificate_does_not_outlive_its_authority() {
    let authority = issue_authority(now()).unwrap();
    let late = authority.certificate.not_after - days(10);
    assert_eq!(issue_leaf(&authority, &names(), late).unwrap().certificate.not_after, authority.certificate.not_after);
}

#[test]
fn long_service_name_fits() {
    let authority = issue_authority(now()).unwrap();
    let long = vec![format!("{}.{}.svc", "s".repeat(63), "n".repeat(63))];
    assert_eq!(issue_leaf(&authority, &long, now()).unwrap().certificate.names, long);
}

/// The Go operator writes RSA keys as PKCS#1, and certificates that live ten years.
#[test]
fn authority_of_the_go_operator_is_readable_and_signs() {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::new(vec!["external-secrets".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    lasting(&mut params, now(), now() + days(3650));
    let certificate = params.self_signed(&key).unwrap().pem();
    // PKCS#8 of an RSA-2048 key is 26 bytes of header around PKCS#1.
    let pkcs1 = STANDARD.encode(&key.serialize_der()[26..]);
    let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{pkcs1}\n-----END RSA PRIVATE KEY-----\n");

    let authority = read(&certificate, &key);
    assert_eq!(assess_authority(&authority, now()), Verdict::Keep);
    let authority = authority.ok().unwrap();
    let leaf = issue_leaf(&authority, &names(), now()).unwrap();
    assert!(authority.certificate.has_signed(&leaf.certificate));
}

#[test]
fn certificate_without_the_long_form_of_its_name_is_kept() {
    let authority = issue_authority(now()).unwrap();
    let leaf = Ok(issue_leaf(&authority, &["webhook.es.svc".to_owned(), "127.0.0.1".to_owned()], now()).unwrap());
    assert_eq!(assess_leaf(&leaf, &authority, &names(), now()), Verdict::Keep);
}
