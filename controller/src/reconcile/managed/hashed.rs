//! An object as the watch of targets decodes it: hashed on arrival, its content gone.

use std::{borrow::Cow, collections::BTreeMap, fmt::Debug, marker::PhantomData};

use api::hash::{content_hash, data_hash};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Resource,
    api::{ApiResource, DynamicObject},
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Managed, digests::Digests};
use crate::{engine::object::Metadata, secret_bytes::SecretBytes};

/// See the module documentation.
#[derive(Debug)]
pub struct Hashed<C> {
    meta: ObjectMeta,
    pub managed: Managed,
    content: PhantomData<fn() -> C>,
}

/// What is hashed of objects of some kind.
pub trait Content: Debug + 'static {
    type Of: Resource;
    /// How objects of the kind are addressed. There is a default only because the engine wants one.
    type Kind: Clone + Debug + Default + Send + Sync + 'static;

    fn kind(kind: &Self::Kind) -> &<Self::Of as Resource>::DynamicType;

    /// Metadata, and what is kept of the content.
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(ObjectMeta, Managed), D::Error>;
}

/// The data of a Secret.
#[derive(Debug)]
pub struct SecretData;

pub type HashedSecret = Hashed<SecretData>;

impl Content for SecretData {
    type Of = Secret;
    type Kind = ();

    fn kind(kind: &()) -> &() {
        kind
    }

    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(ObjectMeta, Managed), D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            metadata: Metadata,
            #[serde(default)]
            data: Option<BTreeMap<String, ByteString>>,
        }
        let Wire { metadata, data } = Wire::deserialize(deserializer)?;
        // Wrapped so that the decoded values are wiped when they are dropped below.
        let data: BTreeMap<String, SecretBytes> =
            data.unwrap_or_default().into_iter().map(|(key, value)| (key, SecretBytes::new(value.0))).collect();
        let meta = metadata.into_object_meta();
        let managed = Managed::new(&meta, data_hash(&data), || {
            Digests::new(data.iter().map(|(key, value)| (key, value.expose())))
        });
        Ok((meta, managed))
    }
}

/// Whatever an object of another kind holds.
#[derive(Debug)]
pub struct AnyContent;

pub type HashedObject = Hashed<AnyContent>;

/// A kind by its names.
#[derive(Clone, Debug)]
pub struct Named(pub ApiResource);

impl Default for Named {
    fn default() -> Self {
        let none = String::new;
        Self(ApiResource { group: none(), version: none(), api_version: none(), kind: none(), plural: none() })
    }
}

impl Content for AnyContent {
    type Of = DynamicObject;
    type Kind = Named;

    fn kind(kind: &Named) -> &ApiResource {
        &kind.0
    }

    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(ObjectMeta, Managed), D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            metadata: Metadata,
            #[serde(default)]
            spec: Option<Value>,
            #[serde(default)]
            data: Option<Value>,
        }
        let Wire { metadata, spec, data } = Wire::deserialize(deserializer)?;
        let (meta, spec, data) = (metadata.into_object_meta(), spec.as_ref(), data.as_ref());
        let managed = Managed::new(&meta, hash_of(spec, data), || digests_of(spec, data));
        Ok((meta, managed))
    }
}

/// The hash of an object that is no Secret.
pub fn hash_of(spec: Option<&Value>, data: Option<&Value>) -> String {
    content_hash(content_of(spec, data))
}

/// Its values, by their paths.
pub fn digests_of(spec: Option<&Value>, data: Option<&Value>) -> Digests {
    Digests::of_tree(content_of(spec, data))
}

fn content_of<'a>(spec: Option<&'a Value>, data: Option<&'a Value>) -> &'a Value {
    spec.or(data).unwrap_or(&Value::Null)
}

impl<C> Clone for Hashed<C> {
    fn clone(&self) -> Self {
        Self { meta: self.meta.clone(), managed: self.managed.clone(), content: PhantomData }
    }
}

impl<'de, C: Content> Deserialize<'de> for Hashed<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (meta, managed) = C::decode(deserializer)?;
        let meta = ObjectMeta {
            name: meta.name,
            namespace: meta.namespace,
            resource_version: meta.resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, managed, content: PhantomData })
    }
}

impl<C: Content> Resource for Hashed<C> {
    type DynamicType = C::Kind;
    type Scope = <C::Of as Resource>::Scope;

    fn kind(kind: &C::Kind) -> Cow<'_, str> {
        C::Of::kind(C::kind(kind))
    }

    fn group(kind: &C::Kind) -> Cow<'_, str> {
        C::Of::group(C::kind(kind))
    }

    fn version(kind: &C::Kind) -> Cow<'_, str> {
        C::Of::version(C::kind(kind))
    }

    fn api_version(kind: &C::Kind) -> Cow<'_, str> {
        C::Of::api_version(C::kind(kind))
    }

    fn plural(kind: &C::Kind) -> Cow<'_, str> {
        C::Of::plural(C::kind(kind))
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
