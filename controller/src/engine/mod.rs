//! What carries a reconcile: watching, queueing, running. Knows nothing of what is reconciled.
//!
//! * [`watch`] follows one kind, trimmed to what is needed, and survives drops, expiry and API server restarts.
//! * [`cache`] keeps the trimmed objects by key; [`references`] keeps who refers to objects that are not kept.
//! * [`queue`] hands keys to workers: one worker per key at a time, two lanes; [`retry`] says when a failed one returns.
//! * [`run`] turns a key into one guarded reconcile with a deadline, and its outcome into the next turn.

pub mod cache;
pub mod key;
pub mod metrics;
pub mod object;
pub mod queue;
pub mod references;
pub mod retry;
pub mod run;
pub mod spread;
pub mod stamp;
pub mod timers;
pub mod watch;

pub use key::ObjectKey;
pub use queue::{Lane, Queue, Work};
