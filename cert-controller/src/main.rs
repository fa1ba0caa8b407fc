#![forbid(unsafe_code)]
//! Keeps the webhook's certificate valid and known to the API server.
//!
//! `cluster` (what is there) → `plan` (the one next step, pure) → `cluster` (takes it); `run` repeats that until there is
//! nothing to do. What a
//! certificate must look like is in `authority`, which authorities are trusted meanwhile in `bundle`, what the API server
//! is told in `inject`.
//!
//! To force a rotation, delete a Secret: the webhook's Secret for a new certificate of the same authority, the
//! authority's Secret (`<secret-name>-ca`) for a new authority, which is published beside the old one before it signs.

mod args;
mod authority;
mod bundle;
mod certificate;
mod cluster;
mod crd;
mod inject;
mod metrics;
mod plan;
mod run;
mod status;
mod wake;

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run::run(runtime::flags::parse(args::ACCEPTED)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cert-controller: {error}");
            ExitCode::FAILURE
        }
    }
}
