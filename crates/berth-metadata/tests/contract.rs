//! The contract suites, over each implementation.
#![allow(clippy::unwrap_used)]

use berth_metadata::{MemoryMetadata, SqliteMetadata, contract};
use tempfile::TempDir;

fn sqlite() -> (SqliteMetadata, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    (store, folder)
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    contract::metadata_store(&sqlite().0).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract::metadata_store(&MemoryMetadata::default()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_collection() {
    contract::collected_store(&sqlite().0).await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_collection() {
    contract::collected_store(&MemoryMetadata::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_can_be_inspected() {
    contract::inspection_store(&sqlite().0).await;
}

#[tokio::test]
async fn memory_can_be_inspected() {
    contract::inspection_store(&MemoryMetadata::default()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_accounts() {
    contract::account_store(&sqlite().0).await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_accounts() {
    contract::account_store(&MemoryMetadata::default()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_turns() {
    contract::turn_store(&sqlite().0).await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_turns() {
    contract::turn_store(&MemoryMetadata::default()).await;
}
