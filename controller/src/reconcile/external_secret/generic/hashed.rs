//! An object of any kind as the watch of targets decodes it: hashed on arrival, its content gone.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, api::ApiResource, core::DynamicResourceScope};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::desired::hash_of;
use crate::{engine::object::Metadata, reconcile::managed::Managed};

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct HashedObject {
    meta: ObjectMeta,
    pub managed: Managed,
}

/// Its kind. There is a default only because the engine wants one; objects have a kind.
#[derive(Clone, Debug)]
pub struct Kind(pub ApiResource);

impl Default for Kind {
    fn default() -> Self {
        let none = String::new;
        Self(ApiResource { group: none(), version: none(), api_version: none(), kind: none(), plural: none() })
    }
}

impl<'de> Deserialize<'de> for HashedObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            metadata: Metadata,
            #[serde(default)]
            spec: Option<Value>,
            #[serde(default)]
            data: Option<Value>,
        }
        let wire = Wire::deserialize(deserializer)?;
        let meta = wire.metadata.into_object_meta();
        let managed = Managed::new(&meta, hash_of(wire.spec.as_ref(), wire.data.as_ref()));
        let meta = ObjectMeta {
            name: meta.name,
            namespace: meta.namespace,
            resource_version: meta.resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, managed })
    }
}

impl Resource for HashedObject {
    type DynamicType = Kind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.0.kind.as_str().into()
    }

    fn group(kind: &Kind) -> Cow<'_, str> {
        kind.0.group.as_str().into()
    }

    fn version(kind: &Kind) -> Cow<'_, str> {
        kind.0.version.as_str().into()
    }

    fn api_version(kind: &Kind) -> Cow<'_, str> {
        kind.0.api_version.as_str().into()
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        kind.0.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
