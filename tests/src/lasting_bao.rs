//! An OpenBao that can be stopped and started again with what it held, and sealed: for tests of outages.
//!
//! It keeps its data in files and has KV v2 at `secret/`. Nothing else of the bed uses it.

use std::{path::PathBuf, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    control_plane::{retried, wait_for_server},
    failure::{Failure, Result},
    folder::Folder,
    http_client,
    leash::{Launch, Leashed},
    ports, tools, wait,
};

/// From the unsealing to the first answer it takes a second.
const SERVES: Duration = Duration::from_mins(1);

/// See the module documentation.
pub struct LastingBao {
    /// Plain HTTP; the same after each start.
    pub address: String,
    /// May do everything.
    pub root_token: String,
    key: String,
    home: PathBuf,
    log: PathBuf,
    http: reqwest::Client,
    server: Option<Leashed>,
}

impl LastingBao {
    pub(crate) async fn start(folder: &Folder) -> Result<Self> {
        let mut bao = retried(|| Self::launch(folder)).await?;
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let secrets = bao.call(Method::PUT, "sys/init", Some(&shares)).await?;
        let text = |pointer: &str| {
            let found = secrets.pointer(pointer).and_then(Value::as_str);
            found.map(str::to_owned).ok_or_else(|| Failure::new(format!("sys/init answered without {pointer}")))
        };
        (bao.key, bao.root_token) = (text("/keys/0")?, text("/root_token")?);
        bao.unseal().await?;
        bao.call(Method::POST, "sys/mounts/secret", Some(&json!({"type": "kv", "options": {"version": "2"}}))).await?;
        wait::until("the engine to be mounted", SERVES, || async {
            bao.call(Method::GET, "secret/config", None).await.map(drop).map_err(|failure| failure.to_string())
        })
        .await?;
        Ok(bao)
    }

    async fn launch(folder: &Folder) -> Result<Self> {
        let (port, cluster) = (ports::free()?, ports::free()?);
        let name = format!("lasting-openbao-{port}");
        let home = folder.inside(&name)?;
        let data = folder.inside(&format!("{name}/data"))?;
        let config = format!(
            r#"storage "raft" {{
  path    = "{}"
  node_id = "one"
}}
api_addr     = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster}"
listener "tcp" {{
  address     = "127.0.0.1:{port}"
  tls_disable = true
}}
"#,
            data.display()
        );
        std::fs::write(home.join("config.hcl"), config)?;
        let mut bao = Self {
            address: format!("http://127.0.0.1:{port}"),
            root_token: String::new(),
            key: String::new(),
            log: folder.log(&name),
            home,
            http: http_client::new(None)?,
            server: None,
        };
        bao.run().await?;
        Ok(bao)
    }

    /// Starts the process and waits until it answers, sealed as it is then.
    async fn run(&mut self) -> Result {
        let config = self.home.join("config.hcl");
        let mut server = Leashed::start(Launch {
            program: &tools::tool("bao")?,
            arguments: vec!["server".into(), format!("-config={}", config.display())],
            environment: vec![("HOME".into(), self.home.display().to_string())],
            log: self.log.clone(),
        })?;
        let answers = format!("{}/v1/sys/seal-status", self.address);
        let look = || http_client::answers(self.http.get(&answers));
        wait_for_server("OpenBao", &mut server, look).await?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends the process as a crash does.
    pub async fn stop(&mut self) -> Result {
        let Some(mut server) = self.server.take() else { return Err(Failure::new("this OpenBao does not run")) };
        tokio::task::spawn_blocking(move || server.kill().map(drop)).await?
    }

    /// Starts it again and waits until it serves what it held.
    pub async fn start_again(&mut self) -> Result {
        self.run().await?;
        self.unseal().await
    }

    /// As an administrator does in an emergency: it answers 503 to everything.
    pub async fn seal(&self) -> Result {
        self.call(Method::PUT, "sys/seal", None).await.map(drop)
    }

    /// Waits until it serves again.
    pub async fn unseal(&self) -> Result {
        self.call(Method::PUT, "sys/unseal", Some(&json!({"key": self.key}))).await?;
        wait::until("OpenBao to be active", SERVES, || {
            http_client::answers(self.http.get(format!("{}/v1/sys/health", self.address)))
        })
        .await
    }

    /// Writes a secret below `secret/`.
    pub async fn put(&self, path: &str, value: &Value) -> Result {
        self.call(Method::POST, &format!("secret/data/{path}"), Some(&json!({"data": value}))).await.map(drop)
    }

    /// Any request of the HTTP API, without the leading `/v1/`. An answer without a body is `null`.
    pub async fn call(&self, method: Method, api_path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/v1/{api_path}", self.address);
        let mut request = self.http.request(method.clone(), url);
        if !self.root_token.is_empty() {
            request = request.header("X-Vault-Token", &self.root_token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(Failure::new(format!("OpenBao {method} {api_path}: {status}: {text}")));
        }
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }
}
