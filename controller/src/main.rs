//! `controller`: reconciles ExternalSecrets and stores. See [`run`].
#![forbid(unsafe_code)]

mod args;
mod ctx;
mod engine;
mod error;
mod events;
mod http;
mod metrics;
mod provider;
mod reconcile;
mod resolve;
mod run;
mod secret_bytes;
mod sense;
mod templates;

use std::process::ExitCode;

fn main() -> ExitCode {
    let parsed = runtime::flags::parse::<args::Args>(args::ACCEPTED);
    match start(parsed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("controller: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(parsed: runtime::flags::Parsed<args::Args>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    runtime::crypto::install()?;
    runtime::logging::init_with(&parsed.args.loglevel, parsed.args.zap_time_encoding.parse()?, "controller")?;
    parsed.warn();
    // A panic's payload may quote data; its place says enough to find it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a part of the controller panicked");
    }));
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run::run(parsed.args))
}
