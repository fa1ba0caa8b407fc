//! Two stores that differ in anything that matters never share a client, a token or a read.
//!
//! Pairs of stores are made by chance, alike but for a few fields, and used at the same time through one pool. What each
//! is served says in whose name it was asked for; that must be what its own spec says, whatever the other one is.

use std::time::SystemTime;

use api::{reference::StoreKind, store::SecretStoreSpec};
use serde_json::{Value, json};

use super::*;
use crate::{
    provider::{Backends, ahead::Nothing, identity::StoreHandle, pool::Pool},
    resolve::{Credentials, Resolver},
};

/// Numbers that look like chance and repeat with their seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        // Zero has no successor, and neighbours must not look alike.
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn throw(&mut self, sides: usize) -> usize {
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
    prefix: &'static str,
    mount: &'static str,
    engine_namespace: &'static str,
    login_namespace: &'static str,
    header: &'static str,
    method: &'static str,
    login_mount: &'static str,
    role: &'static str,
    secret: &'static str,
    key: &'static str,
    secret_namespace: &'static str,
}

const FIELDS: usize = 14;

impl Sketch {
    fn random(dice: &mut Dice) -> Self {
        let mut sketch = Self {
            kind: StoreKind::SecretStore,
            namespace: "a",
            used_from: "a",
            prefix: "",
            mount: "m1",
            engine_namespace: "e1",
            login_namespace: "l1",
            header: "h1",
            method: "token",
            login_mount: "lm1",
            role: "r1",
            secret: "s1",
            key: "k1",
            secret_namespace: "",
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
            3 => self.prefix = dice.one_of(&["", "/gate"]),
            4 => self.mount = dice.one_of(&["m1", "m2"]),
            5 => self.engine_namespace = dice.one_of(&["e1", "e2"]),
            6 => self.login_namespace = dice.one_of(&["l1", "l2"]),
            7 => self.header = dice.one_of(&["h1", "h2"]),
            8 => self.method = dice.one_of(&["token", "userPass", "appRole", "kubernetes", "jwt"]),
            9 => self.login_mount = dice.one_of(&["lm1", "lm2"]),
            10 => self.role = dice.one_of(&["r1", "r2"]),
            11 => self.secret = dice.one_of(&["s1", "s2"]),
            12 => self.key = dice.one_of(&["k1", "k2"]),
            _ => self.secret_namespace = dice.one_of(&["", "c"]),
        }
    }

    fn spec(&self, server: &str) -> SecretStoreSpec {
        let mut secret = json!({"name": self.secret, "key": self.key});
        if self.kind == StoreKind::ClusterSecretStore && !self.secret_namespace.is_empty() {
            secret["namespace"] = json!(self.secret_namespace);
        }
        let login = match self.method {
            "token" => json!({"tokenSecretRef": secret}),
            "userPass" => json!({"userPass": {"path": self.login_mount, "username": self.role, "secretRef": secret}}),
            "appRole" => json!({"appRole": {"path": self.login_mount, "roleId": self.role, "secretRef": secret}}),
            "jwt" => json!({"jwt": {"path": self.login_mount, "role": self.role, "secretRef": secret}}),
            _ => json!({"kubernetes": {"mountPath": self.login_mount, "role": self.role, "secretRef": secret}}),
        };
        let mut auth = login;
        auth["namespace"] = json!(self.login_namespace);
        let vault = json!({
            "server": format!("{server}{}", self.prefix),
            "path": self.mount,
            "namespace": self.engine_namespace,
            "headers": {"x-team": self.header},
            "auth": auth,
        });
        serde_json::from_value(json!({"provider": {"vault": vault}})).unwrap()
    }

    /// In whose name a read of this store must be made.
    fn expected(&self) -> String {
        let namespace = match self.kind {
            StoreKind::SecretStore => self.namespace,
            StoreKind::ClusterSecretStore if self.secret_namespace.is_empty() => self.used_from,
            StoreKind::ClusterSecretStore => self.secret_namespace,
        };
        let credential = format!("{namespace}.{}.{}", self.secret, self.key);
        let login = |path: String, body: Value| {
            token(&format!("{}/v1/auth/{path}", self.prefix), self.login_namespace, self.header, &body)
        };
        let token = match self.method {
            "token" => credential,
            "userPass" => login(format!("{}/login/{}", self.login_mount, self.role), json!({"password": credential})),
            "appRole" => {
                login(format!("{}/login", self.login_mount), json!({"role_id": self.role, "secret_id": credential}))
            }
            _ => login(format!("{}/login", self.login_mount), json!({"role": self.role, "jwt": credential})),
        };
        let target = format!("{}/v1/{}/data/app", self.prefix, self.mount);
        read(&target, &token, self.engine_namespace, self.header)
    }

    /// `uid` and `generation` are what the pool tells stores apart by.
    fn handle(&self, server: &str, uid: &str, generation: i64) -> StoreHandle {
        StoreHandle {
            kind: self.kind,
            name: "store".into(),
            namespace: (self.kind == StoreKind::SecretStore).then(|| self.namespace.to_owned()),
            uid: uid.into(),
            generation,
            spec: Arc::new(self.spec(server)),
        }
    }
}

/// The token that a login brings: made of all that decides about it.
fn token(target: &str, namespace: &str, header: &str, body: &Value) -> String {
    let text = format!("{target} {namespace} {header} {body}");
    format!("t-{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text))
}

/// What a read is answered with: all that decides about it.
fn read(target: &str, token: &str, namespace: &str, header: &str) -> String {
    format!("{target} {token} {namespace} {header}")
}

async fn vault_of_mirrors() -> Backend {
    Backend::start(|request| {
        let header = |name: &str| request.header(name).unwrap_or_default();
        let (namespace, team) = (header("x-vault-namespace"), header("x-team"));
        if request.target.contains("/auth/") {
            let body = serde_json::from_str(&request.body).unwrap_or_default();
            let token = token(&request.target, namespace, team, &body);
            let auth = json!({"auth": {"client_token": token, "lease_duration": 3600, "renewable": true}});
            return Answer::json(200, auth.to_string());
        }
        let who = read(&request.target, header("x-vault-token"), namespace, team);
        Answer::json(200, json!({"data": {"data": {"who": who}}}).to_string())
    })
    .await
}

/// A pool over a cluster in which each key of each Secret says where it is.
fn pool() -> Arc<Pool> {
    let client = kube_client(|request| {
        let parts: Vec<&str> = request.uri().path().split('/').collect();
        let ["", "api", "v1", "namespaces", namespace, "secrets", name] = parts[..] else { return (404, json!({})) };
        let value = |key: &str| {
            let text = format!("{namespace}.{name}.{key}");
            serde_json::to_value(k8s_openapi::ByteString(text.into_bytes())).unwrap()
        };
        let data = json!({"k1": value("k1"), "k2": value("k2")});
        (200, json!({"metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"}, "data": data}))
    });
    let resolver = Arc::new(Resolver::new(client, Arc::new(Credentials::new("", |_| {}))));
    let metrics = ProviderMetrics::new(&prometheus::Registry::new()).unwrap();
    let backends = Backends {
        http: Clients::default(),
        aws: aws::Shared::new(aws::Endpoints::default(), aws::Pod::default()),
        google: Google::default(),
        metrics,
        demand: Demand::default(),
        waiting: Arc::new(Nothing),
    };
    Pool::new(resolver, Arc::new(backends), 1024)
}

async fn asked(pool: &Pool, store: &StoreHandle, sketch: &Sketch) -> String {
    let since = Instant::now();
    let open = pool.open(store, sketch.used_from, since).await.unwrap();
    text(open.get(&remote("app", Some("who")), since).await.unwrap()).unwrap()
}

#[tokio::test]
async fn stores_that_differ_in_anything_are_served_each_in_its_own_name() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let backend = vault_of_mirrors().await;
    let pool = pool();
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
            && one.spec(&backend.url) == other.spec(&backend.url)
            && one.kind == other.kind
            && one.namespace == other.namespace;
        let handles =
            [one.handle(&backend.url, &uids[0], 1), other.handle(&backend.url, &uids[1], if is_same { 1 } else { 2 })];
        let served = tokio::join!(
            asked(&pool, &handles[0], &one),
            asked(&pool, &handles[1], &other),
            asked(&pool, &handles[0], &one),
        );
        let expected = (one.expected(), other.expected(), one.expected());
        assert_eq!(served, expected, "seed {seed}, round {round}: {one:?} {other:?}");
    }
    assert!(different > 50, "{different} of 150 pairs differ in what they may see");
}
