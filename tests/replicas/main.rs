//! Replicas of the real binary, on a real PostgreSQL and a real S3 server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code)]
#[path = "../../crates/berth-object/tests/support/server.rs"]
mod server;

mod accounts;
mod migration;
mod refusals;
mod serving;
mod upkeep;
mod world;
