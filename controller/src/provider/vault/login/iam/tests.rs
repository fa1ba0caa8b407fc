use std::time::Duration;

use serde_json::Value;

use super::*;

/// When Vault's own client made the signatures below.
const SIGNED_AT: u64 = 1_795_358_165;

fn keys() -> Keys {
    Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Some("tok".into()), None, "test")
}

#[test]
fn signature_is_that_of_vault_s_own_client() {
    let id = Some("vault.example.com");
    let table = [
        ("us-east-1", None, "a45d72dab6a1c9e1b2debf759f77964ef65777615a67f648864a56c5fc5d7050"),
        ("us-east-1", id, "f89d5b557bf6530d03db979c5add81e80d49177e9bb78a762e3f62c8ee80b718"),
        ("eu-central-1", None, "4fab6e37cd0a9bb38be8ee7f2ebd1acbb23c2bbb31dfba409e8a8b9a58d017f4"),
        ("cn-north-1", None, "99e8d0e3e55bdc03b9d0cbf333d6a4faa817faa4d8c9e42b55d271d3415d9372"),
        ("us-gov-west-1", id, "23fe6fb822949b49158d2550548a8b14202bebe3781adc4b950764ab159f66ae"),
    ];
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(SIGNED_AT);
    for (region, id, signature) in table {
        let headers = signed_headers(&keys(), region, &sts_url(region, false), id, now).unwrap();
        let headers: Value = serde_json::from_str(&headers).unwrap();
        let authorization = headers["authorization"][0].as_str().unwrap_or_default();
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{region}: {headers:#}");
        assert_eq!(headers["x-amz-date"][0], "20261122T143605Z");
        assert_eq!(headers["x-amz-security-token"][0], "tok");
        assert_eq!(headers[SERVER_ID_HEADER][0].as_str(), id);
    }
}

#[test]
fn request_goes_where_vault_s_own_client_sends_it() {
    let table = [
        ("us-east-1", false, "https://sts.amazonaws.com/"),
        ("us-east-1", true, "https://sts.us-east-1.amazonaws.com/"),
        ("eu-central-1", false, "https://sts.amazonaws.com/"),
        ("eu-central-1", true, "https://sts.eu-central-1.amazonaws.com/"),
        ("il-central-1", false, "https://sts.il-central-1.amazonaws.com/"),
        ("us-gov-west-1", false, "https://sts.us-gov-west-1.amazonaws.com/"),
        ("cn-north-1", false, "https://sts.cn-north-1.amazonaws.com.cn/"),
        ("aws-global", true, "https://sts.amazonaws.com/"),
    ];
    for (region, is_regional, url) in table {
        assert_eq!(sts_url(region, is_regional), url, "{region}");
    }
}

#[test]
fn server_id_that_no_header_can_carry_is_named() {
    let error = signed_headers(&keys(), "us-east-1", "https://sts.amazonaws.com/", Some("a\nb"), SystemTime::now());
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::StoreInvalid);
    assert!(error.to_string().contains("vaultAwsIamServerID") && !error.to_string().contains("wJal"), "{error}");
}

#[test]
fn of_what_aws_answered_to_vault_only_the_code_is_repeated() {
    let xml = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>The Canonical String should have been \
               'x-amz-security-token:canary'</Message></Error><RequestId>1-2-3</RequestId></ErrorResponse>";
    let table = [
        (
            format!("error making upstream request: 403 from STS: {xml}"),
            "error making upstream request: 403 from STS: SignatureDoesNotMatch",
        ),
        ("entry for role \"dev\" not found".to_owned(), "entry for role \"dev\" not found"),
        ("upstream: The Canonical String is canary".to_owned(), "upstream: The"),
    ];
    for (said, expected) in table {
        assert_eq!(quote(said), expected);
    }
}
