//! What the real binary promises about bytes, memory and disks, under load and under violence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;

mod full_disk;
mod kill;
mod memory;
