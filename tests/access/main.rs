//! Who may do what, asked of the real binary over plain HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;

mod audit;
#[allow(dead_code)]
#[path = "../tls/authority.rs"]
mod authority;
mod caches;
mod catalog;
mod changes;
mod heads;
mod hidden;
mod hidden_over_http_2;
mod mounts;
mod request_ids;
mod routes;
mod secrets;
mod token_server;
mod world;
