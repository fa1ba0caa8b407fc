//! What every call of a store needs besides the request: its turn, credentials, a count, and an error of ours.

use std::{sync::Arc, time::Instant};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{
    auth::Credentials,
    fault::fault,
    pace::{Pace, Quota},
};
use crate::{
    error::{Code, Error},
    provider::metrics::ProviderMetrics,
};

/// One identity at one service. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    pub credentials: Credentials,
    /// The service, as metrics name it.
    service: &'static str,
    metrics: ProviderMetrics,
    pace: Arc<Pace>,
}

/// A kind of call.
#[derive(Clone, Copy)]
pub struct Call {
    /// As metrics name it.
    pub name: &'static str,
    pub quota: Quota,
}

impl Caller {
    pub fn new(service: &'static str, credentials: Credentials, metrics: &ProviderMetrics, pace: Pace) -> Self {
        Self { credentials, service, metrics: metrics.clone(), pace: Arc::new(pace) }
    }

    /// Makes a call. `act`: what is tried, naming the entry.
    pub async fn call<T, E>(
        &self,
        call: Call,
        act: &str,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.pace.turn(call.quota, act).await?;
        let began = Instant::now();
        let result = send.await;
        self.record(call, result.is_ok(), began);
        self.mapped(act, result).await
    }

    /// Makes a call that may find nothing: `None` where `is_absent` says so of the error's code and message.
    pub async fn look<T, E>(
        &self,
        call: Call,
        act: &str,
        is_absent: fn(&str, &str) -> bool,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Option<T>, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.pace.turn(call.quota, act).await?;
        let began = Instant::now();
        let result = send.await;
        if let Err(error) = &result
            && is_absent(error.code().unwrap_or_default(), error.message().unwrap_or_default())
        {
            self.record(call, true, began);
            return Ok(None);
        }
        self.record(call, result.is_ok(), began);
        self.mapped(act, result).await.map(Some)
    }

    fn record(&self, call: Call, success: bool, began: Instant) {
        self.metrics.record(self.service, call.name, success, began.elapsed());
    }

    /// Credentials that AWS refuses are obtained anew next time.
    async fn mapped<T, E>(&self, act: &str, result: Result<T, SdkError<E, HttpResponse>>) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match result {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let error = fault(act, &error);
                if error.code() == Code::AwsCredentialsInvalid {
                    self.credentials.forget().await;
                }
                Err(error)
            }
        }
    }
}
