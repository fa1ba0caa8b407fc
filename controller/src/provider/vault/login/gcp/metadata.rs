//! The metadata server of Google Cloud, which knows the machine, its cluster and the Pod's own service account.

use reqwest::Client;

use super::{
    FIELD, invalid,
    services::{Google, send},
};
use crate::error::{Code, Error};

pub struct Metadata {
    base: String,
    http: Client,
}

impl Metadata {
    /// `http`: one that uses no proxy, since the server is on the machine.
    pub fn new(google: &Google, http: Client) -> Self {
        Self { base: format!("{}/computeMetadata/v1", google.metadata), http }
    }

    /// A token that says who this process is, to whoever `audience` names.
    pub async fn identity(&self, audience: &str) -> Result<String, Error> {
        let path = "instance/service-accounts/default/identity";
        self.read(path, &[("audience", audience), ("format", "full")]).await
    }

    /// A fact, such as `project/project-id`.
    pub async fn fact(&self, path: &str) -> Result<String, Error> {
        self.read(path, &[]).await
    }

    async fn read(&self, path: &str, query: &[(&str, &str)]) -> Result<String, Error> {
        let mut url = reqwest::Url::parse(&format!("{}/{path}", self.base))
            .map_err(|_| invalid(format!("{FIELD}: GCE_METADATA_HOST is no host; correct it")))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let act = format!("asking the metadata server for {path}");
        let request = self.http.get(url).header("Metadata-Flavor", "Google");
        let answer = send(&act, request).await.map_err(|error| match error.code() {
            // Elsewhere than in Google Cloud there is no such server, and there will be none.
            Code::GoogleUnreachable => Error::retry(
                Code::GoogleUnreachable,
                format!("{}; outside of Google Cloud set secretRef", error.message()),
            ),
            _ => error,
        })?;
        match String::from_utf8(answer) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err(invalid(format!("{FIELD}: {act}: the answer is no text; check GCE_METADATA_HOST"))),
        }
    }
}
