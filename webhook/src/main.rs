#![forbid(unsafe_code)]
//! Judges ExternalSecrets and stores on apply, so that whoever writes one learns at once what is wrong with it.
//!
//! `tls`, `certificate`, `clients` (files that may change at any time) → `server`, `connections`, `arrivals` (bounds on everything a client
//! can do) → `review` (the envelope) → `api::admission::judge` (the verdict). The process needs no access to the Kubernetes API.

mod args;
mod arrivals;
mod certificate;
mod clients;
mod connections;
mod metrics;
mod review;
mod run;
mod server;
mod tls;

use std::process::ExitCode;

// Four threads saturate any API server's admission traffic; more would only cost memory on large nodes.
#[tokio::main(worker_threads = 4)]
async fn main() -> ExitCode {
    match run::run(runtime::flags::parse(args::ACCEPTED)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("webhook: {error}");
            ExitCode::FAILURE
        }
    }
}
