//! Values of stores are told to nobody: not by logs, events, status or metrics, however they fail.
//!
//! Canaries are planted where values and credentials are, every way in which they can be of no use is tried, and everything that
//! the three processes said is searched, also for base64, hexadecimal and lists of bytes.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use regex::Regex;
use serde_json::{Value, json};
use tests::{
    Binary, Failure, Result,
    resources::{SOON, failed, synced},
    wait,
};

use crate::{
    alone::{Alone, STORE},
    serving::{self, try_apply},
};

const IN_VAULT: &str = "cAnAry1vaultQz93WvUt";
const IN_AWS: &str = "cAnAry2awsKx7Rm40PdL";
const IN_FAKE: &str = "cAnAry3fakeTb58YwNe";
const AS_TOKEN: &str = "cAnAry4tokenHs62JfGa";
const AS_KEY: &str = "cAnAry5keyVc17ZoXi";
const CANARIES: [&str; 5] = [IN_VAULT, IN_AWS, IN_FAKE, AS_TOKEN, AS_KEY];

const REGION: &str = "us-east-1";

#[tokio::test]
async fn values_of_stores_are_in_no_log_event_status_or_metric() -> Result {
    let serving = serving::shared().await?;
    let alone = Alone::with_token("canary").await?;
    plant(&alone).await?;
    let moto = alone.bed.moto().await?;
    let flags = ["--namespace", &alone.namespace, "--loglevel=debug"];
    let mut controller = alone.bed.operator_with(Binary::Controller, &flags, &moto.environment()).await?;
    alone.create(stores(&alone)).await?;
    let cases = cases(&alone.namespace);
    alone.create(cases.iter().map(|case| case.object.clone())).await?;
    let mut wrong = String::new();
    for case in &cases {
        let said = failed(alone.bed, &alone.namespace, case.name).await?;
        if !said.message.starts_with(case.code) {
            writeln!(wrong, "{}: {} expected, but it is {}", case.name, case.code, said.message)?;
        }
    }
    assert!(wrong.is_empty(), "cases that test something else:\n{wrong}");
    alone.create([works()]).await?;
    synced(alone.bed, &alone.namespace, "works").await?;
    let refusal = try_apply(alone.bed, &refused(&alone.namespace).to_string()).await?;
    assert!(refusal.contains("denied the request"), "{refusal}");
    events_of(&alone, cases.len()).await?;

    let mut told = vec![
        ("metrics of the controller", controller.metrics().await?),
        ("metrics of the webhook", serving.webhook.metrics().await?),
        ("metrics of the cert-controller", serving.cert_controller.metrics().await?),
        ("events", seen(&alone, "events", "items").await?),
        ("status of ExternalSecrets", seen(&alone, "externalsecrets", "status").await?),
        ("status of SecretStores", seen(&alone, "secretstores", "status").await?),
    ];
    controller.kill().await?;
    told.push(("log of the controller", controller.log()));
    told.push(("log of the webhook", serving.webhook.log()));
    told.push(("log of the cert-controller", serving.cert_controller.log()));
    let leaks = leaks(&told)?;
    assert!(leaks.is_empty(), "{leaks}");
    Ok(())
}

/// Values that are of no use in some way, in two stores; the third holds its values in its spec.
async fn plant(alone: &Alone) -> Result {
    let entry = json!({
        "text": IN_VAULT,
        "broken": format!("{{\"a\": \"{IN_VAULT}"),
        "nul": format!("{IN_VAULT}\u{0}"),
        "words": format!("{IN_VAULT} and more!"),
        "pattern": format!("{IN_VAULT}("),
    });
    alone.bao.put(&format!("secret/{}/canary", alone.namespace), &entry).await?;
    alone.bed.moto().await?.put_secret(REGION, &alone.namespace, IN_AWS).await?;
    let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    alone
        .create([secret("token", json!({"token": AS_TOKEN})), secret("keys", json!({"id": AS_KEY, "key": AS_KEY}))])
        .await
}

fn stores(alone: &Alone) -> Vec<Value> {
    let store = |name: &str, provider: Value| {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": name},
            "spec": {"provider": provider},
        })
    };
    let vault = |auth: Value| json!({"vault": {"server": alone.bao.address, "path": "secret", "auth": auth}});
    let aws = |secret_key: &str| {
        json!({"aws": {"service": "SecretsManager", "region": REGION, "auth": {"secretRef": {
            "accessKeyIDSecretRef": {"name": "keys", "key": "id"},
            "secretAccessKeySecretRef": {"name": "keys", "key": secret_key},
        }}}})
    };
    vec![
        store("fake", json!({"fake": {"data": [{"key": "text", "value": IN_FAKE}]}})),
        store("aws", aws("key")),
        store("half", aws("absent")),
        store("wrong-token", vault(json!({"tokenSecretRef": {"name": "token", "key": "token"}}))),
        store(
            "refused-login",
            vault(
                json!({"kubernetes": {"mountPath": "kubernetes", "role": "nobody", "serviceAccountRef": {"name": "default"}}}),
            ),
        ),
    ]
}

/// An ExternalSecret that cannot be synced, and the code that says why.
struct Case {
    name: &'static str,
    object: Value,
    code: &'static str,
}

fn cases(namespace: &str) -> Vec<Case> {
    let entry = format!("{namespace}/canary");
    let mut cases = fetches(namespace, &entry);
    cases.extend(templates(&entry));
    for (name, store) in [("half-a-key", "half"), ("wrong-token", "wrong-token"), ("refused-login", "refused-login")] {
        let spec = json!({"data": [{"secretKey": "v", "remoteRef": {"key": "text"}}]});
        cases.push(case(name, store, spec, "StoreNotReady"));
    }
    cases
}

/// Values that are not what the entry asks for.
fn fetches(namespace: &str, entry: &str) -> Vec<Case> {
    let value = |key: &str, more: Value| {
        let mut remote = json!({"key": key});
        for (field, value) in more.as_object().into_iter().flatten() {
            remote[field] = value.clone();
        }
        json!({"data": [{"secretKey": "v", "remoteRef": remote}]})
    };
    let extract = |remote: Value| json!({"dataFrom": [{"extract": remote}]});
    let merged = json!({"dataFrom": [{"extract": {"key": entry}, "rewrite": [{"merge": {}}]}]});
    let base64 = json!({"property": "words", "decodingStrategy": "Base64"});
    let nul = json!({"property": "nul", "nullBytePolicy": "Fail"});
    vec![
        case("vault-property", STORE, value(entry, json!({"property": "text.inner"})), "RemotePropertyMissing"),
        case("vault-text", STORE, extract(json!({"key": entry, "property": "text"})), "RemoteValueInvalid"),
        case("vault-broken", STORE, extract(json!({"key": entry, "property": "broken"})), "RemoteValueInvalid"),
        case("vault-base64", STORE, value(entry, base64), "DecodingFailed"),
        case("vault-nul", STORE, value(entry, nul), "NullBytes"),
        case("vault-merge", STORE, merged, "RewriteFailed"),
        case("aws-property", "aws", value(namespace, json!({"property": "inner"})), "Remote"),
        case("aws-extract", "aws", extract(json!({"key": namespace})), "RemoteValueInvalid"),
        case("fake-property", "fake", value("text", json!({"property": "inner"})), "Remote"),
        case("fake-extract", "fake", extract(json!({"key": "text"})), "RemoteValueInvalid"),
    ]
}

/// Templates that stumble over the value, and Secrets that the API server refuses for it.
fn templates(entry: &str) -> Vec<Case> {
    let data = |template: Value| {
        json!({
            "data": [
                {"secretKey": "text", "remoteRef": {"key": entry, "property": "text"}},
                {"secretKey": "words", "remoteRef": {"key": entry, "property": "words"}},
                {"secretKey": "pattern", "remoteRef": {"key": entry, "property": "pattern"}},
            ],
            "target": {"template": template},
        })
    };
    let body = |text: &str| data(json!({"data": {"out": text}}));
    vec![
        case("template-field", STORE, body("{{ .text.inner }}"), "TemplateFailed"),
        case("template-index", STORE, body("{{ index .text .words }}"), "TemplateFailed"),
        case("template-range", STORE, body("{{ range .text }}{{ end }}"), "TemplateFailed"),
        case("template-fail", STORE, body("{{ fail .text }}"), "TemplateFailed"),
        case("template-json", STORE, body("{{ .text | mustFromJson }}"), "TemplateFailed"),
        case("template-pattern", STORE, body("{{ mustRegexMatch .pattern .text }}"), "TemplateFailed"),
        case("template-version", STORE, body("{{ semver .text }}"), "TemplateFailed"),
        case("template-call", STORE, body("{{ call .text }}"), "TemplateFailed"),
        case(
            "template-type",
            STORE,
            data(json!({"type": "kubernetes.io/dockerconfigjson", "data": {
                ".dockerconfigjson": "{{ .text }}",
            }})),
            "KubernetesInvalid",
        ),
        case("template-label", STORE, data(json!({"metadata": {"labels": {"v": "{{ .words }}"}}})), "TemplateFailed"),
        case(
            "template-label-key",
            STORE,
            data(json!({"templateFrom": [{"target": "Labels", "literal": "'{{ .words }}': v"}]})),
            "KubernetesInvalid",
        ),
    ]
}

fn case(name: &'static str, store: &str, mut spec: Value, code: &'static str) -> Case {
    spec["secretStoreRef"] = json!({"name": store});
    let metadata = json!({"name": name});
    let object =
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": metadata, "spec": spec});
    Case { name, object, code }
}

/// What goes well is told as little.
fn works() -> Value {
    let data = json!({"data": [{"secretKey": "v", "remoteRef": {"key": "text"}}]});
    case("works", "fake", data, "").object
}

/// A store with a value that the webhook sees and refuses.
fn refused(namespace: &str) -> Value {
    let provider = json!({"fake": {"data": [{"key": "text", "value": IN_FAKE}]}});
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
        "metadata": {"name": "refused", "namespace": namespace},
        "spec": {"controller": IN_FAKE, "refreshInterval": "-1s", "provider": provider},
    })
}

/// Waits until there is an event for each failure: they are sent after the status.
async fn events_of(alone: &Alone, failures: usize) -> Result {
    let events: Api<Event> = Api::namespaced(alone.bed.admin()?, &alone.namespace);
    wait::until("an event for each failure", SOON, || async {
        let events = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let told = events.items.iter().filter(|event| event.reason.as_deref() == Some("UpdateFailed")).count();
        if told >= failures { Ok(()) } else { Err(format!("{told} of {failures}")) }
    })
    .await
}

/// A part of all objects of a kind: `items` for the whole of them, or the field of each.
async fn seen(alone: &Alone, kind: &str, part: &str) -> Result<String> {
    let output = alone.bed.kubectl(&["get", kind, "-n", &alone.namespace, "-o", "json"], "").await?;
    let list: Value = serde_json::from_str(&output.stdout)?;
    let items = list["items"].as_array().ok_or_else(|| Failure::new(output.stderr))?;
    let parts = items.iter().map(|item| if part == "items" { item } else { &item[part] });
    Ok(parts.map(Value::to_string).collect::<Vec<_>>().join("\n"))
}

/// The lines that tell a canary, a token of a ServiceAccount, or a token of the store.
fn leaks(told: &[(&str, String)]) -> Result<String> {
    let mut forms: Vec<(String, String)> = Vec::new();
    for canary in CANARIES {
        forms.extend(disguises(canary).into_iter().map(|form| (canary.to_owned(), form)));
    }
    let tokens = [Regex::new(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")?, Regex::new(r"\bs\.[A-Za-z0-9]{24}\b")?];
    let mut leaks = String::new();
    for (whose, text) in told {
        assert!(!text.is_empty(), "nothing was collected: {whose}");
        for line in text.lines() {
            let lower = line.to_lowercase();
            if let Some((canary, _)) = forms.iter().find(|(_, form)| line.contains(form) || lower.contains(form)) {
                writeln!(leaks, "{whose} tells {canary}: {line}")?;
            }
            if tokens.iter().any(|token| token.is_match(line)) {
                writeln!(leaks, "{whose} tells a token: {line}")?;
            }
        }
    }
    Ok(leaks)
}

/// The texts as which a value can appear: itself, base64 at each of the three offsets, hexadecimal, and bytes in decimal.
fn disguises(canary: &str) -> Vec<String> {
    let bytes = canary.as_bytes();
    let mut forms = vec![canary.to_owned(), canary.to_lowercase()];
    for offset in 0..3 {
        let padded = [&b"xxx"[..offset], bytes].concat();
        let encoded = STANDARD_NO_PAD.encode(&padded);
        // The first and the last characters depend on what is before and behind.
        forms.push(encoded.chars().skip(4).take(encoded.len() - 8).collect());
    }
    forms.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat());
    for separator in [", ", " ", ","] {
        forms.push(bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(separator));
    }
    forms
}

#[test]
fn canaries_are_found_in_every_disguise() -> Result {
    let hidden = |text: String| leaks(&[("a log", text)]);
    assert!(hidden("nothing here".to_owned())?.is_empty());
    for text in [
        format!("value={IN_VAULT}!"),
        STANDARD_NO_PAD.encode(format!("{{\"a\":\"{IN_AWS}\"}}")),
        STANDARD_NO_PAD.encode(format!("{IN_FAKE}!")),
        format!("{:?}", AS_TOKEN.as_bytes()),
        "token eyJhbGciOiJSUzI1NiIs.eyJpc3MiOiJrdWJl".to_owned(),
    ] {
        assert!(!hidden(text.clone())?.is_empty(), "{text}");
    }
    Ok(())
}
