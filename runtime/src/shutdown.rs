//! From a signal to a token that everything watches.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit status after a second signal, as a shell reports a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// A token that SIGTERM or SIGINT cancels. A second signal ends the process at once, for the person at the keyboard.
///
/// When signals cannot be caught the token comes back cancelled: a process that could not be stopped cleanly must not
/// start work. Call it inside a tokio runtime.
pub fn signals() -> CancellationToken {
    let token = CancellationToken::new();
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => {
            tokio::spawn(cancel_then_exit(terminate, interrupt, token.clone()));
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "cannot catch SIGTERM and SIGINT, stopping");
            token.cancel();
        }
    }
    token
}

async fn cancel_then_exit(mut terminate: Signal, mut interrupt: Signal, token: CancellationToken) {
    let name = either(&mut terminate, &mut interrupt).await;
    tracing::info!(signal = name, "stopping");
    token.cancel();
    let name = either(&mut terminate, &mut interrupt).await;
    tracing::warn!(signal = name, "second signal, exiting at once");
    std::process::exit(INTERRUPTED);
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
