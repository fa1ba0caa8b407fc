//! Backends that fail, and those that fail at random: what is asked of them meanwhile, what users see, and how soon all is well.

#[path = "../support/mod.rs"]
mod support;

mod calm;
mod schedules;

/// A number from the environment, for the runs that take longer than a test should.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
