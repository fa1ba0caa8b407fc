//! What the end-to-end tests of refusals and policies share: a namespace with the operator at work in it ([`Scene`]), and
//! manifests as values ([`manifest`]).
//!
//! The controller of a test file is one process for all of its tests; a test that needs other flags starts its own with a
//! class of its own.

#![allow(dead_code, unused_imports, reason = "each test file compiles this module for itself and uses a part of it")]

pub mod manifest;
mod scene;

use std::time::Duration;

use tests::{Bed, Binary, Failure, Process, Result};
use tokio::sync::OnceCell;

pub use scene::{Ready, Scene, data, says, version};

/// Long beside what the operator takes, also while another program compiles on the same machine.
pub const SOON: Duration = Duration::from_secs(40);

static CONTROLLER: OnceCell<std::result::Result<Process, String>> = OnceCell::const_new();

/// Files that show what the controller itself refuses. Their definitions lack the rules that would refuse it before, as definitions
/// that are older or the Go operator's do.
const WITHOUT_RULES: [&str; 4] = ["model", "policies", "stores", "templates"];

/// Applies our manifests, once per bed.
pub async fn install(bed: &Bed) -> Result {
    if WITHOUT_RULES.contains(&env!("CARGO_CRATE_NAME")) {
        return bed.install_without_rules().await;
    }
    bed.install().await
}

/// The controller of this test file, started with the first call.
pub async fn controller(bed: &'static Bed) -> Result<&'static Process> {
    let start = || async {
        install(bed).await.map_err(|failure| failure.to_string())?;
        bed.operator(Binary::Controller, &[]).await.map_err(|failure| failure.to_string())
    };
    CONTROLLER.get_or_init(start).await.as_ref().map_err(|reason| Failure::new(reason.clone()))
}
