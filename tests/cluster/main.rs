//! Replicas of the real binary on one PostgreSQL and one bucket, behind a balancer that knows TCP alone. Whatever is killed, stopped or cut
//! off meanwhile: what one replica has acknowledged, every replica has. `BERTH_CLUSTER_SECONDS` has all that is random go on for longer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code)]
#[path = "../../crates/berth-object/tests/support/proxy.rs"]
mod proxy;
#[allow(dead_code)]
#[path = "../../crates/berth-object/tests/support/server.rs"]
mod server;

mod answered;
mod balancer;
mod caller;
mod check;
mod chunks;
mod cluster;
mod collecting;
mod contents;
mod database;
mod ledger;
mod length;
mod line;
mod load;
mod outages;
mod programs;
mod pusher;
mod storm;
