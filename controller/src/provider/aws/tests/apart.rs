//! Two stores that differ in anything that matters never share a client, credentials or a read.
//!
//! Pairs of stores are made by chance, alike but for a few fields, and used at the same time through one pool. What each
//! is served says in whose name it was asked for; that must be what its own spec says, whatever the other one is.

use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{
    http::Clients,
    provider::{Backends, pool::Pool, vault::Google},
    resolve::{Credentials, Resolver},
};

/// Numbers that look like chance and repeat with their seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.throw(words.len())]
    }
}

/// A store in the few fields that matter here.
#[derive(Clone, Debug, PartialEq)]
struct Sketch {
    kind: StoreKind,
    namespace: &'static str,
    /// Of the ExternalSecret.
    used_from: &'static str,
    service: &'static str,
    region: &'static str,
    prefix: &'static str,
    /// A Secret with keys, or a ServiceAccount.
    method: &'static str,
    name: &'static str,
    key: &'static str,
    selector_namespace: &'static str,
    additional: &'static str,
    role: &'static str,
    external_id: &'static str,
    tags: &'static str,
}

const FIELDS: usize = 14;

impl Sketch {
    fn random(dice: &mut Dice) -> Self {
        let mut sketch = Self {
            kind: StoreKind::SecretStore,
            namespace: "a",
            used_from: "a",
            service: "SecretsManager",
            region: "eu-west-1",
            prefix: "",
            method: "keys",
            name: "n1",
            key: "k1",
            selector_namespace: "",
            additional: "",
            role: "",
            external_id: "",
            tags: "None",
        };
        for field in 0..FIELDS {
            sketch.change(field, dice);
        }
        sketch
    }

    /// Another one, or by chance the same, of a field.
    fn change(&mut self, field: usize, dice: &mut Dice) {
        match field {
            0 => self.kind = if dice.throw(2) == 0 { StoreKind::SecretStore } else { StoreKind::ClusterSecretStore },
            1 => self.namespace = dice.one_of(&["a", "b"]),
            2 => self.used_from = dice.one_of(&["a", "b"]),
            3 => self.service = dice.one_of(&["SecretsManager", "ParameterStore"]),
            4 => self.region = dice.one_of(&["eu-west-1", "us-east-1"]),
            5 => self.prefix = dice.one_of(&["", "p/"]),
            6 => self.method = dice.one_of(&["keys", "account"]),
            7 => self.name = dice.one_of(&["n1", "n2"]),
            8 => self.key = dice.one_of(&["k1", "k2"]),
            9 => self.selector_namespace = dice.one_of(&["", "c"]),
            10 => self.additional = dice.one_of(&["", "r0"]),
            11 => self.role = dice.one_of(&["", "r1", "r2"]),
            12 => self.external_id = dice.one_of(&["", "e1"]),
            _ => self.tags = dice.one_of(&["None", "Simple"]),
        }
    }

    fn spec(&self) -> SecretStoreSpec {
        let is_named = self.kind == StoreKind::ClusterSecretStore && !self.selector_namespace.is_empty();
        let selector = |mut selector: Value| {
            if is_named {
                selector["namespace"] = json!(self.selector_namespace);
            }
            selector
        };
        let key = || selector(json!({"name": self.name, "key": self.key}));
        let auth = match self.method {
            "keys" => json!({"secretRef": {"accessKeyIDSecretRef": key(), "secretAccessKeySecretRef": key()}}),
            _ => json!({"jwt": {"serviceAccountRef": selector(json!({"name": self.name}))}}),
        };
        let additional: Vec<_> = Some(self.additional).filter(|role| !role.is_empty()).into_iter().collect();
        let aws = json!({
            "service": self.service, "region": self.region, "prefix": self.prefix, "auth": auth,
            "role": self.role, "externalID": self.external_id, "additionalRoles": additional,
            "sessionTagsPolicy": self.tags,
        });
        serde_json::from_value(json!({"provider": {"aws": aws}})).unwrap()
    }

    /// In whose name a read of this store must be made.
    fn expected(&self) -> String {
        let looked_up = match self.kind {
            StoreKind::SecretStore => self.namespace,
            StoreKind::ClusterSecretStore if self.selector_namespace.is_empty() => self.used_from,
            StoreKind::ClusterSecretStore => self.selector_namespace,
        };
        let mut who = match self.method {
            "keys" => format!("{looked_up}.{}.{}", self.name, self.key),
            _ => format!("web.{looked_up}.{}", self.name),
        };
        if !self.additional.is_empty() {
            who = assumed(&who, self.additional, "", "");
        }
        if !self.role.is_empty() {
            let tagged = match (self.tags, self.kind) {
                ("None", _) => "",
                (_, StoreKind::SecretStore) => self.namespace,
                (_, StoreKind::ClusterSecretStore) => self.used_from,
            };
            who = assumed(&who, self.role, self.external_id, tagged);
        }
        format!("{who} {} {} {}app", self.region, self.service, self.prefix)
    }

    /// `uid` and `generation` are what the pool tells stores apart by.
    fn handle(&self, uid: &str, generation: i64) -> StoreHandle {
        StoreHandle {
            kind: self.kind,
            name: "store".into(),
            namespace: (self.kind == StoreKind::SecretStore).then(|| self.namespace.to_owned()),
            uid: uid.into(),
            generation,
            spec: Arc::new(self.spec()),
        }
    }
}

/// Who one is in a role: made of all that decides about it.
fn assumed(who: &str, role: &str, external_id: &str, namespace: &str) -> String {
    format!("[{who}.{role}.{external_id}.{namespace}]")
}

/// An id of a key that says whose it is; the signature leaves room for letters and digits only.
fn written(who: &str) -> String {
    who.bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn read_back(id: &str) -> String {
    let byte = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
    String::from_utf8((0..id.len()).step_by(2).map(byte).collect()).unwrap()
}

/// STS and both services: each answer says who asked, where, and for what.
fn mirror(request: &Received) -> Answer {
    let authorization = request.header("authorization").unwrap_or_default().to_owned();
    let scope = authorization.split_once("Credential=").map_or("", |(_, rest)| rest);
    let mut scope = scope.split(['/', ',']);
    let id = scope.next().unwrap_or_default();
    let region = scope.nth(1).unwrap_or_default();
    let form = |name: &str| {
        let found = request.body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap_or_default().to_owned()
    };
    let action = action(request);
    let who = match &*action {
        "AssumeRoleWithWebIdentity" => form("WebIdentityToken"),
        "AssumeRole" => {
            let namespace = request.body.split("esoNamespace&").nth(1).and_then(|rest| rest.split_once("Value="));
            let namespace = namespace.map_or("", |(_, rest)| rest.split('&').next().unwrap_or_default());
            assumed(&read_back(id), &form("RoleArn"), &form("ExternalId"), namespace)
        }
        _ => read_back(id),
    };
    if action.starts_with("AssumeRole") {
        let body = format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
             <AccessKeyId>{}</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>s</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>",
            written(&who)
        );
        return Answer { headers: vec![("content-type", "text/xml".into())], ..Answer::json(200, body) };
    }
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let service = if action == "GetParameter" { "ParameterStore" } else { "SecretsManager" };
    let name = body.get("SecretId").or_else(|| body.get("Name")).and_then(Value::as_str).unwrap();
    let value = format!("{who} {region} {service} {name}");
    let value = match service {
        "ParameterStore" => json!({"Parameter": {"Name": name, "Value": value}}),
        _ => json!({"Name": name, "SecretString": value}),
    };
    Answer::json(200, value.to_string())
}

/// A pool over a cluster in which keys and tokens say where they are.
fn pool(backend: &Backend) -> Arc<Pool> {
    let client = kube_client(|request| {
        let parts: Vec<&str> = request.uri().path().split('/').collect();
        match parts[..] {
            ["", "api", "v1", "namespaces", namespace, "secrets", name] => {
                let value = |key: &str| json!(STANDARD.encode(written(&format!("{namespace}.{name}.{key}"))));
                let data = json!({"k1": value("k1"), "k2": value("k2")});
                (200, json!({"metadata": {"name": name, "resourceVersion": "1"}, "data": data}))
            }
            ["", "api", "v1", "namespaces", namespace, "serviceaccounts", name, "token"] => {
                let expires = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).to_string();
                let status = json!({"token": format!("web.{namespace}.{name}"), "expirationTimestamp": expires});
                (201, json!({"metadata": {}, "spec": {"audiences": []}, "status": status}))
            }
            ["", "api", "v1", "namespaces", _, "serviceaccounts", name] => {
                let annotations = json!({"eks.amazonaws.com/role-arn": "role"});
                (200, json!({"metadata": {"name": name, "annotations": annotations}}))
            }
            _ => (404, json!({})),
        }
    });
    let resolver = Arc::new(Resolver::new(client, Arc::new(Credentials::new("", |_| {}))));
    let url = || Some(backend.url.clone());
    let endpoints = Endpoints { secrets_manager: url(), ssm: url(), sts: url() };
    let backends = Backends {
        http: Clients::default(),
        aws: Shared::new(endpoints, Pod::default()),
        google: Google::default(),
        metrics: ProviderMetrics::new(&prometheus::Registry::new()).unwrap(),
        demand: Demand::default(),
        waiting: Arc::new(Nothing),
    };
    Pool::new(resolver, Arc::new(backends), 1024)
}

async fn asked(pool: &Pool, store: &StoreHandle, sketch: &Sketch) -> String {
    let since = now();
    let open = pool.open(store, sketch.used_from, since).await.unwrap();
    text(open.get(&remote("app", None), since).await.unwrap()).unwrap()
}

#[tokio::test]
async fn stores_that_differ_in_anything_are_served_each_in_its_own_name() {
    let backend = Backend::start(mirror).await;
    let pool = pool(&backend);
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    let mut dice = Dice(u64::from(seed) | 1);
    let mut different = 0;
    for round in 0..150 {
        let one = Sketch::random(&mut dice);
        let mut other = one.clone();
        for _ in 0..=dice.throw(2) {
            let field = dice.throw(FIELDS);
            other.change(field, &mut dice);
        }
        different += usize::from(one.expected() != other.expected());
        // Another store, the same store after a change, or the same store used from another namespace.
        let uids = [format!("{round}-one"), format!("{round}-{}", dice.one_of(&["one", "other"]))];
        let is_same = uids[0] == uids[1]
            && one.spec() == other.spec()
            && one.kind == other.kind
            && one.namespace == other.namespace;
        let handles = [one.handle(&uids[0], 1), other.handle(&uids[1], if is_same { 1 } else { 2 })];
        let served = tokio::join!(
            asked(&pool, &handles[0], &one),
            asked(&pool, &handles[1], &other),
            asked(&pool, &handles[0], &one),
        );
        let expected = (one.expected(), other.expected(), one.expected());
        assert_eq!(served, expected, "seed {seed}, round {round}: {one:?} {other:?}");
    }
    assert!(different > 40, "{different} of 150 pairs differ in what they may see");
}
