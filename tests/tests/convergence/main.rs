//! The controller comes to the same end whatever happens on the way: killed at any request of its work
//! ([`crash_points`]), told late what happened ([`late_scenarios`], [`stale_reads`]), or cut off from the API server ([`relists`]). Nothing is
//! deleted or written twice, and nothing of others is touched on old knowledge.

#[path = "../support/mod.rs"]
mod support;

mod crash_points;
mod late_scenarios;
mod relists;
mod scenarios;
mod stale_reads;
mod state;
mod steps;
mod undisturbed;
mod world;
mod writes;
