//! A proxy between one controller and the servers it works with: it names each request, stops the line at a chosen one, holds
//! back what watches tell, and ends them.
//!
//! Enters: the plain HTTP of a controller whose kubeconfig and stores name this proxy. Leaves: the same requests, to the API
//! server over TLS and to OpenBao. Promised: once the line is cut, no request is forwarded and no answer given back until
//! [`Proxy::record`]; news that are frozen arrive later, complete and in order. Lists and watches, `/version` and Leases are
//! not counted as work: killed there, a controller has done nothing yet.

mod call;
mod forward;
mod line;

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

use crate::{
    bed::Bed,
    failure::{Failure, Result},
    folder::Folder,
    kubeconfig::Access,
    operator::{Binary, OPERATOR_NAMESPACE},
    ports, wait,
};

pub use call::{Call, Server};
pub use line::{CrashPoint, Moment, WatchEnd};

use forward::{Side, forward};
use line::Line;

/// The servers on this machine answer within seconds, however busy it is.
const DRAINED: Duration = Duration::from_mins(1);

/// See the module documentation. It belongs to the runtime that started it.
pub struct Proxy {
    line: Arc<Line>,
    kubeconfig: PathBuf,
    store: String,
    listeners: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// For the controller that works in `namespace`.
    pub(crate) async fn start(bed: &Bed, folder: &Folder, namespace: &str) -> Result<Self> {
        let mut proxy = Self::before_kubernetes(bed, folder, Binary::Controller, namespace).await?;
        let side = side(bed, &proxy.line, Server::OpenBao, &bed.bao().await?.address, namespace)?;
        let (store, listener) = listen(side).await?;
        proxy.store = store;
        proxy.listeners.push(listener);
        Ok(proxy)
    }

    /// For a binary that asks no store.
    pub(crate) async fn start_for(bed: &Bed, folder: &Folder, binary: Binary) -> Result<Self> {
        Self::before_kubernetes(bed, folder, binary, OPERATOR_NAMESPACE).await
    }

    async fn before_kubernetes(bed: &Bed, folder: &Folder, binary: Binary, namespace: &str) -> Result<Self> {
        let line = Arc::new(Line::new());
        let (kubernetes, listener) = listen(side(bed, &line, Server::Kubernetes, bed.server(), namespace)?).await?;
        let token = bed.service_account_token(OPERATOR_NAMESPACE, binary.service_account()).await?;
        let kubeconfig = folder.inside("kubeconfigs")?.join(format!("proxy-{}", ports::random_word()));
        Access { server: &kubernetes, ca_pem: bed.ca_pem(), token: &token }.write(&kubeconfig)?;
        Ok(Self { line, kubeconfig, store: String::new(), listeners: vec![listener] })
    }

    /// What a controller needs in its environment to work through this proxy.
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![("KUBECONFIG".to_owned(), self.kubeconfig.display().to_string())]
    }

    /// OpenBao's address for stores.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// Opens the line, once what was handed on is done, forgets what was recorded, and stops the line at `point` if one is given.
    pub async fn record(&self, point: Option<CrashPoint>) -> Result {
        tokio::time::timeout(DRAINED, self.line.is_drained())
            .await
            .map_err(|_| Failure::new(format!("waited {DRAINED:?} for the answers to what was handed on")))?;
        self.line.record(point);
        Ok(())
    }

    /// The work since the recording began, in the order of its arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.line.calls()
    }

    /// Waits until the line was stopped at its point.
    pub async fn stopped(&self, deadline: Duration) -> Result {
        tokio::time::timeout(deadline, self.line.is_cut()).await.map_err(|_| {
            let calls: Vec<_> = self.calls().iter().map(ToString::to_string).collect();
            Failure::new(format!("the crash point was not reached; there were {}", calls.join(", ")))
        })
    }

    /// Waits until nothing has come or gone for `span`.
    pub async fn quiet(&self, span: Duration, deadline: Duration) -> Result {
        wait::until("the controller to be quiet", deadline, || async {
            let quiet = self.line.quiet_since().is_some_and(|since| Instant::now() - since >= span);
            if quiet { Ok(()) } else { Err("it is at work".to_owned()) }
        })
        .await
    }

    /// What happens elsewhere counts as a request would: [`Proxy::quiet`] begins anew.
    pub fn stirred(&self) {
        self.line.stirred();
    }

    /// Holds back what watches and lists of a plural tell.
    pub fn freeze(&self, plural: &str) {
        self.line.freeze(plural);
    }

    /// Lets it come, in order.
    pub fn thaw(&self, plural: &str) {
        self.line.thaw(plural);
    }

    /// Ends the open watches of a plural; what was held back for them is lost.
    pub fn end_watches(&self, plural: &str, how: WatchEnd) {
        self.line.end_watches(plural, how);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

fn side(bed: &Bed, line: &Arc<Line>, server: Server, target: &str, namespace: &str) -> Result<Side> {
    let authority = reqwest::Certificate::from_pem(bed.ca_pem().as_bytes())?;
    // No timeout: watches stay open.
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build()?;
    Ok(Side { server, target: target.to_owned(), http, line: line.clone(), namespace: namespace.to_owned() })
}

async fn listen(side: Side) -> Result<(String, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(forward).with_state(Arc::new(side));
    let serving = tokio::spawn(async move {
        // It ends with the proxy only.
        let _ = axum::serve(listener, router).await;
    });
    Ok((address, serving))
}
