//! Kinds as the cluster serves them: how a manifest's kind is addressed, asked once.
//!
//! RBAC: none beyond discovery, which Kubernetes grants everyone.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use api::external_secret::Manifest;
use kube::{
    Client,
    api::{ApiResource, GroupVersionKind},
    core::discovery::Scope,
    discovery::pinned_kind,
};

use crate::error::{Code, Error};

/// Kinds asked for so far; a cluster has some hundred.
pub struct Kinds {
    client: Client,
    known: Mutex<HashMap<GroupVersionKind, ApiResource>>,
}

impl Kinds {
    pub fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// How objects of this kind are addressed. Kinds without namespaces are refused: their objects belong to all.
    pub async fn find(&self, manifest: &Manifest) -> Result<ApiResource, Error> {
        let kind = group_version_kind(manifest);
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&kind) {
            return Ok(known.clone());
        }
        let (found, capabilities) =
            pinned_kind(&self.client, &kind).await.map_err(|error| unknown(manifest, &error))?;
        if capabilities.scope != Scope::Namespaced {
            let message =
                format!("objects of kind {} have no namespace; only those that have one can be targets", kind.kind);
            return Err(Error::fix(Code::TargetInvalid, message).at("spec.target.manifest"));
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, found.clone());
        Ok(found)
    }

    /// The kind is not served any more, or otherwise: it is asked for anew.
    pub fn forget(&self, kind: &ApiResource) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, there| there != kind);
    }
}

fn group_version_kind(manifest: &Manifest) -> GroupVersionKind {
    let (group, version) = manifest.api_version.split_once('/').unwrap_or(("", &manifest.api_version));
    GroupVersionKind::gvk(group, version, &manifest.kind)
}

fn unknown(manifest: &Manifest, error: &kube::Error) -> Error {
    let Manifest { api_version, kind } = manifest;
    let error = match error {
        kube::Error::Discovery(_) => absent(api_version, kind),
        // A group that nobody serves is told by a page of text, without a reason.
        kube::Error::Api(status) if status.code == 404 => absent(api_version, kind),
        other => Error::kube(&format!("looking up {kind} of {api_version}"), other),
    };
    error.at("spec.target.manifest")
}

fn absent(api_version: &str, kind: &str) -> Error {
    let message = format!("the cluster has no kind {kind} of {api_version}; install its CRD or correct the manifest");
    Error::wait(Code::TargetKindUnknown, message)
}
