//! Whatever is done to both, SQLite and the store in memory answer the same.

use berth_metadata::SqliteMetadata;
use berth_metadata::contract::agreement::{agrees_with_memory, changes};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_and_memory_agree(changes in changes()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
        let folder = tempfile::tempdir()?;
        let sqlite = SqliteMetadata::open(&folder.path().join("metadata.sqlite3"))
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        runtime.block_on(agrees_with_memory(&[&sqlite], &changes))?;
    }
}
