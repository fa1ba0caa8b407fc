//! One corpus, three judges: the API server alone (by the schema and the rules that it shares with the webhook), the webhook over
//! HTTPS, and the function that the webhook asks.
//!
//! Webhook and function say the same of every object. What a rule of the schema refuses, the webhook refuses too, in words for the
//! same field; and what the webhook finds and a rule can express, the API server refuses alone. What the schema refuses by its types
//! (a text where a number belongs) never reaches a webhook, and is no concern of this file. Objects that the API server alone admits
//! are shown to the webhook as it would store them, pruned and with defaults.

mod kept;
mod mutants;
mod objects;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use api::{
    admission::{Operation, Request, Verdict, judge},
    crds::shared_rules,
    template_syntax::Syntax,
};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
    core::response::StatusCause,
};
use serde_json::{Value, json};
use tests::{Bed, Failure, OPERATOR_NAMESPACE, Result};
use tokio::sync::OnceCell;

use objects::Item;

/// Requests at a time.
const AT_ONCE: usize = 16;

const SERVER_NAME: &str = "external-secrets-webhook.external-secrets.svc";

/// What the API server does without a webhook.
enum Alone {
    /// It would store this.
    Admitted(Value),
    /// Rules that it shares with the webhook refuse it.
    Ruled(Vec<StatusCause>),
    /// Its types do.
    Typed,
}

/// An object and what each judge says.
struct Judged {
    item: Item,
    alone: Alone,
    /// The webhook's answer: whether it is allowed, why not, and warnings.
    answer: (bool, String, Vec<String>),
    verdict: Verdict,
}

impl Judged {
    fn told(&self) -> String {
        let alone = match &self.alone {
            Alone::Admitted(_) => "admitted".to_owned(),
            Alone::Ruled(causes) => format!("{causes:?}"),
            Alone::Typed => "refused by its types".to_owned(),
        };
        format!("{}\n  alone: {alone}\n  webhook: {:?}\n  judge: {:?}", self.item, self.answer, self.verdict.message())
    }
}

static JUDGED: OnceCell<std::result::Result<Vec<Judged>, String>> = OnceCell::const_new();

/// The whole corpus, judged once for all tests.
async fn judged() -> Result<&'static [Judged]> {
    let start = || async { judge_all().await.map_err(|failure| failure.to_string()) };
    let judged = JUDGED.get_or_init(start).await.as_ref().map_err(|reason| Failure::new(reason.clone()))?;
    Ok(judged)
}

async fn judge_all() -> Result<Vec<Judged>> {
    let bed = Bed::shared().await?;
    bed.install().await?;
    let namespace = bed.namespace("corpus").await?;
    let client = bed.admin()?;
    let items: Vec<Item> = objects::all().into_iter().chain(mutants::all()).collect();
    let alone = stream::iter(&items).map(|item| judge_alone(client.clone(), &namespace, item));
    let alone: Vec<Alone> = alone.buffered(AT_ONCE).try_collect().await?;

    let admission = bed.admission(Duration::ZERO).await?;
    let webhook = Webhook::of(bed).await?;
    let shown = items.iter().zip(&alone).map(|(item, alone)| match alone {
        Alone::Admitted(stored) => stored.clone(),
        _ => item.object(&namespace),
    });
    let shown: Vec<Value> = shown.collect();
    let answers = stream::iter(items.iter().zip(&shown)).map(|(item, object)| webhook.ask(&namespace, item, object));
    let answers: Vec<_> = answers.buffered(AT_ONCE).try_collect().await?;
    drop(admission);

    let syntax = Syntax::default();
    let whole = items.into_iter().zip(alone).zip(answers).zip(shown);
    let whole = whole.map(|(((item, alone), answer), object)| {
        let request = Request {
            kind: item.kind,
            version: item.version,
            operation: Operation::Create,
            name: "judged",
            namespace: item.namespace(&namespace),
            object: Some(&object),
            old_object: None,
        };
        let verdict = judge(&request, &syntax);
        Judged { item, alone, answer, verdict }
    });
    Ok(whole.collect())
}

async fn judge_alone(client: Client, namespace: &str, item: &Item) -> Result<Alone> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", item.version, item.kind));
    let api: Api<DynamicObject> = match item.namespace(namespace) {
        None => Api::all_with(client, &resource),
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
    };
    let object: DynamicObject = serde_json::from_value(item.object(namespace))?;
    match api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await {
        Ok(stored) => Ok(Alone::Admitted(serde_json::to_value(stored)?)),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => {
            let mut causes = status.details.map(|details| details.causes).unwrap_or_default();
            causes.retain(is_of_a_rule);
            Ok(if causes.is_empty() { Alone::Typed } else { Alone::Ruled(causes) })
        }
        Err(error) => Err(Failure::from(error).during(item)),
    }
}

fn is_of_a_rule(cause: &StatusCause) -> bool {
    shared_rules().any(|rule| rule.is_told_of(&cause.field, &cause.message))
}

/// The webhook, asked as the API server asks it.
struct Webhook {
    client: reqwest::Client,
    port: u16,
}

impl Webhook {
    async fn of(bed: &Bed) -> Result<Self> {
        let secrets: Api<Secret> = Api::namespaced(bed.admin()?, OPERATOR_NAMESPACE);
        let data = secrets.get("external-secrets-webhook").await?.data.unwrap_or_default();
        let authority = data.get("ca.crt").ok_or_else(|| Failure::new("the webhook has no authority"))?;
        let port = bed.webhook_port();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(&authority.0)?])
            .resolve(SERVER_NAME, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .build()?;
        Ok(Self { client, port })
    }

    async fn ask(&self, namespace: &str, item: &Item, object: &Value) -> Result<(bool, String, Vec<String>)> {
        let kind = json!({"group": "external-secrets.io", "version": item.version, "kind": item.kind});
        let request = json!({
            "uid": "1", "kind": kind, "operation": "CREATE", "name": "judged", "namespace": item.namespace(namespace),
            "object": object,
        });
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let path = format!("validate-external-secrets-io-v1-{}", item.kind.to_lowercase());
        let url = format!("https://{SERVER_NAME}:{}/{path}", self.port);
        let sent = self.client.post(url).header("content-type", "application/json").body(review.to_string());
        let answer: Value = serde_json::from_slice(&sent.send().await?.bytes().await?)?;
        let response = &answer["response"];
        let warnings = response["warnings"].as_array().into_iter().flatten();
        Ok((
            response["allowed"] == true,
            response["status"]["message"].as_str().unwrap_or_default().to_owned(),
            warnings.filter_map(|warning| Some(warning.as_str()?.to_owned())).collect(),
        ))
    }
}

/// Fails with the first few objects that are not as they should be.
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} objects:\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}

#[tokio::test]
async fn webhook_and_function_say_the_same_of_every_object() -> Result {
    let wrong = judged().await?.iter().filter(|judged| {
        let (allowed, message, _) = &judged.answer;
        *allowed != judged.verdict.allowed() || *message != judged.verdict.message()
    });
    none(&wrong.map(Judged::told).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn what_a_rule_of_the_schema_refuses_the_webhook_refuses_for_the_same_field() -> Result {
    let is_told = |judged: &Judged, cause: &StatusCause| {
        let problems = &judged.verdict.problems;
        let mut rules = shared_rules().filter(|rule| rule.is_told_of(&cause.field, &cause.message));
        rules.any(|rule| problems.iter().any(|problem| rule.is_told_by(problem)))
            || problems.iter().any(|problem| problem.path == cause.field)
            // Nothing else is told of an object that cannot be decoded.
            || judged.verdict.message().ends_with("`kubectl explain` shows what the field takes")
    };
    let wrong = judged().await?.iter().filter(|judged| match &judged.alone {
        Alone::Ruled(causes) => judged.answer.0 || !causes.iter().all(|cause| is_told(judged, cause)),
        _ => false,
    });
    none(&wrong.map(Judged::told).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn what_the_webhook_refuses_and_a_rule_can_express_the_schema_refuses() -> Result {
    let has_rule = |judged: &Judged| {
        judged.verdict.problems.iter().any(|problem| shared_rules().any(|rule| rule.is_told_by(problem)))
    };
    let wrong = judged().await?.iter().filter(|judged| matches!(judged.alone, Alone::Admitted(_)) && has_rule(judged));
    none(&wrong.map(Judged::told).collect::<Vec<_>>());
    Ok(())
}

/// The API server repeats a text that breaks a rule of its own field.
#[tokio::test]
async fn no_rule_repeats_a_password() -> Result {
    let told = judged().await?.iter().filter(|judged| match &judged.alone {
        Alone::Ruled(causes) => causes.iter().any(|cause| cause.message.contains(objects::PASSWORD)),
        _ => false,
    });
    none(&told.map(Judged::told).collect::<Vec<_>>());
    Ok(())
}

/// Otherwise an installation of the Go operator could not be applied here.
#[tokio::test]
async fn what_the_go_operator_admits_is_refused_by_no_rule() -> Result {
    let admitted = |judged: &&Judged| judged.item.origin == objects::Origin::OursAlone;
    let all: Vec<_> = judged().await?.iter().filter(admitted).collect();
    assert!(all.len() >= 25, "{} objects", all.len());
    let wrong = all.into_iter().filter(|judged| !matches!(judged.alone, Alone::Admitted(_)) || judged.answer.0);
    none(&wrong.map(Judged::told).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn good_objects_are_good_to_all() -> Result {
    let good: Vec<_> = judged().await?.iter().filter(|judged| judged.item.origin == objects::Origin::Good).collect();
    assert!(good.len() >= 60, "{} objects", good.len());
    let wrong = good.into_iter().filter(|judged| !matches!(judged.alone, Alone::Admitted(_)) || !judged.answer.0);
    none(&wrong.map(Judged::told).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn every_rule_refuses_something_in_each_of_its_versions() -> Result {
    let judged = judged().await?;
    let refuses = |rule: &api::crds::rules::Rule, version: &str| {
        judged.iter().filter(|judged| judged.item.version == version).any(|judged| match &judged.alone {
            Alone::Ruled(causes) => causes.iter().any(|cause| rule.is_told_of(&cause.field, &cause.message)),
            _ => false,
        })
    };
    let versions = ["v1", "v1beta1"];
    let idle = shared_rules().flat_map(|rule| versions.map(|version| (rule, version)));
    let idle = idle.filter(|(rule, version)| rule.is_in(version) && !refuses(rule, version));
    none(&idle.map(|(rule, version)| format!("{version}: {} ({})", rule.message, rule.cel)).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn corpus_holds_enough_of_every_sort() -> Result {
    let judged = judged().await?;
    let count = |wanted: &dyn Fn(&Judged) -> bool| judged.iter().filter(|judged| wanted(judged)).count();
    let kinds = ["ExternalSecret", "SecretStore", "ClusterSecretStore"];
    let kinds = kinds.map(|kind| count(&|judged| judged.item.kind == kind));
    let sorts = [
        count(&|judged| judged.verdict.allowed()),
        count(&|judged| matches!(judged.alone, Alone::Ruled(_))),
        count(&|judged| matches!(judged.alone, Alone::Admitted(_)) && !judged.verdict.allowed()),
        count(&|judged| matches!(judged.alone, Alone::Typed)),
        count(&|judged| judged.item.version == "v1beta1"),
    ];
    println!("{} objects; by kind {kinds:?}; good, by rule, by webhook alone, by type, old: {sorts:?}", judged.len());
    let [good, ruled, webhook_alone, typed, old] = sorts;
    assert!(judged.len() >= 700 && kinds.iter().all(|count| *count >= 100), "{kinds:?}");
    assert!(good >= 200 && ruled >= 150 && webhook_alone >= 80 && old >= 250, "{sorts:?}");
    assert!(typed * 3 <= judged.len(), "{sorts:?}: too many of no concern");
    Ok(())
}
