//! HashiCorp Vault and OpenBao, key/value engine versions 1 and 2.
//!
//! What enters is a store's `spec.provider.vault` and the references it may follow; what leaves is a [`Store`] that logs
//! in once, reads each path once for everyone who asks at the same time, and says of each failure which path, role or
//! certificate is meant and what to change.
//!
//! RBAC: `get` on secrets and configmaps, `create` on serviceaccounts/token.

use std::{sync::Arc, time::Instant};

use api::{
    external_secret::{Find, MetadataPolicy, RemoteRef},
    provider::Vault as Spec,
    reference::SecretKeySelector,
    store::RetrySettings,
};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{
    Readiness, Store, Values, aws,
    json::{self, Json, Numbers},
    metrics::ProviderMetrics,
    reads::Reads,
};
use crate::{
    error::{Code, Error},
    http::{Clients, Identity},
    resolve::Access,
    secret_bytes::SecretBytes,
};

mod consistency;
mod fault;
mod find;
mod http;
mod kv;
mod login;
mod refusals;
mod request;
mod session;
mod token;

#[cfg(test)]
mod tests;

pub use login::Google;

use self::{
    consistency::Consistency,
    http::{Retry, Transport},
    kv::{Document, Engine, Found, Location},
    login::Method,
    session::Session,
};

/// Where the block stands in a store.
const FIELD: &str = "spec.provider.vault";

/// Most bytes that one search may bring; a Secret holds one.
const MAX_FOUND_BYTES: usize = 16 << 20;

/// What all stores share that `open` needs.
pub struct Shared<'a> {
    pub clients: &'a Clients,
    pub aws: &'a aws::Shared,
    pub google: &'a Google,
    pub metrics: &'a ProviderMetrics,
}

/// An open engine.
pub struct Vault {
    session: Arc<Session>,
    engine: Engine,
    reads: Reads<Asked, Found>,
}

/// What was asked for, so that equal reads become one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Asked {
    Data { at: Location, version: Option<String> },
    Metadata(Location),
}

/// Opens the engine that `spec` describes, logging in where there is something to log in with.
pub async fn open(
    spec: &Spec,
    retry: Option<&RetrySettings>,
    access: Arc<Access>,
    shared: &Shared<'_>,
    reads: Reads<Asked, Found>,
) -> Result<Vault, Error> {
    let bundle = spec.ca_bundle.as_deref().map(str::as_bytes);
    let ca = access.ca_bundle(FIELD, bundle, spec.ca_provider.as_ref()).await?;
    let identity = identity(spec, &access).await?;
    let client = shared.clients.client(
        &format!("{FIELD}.caBundle or caProvider"),
        ca.as_deref(),
        identity.as_ref().map(|(field, identity)| (field.as_str(), identity)),
    )?;
    let transport = Transport::new(client, &spec.server, headers(spec)?, Retry::new(retry)?)?
        .with_consistency(Consistency::new(spec.read_your_writes, spec.forward_inconsistent));
    let session = Session::new(
        transport,
        Method::new(spec, retry, &access, shared)?,
        namespace("namespace", spec.namespace.as_deref())?,
        namespace("auth.namespace", spec.auth.as_ref().and_then(|auth| auth.namespace.as_deref()))?,
        shared.metrics.clone(),
    );
    session.open().await?;
    let engine = Engine::new(spec.path.as_deref(), spec.version);
    Ok(Vault { session: Arc::new(session), engine, reads })
}

/// Whether any credential is looked up beside the ExternalSecret when the store is a ClusterSecretStore.
pub fn is_referent(spec: &Spec) -> bool {
    let certificate = [&spec.tls.cert_secret_ref, &spec.tls.key_secret_ref];
    certificate.into_iter().flatten().any(|selector| selector.namespace.is_none())
        || spec.auth.as_ref().is_some_and(login::is_referent)
}

/// The certificate to present, with the field that asks for it: that of the cert method, where it is the credential, else
/// that of `tls`. One connection can present one only.
async fn identity(spec: &Spec, access: &Access) -> Result<Option<(String, Identity)>, Error> {
    let method = spec.auth.as_ref().filter(|auth| auth.methods().first() == Some(&"cert"));
    let method = method.and_then(|auth| auth.cert.as_ref());
    let of_method = method.map(|cert| (cert.client_cert.as_ref(), cert.secret_ref.as_ref()));
    let (block, names, pair) = match of_method {
        Some(pair) if pair != (None, None) => ("auth.cert", ["clientCert", "secretRef"], pair),
        _ => {
            let pair = (spec.tls.cert_secret_ref.as_ref(), spec.tls.key_secret_ref.as_ref());
            ("tls", ["certSecretRef", "keySecretRef"], pair)
        }
    };
    match pair {
        (Some(certificate), Some(key)) => {
            let field = format!("{FIELD}.{block}");
            let read = async |name: &str, selector: &SecretKeySelector, default_key: &str| {
                access.secret_key(&format!("{field}.{name}"), selector, Some(default_key)).await
            };
            let certificate = read(names[0], certificate, "tls.crt").await?;
            let key = read(names[1], key, "tls.key").await?;
            let identity = Identity::new(certificate.expose(), key.expose());
            Ok(Some((field, identity)))
        }
        (None, None) if method.is_some() => {
            let problem = format!("{FIELD}.auth.cert: names no certificate; set clientCert and secretRef");
            Err(Error::fix(Code::StoreInvalid, problem))
        }
        (None, None) => Ok(None),
        (certificate, _) => {
            let missing = if certificate.is_some() { names[1] } else { names[0] };
            let problem = format!("{FIELD}.{block}.{missing}: needed; a client certificate needs both");
            Err(Error::fix(Code::StoreInvalid, problem))
        }
    }
}

fn headers(spec: &Spec) -> Result<HeaderMap, Error> {
    let header = |(name, value): (&String, &String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| name)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| name.as_str().to_owned());
        if let Ok(value) = &mut value {
            value.set_sensitive(true);
        }
        Ok::<_, String>((name, value?))
    };
    spec.headers.iter().map(header).collect::<Result<_, String>>().map_err(|name| {
        Error::fix(Code::StoreInvalid, format!("{FIELD}.headers: {name:?} or its value cannot be sent; correct it"))
    })
}

fn namespace(field: &str, name: Option<&str>) -> Result<Option<HeaderValue>, Error> {
    name.map(HeaderValue::from_str).transpose().map_err(|_| {
        Error::fix(Code::StoreInvalid, format!("{FIELD}.{field}: holds characters that cannot be sent; correct it"))
    })
}

#[async_trait]
impl Store for Vault {
    async fn get(&self, remote: &RemoteRef, since: Instant) -> Result<Option<SecretBytes>, Error> {
        let found = self.read(remote, since).await?;
        let Some(document) = &found.0 else { return self.absent(remote).map(|()| None) };
        match &remote.property {
            None => Ok(Some(document.text.as_str().into())),
            Some(property) => self.property(remote, document, property).map(Some),
        }
    }

    async fn get_map(&self, remote: &RemoteRef, since: Instant) -> Result<Option<Values>, Error> {
        let found = self.read(remote, since).await?;
        let Some(document) = &found.0 else { return self.absent(remote).map(|()| None) };
        let Some(property) = &remote.property else {
            return Ok(Some(json::values(&document.json).unwrap_or_default()));
        };
        let value = self.property(remote, document, property)?;
        let value = Json::parse(value.expose()).ok();
        value.as_ref().and_then(json::values).map(Some).ok_or_else(|| {
            let problem =
                format!("property {property:?} of {} is no JSON object; extract takes only those", self.shown(remote));
            Error::fix(Code::RemoteValueInvalid, problem)
        })
    }

    async fn find(&self, query: &Find, since: Instant) -> Result<Option<Values>, Error> {
        let Some(locations) = find::find(&self.session, &self.engine, query).await? else { return Ok(None) };
        let mut reads = stream::iter(locations)
            .map(|at| async move {
                let found = self.read_asked(Asked::Data { at: at.clone(), version: None }, since).await?;
                Ok::<_, Error>((at.path, found))
            })
            .buffered(find::CONCURRENCY);
        let (mut values, mut size) = (Values::new(), 0);
        while let Some((path, found)) = reads.try_next().await? {
            // Deleted between being listed and being read.
            let Some(document) = &found.0 else { continue };
            size += document.text.len();
            if size > MAX_FOUND_BYTES {
                let problem = format!("find matches more than {MAX_FOUND_BYTES} bytes; narrow it");
                return Err(Error::fix(Code::RemoteValueInvalid, problem));
            }
            values.insert(path, document.text.as_str().into());
        }
        Ok(Some(values))
    }

    async fn check(&self) -> Result<Readiness, Error> {
        self.session.check().await
    }

    fn reconsider(&self, remote: Option<&RemoteRef>) {
        match remote.map(|remote| self.engine.locate(&remote.key).path) {
            // Data and metadata of an entry end alike; one that ends like it costs a login at most.
            Some(path) => self.session.reconsider(|refused| refused.ends_with(&path)),
            None => self.session.reconsider(|_| true),
        }
    }

    async fn close(&self) {
        self.session.close().await;
    }
}

impl Vault {
    async fn read(&self, remote: &RemoteRef, since: Instant) -> Result<Arc<Found>, Error> {
        let at = self.engine.locate(&remote.key);
        let asked = match remote.metadata_policy {
            MetadataPolicy::Fetch => Asked::Metadata(at),
            MetadataPolicy::None => Asked::Data { at, version: remote.version.clone() },
        };
        self.read_asked(asked, since).await
    }

    async fn read_asked(&self, asked: Asked, since: Instant) -> Result<Arc<Found>, Error> {
        let (session, engine) = (self.session.clone(), self.engine.clone());
        let read = |asked: Asked| async move {
            match &asked {
                Asked::Data { at, version } => engine.read(&session, at, version.as_deref()).await,
                Asked::Metadata(at) => engine.metadata(&session, at).await,
            }
            .map(Found)
        };
        self.reads.read(asked.clone(), since, || read(asked)).await
    }

    /// What an entry that is not there means: that there is no value, but of metadata that the reference is wrong.
    fn absent(&self, remote: &RemoteRef) -> Result<(), Error> {
        match remote.metadata_policy {
            MetadataPolicy::None => Ok(()),
            MetadataPolicy::Fetch => {
                let problem = format!("{} has no metadata; create the entry or correct the key", self.shown(remote));
                Err(Error::fix(Code::RemoteSecretMissing, problem))
            }
        }
    }

    /// A property: a key of that very name, else what the path selects.
    fn property(&self, remote: &RemoteRef, document: &Document, property: &str) -> Result<SecretBytes, Error> {
        if let Some(value) = document.json.get(property) {
            return Ok(value.to_value(Numbers::AsWritten));
        }
        let found = json::property(document.text.as_bytes(), property)
            .map_err(|refused| Error::fix(Code::SpecInvalid, format!("property {property:?}: {refused}")))?;
        found.ok_or_else(|| {
            let problem = format!("{} has no property {property:?}; add it or correct the path", self.shown(remote));
            Error::fix(Code::RemotePropertyMissing, problem)
        })
    }

    fn shown(&self, remote: &RemoteRef) -> String {
        format!("{:?}", self.engine.data_path(&self.engine.locate(&remote.key)))
    }
}
