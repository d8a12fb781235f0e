//! Transactional metadata of an OCI registry on PostgreSQL.
#![forbid(unsafe_code)]

mod accounts;
mod address;
mod blobs;
mod collection;
mod connections;
mod damages;
mod failure;
mod inspection;
mod lists;
mod manifests;
mod metadata;
mod migrations;
mod repositories;
mod retention;
#[cfg(feature = "test-server")]
pub mod test_server;
mod texts;
mod transactions;
mod uploads;
mod usage;
mod users;

use std::time::SystemTime;

use berth_metadata::sql::stored::milliseconds;

pub use metadata::{PostgresMetadata, PostgresOptions};

/// The time that rows are stamped with.
fn now() -> i64 {
    milliseconds(SystemTime::now())
}
