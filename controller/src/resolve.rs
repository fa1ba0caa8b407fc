//! The one place that follows a reference from a store to a Secret, ConfigMap or ServiceAccount.
//!
//! What enters is a selector from a spec and the [`Scope`] of the store that holds it; what leaves is the value, or an
//! error that names the object, the field and the next step. The namespace rule is a type: a SecretStore reads in its
//! own namespace whatever its spec says, and is refused before any API call when it names another one. A
//! ClusterSecretStore reads where the selector says, else beside the ExternalSecret that uses it.
//!
//! Every object is named to [`Credentials`] before it is read, so that its users hear of its changes.
//!
//! RBAC: `get` on secrets, configmaps and serviceaccounts; `create` on serviceaccounts/token.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use api::reference::{CaProvider, CaProviderKind, SecretKeySelector, ServiceAccountSelector};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kube::Api;

use crate::{
    engine::ObjectKey,
    error::{Code, Error},
    secret_bytes::SecretBytes,
};

mod certificates;
mod credentials;
mod tokens;

pub use credentials::{Credentials, Kind, Shown, User};
pub use tokens::Freshness;

/// Key of a CA provider that names none: where cert-manager and Kubernetes itself put certificates.
const DEFAULT_CA_KEY: &str = "ca.crt";

/// Where Kubernetes kept the tokens of ServiceAccounts.
const LEGACY_TOKEN_KEY: &str = "token";

/// In whose name references are followed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// A SecretStore: its own namespace and no other.
    Namespaced { namespace: String },
    /// A ClusterSecretStore. `referent`: the namespace of the ExternalSecret that uses it; none while the store itself
    /// is being validated.
    Cluster { referent: Option<String> },
}

impl Scope {
    /// The namespace in which `field` is looked up, `named` being what its selector says.
    ///
    /// # Errors
    /// `NamespaceForbidden` for a SecretStore that names another namespace; `StoreInvalid` where a ClusterSecretStore
    /// names none and no ExternalSecret is at hand.
    pub fn namespace<'a>(&'a self, field: &str, named: Option<&'a str>) -> Result<&'a str, Error> {
        let named = named.filter(|name| !name.is_empty());
        match (self, named) {
            (Self::Namespaced { namespace }, Some(other)) if other != namespace => Err(Error::fix(
                Code::NamespaceForbidden,
                format!(
                    "{field}.namespace: a SecretStore in namespace {namespace:?} may not refer to namespace {other:?}; \
                     remove the field or use a ClusterSecretStore"
                ),
            )),
            (Self::Namespaced { namespace }, _) => Ok(namespace),
            (Self::Cluster { .. }, Some(named)) => Ok(named),
            (Self::Cluster { referent: Some(referent) }, None) => Ok(referent),
            (Self::Cluster { referent: None }, None) => Err(Error::fix(
                Code::StoreInvalid,
                format!("{field}.namespace: needed here; say where the referenced object is"),
            )),
        }
    }
}

/// Follows references. One per process; holds ServiceAccount tokens that can still be used.
pub struct Resolver {
    client: kube::Client,
    tokens: tokens::Tokens,
    credentials: Arc<Credentials>,
}

impl Resolver {
    pub fn new(client: kube::Client, credentials: Arc<Credentials>) -> Self {
        Self { client, tokens: tokens::Tokens::default(), credentials }
    }

    /// Follows the references of one store anew.
    pub fn within(self: &Arc<Self>, user: User, scope: Scope) -> Access {
        self.credentials.begin(&user);
        Access { resolver: self.clone(), user, scope, seen: Mutex::default() }
    }
}

/// A [`Resolver`] bound to the scope of one store. Remembers which Secrets and ConfigMaps it read, in which version.
pub struct Access {
    resolver: Arc<Resolver>,
    user: User,
    scope: Scope,
    seen: Mutex<BTreeMap<Object, Version>>,
}

/// An object that credentials were read from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Object {
    kind: ObjectKind,
    namespace: String,
    name: String,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum ObjectKind {
    ConfigMap,
    Secret,
    ServiceAccount,
}

/// Which state of an object was read: `uid` and `resourceVersion`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Version {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl Access {
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The value of a key of a Secret. `default_key` is used when the selector names none.
    pub async fn secret_key(
        &self,
        field: &str,
        selector: &SecretKeySelector,
        default_key: Option<&str>,
    ) -> Result<SecretBytes, Error> {
        let namespace = self.scope.namespace(field, selector.namespace.as_deref())?;
        let Some(key) = selector.key.as_deref().or(default_key) else {
            return Err(Error::fix(Code::StoreInvalid, format!("{field}.key: needed; say which key of the Secret")));
        };
        self.read_secret(field, namespace, &selector.name, key).await
    }

    /// The value of a key of a ConfigMap in `namespace`, which the caller took from [`Scope::namespace`].
    async fn config_map_key(&self, field: &str, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, Error> {
        let object = self.object(ObjectKind::ConfigMap, field, namespace, name)?;
        let api: Api<ConfigMap> = Api::namespaced(self.resolver.client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|error| object.unreadable(field, &error))?;
        let Some(mut map) = found else { return Err(object.missing(field)) };
        self.saw(&object, &map.metadata);
        let text = map.data.as_mut().and_then(|data| data.remove(key)).map(String::into_bytes);
        let binary = || map.binary_data.as_mut().and_then(|data| data.remove(key)).map(|bytes| bytes.0);
        text.or_else(binary).ok_or_else(|| object.without_key(field, key))
    }

    /// The certificates that `caBundle` and `caProvider` name, as PEM. `None`: neither is set, so the system's apply.
    ///
    /// `fields` is the spec path of the block that holds the two fields. A ClusterSecretStore must say in which
    /// namespace its `caProvider` is; certificates are never looked up beside an ExternalSecret.
    pub async fn ca_bundle(
        &self,
        fields: &str,
        bundle: Option<&[u8]>,
        provider: Option<&CaProvider>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut pem = Vec::new();
        if let Some(bundle) = bundle.filter(|bundle| !bundle.is_empty()) {
            certificates::append(&mut pem, &format!("{fields}.caBundle"), bundle)?;
        }
        if let Some(provider) = provider {
            let field = format!("{fields}.caProvider");
            certificates::append(&mut pem, &field, &self.ca_provider(&field, provider).await?)?;
        }
        Ok(Some(pem).filter(|pem| !pem.is_empty()))
    }

    async fn ca_provider(&self, field: &str, provider: &CaProvider) -> Result<Vec<u8>, Error> {
        let alone = match &self.scope {
            Scope::Cluster { .. } => Scope::Cluster { referent: None },
            own @ Scope::Namespaced { .. } => own.clone(),
        };
        let namespace = alone.namespace(field, provider.namespace.as_deref())?;
        let key = provider.key.as_deref().unwrap_or(DEFAULT_CA_KEY);
        match provider.type_ {
            CaProviderKind::ConfigMap => self.config_map_key(field, namespace, &provider.name, key).await,
            CaProviderKind::Secret => {
                Ok(self.read_secret(field, namespace, &provider.name, key).await?.expose().to_vec())
            }
        }
    }

    async fn read_secret(&self, field: &str, namespace: &str, name: &str, key: &str) -> Result<SecretBytes, Error> {
        let object = self.object(ObjectKind::Secret, field, namespace, name)?;
        let api: Api<Secret> = Api::namespaced(self.resolver.client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|error| object.unreadable(field, &error))?;
        let Some(secret) = found else { return Err(object.missing(field)) };
        self.saw(&object, &secret.metadata);
        let values = secret.data.unwrap_or_default().into_iter();
        // Every value goes through SecretBytes, so that the ones nobody asked for are wiped too.
        let mut values: BTreeMap<_, _> = values.map(|(key, bytes)| (key, SecretBytes::new(bytes.0))).collect();
        values.remove(key).ok_or_else(|| object.without_key(field, key))
    }

    /// The annotations of a ServiceAccount.
    pub async fn service_account_annotations(
        &self,
        field: &str,
        selector: &ServiceAccountSelector,
    ) -> Result<BTreeMap<String, String>, Error> {
        let namespace = self.scope.namespace(field, selector.namespace.as_deref())?;
        let object = self.object(ObjectKind::ServiceAccount, field, namespace, &selector.name)?;
        let api: Api<ServiceAccount> = Api::namespaced(self.resolver.client.clone(), namespace);
        let found = api.get_metadata_opt(&selector.name).await.map_err(|error| object.unreadable(field, &error))?;
        let Some(account) = found else { return Err(object.missing(field)) };
        self.saw(&object, &account.metadata);
        Ok(account.metadata.annotations.unwrap_or_default())
    }

    /// A token of a ServiceAccount, valid for at least a third of its ten minutes.
    ///
    /// `Freshness::Fresh` asks for a new one even if an older one should still do: for use after a refused login.
    pub async fn service_account_token(
        &self,
        field: &str,
        selector: &ServiceAccountSelector,
        audiences: &[String],
        freshness: Freshness,
    ) -> Result<SecretBytes, Error> {
        self.service_account_token_for(field, selector, audiences, None, freshness).await
    }

    /// The same for `seconds` instead of ten minutes.
    pub async fn service_account_token_for(
        &self,
        field: &str,
        selector: &ServiceAccountSelector,
        audiences: &[String],
        seconds: Option<i64>,
        freshness: Freshness,
    ) -> Result<SecretBytes, Error> {
        let namespace = self.scope.namespace(field, selector.namespace.as_deref())?;
        let object = self.object(ObjectKind::ServiceAccount, field, namespace, &selector.name)?;
        let request = tokens::Request {
            namespace: namespace.into(),
            name: selector.name.clone(),
            audiences: audiences.into(),
            seconds: seconds.unwrap_or(tokens::LIFE_SECONDS),
        };
        let token = self.resolver.tokens.token(self.resolver.client.clone(), request, freshness).await;
        let token = token.map_err(|error| object.unreadable(field, &error))?;
        self.resolver.credentials.used(&self.user, &object, None);
        Ok(token)
    }

    /// The token that clusters before 1.24 kept in a Secret of the ServiceAccount's own, if there is one: for use where a
    /// token cannot be requested.
    pub async fn legacy_token(&self, field: &str, selector: &ServiceAccountSelector) -> Option<SecretBytes> {
        let namespace = self.scope.namespace(field, selector.namespace.as_deref()).ok()?;
        self.object(ObjectKind::ServiceAccount, field, namespace, &selector.name).ok()?;
        let api: Api<ServiceAccount> = Api::namespaced(self.resolver.client.clone(), namespace);
        let account = api.get_opt(&selector.name).await.ok()??;
        for secret in account.secrets.into_iter().flatten().filter_map(|reference| reference.name) {
            if let Ok(token) = self.read_secret(field, namespace, &secret, LEGACY_TOKEN_KEY).await {
                return Some(token);
            }
        }
        None
    }

    /// Whether a watch tells when an object that was read changes, so that nobody need look.
    pub fn is_watched(&self) -> bool {
        let seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.keys().all(|object| self.resolver.credentials.is_watched(object))
    }

    /// Whether a watch has told of a change that nobody has looked at.
    pub fn is_outdated(&self) -> bool {
        self.resolver.credentials.is_outdated(&self.user)
    }

    /// What the watches have told so far; for [`settle`](Self::settle).
    pub fn shown(&self) -> Shown {
        self.resolver.credentials.shown(&self.user)
    }

    /// What was told turned out to be no change of what was read.
    pub fn settle(&self, shown: Shown) {
        self.resolver.credentials.settle(&self.user, shown);
    }

    /// The object, which its users hear of from now on.
    fn object(&self, kind: ObjectKind, field: &str, namespace: &str, name: &str) -> Result<Object, Error> {
        let object = Object::new(kind, field, namespace, name)?;
        self.resolver.credentials.named(&self.user, &object);
        Ok(object)
    }

    /// Whether any object that was read so far is now another one, or gone. Reads metadata only.
    pub async fn changed(&self) -> Result<bool, Error> {
        let seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        for (object, version) in seen {
            if self.current(&object).await?.as_ref() != Some(&version) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn current(&self, object: &Object) -> Result<Option<Version>, Error> {
        let (client, namespace, name) = (self.resolver.client.clone(), &*object.namespace, &*object.name);
        let metadata = match object.kind {
            ObjectKind::ConfigMap => Api::<ConfigMap>::namespaced(client, namespace)
                .get_metadata_opt(name)
                .await
                .map(|m| m.map(|m| m.metadata)),
            ObjectKind::Secret => {
                Api::<Secret>::namespaced(client, namespace).get_metadata_opt(name).await.map(|m| m.map(|m| m.metadata))
            }
            ObjectKind::ServiceAccount => Api::<ServiceAccount>::namespaced(client, namespace)
                .get_metadata_opt(name)
                .await
                .map(|m| m.map(|m| m.metadata)),
        };
        metadata
            .map(|metadata| metadata.map(|metadata| Version::of(&metadata)))
            .map_err(|error| Error::kube(&format!("looking at {object}"), &error))
    }

    fn saw(&self, object: &Object, metadata: &kube::api::ObjectMeta) {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.insert(object.clone(), Version::of(metadata));
        self.resolver.credentials.used(&self.user, object, metadata.resource_version.as_deref());
    }
}

impl Version {
    fn of(metadata: &kube::api::ObjectMeta) -> Self {
        Self { uid: metadata.uid.clone(), resource_version: metadata.resource_version.clone() }
    }
}

impl Object {
    /// Refuses a name that would not stay inside its path segment: the CRD's pattern may be missing or bypassed.
    fn new(kind: ObjectKind, field: &str, namespace: &str, name: &str) -> Result<Self, Error> {
        let plain = |text: &str| {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
            !text.is_empty() && text.len() <= 253 && text.chars().all(allowed) && text.contains(|c| c != '.')
        };
        if !plain(name) {
            let problem = format!("{field}.name: {name:?} is not a name of a Kubernetes object; correct it");
            return Err(Error::fix(Code::StoreInvalid, problem));
        }
        if !plain(namespace) {
            let problem = format!("{field}.namespace: {namespace:?} is not a name of a namespace; correct it");
            return Err(Error::fix(Code::StoreInvalid, problem));
        }
        Ok(Self { kind, namespace: namespace.into(), name: name.into() })
    }

    fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.namespace, &self.name)
    }

    fn missing(&self, field: &str) -> Error {
        Error::wait(
            Code::ReferenceNotFound,
            format!("{field}: {self} does not exist; create it or correct the reference"),
        )
    }

    fn without_key(&self, field: &str, key: &str) -> Error {
        Error::wait(Code::ReferenceKeyMissing, format!("{field}: {self} has no key {key:?}; add it or correct the key"))
    }

    fn unreadable(&self, field: &str, error: &kube::Error) -> Error {
        match error {
            kube::Error::Api(status) if status.code == 404 => self.missing(field),
            error => Error::kube(&format!("{field}: reading {self}"), error),
        }
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
impl Access {
    /// For a store of whose credentials nobody hears.
    pub fn unwatched(client: kube::Client, scope: Scope) -> Self {
        let credentials = Arc::new(Credentials::new("", |_| {}));
        let user = User { kind: api::reference::StoreKind::SecretStore, store: ObjectKey::new("", ""), referent: None };
        Arc::new(Resolver::new(client, credentials)).within(user, scope)
    }
}

#[cfg(test)]
mod tests;
