//! What is wrong with Vault blocks, from YAML as users write it.

use super::*;

fn problems(yaml: &str) -> Vec<String> {
    let value: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    let vault: Vault = crate::decode::from_value(&value).unwrap();
    let scope = Scope::Namespaced { namespace: "team-a".to_owned() };
    vault.problems(&scope).iter().map(ToString::to_string).collect()
}

/// Checks that the problems of a block begin with these texts.
fn assert_problems(yaml: &str, expected: &[&str]) {
    let found = problems(yaml);
    assert_eq!(found.len(), expected.len(), "{yaml}\n{found:#?}");
    for (problem, start) in found.iter().zip(expected) {
        assert!(problem.starts_with(start), "{yaml}\n{problem}\n{start}");
    }
}

#[test]
fn servers_are_urls_with_a_host() {
    for server in [
        "http://vault:8200",
        "https://vault.example.com",
        "HTTPS://vault.example.com/",
        "https://gw.example.com/vault",
        "http://[::1]:8200",
        "http://10.0.0.1:8200",
    ] {
        assert_problems(&format!("server: '{server}'"), &[]);
    }
    for (server, problem) in [
        ("", "server: is empty; write an address such as"),
        ("vault:8200", "server: \"vault:8200\" does not begin with https:// or http://"),
        ("ftp://vault", "server: \"ftp://vault\" does not begin with"),
        ("https://", "server: \"https://\" is not a URL"),
        ("https://:8200", "server: \"https://:8200\""),
        ("https://vault:99999", "server: \"https://vault:99999\""),
        ("https://vault host", "server: \"https://vault host\" is not a URL"),
        ("https://user:canary@vault", "server: holds a user name or password;"),
        ("https://vault?x=1", "server: \"https://vault?x=1\" has a query"),
    ] {
        assert_problems(&format!("server: '{server}'"), &[problem]);
    }
}

#[test]
fn every_way_to_log_in_passes() {
    for auth in [
        "{tokenSecretRef: {name: it, key: token}}",
        "{kubernetes: {role: app}}",
        "{kubernetes: {role: app, mountPath: k8s, serviceAccountRef: {name: it, audiences: [vault]}}}",
        "{kubernetes: {role: app, secretRef: {name: it}}}",
        "{appRole: {roleId: r, secretRef: {name: it, key: k}}}",
        "{appRole: {roleRef: {name: it, key: id}, secretRef: {name: it, key: k}}}",
        "{ldap: {username: u, secretRef: {name: it, key: k}}}",
        "{userPass: {username: u, secretRef: {name: it, key: k}}}",
        "{jwt: {secretRef: {name: it, key: k}}}",
        "{jwt: {role: r, kubernetesServiceAccountToken: {serviceAccountRef: {name: it}}}}",
        "{cert: {}}",
        "{cert: {clientCert: {name: it}, secretRef: {name: it}}}",
        "{iam: {vaultRole: r}}",
        "{iam: {vaultRole: r, jwt: {serviceAccountRef: {name: it}}}}",
        "{gcp: {role: r}}",
        "{gcp: {role: r, workloadIdentity: {serviceAccountRef: {name: it}}}}",
    ] {
        assert_problems(&format!("{{server: 'http://v', auth: {auth}}}"), &[]);
    }
}

#[test]
fn several_logins_at_once_are_refused() {
    assert_problems(
        "{server: 'http://v', auth: {tokenSecretRef: {name: it, key: k}, kubernetes: {role: r}}}",
        &["auth: sets 2 ways to log in (tokenSecretRef, kubernetes); keep one"],
    );
}

#[test]
fn references_are_complete_and_stay_in_the_namespace() {
    assert_problems(
        "{server: 'http://v', auth: {tokenSecretRef: {namespace: team-b}}}",
        &[
            "auth.tokenSecretRef.name: is missing",
            "auth.tokenSecretRef.key: is missing",
            "auth.tokenSecretRef.namespace: a SecretStore cannot reach into another namespace (\"team-b\")",
        ],
    );
}

#[test]
fn halves_are_refused() {
    assert_problems("{server: 'http://v', tls: {certSecretRef: {name: it}}}", &["tls.keySecretRef: is missing"]);
    assert_problems("{server: 'http://v', tls: {certSecretRef: {name: it}, keySecretRef: {name: it}}}", &[]);
    for (auth, problem) in [
        ("{appRole: {secretRef: {name: it, key: k}}}", "auth.appRole: names no role ID; set roleId or roleRef"),
        ("{jwt: {}}", "auth.jwt: names no token"),
        ("{ldap: {username: u}}", "auth.ldap: names no password"),
        ("{userPass: {username: u}}", "auth.userPass: names no password"),
        ("{cert: {clientCert: {name: it}}}", "auth.cert.secretRef: is missing"),
        ("{cert: {secretRef: {name: it}}}", "auth.cert.clientCert: is missing"),
        (
            "{iam: {vaultRole: r, secretRef: {accessKeyIDSecretRef: {name: it, key: k}}}}",
            "auth.iam.secretRef.secretAccessKeySecretRef: is missing",
        ),
    ] {
        assert_problems(&format!("{{server: 'http://v', auth: {auth}}}"), &[problem]);
    }
    assert_problems(
        "{server: 'http://v', version: v1, checkAndSet: {required: true}}",
        &["checkAndSet.required: version v1 of the engine has no version check"],
    );
}

#[test]
fn certificates_are_pem_in_base64_once_or_twice() {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let pem = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let bundle = |text: &str| Vault { ca_bundle: Some(text.to_owned()), ..Vault::default() }.ca_bundle_pem();
    let once = encode(pem);
    assert_eq!(bundle(&once).unwrap().unwrap(), pem);
    assert_eq!(bundle(&encode(once.as_bytes())).unwrap().unwrap(), pem);
    assert_eq!(bundle(&format!("{}\n{}\n", &once[..8], &once[8..])).unwrap().unwrap(), pem);
    assert_eq!(bundle("-----BEGIN").unwrap_err().what, "is not base64");
    assert_eq!(bundle(&encode(b"nothing")).unwrap_err().what, "holds no certificate in PEM");
    assert_eq!(Vault::default().ca_bundle_pem(), Ok(None));
}

#[test]
fn headers_can_be_sent() {
    assert_problems("{server: 'http://v', headers: {X-Team: a}}", &[]);
    assert_problems(
        "{server: 'http://v', headers: {'X Team': a, X-Line: \"a\\nb\"}}",
        &["headers[X Team]: cannot be sent", "headers[X-Line]: cannot be sent"],
    );
}
