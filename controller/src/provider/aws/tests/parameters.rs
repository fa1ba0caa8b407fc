//! Parameter Store, from the reference to what is sent and back.

use serde_json::{Value, json};

use super::*;

fn parameters() -> Spec {
    Spec { service: AwsService::ParameterStore, ..spec(static_auth()) }
}

/// Parameter Store with parameters by name. Forbidden ones have the whole call refused, as AWS does it.
fn ssm(
    held: &'static [(&'static str, &'static str)],
    forbidden: &'static [&'static str],
) -> impl Fn(&Received) -> Answer {
    move |request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let parameter = |asked: &str| {
            let (name, selector) =
                asked.split_once(':').map_or((asked, None), |(name, _)| (name, Some(&asked[name.len()..])));
            let found = held.iter().find(|(held, _)| *held == asked)?;
            Some(json!({"Name": name, "Selector": selector, "Type": "SecureString", "Value": found.1, "Version": 1}))
        };
        let denied = || error("AccessDeniedException", "User x is not authorized");
        match &*action(request) {
            action if forbidden.contains(&action) => denied(),
            "GetParameter" => {
                let name = body["Name"].as_str().unwrap();
                match parameter(name) {
                    _ if forbidden.contains(&name) => denied(),
                    Some(found) => Answer::json(200, json!({"Parameter": found}).to_string()),
                    None => error("ParameterNotFound", ""),
                }
            }
            "GetParameters" => {
                let names = asked_for(request);
                if names.iter().any(|name| forbidden.contains(&name.as_str())) {
                    return denied();
                }
                let found: Vec<_> = names.iter().filter_map(|name| parameter(name)).collect();
                let invalid: Vec<_> = names.iter().filter(|name| parameter(name).is_none()).collect();
                Answer::json(200, json!({"Parameters": found, "InvalidParameters": invalid}).to_string())
            }
            "GetParametersByPath" => {
                let path = body["Path"].as_str().unwrap();
                // Two pages.
                let below: Vec<_> = held.iter().filter(|(name, _)| name.starts_with(path)).collect();
                let (first, rest) = below.split_at(below.len().min(1));
                let is_second = body["NextToken"] == "2";
                let page = if is_second { rest } else { first };
                let page: Vec<_> = page.iter().filter_map(|(name, _)| parameter(name)).collect();
                Answer::json(200, json!({"Parameters": page, "NextToken": (!is_second).then_some("2")}).to_string())
            }
            "DescribeParameters" => {
                let names: Vec<_> = held.iter().map(|(name, _)| json!({"Name": name})).collect();
                Answer::json(200, json!({"Parameters": names, "NextToken": null}).to_string())
            }
            "ListTagsForResource" if body["ResourceId"] == "none" => error("InvalidResourceId", "no"),
            "ListTagsForResource" => Answer::json(200, r#"{"TagList":[{"Key":"team","Value":"a"}]}"#),
            _ => error("UnknownOperationException", ""),
        }
    }
}

#[tokio::test]
async fn parameter_is_asked_by_name_version_and_prefix_and_signed() {
    let backend = Backend::start(ssm(
        &[
            ("/prod/db", r#"{"user":"bob", "k.d":"dotted", "k":{"d":"nested"}}"#),
            ("/prod/db:3", "old"),
            ("/prod/db:blue", "label"),
        ],
        &[],
    ))
    .await;
    let spec = Spec { prefix: Some("/prod/".into()), ..parameters() };
    let store = open_at(&backend, spec).await.unwrap();
    let version = |version: &str| RemoteRef { version: Some(version.into()), ..remote("db", None) };
    let table = [
        (remote("db", Some("user")), "bob"),
        (remote("db", Some("k.d")), "dotted"),
        (version("3"), "old"),
        (version("blue"), "label"),
    ];
    let since = now();
    for (remote, expected) in table {
        assert_eq!(text(store.get(&remote, since).await.unwrap()).as_deref(), Some(expected), "{remote:?}");
    }
    let map = store.get_map(&remote("db", None), since).await.unwrap().unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["k", "k.d", "user"]);
    assert_eq!(store.get(&version("9"), since).await.unwrap(), None);
    let received = backend.received();
    let bodies: Vec<_> = received.iter().map(|request| &*request.body).collect();
    let expected =
        ["db", "db:3", "db:blue", "db:9"].map(|name| format!(r#"{{"Name":"/prod/{name}","WithDecryption":true}}"#));
    assert_eq!(bodies, expected);
    assert_eq!(received[0].header("x-amz-target"), Some("AmazonSSM.GetParameter"));
    assert_eq!(received[0].header("content-type"), Some("application/x-amz-json-1.1"));
    let authorization = received[0].header("authorization").unwrap();
    assert!(authorization.contains("Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-central-1/ssm/aws4_request") && authorization.contains("x-amz-target"));
}

#[tokio::test]
async fn failures_are_told_apart_without_request_ids_and_busy_servers_are_asked_again() {
    let table = [
        (error("ParameterNotFound", ""), None),
        (error("ParameterVersionNotFound", "no"), None),
        (error("AccessDeniedException", "User x is not authorized"), Some(Code::AwsAccessDenied)),
        (error("com.amazonaws.ssm#ThrottlingException", "Rate exceeded"), Some(Code::AwsThrottled)),
        (error("UnrecognizedClientException", "bad token"), Some(Code::AwsCredentialsInvalid)),
        (error("InvalidKeyId", "kms"), Some(Code::AwsRequestInvalid)),
        (Answer::html(503), Some(Code::AwsUnreachable)),
        (Answer::html(200), Some(Code::AwsUnreachable)),
        (Answer { truncated: true, ..Answer::json(200, "{}") }, Some(Code::AwsUnreachable)),
        (Answer::json(200, r#"{"Parameter": null}"#), Some(Code::AwsUnreachable)),
        (Answer::json(200, r#"{"Parameter": {"Value": {"canary": 1}}}"#), Some(Code::AwsUnreachable)),
    ];
    for (answer, code) in table {
        let shown = answer.body.clone();
        let backend = Backend::start(move |_| answer.clone()).await;
        let store = open_at(&backend, parameters()).await.unwrap();
        let result = store.get(&remote("app", None), now()).await;
        assert_eq!(result.as_ref().err().map(Error::code), code, "{shown} {result:?}");
        if let Err(error) = result {
            let error = error.to_string();
            assert!(error.contains("\"app\"") && !error.contains("1111") && !error.contains("canary"), "{error}");
        }
    }
    let calls = AtomicUsize::new(0);
    let backend = Backend::start(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::html(503),
        1 => error("ThrottlingException", "Rate exceeded"),
        _ => Answer::json(200, r#"{"Parameter": {"Name": "app", "Value": "v"}}"#),
    })
    .await;
    let retry = RetrySettings { max_retries: Some(2), retry_interval: Some("1ms".into()) };
    let store = open_with(&backend, parameters(), retry).await.unwrap();
    assert_eq!(text(store.get(&remote("app", None), now()).await.unwrap()).as_deref(), Some("v"));
    assert_eq!(backend.received().len(), 3);
}

#[tokio::test]
async fn tags_are_an_object_and_absent_with_their_parameter() {
    let backend = Backend::start(ssm(&[], &[])).await;
    let store = open_at(&backend, parameters()).await.unwrap();
    let fetch = |key: &str| RemoteRef { metadata_policy: MetadataPolicy::Fetch, ..remote(key, Some("team")) };
    assert_eq!(text(store.get(&fetch("db"), now()).await.unwrap()).as_deref(), Some("a"));
    assert_eq!(store.get(&fetch("none"), now()).await.unwrap(), None);
    assert_eq!(backend.received()[0].body, r#"{"ResourceId":"db","ResourceType":"Parameter"}"#);
}

#[tokio::test]
async fn search_reads_folders_and_lists_where_it_may_not() {
    const HELD: &[(&str, &str)] = &[("/team/a", "1"), ("/team/b", "2"), ("/other", "3")];
    let find = |regexp: &str, path: Option<&str>| Find {
        name: Some(FindName { regexp: Some(regexp.into()) }),
        path: path.map(Into::into),
        ..Find::default()
    };
    let found = async |backend: &Backend, query: Find| {
        let store = open_at(backend, parameters()).await.unwrap();
        let found = store.find(&query, now()).await.unwrap().unwrap();
        found.into_iter().map(|(name, value)| (name, text(Some(value)).unwrap())).collect::<Vec<_>>()
    };
    let pairs = |names: &[usize]| names.iter().map(|at| (HELD[*at].0.into(), HELD[*at].1.into())).collect::<Vec<_>>();
    let backend = Backend::start(ssm(HELD, &[])).await;
    assert_eq!(found(&backend, find("^/team", None)).await, pairs(&[0, 1]));
    assert_eq!(found(&backend, find("b$", Some("/team"))).await, pairs(&[1]));
    assert_eq!(actions(&backend), ["GetParametersByPath"; 4]);
    assert!(backend.received()[0].body.contains(r#""Path":"/","Recursive":true,"WithDecryption":true"#));

    let backend = Backend::start(ssm(HELD, &["GetParametersByPath"])).await;
    assert_eq!(found(&backend, find("^/team", None)).await, pairs(&[0, 1]));
    assert_eq!(actions(&backend), ["GetParametersByPath", "DescribeParameters", "GetParameters"]);

    let backend = Backend::start(ssm(HELD, &[])).await;
    let tags = [("team".to_owned(), "a".to_owned())].into_iter().collect();
    let query = Find { tags, path: Some("/team".into()), ..Find::default() };
    assert_eq!(found(&backend, query).await.len(), 3, "the stand-in knows no filters");
    let listed: Value = serde_json::from_str(&backend.received()[0].body).unwrap();
    let filters = json!([
        {"Key": "tag:team", "Option": "Equals", "Values": ["a"]},
        {"Key": "Path", "Option": "Recursive", "Values": ["/team"]},
    ]);
    assert_eq!(listed["ParameterFilters"], filters);

    let backend = Backend::start(ssm(HELD, &["GetParametersByPath", "DescribeParameters"])).await;
    let store = open_at(&backend, parameters()).await.unwrap();
    let error = store.find(&find("x", None), now()).await.unwrap_err();
    assert_eq!(error.code(), Code::AwsAccessDenied);
    assert!(error.to_string().contains("below \"/\"") && error.to_string().contains("listing parameters"), "{error}");
    let nothing = store.find(&Find::default(), now()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::SpecInvalid);
}

#[tokio::test]
async fn parameters_of_a_moment_share_a_call_and_one_that_is_forbidden_spoils_it_once() {
    const HELD: &[(&str, &str)] =
        &[("p0", "0"), ("p1", "1"), ("p2", "2"), ("p3", "3"), ("p4", "4"), ("p1:2", "older"), ("secret", "x")];
    let ask = async |store: &Arc<dyn Store>, names: &[&str]| {
        let remotes: Vec<_> = names
            .iter()
            .map(|name| {
                let (key, version) = name.split_once(':').map_or((*name, None), |(key, version)| (key, Some(version)));
                RemoteRef { version: version.map(Into::into), ..remote(key, None) }
            })
            .collect();
        let since = now();
        let found = futures::future::join_all(remotes.iter().map(|remote| store.get(remote, since))).await;
        found.into_iter().map(|found| found.map(text).map_err(|error| error.code())).collect::<Vec<_>>()
    };
    let some = |text: &str| Ok(Some(text.to_owned()));
    let backend = Backend::start(ssm(HELD, &["secret"])).await;
    let store = open_at(&backend, parameters()).await.unwrap();
    assert_eq!(ask(&store, &["p0", "p1", "none", "p3"]).await, [some("0"), some("1"), Ok(None), some("3")]);
    assert_eq!(actions(&backend), ["GetParameters"]);
    // Two versions of one parameter take two calls.
    assert_eq!(ask(&store, &["p1", "p1:2", "p2"]).await, [some("1"), some("older"), some("2")]);
    assert_eq!(actions(&backend).iter().filter(|action| *action == "GetParameter").count(), 1);

    let before = backend.received().len();
    assert_eq!(ask(&store, &["p0", "secret", "p4"]).await, [some("0"), Err(Code::AwsAccessDenied), some("4")]);
    let since = actions(&backend).split_off(before);
    assert_eq!(since, ["GetParameters", "GetParameter", "GetParameter", "GetParameter"]);
    let before = backend.received().len();
    assert_eq!(ask(&store, &["p0", "secret", "p4"]).await, [some("0"), Err(Code::AwsAccessDenied), some("4")]);
    let mut since = actions(&backend).split_off(before);
    since.sort();
    assert_eq!(since, ["GetParameter", "GetParameters"], "it is known what spoils");
}

#[tokio::test]
async fn refused_batches_of_parameters_are_remembered() {
    const HELD: &[(&str, &str)] = &[("p0", "0"), ("p1", "1")];
    let backend = Backend::start(ssm(HELD, &["GetParameters"])).await;
    let store = open_at(&backend, parameters()).await.unwrap();
    for _ in 0..3 {
        let remotes = [remote("p0", None), remote("p1", None)];
        let since = now();
        let found = futures::future::join_all(remotes.iter().map(|remote| store.get(remote, since))).await;
        assert!(found.iter().all(|found| matches!(found, Ok(Some(_)))), "{found:?}");
    }
    let actions = actions(&backend);
    assert_eq!(actions.iter().filter(|action| *action == "GetParameters").count(), 1, "{actions:?}");
    assert_eq!(actions.len(), 7);
}
