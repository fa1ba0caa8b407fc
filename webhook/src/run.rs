//! Puts the process together: flags in, servers up, drained on SIGTERM.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use api::template_syntax::Syntax;
use prometheus::Registry;
use runtime::admin::{Admin, Health};
use runtime::flags::Parsed;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::certificate::{Current, Files};
use crate::clients::Clients;
use crate::metrics::Metrics;
use crate::{server, tls};

/// A new certificate is in use this long after the kubelet delivered it, at the latest. Reading two small files costs
/// nothing, and cert-controller counts on it when it retires an authority.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A shorter `--check-interval` would busy a core for nothing.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(50);

/// Why the process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    #[error("{0}")]
    Flag(String),
    #[error("listening on port {port}: {source}; choose another with --port")]
    Listen { port: u16, source: std::io::Error },
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(parsed: Parsed<Args>) -> Result<(), Error> {
    runtime::crypto::install()?;
    runtime::logging::init_with(&parsed.args.loglevel, parsed.args.zap_time_encoding.parse()?, "webhook")?;
    parsed.warn();
    let args = parsed.args;
    let syntax = Syntax::new(&args.template_left_delimiter, &args.template_right_delimiter, &args.template_limit);
    let token = runtime::shutdown::signals();
    let registry = Registry::new();
    let metrics = Metrics::new(&registry).map_err(runtime::Error::from)?;

    let provider = Arc::new(tls::provider(&args.tls_ciphers));
    let current = Arc::new(Current::default());
    let options = tls::Options { min_version: &args.tls_min_version, http2: args.enable_http2 };
    let clients = args.client_ca_file.map(|file| Clients::new(file, &args.client_allowed_names, provider.clone()));
    let clients = clients.map(Arc::new);
    let acceptor = tls::acceptor(&options, provider.clone(), current.clone(), clients.clone()).map_err(Error::Flag)?;
    let files = Files::new(&args.cert_dir, &args.dns_name, provider, current.clone());
    let interval = args.check_interval.clamp(LOOK_AT_MOST_EVERY, LOOK_EVERY);
    let mut watching = JoinSet::new();
    watching.spawn(files.watch(interval));
    if let Some(clients) = &clients {
        watching.spawn(clients.clone().watch(interval));
    }

    let listener = listen(args.bind_address, args.port).map_err(|source| Error::Listen { port: args.port, source })?;
    let _admin = Admin::new()
        .metrics(&args.metrics_addr, registry)
        .health(&args.healthz_addr, health(current, clients, token.clone()))
        .start()
        .await?;
    tracing::info!(port = args.port, version = env!("CARGO_PKG_VERSION"), "webhook serves");
    server::serve(listener, acceptor, args.enable_http2, server::router(&metrics, syntax), token).await;
    watching.abort_all();
    tracing::info!("stopped");
    Ok(())
}

/// Without an address every interface: IPv6's wildcard, which takes IPv4 too, where there is one.
fn listen(address: Option<IpAddr>, port: u16) -> std::io::Result<TcpListener> {
    if let Some(address) = address {
        return server::bind(SocketAddr::from((address, port)));
    }
    server::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
        .or_else(|_| server::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))))
}

/// Ready: not stopping, a certificate that is good for the next hour, and authorities of clients if those are asked for.
fn health(current: Arc<Current>, clients: Option<Arc<Clients>>, token: CancellationToken) -> Arc<Health> {
    let health = Health::new();
    health.check("certs", move || current.ready(SystemTime::now()));
    if let Some(clients) = clients {
        health.check("client-ca", move || clients.ready());
    }
    health.check("shutdown", move || if token.is_cancelled() { Err("stopping".to_owned()) } else { Ok(()) });
    Arc::new(health)
}
