//! The `external-secrets.io` API: what users may write, what it means, and whether it makes sense.
//!
//! Three readers share this crate. The controller decodes objects and acts on their [`plan::Plan`]; the webhook asks
//! [`admission::judge`]; `manifests/crds` is printed from [`crds`]. Everything here is pure: no clock, no network, no
//! async, so that one object means the same to all of them.
//!
//! Objects of every served version are decoded with the types of the stored version, v1: the versions differ in schema
//! only, and the JSON is the same.
#![forbid(unsafe_code)]

pub mod admission;
pub mod condition;
pub mod crds;
pub mod decode;
pub mod duration;
pub mod external_secret;
pub mod field_path;
pub mod hash;
pub mod names;
pub mod plan;
pub mod problem;
pub mod provider;
pub mod reference;
pub mod regexp;
pub mod schedule;
pub mod store;
pub mod template_syntax;

mod field;
mod nearest;
