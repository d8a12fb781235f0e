//! Many change the same at the same time, over each implementation.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use berth_metadata::contract::concurrency;
use berth_metadata::{MemoryMetadata, SqliteMetadata};
use tempfile::TempDir;

fn sqlite() -> (Arc<SqliteMetadata>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    (Arc::new(store), folder)
}

fn memory() -> Arc<MemoryMetadata> {
    Arc::new(MemoryMetadata::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_pushed_is_collected() {
    concurrency::nothing_that_is_pushed_is_collected(&[sqlite().0]).await;
    concurrency::nothing_that_is_pushed_is_collected(&[memory()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_is_true() {
    concurrency::what_is_counted_is_true(&[sqlite().0]).await;
    concurrency::what_is_counted_is_true(&[memory()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_of_a_tag_is_lost() {
    concurrency::no_change_of_a_tag_is_lost(&[sqlite().0]).await;
    concurrency::no_change_of_a_tag_is_lost(&[memory()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_change_of_an_upload_wins() {
    concurrency::one_change_of_an_upload_wins(&[sqlite().0]).await;
    concurrency::one_change_of_an_upload_wins(&[memory()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forsaken_is_recorded_nowhere() {
    concurrency::what_is_forsaken_is_recorded_nowhere(&[sqlite().0]).await;
    concurrency::what_is_forsaken_is_recorded_nowhere(&[memory()]).await;
}
