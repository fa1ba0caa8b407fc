//! moto, a stand-in for AWS: Secrets Manager and STS among others, one port for all services.
//!
//! Accounts and secrets are in memory, apart by region. Signatures are not verified, so credentials are any words. Every request is
//! in its recording, from which [`Requests`] are counted; the bed's own requests are not.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    control_plane::{retried, wait_for_server},
    counts::{JsonLog, Mark, Requests},
    failure::{Failure, Result},
    folder::Folder,
    http_client,
    leash::{Launch, Leashed},
    ports, tools,
};

/// By this header the bed's own requests are known.
const OWN_AGENT: &str = "test-bed";

/// A running moto.
pub struct Moto {
    pub url: String,
    http: reqwest::Client,
    recording: JsonLog,
    _server: Leashed,
}

impl Moto {
    pub(crate) async fn start(folder: &Folder) -> Result<Self> {
        retried(|| Self::launch(folder)).await
    }

    async fn launch(folder: &Folder) -> Result<Self> {
        let port = ports::free()?;
        let recording = folder.log("moto-requests");
        let home = folder.inside("moto")?;
        let mut server = Leashed::start(Launch {
            program: &tools::tool("moto_server")?,
            arguments: vec!["-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string()],
            environment: vec![
                ("HOME".into(), home.display().to_string()),
                ("MOTO_ENABLE_RECORDING".into(), "true".into()),
                ("MOTO_RECORDER_FILEPATH".into(), recording.display().to_string()),
            ],
            log: folder.log("moto"),
        })?;
        let url = format!("http://127.0.0.1:{port}");
        let http = http_client::new(None)?;
        let health = format!("{url}/moto-api/data.json");
        let look = || http_client::answers(http.get(&health).header("User-Agent", OWN_AGENT));
        wait_for_server("moto", &mut server, look).await?;
        Ok(Self { url, http, recording: JsonLog::new(recording), _server: server })
    }

    /// The variables that lead a controller to this server.
    pub fn environment(&self) -> Vec<(String, String)> {
        let names = ["AWS_SECRETSMANAGER_ENDPOINT", "AWS_SSM_ENDPOINT", "AWS_STS_ENDPOINT"];
        names.map(|name| (name.to_owned(), self.url.clone())).to_vec()
    }

    /// Creates a secret, or gives it a new version that becomes `AWSCURRENT`.
    pub async fn put_secret(&self, region: &str, name: &str, value: &str) -> Result {
        let create = json!({"Name": name, "SecretString": value});
        let Err(refusal) = self.secrets_manager(region, "CreateSecret", &create).await else { return Ok(()) };
        if !refusal.to_string().contains("ResourceExistsException") {
            return Err(refusal);
        }
        let change = json!({"SecretId": name, "SecretString": value});
        self.secrets_manager(region, "PutSecretValue", &change).await.map(drop)
    }

    /// Deletes a secret at once, without a recovery window.
    pub async fn delete_secret(&self, region: &str, name: &str) -> Result {
        let body = json!({"SecretId": name, "ForceDeleteWithoutRecovery": true});
        self.secrets_manager(region, "DeleteSecret", &body).await.map(drop)
    }

    /// Any action of Secrets Manager.
    pub async fn secrets_manager(&self, region: &str, action: &str, body: &Value) -> Result<Value> {
        self.act(region, "secretsmanager", &format!("secretsmanager.{action}"), body).await
    }

    /// Any action of Parameter Store.
    pub async fn parameter_store(&self, region: &str, action: &str, body: &Value) -> Result<Value> {
        self.act(region, "ssm", &format!("AmazonSSM.{action}"), body).await
    }

    async fn act(&self, region: &str, service: &str, target: &str, body: &Value) -> Result<Value> {
        let credential = format!("Credential=bed/20000101/{region}/{service}/aws4_request");
        let answer = self
            .http
            .post(&self.url)
            .header("User-Agent", OWN_AGENT)
            .header("X-Amz-Target", target)
            .header("Authorization", format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=none"))
            .header("Content-Type", "application/x-amz-json-1.1")
            .body(body.to_string())
            .send()
            .await?;
        let status = answer.status();
        let text = answer.text().await?;
        if status.is_success() {
            return Ok(serde_json::from_str(&text)?);
        }
        Err(Failure::new(format!("moto {target}: {status}: {text}")))
    }

    /// This moment in the recording.
    pub fn mark(&self) -> Mark {
        self.recording.end()
    }

    /// What was asked since the mark, without the bed's own requests.
    pub fn requests_since(&self, mark: Mark) -> Result<Requests<MotoRequest>> {
        let lines: Vec<Recorded> = self.recording.since(mark)?;
        let asked = lines.iter().filter(|line| line.header("User-Agent") != OWN_AGENT);
        Ok(Requests::new(asked.map(Recorded::request)))
    }
}

/// One request that moto was asked.
#[derive(Clone, Debug)]
pub struct MotoRequest {
    /// `secretsmanager`, `sts`.
    pub service: String,
    /// `GetSecretValue`, `AssumeRoleWithWebIdentity`.
    pub action: String,
    pub region: String,
    /// Whose signature it carried; empty for requests that need none.
    pub access_key_id: String,
    /// JSON of the request, or the text of a form.
    pub body: Value,
    /// Whether the SDK made it again because the answer before was a failure: moto has those under load.
    pub is_repeat: bool,
}

impl Requests<MotoRequest> {
    #[must_use]
    pub fn action(&self, action: &str) -> Self {
        self.filter(|request| request.action == action)
    }

    /// Those that name the secret by `SecretId`.
    #[must_use]
    pub fn secret(&self, name: &str) -> Self {
        self.filter(|request| request.secret_id() == name)
    }
}

impl MotoRequest {
    fn secret_id(&self) -> &str {
        self.body.get("SecretId").and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Display for MotoRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.access_key_id, self.action, self.region, self.secret_id())
    }
}

/// A line of moto's recording.
#[derive(Debug, Deserialize)]
struct Recorded {
    headers: serde_json::Map<String, Value>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    body_encoded: bool,
}

impl Recorded {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn request(&self) -> MotoRequest {
        let text = self.text();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
        let target = self.header("X-Amz-Target").rsplit_once('.').map(|(_, action)| action.to_owned());
        let mut scope = self.header("Authorization").split_once("Credential=").map_or("", |(_, rest)| rest).split('/');
        // access key / day / region / service / aws4_request
        let access_key_id = scope.next().unwrap_or_default().to_owned();
        let region = scope.nth(1).unwrap_or_default().to_owned();
        let service = scope.next().map_or_else(|| "sts".to_owned(), str::to_owned);
        let action = target.or_else(|| form_field(&text, "Action")).unwrap_or_default();
        let attempt = self.header("amz-sdk-request");
        let is_repeat = attempt.starts_with("attempt=") && !attempt.starts_with("attempt=1;");
        MotoRequest { service, action, region, access_key_id, body, is_repeat }
    }

    fn text(&self) -> String {
        if !self.body_encoded {
            return self.body.clone();
        }
        STANDARD.decode(&self.body).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

fn form_field(form: &str, name: &str) -> Option<String> {
    form.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(headers: &Value, body: &str) -> MotoRequest {
        let line = json!({"headers": headers, "body": STANDARD.encode(body), "body_encoded": true});
        serde_json::from_value::<Recorded>(line).unwrap().request()
    }

    #[test]
    fn requests_are_named_by_their_action_and_signer() {
        let scope = "AWS4-HMAC-SHA256 Credential=AKIA1/20260101/eu-west-1/secretsmanager/aws4_request, Signature=x";
        let headers = json!({"X-Amz-Target": "secretsmanager.GetSecretValue", "Authorization": scope});
        let request = recorded(&headers, r#"{"SecretId": "db"}"#);
        assert_eq!((request.service.as_str(), request.action.as_str()), ("secretsmanager", "GetSecretValue"));
        assert_eq!((request.access_key_id.as_str(), request.region.as_str()), ("AKIA1", "eu-west-1"));
        assert_eq!(Requests::new([request]).secret("db").len(), 1);
    }

    #[test]
    fn unsigned_token_requests_are_named_by_their_form() {
        let request = recorded(&json!({}), "Action=AssumeRoleWithWebIdentity&RoleArn=arn");
        assert_eq!((request.service.as_str(), request.action.as_str()), ("sts", "AssumeRoleWithWebIdentity"));
    }
}
