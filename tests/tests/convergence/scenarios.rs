//! Sixteen things that happen to an ExternalSecret, as data.

use serde_json::{Value, json};

use crate::{
    steps::Step,
    support::manifest::{external_secret, secret, with},
    world::{store, token},
};

/// What is so, what happens then, and what it comes to.
pub struct Scenario {
    pub name: &'static str,
    pub given: Vec<Step>,
    pub when: Vec<Step>,
    pub then: Vec<Step>,
}

const FIRST: &[(&str, &str)] = &[("password", "first")];
const SECOND: &[(&str, &str)] = &[("password", "second")];
const SYNCED: Step = Step::Ready("SecretSynced");

/// The ExternalSecret `app`, which keeps `password` of the entry, with other fields of its spec.
pub fn app(over: &Value) -> Step {
    let remote = json!({"key": "NAMESPACE/db", "property": "password"});
    let spec = json!({
        "refreshInterval": "1h", "secretStoreRef": {"name": "store"},
        "data": [{"secretKey": "password", "remoteRef": remote}],
    });
    Step::Apply(external_secret("app", &with(spec, over)))
}

/// The store holds `password: first` and can be used.
pub fn stored() -> Vec<Step> {
    vec![entry("first"), Step::Apply(store(&token(), "secret")), Step::StoreValid]
}

/// The same, and `app` has synced it.
pub fn synced(over: &Value) -> Vec<Step> {
    [stored(), vec![app(over), SYNCED]].concat()
}

pub fn entry(password: &str) -> Step {
    Step::Entry(json!({"password": password}))
}

/// What users do to have a refresh now.
pub fn force_sync() -> Step {
    Step::Change("ExternalSecret", "app", json!({"metadata": {"annotations": {"force-sync": "now"}}}))
}

pub fn target(target: &Value) -> Step {
    Step::Change("ExternalSecret", "app", json!({"spec": {"target": target}}))
}

/// Metadata of an ExternalSecret with a template stays off its Secret: a refresh without change writes none.
fn plain_template() -> Value {
    json!({"target": {"template": {"engineVersion": "v2"}}})
}

pub fn all() -> Vec<Scenario> {
    [creations(), refreshes(), policies(), repairs()].into_iter().flatten().collect()
}

fn creations() -> Vec<Scenario> {
    let kubernetes =
        json!({"kubernetes": {"mountPath": "kubernetes", "role": "NAMESPACE", "serviceAccountRef": {"name": "app"}}});
    vec![
        Scenario {
            name: "first sync",
            given: stored(),
            when: vec![app(&json!({}))],
            then: vec![Step::Holds("app", FIRST), SYNCED],
        },
        Scenario {
            name: "first sync with a store that logs in",
            given: vec![entry("first"), Step::Role],
            when: vec![Step::Apply(store(&kubernetes, "secret")), app(&json!({}))],
            then: vec![Step::Holds("app", FIRST), SYNCED, Step::StoreValid],
        },
        Scenario {
            name: "adoption of a Secret of somebody else",
            given: [stored(), vec![Step::Apply(secret("app", &[("password", "old"), ("theirs", "x")]))]].concat(),
            when: vec![app(&json!({}))],
            then: vec![Step::Holds("app", FIRST), SYNCED],
        },
    ]
}

fn refreshes() -> Vec<Scenario> {
    let template = json!({"target": {"template": {"templateFrom": [
        {"configMap": {"name": "templates", "items": [{"key": "file"}]}},
    ]}}});
    let texts = |text: &str| {
        let data = json!({"file": format!("{text}={{{{ .password }}}}")});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "templates"}, "data": data})
    };
    vec![
        Scenario {
            name: "refresh with a change",
            given: synced(&plain_template()),
            when: vec![entry("second"), force_sync()],
            then: vec![Step::Holds("app", SECOND), SYNCED],
        },
        Scenario {
            name: "refresh without a change",
            given: synced(&plain_template()),
            when: vec![force_sync()],
            then: vec![SYNCED],
        },
        Scenario {
            name: "edit of a template",
            given: [vec![Step::Apply(texts("a"))], synced(&template)].concat(),
            when: vec![Step::Apply(texts("b"))],
            then: vec![Step::Holds("app", &[("file", "b=first")])],
        },
        Scenario {
            name: "the entry is gone and deletionPolicy is Delete",
            given: synced(&json!({"target": {"deletionPolicy": "Delete"}})),
            when: vec![Step::NoEntry, force_sync()],
            then: vec![Step::Gone("Secret", "app"), Step::Ready("SecretDeleted")],
        },
    ]
}

fn policies() -> Vec<Scenario> {
    let theirs = Step::Apply(secret("app", &[("password", "old"), ("theirs", "x")]));
    let merge = json!({"target": {"creationPolicy": "Merge"}});
    let finalizer = json!({"metadata": {"finalizers": [api::names::ES_FINALIZER]}});
    vec![
        Scenario {
            name: "rename of the target",
            given: synced(&json!({"target": {"name": "before"}})),
            when: vec![target(&json!({"name": "after"}))],
            then: vec![Step::Holds("after", FIRST), Step::Gone("Secret", "before"), SYNCED],
        },
        Scenario {
            name: "rename of a target that is fetched once",
            given: synced(&json!({"refreshInterval": "0", "target": {"name": "before"}})),
            when: vec![target(&json!({"name": "after"}))],
            then: vec![Step::Holds("after", FIRST), Step::Gone("Secret", "before"), SYNCED],
        },
        Scenario {
            name: "creationPolicy from Owner to Merge",
            given: synced(&json!({})),
            when: vec![target(&json!({"creationPolicy": "Merge"}))],
            then: vec![Step::Holds("app", FIRST), SYNCED],
        },
        Scenario {
            name: "creationPolicy from Merge to Owner",
            given: [stored(), vec![theirs, app(&merge), SYNCED]].concat(),
            when: vec![target(&json!({"creationPolicy": "Owner"}))],
            then: vec![Step::Holds("app", FIRST), SYNCED],
        },
        Scenario {
            name: "deletion of an ExternalSecret with upstream's finalizer",
            given: [
                synced(&json!({"target": {"deletionPolicy": "Delete"}})),
                vec![Step::Change("ExternalSecret", "app", finalizer)],
            ]
            .concat(),
            when: vec![Step::Delete("ExternalSecret", "app")],
            then: vec![Step::Gone("ExternalSecret", "app"), Step::Gone("Secret", "app")],
        },
    ]
}

fn repairs() -> Vec<Scenario> {
    let elsewhere = Step::Apply(store(&token(), "nowhere"));
    let repaired = json!({"spec": {"provider": {"vault": {"path": "secret"}}}});
    vec![
        Scenario {
            name: "drift",
            given: synced(&json!({})),
            when: vec![Step::EditSecret("app", json!({"data": {"password": "ZWRpdGVk", "added": "eA=="}}))],
            then: vec![Step::Holds("app", FIRST), SYNCED],
        },
        Scenario {
            name: "deletion of the Secret",
            given: synced(&json!({})),
            when: vec![Step::DeleteSecret("app")],
            then: vec![Step::Holds("app", FIRST), SYNCED],
        },
        Scenario {
            name: "edit of credentials",
            given: vec![
                entry("first"),
                Step::Token { is_good: false },
                Step::Apply(store(&token(), "secret")),
                app(&json!({})),
                Step::Fails,
                Step::StoreFailsAgain,
            ],
            when: vec![Step::Token { is_good: true }],
            then: vec![Step::StoreValid, Step::Holds("app", FIRST), SYNCED],
        },
        Scenario {
            name: "repair of a store",
            given: vec![entry("first"), elsewhere, Step::StoreValid, app(&json!({})), Step::Fails],
            when: vec![Step::Change("SecretStore", "store", repaired)],
            then: vec![Step::Holds("app", FIRST), SYNCED],
        },
    ]
}
