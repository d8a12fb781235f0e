//! Whatever is done to both, PostgreSQL and the store in memory answer the same: also if each change is made by another replica
//! than the one before.
#![allow(clippy::unwrap_used)]

use berth_metadata::contract::agreement::{agrees_with_memory, changes};
use berth_postgres::test_server::TestServer;
use berth_postgres::{PostgresMetadata, PostgresOptions};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const CASES: u32 = 32;

#[test]
fn postgres_and_memory_agree() {
    let server = TestServer::shared();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig {
        cases: CASES,
        ..ProptestConfig::default()
    };
    let checked = TestRunner::new(config).run(&changes(), |changes| {
        let url = server.database();
        let open = || PostgresMetadata::open(&url, &PostgresOptions::default()).unwrap();
        let (one, other) = (open(), open());
        runtime.block_on(agrees_with_memory(&[&one, &other], &changes))
    });
    checked.unwrap();
}
