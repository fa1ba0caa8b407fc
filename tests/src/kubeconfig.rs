//! Kubeconfig files: how `kubectl` and each binary under test find the API server, and as whom.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

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

    /// In one step: a process that is being started beside this one may be reading the file.
    pub fn write(&self, path: &Path) -> Result {
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let draft = path.with_extension(format!("draft-{}", WRITTEN.fetch_add(1, Ordering::Relaxed)));
        fs::write(&draft, serde_json::to_string_pretty(&self.document())?)?;
        fs::rename(draft, path)?;
        Ok(())
    }
}
