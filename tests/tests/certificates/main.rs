//! The webhook's certificate, live: issued, told to the API server, rotated while clients apply objects, damaged, deleted, and taken over
//! from the Go operator. Through all that leaves it a choice no admission call fails.

#[path = "../support/mod.rs"]
mod support;

mod damage;
mod healing;
mod kills;
mod load;
mod permissions;
mod proof;
mod rotation;
mod serving;
mod takeover;
