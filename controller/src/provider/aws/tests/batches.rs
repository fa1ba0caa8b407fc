//! Reads of a moment share calls of Secrets Manager; what is wrong with one of them is its own.

use super::*;

async fn ask(store: &Arc<dyn Store>, names: &[String]) -> Vec<Result<Option<String>, Code>> {
    let since = now();
    let remotes: Vec<_> = names.iter().map(|name| remote(name, None)).collect();
    let found = futures::future::join_all(remotes.iter().map(|remote| store.get(remote, since))).await;
    found.into_iter().map(|found| found.map(text).map_err(|error| error.code())).collect()
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("s-{number}")).collect()
}

#[tokio::test]
async fn secrets_of_a_moment_share_calls_of_twenty() {
    let backend = Backend::start(aws).await;
    let store = store(&backend).await;
    let names = numbered(0..100);
    let expected: Vec<_> = names.iter().map(|name| Ok(Some(name.clone()))).collect();
    assert_eq!(ask(&store, &names).await, expected);
    assert_eq!(actions(&backend), ["BatchGetSecretValue"; 5]);
    assert!(backend.received().iter().all(|request| asked_for(request).len() == 20));
    assert_eq!(ask(&store, &numbered(0..1)).await, [Ok(Some("{}".into()))], "one alone needs no other permission");
    assert_eq!(actions(&backend).last().unwrap(), "GetSecretValue");
}

#[tokio::test]
async fn error_of_one_secret_reaches_only_who_asked_for_it() {
    let backend = Backend::start(|request| match &*action(request) {
        "BatchGetSecretValue" => batch(request, |name| match name {
            "s-1" => Some("ResourceNotFoundException"),
            "s-2" => Some("AccessDeniedException"),
            "s-3" => Some("DecryptionFailure"),
            _ => None,
        }),
        _ => value("alone"),
    })
    .await;
    let store = store(&backend).await;
    let denied = || Err(Code::AwsAccessDenied);
    let own = |name: &str| Ok(Some(name.to_owned()));
    assert_eq!(ask(&store, &numbered(0..5)).await, [own("s-0"), Ok(None), denied(), denied(), own("s-4")]);
    assert_eq!(actions(&backend).len(), 1);
    // A name that none can be would have the whole call refused; a stage cannot be said in it.
    let before = backend.received().len();
    let names = ["s-0".to_owned(), "s 1".to_owned(), "s-4".to_owned()];
    assert_eq!(ask(&store, &names).await, [own("s-0"), own("alone"), own("s-4")]);
    let mut since = actions(&backend).split_off(before);
    since.sort();
    assert_eq!(since, ["BatchGetSecretValue", "GetSecretValue"]);
}

#[tokio::test]
async fn refused_batches_cost_one_call_in_all() {
    let backend = Backend::start(|request| match &*action(request) {
        "BatchGetSecretValue" => {
            error("AccessDeniedException", "User x is not authorized to perform BatchGetSecretValue")
        }
        _ => value("x"),
    })
    .await;
    let store = store(&backend).await;
    for _ in 0..2 {
        let found = ask(&store, &numbered(0..100)).await;
        assert!(found.iter().all(|found| *found == Ok(Some("x".into()))));
    }
    let actions = actions(&backend);
    assert_eq!(actions.iter().filter(|action| *action == "BatchGetSecretValue").count(), 1);
    assert_eq!(actions.len(), 201);
}

#[tokio::test]
async fn answer_in_pages_is_read_to_its_end_and_what_it_leaves_out_alone() {
    let backend = Backend::start(|request| {
        if action(request) != "BatchGetSecretValue" {
            return value("alone");
        }
        let entry = |name: &str| serde_json::json!({"Name": name, "ARN": format!("arn:aws:x:{name}-AbCdEf"), "SecretString": name});
        let page = if request.body.contains("NextToken") {
            serde_json::json!({"SecretValues": [entry("s-1")]})
        } else {
            serde_json::json!({"SecretValues": [entry("s-0"), entry("s-9")], "Errors": null, "NextToken": "2"})
        };
        Answer::json(200, page.to_string())
    })
    .await;
    let store = store(&backend).await;
    let names = ["s-0", "s-1", "s-2", "arn:aws:x:s-9"].map(ToOwned::to_owned);
    let own = |name: &str| Ok(Some(name.to_owned()));
    assert_eq!(ask(&store, &names).await, [own("s-0"), own("s-1"), own("alone"), own("s-9")]);
    assert_eq!(actions(&backend), ["BatchGetSecretValue", "BatchGetSecretValue", "GetSecretValue"]);
}

#[tokio::test]
async fn invalid_batch_is_read_alone_and_an_outage_reaches_all() {
    for (answer, calls, code) in [
        (error("ValidationException", "one of them"), 4, None),
        (error("ThrottlingException", "slow down"), 1, Some(Code::AwsThrottled)),
        (Answer::html(503), 1, Some(Code::AwsUnreachable)),
    ] {
        let backend = Backend::start(move |request| match &*action(request) {
            "BatchGetSecretValue" => answer.clone(),
            _ => value("x"),
        })
        .await;
        let found = ask(&store(&backend).await, &numbered(0..3)).await;
        assert!(found.iter().all(|found| found.as_ref().err() == code.as_ref()), "{found:?}");
        assert_eq!(backend.received().len(), calls);
    }
}

#[tokio::test]
async fn role_that_cannot_be_assumed_is_tried_once_for_all_who_wait_and_says_nothing_of_batches() {
    let backend = Backend::start(|request| {
        if action(request) == "AssumeRole" {
            std::thread::sleep(Duration::from_millis(50));
            let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
            return Answer { headers: vec![("content-type", "text/xml".into())], ..Answer::json(403, body) };
        }
        aws(request)
    })
    .await;
    let spec = Spec { role: Some(ROLE.into()), ..spec(static_auth()) };
    let store = open_at(&backend, spec).await.unwrap();
    let found = ask(&store, &numbered(0..20)).await;
    assert!(found.iter().all(|found| *found == Err(Code::AwsAccessDenied)), "{found:?}");
    assert_eq!(actions(&backend), ["AssumeRole"]);
}

/// ExternalSecrets that wait for a worker, each for a secret of its own.
struct Queued {
    names: std::ops::Range<usize>,
    since: std::time::Instant,
}

impl Waiting for Queued {
    fn visit(&self, _: &StoreHandle, _: &Scope, visit: &mut crate::provider::ahead::Visit<'_>) {
        for name in numbered(self.names.clone()) {
            if !visit(&remote(&name, None), self.since) {
                return;
            }
        }
    }
}

#[tokio::test]
async fn what_waits_for_a_worker_is_asked_along() {
    let backend = Backend::start(aws).await;
    let since = now();
    let waiting = Arc::new(Queued { names: 3..1000, since });
    let store = open_ahead(&backend, spec(static_auth()), waiting).await.unwrap();
    // Three workers have something in hand; then the others' turn comes.
    for names in [numbered(0..3), numbered(3..4), numbered(4..60)] {
        let remotes: Vec<_> = names.iter().map(|name| remote(name, None)).collect();
        let found = futures::future::join_all(remotes.iter().map(|remote| store.get(remote, since))).await;
        assert!(found.iter().all(Result::is_ok));
    }
    let received = backend.received();
    assert!(received.iter().all(|request| asked_for(request).len() == 20), "{:?}", actions(&backend));
    assert_eq!(received.len(), 3, "60 secrets");
}

/// ExternalSecrets whose refresh is nearly due, each with what it asks for; those that are taken are noted.
struct Resting {
    remotes: Vec<Vec<RemoteRef>>,
    taken: std::sync::Mutex<Vec<usize>>,
}

impl Resting {
    fn new(remotes: Vec<Vec<RemoteRef>>) -> Arc<Self> {
        Arc::new(Self { remotes, taken: std::sync::Mutex::default() })
    }

    fn taken(&self) -> Vec<usize> {
        self.taken.lock().unwrap().clone()
    }
}

impl Waiting for Resting {
    fn visit(&self, _: &StoreHandle, _: &Scope, _: &mut crate::provider::ahead::Visit<'_>) {}

    fn bring_forward(&self, _: &StoreHandle, _: &Scope, take: &mut crate::provider::ahead::Take<'_>) {
        use crate::provider::ahead::Taken;
        let since = now();
        for (number, remotes) in self.remotes.iter().enumerate() {
            match take(remotes, since) {
                Taken::Yes => self.taken.lock().unwrap().push(number),
                Taken::No => {}
                Taken::Full => return,
            }
        }
    }
}

fn remotes(range: std::ops::Range<usize>) -> Vec<RemoteRef> {
    numbered(range).iter().map(|name| remote(name, None)).collect()
}

#[tokio::test]
async fn call_with_room_takes_refreshes_along_that_fit_wholly() {
    let tags = RemoteRef { metadata_policy: MetadataPolicy::Fetch, ..remote("s-900", None) };
    let resting = Resting::new(vec![
        remotes(100..115),
        remotes(200..210),
        vec![tags],
        vec![remote("s 1", None)],
        remotes(300..304),
        remotes(400..401),
    ]);
    let backend = Backend::start(aws).await;
    let store = open_ahead(&backend, spec(static_auth()), resting.clone()).await.unwrap();
    assert_eq!(ask(&store, &numbered(0..1)).await, [Ok(Some("s-0".into()))]);
    assert_eq!(resting.taken(), [0, 4], "ten more do not fit, tags are no value, and one name spoils every call");
    assert_eq!(backend.received().len(), 1, "and those who are not taken are not asked for");
    assert_eq!(asked_for(&backend.received()[0]).len(), 20);
}

#[tokio::test]
async fn backend_that_does_not_answer_or_refuses_batches_has_no_refresh_brought_forward() {
    for answer in [Answer::html(503), error("AccessDeniedException", "BatchGetSecretValue")] {
        let resting = Resting::new(vec![remotes(100..101), remotes(101..102)]);
        let backend = Backend::start(move |_| answer.clone()).await;
        let store = open_ahead(&backend, spec(static_auth()), resting.clone()).await.unwrap();
        assert!(ask(&store, &numbered(0..1)).await[0].is_err());
        let before = resting.taken();
        assert!(ask(&store, &numbered(1..2)).await[0].is_err());
        assert_eq!(resting.taken(), before, "it is known now");
    }
}
