//! What is read becomes what is in the Secret.

use serde_json::{Value, json};
use tests::{
    Result,
    resources::{failed, synced},
};

use crate::{external_secret, holds, stocked};

/// One ExternalSecret: its name, its store, its spec, and the values that its Secret has in the end.
type Row = (&'static str, &'static str, Value, Value);

/// `data` with one entry for each pair of key and `remoteRef`.
fn data(entries: &Value) -> Value {
    let entries = entries.as_object().into_iter().flatten();
    let entry = |(key, remote): (&String, &Value)| json!({"secretKey": key, "remoteRef": remote});
    json!({"data": entries.map(entry).collect::<Vec<_>>()})
}

/// The whole entry `app/db` as it is written.
const DB: &str = concat!(
    r#"{"a*":"star","ab":"letters","b64":"aGk=","big":9007199254740991,"fraction":1.5,"html":"\u003c\u0026\u003e","#,
    r#""json":"{\"inner\": \"text\"}","k":{"d":"nested","x":[1,2]},"k.d":"dotted","#,
    r#""list":[{"n":"x","v":1},{"n":"y","v":2}],"nothing":null,"plain":"no base64!","url":"_-8=","user":"bob","yes":true}"#,
);
const WEB: &str = r#"{"token":"t","user":"eve"}"#;

fn of_vault(namespace: &str) -> Vec<Row> {
    let at = |name: &str| format!("{namespace}/{name}");
    let db = |property: &str| json!({"key": at("app/db"), "property": property});
    let decoded = |property: &str, strategy: &str| json!({"key": at("app/db"), "property": property, "decodingStrategy": strategy});
    let metadata = |property: &str| json!({"key": at("app/db"), "metadataPolicy": "Fetch", "property": property});
    let extract =
        |more: Value| json!({"dataFrom": [{"extract": crate::manifest::with(json!({"key": at("app/db")}), &more)}]});
    vec![
        ("whole", "vault", data(&json!({"all": {"key": at("app/db")}})), json!({"all": DB})),
        (
            "properties",
            "vault",
            data(&json!({
                "dotted": db("k.d"), "nested": db("k|d"), "object": db("k"), "query": db("list.#(n==\"y\").v"),
                "all": db("list.#.n"), "count": db("list.#"), "reversed": db("list.@reverse.0.n"),
                "several": db("{user,\"n\":list.0.n}"), "inner": db("json.@fromstr.inner"), "star": db("a*"), "wild": db("us?r"),
                "null": db("nothing"), "big": db("big"), "true": db("yes"), "html": db("html"),
            })),
            json!({
                "dotted": "dotted", "nested": "nested", "object": r#"{"d":"nested","x":[1,2]}"#, "query": "2",
                "all": r#"["x","y"]"#, "count": "2", "reversed": "y",
                "several": r#"{"user":"bob","n":"x"}"#, "inner": "text", "star": "star", "wild": "bob",
                "null": "", "big": "9007199254740991", "true": "true", "html": "<&>",
            }),
        ),
        (
            "decoded",
            "vault",
            data(&json!({
                "base64": decoded("b64", "Base64"), "auto": decoded("b64", "Auto"), "raw": decoded("plain", "Auto"),
                "none": decoded("b64", "None"),
            })),
            json!({"base64": "hi", "auto": "hi", "raw": "no base64!", "none": "aGk="}),
        ),
        (
            "metadata",
            "vault",
            data(&json!({"team": metadata("team"), "note": metadata("note"), "version": metadata("current_version")})),
            json!({"team": "core", "note": "<a>", "version": "1"}),
        ),
        ("nested", "vault", extract(json!({"property": "k"})), json!({"d": "nested", "x": "[1,2]"})),
        ("text-in-text", "vault", extract(json!({"property": "json"})), json!({"inner": "text"})),
        (
            "extract",
            "vault",
            extract(json!({})),
            json!({
                "a_": "star", "ab": "letters", "b64": "aGk=", "big": "9007199254740991", "fraction": "1.5", "html": "<&>",
                "json": "{\"inner\": \"text\"}", "k": r#"{"d":"nested","x":[1,2]}"#, "k.d": "dotted",
                "list": r#"[{"n":"x","v":1},{"n":"y","v":2}]"#, "nothing": "", "plain": "no base64!", "url": "_-8=",
                "user": "bob", "yes": "true",
            }),
        ),
    ]
}

fn found_in_vault(namespace: &str) -> Vec<Row> {
    let at = |name: &str| format!("{namespace}/{name}");
    vec![
        (
            "unicode",
            "vault",
            json!({"dataFrom": [{"find": {"path": at("app"), "conversionStrategy": "Unicode"}}]}),
            json!({format!("{namespace}_U002f_app_U002f_db"): DB, format!("{namespace}_U002f_app_U002f_web"): WEB}),
        ),
        (
            "found",
            "vault",
            json!({"dataFrom": [{"find": {"path": namespace, "name": {"regexp": "/web$|^other$"}}}]}),
            json!({format!("{namespace}_app_web"): WEB}),
        ),
        (
            "tagged",
            "vault",
            json!({"dataFrom": [{"find": {"path": namespace, "tags": {"team": "core"}}}]}),
            json!({format!("{namespace}_app_db"): DB}),
        ),
        (
            "renamed",
            "vault",
            json!({"dataFrom": [{
                "find": {"path": at("app")},
                "rewrite": [
                    {"regexp": {"source": "^.*/(\\w)(\\w*)$", "target": "$2x-${2}-$1$$"}},
                    {"regexp": {"source": "\\$", "target": "_"}},
                    {"transform": {"template": "{{ .value | upper }}.json"}},
                ],
            }]}),
            json!({"-B-D_.json": DB, "-EB-W_.json": WEB}),
        ),
        (
            "merged",
            "vault",
            json!({"dataFrom": [{
                "find": {"path": at("app"), "name": {"regexp": "web|db"}},
                "rewrite": [
                    {"regexp": {"source": ".*/", "target": ""}},
                    {"merge": {"priority": ["db"], "conflictPolicy": "Ignore", "strategy": "JSON", "into": "both"}},
                    {"regexp": {"source": "^(db|web)$", "target": "part-$1"}},
                ],
            }, {
                "find": {"path": at("app")},
                "rewrite": [{"regexp": {"source": ".*/", "target": ""}}, {"merge": {"priority": ["db", "none"],
                    "priorityPolicy": "IgnoreNotFound", "conflictPolicy": "Ignore"}}, {"regexp": {"source": "^[^tu].*$", "target": "rest"}},
                    {"regexp": {"source": "^url$", "target": "rest"}}],
            }]}),
            json!({
                "both": DB.replace("\\u003c\\u0026\\u003e", "<&>").replace(r#""url""#, r#""token":"t","url""#),
                "part-db": DB, "part-web": WEB, "token": "t", "user": "bob", "rest": "_-8=",
            }),
        ),
    ]
}

fn of_aws(namespace: &str) -> Vec<Row> {
    let at = |name: &str| format!("{namespace}/aws/{name}");
    let db = |property: &str| json!({"key": at("db"), "property": property});
    let tag = json!({"key": at("db"), "metadataPolicy": "Fetch", "property": "team"});
    let find = |find: Value| json!({"dataFrom": [{"find": find, "rewrite": [{"regexp": {"source": "^.*/aws/", "target": ""}}]}]});
    let [(_, text), ..] = crate::in_aws();
    vec![
        (
            "aws-properties",
            "aws",
            data(&json!({
                "dotted": db("k.d"), "nested": db("k|d"), "object": db("o"), "number": db("n"), "null": db("z"), "tag": tag,
                "text": {"key": at("text")}, "whole": {"key": at("db")}, "odd": {"key": at("odd"), "property": "user"},
                "version": {"key": at("text"), "version": "AWSCURRENT"},
            })),
            json!({
                "dotted": "dotted", "nested": "nested", "object": r#"{"b": "<", "a": 1}"#, "number": "1.5", "null": "", "tag": "db",
                "text": "just text", "whole": text, "odd": "carl", "version": "just text",
            }),
        ),
        (
            "aws-extract",
            "aws",
            json!({"dataFrom": [{"extract": {"key": at("db")}}]}),
            json!({
                "user": "amy", "k.d": "dotted", "k": r#"{"d": "nested"}"#, "n": "1.50", "o": r#"{"b": "<", "a": 1}"#, "z": "",
            }),
        ),
        ("aws-named", "aws", find(json!({"name": {"regexp": format!("^{namespace}/aws/d")}})), json!({"db": text})),
        ("aws-below", "aws", find(json!({"path": at(""), "name": {"regexp": "text"}})), json!({"text": "just text"})),
        ("aws-tagged", "aws", find(json!({"tags": {"team": "db", namespace: "yes"}})), json!({"db": text})),
        (
            "aws-converted",
            "aws",
            json!({"dataFrom": [{"find": {"path": at("t"), "name": {"regexp": ""}}}]}),
            json!({format!("{namespace}_aws_text"): "just text"}),
        ),
    ]
}

/// Both stores in one: `dataFrom` in order, then `data`, later ones win.
fn of_both(namespace: &str) -> Vec<Row> {
    let of = |store: &str, mut entry: Value| {
        entry["sourceRef"] = json!({"storeRef": {"name": store}});
        entry
    };
    let (web, db) = (format!("{namespace}/app/web"), format!("{namespace}/aws/db"));
    let text = json!({"secretKey": "k.d", "remoteRef": {"key": format!("{namespace}/aws/text")}});
    let user = json!({"secretKey": "other", "remoteRef": {"key": web, "property": "user"}});
    let amy = json!({"user": "amy", "k": r#"{"d": "nested"}"#, "n": "1.50", "o": r#"{"b": "<", "a": 1}"#, "z": "", "token": "t"});
    let expected = |more: Value| crate::manifest::with(amy.clone(), &more);
    vec![
        (
            "both",
            "vault",
            json!({
                "dataFrom": [{"extract": {"key": web}}, of("aws", json!({"extract": {"key": db}}))],
                "data": [of("aws", text.clone()), user],
            }),
            expected(json!({"k.d": "just text", "other": "eve"})),
        ),
        (
            "both-turned",
            "aws",
            json!({
                "dataFrom": [{"extract": {"key": db}}, of("vault", json!({"extract": {"key": web}}))],
                "data": [text],
            }),
            expected(json!({"k.d": "just text", "user": "eve"})),
        ),
    ]
}

#[tokio::test]
async fn values_are_fetched_named_and_decoded() -> Result {
    let (alone, _controller) = stocked("values").await?;
    let (moment, asked) = (alone.moment().await?, alone.bed.moto().await?.mark());
    let rows = [of_vault, found_in_vault, of_aws, of_both].map(|rows| rows(&alone.namespace)).concat();
    alone.create(rows.iter().map(|(name, store, spec, _)| external_secret(name, store, spec))).await?;
    for (name, _, _, values) in &rows {
        if let Err(failure) = synced(alone.bed, &alone.namespace, name).await {
            return Err(failure.during(format!("syncing {name}")));
        }
        holds(&alone, name, values).await?;
    }
    let happened = alone.since(moment).await?;
    assert!(happened.logins.len() <= 1, "one login for all, and perhaps that was before: {}", happened.logins);
    let exchanges = alone.bed.moto().await?.requests_since(asked)?.filter(|request| request.service == "sts");
    assert!(exchanges.is_empty(), "{exchanges}");
    Ok(())
}

#[tokio::test]
async fn refresh_asks_each_of_two_stores_once_per_path() -> Result {
    let (alone, controller) = stocked("two-stores").await?;
    let (_, store, spec, values) = of_both(&alone.namespace).swap_remove(0);
    let spec = crate::manifest::with(spec, &json!({"refreshInterval": "1h"}));
    alone.create([external_secret("both", store, &spec)]).await?;
    holds(&alone, "both", &values).await?;
    tests::resources::settled(&controller, &[("externalsecret", 1.0)]).await?;
    let (moment, asked) = (alone.moment().await?, alone.bed.moto().await?.mark());
    alone.kubectl(&["annotate", "externalsecret", "both", "look=again"], "").await?;
    tests::resources::settled(&controller, &[("externalsecret", 2.0)]).await?;
    let happened = alone.since(moment).await?;
    assert_eq!(happened.reads.len(), 1, "two entries of one path: {}", happened.reads);
    assert!(happened.logins.is_empty(), "{}", happened.logins);
    let reads =
        alone.bed.moto().await?.requests_since(asked)?.filter(|request| request.access_key_id == alone.namespace);
    assert_eq!(reads.action("BatchGetSecretValue").len(), 1, "two secrets of a moment: {reads}");
    assert_eq!(reads.len(), 1, "{reads}");
    Ok(())
}

#[tokio::test]
async fn names_and_values_that_do_not_fit_are_told_apart() -> Result {
    let (alone, _controller) = stocked("unfit").await?;
    let namespace = &alone.namespace;
    let at = |name: &str| format!("{namespace}/{name}");
    let rewritten = |rewrite: Value| json!({"dataFrom": [{"find": {"path": at("app")}, "rewrite": rewrite}]});
    let rows = [
        (
            "path",
            data(&json!({"k": {"key": at("app/db"), "property": "list.#(n==\"z\").v"}})),
            "RemotePropertyMissing: spec.data[0]: ",
        ),
        (
            "base64",
            data(&json!({"k": {"key": at("app/db"), "property": "url", "decodingStrategy": "Base64"}})),
            "DecodingFailed: spec.data[0]: ",
        ),
        (
            "slash",
            rewritten(json!([{"regexp": {"source": "zzz", "target": ""}}])),
            "KeyInvalid: spec.dataFrom[0].find: ",
        ),
        ("conflict", rewritten(json!([{"merge": {}}])), "KeyConflict: spec.dataFrom[0].rewrite[0]: "),
        (
            "priority",
            rewritten(json!([{"merge": {"priority": ["none"]}}])),
            "RewriteFailed: spec.dataFrom[0].rewrite[0]: ",
        ),
        (
            "text",
            json!({"dataFrom": [{"extract": {"key": at("app/db"), "property": "user"}}]}),
            "RemoteValueInvalid: spec.dataFrom[0].extract: ",
        ),
        (
            "collision",
            json!({"dataFrom": [{"extract": {"key": at("app/same")}}]}),
            "KeyConflict: spec.dataFrom[0].extract: ",
        ),
        (
            "metadata",
            data(&json!({"k": {"key": at("none"), "metadataPolicy": "Fetch"}})),
            "RemoteSecretMissing: spec.data[0]: ",
        ),
    ];
    alone.bao.put(&format!("secret/{}", at("app/same")), &json!({"a b": "1", "a/b": "2"})).await?;
    alone.create(rows.iter().map(|(name, spec, _)| external_secret(name, "vault", spec))).await?;
    for (name, _, code_and_place) in &rows {
        let said = failed(alone.bed, namespace, name).await?;
        assert!(said.message.starts_with(code_and_place), "{name}: {}", said.message);
    }
    Ok(())
}
