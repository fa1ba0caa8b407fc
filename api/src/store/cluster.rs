//! ClusterSecretStore: a SecretStore for the whole cluster.
//!
//! Its spec and status are those of [`SecretStore`](super::SecretStore), which kube's derive cannot express; what the
//! derive would write is written here.

use std::borrow::Cow;

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::object::{HasSpec, HasStatus};
use serde::{Deserialize, Serialize, Serializer};

use super::{SecretStoreSpec, Store, StoreStatus};
use crate::names::{GROUP, STORED_VERSION};

const KIND: &str = "ClusterSecretStore";
const PLURAL: &str = "clustersecretstores";

/// A secret store that ExternalSecrets of every namespace can read from.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct ClusterSecretStore {
    /// Name, labels, annotations.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What the user wrote.
    pub spec: SecretStoreSpec,
    /// What the controller found.
    pub status: Option<StoreStatus>,
}

impl ClusterSecretStore {
    /// A store that can be sent to the API server.
    pub fn new(name: &str, spec: SecretStoreSpec) -> Self {
        Self { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, spec, status: None }
    }
}

impl Serialize for ClusterSecretStore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Written<'a> {
            api_version: String,
            kind: &'static str,
            metadata: &'a ObjectMeta,
            spec: &'a SecretStoreSpec,
            #[serde(skip_serializing_if = "Option::is_none")]
            status: Option<&'a StoreStatus>,
        }
        let api_version = format!("{GROUP}/{STORED_VERSION}");
        Written { api_version, kind: KIND, metadata: &self.metadata, spec: &self.spec, status: self.status.as_ref() }
            .serialize(serializer)
    }
}

impl Resource for ClusterSecretStore {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        STORED_VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl HasSpec for ClusterSecretStore {
    type Spec = SecretStoreSpec;

    fn spec(&self) -> &SecretStoreSpec {
        &self.spec
    }

    fn spec_mut(&mut self) -> &mut SecretStoreSpec {
        &mut self.spec
    }
}

impl HasStatus for ClusterSecretStore {
    type Status = StoreStatus;

    fn status(&self) -> Option<&StoreStatus> {
        self.status.as_ref()
    }

    fn status_mut(&mut self) -> &mut Option<StoreStatus> {
        &mut self.status
    }
}

impl Store for ClusterSecretStore {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn spec(&self) -> &SecretStoreSpec {
        &self.spec
    }

    fn status(&self) -> Option<&StoreStatus> {
        self.status.as_ref()
    }
}
