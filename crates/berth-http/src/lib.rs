//! The OCI Distribution API over HTTP/1.1 and HTTP/2 (prior knowledge, in clear).
//!
//! A request becomes a typed [`Route`](berth_route::Route), the route an operation of
//! [`Registry`](berth_registry::Registry), and its outcome a response. Handlers hold no rules and no SQL: they translate.
//!
//! ```
//! use std::sync::Arc;
//! use berth_http::{Limits, serve};
//! use berth_registry::{MemoryBlobs, MemoryMetadata, Registry, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new(
//!     Arc::new(MemoryMetadata::default()),
//!     Arc::new(MemoryBlobs::default()),
//!     Settings::default(),
//! );
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let stop = async { /* wait for a signal here */ };
//! serve(listener, registry, Limits::default(), stop).await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod activity;
mod blobs;
mod conditions;
mod connection;
mod errors;
mod large_bodies;
mod limits;
mod lists;
mod manifests;
mod mapped_body;
mod range;
mod request_body;
mod request_log;
mod responses;
mod server;
mod service;
mod stall_guard;
mod throttle;
mod uploads;

pub use limits::Limits;
pub use server::serve;
pub use throttle::{
    ClientKey, LoginGuard, Permit, Refused, RequestRate, Throttle, ThrottleSettings, TooMany,
};

/// How headers are read, for `tests/fuzz`: no part of what this crate offers.
#[doc(hidden)]
pub mod headers {
    pub use crate::conditions::{is_not_modified, is_not_wanted, of_change, range_counts};
    pub use crate::range::{Wanted, chunk, wanted};
}
