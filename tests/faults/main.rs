//! What a client of the real binary sees when disks, handles, locks, clocks or other clients fail it, and
//! that nothing acknowledged is lost. `tests/durability` has killed processes and full disks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;

mod acknowledged;
mod cancelled_pulls;
mod clock;
mod file_handles;
mod idle_connections;
mod locked_database;
mod malformed_bodies;
mod malformed_heads;
mod pipelined;
mod read_only;
mod slow_crowds;
