//! AWS: how often it is asked, every way to sign in, Parameter Store. `docs/providers/aws.md` is followed block by block.

#[path = "../support/mod.rs"]
mod support;

mod identities;
mod page;
mod parameters;
mod thousand;

/// The region of all stores here.
const REGION: &str = "eu-central-1";
