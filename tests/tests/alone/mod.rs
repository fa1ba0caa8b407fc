//! A namespace with a controller of its own, so that what it does can be counted and it can be killed while other tests run.
//!
//! The store is the bed's OpenBao, with an entry of the namespace's own at `secret/data/NAMESPACE/db`.

#![allow(dead_code, reason = "each test file compiles this module for itself and uses a part of it")]

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};
use tests::{
    ApiRequest, Bed, Binary, Failure, Mark, OpenBao, Process, Requests, Result, StoreRequest, examples,
    resources::valid_store,
};

/// Longer than any test.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// The name of the one SecretStore.
pub const STORE: &str = "vault";

/// See the module documentation.
pub struct Alone {
    pub bed: &'static Bed,
    pub bao: &'static OpenBao,
    pub namespace: String,
}

/// A moment in the logs of both servers.
#[derive(Clone, Copy)]
pub struct Moment {
    api: Mark,
    bao: Mark,
}

/// What happened since a [`Moment`], in one namespace.
pub struct Happened {
    /// What the controller asked of the API server.
    pub api: Requests<ApiRequest>,
    /// Reads of the namespace's entries.
    pub reads: Requests<StoreRequest>,
    /// Logins at the namespace's own mount of Kubernetes auth.
    pub logins: Requests<StoreRequest>,
    /// Questions whether a token of such a login is good.
    pub lookups: Requests<StoreRequest>,
}

impl Alone {
    /// A namespace with an entry of five fields, a token that may read it, and a SecretStore, but no controller yet.
    pub async fn with_token(prefix: &str) -> Result<Self> {
        let alone = Self::prepared(prefix).await?;
        let token = alone.bao.token(&[&alone.namespace], TOKEN_LIFE).await?;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vault-token"}, "stringData": {"token": token},
        });
        let store = alone.store(&json!({"tokenSecretRef": {"name": "vault-token", "key": "token"}}));
        alone.create([secret, store]).await?;
        Ok(alone)
    }

    /// The same with Kubernetes auth as the ServiceAccount `app`; the SecretStore is returned, not created.
    pub async fn with_kubernetes_auth(prefix: &str) -> Result<(Self, Value)> {
        let alone = Self::prepared(prefix).await?;
        let namespace = alone.namespace.as_str();
        alone.create([json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}})]).await?;
        alone.auth_mount().await?;
        let auth = json!({"kubernetes": {
            "mountPath": namespace, "role": namespace, "serviceAccountRef": {"name": "app"},
        }});
        let store = alone.store(&auth);
        Ok((alone, store))
    }

    async fn prepared(prefix: &str) -> Result<Self> {
        let bed = Bed::shared().await?;
        bed.install().await?;
        let bao = bed.bao().await?;
        let namespace = bed.namespace(prefix).await?;
        let rules = format!("path \"secret/data/{namespace}/*\" {{ capabilities = [\"read\"] }}");
        bao.policy(&namespace, &rules).await?;
        let alone = Self { bed, bao, namespace };
        alone.put(&json!({"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"})).await?;
        Ok(alone)
    }

    /// Kubernetes auth at a mount of its own, which tells its logins from those of other tests.
    async fn auth_mount(&self) -> Result {
        let Self { bed, bao, namespace } = self;
        bao.kubernetes_role(bed.admin()?, namespace, (namespace, "app"), &[namespace]).await?;
        bao.write(&format!("sys/auth/{namespace}"), &json!({"type": "kubernetes"})).await?;
        for path in ["config".to_owned(), format!("role/{namespace}")] {
            let same = bao.read(&format!("auth/kubernetes/{path}")).await?;
            bao.write(&format!("auth/{namespace}/{path}"), &same["data"]).await?;
        }
        Ok(())
    }

    fn store(&self, auth: &Value) -> Value {
        let vault = json!({"server": self.bao.address, "path": "secret", "version": "v2", "auth": auth});
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": STORE},
            "spec": {"provider": {"vault": vault}},
        })
    }

    /// Writes the namespace's entry.
    pub async fn put(&self, value: &Value) -> Result {
        self.bao.put(&format!("secret/{}/db", self.namespace), value).await
    }

    /// An ExternalSecret that keeps all five fields of the entry, by five entries of `data`, in a Secret of its own name.
    pub fn external_secret(&self, name: &str, refresh_interval: &str) -> Value {
        let data: Vec<_> = ["a", "b", "c", "d", "e"]
            .iter()
            .map(|field| {
                let remote = json!({"key": format!("{}/db", self.namespace), "property": field});
                json!({"secretKey": field, "remoteRef": remote})
            })
            .collect();
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": name},
            "spec": {"refreshInterval": refresh_interval, "secretStoreRef": {"name": STORE}, "data": data},
        })
    }

    /// Creates objects in the namespace, as they are: no annotation of kubectl is added.
    pub async fn create(&self, documents: impl IntoIterator<Item = Value>) -> Result {
        self.kubectl(&["create", "-f", "-"], &examples::list(documents)).await
    }

    /// Runs `kubectl` in the namespace and fails when it does.
    pub async fn kubectl(&self, arguments: &[&str], stdin: &str) -> Result {
        let output = self.bed.kubectl(&[&["-n", &self.namespace], arguments].concat(), stdin).await?;
        if output.success { Ok(()) } else { Err(Failure::new(format!("{}: {}", arguments.join(" "), output.stderr))) }
    }

    /// Starts a controller for this namespace only.
    pub async fn controller(&self) -> Result<Process> {
        self.bed.operator(Binary::Controller, &["--namespace", &self.namespace]).await
    }

    /// Waits until the SecretStore is Valid.
    pub async fn valid(&self) -> Result {
        valid_store(self.bed, &self.namespace, STORE).await.map(drop)
    }

    pub fn secrets(&self) -> Result<Api<Secret>> {
        Ok(Api::namespaced(self.bed.admin()?, &self.namespace))
    }

    pub async fn moment(&self) -> Result<Moment> {
        Ok(Moment { api: self.bed.api_mark().await?, bao: self.bao.mark() })
    }

    pub async fn since(&self, moment: Moment) -> Result<Happened> {
        let api = self.bed.api_requests_since(moment.api).await?;
        let store = self.bao.requests_since(moment.bao)?;
        Ok(Happened {
            api: api.of(Binary::Controller).in_namespace(&self.namespace),
            reads: store.path_prefix(&format!("secret/data/{}/", self.namespace)),
            logins: store.logins().path_prefix(&format!("auth/{}/", self.namespace)),
            lookups: store
                .path("auth/token/lookup-self")
                .filter(|request| request.display_name.contains(&self.namespace)),
        })
    }
}
