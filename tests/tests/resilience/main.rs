//! What goes wrong in a cluster leaves no trace: processes are killed in the middle of their work, Secrets are edited and deleted,
//! stores hold what cannot be used. The end state is the one that was asked for, and no secret value is told to anyone.
//!
//! In this file the API server asks the webhook about everything that is applied, as in a real installation.

#[path = "../alone/mod.rs"]
mod alone;

mod canary;
mod drift;
mod kills;
mod serving;
