//! A store at AWS, whichever service: entries by name, one value each.
//!
//! Equal reads become one, different ones of a moment share calls ([`Gather`]), and what ExternalSecrets in the queue will
//! ask is asked along ([`Ahead`]); where a call has room all the same, refreshes that are nearly due are brought forward.

use std::{sync::Arc, time::Instant};

use api::external_secret::{Find, MetadataPolicy, RemoteRef};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    auth::Credentials,
    gather::{Batch, Found, Gather},
    property,
};
use crate::{
    error::{Code, Error},
    provider::{
        Readiness, Store, Values,
        ahead::{Ahead, Taken},
        reads::{Reads, Weigh},
    },
    secret_bytes::SecretBytes,
};

/// Reads that one search makes at the same time: two full batches of the larger kind.
const CONCURRENCY: usize = 40;

/// Most bytes that one search may bring; a Secret holds one.
const MAX_FOUND_BYTES: usize = 16 << 20;

/// A service that keeps entries.
#[async_trait]
pub trait Service: Batch + Clone {
    /// What it calls an entry.
    const NOUN: &'static str;

    /// What the entry is called in a batch; none: it is read alone.
    fn in_batch(&self, name: &str, version: Option<&str>) -> Option<String>;

    /// The entry in a version that no batch can express.
    async fn version(&self, name: &str, version: &str) -> Result<Found, Error>;

    /// The tags of an entry as a JSON object.
    async fn tags(&self, name: &str) -> Result<Found, Error>;

    /// What matches a search.
    async fn search(&self, query: &Find) -> Result<Matches, Error>;

    fn credentials(&self) -> &Credentials;
}

/// What a search found.
pub enum Matches {
    /// Names of entries, still to be read.
    Names(Vec<String>),
    Values(Values),
}

/// What was asked for, so that equal reads become one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Asked {
    /// By its name in a batch.
    Value(String),
    Version {
        name: String,
        version: String,
    },
    Tags(String),
}

/// What was found; none if there is no such entry.
pub struct Answer(Found);

impl Weigh for Answer {
    fn weigh(&self) -> usize {
        self.0.as_ref().map_or(0, SecretBytes::len)
    }
}

/// See the module documentation.
pub struct Entries<S>(Arc<Inner<S>>);

struct Inner<S> {
    service: S,
    gather: Gather<S>,
    prefix: String,
    reads: Reads<Asked, Answer>,
    ahead: Ahead,
}

impl<S: Service> Entries<S> {
    pub fn new(service: S, prefix: Option<String>, reads: Reads<Asked, Answer>, ahead: Ahead) -> Self {
        let gather = Gather::new(service.clone());
        let inner = Arc::new(Inner { service, gather, prefix: prefix.unwrap_or_default(), reads, ahead });
        let weak = Arc::downgrade(&inner);
        inner.gather.fill_with(move || {
            if let Some(inner) = weak.upgrade() {
                inner.ask_along();
                inner.bring_forward();
            }
        });
        Self(inner)
    }
}

impl<S: Service> Inner<S> {
    fn name(&self, remote: &RemoteRef) -> String {
        format!("{}{}", self.prefix, remote.key)
    }

    fn asked(&self, remote: &RemoteRef) -> Asked {
        let name = self.name(remote);
        if remote.metadata_policy == MetadataPolicy::Fetch {
            return Asked::Tags(name);
        }
        match (self.service.in_batch(&name, remote.version.as_deref()), &remote.version) {
            (Some(name), _) => Asked::Value(name),
            (None, Some(version)) => Asked::Version { name, version: version.clone() },
            (None, None) => Asked::Value(name),
        }
    }

    fn work(&self, asked: Asked) -> impl Future<Output = Result<Answer, Error>> + Send + 'static {
        let (service, gather) = (self.service.clone(), self.gather.clone());
        let expected = matches!(asked, Asked::Value(_)).then(|| gather.expect());
        async move {
            match (&asked, expected) {
                (Asked::Value(name), Some(expected)) => gather.get(name, expected).await,
                (Asked::Value(name), None) => service.one(name).await,
                (Asked::Version { name, version }, _) => service.version(name, version).await,
                (Asked::Tags(name), _) => service.tags(name).await,
            }
            .map(Answer)
        }
    }

    async fn read(&self, asked: Asked, since: Instant) -> Result<Arc<Answer>, Error> {
        let (answer, is_new) = self.reads.join(asked.clone(), since, || self.work(asked.clone()));
        if is_new && matches!(asked, Asked::Value(_)) {
            self.ask_along();
        }
        answer.await
    }

    /// Begins reads that others will ask for, as far as there is room beside one that has just begun.
    fn ask_along(&self) {
        let mut room = self.gather.room();
        if room == 0 {
            return;
        }
        self.ahead.visit(&mut |remote, since| {
            let asked = self.asked(remote);
            if matches!(asked, Asked::Value(_)) {
                // Whoever will ask for it finds it.
                let (_, is_new) = self.reads.join(asked.clone(), since, || self.work(asked));
                room -= usize::from(is_new);
            }
            room > 0
        });
    }

    /// Has refreshes come now that are nearly due, as far as there is room for all that they read.
    fn bring_forward(&self) {
        let mut room = self.gather.room();
        // A backend that does not answer has enough to fail already.
        if room == 0 || !self.gather.is_answered() {
            return;
        }
        self.ahead.bring_forward(&mut |remotes, since| {
            let asked: Vec<Asked> = remotes.iter().map(|remote| self.asked(remote)).collect();
            if room == 0 {
                return Taken::Full;
            }
            let is_shared = |asked: &Asked| matches!(asked, Asked::Value(name) if self.gather.takes(name));
            if asked.len() > room || !asked.iter().all(is_shared) {
                return Taken::No;
            }
            for asked in asked {
                let (_, is_new) = self.reads.join(asked.clone(), since, || self.work(asked));
                room -= usize::from(is_new);
            }
            Taken::Yes
        });
    }

    fn what(&self, remote: &RemoteRef) -> String {
        format!("{} {:?}", S::NOUN, self.name(remote))
    }
}

#[async_trait]
impl<S: Service> Store for Entries<S> {
    async fn get(&self, remote: &RemoteRef, since: Instant) -> Result<Option<SecretBytes>, Error> {
        let answer = self.0.read(self.0.asked(remote), since).await?;
        answer.0.as_ref().map(|value| property::part(&self.0.what(remote), remote, value)).transpose()
    }

    async fn get_map(&self, remote: &RemoteRef, since: Instant) -> Result<Option<Values>, Error> {
        let value = self.get(remote, since).await?;
        value.map(|value| property::members(&self.0.what(remote), &value)).transpose()
    }

    async fn find(&self, query: &Find, since: Instant) -> Result<Option<Values>, Error> {
        let names = match self.0.service.search(query).await? {
            Matches::Values(values) => return bounded(values).map(Some),
            Matches::Names(names) => names,
        };
        let mut reads = stream::iter(names)
            .map(|name| async move { Ok::<_, Error>((self.0.read(Asked::Value(name.clone()), since).await?, name)) })
            .buffered(CONCURRENCY);
        let mut values = Values::new();
        let mut size = 0;
        while let Some((answer, name)) = reads.try_next().await? {
            // Deleted between being listed and being read.
            let Some(value) = &answer.0 else { continue };
            size += value.len();
            if size > MAX_FOUND_BYTES {
                return Err(too_much());
            }
            values.insert(name, value.clone());
        }
        Ok(Some(values))
    }

    /// Credentials can be had; nothing is asked of the service, since policies may allow reading some entries only.
    async fn check(&self) -> Result<Readiness, Error> {
        self.0.service.credentials().check().await.map(|()| Readiness::Ready)
    }

    /// It comes before the reads of an ExternalSecret that somebody changed.
    fn reconsider(&self, _: Option<&RemoteRef>) {
        self.0.gather.hurry();
    }

    /// It asks STS where a role is assumed, and nobody where keys are given.
    fn check_asks_backend(&self) -> bool {
        false
    }
}

fn bounded(values: Values) -> Result<Values, Error> {
    let size: usize = values.values().map(SecretBytes::len).sum();
    if size > MAX_FOUND_BYTES { Err(too_much()) } else { Ok(values) }
}

fn too_much() -> Error {
    let problem = format!("find matches more than {MAX_FOUND_BYTES} bytes; narrow it");
    Error::fix(Code::RemoteValueInvalid, problem)
}
