//! Envelopes, good and bad. The rules themselves are tested where they live, in `api`.

use serde_json::json;

use super::*;

fn review(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5", "operation": "CREATE", "name": "db", "namespace": "team-a",
            "kind": {"group": "external-secrets.io", "version": "v1", "kind": "ExternalSecret"},
            "resource": {"group": "external-secrets.io", "version": "v1", "resource": "externalsecrets"},
            "userInfo": {"username": "alice"}, "oldObject": null, "dryRun": false,
            "object": {
                "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
                "metadata": {"name": "db", "namespace": "team-a"},
                "spec": {
                    "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
                    "data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]
                }
            }
        }
    });
    change(&mut review);
    serde_json::to_vec(&review).unwrap()
}

fn answered(body: &[u8]) -> Value {
    serde_json::from_slice(&answer(body, "ExternalSecret", &Syntax::default())).unwrap()
}

#[test]
fn good_object_is_allowed_with_the_uid_of_the_request() {
    let answer = answered(&review(|_| {}));
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(answer["response"]["uid"], "705ab4f5");
    assert_eq!(answer["response"]["allowed"], true, "{answer}");
}

#[test]
fn denial_is_403_forbidden_with_a_message() {
    let answer = answered(&review(|review| {
        review["request"]["object"]["spec"].as_object_mut().unwrap().remove("data");
    }));
    assert_eq!(answer["response"]["uid"], "705ab4f5");
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["status"]["code"], 403);
    assert_eq!(answer["response"]["status"]["reason"], "Forbidden");
    assert!(answer["response"]["status"]["message"].as_str().unwrap().contains("spec"), "{answer}");
}

#[test]
fn old_review_is_answered_in_its_own_version() {
    let answer = answered(&review(|review| review["apiVersion"] = "admission.k8s.io/v1beta1".into()));
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1beta1");
    assert_eq!(answer["response"]["allowed"], true);
}

#[test]
fn delete_without_an_object_is_allowed() {
    let answer = answered(&review(|review| {
        review["request"]["operation"] = "DELETE".into();
        review["request"]["oldObject"] = json!({"spec": {}});
        review["request"]["object"] = Value::Null;
    }));
    assert_eq!(answer["response"]["allowed"], true, "{answer}");
}

#[test]
fn what_is_not_a_review_is_refused_with_its_reason() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: [(Vec<u8>, &str); 7] = [
        (b"".to_vec(), "not an AdmissionReview"),
        (b"{\"apiVersion\": \"admission.k8s.io/v1\"".to_vec(), "not an AdmissionReview"),
        (b"\xff\xfe{}".to_vec(), "not an AdmissionReview"),
        (deep.into_bytes(), "not an AdmissionReview"),
        (br#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}"#.to_vec(), "no request"),
        (review(|review| review["apiVersion"] = "admission.k8s.io/v9".into()), "v9"),
        (review(|review| review["request"]["operation"] = "PATCH".into()), "PATCH"),
    ];
    for (body, reason) in cases {
        let answer = answered(&body);
        assert_eq!(answer["response"]["allowed"], false);
        assert_eq!(answer["response"]["status"]["code"], 400);
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn object_of_another_kind_is_refused_and_named() {
    let answer = answered(&review(|review| {
        review["request"]["kind"] = json!({"group": "", "version": "v1", "kind": "Pod"});
    }));
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert_eq!(answer["response"]["uid"], "705ab4f5");
    assert!(message.contains("Pod") && message.contains("ExternalSecret"), "{message}");
}

#[test]
fn object_nested_beyond_reading_is_refused_not_crashed_on() {
    let nested = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let body = String::from_utf8(review(|review| review["request"]["object"] = "HERE".into())).unwrap();
    let answer = answered(body.replace("\"HERE\"", &nested).as_bytes());
    assert_eq!(answer["response"]["status"]["code"], 400, "{answer}");
}

#[test]
fn warnings_are_kept_on_one_line() {
    let verdict = Verdict { warnings: vec!["a\r\nb\tc".to_owned()], ..Verdict::default() };
    assert_eq!(Response::from(verdict).warnings, ["a  b c"]);
}

#[test]
fn templates_are_judged_with_the_delimiters_of_the_flags() {
    let templated = |text: &str| {
        review(|review| {
            review["request"]["object"]["spec"]["target"] = json!({"template": {"data": {"a": text}}});
        })
    };
    let syntax = Syntax::new("<<", ">>", &[]);
    let allowed = |text: &str| {
        let answer: Value = serde_json::from_slice(&answer(&templated(text), "ExternalSecret", &syntax)).unwrap();
        answer["response"]["allowed"].as_bool()
    };
    assert_eq!(allowed("{{ this is text }} << .password | upper >>"), Some(true));
    assert_eq!(allowed("<< .password | uper >>"), Some(false));
}
