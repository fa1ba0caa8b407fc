//! The test bed: the real servers that this project talks to, started on one machine without a container engine.
//!
//! A test asks for the [`Bed`] of its file, makes a namespace of its own in it, and works against a real API server with real
//! RBAC, a real Vault-compatible store and an AWS that answers as AWS does. Each binary under test is a process with the
//! permissions of its own ServiceAccount. What went over the wire can be counted from the servers' own logs.
//!
//! ```no_run
//! use tests::{Bed, Binary, Result};
//!
//! #[tokio::test]
//! async fn controller_starts() -> Result {
//!     let bed = Bed::shared().await?;
//!     bed.install().await?;
//!     let namespace = bed.namespace("starts").await?;
//!     let mut controller = bed.operator(Binary::Controller, &["--namespace", &namespace]).await?;
//!     controller.kill_9().await?;
//!     controller.restart().await
//! }
//! ```
//!
//! Promises: servers listen on 127.0.0.1 only, at free ports, with their files in one temporary folder; they end with the test
//! process, however it ends; nothing is ended that was not started here; the folder stays when a test failed, and goes otherwise.

#![forbid(unsafe_code)]

mod admission;
mod audit;
mod aws_gate;
mod balancer;
mod bed;
mod certificates;
mod control_plane;
mod counts;
pub mod examples;
mod failure;
mod folder;
mod gate;
mod http_client;
mod install;
mod kubeconfig;
mod kubelet;
mod lasting_bao;
mod leash;
mod moto;
mod openbao;
mod operator;
pub mod pages;
mod ports;
mod proxy;
pub mod resources;
pub mod strict_vault;
pub mod tools;
pub mod wait;

pub use admission::Admission;
pub use audit::ApiRequest;
pub use aws_gate::{AwsGate, INSTANCE_KEY};
pub use balancer::Balancer;
pub use bed::{Bed, Output};
pub use counts::{Mark, Requests};
pub use failure::{Failure, Result};
pub use gate::{Fault, Gate};
pub use kubelet::{Delay, Projection};
pub use lasting_bao::LastingBao;
pub use moto::{Moto, MotoRequest};
pub use openbao::{OpenBao, StoreRequest};
pub use operator::{Binary, OPERATOR_NAMESPACE, Process};
pub use proxy::{Call, CrashPoint, Moment, Proxy, Server, WatchEnd};
