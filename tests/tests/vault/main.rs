//! Vault: every method of logging in, the connection, and how often it is asked. `docs/providers/vault.md` is followed block by
//! block.

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod connection;
mod kv;
mod methods;
mod page;
mod strict;
mod tokens;

use std::time::Duration;

/// Time that a busy machine may take for the whole of a test's waits.
const LONG: Duration = Duration::from_secs(80);
