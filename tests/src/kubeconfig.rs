//! Kubeconfig files: how `kubectl` and each binary under test find the API server, and as whom.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::failure::Result;

/// A server and an identity.
pub struct Access<'a> {
    pub server: &'a str,
    pub ca_pem: &'a str,
    pub token: &'a str,
}

impl Access<'_> {
    /// The kubeconfig as a document. JSON is YAML, so every reader of kubeconfigs takes it.
    pub fn document(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "bed",
            "clusters": [{"name": "bed", "cluster": {
                "server": self.server,
                "certificate-authority-data": STANDARD.encode(self.ca_pem),
            }}],
            "users": [{"name": "bed", "user": {"token": self.token}}],
            "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "bed", "namespace": "default"}}],
        })
    }

    pub fn write(&self, path: &Path) -> Result {
        fs::write(path, serde_json::to_string_pretty(&self.document())?)?;
        Ok(())
    }
}
