#![forbid(unsafe_code)]
//! What the three processes share, so that each `main` is a page: flags, logging, the admin server (metrics and
//! health), shutdown, the Kubernetes client and leader election.
//!
//! Nothing here knows what the processes are for. Every part is independent of the others except that [`client`]
//! counts its requests in the registry that [`admin`] serves. Order in a `main`: [`crypto::install`],
//! [`flags::parse`], [`logging::init`], [`shutdown::signals`], [`admin::Admin::start`], [`client::connect`], and
//! [`lease::Election::run`] where a process wants to be the only one.

pub mod admin;
pub mod client;
pub mod crypto;
pub mod error;
pub mod flags;
pub mod lease;
pub mod logging;
pub mod shutdown;

pub use error::Error;
