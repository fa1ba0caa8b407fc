//! Why a process cannot start or cannot go on. Every message names what was being done and the next step.

use std::io;

/// See the module documentation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("another TLS provider was installed before aws-lc-rs; this is a defect of the build")]
    CryptoProvider,

    #[error("--loglevel {0:?} is not one of debug, info, warn, error")]
    LogLevel(String),

    #[error("--zap-time-encoding {0:?} is not one of epoch, millis, nano, iso8601, rfc3339, rfc3339nano")]
    TimeEncoding(String),

    #[error("logging was set up twice; this is a defect of the build")]
    LoggingTwice,

    #[error("address {0:?} is not of the form \":8080\" or \"127.0.0.1:8080\"; \"0\" switches the server off")]
    Address(String),

    #[error("listening on {address}: {source}; choose another address or stop the program that uses it")]
    Listen { address: String, source: io::Error },

    /// The cause is text because the parser's own error quotes the file, which holds credentials.
    #[error("reading the kubeconfig {path} that KUBECONFIG names: {cause}; correct the file or the variable")]
    Kubeconfig { path: String, cause: String },

    #[error("finding the cluster: the default kubeconfig: {cause}; set KUBECONFIG or run inside a cluster")]
    NoCluster { cause: String },

    #[error("building the Kubernetes client: {0}")]
    Client(#[source] kube::Error),

    #[error("registering a metric: {0}")]
    Metric(#[from] prometheus::Error),

    #[error("leader election: {0}")]
    Election(String),
}
