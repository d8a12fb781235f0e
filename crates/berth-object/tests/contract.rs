//! The contract of a blob store, over buckets in memory and on a real S3 server.

mod support;

use berth_blob::contract::{self, OpenBlobs};
use support::server::Server;
use support::{blobs_at, in_memory, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_without_uploads() {
    contract::blob_store_where(&in_memory(8 << 20, 5 << 30), OpenBlobs::MayBeGone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_in_parts() {
    contract::blob_store_where(&in_memory(100_001, 5 << 30), OpenBlobs::MayBeGone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_in_parts_that_no_request_copies() {
    contract::blob_store_where(&in_memory(300, 500), OpenBlobs::MayBeGone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_server() {
    let server = Server::start().await;
    let blobs = blobs_at(&server.endpoint(), settings());
    contract::blob_store_where(&blobs, OpenBlobs::MayBeGone).await;
}
