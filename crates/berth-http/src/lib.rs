//! The OCI Distribution API over HTTP/1.1 and HTTP/2, in clear or over TLS.
//!
//! A request becomes a typed [`Route`](berth_route::Route), the route an operation of
//! [`Registry`](berth_registry::Registry), and its outcome a response. Handlers hold no rules and no SQL: they translate.
//!
//! ```
//! use std::sync::Arc;
//! use berth_http::{Setup, serve};
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
//! serve(listener, None, Setup::new(registry), stop).await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod access;
mod activity;
mod audit_trail;
mod blobs;
mod changes;
mod clear_text;
mod conditions;
mod connection;
mod dispatch;
mod enforcement;
mod errors;
mod head;
mod large_bodies;
mod limits;
mod lists;
mod manifests;
mod mapped_body;
mod origin;
mod places;
mod protocol;
mod range;
mod refusals;
mod request_body;
mod request_log;
mod responses;
mod rights;
mod server;
mod service;
mod stall_guard;
mod throttle;
mod token_endpoint;
mod uploads;

pub use limits::Limits;
pub use origin::{ForwardedHeader, Origins, PublicUrl, PublicUrlError};
pub use places::ConnectionLimits;
pub use server::{Setup, serve};
pub use throttle::{
    ClientKey, LoginGuard, Permit, Refused, RequestRate, Throttle, ThrottleSettings, TooMany,
};

/// How headers are read, for `tests/fuzz`: no part of what this crate offers.
#[doc(hidden)]
pub mod headers {
    pub use crate::conditions::{is_not_modified, is_not_wanted, of_change, range_counts};
    pub use crate::range::{Wanted, chunk, wanted};
}
