//! ServiceAccount tokens by TokenRequest, each used for two thirds of its life.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, api::PostParams};

use crate::secret_bytes::SecretBytes;

/// Life of a token for which nobody asks more: the shortest that Kubernetes grants, and what the Go operator asks for.
pub(super) const LIFE_SECONDS: i64 = 600;

/// Tokens kept at once. A token is about 1 KiB, so this is a megabyte; past it the oldest one goes.
const KEPT: usize = 1024;

/// Whether a token that was requested earlier will do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    Cached,
    Fresh,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Request {
    pub namespace: String,
    pub name: String,
    pub audiences: Vec<String>,
    /// Life that is asked for; Kubernetes refuses less than ten minutes.
    pub seconds: i64,
}

#[derive(Default)]
pub(super) struct Tokens {
    kept: Mutex<HashMap<Request, Kept>>,
}

struct Kept {
    token: SecretBytes,
    use_until: Instant,
}

impl Tokens {
    pub async fn token(
        &self,
        client: kube::Client,
        request: Request,
        freshness: Freshness,
    ) -> Result<SecretBytes, kube::Error> {
        let requested_at = now();
        if freshness == Freshness::Cached
            && let Some(token) = self.kept(&request, requested_at)
        {
            return Ok(token);
        }
        let (token, life) = create(client, &request).await?;
        self.keep(request, Kept { token: token.clone(), use_until: requested_at + life * 2 / 3 }, requested_at);
        Ok(token)
    }

    fn kept(&self, request: &Request, now: Instant) -> Option<SecretBytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(request).filter(|kept| now < kept.use_until).map(|kept| kept.token.clone())
    }

    fn keep(&self, request: Request, token: Kept, now: Instant) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.retain(|_, kept| now < kept.use_until);
        }
        if kept.len() >= KEPT
            && let Some(oldest) = kept.iter().min_by_key(|(_, kept)| kept.use_until).map(|(request, _)| request.clone())
        {
            kept.remove(&oldest);
        }
        kept.insert(request, token);
    }
}

/// Asks for a token; also says how long the server lets it live, never more than was asked for.
async fn create(client: kube::Client, request: &Request) -> Result<(SecretBytes, Duration), kube::Error> {
    let api: Api<ServiceAccount> = Api::namespaced(client, &request.namespace);
    let spec = TokenRequestSpec {
        audiences: request.audiences.clone(),
        expiration_seconds: Some(request.seconds),
        bound_object_ref: None,
    };
    let wanted = TokenRequest { spec, ..TokenRequest::default() };
    let answer = api.create_token_request(&request.name, &PostParams::default(), &wanted).await?;
    let Some(status) = answer.status else {
        let message = "the token request was answered without a token";
        return Err(kube::Error::Service(message.into()));
    };
    let life = status.expiration_timestamp.0.duration_since(jiff::Timestamp::now());
    let wanted = Duration::from_secs(u64::try_from(request.seconds).unwrap_or_default());
    let life = Duration::try_from(life).unwrap_or_default().min(wanted);
    Ok((SecretBytes::from(status.token), life))
}

/// Tokio's clock, so that tests can pause it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
