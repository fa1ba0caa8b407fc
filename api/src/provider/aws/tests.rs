//! What is wrong with AWS blocks, from YAML as users write it.

use super::*;

fn assert_problems(yaml: &str, expected: &[&str]) {
    let value: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    let aws: Aws = crate::decode::from_value(&value).unwrap();
    let scope = Scope::Namespaced { namespace: "team-a".to_owned() };
    let found: Vec<String> = aws.problems(&scope).iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{yaml}\n{found:#?}");
    for (problem, start) in found.iter().zip(expected) {
        assert!(problem.starts_with(start), "{yaml}\n{problem}\n{start}");
    }
}

#[test]
fn supported_ways_to_sign_in_pass() {
    for auth in [
        "{}",
        "{jwt: {serviceAccountRef: {name: it}}}",
        "{secretRef: {accessKeyIDSecretRef: {name: it, key: a}, secretAccessKeySecretRef: {name: it, key: b}}}",
    ] {
        assert_problems(&format!("{{service: SecretsManager, region: eu-west-1, auth: {auth}}}"), &[]);
    }
}

#[test]
fn ways_to_sign_in_are_complete() {
    assert_problems(
        "{service: SecretsManager, region: eu-west-1, auth: {jwt: {}, secretRef: {accessKeyIDSecretRef: {name: it}}}}",
        &[
            "auth.secretRef.accessKeyIDSecretRef.key: is missing",
            "auth.secretRef.secretAccessKeySecretRef: is missing",
            "auth.jwt.serviceAccountRef: is missing",
        ],
    );
}

#[test]
fn a_region_can_be_part_of_a_host_name() {
    for (region, problem) in [
        ("", "region: is empty; write one such as eu-central-1"),
        ("EU West", "region: \"EU West\" is no region"),
        ("evil.example.com/", "region: \"evil.example.com/\" is no region"),
    ] {
        assert_problems(&format!("{{service: SecretsManager, region: '{region}'}}"), &[problem]);
    }
}

#[test]
fn services_that_hold_values_pass_and_the_other_is_refused_by_name() {
    assert_problems("{service: ParameterStore, region: eu-west-1}", &[]);
    let expected = "service: CertificateManager is not supported by this build; write SecretsManager or ParameterStore";
    assert_problems("{service: CertificateManager, region: eu-west-1}", &[expected]);
}

#[test]
fn deletion_is_at_once_or_after_7_to_30_days() {
    for (options, expected) in [
        ("{forceDeleteWithoutRecovery: true}", &[][..]),
        ("{recoveryWindowInDays: 0}", &[]),
        ("{recoveryWindowInDays: 7}", &[]),
        ("{recoveryWindowInDays: 30, forceDeleteWithoutRecovery: false}", &[]),
        ("{recoveryWindowInDays: 6}", &["secretsManager.recoveryWindowInDays: 6 days are not possible"]),
        ("{recoveryWindowInDays: 31}", &["secretsManager.recoveryWindowInDays: 31 days are not possible"]),
        (
            "{recoveryWindowInDays: 9, forceDeleteWithoutRecovery: true}",
            &["secretsManager.recoveryWindowInDays: contradicts forceDeleteWithoutRecovery; keep one of them"],
        ),
    ] {
        assert_problems(
            &format!("{{service: SecretsManager, region: eu-west-1, secretsManager: {options}}}"),
            expected,
        );
    }
}
