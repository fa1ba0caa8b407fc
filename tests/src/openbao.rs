//! OpenBao, a Vault-compatible store: KV v1 at `kv/`, KV v2 at `secret/`, Kubernetes auth against the bed's API server.
//!
//! Every request is in its audit file, from which [`Requests`] are counted. The bed's own requests use a token of their own and
//! are not counted.

use std::{fmt, time::Duration};

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    bed::Bed,
    certificates::Certificates,
    control_plane::{retried, wait_for_server},
    counts::{JsonLog, Mark, Requests},
    failure::{Failure, Result},
    folder::Folder,
    http_client,
    leash::{Launch, Leashed},
    ports, tools,
};

/// How the bed's own token is named in the audit file.
const OWN_NAME: &str = "token-test-bed";

/// A running OpenBao.
pub struct OpenBao {
    /// Plain HTTP.
    pub address: String,
    /// HTTPS, with a certificate of [`Bed::ca_pem`]'s authority.
    pub tls_address: String,
    /// May do everything; what is done with it is counted.
    pub root_token: String,
    own_token: String,
    http: reqwest::Client,
    audit: JsonLog,
    server: Leashed,
}

impl OpenBao {
    pub(crate) async fn start(bed: &Bed, folder: &Folder, certificates: &Certificates) -> Result<Self> {
        let mut bao = retried(|| Self::launch(folder, certificates)).await?;
        let token = json!({"policies": ["root"], "display_name": "test-bed", "no_parent": true});
        let answer = bao.call(Method::POST, "auth/token/create", Some(&token)).await?;
        text(&answer, "/auth/client_token")?.clone_into(&mut bao.own_token);
        bao.write("sys/mounts/kv", &json!({"type": "kv", "options": {"version": "1"}})).await?;
        bao.write("sys/auth/kubernetes", &json!({"type": "kubernetes"})).await?;
        let cluster = json!({
            "kubernetes_host": bed.server(),
            "kubernetes_ca_cert": bed.ca_pem(),
            "disable_local_ca_jwt": true, // OpenBao runs outside the cluster: who logs in is asked about with their own token
        });
        bao.write("auth/kubernetes/config", &cluster).await?;
        Ok(bao)
    }

    async fn launch(folder: &Folder, certificates: &Certificates) -> Result<Self> {
        let (port, tls_port) = (ports::free()?, ports::free()?);
        let root_token = ports::random_token();
        let home = folder.inside("openbao")?;
        let audit = folder.log("openbao-audit");
        let config = home.join("config.hcl");
        std::fs::write(&config, configuration(&audit.display().to_string(), tls_port, certificates))?;
        let mut server = Leashed::start(Launch {
            program: &tools::tool("bao")?,
            arguments: vec![
                "server".into(),
                "-dev".into(),
                format!("-config={}", config.display()),
                format!("-dev-root-token-id={root_token}"),
                format!("-dev-listen-address=127.0.0.1:{port}"),
                "-dev-no-store-token".into(),
            ],
            environment: vec![("HOME".into(), home.display().to_string())],
            log: folder.log("openbao"),
        })?;
        let address = format!("http://127.0.0.1:{port}");
        let http = http_client::new(None)?;
        // KV v2 is mounted a moment after the server says that it is healthy.
        let mounted = format!("{address}/v1/secret/config");
        let look = || http_client::answers(http.get(&mounted).header("X-Vault-Token", &root_token));
        wait_for_server("OpenBao", &mut server, look).await?;
        Ok(Self {
            address,
            tls_address: format!("https://127.0.0.1:{tls_port}"),
            own_token: root_token.clone(),
            root_token,
            http,
            audit: JsonLog::new(audit),
            server,
        })
    }

    /// Writes a secret: `put("secret/team/db", …)` into KV v2, `put("kv/team/db", …)` into KV v1.
    pub async fn put(&self, path: &str, value: &Value) -> Result {
        match path.strip_prefix("secret/") {
            Some(rest) => self.write(&format!("secret/data/{rest}"), &json!({"data": value})).await.map(drop),
            None => self.write(path, value).await.map(drop),
        }
    }

    /// Deletes a secret with all its versions; the path is as in [`OpenBao::put`].
    pub async fn delete(&self, path: &str) -> Result {
        let api_path = path.strip_prefix("secret/").map_or(path.to_owned(), |rest| format!("secret/metadata/{rest}"));
        self.call(Method::DELETE, &api_path, None).await.map(drop)
    }

    /// Writes a policy in OpenBao's language.
    pub async fn policy(&self, name: &str, rules: &str) -> Result {
        self.write(&format!("sys/policies/acl/{name}"), &json!({"policy": rules})).await.map(drop)
    }

    /// A new token that may do what the policies say, for `ttl`.
    pub async fn token(&self, policies: &[&str], ttl: Duration) -> Result<String> {
        let body = json!({"policies": policies, "ttl": format!("{}s", ttl.as_secs()), "no_parent": true});
        let answer = self.write("auth/token/create", &body).await?;
        text(&answer, "/auth/client_token").map(str::to_owned)
    }

    /// Lets a ServiceAccount log in as `role` with the policies. It gets `system:auth-delegator` too, since OpenBao asks the API
    /// server about it with its own token.
    pub async fn kubernetes_role(
        &self,
        admin: Client,
        role: &str,
        service_account: (&str, &str),
        policies: &[&str],
    ) -> Result {
        let (namespace, name) = service_account;
        let body = json!({
            "bound_service_account_namespaces": [namespace],
            "bound_service_account_names": [name],
            "token_policies": policies,
            "token_ttl": "1h",
        });
        self.write(&format!("auth/kubernetes/role/{role}"), &body).await?;
        review_itself(admin, namespace, name).await
    }

    /// Any write of the HTTP API, without the leading `/v1/`.
    pub async fn write(&self, api_path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, api_path, Some(body)).await
    }

    /// Any read of the HTTP API, without the leading `/v1/`.
    pub async fn read(&self, api_path: &str) -> Result<Value> {
        self.call(Method::GET, api_path, None).await
    }

    /// Any request of the HTTP API, without the leading `/v1/`. An answer without a body is `null`.
    pub async fn call(&self, method: Method, api_path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/v1/{api_path}", self.address);
        let mut request = self.http.request(method.clone(), url).header("X-Vault-Token", &self.own_token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            return Err(Failure::new(format!("OpenBao {method} {api_path}: {status}: {text}")));
        }
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// This moment in the audit file.
    pub fn mark(&self) -> Mark {
        self.audit.end()
    }

    /// What was answered since the mark, without the bed's own requests.
    pub fn requests_since(&self, mark: Mark) -> Result<Requests<StoreRequest>> {
        let lines: Vec<AuditLine> = self.audit.since(mark)?;
        let answered = lines.into_iter().filter(|line| line.kind == "response" && line.auth.display_name != OWN_NAME);
        Ok(Requests::new(answered.map(StoreRequest::from)))
    }

    /// The process id, for a test that stops the server.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

/// One request that OpenBao answered.
#[derive(Clone, Debug)]
pub struct StoreRequest {
    /// read, create, update, delete, list.
    pub operation: String,
    /// Without the leading `/v1/`: `secret/data/team/db`, `auth/kubernetes/login`.
    pub path: String,
    /// Empty for the root namespace.
    pub namespace: String,
    /// Who asked, as the auth method named them; empty before a login.
    pub display_name: String,
    /// Empty when it was answered with success.
    pub error: String,
}

impl Requests<StoreRequest> {
    #[must_use]
    pub fn operation(&self, operation: &str) -> Self {
        self.filter(|request| request.operation == operation)
    }

    #[must_use]
    pub fn path(&self, path: &str) -> Self {
        self.filter(|request| request.path == path)
    }

    #[must_use]
    pub fn path_prefix(&self, prefix: &str) -> Self {
        self.filter(|request| request.path.starts_with(prefix))
    }

    /// Logins of any auth method.
    #[must_use]
    pub fn logins(&self) -> Self {
        self.filter(|request| request.path.starts_with("auth/") && request.path.contains("/login"))
    }
}

impl fmt::Display for StoreRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, path, display_name, error, .. } = self;
        write!(f, "{display_name} {operation} {path} {error}")
    }
}

#[derive(Debug, Deserialize)]
struct AuditLine {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    auth: AuditAuth,
    request: AuditRequest,
    #[serde(default)]
    error: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuditAuth {
    display_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuditRequest {
    operation: String,
    path: String,
    namespace: AuditNamespace,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuditNamespace {
    path: String,
}

impl From<AuditLine> for StoreRequest {
    fn from(line: AuditLine) -> Self {
        Self {
            operation: line.request.operation,
            path: line.request.path,
            namespace: line.request.namespace.path,
            display_name: line.auth.display_name,
            error: line.error,
        }
    }
}

/// OpenBao takes audit devices from its configuration file only.
fn configuration(audit: &str, tls_port: u16, certificates: &Certificates) -> String {
    format!(
        r#"audit "file" "bed" {{
  options {{
    file_path = "{audit}"
  }}
}}
listener "tcp" {{
  address       = "127.0.0.1:{tls_port}"
  tls_cert_file = "{}"
  tls_key_file  = "{}"
}}
"#,
        certificates.certificate.display(),
        certificates.key.display()
    )
}

async fn review_itself(admin: Client, namespace: &str, name: &str) -> Result {
    let binding = ClusterRoleBinding {
        metadata: ObjectMeta { name: Some(format!("openbao-{namespace}-{name}")), ..ObjectMeta::default() },
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".into(),
            kind: "ClusterRole".into(),
            name: "system:auth-delegator".into(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".into(),
            name: name.into(),
            namespace: Some(namespace.into()),
            ..Subject::default()
        }]),
    };
    match Api::<ClusterRoleBinding>::all(admin).create(&PostParams::default(), &binding).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(drop).map_err(Failure::from),
    }
}

fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str> {
    answer
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or_else(|| Failure::new(format!("OpenBao's answer has no {pointer}")))
}
