//! Reconciles, one module per kind, and the caches that wake them.
//!
//! Only `*/target.rs` and `*/status.rs` write to the API server (and `secret_store` its own status).

pub mod external_secret;
pub mod guard;
pub mod managed;
pub mod namespaces;
pub mod outage;
pub mod secret_store;
