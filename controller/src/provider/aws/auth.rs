//! Credentials: where they come from, and the roles that are assumed on the way.
//!
//! What enters is an [`Origin`] and the roles to assume; what leaves is a provider. Of a store at AWS, the first origin
//! that is configured: a ServiceAccount's token exchanged for a role (IRSA), an access key in a Secret, the SDK's default
//! chain. Then each of `additionalRoles`, then `role`. Each step is one provider that caches: a role is assumed once for
//! everybody, and again only near its end or after AWS refused what was cached. Logging in to Vault as an AWS identity
//! uses the same.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use api::{
    provider::{Aws as Spec, SessionTagsPolicy},
    reference::{SecretKeySelector, ServiceAccountSelector},
};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::{
    Credentials as Keys,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_sts::{
    config::Builder as StsConfig,
    types::{Credentials as StsKeys, Tag},
};
use tokio::sync::Mutex;

use super::{FIELD, Shared, fault};
use crate::{
    error::{Code, Error},
    provider::identity::StoreHandle,
    resolve::{Access, Freshness, Scope},
};

/// Name of every session, as the Go operator has it: policies of roles may ask for it.
const SESSION: &str = "external-secrets-provider-aws";

const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
const AUDIENCE_ANNOTATION: &str = "eks.amazonaws.com/audience";
const DEFAULT_AUDIENCE: &str = "sts.amazonaws.com";

/// Rest of life at which credentials are obtained anew: longer than any operation takes.
const SPARE: Duration = Duration::from_mins(5);

/// Credentials of one identity, shared by all its clients.
#[derive(Clone, Debug)]
pub struct Credentials(Arc<Cached>);

impl Credentials {
    /// Makes sure that credentials can be had: those at hand count until AWS refuses them.
    pub async fn check(&self) -> Result<(), Error> {
        self.obtain(FIELD).await.map(|_| ())
    }

    /// The keys to sign with. `field`: where the spec asks for them.
    pub async fn obtain(&self, field: &str) -> Result<Keys, Error> {
        let act = format!("{field}: obtaining credentials");
        self.0.keys().await.map_err(|error| fault::without_credentials(&act, &error))
    }

    /// Obtains them anew next time: AWS refused them.
    pub async fn forget(&self) {
        self.0.last.lock().await.keys = None;
    }

    pub fn provider(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(self.clone())
    }
}

impl ProvideCredentials for Credentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.0.keys())
    }
}

/// The provider that `spec` describes.
pub async fn credentials(
    spec: &Spec,
    store: &StoreHandle,
    access: Arc<Access>,
    config: &SdkConfig,
    shared: &Shared,
) -> Result<Credentials, Error> {
    let sts = Sts::new(config, shared.endpoints.sts.as_deref());
    let tags = session_tags(spec, store, access.scope());
    let account = spec.auth.jwt.as_ref().and_then(|jwt| jwt.service_account_ref.clone());
    let mut credentials = match (account, &spec.auth.secret_ref) {
        (Some(account), _) => {
            let origin = Origin::Account { field: format!("{FIELD}.auth.jwt.serviceAccountRef"), account };
            sts.credentials(origin, access, SESSION).await?
        }
        (None, Some(keys)) => {
            let origin = Origin::Keys(KeyRefs {
                field: format!("{FIELD}.auth.secretRef"),
                id: keys.access_key_id_secret_ref.as_ref(),
                secret: keys.secret_access_key_secret_ref.as_ref(),
                session_token: keys.session_token_secret_ref.as_ref(),
            });
            sts.credentials(origin, access, SESSION).await?
        }
        (None, None) => shared.default_credentials(config).await?,
    };
    for role in &spec.additional_roles {
        credentials = sts.assumed(&credentials, Hop::new(role, SESSION));
    }
    if let Some(role) = &spec.role {
        let hop = Hop {
            tags,
            transitive: spec.transitive_tag_keys.clone(),
            ..Hop::new(role, SESSION).with_external_id(spec.external_id.clone())
        };
        credentials = sts.assumed(&credentials, hop);
    }
    Ok(credentials)
}

/// What a chain of credentials begins with.
pub enum Origin<'a> {
    /// A ServiceAccount whose annotation names a role. `field`: where the spec names it.
    Account { field: String, account: ServiceAccountSelector },
    /// An access key.
    Keys(KeyRefs<'a>),
    /// What the SDK finds around this process.
    Surroundings,
}

/// The Secrets that an access key lies in.
pub struct KeyRefs<'a> {
    /// Where the spec names them.
    pub field: String,
    pub id: Option<&'a SecretKeySelector>,
    pub secret: Option<&'a SecretKeySelector>,
    pub session_token: Option<&'a SecretKeySelector>,
}

/// A role to assume.
pub struct Hop {
    arn: String,
    external_id: Option<String>,
    session: &'static str,
    tags: Vec<(String, String)>,
    transitive: Vec<String>,
}

impl Hop {
    /// `session`: the name of the session, which policies of roles may ask for.
    pub fn new(arn: &str, session: &'static str) -> Self {
        Self { arn: arn.into(), external_id: None, session, tags: Vec::new(), transitive: Vec::new() }
    }

    #[must_use]
    pub fn with_external_id(self, external_id: Option<String>) -> Self {
        Self { external_id, ..self }
    }
}

/// Makes credentials with the help of STS.
pub struct Sts {
    config: SdkConfig,
    endpoint: Option<String>,
}

impl Sts {
    pub fn new(config: &SdkConfig, endpoint: Option<&str>) -> Self {
        Self { config: config.clone(), endpoint: endpoint.map(Into::into) }
    }

    /// `session`: the name of the session, where the origin begins one.
    pub async fn credentials(
        &self,
        origin: Origin<'_>,
        access: Arc<Access>,
        session: &'static str,
    ) -> Result<Credentials, Error> {
        let source = match origin {
            Origin::Account { field, account } => {
                Source::WebIdentity(WebIdentity { field, account, access, session, sts: self.client(None) })
            }
            Origin::Keys(keys) => Source::Ready(SharedCredentialsProvider::new(static_keys(&keys, &access).await?)),
            Origin::Surroundings => return surroundings(&self.config).await,
        };
        Ok(Cached::new(source))
    }

    /// Those of a role that is assumed with `credentials`.
    pub fn assumed(&self, credentials: &Credentials, hop: Hop) -> Credentials {
        Cached::new(Source::Role(Role { hop, sts: self.client(Some(credentials)) }))
    }

    /// Exchanging a token takes no credentials.
    fn client(&self, credentials: Option<&Credentials>) -> aws_sdk_sts::Client {
        let mut config = StsConfig::from(&self.config);
        config.set_endpoint_url(self.endpoint.clone());
        if let Some(credentials) = credentials {
            config.set_credentials_provider(Some(credentials.provider()));
        }
        aws_sdk_sts::Client::from_conf(config.build())
    }
}

async fn static_keys(keys: &KeyRefs<'_>, access: &Access) -> Result<Keys, Error> {
    let read = async |field: &str, selector: &SecretKeySelector| {
        let field = format!("{}.{field}", keys.field);
        let value = access.secret_key(&field, selector, None).await?;
        // A newline at the end, which files have, would end up in the signature.
        match std::str::from_utf8(value.expose().trim_ascii()) {
            Ok(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(Error::fix(
                Code::StoreInvalid,
                format!("{field}: the value is empty or no text; correct the Secret"),
            )),
        }
    };
    let missing =
        |field: &str| Error::fix(Code::StoreInvalid, format!("{}.{field}: needed; name Secret and key", keys.field));
    let (id, secret) = ("accessKeyIDSecretRef", "secretAccessKeySecretRef");
    let secret_ref = keys.secret.ok_or_else(|| missing(secret))?;
    let id_ref = keys.id.ok_or_else(|| missing(id))?;
    let (secret, id) = (read(secret, secret_ref).await?, read(id, id_ref).await?);
    let token = match keys.session_token {
        Some(selector) => Some(read("sessionTokenSecretRef", selector).await?),
        None => None,
    };
    Ok(Keys::new(id, secret, token, None, "secretRef"))
}

/// What the SDK finds in this process's surroundings: environment, IRSA, Pod Identity, ECS, IMDS, profiles.
pub async fn surroundings(config: &SdkConfig) -> Result<Credentials, Error> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(config.region().cloned());
    if let Some(http) = config.http_client() {
        loader = loader.http_client(http);
    }
    let problem = || Error::bug(Code::AwsCredentialsInvalid, "the AWS SDK has no default credentials provider");
    let provider = loader.load().await.credentials_provider().ok_or_else(problem)?;
    Ok(Cached::new(Source::Ready(provider)))
}

/// The tags of the session in which `role` is assumed.
fn session_tags(spec: &Spec, store: &StoreHandle, scope: &Scope) -> Vec<(String, String)> {
    let mut tags: Vec<_> = spec.session_tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    if spec.session_tags_policy == SessionTagsPolicy::None {
        return tags;
    }
    let namespace = match scope {
        Scope::Namespaced { namespace } | Scope::Cluster { referent: Some(namespace) } => namespace.as_str(),
        Scope::Cluster { referent: None } => "",
    };
    let facts =
        [("esoNamespace", namespace), ("esoStoreName", store.name.as_str()), ("esoStoreKind", store.kind.as_str())];
    tags.extend(facts.map(|(key, value)| (key.to_owned(), value.to_owned())));
    if spec.session_tags_policy == SessionTagsPolicy::Custom {
        tags.extend(spec.custom_session_tags.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    tags
}

/// A source of credentials, and what it last brought.
struct Cached {
    source: Source,
    last: Mutex<Last>,
}

/// What the last exchange brought.
#[derive(Default)]
struct Last {
    keys: Option<Keys>,
    /// If it failed: when it began, and why.
    failure: Option<(Instant, Error)>,
}

enum Source {
    /// Keys that do not change, or the SDK's own providers.
    Ready(SharedCredentialsProvider),
    WebIdentity(WebIdentity),
    Role(Role),
}

impl Cached {
    #[expect(clippy::new_ret_no_self, reason = "only used behind the handle that is shared")]
    fn new(source: Source) -> Credentials {
        Credentials(Arc::new(Self { source, last: Mutex::default() }))
    }

    /// Whoever obtains holds the lock meanwhile, so that concurrent calls share one exchange, its failure included.
    async fn keys(&self) -> provider::Result {
        let asked_at = now();
        let mut last = self.last.lock().await;
        let lives = |keys: &&Keys| keys.expiry().is_none_or(|ends_at| ends_at > SystemTime::now() + SPARE);
        if let Some(keys) = last.keys.as_ref().filter(lives) {
            return Ok(keys.clone());
        }
        if let Some((_, error)) = last.failure.as_ref().filter(|(began, _)| *began >= asked_at) {
            return Err(wrapped(error.clone()));
        }
        let began = now();
        let result = match &self.source {
            Source::Ready(provider) => {
                provider.provide_credentials().await.map_err(|error| fault::without_credentials(FIELD, &error))
            }
            Source::WebIdentity(identity) => identity.exchange().await,
            Source::Role(role) => role.assume().await,
        };
        match result {
            Ok(keys) => {
                *last = Last { keys: Some(keys.clone()), failure: None };
                Ok(keys)
            }
            Err(error) => {
                *last = Last { keys: None, failure: Some((began, error.clone())) };
                Err(wrapped(error))
            }
        }
    }
}

/// Our error travels through the SDK; `fault` takes it out again.
fn wrapped(error: Error) -> CredentialsError {
    CredentialsError::provider_error(error)
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cached")
    }
}

/// A ServiceAccount, whose token is exchanged for the role that its annotation names.
struct WebIdentity {
    field: String,
    account: ServiceAccountSelector,
    access: Arc<Access>,
    session: &'static str,
    sts: aws_sdk_sts::Client,
}

impl WebIdentity {
    async fn exchange(&self) -> Result<Keys, Error> {
        let Self { field, account, access, session, sts } = self;
        let namespace = access.scope().namespace(field, account.namespace.as_deref())?;
        let shown = format!("ServiceAccount {namespace}/{}", account.name);
        let annotations = access.service_account_annotations(field, account).await?;
        let Some(role) = annotations.get(ROLE_ANNOTATION).filter(|role| !role.is_empty()) else {
            let problem =
                format!("{field}: {shown} has no annotation {ROLE_ANNOTATION}; add it with the ARN of an IAM role");
            return Err(Error::wait(Code::AwsCredentialsInvalid, problem));
        };
        let audience = annotations.get(AUDIENCE_ANNOTATION).map_or(DEFAULT_AUDIENCE, String::as_str).to_owned();
        let audiences: Vec<String> = std::iter::once(audience).chain(account.audiences.iter().cloned()).collect();
        let act = format!("{field}: assuming role {role} as {shown}");
        let mut freshness = Freshness::Cached;
        loop {
            let token = access.service_account_token(field, account, &audiences, freshness).await?;
            let token = String::from_utf8_lossy(token.expose()).into_owned();
            let request = sts.assume_role_with_web_identity().role_arn(role).role_session_name(*session);
            match request.web_identity_token(token).send().await {
                Ok(answer) => return keys(&act, answer.credentials),
                Err(error) => {
                    let error = fault::fault(&act, &error);
                    // The ServiceAccount may have been recreated since its token was requested.
                    if error.code() != Code::AwsCredentialsInvalid || freshness == Freshness::Fresh {
                        return Err(error);
                    }
                    freshness = Freshness::Fresh;
                }
            }
        }
    }
}

/// A role to assume with the credentials that its client has.
struct Role {
    hop: Hop,
    sts: aws_sdk_sts::Client,
}

impl Role {
    async fn assume(&self) -> Result<Keys, Error> {
        let Hop { arn, external_id, session, tags, transitive } = &self.hop;
        let act = format!("assuming role {arn}");
        let tag = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build();
        let tags = tags.iter().map(tag).collect::<Result<Vec<_>, _>>().map_err(|error| {
            Error::fix(Code::AwsRequestInvalid, format!("{FIELD}.sessionTags: {error}; give key and value"))
        })?;
        let mut request = self.sts.assume_role().role_arn(arn).role_session_name(*session);
        request = request.set_external_id(external_id.clone());
        request = request.set_tags(Some(tags).filter(|tags| !tags.is_empty()));
        request = request.set_transitive_tag_keys(Some(transitive.clone()).filter(|keys| !keys.is_empty()));
        let answer = request.send().await.map_err(|error| fault::fault(&act, &error))?;
        keys(&act, answer.credentials)
    }
}

fn keys(act: &str, keys: Option<StsKeys>) -> Result<Keys, Error> {
    let keys =
        keys.ok_or_else(|| Error::retry(Code::AwsUnreachable, format!("{act}: the answer holds no credentials")))?;
    let ends_at = SystemTime::try_from(keys.expiration).ok();
    Ok(Keys::new(keys.access_key_id, keys.secret_access_key, Some(keys.session_token), ends_at, "sts"))
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
