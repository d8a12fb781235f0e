//! The real binary over TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;

mod authority;
mod clients;
mod reload;
mod serving;
mod starting;
