use api::external_secret::FindName;

use super::*;

fn store() -> Fake {
    let item = |key: &str, value: &str, version: Option<&str>| FakeItem {
        key: key.into(),
        value: value.into(),
        version: version.map(Into::into),
    };
    let data = vec![
        item("/db/main", r#"{"user":"admin","port":5432,"tls":{"on":true}}"#, None),
        item("/db/main", r#"{"user":"old"}"#, Some("v1")),
        item("plain", "text", None),
    ];
    Fake::new(Spec { data, validation_result: None })
}

fn remote(key: &str, property: Option<&str>, version: Option<&str>) -> RemoteRef {
    let (property, version) = (property.map(Into::into), version.map(Into::into));
    RemoteRef { key: key.into(), property, version, ..RemoteRef::default() }
}

fn text(value: &SecretBytes) -> String {
    String::from_utf8(value.expose().to_vec()).unwrap()
}

#[tokio::test]
async fn entry_is_found_by_key_and_exact_version() {
    let table = [
        (remote("plain", None, None), Some("text")),
        (remote("plain", None, Some("v1")), None),
        (remote("/db/main", Some("user"), None), Some("admin")),
        (remote("/db/main", Some("user"), Some("v1")), Some("old")),
        (remote("/db/main", Some("tls"), None), Some(r#"{"on":true}"#)),
        (remote("absent", None, None), None),
    ];
    for (remote, expected) in table {
        let found = store().get(&remote, Instant::now()).await.unwrap();
        assert_eq!(found.as_ref().map(text).as_deref(), expected, "{remote:?}");
    }
}

#[tokio::test]
async fn null_is_extracted_as_an_object_without_members() {
    let null = FakeItem { key: "nothing".into(), value: " null".into(), version: None };
    let store = Fake::new(Spec { data: vec![null], validation_result: None });
    assert_eq!(store.get_map(&remote("nothing", None, None), Instant::now()).await.unwrap(), Some(Values::new()));
}

#[tokio::test]
async fn text_is_not_extracted() {
    assert!(store().get_map(&remote("plain", None, None), Instant::now()).await.is_err());
}

#[tokio::test]
async fn missing_property_of_an_existing_entry_counts_as_a_missing_entry() {
    assert!(store().get(&remote("/db/main", Some("nope"), None), Instant::now()).await.unwrap().is_none());
    assert!(store().get_map(&remote("/db/main", Some("nope"), None), Instant::now()).await.unwrap().is_none());
}

#[tokio::test]
async fn map_needs_an_object() {
    let map = store().get_map(&remote("/db/main", None, None), Instant::now()).await.unwrap().unwrap();
    let map: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    assert_eq!(map, [("port", "5432".into()), ("tls", r#"{"on":true}"#.into()), ("user", "admin".into())]);
    let error = store().get_map(&remote("plain", None, None), Instant::now()).await.unwrap_err();
    assert_eq!(error.code(), Code::RemoteValueInvalid);
    assert!(!error.to_string().contains("text"), "{error}");
}

#[tokio::test]
async fn find_goes_by_name_and_path_leaves_versions_out_and_converts_names() {
    let find = |path: Option<&str>, regexp: Option<&str>| Find {
        path: path.map(Into::into),
        name: regexp.map(|regexp| FindName { regexp: Some(regexp.into()) }),
        ..Find::default()
    };
    let table = [
        (find(None, Some("main$")), vec!["_db_main"]),
        (find(Some("/db"), None), vec!["_db_main"]),
        (find(None, None), vec!["_db_main", "plain"]),
        (find(None, Some("^x")), vec![]),
    ];
    for (query, expected) in table {
        let found = store().find(&query, Instant::now()).await.unwrap().unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected, "{query:?}");
    }
    let error = store().find(&find(None, Some("(")), Instant::now()).await.unwrap_err();
    assert_eq!(error.code(), Code::SpecInvalid);
}

#[tokio::test]
async fn check_answers_what_the_spec_asks_for() {
    for (asked, expected) in
        [(None, Ok(Readiness::Ready)), (Some(0), Ok(Readiness::Ready)), (Some(1), Ok(Readiness::Unknown))]
    {
        let store = Fake::new(Spec { data: vec![], validation_result: asked });
        assert_eq!(store.check().await, expected);
    }
    let store = Fake::new(Spec { data: vec![], validation_result: Some(2) });
    assert_eq!(store.check().await.unwrap_err().code(), Code::StoreInvalid);
}
